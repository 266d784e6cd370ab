"""What disturbs a signal: white noise, a wandering baseline, hum, bursts of motion; and any of them at a chosen SNR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pulselet.errors import PulseletError
from pulselet.simulate.pages import PAGE, Marks, Pages, Seed, first, page_times, positive, samples_in
from pulselet.simulate.waves import Waves

BASELINE_HZ = (0.05, 0.5)
BURST_HZ = (0.5, 8.0)
HARMONIC = 0.2  # the third harmonic of the mains, as a part of the first
HUM_WANDER_HZ, HUM_WANDER = (0.02, 0.2), 0.1
HANN_POWER = 3 / 8  # mean square of a Hann window


def white_noise(duration_s: float, *, rate_hz: float, seed: Seed, rms: float = 1.0) -> NDArray[np.float64]:
    """Return white Gaussian noise `(n,)`, in the unit of `rms`; PulseletError if it has no sample."""
    return first(white_noise_pages(rate_hz, seed, rms=rms), samples_in(duration_s, rate_hz))


def white_noise_pages(rate_hz: float, seed: Seed, *, rms: float = 1.0) -> Pages:
    """Return the values of `white_noise` without an end."""
    rng = np.random.default_rng(seed)
    return (rms * rng.standard_normal(PAGE) for _ in page_times(rate_hz))


def baseline_wander(
    duration_s: float,
    *,
    rate_hz: float,
    seed: Seed,
    rms: float = 1.0,
    band_hz: tuple[float, float] = BASELINE_HZ,
) -> NDArray[np.float64]:
    """Return slow noise `(n,)`, in the unit of `rms`, of a flat spectrum within `band_hz`.

    The band is that in which breathing and sweat move an electrocardiogram (Sörnmo and Laguna, "Bioelectrical Signal
    Processing in Cardiac and Neurological Applications", 2005, chapter 7); the values are a sum of cosines.

    Raises
    ------
    PulseletError
        If the duration or the rate is not above 0.
    """
    pages = baseline_wander_pages(rate_hz, seed, rms=rms, band_hz=band_hz)
    return first(pages, samples_in(duration_s, rate_hz))


def baseline_wander_pages(
    rate_hz: float, seed: Seed, *, rms: float = 1.0, band_hz: tuple[float, float] = BASELINE_HZ
) -> Pages:
    """Return the values of `baseline_wander` without an end."""
    wander = Waves.within(np.random.default_rng(seed), band_hz, rms)
    return (wander.at(times_s) for times_s in page_times(rate_hz))


def mains_hum(
    duration_s: float, *, rate_hz: float, seed: Seed, mains_hz: float, rms: float = 1.0
) -> NDArray[np.float64]:
    """Return the hum of the mains `(n,)`, in the unit of `rms`: the mains' frequency and its third harmonic.

    Its strength wanders by a tenth. A harmonic that the rate cannot hold is left out.

    Raises
    ------
    PulseletError
        If half the rate is not above `mains_hz`: sampled so, the hum would come out at another frequency.
    """
    return first(mains_hum_pages(rate_hz, seed, mains_hz=mains_hz, rms=rms), samples_in(duration_s, rate_hz))


def mains_hum_pages(rate_hz: float, seed: Seed, *, mains_hz: float, rms: float = 1.0) -> Pages:
    """Return the values of `mains_hum` without an end."""
    positive(mains_hz=mains_hz)
    if rate_hz <= 2 * mains_hz:
        raise PulseletError(f"hum of {mains_hz} Hz wants more than {2 * mains_hz} samples per second, got {rate_hz}")
    rng = np.random.default_rng(seed)
    wander = Waves.within(rng, HUM_WANDER_HZ, HUM_WANDER)
    odd = np.array([1.0] if rate_hz <= 6 * mains_hz else [1.0, 3.0])
    heights = np.where(odd == 1, 1.0, HARMONIC)
    heights *= rms * np.sqrt(2 / np.square(heights).sum() / (1 + HUM_WANDER**2))
    start_rad = rng.uniform(0, 2 * np.pi, len(odd))
    return (
        (1 + wander.at(times_s)) * (np.cos(2 * np.pi * mains_hz * times_s[:, None] * odd + start_rad) @ heights)
        for times_s in page_times(rate_hz)
    )


def motion_bursts(
    duration_s: float,
    *,
    rate_hz: float,
    seed: Seed,
    rms: float = 1.0,
    bursts_per_min: float = 6.0,
    burst_s: float = 2.0,
    band_hz: tuple[float, float] = BURST_HZ,
) -> NDArray[np.float64]:
    """Return bursts of noise `(n,)`, in the unit of `rms`, with silence between them.

    The bursts come at random (a Poisson process, except that they do not overlap), swell and fade as a Hann window, and
    have a flat spectrum within `band_hz`, where the motion of a limb lies. `rms` is that of the whole over a long time.

    Raises
    ------
    PulseletError
        If so many bursts leave no silence, or a duration or rate is not above 0.
    """
    pages = motion_bursts_pages(rate_hz, seed, rms=rms, bursts_per_min=bursts_per_min, burst_s=burst_s, band_hz=band_hz)
    return first(pages, samples_in(duration_s, rate_hz))


def motion_bursts_pages(
    rate_hz: float,
    seed: Seed,
    *,
    rms: float = 1.0,
    bursts_per_min: float = 6.0,
    burst_s: float = 2.0,
    band_hz: tuple[float, float] = BURST_HZ,
) -> Pages:
    """Return the values of `motion_bursts` without an end."""
    positive(bursts_per_min=bursts_per_min, burst_s=burst_s)
    silence_s = 60 / bursts_per_min - burst_s
    if silence_s <= 0:
        raise PulseletError(f"{bursts_per_min} bursts of {burst_s} s in a minute leave no silence between them")
    carried, timed = np.random.default_rng(seed).spawn(2)
    carrier = Waves.within(carried, band_hz, rms / np.sqrt(HANN_POWER * bursts_per_min * burst_s / 60))
    edges = Marks(_edges(timed, burst_s, silence_s))
    return (carrier.at(times_s) * _envelope(edges.cycles(times_s)) for times_s in page_times(rate_hz))


def _edges(rng: np.random.Generator, burst_s: float, silence_s: float) -> Iterator[float]:
    """Return where silences and bursts begin, in turn."""
    now_s = 0.0
    while True:
        yield now_s
        now_s += rng.exponential(silence_s)
        yield now_s
        now_s += burst_s


def _envelope(cycles: NDArray[np.float64]) -> NDArray[np.float64]:
    within_burst = np.floor(cycles) % 2 == 1
    return np.where(within_burst, np.sin(np.pi * (cycles % 1)) ** 2, 0.0)


def noisy(signal: NDArray[np.float64], noise: NDArray[np.float64], *, snr_db: float) -> NDArray[np.float64]:
    """Return signal plus noise, the noise scaled so that the signal's variance is `snr_db` above its.

    Parameters
    ----------
    signal, noise
        Arrays of one shape; their means do not count.
    snr_db
        Signal to noise ratio in dB.

    Raises
    ------
    PulseletError
        If the shapes differ, or one of the two is constant.

    >>> noisy(np.array([0.0, 2.0, 0.0, 2.0]), np.array([1.0, 1.0, -1.0, -1.0]), snr_db=20).round(1).tolist()
    [0.1, 2.1, -0.1, 1.9]
    """
    if signal.shape != noise.shape:
        raise PulseletError(f"signal and noise want one shape, got {signal.shape} and {noise.shape}")
    signal_power, noise_power = float(np.var(signal)), float(np.var(noise))
    if not min(signal_power, noise_power) > 0:
        raise PulseletError(f"wanted signal and noise that vary, got variances of {signal_power:g} and {noise_power:g}")
    return signal + float(np.sqrt(signal_power / noise_power) * 10.0 ** (-snr_db / 20)) * noise
