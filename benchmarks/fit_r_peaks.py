"""Fit the net of `RPeaks` anew, or score the one that is shipped on the records that it was fitted to.

PULSELET_DATA=<folder> python benchmarks/fit_r_peaks.py [--check] [--json out.json]

The folder holds `mitdb` and `nstdb` in WFDB form; numpy and wfdb are all that is needed. Only DS1 of MIT-BIH is read
(de Chazal et al. 2004), so every figure printed here is of training data; `r_peaks.py` has those of DS2. The candidates
and their features are the stage's own: a kernel whose decisions are only written down. Each record is taken as it is;
with baseline wander or muscle noise (the second channel of the noise records, shifted; the stage is tested with the
first); with larger P and T waves; with beats of uneven height; at other rates, as if its time ran faster or slower; and
in short pieces, to learn the start. A candidate is a beat if it is matched with an annotation within 150 ms.

What the net sees of the beats before depends on its own decisions, so it is fitted three times: on decisions taken from
the labels, then on those of the nets before (as in DAgger: Ross, Gordon and Bagnell, AISTATS 2011). The fit is logistic
regression through one hidden layer with Adam (Kingma and Ba, ICLR 2015); weights are then rounded to whole numbers.

It prints the packed net, whether it equals the one that is shipped, and DER = (missed + false) / beats of both on DS1,
clean and with the training noises. The seeds are fixed: a rerun on x86-64 with numpy 2.4.6 gave what is shipped, byte
for byte. Another build of numpy may sum its products of matrices in another order, and then weights may differ a
little; the figures of both tell by how much that matters.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from r_peaks import DS1, RATE_HZ, WITHIN, Peaks, read, score

from pulselet.signal.ecg_peak_decisions import DYNAMIC, HIDDEN, NET, STATIC, UNIT, Memory, Net, Taken, trained_net
from pulselet.signal.ecg_peaks import RPeaksKernel
from pulselet.signal.stage import Format

Signal = NDArray[np.float32]
Decide = Callable[[int, tuple[int, ...]], int]
Parameters = list[NDArray[np.float32]]

SECOND = int(RATE_HZ)
CONDITIONS = {  # the weight of each, and the rate that the stage is told
    "clean": (8, 360),
    "bw0": (0.7, 360),
    "bw6": (0.5, 360),
    "ma6": (1.5, 360),
    "ma0": (1.2, 360),
    "p1": (1, 360),
    "p2": (1, 360),
    "p3": (1, 360),
    "p4": (1, 300),
    "q1": (1, 360),
    "q2": (0.7, 360),
    "r1": (1, 300),
    "r2": (1, 430),
    "q3": (0.7, 430),
    "g1": (1.5, 360),
    "g2": (1, 360),
}
"""p: larger P and T waves; q: with noise too; r: another rate; g: uneven heights; the rest: kind and ratio in dB."""
PIECES = ("s1", "s2", "s3")  # as they are; with noise; with larger waves, at several rates
SCORED = ("clean", "bw6", "bw0", "ma6", "ma0")
ROUNDS, EPOCHS, LAST_EPOCHS, BATCH, RATE, DECAY = 3, 2.5, 9.5, 1024, 2e-3, 1e-5


@dataclass
class Record:
    """Channel 0 in mV, beats and their symbols, where there is flutter; the noises."""

    number: int
    x: Signal
    beats: Peaks
    symbols: NDArray[np.str_]
    flutter: list[tuple[int, int]]
    noises: dict[str, NDArray[np.float64]]


@dataclass
class Table:
    """The candidates of a signal: what the stage decides on, and what they are."""

    condition: str
    weight: float
    kernel: RPeaksKernel
    values: list[Any]  # (time, level, high, r, amplitude, likeness) of each
    static: NDArray[np.int16]  # (n, STATIC)
    is_beat: NDArray[np.bool_]
    used: NDArray[np.bool_]  # not near flutter
    beats: Peaks
    flutter: list[tuple[int, int]]


class Capture(RPeaksKernel):
    """The stage, but candidates are kept and nothing is decided."""

    def __init__(self, rate_hz: float) -> None:
        nothing = np.zeros(HIDDEN, np.int32)
        weights = np.zeros((HIDDEN, STATIC + DYNAMIC), np.int8)
        super().__init__(Format(rate_hz, 1), rate_hz, Net(weights, nothing, nothing, 0))
        self.kept: list[tuple[Any, ...]] = []

    def _decide(self, memory: Any, number: Any, times: Any, back: Any, r: Any, *rest: Any) -> None:
        amplitudes, static, _ = rest
        columns = (times.copy(), back[:, 1].copy(), back[:, 2].copy(), r.copy(), amplitudes.copy())
        self.kept.append((*columns, static.astype(np.int16)))


class Watch:
    """Stands for the net: `hidden` is a candidate's number. Keeps the inputs that depend on the beats before."""

    def __init__(self, decide: Decide, n: int) -> None:
        self.decide = decide
        self.dynamic = np.zeros((n, DYNAMIC), np.int16)
        self.seen = np.zeros(n, np.bool_)

    def score(self, hidden: int, dynamic: tuple[int, ...]) -> int:
        self.dynamic[hidden], self.seen[hidden] = dynamic, True
        return self.decide(hidden, dynamic)


