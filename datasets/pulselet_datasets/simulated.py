"""Simulated recordings that look like those of a set: for tests and for teaching, never for a reported figure.

Each recording is one person with a heart rate of their own, who rests and walks in turn, and whose heart may have
ectopic beats or an episode of atrial fibrillation. ECG, PPG and acceleration are made by `pulselet.simulate`, with the
truth as labels and noise at a stated signal to noise ratio. The same arguments give the same values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import DatasetError
from pulselet.simulate import acceleration, baseline_wander, motion_bursts, noisy, ppg, white_noise
from pulselet.simulate.arrhythmia import BEATS, FIBRILLATION, SINUS, Heartbeats, Kind, arrhythmic_ecg, heartbeats
from pulselet.stream.block import Signal
from pulselet.stream.corpus import Labels, Recording, Run
from pulselet_datasets.card import Card

NAME = "simulated"
RECORDINGS, SEED, DURATION_S, SNR_DB = 12, 0, 120.0, 20.0
RHYTHMS = (SINUS, FIBRILLATION)
ACTIVITIES = ("rest", "walking")
LABEL_HZ = 1000.0
SIGNALS = {
    "ecg": Signal("ecg", "mV", 250.0, ("ecg",)),
    "ppg": Signal("ppg", "", 64.0, ("ppg",)),
    "acc": Signal("acc", "g", 32.0, ("x", "y", "z")),
}
MEAN_BPM, SPREAD_BPM = 70.0, 8.0
SLOWEST_BPM, FASTEST_BPM = 50.0, 95.0
ECTOPIC_PART = 0.15  # at most, each of ventricular and atrial beats
BURSTS_A_MINUTE, BURST_S = 12.0, 2.0


@dataclass(frozen=True)
class _Person:
    """What the values of a recording follow from."""

    seed: int
    duration_s: float
    snr_db: float
    heart_rate_bpm: float
    ventricular_part: float
    atrial_part: float
    fibrillation: tuple[float, float] | None  # begin and end in s
    walks_from_s: float  # to the end

    @classmethod
    def drawn(cls, seed: int, number: int, duration_s: float, snr_db: float) -> _Person:
        rng = np.random.default_rng([seed, number])
        fibrillates = number % 3 == 2  # every third
        begin_s, end_s = sorted(rng.uniform(0.1, 0.9, 2) * duration_s)
        return cls(
            seed=int(rng.integers(2**31)),
            duration_s=duration_s,
            snr_db=snr_db,
            heart_rate_bpm=float(np.clip(rng.normal(MEAN_BPM, SPREAD_BPM), SLOWEST_BPM, FASTEST_BPM)),
            ventricular_part=float(rng.uniform(0, ECTOPIC_PART)) if number % 3 else 0.0,
            atrial_part=float(rng.uniform(0, ECTOPIC_PART)) if number % 3 else 0.0,
            fibrillation=(float(begin_s), float(end_s)) if fibrillates else None,
            walks_from_s=float(rng.uniform(0.3, 0.7) * duration_s),
        )

    @property
    def heart(self) -> Heartbeats:
        episodes: list[tuple[float, Kind]] = [(0.0, "N")]
        if self.fibrillation is not None:
            episodes += [(self.fibrillation[0], "AFIB"), (self.fibrillation[1], "N")]
        return heartbeats(
            self.duration_s,
            seed=self.seed,
            heart_rate_bpm=self.heart_rate_bpm,
            episodes=episodes,
            ventricular_part=self.ventricular_part,
            atrial_part=self.atrial_part,
        )


def recordings(
    folder: Path | None = None,
    *,
    n: int = RECORDINGS,
    seed: int = SEED,
    duration_s: float = DURATION_S,
    snr_db: float = SNR_DB,
) -> Iterator[Recording]:
    """Return `n` simulated recordings, each of another person; samples are made when asked for.

    Parameters
    ----------
    folder
        Not used: there are no files. It is there because all loaders have it.
    n, seed, duration_s
        How many, what to draw from, and how long each is.
    snr_db
        Variance of the ECG and of the PPG against that of the noise in them: slow wander, white noise and bursts.

    Raises
    ------
    DatasetError
        If a number makes no sense.
    """
    if n < 1 or not duration_s >= 10 or not np.isfinite([duration_s, snr_db]).all():
        raise DatasetError(f"wanted a recording or more of 10 s or longer, got {n} of {duration_s} s at {snr_db} dB")
    return map(partial(_recording, seed=seed, duration_s=duration_s, snr_db=snr_db), range(n))


def _recording(number: int, seed: int, duration_s: float, snr_db: float) -> Recording:
    person = _Person.drawn(seed, number, duration_s, snr_db)
    name = f"{number + 1:04d}"
    return Recording(
        dataset=NAME,
        name=name,
        subject=name,
        signals=SIGNALS,
        read=partial(_read, person),
        labels=_labels(person),
        facts={"snr_db": f"{person.snr_db:g}", "heart_rate_bpm": f"{person.heart_rate_bpm:.1f}"},
        simulated=True,
    )


def _labels(person: _Person) -> dict[str, Labels]:
    heart = person.heart
    end, walks = round(person.duration_s * LABEL_HZ), round(person.walks_from_s * LABEL_HZ)
    rater = "the simulation"
    return {
        "beat": Labels.of(
            "beat", heart.kinds, np.rint(heart.r_times_s * LABEL_HZ), rate_hz=LABEL_HZ, vocabulary=BEATS, rater=rater
        ),
        "rhythm": Labels.of(
            "rhythm",
            [word for _, _, word in heart.episodes],
            [round(begin * LABEL_HZ) for begin, _, _ in heart.episodes],
            [round(until * LABEL_HZ) for _, until, _ in heart.episodes],
            rate_hz=LABEL_HZ,
            vocabulary=RHYTHMS,
            rater=rater,
        ),
        "activity": Labels.of(
            "activity", ACTIVITIES, [0, walks], [walks, end], rate_hz=LABEL_HZ, vocabulary=ACTIVITIES, rater=rater
        ),
    }


def _read(person: _Person, name: str) -> list[Run]:
    rate_hz = SIGNALS[name].rate_hz or 0.0
    values = {"ecg": _ecg, "ppg": _ppg, "acc": _acc}[name](person, rate_hz)
    return [Run(0, values.reshape(len(values), -1).astype(np.float32))]


def _ecg(person: _Person, rate_hz: float) -> NDArray[np.float64]:
    clean = arrhythmic_ecg(person.heart, person.duration_s, rate_hz=rate_hz, seed=person.seed)
    return noisy(clean, _noise(person, rate_hz, 1), snr_db=person.snr_db)


def _ppg(person: _Person, rate_hz: float) -> NDArray[np.float64]:
    clean = ppg(person.duration_s, rate_hz=rate_hz, seed=person.seed, rr_s=person.heart.rr_s).values
    return noisy(clean, _noise(person, rate_hz, 2), snr_db=person.snr_db)


def _noise(person: _Person, rate_hz: float, which: int) -> NDArray[np.float64]:
    """Return wander, white noise and bursts of equal power; the bursts come while the person walks."""
    seeds = np.random.default_rng([person.seed, which]).spawn(3)
    how_long = person.duration_s
    noise = baseline_wander(how_long, rate_hz=rate_hz, seed=seeds[0]) + white_noise(
        how_long, rate_hz=rate_hz, seed=seeds[1]
    )
    bursts = motion_bursts(how_long, rate_hz=rate_hz, seed=seeds[2], bursts_per_min=BURSTS_A_MINUTE, burst_s=BURST_S)
    bursts[: round(person.walks_from_s * rate_hz)] = 0
    return noise + bursts


def _acc(person: _Person, rate_hz: float) -> NDArray[np.float64]:
    rests = acceleration(person.duration_s, rate_hz=rate_hz, seed=person.seed, activity="rest").values_g
    walks = acceleration(person.duration_s, rate_hz=rate_hz, seed=person.seed, activity="walking").values_g
    from_ = round(person.walks_from_s * rate_hz)
    return np.concatenate([rests[:from_], walks[from_:]])


CARD = Card(
    name=NAME,
    folder="",
    title="Simulated people",
    what="ECG with ectopic beats and atrial fibrillation, PPG and acceleration, made by a model; 2 min each.",
    who="12 people that do not exist.",
    sensors=("1-lead ECG", "PPG", "3-axis acceleration"),
    rates={name: signal.rate_hz or 0.0 for name, signal in SIGNALS.items()},
    labels={
        "beat": "N, S and V, the truth",
        "rhythm": "N and AFIB, the truth",
        "activity": "rest and walking, the truth",
    },
    subjects=tuple(f"{number:04d}" for number in range(1, RECORDINGS + 1)),
    licence="MIT, as the program that makes it",
    citation="Pulselet, `pulselet.simulate`; the models' papers are named there.",
    notes=(
        "For tests and for teaching: a figure over simulated recordings says nothing of people.",
        f"Noise is {SNR_DB:g} dB below ECG and PPG unless asked otherwise; the acceleration has its sensor's "
        "noise alone.",
        "Early beats have pulses of full height in the PPG; in people they are smaller.",
    ),
)
