"""What whole front ends cost on a Cortex-M4F: flash, RAM, instructions for a second of signal.

    python benchmarks/pipeline_cost.py [--json]

Each pipeline as the exporter would write it (without a net), the runtime that brings branches together among it. Flash
is measured with -Os and -O2, instructions on an emulated core with -O2, over simulated signals. An instruction is not a
cycle: loads, divisions and taken branches take more than one.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from pulselet import simulate
from pulselet.signal import (
    Branch,
    EcgQuality,
    HeartRateVariability,
    Pipeline,
    PulseRate,
    Resample,
    Rhythm,
    RPeaks,
    Window,
)
from pulselet.signal.run import Event
from pulselet_firmware.pipelines import CorePipeline, footprint

CORE_HZ = 64e6
SECONDS = 24
WANTED = {  # flash and RAM in bytes, part of a 64 MHz core
    "ECG: R peaks and quality, 250 Hz": (8192, 4096, 0.01),
    "wrist pulse rate, 2 light + 3 acceleration, 125 Hz": (24576, 16384, 0.05),
}


def pipelines() -> dict[str, Pipeline]:
    """Return the front ends by what they are for."""
    small = Resample(25.0, crossings=4)
    light, acc = Branch("light", "a.u.", 125.0, 2, (small,)), Branch("acc", "g", 125.0, 3, (small,))
    window = Window(8.0, 2.0)
    return {
        "ECG: R peaks, 250 Hz": Pipeline((Branch("ecg", "mV", 250.0, 1, (RPeaks(),)),)),
        "ECG: R peaks and quality, 250 Hz": Pipeline((Branch("ecg", "mV", 250.0, 1, (EcgQuality(),)),)),
        "ECG: R peaks, rhythm and HRV of 5 minutes, 250 Hz": Pipeline(
            (Branch("ecg", "mV", 250.0, 1, (RPeaks(), Rhythm(), HeartRateVariability())),)
        ),
        "wrist pulse rate, 2 light + 3 acceleration, 125 Hz": Pipeline(
            (light, acc), (window, PulseRate(ppg_channels=2))
        ),
        "the same on a coarser grid": Pipeline((light, acc), (window, PulseRate(ppg_channels=2, resolution_bpm=3.0))),
    }


def events(pipeline: Pipeline) -> list[Event]:
    """Return simulated signals, a second at a time."""
    found = {}
    for branch in pipeline.branches:
        if branch.name == "ecg":
            values = simulate.ecg(SECONDS, rate_hz=branch.rate_hz, seed=1, heart_rate_bpm=75).values_mv[:, None]
        elif branch.name == "light":
            one = simulate.ppg(SECONDS, rate_hz=branch.rate_hz, seed=1, heart_rate_bpm=75).values
            values = np.stack([one, 0.8 * one], axis=1)
        else:
            values = simulate.acceleration(SECONDS, rate_hz=branch.rate_hz, seed=1, activity="walking").values_g
        found[branch.name] = values.astype(np.float32), round(branch.rate_hz)
    return [
        (name, values[second * rate : (second + 1) * rate])
        for second in range(SECONDS)
        for name, (values, rate) in found.items()
    ]


def measure(name: str, pipeline: Pipeline) -> dict[str, Any]:
    """Return what a pipeline costs, and what is wanted of it."""
    flash, ram = footprint(pipeline)
    core = CorePipeline(pipeline)
    core.program.count(True)
    core.run(events(pipeline))
    each = core.program.instructions / SECONDS
    wanted = WANTED.get(name)
    return {
        "pipeline": name,
        "flash_bytes": flash,
        "flash_bytes_o2": footprint(pipeline, optimise="-O2")[0],
        "ram_bytes": ram,
        "stack_bytes": core.program.stack_bytes,
        "instructions_per_s": each,
        "part_of_64_mhz": each / CORE_HZ,
        "wanted": None if wanted is None else dict(zip(("flash_bytes", "ram_bytes", "part"), wanted, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    found = [measure(name, pipeline) for name, pipeline in pipelines().items()]
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    print("| pipeline | flash, B (-Os; -O2) | RAM, B | stack, B | instructions per s | of 64 MHz | wanted |")
    print("| --- | --: | --: | --: | --: | --: | --- |")
    for one in found:
        wanted = one["wanted"]
        text = f"{wanted['flash_bytes']:,}; {wanted['ram_bytes']:,}; {wanted['part']:.0%}" if wanted else ""
        print(
            f"| {one['pipeline']} | {one['flash_bytes']:,}; {one['flash_bytes_o2']:,} | {one['ram_bytes']:,} "
            f"| {one['stack_bytes']:,} | {one['instructions_per_s']:,.0f} | {one['part_of_64_mhz']:.2%} | {text} |"
        )


if __name__ == "__main__":
    main()