def _trimmed(values: NDArray[Any]) -> Any:
    """Return the mean without the lowest and highest 5 %, in the type of the values."""
    cut = int(0.05 * len(values))
    return np.sort(values)[cut : len(values) - cut].mean()


def _heights(x: Signal, beats: Any) -> list[Any]:
    return [np.ptp(x[max(0, b - 18) : b + 19]) for b in beats]


def with_noise(record: Record, x: Signal, kind: str, snr_db: float, rng: np.random.Generator) -> Signal:
    """Return the signal with shifted noise of a kind; the ratio is that of `nst` (see r_peaks.py)."""
    noise = np.roll(record.noises[kind], int(rng.integers(0, 600_000)))[: len(x)]
    noise = noise if rng.random() < 0.5 else -noise
    normal = record.beats[np.isin(record.symbols, ["N", "L", "R"])][:300]
    normal = normal if len(normal) >= 50 else record.beats[:300]
    power = _trimmed(np.array(_heights(x, normal))) ** 2 / 8
    seconds = _trimmed(noise[: 300 * SECOND].reshape(300, SECOND).var(axis=1))
    noisy: Signal = (x + np.sqrt(power / (seconds * 10 ** (snr_db / 10))) * noise).astype(np.float32)
    return noisy


def with_waves(record: Record, rng: np.random.Generator) -> Signal:
    """Return the record with P and T waves added, which march with the beats."""
    x, beats = record.x, record.beats
    height = np.median(_heights(x, beats[:300]))
    p_height = height * rng.uniform(0.1, 0.5) * rng.choice([-1, 1])
    p_width, p_before = 360 * rng.uniform(0.012, 0.03), rng.uniform(0.10, 0.24)
    t_height = height * rng.uniform(0.2, 1.0) * rng.choice([-1, 1])
    t_width, t_after = 360 * rng.uniform(0.03, 0.07), rng.uniform(0.2, 0.38)
    waves = []
    for beat, after, symbol in zip(beats, np.append(beats[1:], beats[-1] + 360), record.symbols, strict=True):
        if symbol not in "VFE":
            waves.append((beat - p_before * 360, p_height, p_width))
        waves.append((beat + min(t_after, 0.6 * (after - beat) / 360) * 360, t_height, t_width))
    y = x.astype(np.float64)
    for middle, size, width in waves:
        at = np.arange(int(middle) - 150, int(middle) + 151)
        at = at[(at >= 0) & (at < len(x))]
        y[at] += size * rng.normal(1, 0.05) * np.exp(-0.5 * ((at - middle) / width) ** 2)
    return y.astype(np.float32)


