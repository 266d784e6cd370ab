"""What streaming promises, measured: throughput, disconnects, faults, kill -9, clocks, memory, decoding.

python benchmarks/stream.py [--json] [--quick] [--only throughput,disconnects,faults,kill9,clock,soak,decode]

Everything goes through the virtual radio, so through real HCI, L2CAP and ATT, and through bleak's public interface; it
is compared with what the virtual device sent. --quick does a tenth of each. All of it takes about ten minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import clock
import decode
import numpy as np

from pulselet.device.faults import REASONS, Faults
from pulselet.device.reconnect import Reconnect
from pulselet.device.session import connect
from pulselet.device.virtual import VirtualDevice
from pulselet.device.virtual_radio import VirtualRadio
from pulselet.device.virtual_roles.board import Board
from pulselet.device.virtual_roles.feed import of_array
from pulselet.device.virtual_roles.strap import Strap, acceleration, ecg
from pulselet.packets import polar
from pulselet.packets.profile import StreamInfo
from pulselet.stream.block import Block
from pulselet.stream.recording import Recording

AT_ONCE = Reconnect(first_s=0.001, longest_s=0.02)
STREAMS = (
    StreamInfo(1, "acc", "g", ("x", "y", "z"), 50_000, 1 / 4096),
    StreamInfo(2, "ecg", "mV", ("I",), 130_000, 1 / 1024),
)
PACKETS_PER_S = 4  # of the two streams, half a second in a packet
Figures = dict[str, Any]


def throughput(share: float) -> Figures:
    """Ten minutes of a chest strap, as fast as they go: notifications byte for byte, and every sample."""
    return asyncio.run(_throughput(round(600 * share)))


async def _throughput(seconds: int) -> Figures:
    draw = np.random.default_rng(1)
    sources = {
        "ecg": draw.integers(-(2**23), 2**23, (130 * seconds, 1)),  # µV
        "acc": draw.integers(-8000, 8000, (50 * seconds, 3)),  # milli-g
    }
    feeds = {name: of_array(values, again=True) for name, values in sources.items()}
    log: list[tuple[str, bytes]] = []
    strap = Strap({polar.ECG: ecg(feeds["ecg"]), polar.ACC: acceleration(feeds["acc"])})
    radio, virtual = VirtualRadio(), VirtualDevice("Strap", [strap], speed=1e6, log=log)
    await virtual.start(radio)
    with _recording() as recording:
        async with connect("Strap", adapter=radio.adapter) as device:
            began = time.perf_counter()
            async for _ in device.stream("ecg", "acc", record=recording):
                if all(device.counts[name].received >= len(values) for name, values in sources.items()):
                    break
            took = time.perf_counter() - began
        received = [one.data for one in recording.packets() if one.source.endswith(polar.DATA)]
        same = all(_as_sent(recording, name, values) for name, values in sources.items())
    await virtual.stop()
    sent = [data for uuid, data in log if uuid == polar.DATA]
    return {
        "byte_exact": received == sent[: len(received)] and same,
        "realtime_factor": seconds / took,
        "notifications": len(received),
    }


def _as_sent(recording: Recording, name: str, source: np.ndarray) -> bool:
    """Whether the samples are one unbroken run of the source, which the strap repeats without an end."""
    ((_, values),) = recording.segments(name)
    again = (np.concatenate([source, source]) * 1e-3).astype(np.float32)
    start = next(at for at in range(len(source)) if np.array_equal(again[at : at + 8], values[:8]))
    wanted = np.resize(again[start : start + len(source)], values.shape)
    return bool(np.array_equal(values, wanted))


def _recording() -> Recording:
    return Recording.create(Path(tempfile.mkdtemp()) / "benchmark.pulse")


def disconnects(share: float) -> Figures:
    """A thousand disconnects with random HCI reasons: what came and what was declared is what the device counted."""
    wanted = round(1000 * share)
    draw = random.Random(2)
    ends = {70 * n + draw.randrange(60): draw.choice(REASONS) for n in range(wanted + wanted // 4)}
    found = asyncio.run(_accounted(70 * len(ends) // PACKETS_PER_S, Faults(disconnect=ends), speed=100.0))
    return {"disconnects": found.pop("reconnects"), **found}


def faults(share: float) -> Figures:
    """Five percent each of loss, delay and repetition: every lost sample declared, none invented."""
    seconds = round(3600 * share)
    plan = Faults.drawn(3, PACKETS_PER_S * seconds, drop=0.05, repeat=0.05, delay=0.05)
    found = asyncio.run(_accounted(seconds, plan, speed=300.0))
    return {f"faults_{name}": found[name] for name in ("unaccounted_samples", "duplicates", "lost_samples")}


async def _accounted(seconds: int, plan: Faults, speed: float) -> Figures:
    """Stream a board to its end and account for every sample of its source."""
    draw = np.random.default_rng(4)
    segment = {
        info.name: draw.integers(-32768, 32768, (seconds * info.rate_mhz // 1000, len(info.channels))).astype(np.int16)
        for info in STREAMS
    }
    scale = {info.name: np.float32(info.scale) for info in STREAMS}
    radio = VirtualRadio()
    virtual = VirtualDevice("Board", [Board.of_segments(STREAMS, [segment])], speed=speed, faults=plan)
    await virtual.start(radio)
    unaccounted = duplicates = 0
    end = dict.fromkeys(segment, 0)
    async with connect("Board", adapter=radio.adapter, reconnect=AT_ONCE) as device:
        async for item in device.stream():
            name = item.signal.name
            unaccounted += max(0, item.first - end[name])
            duplicates += max(0, end[name] - item.first)
            end[name] = item.end
            if isinstance(item, Block):
                wrong = item.values != segment[name][item.first : item.end] * scale[name]
                unaccounted += int(wrong.any(axis=1).sum())
        counts = device.counts
    await virtual.stop()
    for name, source in segment.items():
        unaccounted += abs(len(source) - counts[name].received - counts[name].lost)
    return {
        "unaccounted_samples": unaccounted,
        "duplicates": duplicates,
        "reconnects": device.reconnects,
        "lost_samples": sum(count.lost for count in counts.values()),
    }


WRITER = """
import itertools, sys, time
import numpy as np
from pulselet.stream.block import Block, Signal
from pulselet.stream.recording import Recording
acc = Signal("acc", "g", 50.0, ("x", "y", "z"))
recording = Recording.create(sys.argv[1])
began = time.monotonic()
for n in itertools.count():
    time.sleep(max(0.0, began + n / 2000 - time.monotonic()))
    block = Block(acc, np.full((10, 3), n, np.float32), 10 * n, n, n)
    recording.add([block], data=bytes(70), arrival_ns=n, source="a/b")
    sys.stdout.buffer.write(n.to_bytes(4, "little"))
    sys.stdout.buffer.flush()
