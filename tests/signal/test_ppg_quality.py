from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.ppg_quality import PpgQuality, ppg_quality
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import motion_bursts, ppg, white_noise

RATE_HZ = 64.0
CLEAN = ppg(60.0, rate_hz=RATE_HZ, seed=0, heart_rate_bpm=70.0).values


def rows_of(x: np.ndarray, stage: PpgQuality | None = None) -> Samples:
    kernel = (stage or PpgQuality()).design(Format(RATE_HZ, 1))
    return kernel.step(kernel.start(), x.astype(np.float32)[:, None])[0]


def test_clean_pulses_are_good_once_the_window_is_full() -> None:
    times_s, quality = ppg_quality(CLEAN, RATE_HZ)
    assert times_s.tolist() == [2.0 * (i + 1) for i in range(30)]
    assert (quality[times_s >= 12] > 0.9).all()
    assert quality[0] == 0  # there is no evidence yet


def test_the_number_is_made_of_the_parts_as_it_is_written() -> None:
    quality, similarity, rhythm, contact = rows_of(CLEAN + 0.3 * white_noise(60.0, rate_hz=RATE_HZ, seed=1)).T
    assert quality == pytest.approx(np.maximum(2 * similarity - 1, 0) * rhythm * contact, abs=1e-6)


def test_noise_without_a_pulse_is_bad() -> None:
    _, quality = ppg_quality(white_noise(60.0, rate_hz=RATE_HZ, seed=2), RATE_HZ)
    assert quality.max() < 0.3


def test_a_burst_of_movement_lowers_quality_where_it_is_and_not_for_long_after() -> None:
    x = CLEAN.copy()
    burst = motion_bursts(60.0, rate_hz=RATE_HZ, seed=3, bursts_per_min=29.0, burst_s=2.0)
    x[round(24 * RATE_HZ) : round(32 * RATE_HZ)] += 3 * burst[round(24 * RATE_HZ) : round(32 * RATE_HZ)]
    times_s, quality = ppg_quality(x, RATE_HZ)
    assert (quality[(times_s >= 12) & (times_s <= 24)] > 0.9).all()
    assert quality[times_s == 32.0][0] < 0.5
    assert (quality[times_s >= 48] > 0.9).all()


def test_a_flat_line_and_a_signal_at_its_rails_have_no_contact() -> None:
    off = CLEAN.copy()
    off[round(30 * RATE_HZ) :] = 0.0
    assert rows_of(off)[-1].tolist() == pytest.approx([0, 0, 0, 0], abs=0.01)
    clipped = rows_of(np.clip(CLEAN, 0.2, 0.8), PpgQuality(rails=(0.2, 0.8)))[-1, 3]
    inside = np.mean((CLEAN[-512:] > 0.2) & (CLEAN[-512:] < 0.8))
    assert clipped == pytest.approx(inside, abs=1e-6)


def test_an_irregular_heart_lowers_the_rhythm_and_not_the_likeness() -> None:
    rng = np.random.default_rng(5)
    rr_s = 0.9 * np.clip(rng.normal(1, 0.25, 90), 0.6, 1.6)
    rows = rows_of(ppg(60.0, rate_hz=RATE_HZ, seed=0, rr_s=rr_s).values)[6:]
    assert rows[:, 1].mean() > 0.8
    assert rows[:, 2].mean() < 0.9
    assert rows_of(CLEAN)[6:, 2].min() == 1.0


def test_lost_samples_are_bad_ones_and_rows_keep_their_places() -> None:
    x = CLEAN.copy()
    x[round(30 * RATE_HZ) : round(35 * RATE_HZ)] = np.nan
    times_s, quality = ppg_quality(x, RATE_HZ)
    whole_s, whole = ppg_quality(CLEAN, RATE_HZ)
    assert set(whole_s) - set(times_s) == {32.0, 34.0}
    assert np.array_equal(quality[times_s <= 30], whole[whole_s <= 30])
    contact = rows_of(np.nan_to_num(x))[:, 3]
    assert contact[-1] == pytest.approx(1.0)
    assert quality[times_s == 36.0][0] < 0.5
    assert (quality[times_s >= 50] > 0.9).all()


@pytest.mark.parametrize(
    "stage",
    [
        PpgQuality(8.0, 3.0),
        PpgQuality(2.0, 1.0),
        PpgQuality(8.0, 0.3),
        PpgQuality(rails=(1.0,)),
        PpgQuality(rails=(1.0, 0.0)),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: PpgQuality) -> None:
    with pytest.raises(PipelineError, match="PpgQuality: wanted"):
        stage.design(Format(RATE_HZ, 1))
