"""Skin conductance against simulated truth, hand calculation, and a stress test on real wrists."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt

from pulselet.errors import PipelineError
from pulselet.signal.electrodermal import Electrodermal, response
from pulselet.signal.filters import LowPass
from pulselet.signal.skin_responses import SkinResponses, SkinResponsesKernel
from pulselet.signal.stage import Format, Samples, Stage
from pulselet_firmware.kernels import CoreKernels, footprint

RATE = 4.0
Floats = NDArray[np.floating[Any]]


class Truth(NamedTuple):
    conductance: Floats
    tonic: Floats
    onsets_s: Floats
    amplitudes: Floats


def simulate(per_min: float, seed: int, rate_hz: float = RATE, minutes: float = 15.0, noise_us: float = 0.003) -> Truth:
    """Return a drifting level and responses whose two time constants differ from the stage's by 20 % (1 sigma)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(60 * minutes * rate_hz)) / rate_hz
    walk = np.interp(t, np.arange(0, 60 * minutes + 60, 30.0), np.cumsum(rng.normal(0, 0.15, round(2 * minutes) + 2)))
    smooth = np.hanning(round(40 * rate_hz))
    tonic = (
        4 + np.convolve(np.pad(walk, len(smooth), "edge"), smooth / smooth.sum(), "same")[len(smooth) : -len(smooth)]
    )
    onsets = 10 + np.cumsum(1.0 + rng.exponential(60 / per_min - 1, round(1.5 * per_min * minutes)))
    onsets = onsets[onsets < 60 * minutes - 10]
    amplitudes = np.clip(np.exp(rng.normal(np.log(0.25), 0.8, len(onsets))), 0.06, 2)
    x = tonic + rng.normal(0, noise_us, len(t))
    for onset, amplitude, (rise, recovery) in zip(
        onsets, amplitudes, np.exp(np.clip(rng.normal(0, 0.2, (len(onsets), 2)), -0.4, 0.4)), strict=True
    ):
        x += amplitude * shape(t - onset, 0.75 * rise, 2.0 * recovery)
    return Truth(x, tonic, onsets, amplitudes)


def shape(t: Floats, rise_s: float, recovery_s: float) -> Floats:
    fine = np.arange(0, 20, 0.001)
    top = np.max(np.exp(-fine / recovery_s) - np.exp(-fine / rise_s))
    after = np.maximum(t, 0)
    return np.asarray((np.exp(-after / recovery_s) - np.exp(-after / rise_s)) / top)


def decompose(x: Floats, rate_hz: float = RATE, **parameters: float) -> Samples:
    kernel = Electrodermal(**parameters).design(Format(rate_hz, 1, "uS"))
    return kernel.step(kernel.start(), x[:, None].astype(np.float32))[0]


def responses(rows: Samples, rate_hz: float = RATE, **parameters: float) -> Samples:
    kernel = responses_kernel(rate_hz, **parameters)
    return kernel.step(kernel.start(), rows)[0]


def responses_kernel(rate_hz: float = RATE, **parameters: float) -> SkinResponsesKernel:
    return SkinResponses(**parameters).design(Electrodermal().design(Format(rate_hz, 1, "uS")).output)


def matched(onsets_s: Floats, true_s: Floats, within_s: float = 1.5) -> list[tuple[int, int]]:
    """Return pairs (found, true), each used once, the nearest first come."""
    pairs: list[tuple[int, int]] = []
    free = set(range(len(onsets_s)))
    for j, true in enumerate(true_s):
        near = min(free, key=lambda i: abs(onsets_s[i] - true), default=-1)
        if near >= 0 and abs(onsets_s[near] - true) <= within_s:
            pairs.append((near, j))
            free.remove(near)
    return pairs


@pytest.mark.parametrize("per_min", [3.0, 10.0])
@pytest.mark.parametrize("rate_hz", [4.0, 16.0])
def test_the_level_is_found_beneath_responses_that_overlap(per_min: float, rate_hz: float) -> None:
    """Truth: simulated. A 0.05 Hz low-pass over the whole recording, forwards and backwards, is several times worse."""
    late = round(Electrodermal().design(Format(rate_hz, 1, "uS")).latency_s * rate_hz)
    begin = round(60 * rate_hz)
    for seed in range(3):
        truth = simulate(per_min, seed, rate_hz)
        error = decompose(truth.conductance, rate_hz)[begin:, 0] - truth.tonic[begin - late : -late]
        b, a = butter(2, 0.05, fs=rate_hz)
        usual = filtfilt(b, a, truth.conductance)[begin:] - truth.tonic[begin:]
        assert np.sqrt(np.mean(error**2)) < 0.06
        assert np.sqrt(np.mean(error**2)) < np.sqrt(np.mean(usual**2)) / 2