"""


def kill9(share: float) -> Figures:
    """A writer at 2,000 packets a second, killed at a random moment: nothing that was accepted is lost."""
    draw = random.Random(5)
    runs, lost, rates = round(50 * share), 0, []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            path = Path(folder) / f"{run}.pulse"
            accepted, seconds = _killed(path, draw.uniform(0.05, 1.0))
            rates.append(accepted / seconds)
            lost += accepted - _intact(path, accepted)
    return {"kill9_runs": runs, "kill9_lost_packets": lost, "kill9_packets_per_s": float(np.median(rates))}


def _killed(path: Path, after_s: float) -> tuple[int, float]:
    """Return how many packets a writer had been told were kept when it was killed, and over how long."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        told = writer.stdout.read(4)
        began = time.monotonic()
        killer = subprocess.Popen(
            [sys.executable, "-c", f"import time, os; time.sleep({after_s}); os.kill({writer.pid}, 9)"]
        )
        told += writer.stdout.read()
        took = time.monotonic() - began
        killer.wait()
    assert writer.returncode == -signal.SIGKILL
    return len(told) // 4, took


def _intact(path: Path, accepted: int) -> int:
    """Return how many of the accepted packets are there, whole and in order."""
    with Recording.open(path) as recording:
        packets = [one.arrival_ns for one in recording.packets()]
        ((_, values),) = recording.segments("acc")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert packets == list(range(len(packets)))
    assert np.array_equal(values[::10, 0], np.arange(len(packets)))
    return min(len(packets), accepted)


def clocks(share: float) -> Figures:
    """An hour with drift, bursts and a stall: how far the mapping of the device's clock strays."""
    return {name: value for name, value in clock.measure().items() if name.startswith("clock_")}


def soak(share: float) -> Figures:
    """A day of two sensors: memory after the first hour and at the end."""
    return asyncio.run(_soak(24 * share))


async def _soak(hours: float) -> Figures:
    draw = np.random.default_rng(6)
    heart = of_array(draw.integers(-2000, 2000, (130 * 60, 1)), again=True)
    walk = of_array(draw.integers(-2000, 2000, (50 * 60, 3)), again=True)
    radio = VirtualRadio()
    virtual = VirtualDevice("Strap", [Strap({polar.ECG: ecg(heart), polar.ACC: acceleration(walk)})], speed=1e6)
    await virtual.start(radio)
    memory: list[float] = []
    began = time.perf_counter()
    first_hour, last = 130 * 3600 * min(1.0, hours / 2), 130 * 3600 * hours
    with _recording() as recording:
        async with connect("Strap", adapter=radio.adapter) as device:
            async for _ in device.stream("ecg", "acc", record=recording):
                received = device.counts["ecg"].received
                if not memory and received >= first_hour:
                    memory.append(_resident_mb())
                if received >= last:
                    break
            memory.append(_resident_mb())
            lost = sum(count.lost for count in device.counts.values())
    await virtual.stop()
    took = time.perf_counter() - began
    return {"soak_growth_mb": memory[1] - memory[0], "soak_lost": lost, "soak_realtime_factor": 3600 * hours / took}


def _resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def decoding(share: float) -> Figures:
    """Frames decoded in a batch, beside two peers."""
    return {name: value for name, value in decode.measure().items() if name.startswith("decode_speedup")}


PARTS: dict[str, Callable[[float], Figures]] = {
    "throughput": throughput,
    "disconnects": disconnects,
    "faults": faults,
    "kill9": kill9,
    "clock": clocks,
    "soak": soak,
    "decode": decoding,
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", default=",".join(PARTS), help="which parts")
    given = parser.parse_args()
    found: Figures = {}
    for name in given.only.split(","):
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", file=sys.stderr, flush=True)
        part = PARTS[name](0.1 if given.quick else 1.0)
        found |= part
        print(f"    {part}", file=sys.stderr, flush=True)
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
