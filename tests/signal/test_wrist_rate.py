"""Pulse rate at the wrist: simulated truth, and, if there are any, recordings with a reference from the chest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.filters import BandPass
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.resampling import Resample
from pulselet.signal.stage import Format
from pulselet.signal.window import Window
from pulselet.signal.wrist_rate import CROSSINGS, PulseRate, pulse_rate
from pulselet.simulate import acceleration, ppg, white_noise
from pulselet_firmware.kernels import CoreKernels, footprint

Array = NDArray[np.float64]
HZ, MINUTES = 50.0, 3.0
SECONDS = 60 * MINUTES
WRIST = Format(0.5, 5, length=200)  # 8 s at 25 Hz every 2 s: light twice, acceleration


def pulse(rr_s: Array, seconds: float = SECONDS, rate_hz: float = HZ) -> tuple[Array, Array]:
    """Return light with pulses at these intervals, and the times of the pulses."""
    found = ppg(seconds, rate_hz=rate_hz, seed=1, rr_s=rr_s)
    return found.values, found.onset_times_s


def intervals(bpm_from: float, bpm_to: float, seconds: float = SECONDS) -> Array:
    """Return intervals whose rate goes evenly from one to the other, and then stays for a while."""
    now_s, found = 0.0, []
    while now_s < seconds + 20:
        found.append(60 / (bpm_from + (bpm_to - bpm_from) * min(1.0, now_s / seconds)))
        now_s += found[-1]
    return np.array(found)


def truth(beats_s: Array, ends_s: Array, length_s: float = 8.0) -> Array:
    """Return 60 over the mean interval of the beats in each window."""
    inside = [beats_s[(beats_s > end - length_s) & (beats_s <= end)] for end in ends_s]
    return np.array([60 * (len(one) - 1) / (one[-1] - one[0]) for one in inside])


def walking(rate_hz: float = HZ, step_hz: float = 1.8) -> Array:
    return acceleration(SECONDS, rate_hz=rate_hz, seed=3, activity="walking", step_hz=step_hz).values_g


@pytest.mark.parametrize("bpm", [45, 72, 110, 180, 205])
def test_a_steady_pulse_is_found_from_the_second_window_on(bpm: float) -> None:
    light, beats_s = pulse(intervals(bpm, bpm))
    times_s, found, confidence = pulse_rate(light, rate_hz=HZ)
    assert np.array_equal(times_s, 8 + 2 * np.arange(len(found)))
    assert np.abs(found - truth(beats_s, times_s))[1:].max() < 1.0
    assert confidence[5:].min() > 0.95


def test_steps_three_times_as_strong_as_the_pulse_are_told_from_it_by_the_acceleration() -> None:
    """108 steps a minute, a pulse of 84; without acceleration the steps win."""
    light, beats_s = pulse(intervals(84, 84))
    moved = walking()
    mixed = light + 3 * (moved[:, 2] - 1)
    times_s, found, _ = pulse_rate(mixed, rate_hz=HZ, acceleration=moved)
    _, alone, _ = pulse_rate(mixed, rate_hz=HZ)
    assert np.abs(found - truth(beats_s, times_s))[2:].max() < 3.0
    assert np.median(np.abs(alone - 108)) < 3.0


def test_a_rate_that_rises_through_that_of_the_steps_is_followed() -> None:
    light, beats_s = pulse(intervals(70, 150))
    moved = walking()
    times_s, found, _ = pulse_rate(light + (moved[:, 2] - 1), rate_hz=HZ, acceleration=moved)
    error = np.abs(found - truth(beats_s, times_s))
    assert error.mean() < 2.5
    assert error[times_s > 110].max() < 4.0  # the two cross after 86 s


def test_a_rate_is_that_of_its_own_window() -> None:
    """Half a beat per minute each second: were it late by one window of 2 s, the error would be 1 in the mean."""
    light, beats_s = pulse(intervals(60, 150))
    times_s, found, _ = pulse_rate(light, rate_hz=HZ)
    late = (truth(beats_s, times_s) - found)[3:]
    assert abs(late.mean()) < 0.5


def test_windows_that_touch_a_gap_are_left_out_and_the_rate_is_held_across_it() -> None:
    light, beats_s = pulse(intervals(80, 80))
    light[3000:3100] = np.nan  # 60 to 62 s
    times_s, found, _ = pulse_rate(light, rate_hz=HZ)
    assert np.all(times_s % 2 == 0)
    lost = sorted(set(range(8, 180, 2)) - set(times_s.astype(int).tolist()))
    assert lost == list(range(lost[0], lost[-1] + 2, 2))
    assert 60 < lost[0] <= 62
    assert lost[-1] in (68, 70)  # the resampling filter needs a little more
    after = times_s > 62
    assert np.abs(found - truth(beats_s, times_s))[after].max() < 1.0


def test_light_and_acceleration_may_have_rates_of_their_own_and_light_two_channels() -> None:
    light, beats_s = pulse(intervals(84, 84), rate_hz=64.0)
    moved = walking(rate_hz=32.0)
    fine = np.interp(np.arange(len(light)) / 64, np.arange(len(moved)) / 32, moved[:, 2] - 1)
    both = np.stack([light + fine, 5 - 2 * light + fine], axis=1)  # one the other way up
    times_s, found, _ = pulse_rate(both, rate_hz=64.0, acceleration=moved, acceleration_rate_hz=32.0)
    assert len(found) == 87
    assert np.abs(found - truth(beats_s, times_s))[2:].max() < 3.0


def test_the_unit_of_light_does_not_matter() -> None:
    light, _ = pulse(intervals(80, 95))
    _, found, confidence = pulse_rate(light, rate_hz=HZ)
    _, scaled, sure = pulse_rate(light * 4096, rate_hz=HZ)
    assert np.array_equal(found, scaled)
    assert np.array_equal(confidence, sure)


def test_noise_is_not_trusted() -> None:
    noise = white_noise(SECONDS, rate_hz=HZ, seed=0)
    light, _ = pulse(intervals(80, 80))
    unsure = pulse_rate(noise, rate_hz=HZ)[2]
    assert np.mean(unsure > 0.9) < 0.2
    assert np.mean(pulse_rate(light + 0.3 * noise, rate_hz=HZ)[2] > 0.9) > 0.9


def test_a_long_gap_forgets_and_a_short_one_widens_what_is_believed() -> None:
    kernel = PulseRate(25.0).design(Format(0.5, 1, length=200))
    light, _ = pulse(intervals(80, 80), rate_hz=25.0)
    rows = np.stack([light[50 * i : 50 * i + 200] for i in range(40)]).astype(np.float32)
    _, state = kernel.step(kernel.start(), rows)
    assert state is not None
    lost, wider = kernel.gap(state, 3)
    assert lost == 3
    assert wider is not None
    assert wider.belief.sum() == pytest.approx(1, abs=1e-5)
    assert wider.belief.max() < state.belief.max()
    assert kernel.gap(state, 33) == (33, None)


OFFSETS = pytest.mark.parametrize("offset", [0.0, 3.3, 1000.0, 250_000.0])


@OFFSETS
@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 64.0, 100.0, 125.0])
def test_light_that_stands_still_is_not_a_pulse(rate_hz: float, offset: float) -> None:
    """Held from 40 to 80 s; only rounding is left of it, after resampling too."""
    light = ppg(120, rate_hz=rate_hz, seed=2).values * max(1.0, offset / 300) + offset
    light[int(40 * rate_hz) : int(80 * rate_hz)] = light[int(40 * rate_hz)]
    times_s, _, confidence = pulse_rate(light, rate_hz=rate_hz)
    inside = (times_s >= 50) & (times_s <= 80)
    assert confidence[(times_s > 12) & (times_s <= 40)].min() > 0.9
    assert np.all(np.diff(confidence[inside]) < 0.01)
    assert confidence[times_s == 80] < 0.6  # as after a gap of so many windows
    assert confidence[times_s > 100].min() > 0.9


@OFFSETS
def test_what_a_band_pass_leaves_of_light_that_stands_still_is_not_a_pulse(offset: float) -> None:
    light = ppg(240, rate_hz=50.0, seed=2).values * max(1.0, offset / 100) + offset
    light[2000:10000] = light[2000]
    pipeline = Pipeline((Branch("light", "", 50.0, 1),), (BandPass(0.5, 4.0), Window(8.0, 2.0), PulseRate()))
    confidence = pipeline.batch({"light": light.astype(np.float32)[:, None]})[0][:, 1]
    assert confidence[5:16].min() > 0.9
    assert confidence[60:96].max() < 0.4  # 128 s and later
    assert confidence[-8:].min() > 0.9


def test_a_flat_window_widens_what_is_believed_as_a_lost_one_does() -> None:
    kernel = PulseRate(25.0).design(Format(0.5, 1, length=200))
    light, _ = pulse(intervals(80, 80), rate_hz=25.0)
    rows = np.stack([light[50 * i : 50 * i + 200] for i in range(40)]).astype(np.float32)
    _, state = kernel.step(kernel.start(), rows)
    assert state is not None
    _, lost = kernel.gap(state, 5)
    _, flat = kernel.step(state, np.full((5, 200), np.float32(0.7)))
    assert lost is not None
    assert flat is not None
    assert np.array_equal(flat.belief, lost.belief)


def test_silence_in_parts_is_one_silence() -> None:
    """Lost windows and flat ones in a row count together."""
    kernel = PulseRate(25.0).design(Format(0.5, 1, length=200))
    light, _ = pulse(intervals(80, 80), rate_hz=25.0)
    rows = np.stack([light[50 * i : 50 * i + 200] for i in range(40)]).astype(np.float32)
    _, state = kernel.step(kernel.start(), rows)
    assert kernel.gap(kernel.gap(state, 20)[1], 13)[1] is None
    flat = np.full((33, 200), np.float32(0.7))
    y, after = kernel.step(state, flat)
    assert np.array_equal(y[-1:], kernel.step(kernel.start(), flat[:1])[0])  # nothing is known any more
    assert kernel.gap(kernel.step(state, flat[:20])[1], 13) == (13, None)
    _, lost = kernel.gap(state, 13)
    parts, again = kernel.step(lost, flat[:20])
    assert np.array_equal(parts[-1], y[-1])
    assert after is not None
    assert again is not None
    assert np.array_equal(again.belief, after.belief)


def test_one_flat_channel_of_two_does_not_hide_the_pulse_in_the_other() -> None:
    light, beats_s = pulse(intervals(84, 84))
    both = np.stack([light, np.full(len(light), 5.3)], axis=1)
    times_s, found, confidence = pulse_rate(both, rate_hz=HZ)
    assert np.abs(found - truth(beats_s, times_s))[3:].max() < 1.0
    assert confidence[8:].min() > 0.9


def test_a_knock_a_hundred_times_the_pulse_does_not_make_the_pulse_flat() -> None:
    light, beats_s = pulse(intervals(84, 84))
    light[4000:4010] += 100 * np.ptp(light)
    times_s, found, confidence = pulse_rate(light, rate_hz=HZ)
    assert np.abs(found - truth(beats_s, times_s))[times_s > 100].max() < 1.0
    assert confidence[times_s > 100].min() > 0.9


def test_the_function_gives_what_a_stream_gives() -> None:
    light, _ = pulse(intervals(84, 100))
    moved = walking()
    mixed = light + moved[:, 2]
    _, found, confidence = pulse_rate(mixed, rate_hz=HZ, acceleration=moved)
    small = (Resample(25.0, CROSSINGS),)
    branches = Branch("light", "", HZ, 1, small), Branch("wrist", "g", HZ, 3, small)
    stream = Pipeline(branches, (Window(8.0, 2.0), PulseRate(25.0))).start()
    got = []
    for at in range(0, len(mixed), 17):
        got += stream.push("wrist", moved[at : at + 17].astype(np.float32))
        got += stream.push("light", mixed[at : at + 17, None].astype(np.float32))
    rows = np.concatenate([row for _, row in got]).reshape(-1, 2)
    assert np.array_equal(rows, np.stack([found, confidence], axis=1))


def test_it_fits_a_small_microcontroller() -> None:
    """Under a hundredth of a 64 MHz Cortex-M4F for this stage; flash and state in bytes."""
    kernel = PulseRate(25.0, 2).design(WRIST)
    flash, state = footprint(kernel)
    assert flash < 4096
    assert state < 6400
    machine = CoreKernels({"rate": kernel})
    machine.count(True)
    machine.step("rate", np.random.default_rng(0).standard_normal((2, WRIST.width)).astype(np.float32))
    assert machine.instructions / 4 < 640_000
    assert machine.stack_bytes < 1024


@pytest.mark.parametrize(
    ("stage", "source", "wanted"),
    [
        (PulseRate(25.0), Format(25.0, 1), "windows"),
        (PulseRate(25.0), Format(0.5, 3, length=200), "1 channels of light"),
        (PulseRate(25.0, 0), Format(0.5, 3, length=200), "0 channels of light"),
        (PulseRate(25.0, low_bpm=150.0, high_bpm=160.0), Format(0.5, 1, length=200), "20 apart"),
        (PulseRate(6.0), Format(0.5, 1, length=48), "below 180 bpm, half the rate"),
        (PulseRate(25.0, resolution_bpm=0.1), Format(0.5, 1, length=200), "4096 points"),
        (PulseRate(25.0, resolution_bpm=20.0), Format(0.5, 1, length=200), "up to 10 bpm"),
        (PulseRate(25.0, evidence=2.0), Format(0.5, 1, length=200), "evidence"),
        (PulseRate(25.0, suppression=-1.0), Format(0.5, 1, length=200), "suppression from 0"),
        (PulseRate(25.0), Format(0.5, 1, length=200, clock_hz=50.0), "rate of the samples"),
        (PulseRate(), Format(0.5, 1, length=200), "rate of the samples"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: PulseRate, source: Format, wanted: str) -> None:
    with pytest.raises(PipelineError, match=wanted):
        stage.design(source)


def test_arrays_of_the_wrong_shape_are_refused_in_words() -> None:
    with pytest.raises(PipelineError, match=r"acceleration \(m, 3\)"):
        pulse_rate(np.zeros(1000), rate_hz=HZ, acceleration=np.zeros((1000, 2)))
    with pytest.raises(PipelineError, match=r"ppg as numbers \(n,\) or \(n, channels\)"):
        pulse_rate(np.zeros((2, 3, 4)), rate_hz=HZ)


def test_a_signal_shorter_than_a_window_has_no_rate() -> None:
    assert [len(one) for one in pulse_rate(np.zeros(100), rate_hz=HZ)] == [0, 0, 0]


def test_on_the_treadmill_it_stays_within_two_beats_of_the_chest() -> None:
    """TROIKA, one recording, every 8 s window; measured 0.9."""
    from scipy.io import loadmat

    folder = Path(os.environ.get("PULSELET_DATA", "")) / "troika"
    if not (folder / "DATA_05_TYPE02.mat").is_file():
        pytest.skip("PULSELET_DATA names no folder with troika/DATA_05_TYPE02.mat")
    signals = loadmat(folder / "DATA_05_TYPE02.mat")["sig"]
    reference = loadmat(folder / "REF_05_TYPE02.mat")["BPM0"].ravel()
    times_s, found, _ = pulse_rate(signals[1:3].T, rate_hz=125.0, acceleration=signals[3:6].T)
    assert np.array_equal(times_s[: len(reference)], 8 + 2 * np.arange(len(reference)))
    assert np.abs(found[: len(reference)] - reference).mean() < 2.0
