"""Quality of ECG: on simulated hearts with known faults, and on recordings that people called noisy."""

from __future__ import annotations

import csv
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.ecg_quality import EcgQuality, quality
from pulselet.signal.stage import Format, Samples
from pulselet.simulate import ecg, noisy, ppg, white_noise

RATE_HZ = 250.0
ECG = Format(RATE_HZ, 1, "mV")
QUALITY, SIMILARITY, RHYTHM, CONTACT = range(4)


def heart(seconds: float, seed: int = 1, **options: float) -> NDArray[np.float64]:
    x = ecg(seconds, rate_hz=RATE_HZ, seed=seed, **options).values_mv  # type: ignore[arg-type]
    return x + white_noise(seconds, rate_hz=RATE_HZ, seed=seed, rms=0.01)


def rows(x: NDArray[np.float64], stage: EcgQuality | None = None) -> Samples:
    kernel = (stage or EcgQuality()).design(ECG)
    y, _ = kernel.step(kernel.start(), x.astype(np.float32)[:, None])
    return y


def test_a_clean_heart_is_near_1_once_the_window_is_full() -> None:
    y = rows(heart(60))
    assert len(y) == 60
    assert (y[15:, QUALITY] > 0.9).all()
    assert (y[15:, CONTACT] == 1).all()


@pytest.mark.parametrize("bpm", [45.0, 150.0])
def test_a_slow_or_a_fast_heart_is_no_fault(bpm: float) -> None:
    assert (rows(heart(60, heart_rate_bpm=bpm, lf_s=0.01, hf_s=0.01))[20:, QUALITY] > 0.8).all()


def test_an_irregular_heart_costs_little() -> None:
    """Intervals as in atrial fibrillation: independent, from 0.45 to 1.1 s."""
    rr = np.random.default_rng(3).uniform(0.45, 1.1, 120)
    x = ecg(60, rate_hz=RATE_HZ, seed=1, rr_s=rr).values_mv
    assert (rows(x)[15:, QUALITY] > 0.7).all()


def test_noise_without_a_heart_is_low() -> None:
    assert np.mean(rows(white_noise(60, rate_hz=RATE_HZ, seed=1))[15:, QUALITY]) < 0.3


def test_quality_falls_as_noise_rises() -> None:
    x = heart(120)
    means = [
        np.mean(rows(noisy(x, white_noise(120, rate_hz=RATE_HZ, seed=5), snr_db=snr_db))[15:, QUALITY])
        for snr_db in (24, 6, 0, -6, -12)
    ]
    assert all(a >= b - 0.02 for a, b in pairwise(means))
    assert means[0] > 0.9
    assert means[-1] < 0.4


def test_a_flat_line_has_no_contact_and_no_quality() -> None:
    y = rows(np.concatenate([heart(30), np.full(round(20 * RATE_HZ), 1.7)]))
    assert y[-1].tolist() == pytest.approx([0, 0, 0, 0], abs=0.05)


def test_contact_is_the_part_of_good_samples() -> None:
    """Five of the last ten seconds at the rail; at full scale every such sample counts, without it all but 0.2 s."""
    x = heart(40)
    x[round(35 * RATE_HZ) :] = 5.0
    assert rows(x, EcgQuality(full_scale=5.0))[-1, CONTACT] == pytest.approx(0.5)
    assert rows(x)[-1, CONTACT] == pytest.approx(0.5 + (0.2 * RATE_HZ - 1) / (10 * RATE_HZ))


def test_lost_samples_count_as_no_contact_and_the_seconds_go_on() -> None:
    x = heart(60)
    times, values = quality(x, rate_hz=RATE_HZ, kind="ecg")
    assert times.tolist() == list(range(1, 61))
    x[round(30.5 * RATE_HZ) : round(34.5 * RATE_HZ)] = np.nan
    times, broken = quality(x, rate_hz=RATE_HZ, kind="ecg")
    assert times.tolist() == [*range(1, 31), *range(35, 61)]
    assert np.array_equal(broken[:30], values[:30])
    assert (broken[30:36] < 0.7).all()
    assert (broken[50:] > 0.9).all()