@pytest.mark.parametrize("per_min", [3.0, 10.0])
def test_responses_are_found_where_they_are_and_as_large(per_min: float) -> None:
    """Truth: simulated."""
    hits = found = true = 0
    ratios, delays = [], []
    for seed in range(4):
        truth = simulate(per_min, seed)
        events = responses(decompose(truth.conductance))
        onsets = np.cumsum(events[:, 0]) / RATE
        pairs = matched(onsets, truth.onsets_s)
        hits, found, true = hits + len(pairs), found + len(events), true + len(truth.onsets_s)
        ratios += [events[i, 3] / truth.amplitudes[j] for i, j in pairs]
        delays += [onsets[i] - truth.onsets_s[j] for i, j in pairs]
    assert 2 * hits / (found + true) > 0.95
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert np.percentile(np.abs(np.array(ratios) - 1), 90) < 0.25
    assert abs(np.median(delays)) < 1 / RATE
    assert np.percentile(np.abs(delays), 90) < 1.5 / RATE


@pytest.mark.parametrize("rate_hz", [4.0, 8.0, 32.0])
def test_one_response_has_its_onset_amplitude_and_rise(rate_hz: float) -> None:
    """By hand: the shape's top is 1.177 s after its onset."""
    t = np.arange(round(40 * rate_hz)) / rate_hz
    events = responses(decompose(2 + 0.5 * response(t - 20), rate_hz), rate_hz)
    assert len(events) == 1
    since, valid, lag, amplitude, rise = events[0]
    assert since / rate_hz == pytest.approx(20, abs=1 / rate_hz)
    assert valid == 0
    assert lag / rate_hz < 3
    assert amplitude == pytest.approx(0.5, rel=0.05)
    assert rise == pytest.approx(1.177, abs=1 / rate_hz)


def test_a_response_on_the_tail_of_another_is_measured_whole() -> None:
    """By hand: from trough to peak the second is only 0.72 uS."""
    t = np.arange(200) / RATE
    x = 2 + response(t - 20) + response(t - 21.75)
    trough = 83 + int(np.argmin(x[83:90]))
    assert np.max(x) - x[trough] == pytest.approx(0.72, abs=0.01)
    events = responses(decompose(x))
    assert len(events) == 2
    assert events[1, 0] / RATE == pytest.approx(1.75, abs=1 / RATE)
    assert events[1, 1] == 1
    np.testing.assert_allclose(events[:, 3], 1, rtol=0.12)


def test_steady_conductance_is_all_tonic_and_a_ramp_has_its_slope() -> None:
    still = decompose(np.full(400, 3.5))
    np.testing.assert_allclose(still, np.tile([3.5, 0, 0, 0, 1], (400, 1)), atol=2e-6)
    ramp = decompose(3 + 0.01 * np.arange(800) / RATE)  # 0.6 uS per min
    assert ramp[-1, 3] == pytest.approx(0.6, rel=0.01)
    np.testing.assert_allclose(ramp[400:, 1], ramp[-1, 1], atol=1e-3)


def test_tonic_and_phasic_add_up_to_the_smoothed_conductance() -> None:
    truth = simulate(6.0, 1)
    rows = decompose(truth.conductance)
    low_pass = LowPass(0.5).design(Format(RATE, 1, "uS"))
    smoothed, _ = low_pass.step(low_pass.start(), truth.conductance[:, None].astype(np.float32))
    np.testing.assert_allclose(rows[:, 0] + rows[:, 1], smoothed[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("contact lost", np.array([0.02, 0.01, 0.03])),
        ("sensor's limit", np.array([99.0, 1e12, 99.0])),
        ("a fall of a third in one sample", np.array([2.0, 2.0, 2.0])),
        ("a jump", np.array([6.0, 6.0, 6.0])),
    ],
)
def test_what_skin_cannot_do_is_not_usable_and_leaves_the_level(what: str, wrong: Floats) -> None:
    x = np.full(200, 3.0)
    x[100:103] = wrong
    rows = decompose(x)
    bad = np.flatnonzero(rows[:, 4] == 0)
    last = 100 if "fall" in what else 103  # the return from a fall may be a response; that from the others jumps again
    assert bad[0] == 100
    assert last + 20 <= bad[-1] <= 103 + 20
    assert len(bad) == bad[-1] - bad[0] + 1
    np.testing.assert_allclose(rows[100 : bad[-1] + 1, 0], 3.0, atol=1e-5)
    np.testing.assert_allclose(rows[bad[-1] + 1 :, 0], 3.0, atol=0.2)
    assert np.all(rows[bad, 1:4] == 0)
    assert len(responses(rows)) == 0


