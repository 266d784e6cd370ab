"""What standard services and Movesense send beside the value: the reading's own time, intervals, contact, status."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pulselet.device.link import Link
from pulselet.device.sources import MovesenseSource, StandardSource
from pulselet.errors import DeviceError
from pulselet.packets import movesense
from pulselet.packets.gatt import full_uuid
from pulselet.stream.block import Block, Gap, Signal
from pulselet.stream.readings import ReadingAssembler
from pulselet.stream.recording import Recording

NEW_YEAR = "ea07 01 02 07 1e 00"  # 2026-01-02 07:30:00, as GATT Specification Supplement, Date Time, has it
NEW_YEAR_S = 1_767_339_000  # `date -u -d "2026-01-02 07:30" +%s`
ARRIVAL_NS = 123
HEART_RATE, OXIMETRY, SPOT, TEMPERATURE, PRESSURE, WEIGHT, GLUCOSE = (
    full_uuid(number) for number in (0x2A37, 0x2A5F, 0x2A5E, 0x2A1C, 0x2A35, 0x2A9D, 0x2AA7)
)


class OnPaper(Link):
    """A link to a device that says yes to all, and notes what it was asked."""

    def __init__(self, *characteristics: str) -> None:
        super().__init__("Device", "F0:00:00:00:00:10")
        self.offered = {uuid: ["notify"] for uuid in characteristics}
        self.asked: list[bytes] = []

    @property
    def characteristics(self) -> dict[str, list[str]]:
        return self.offered

    async def subscribe(self, uuid: str) -> None:
        """Whatever is asked for comes."""

    async def ask(
        self, command: str, data: bytes, *, answer: str | None = None, fits: Callable[[bytes], bool] = lambda _: True
    ) -> bytes:
        self.asked.append(data)
        return struct.pack("<BBH", movesense.RESULT, data[1], movesense.OK)


def standard(uuid: str, *names: str) -> StandardSource:
    """Return a source that streams some signals of a characteristic, all of them if none is named."""

    async def started() -> StandardSource:
        source, link = StandardSource(), OnPaper(uuid)
        await source.prepare(link)
        await source.start(link, names or source.default)
        return source

    return asyncio.run(started())


def told(uuid: str, data: str) -> dict[str, list[Block]]:
    """Return the blocks that one notification adds, by signal."""
    found: dict[str, list[Block]] = {}
    for item in standard(uuid).feed(uuid, bytes.fromhex(data), ARRIVAL_NS):
        assert isinstance(item, Block)
        found.setdefault(item.signal.name, []).append(item)
    return found


def values(uuid: str, data: str, name: str) -> list[list[float]]:
    rows: list[list[float]] = np.concatenate([block.values for block in told(uuid, data)[name]]).tolist()
    return rows


STORED = {
    "blood_pressure": (PRESSURE, "02 7800 5000 5d00"),
    "temperature": (TEMPERATURE, "02 6c0100ff"),
    "weight": (WEIGHT, "02 b036"),
    "spot_spo2": (SPOT, "01 6100 3c00"),
}


@pytest.mark.parametrize("name", STORED)
def test_a_stored_reading_has_the_time_at_which_it_was_taken(name: str) -> None:
    uuid, head = STORED[name]
    (block,) = told(uuid, f"{head} {NEW_YEAR}")[name]
    assert (block.device_ticks, block.device_s, block.arrival_ns) == (NEW_YEAR_S, float(NEW_YEAR_S), ARRIVAL_NS)


@pytest.mark.parametrize("date", ["ea07 02 1e 07 1e 00", "0000 01 02 07 1e 00", "ea07 00 02 07 1e 00"])
@pytest.mark.parametrize("name", STORED)
def test_a_date_that_cannot_be_is_no_time_and_the_reading_stays(name: str, date: str) -> None:
    """The 30th of February; a year and a month that the device does not know."""
    uuid, head = STORED[name]
    (block,) = told(uuid, f"{head} {date}")[name]
    assert (block.device_ticks, block.device_s, len(block.values)) == (None, None, 1)


def test_a_reading_without_a_time_has_none() -> None:
    (block,) = told(PRESSURE, "00 7800 5000 5d00")["blood_pressure"]
    assert block.device_ticks is None


def test_an_oximeter_whose_clock_was_never_set_has_no_time() -> None:
    (block,) = told(SPOT, f"11 6100 3c00 {NEW_YEAR}")["spot_spo2"]
    assert (block.device_ticks, block.values.tolist()) == (None, [[97.0]])


def test_a_time_before_1970_is_a_time() -> None:
    (block,) = told(WEIGHT, "02 b036 b107 0c 1f 17 3b 3a")["weight"]
    assert block.device_ticks == -2


def test_each_glucose_record_has_its_own_minutes_since_the_session_began() -> None:
    blocks = told(GLUCOSE, "06 00 0c10 0600  06 00 0d10 0b00")["glucose"]
    assert [block.values.tolist() for block in blocks] == [[[120.0]], [[130.0]]]
    assert [(block.first, block.device_ticks, block.device_s) for block in blocks] == [(0, 360, 360.0), (1, 660, 660.0)]


def test_a_readings_own_time_is_recorded(tmp_path: Path) -> None:
    source = standard(PRESSURE, "blood_pressure")
    with Recording.create(tmp_path / "a.pulse") as recording:
        recording.begin("Cuff", list(source.signals.values()))
        recording.add(source.feed(PRESSURE, bytes.fromhex(f"02 7800 5000 5d00 {NEW_YEAR}"), ARRIVAL_NS))
        (stamp,) = recording.stamps("blood_pressure")
        assert (stamp.device_ticks, stamp.arrival_ns) == (NEW_YEAR_S, ARRIVAL_NS)


@pytest.mark.parametrize(
    ("data", "contact"), [("06 3c", 1.0), ("04 3c", 0.0), ("00 3c", math.nan), ("02 3c", math.nan)]
)
def test_skin_contact_is_told_where_the_strap_can_tell(data: str, contact: float) -> None:
    """Heart Rate Service 1.0, 3.1.1.1.2: bit 2 says whether bit 1 means anything."""
    assert values(HEART_RATE, data, "heart_rate") == [[60.0]]
    assert values(HEART_RATE, data, "heart_rate_contact") == [[pytest.approx(contact, nan_ok=True)]]


def test_an_oximeters_status_comes_as_the_standards_numbers() -> None:
    validated, not_on_user = 1 << 7, 1 << 11
    assert values(OXIMETRY, "0c 6100 3c00 8000 000800", "spo2_status") == [[validated, not_on_user]]
    assert values(OXIMETRY, "0c 6100 3c00 ffff ffffff", "spo2_status") == [[2**16 - 1, 2**24 - 1]]
    assert values(SPOT, "06 6100 3c00 8000 000800", "spot_spo2_status") == [[validated, not_on_user]]
    assert np.isnan(values(OXIMETRY, "00 6100 3c00", "spo2_status")).all()
    ((measured, sensor),) = values(OXIMETRY, "04 6100 3c00 8000", "spo2_status")
    assert (measured, math.isnan(sensor)) == (validated, True)


def test_a_cuffs_pulse_and_status_come_beside_the_pressures() -> None:
    irregular_pulse = 1 << 2
    data = "14 7800 5000 5d00 4800 0400"
    assert values(PRESSURE, data, "blood_pressure") == [[120.0, 80.0, 93.0]]
    assert values(PRESSURE, data, "blood_pressure_pulse_rate") == [[72.0]]
    assert values(PRESSURE, data, "blood_pressure_status") == [[irregular_pulse]]
    for name in ("blood_pressure_pulse_rate", "blood_pressure_status"):
        assert np.isnan(values(PRESSURE, "00 7800 5000 5d00", name)).all()


def test_a_thermometer_says_where_it_was() -> None:
    ear = 3  # Health Thermometer Service 1.0, Temperature Type
    assert values(TEMPERATURE, "04 6c0100ff 03", "temperature_place") == [[ear]]
    assert np.isnan(values(TEMPERATURE, "00 6c0100ff", "temperature_place")).all()


def test_what_a_signal_was_called_it_is_still_called() -> None:
    every = [HEART_RATE, OXIMETRY, TEMPERATURE, PRESSURE]
    channels = {name: one.channels for uuid in every for name, one in standard(uuid).signals.items()}
    assert channels["blood_pressure"] == ("systolic", "diastolic", "mean")
    for name in ("heart_rate", "rr", "spo2", "pulse_rate", "temperature"):
        assert channels[name] == (name,)


def test_what_is_not_wanted_is_not_given() -> None:
    source = standard(PRESSURE, "blood_pressure_pulse_rate")
    (item,) = source.feed(PRESSURE, bytes.fromhex("14 7800 5000 5d00 4800 0400"), ARRIVAL_NS)
    assert item.signal.name == "blood_pressure_pulse_rate"


def test_a_gap_comes_before_the_reading_with_its_time() -> None:
    readings = ReadingAssembler(Signal("weight", "kg", None, ("weight",), 1.0, loss_detectable=False))
    readings.resume()
    gap, block = readings.feed(np.ones((1, 1), np.float32), ARRIVAL_NS, NEW_YEAR_S)
    assert isinstance(gap, Gap)
    assert isinstance(block, Block)
    assert block.device_ticks == NEW_YEAR_S


def sensor(paths: dict[str, str], *names: str) -> tuple[MovesenseSource, OnPaper]:
    async def started() -> tuple[MovesenseSource, OnPaper]:
        source, link = MovesenseSource(paths), OnPaper()
        await source.start(link, names or source.default)
        return source, link

    return asyncio.run(started())


def heard(source: MovesenseSource, payload: bytes) -> dict[str, list[list[float]]]:
    reply = bytes([movesense.DATA, 10]) + payload  # 10 is the reference of the first subscription
    items = source.feed(movesense.NOTIFY, reply, ARRIVAL_NS)
    return {item.signal.name: item.values.tolist() for item in items if isinstance(item, Block)}


BEATS = bytes.fromhex("00007442 d403 de03")  # 61.0 as a float, then 980 and 990 ms


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ((), {"hr": [[61.0]], "hr_rr": [[0.98], [0.99]]}),
        (("hr",), {"hr": [[61.0]]}),
        (("hr_rr",), {"hr_rr": [[0.98], [0.99]]}),
    ],
)
def test_a_movesense_gives_rr_intervals_for_one_subscription(
    names: tuple[str, ...], wanted: dict[str, list[list[float]]]
) -> None:
    source, link = sensor({"hr": "/Meas/HR"}, *names)
    assert link.asked == [b"\x01\x0a/Meas/HR"]
    found = heard(source, BEATS)
    assert found.keys() == wanted.keys()
    assert all(found[name] == pytest.approx(np.array(wanted[name]), rel=1e-7) for name in wanted)
    assert [source.signals[name].unit for name in ("hr", "hr_rr")] == ["bpm", "s"]
    assert {name: source.counts[name].received for name in wanted} == {name: len(wanted[name]) for name in wanted}


def test_a_movesense_without_a_beat_gives_no_interval() -> None:
    source, _ = sensor({"hr": "/Meas/HR"})
    assert heard(source, BEATS[:4]) == {"hr": [[61.0]]}


def test_a_movesense_whose_heart_is_not_wanted_is_not_asked_for_it() -> None:
    _, link = sensor({"ecg": "/Meas/ECG/125/mV", "hr": "/Meas/HR"}, "ecg")
    assert link.asked == [b"\x01\x0a/Meas/ECG/125/mV"]


def test_a_name_that_the_intervals_have_is_refused() -> None:
    with pytest.raises(DeviceError, match="'hr_rr' is the name of the RR intervals") as caught:
        MovesenseSource({"hr": "/Meas/HR", "hr_rr": "/Meas/Temp"})
    assert caught.value.reason == "bad-setting"


def test_a_movesense_temperature_has_the_sensors_time_over_the_wrap_of_its_clock() -> None:
    source, _ = sensor({"temperature": "/Meas/Temp"})
    ticks = []
    for time_ms in (2**31 - 1, 2**32 - 500, 500):  # in ms, of 32 bits
        reply = bytes([movesense.DATA, 10]) + struct.pack("<If", time_ms, 310.15)
        (block,) = source.feed(movesense.NOTIFY, reply, ARRIVAL_NS)
        assert isinstance(block, Block)
        ticks.append(block.device_s)
    assert ticks == [(2**31 - 1) / 1000, (2**32 - 500) / 1000, (2**32 + 500) / 1000]


def test_a_movesenses_paths_are_known_before_it_streams() -> None:
    assert MovesenseSource({"hr": "/Meas/HR"}).facts == {"hr path": "/Meas/HR"}