def uneven(x: Signal, beats: Peaks, rng: np.random.Generator) -> Signal:
    """Return the signal with each beat's height changed, some to about half."""
    n = len(beats)
    gains = np.exp(rng.normal(0, rng.uniform(0.1, 0.3), n))
    gains *= np.where(rng.random(n) < rng.uniform(0, 0.15), rng.uniform(0.3, 0.6), 1)
    edges = np.ravel(np.stack([beats - 30, beats + 30], 1))
    gain = np.interp(np.arange(len(x)), edges, np.repeat(gains, 2))
    scaled: Signal = (x * gain).astype(np.float32)
    return scaled


def changed(record: Record, condition: str, rng: np.random.Generator) -> Signal:
    """Return the record under a condition."""
    x = with_waves(record, rng) if condition[0] in "pq" or condition == "g2" else record.x
    if condition[0] == "g":
        x = uneven(x, record.beats, rng)
    if condition in ("q1", "q3"):
        return with_noise(record, x, "ma", float(rng.uniform(3, 12)), rng)
    noises = {f"{kind}{ratio}": (kind, ratio) for kind in ("bw", "ma") for ratio in (0, 6)}
    noises |= {"q2": ("bw", 6), "g2": ("bw", 12)}
    return with_noise(record, x, *noises[condition], rng) if condition in noises else x


def nearest(beats: Peaks, found: Peaks) -> tuple[list[int], list[int]]:
    """Return which beats and candidates belong together: in order, each once, the nearer of two."""

    def next_is_nearer(a: Peaks, i: int, b: Peaks, j: int) -> bool:
        if j + 1 >= len(b) or abs(b[j + 1] - a[i]) >= abs(b[j] - a[i]):
            return False
        return i + 1 >= len(a) or bool(abs(b[j + 1] - a[i + 1]) >= abs(b[j + 1] - a[i]))

    pairs, i, j = [], 0, 0
    while i < len(beats) and j < len(found):
        away = found[j] - beats[i]
        if away < -WITHIN or (away <= WITHIN and next_is_nearer(beats, i, found, j)):
            j += 1
        elif away > WITHIN or next_is_nearer(found, j, beats, i):
            i += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return [i for i, _ in pairs], [j for _, j in pairs]


def candidates(x: Signal, beats: Peaks, rate_hz: float, condition: str, weight: float) -> Table | None:
    """Return the candidates that the stage finds, labelled; None if there are none."""
    kernel = Capture(rate_hz)
    kernel.beats(kernel.start(), x)
    if not kernel.kept:
        return None
    *columns, static = (np.concatenate(parts) for parts in zip(*kernel.kept, strict=True))
    values = list(zip(*(c.tolist() for c in (*columns, static[:, -2])), strict=True))
    is_beat = np.zeros(len(values), np.bool_)
    is_beat[nearest(beats, columns[3])[1]] = True
    return Table(condition, weight, kernel, values, static, is_beat, np.ones(len(values), np.bool_), beats, [])


def whole(record: Record, condition: str) -> Table:
    """Return the candidates of a record under a condition."""
    weight, rate_hz = CONDITIONS[condition]
    rng = np.random.default_rng(record.number * 100 + list(CONDITIONS).index(condition))
    table = candidates(changed(record, condition, rng), record.beats, rate_hz, condition, weight)
    assert table is not None
    table.flutter, r = record.flutter, np.array([v[3] for v in table.values])
    for begin, end in record.flutter:
        table.used &= (r < begin - SECOND) | (r > end + SECOND)
    return table


def pieces(record: Record, kind: str) -> Iterator[Table]:
    """Yield the candidates of pieces of 4 to 12 s, each from its own start."""
    rng = np.random.default_rng(record.number * 7 + len(kind) + ord(kind[1]))
    x, beats = record.x, record.beats
    if kind == "s2":
        x = with_noise(record, x, "ma", 9, rng)
    if kind == "s3":
        x = with_waves(record, rng)
    rate_hz = int(rng.choice([300, 360, 430])) if kind == "s3" else 360
    at = int(rng.integers(0, 5000))
    while at + 6000 < len(x):
        n = int(rng.integers(1500, 4500))
        end = at + n
        inside = beats[(beats >= at) & (beats < end)] - at
        flutter = any(a < end and z > at for a, z in record.flutter)
        table = None if flutter else candidates(x[at:end], inside, rate_hz, kind, 1.0)
        if table is not None:
            r = np.array([v[3] for v in table.values])
            table.is_beat &= r >= 5
            table.used = r >= 30
            yield table
        elif not flutter:
            at = end
            continue
        at = end + int(rng.integers(0, 9000))