def test_responses_are_not_taken_for_artefacts() -> None:
    for seed in range(3):
        assert decompose(simulate(10.0, seed).conductance)[:, 4].all()
    t = np.arange(200) / RATE
    assert decompose(0.3 + 1.5 * response(t - 10))[:, 4].all()


def test_since_counts_over_gaps_and_artefacts_and_says_so() -> None:
    t = np.arange(120) / RATE
    rows = decompose(2 + response(t - 10))
    kernel = responses_kernel()
    first, state = kernel.step(kernel.start(), rows)
    lost, state = kernel.gap(state, 40)
    second, state = kernel.step(state, rows)
    unusable = rows.copy()
    unusable[:8, 4] = 0
    third, state = kernel.step(state, unusable)
    fourth, _ = kernel.step(state, rows)
    assert lost == 0
    assert [float(e[0, 0]) for e in (first, second, third, fourth)] == [first[0, 0], 160, 120, 120]
    assert [float(e[0, 1]) for e in (first, second, third, fourth)] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("stage", "source", "why"),
    [
        (Electrodermal(), Format(4.0, 1, "S"), "uS"),
        (Electrodermal(), Format(4.0, 2, "uS"), "one channel"),
        (Electrodermal(), Format(256.0, 1, "uS"), "3 to 32 Hz"),
        (Electrodermal(rise_us_per_s=0.0), Format(4.0, 1, "uS"), "rise_us_per_s"),
        (Electrodermal(lowest_us=70.0), Format(4.0, 1, "uS"), "lowest < highest"),
        (SkinResponses(), Format(4.0, 1, "uS"), "rows of Electrodermal"),
        (SkinResponses(0.0), Electrodermal().design(Format(4.0, 1, "uS")).output, "threshold"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(stage: Stage, source: Format, why: str) -> None:
    with pytest.raises(PipelineError, match=why):
        stage.design(source)


def wesad(subject: str) -> tuple[Floats, dict[str, tuple[int, int]]]:
    """Return skin conductance of a wrist at 4 Hz, and where the segments of the stress protocol begin and end."""
    folder = Path(os.environ.get("PULSELET_DATA", "")) / "wesad"
    file = folder / subject / f"{subject}_E4_Data" / "EDA.csv.gz"
    if not file.exists():
        pytest.skip(f"PULSELET_DATA names no folder with {file.relative_to(folder.parent)}")
    with gzip.open(file, "rt") as stream:
        x = np.loadtxt(stream)[2:]
    with (folder / "labels_recovered.csv").open() as labels:
        rows: list[dict[str, Any]] = [row for row in csv.DictReader(labels) if row["subject"] == subject]
    return x, {row["segment"]: (int(RATE * float(row["start_s"])), int(RATE * float(row["end_s"]))) for row in rows}


@pytest.mark.parametrize("subject", ["S3", "S5", "S8"])
def test_stress_raises_level_and_responses_on_real_wrists(subject: str) -> None:
    """A sanity check on WESAD, no figure of accuracy."""
    x, segments = wesad(subject)
    rows = decompose(x)
    onsets = np.cumsum(responses(rows)[:, 0])
    level, per_min = {}, {}
    for name in ("baseline", "stress"):
        begin, end = segments[name]
        level[name] = np.mean(rows[begin:end, 0])
        per_min[name] = 60 * RATE * np.count_nonzero((onsets >= begin) & (onsets < end)) / (end - begin)
        assert np.mean(rows[begin:end, 4]) > 0.95
    assert level["stress"] > 1.2 * level["baseline"]
    assert per_min["stress"] > 1.5 * per_min["baseline"]


def test_what_skin_conductance_costs_on_a_cortex_m4() -> None:
    """Together, at 4 Hz: under 2 KB of flash, 128 bytes of state, 2,000 instructions a second."""
    stage = Electrodermal().design(Format(RATE, 1, "uS"))
    search = SkinResponses().design(stage.output)
    rows = decompose(simulate(6.0, 0, minutes=2.0).conductance)
    x = simulate(6.0, 0, minutes=2.0).conductance[:, None].astype(np.float32)
    core = CoreKernels({"electrodermal": stage, "responses": search})
    core.count(True)
    core.run("electrodermal", [x])
    core.run("responses", [rows])
    (flash, state), (more_flash, more_state) = footprint(stage), footprint(search)
    assert flash + more_flash <= 2048
    assert state + more_state <= 128
    assert core.instructions / 120 <= 2000
    assert core.stack_bytes <= 256
