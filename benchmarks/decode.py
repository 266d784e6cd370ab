"""How fast Polar frames are decoded, beside polar-python and bleakheart: the same frames, in turn, in one process.

python benchmarks/decode.py [--json] [--frames 512] [--rounds 9]

Ours is `decode_many`, with scaling to units. Theirs are the parsers that their notification handlers call, frame by
frame: `polar_python.parsers.parse_polar_data`, and bleakheart's decoder of each measurement, which it does not export
under a public name; its queue and event loop are left out, in its favour. A ratio is of medians.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from time import perf_counter
from typing import Any

import bleakheart
import numpy as np
from numpy.typing import NDArray
from polar_python.parsers import parse_polar_data

from pulselet.packets.polar import ACC, GYRO, MAG, PPG, PPI, Frame
from pulselet.packets.polar_batch import decode_many

FRAME_BYTES = 229  # of a notification with an MTU of 232
STRAP = bleakheart.PolarMeasurementData(None, callback=print)
PEERS = ("polar_python", "bleakheart")
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One frame type: how to make a frame of it, and what the peers make of it."""

    make: Callable[[int, np.random.Generator], Frame]
    factor: float
    polar_python: Callable[[Any], Any]  # from their result to numbers in our units
    bleakheart: Callable[[bytes], Any] | None
    to_unit: float = 1.0  # of bleakheart's integers
    note: str = ""


def walk(numbers: np.random.Generator, count: int, channels: int, step: float) -> Numbers:
    """Return integers that wander as a signal does: most differences fit 8 to 10 bits."""
    return numbers.normal(0, step, (count, channels)).cumsum(axis=0).round().astype(int)


def squeezed(kind: int, frame_type: int, channels: int, step: float) -> Callable[[int, np.random.Generator], Frame]:
    """Return a maker of compressed frames that fill a notification, in blocks of up to 42 as in a captured one."""

    def make(number: int, numbers: np.random.Generator) -> Frame:
        samples = walk(numbers, 60, channels, step)
        count = len(samples)
        while len(bytes(found := Frame.compress(kind, frame_type, number, samples[:count], block=42))) > FRAME_BYTES:
            count -= 1
        return found

    return make


def rows(found: Any) -> Numbers:
    """Return polar-python's list of tuples."""
    return np.array(found.data)


CASES = {
    "ecg raw, H10, 73 samples": Case(
        lambda at, numbers: Frame.ecg(at, walk(numbers, 73, 1, 40)),
        1.0,
        lambda found: rows(found)[:, None] / 1e3,
        STRAP._decode_ecg_data,
        1e-3,
    ),
    "acc raw, H10, 36 samples": Case(
        lambda at, numbers: Frame.raw(ACC, 1, at, walk(numbers, 36, 3, 30)),
        1.0,
        lambda found: rows(found) / 1e3,
        STRAP._decode_acc_data,
        1e-3,
    ),
    "ppg raw, OH1, 18 samples": Case(
        lambda at, numbers: Frame.raw(PPG, 0, at, walk(numbers, 18, 4, 200)), 1.0, lambda found: found.samples, None
    ),
    "pp intervals, 12 beats": Case(
        lambda at, numbers: Frame.raw(PPI, 0, at, numbers.integers(1, 256, (12, 4)) & [255, 255, 255, 7]),
        1.0,
        lambda found: [
            [s.hr, s.ppi, s.error_estimate, s.invalid_ppi | s.skin_contact_status << 1 | s.skin_contact_supported << 2]
            for s in found.samples
        ],
        None,
    ),
    "ppg compressed, Verity Sense": Case(
        squeezed(PPG, 0, 4, 60),
        1.0,
        lambda found: found.samples,
        STRAP._decode_ppg_data,
        note="bleakheart reads packed bits from the wrong end of a byte: right for 8-bit differences only",
    ),
    "acc compressed, Verity Sense": Case(
        squeezed(ACC, 0, 3, 60),
        2.44140625e-4,
        lambda found: rows(found) / 1e3,
        None,
        note="polar-python multiplies by 1000 and cuts to whole milli-g, up to 1 milli-g off; "
        "if no factor is known, it multiplies the integers by 1000 all the same; "
        "bleakheart does not decode compressed acceleration",
    ),
    "gyro compressed, Verity Sense": Case(squeezed(GYRO, 0, 3, 60), 0.07, rows, None),
    "mag compressed, Verity Sense": Case(
        squeezed(MAG, 0, 3, 20), 0.0015, lambda found: [[s.x * 100, s.y * 100, s.z * 100] for s in found.data], None
    ),
}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def contest(case: Case, frames: Sequence[bytes], rounds: int) -> dict[str, float]:
    """Return the median time a frame of each, in µs: everyone in turn, so that a busy moment meets all alike."""
    loose = [bytearray(frame) for frame in frames]
    work: dict[str, Callable[[], object]] = {
        "pulselet": lambda: ours(case, frames),
        "polar_python": lambda: [parse_polar_data(frame, lambda _: case.factor) for frame in loose],
    }
    if case.bleakheart is not None:
        decode = case.bleakheart
        work["bleakheart"] = lambda: [decode(frame) for frame in frames]
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            times[name].append(seconds(call))
    return {name: median(found) / len(frames) * 1e6 for name, found in times.items()}