def decided(table: Table, decide: Decide) -> tuple[Watch, Peaks]:
    """Return what the net is asked in the course of a signal, and the R peaks that come of it."""
    decisions, watch = table.kernel.decisions, Watch(decide, len(table.values))
    found: list[Taken] = []
    decisions.net = watch  # type: ignore[assignment]
    memory = Memory(decisions.usual)
    decisions.weigh(memory, 0, table.values, range(len(table.values)), found)
    decisions.timers(memory, table.values[-1][0] + 400, found)
    return watch, np.array([c.r for c, *_ in found], np.int64)


def from_labels(table: Table) -> Decide:
    """Return what decides as the labels say."""
    return lambda i, _: 10 * UNIT if table.is_beat[i] else -10 * UNIT


def from_parameters(table: Table, parameters: Parameters) -> Decide:
    """Return what decides as the net does before it is rounded."""
    w, b, u, c = (p.astype(np.float64) for p in parameters)
    hidden = (table.static.astype(np.float32) / 256) @ w[:STATIC] + b
    late = np.ascontiguousarray((w[STATIC:] / 256).T)
    return lambda i, dynamic: int((np.maximum(hidden[i] + late.dot(dynamic), 0).dot(u) + c[0]) * UNIT)


def from_net(table: Table, net: Net) -> Decide:
    """Return what decides as the stage does."""
    hidden = net.hidden(table.static.astype(np.int32))
    return lambda i, dynamic: net.score(hidden[i], dynamic)


