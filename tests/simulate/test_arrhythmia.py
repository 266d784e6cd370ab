"""Ectopic beats and fibrillation: their timing by the textbooks, their waves where the truth says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks

from pulselet.errors import PulseletError
from pulselet.simulate import ecg, ppg
from pulselet.simulate.arrhythmia import arrhythmic_ecg, heartbeats

RATE_HZ = 500.0


def test_without_ectopy_the_beats_are_those_of_ecg_of_the_same_seed() -> None:
    wanted = ecg(60, rate_hz=RATE_HZ, seed=4, heart_rate_bpm=72)
    found = heartbeats(60, seed=4, heart_rate_bpm=72)
    np.testing.assert_allclose(found.r_times_s, wanted.r_times_s)
    assert set(found.kinds) == {"N"}


def test_intervals_put_ecg_and_ppg_on_the_same_beats() -> None:
    heart = heartbeats(60, seed=4, ventricular_part=0.1, atrial_part=0.1, episodes=((0, "N"), (30, "AFIB")))
    for made in (ecg(60, rate_hz=RATE_HZ, seed=4, rr_s=heart.rr_s), ppg(60, rate_hz=RATE_HZ, seed=4, rr_s=heart.rr_s)):
        np.testing.assert_allclose(made.r_times_s, heart.r_times_s)


def test_a_ventricular_beat_is_early_and_its_pause_is_fully_compensatory() -> None:
    heart = heartbeats(600, seed=2, ventricular_part=0.1)
    sinus_s = heartbeats(600, seed=2).rr_s
    at = [i for i, kind in enumerate(heart.kinds[1:-1], 1) if kind == "V"]
    assert len(at) == pytest.approx(0.1 * len(heart.kinds), rel=0.4)
    before_s, after_s = heart.rr_s[np.array(at) - 1], heart.rr_s[at]
    assert (before_s < 0.76 * sinus_s.max()).all()
    assert (after_s > before_s).all()
    np.testing.assert_allclose((before_s + after_s).mean(), 2 * sinus_s.mean(), rtol=0.02)


def test_an_atrial_beat_is_early_and_resets_the_sinus() -> None:
    heart = heartbeats(600, seed=2, atrial_part=0.1)
    at = np.array([i for i, kind in enumerate(heart.kinds[1:-1], 1) if kind == "S"])
    mean_s = heartbeats(600, seed=2).rr_s.mean()
    assert (heart.rr_s[at - 1] / mean_s).mean() == pytest.approx(0.7, abs=0.05)
    assert (heart.rr_s[at] / mean_s).mean() == pytest.approx(1.0, abs=0.05)


def test_intervals_in_fibrillation_vary_as_published_and_do_not_depend_on_each_other() -> None:
    rr_s = heartbeats(1800, seed=3, episodes=((0, "AFIB"),)).rr_s
    assert rr_s.std() / rr_s.mean() == pytest.approx(0.24, abs=0.02)  # Tateno and Glass, 2001
    assert abs(np.corrcoef(rr_s[:-1], rr_s[1:])[0, 1]) < 0.06
    assert rr_s.min() >= 0.3


def test_episodes_are_told_and_cover_the_duration() -> None:
    heart = heartbeats(60, seed=1, episodes=((0, "N"), (20, "AFIB"), (40, "N"), (80, "AFIB")))
    assert heart.episodes == ((0, 20, "N"), (20, 40, "AFIB"), (40, 60, "N"))


def test_r_peaks_are_where_the_truth_says() -> None:
    heart = heartbeats(60, seed=6, ventricular_part=0.1, atrial_part=0.05)
    values = arrhythmic_ecg(heart, 60, rate_hz=RATE_HZ, seed=6)
    found, _ = find_peaks(values, height=0.9)
    np.testing.assert_allclose(found / RATE_HZ, heart.r_times_s, atol=0.004)


def test_a_ventricular_beat_is_wide_has_no_p_wave_and_an_inverted_t_wave() -> None:
    heart = heartbeats(60, seed=6, ventricular_part=0.2)
    values = arrhythmic_ecg(heart, 60, rate_hz=RATE_HZ, seed=6)

    def width_s(at_s: float) -> float:
        part = values[int((at_s - 0.12) * RATE_HZ) : int((at_s + 0.12) * RATE_HZ)]
        return float((np.abs(part) > 0.1 * part.max()).sum() / RATE_HZ)

    by_kind = {kind: [t for t, k in zip(heart.r_times_s, heart.kinds, strict=True) if k == kind][1:-1] for kind in "NV"}
    assert np.median([width_s(t) for t in by_kind["V"]]) > 0.12 > np.median([width_s(t) for t in by_kind["N"]]) - 0.06
    late = {k: np.median([values[int((t + 0.3) * RATE_HZ)] for t in times]) for k, times in by_kind.items()}
    assert late["V"] < -0.3
    assert late["N"] > -0.05


def test_fibrillation_has_waves_of_its_own_in_place_of_p_waves() -> None:
    sinus = heartbeats(30, seed=5)
    flutter = heartbeats(30, seed=5, episodes=((0, "AFIB"),))
    p_waves = []
    for heart in (sinus, flutter):
        values = arrhythmic_ecg(heart, 30, rate_hz=RATE_HZ, seed=5)
        early = np.stack([values[int((t - 0.25) * RATE_HZ) : int((t - 0.08) * RATE_HZ)] for t in heart.r_times_s[2:-1]])
        p_waves.append(np.ptp(np.median(early, axis=0)))
    assert p_waves[0] > 0.2
    assert p_waves[1] < 0.1


def test_no_beats_fit_into_an_instant() -> None:
    heart = heartbeats(0.1, seed=1)
    assert (len(heart.r_times_s), heart.kinds) == (0, ())
    assert np.array_equal(arrhythmic_ecg(heart, 0.1, rate_hz=RATE_HZ, seed=1).shape, (50,))


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration_s": 0.0},
        {"heart_rate_bpm": 0.0},
        {"episodes": ()},
        {"episodes": ((1.0, "N"),)},
        {"episodes": ((0.0, "N"), (0.0, "AFIB"))},
        {"episodes": ((0.0, "VT"),)},
        {"ventricular_part": -0.1},
        {"ventricular_part": 0.6, "atrial_part": 0.6},
    ],
)
def test_parameters_without_sense_raise(wrong: dict[str, object]) -> None:
    with pytest.raises(PulseletError, match=r"wants|wanted"):
        heartbeats(**{"duration_s": 10.0, "seed": 1, **wrong})  # type: ignore[arg-type]