def test_a_beat_is_as_good_as_the_second_best_likeness_by_hand() -> None:
    """Two shapes in turn are alike to their own kind: each needs two of it before."""
    kernel = EcgQuality().design(ECG)
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 32))
    one[12] = two[14] = 5  # the R peak, 0.2 s from the start at 62.5 Hz
    waves = np.array([one, two] * 12).astype(np.float32)
    found, known, shapes, heights = kernel._similar(kernel.start(), waves)
    assert known.tolist() == [False] * 3 + [True] * 21
    assert found[3] < 1000
    assert (found[4:] >= 1000).all()  # of 1024; -127..127 is not quite exact
    assert shapes.shape == (8, 32)
    late, *_ = kernel._similar(kernel.start(), np.roll(waves, 3, axis=1))
    assert np.all(late[4::2] >= 1000)
    assert np.all(np.abs(late[5::2] - found[5::2] / 2) <= 1)  # 5 points are more than 64 ms
    half, *_ = kernel._similar(kernel.start()._replace(shapes=shapes, heights=heights), waves[:1] / 2)
    assert half[0] == pytest.approx(512, abs=12)  # the height is half: the same shape is worth half


def test_a_row_is_its_bins_by_hand() -> None:
    """Mean 3/4, spread 1/4; 6 of 8 s covered, longest twice the shortest; all samples good."""
    kernel = EcgQuality().design(ECG)
    bins = np.zeros((1, 7, 10), np.int64)
    bins[0, :, 3] = [4, 4 * 768, 2 * 512**2 + 2 * 1024**2, 1500, 2500, 300, 2**30 - 150]
    rhythm = 6 / 8 * (1 - 0.5 * (2 - 1.5) / 1.5)
    assert kernel._quality(bins)[0] == pytest.approx([1 - (1 - 0.5 * rhythm) ** 3, 0.5, rhythm, 1])


def test_a_ppg_goes_to_its_own_stage() -> None:
    x = ppg(60, rate_hz=64.0, seed=1).values
    times, values = quality(x, rate_hz=64.0, kind="ppg")
    assert len(times) == len(values) > 20
    assert np.median(values) > 0.6


@pytest.mark.filterwarnings("error")
def test_recordings_that_people_called_noisy_are_below_others() -> None:
    """CinC 2017: 25 noisy and 75 other records of the half that chose nothing; benchmarks/ecg_quality.py has all."""
    if "PULSELET_DATA" not in os.environ:
        pytest.skip("PULSELET_DATA does not say where cinc2017 is")
    from scipy.io import loadmat

    folder = Path(os.environ["PULSELET_DATA"]) / "cinc2017"
    with (folder / "REFERENCE.csv").open() as file:
        records = [(name, label) for name, label in csv.reader(file) if (folder / f"{name}.mat").exists()][1::2]
    noise = [name for name, label in records if label == "~"][:25]
    other = [name for name, label in records if label != "~"][:75]
    scores = {}
    for name in noise + other:
        _, values = quality(loadmat(folder / f"{name}.mat")["val"][0] / 1000.0, rate_hz=300.0, kind="ecg")
        scores[name] = np.mean(values[min(9, len(values) - 1) :])
    wins = [scores[a] > scores[b] for a in other for b in noise]
    assert np.mean(wins) > 0.93


@pytest.mark.parametrize(
    ("signal", "kind"),
    [(np.zeros(500), "emg"), (np.zeros((500, 2)), "ecg"), (np.array(["a"]), "ecg")],
)
def test_what_is_no_signal_is_refused_in_words(signal: NDArray[np.float64], kind: str) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        quality(signal, rate_hz=RATE_HZ, kind=kind)


@pytest.mark.parametrize("stage", [EcgQuality(10, 3), EcgQuality(3, 1), EcgQuality(40, 1), EcgQuality(full_scale=-1)])
def test_parameters_that_make_no_sense_are_refused_in_words(stage: EcgQuality) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(ECG)