def regression(x: NDArray[np.int16], y: Signal, weights: Signal, epochs: float) -> Parameters:
    """Return weights, biases, output weights and output bias fitted to rows `(n, inputs)`."""
    start, order = np.random.default_rng(0), np.random.default_rng(0)
    inputs, n = x.shape[1], len(x)
    p: Parameters = [
        start.normal(0, inputs**-0.5, (inputs, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        start.normal(0, HIDDEN**-0.5, (HIDDEN,)).astype(np.float32),
        np.zeros(1, np.float32),
    ]
    means, squares = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p]
    steps, step = max(1, int(epochs * (n // BATCH))), 0
    while step < steps:
        shuffled = order.permutation(n)
        for at in range(0, n - BATCH + 1, BATCH)[: steps - step]:
            rows = np.sort(shuffled[at : at + BATCH])
            step += 1
            speed = RATE * (0.5 * (1 + np.cos(np.pi * step / steps))) + 1e-6
            for j, g in enumerate(_gradients(p, x[rows], y[rows], weights[rows])):
                means[j] = 0.9 * means[j] + 0.1 * g
                squares[j] = 0.999 * squares[j] + 0.001 * g**2
                down = speed * (means[j] / (1 - 0.9**step)) / (np.sqrt(squares[j] / (1 - 0.999**step)) + 1e-8)
                p[j] -= down.astype(np.float32)
    return p


def _gradients(p: Parameters, rows: NDArray[np.int16], y: Signal, weights: Signal) -> list[Any]:
    x = rows.astype(np.float32) * np.float32(1 / 256)
    w, b, u, c = p
    before = x @ w + b
    hidden = np.maximum(before, 0)
    odds = hidden @ u + c
    g = (1 / (1 + np.exp(-np.clip(odds, -30, 30))) - y) * weights / BATCH
    back = np.outer(g, u) * (before > 0)
    return [x.T @ back + DECAY * w, back.sum(0), hidden.T @ g + DECAY * u, g.sum(keepdims=True)]


def fit(tables: list[Table]) -> Parameters:
    """Return the net's parameters after all rounds."""
    watched = [[decided(table, from_labels(table))[0]] for table in tables]
    for turn in range(ROUNDS):
        x, y, weights = [], [], []
        for table, watches in zip(tables, watched, strict=True):
            for watch in watches[-2:]:
                asked = watch.seen & table.used
                x.append(np.concatenate([table.static[asked], watch.dynamic[asked]], 1))
                y.append(table.is_beat[asked])
                weights.append(np.full(asked.sum(), table.weight))
        weight = np.concatenate(weights).astype(np.float32)
        weight /= weight.mean()
        last = turn == ROUNDS - 1
        rows, labels = np.concatenate(x), np.concatenate(y).astype(np.float32)
        print(f"round {turn + 1} of {ROUNDS}: {len(rows)} candidates", file=sys.stderr, flush=True)
        parameters = regression(rows, labels, weight, LAST_EPOCHS if last else EPOCHS)
        if not last:
            for table, watches in zip(tables, watched, strict=True):
                watches.append(decided(table, from_parameters(table, parameters))[0])
    return parameters


def whole_numbers(parameters: Parameters) -> Net:
    """Return the net in whole numbers: each hidden unit's weights fill int8."""
    w, b, u, c = (p.astype(np.float64) for p in parameters)
    scale = 127 / np.maximum(np.abs(w).max(0), 1e-2)
    weights = np.round(w * scale).T.astype(np.int8)
    bias, out = np.round(b * scale * 256).astype(np.int32), np.round(u / scale * 4096).astype(np.int32)
    return Net(weights, bias, out, round(float(c[0]) * 2**20))


def pack(net: Net) -> str:
    """Return what `Net.unpack` reads."""
    rest = np.concatenate([net.bias, net.out, [net.out_bias]]).astype("<i4")
    return base64.b85encode(net.weights.tobytes() + rest.tobytes()).decode()


def scored(tables: list[Table], net: Net) -> dict[str, dict[str, float]]:
    """Return missed and false detections, beats and DER of a net for each condition."""
    found: dict[str, dict[str, float]] = {}
    for condition in SCORED:
        ones = [score(decided(t, from_net(t, net))[1], t.beats, t.flutter) for t in tables if t.condition == condition]
        total = {key: sum(one[key] for one in ones) for key in ("beats", "missed", "false")}
        found[condition] = {**total, "der": 100 * (total["missed"] + total["false"]) / total["beats"]}
    return found


def load(root: Path) -> Iterator[Record]:
    """Yield the records of DS1."""
    import wfdb

    noises = {k: wfdb.rdrecord(str(root / "nstdb" / k), channels=[1]).p_signal[:, 0] for k in ("bw", "ma")}
    for number in DS1:
        x, beats, symbols, flutter = read(root, str(number))
        yield Record(number, x.astype(np.float32), beats, symbols, flutter, noises)


def print_figures(name: str, figures: dict[str, dict[str, float]]) -> None:
    """Print a line for each condition."""
    for condition, one in figures.items():
        print(f"{name:8} {condition:6} DER {one['der']:7.3f} % (missed {one['missed']}, false {one['false']})")


def main() -> None:
    """Fit and compare, or only score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only score the shipped net on DS1")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if "PULSELET_DATA" not in os.environ:
        sys.exit("PULSELET_DATA is not set: it names the folder with mitdb and nstdb")
    conditions, kinds = (SCORED, ()) if args.check else (tuple(CONDITIONS), PIECES)
    records = list(load(Path(os.environ["PULSELET_DATA"])))
    tables = [whole(record, condition) for record in records for condition in conditions]
    tables += [table for record in records for kind in kinds for table in pieces(record, kind)]
    print(f"{len(tables)} signals, {sum(len(t.values) for t in tables)} candidates", file=sys.stderr, flush=True)
    result: dict[str, Any] = {"shipped": scored(tables, trained_net())}
    print_figures("shipped", result["shipped"])
    if not args.check:
        net = whole_numbers(fit(tables))
        packed = pack(net)
        result |= {"refitted": scored(tables, net), "packed": packed, "equal": packed == NET}
        print_figures("refitted", result["refitted"])
        print(packed)
        print("equal to the net that is shipped" if packed == NET else "not equal to the net that is shipped")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