def ours(case: Case, frames: Sequence[bytes]) -> Numbers:
    """Return the values of all frames in units."""
    found = decode_many(frames)
    return found.layout.scaled(found.samples, case.factor)


def agreement(case: Case, frames: Sequence[bytes]) -> dict[str, bool]:
    """Return whether each peer gives our values, to the precision of a float32."""
    values = ours(case, frames)
    found = [case.polar_python(parse_polar_data(bytearray(frame), lambda _: case.factor)) for frame in frames]
    same = {"polar_python": close(np.concatenate([np.asarray(one) for one in found]), values)}
    if case.bleakheart is not None:
        theirs = [np.array(case.bleakheart(frame)) for frame in frames]
        joined = np.concatenate([one.reshape(len(one), -1) for one in theirs]) * case.to_unit
        same["bleakheart"] = close(joined, values)
    return same


def close(theirs: Numbers, values: Numbers) -> bool:
    """Return whether numbers are alike."""
    return theirs.shape == values.shape and np.allclose(theirs, values, rtol=1e-6, atol=1e-6)


def measure(frames: int = 512, rounds: int = 9, seed: int = 0) -> dict[str, Any]:
    """Return the ratio to each peer: the mean over the frame types it decodes, and details of each."""
    types: dict[str, dict[str, Any]] = {}
    for name, case in CASES.items():
        numbers = np.random.default_rng(seed)
        made = [bytes(case.make(at, numbers)) for at in range(frames)]
        spent = contest(case, made, rounds)
        types[name] = {
            "compressed": Frame.from_bytes(made[0]).compressed,
            "bytes": round(mean(map(len, made))),
            "us_per_frame": spent,
            "speedup": {peer: spent[peer] / spent["pulselet"] for peer in PEERS if peer in spent},
            "values_agree": agreement(case, made),
            "note": case.note,
        }
    result: dict[str, Any] = {"frames": frames, "rounds": rounds, "types": types}
    for peer in PEERS:
        known = [one for one in types.values() if peer in one["speedup"]]
        result[f"decode_speedup_{peer}"] = mean(one["speedup"][peer] for one in known)
        squeezed_only = [one["speedup"][peer] for one in known if one["compressed"]]
        result[f"decode_speedup_compressed_{peer}"] = mean(squeezed_only)
        result[f"decode_speedup_least_{peer}"] = min(one["speedup"][peer] for one in known)
    return result


def show(result: dict[str, Any]) -> None:
    """Print the result as a table."""
    print(f"{'':30} {'bytes':>5} {'µs a frame':>10}  " + "  ".join(f"{peer:>14}" for peer in PEERS))
    for name, one in result["types"].items():
        cells = [
            f"{one['speedup'][peer]:7.1f} x {'same ' if one['values_agree'][peer] else 'other'}"
            if peer in one["speedup"]
            else f"{'does not decode':>14}"
            for peer in PEERS
        ]
        print(f"{name:30} {one['bytes']:5} {one['us_per_frame']['pulselet']:10.2f}  " + "  ".join(cells))
        if one["note"]:
            print(f"    {one['note']}")
    for peer in PEERS:
        overall, packed = result[f"decode_speedup_{peer}"], result[f"decode_speedup_compressed_{peer}"]
        print(f"{peer}: {overall:.1f} times as fast in the mean, {packed:.1f} times on compressed frames")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--frames", type=int, default=512, help="decoded at a time")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    result = measure(args.frames, args.rounds)
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
