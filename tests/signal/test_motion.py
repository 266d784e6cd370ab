"""ENMO, posture and impacts against calculations by hand and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest

from pulselet.errors import PipelineError
from pulselet.signal.motion import Enmo, Impact, PostureAngles
from pulselet.signal.stage import Format, Kernel, Samples, Stage
from pulselet.simulate import acceleration

ACC = Format(50.0, 3, "g")


def run(stage: Stage, x: Samples, source: Format = ACC) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), x)[0]


def rest(seconds: float) -> Samples:
    return np.tile(np.array([0.0, 0.0, 1.0], np.float32), (round(seconds * 50), 1))


def fall(seconds: float = 0.3, until_s: float = 0.1, hit_g: float = 4.0, moves_s: float = 0.5) -> Samples:
    """Return 2 s of rest, a fall at 0.2 g, a pause, one sample of `hit_g`, movement of 0.5 g, and 5 s of rest."""
    parts = [rest(2), 0.2 * rest(seconds), rest(until_s), hit_g * rest(0.02), 1.5 * rest(moves_s), rest(5)]
    return np.concatenate(parts).astype(np.float32)


def test_enmo_is_the_norm_minus_one_and_never_negative() -> None:
    x = np.array([[3, 4, 0], [0.5, 0, 0], [0, 0, 1], [1, 2, 2]], np.float32)
    assert run(Enmo(), x)[:, 0].tolist() == [4.0, 0.0, 0.0, 2.0]


def test_enmo_of_an_epoch_is_the_mean_of_its_samples() -> None:
    x = acceleration(20.0, rate_hz=50.0, seed=0, activity="walking").values_g.astype(np.float32)
    wanted = np.maximum(np.linalg.norm(x.astype(float), axis=1) - 1, 0).reshape(4, 250).mean(axis=1)
    found = run(Enmo(epoch_s=5.0), x)
    assert found[:, 0] == pytest.approx(wanted, abs=2**-17)
    assert Enmo(epoch_s=5.0).design(ACC).output.rate_hz == pytest.approx(0.2)


def test_a_gap_loses_the_epochs_that_it_touches() -> None:
    kernel = Enmo(epoch_s=1.0).design(ACC)
    x = np.repeat(np.arange(1, 8, dtype=np.float32), 50)[:, None] * np.array([1, 0, 0], np.float32)  # norm: 1, 2, ...
    first, state = kernel.step(kernel.start(), x[:110])
    dropped, state = kernel.gap(state, 60)  # from 2.2 to 3.4 s
    after, _ = kernel.step(state, x[170:])
    assert first[:, 0].tolist() == [0.0, 1.0]
    assert dropped == 2
    assert after[:, 0].tolist() == [4.0, 5.0, 6.0]


def test_an_hour_at_the_limit_does_not_overflow_the_sum() -> None:
    x = np.full((256 * 600, 3), 9e11, np.float32)
    assert run(Enmo(epoch_s=600.0), x, Format(256.0, 3, "g"))[:, 0].tolist() == [2048.0]


@pytest.mark.parametrize("degrees", [-80, -30, 0, 45, 89])
def test_pitch_roll_and_inclination_of_a_tilted_sensor(degrees: float) -> None:
    tilt = np.radians(degrees)
    pitched = np.tile([-np.sin(tilt), 0, np.cos(tilt)], (100, 1)).astype(np.float32)
    rolled = np.tile([0, np.sin(2 * tilt), np.cos(2 * tilt)], (100, 1)).astype(np.float32)
    assert run(PostureAngles(), pitched)[-1] == pytest.approx([degrees, 0, abs(degrees)], abs=0.01)
    assert run(PostureAngles(), rolled)[-1] == pytest.approx([0, 2 * degrees, abs(2 * degrees)], abs=0.01)


def test_roll_follows_a_simulated_turn_with_the_declared_delay() -> None:
    turn_s = 40.0
    x = acceleration(turn_s, rate_hz=50.0, seed=0, activity="turning", turn_s=turn_s).values_g.astype(np.float32)
    kernel = PostureAngles().design(ACC)
    roll = kernel.step(kernel.start(), x)[0][500:, 1]
    true = 360 / turn_s * (np.arange(500, len(x)) / 50 - kernel.latency_s)
    assert np.abs((roll - true + 180) % 360 - 180).max() < 1.0


def test_an_impact_after_a_fall_is_told_with_its_features() -> None:
    events = run(Impact(), fall())
    assert len(events) == 1
    since, peak, free_fall_s, rest_s, whole = events[0].tolist()
    assert since == 100 + 15 + 5
    assert peak == 4.0
    assert free_fall_s == pytest.approx(0.3)
    assert rest_s == pytest.approx(0.52)  # the impact's own sample and 0.5 s
    assert whole == 1.0


@pytest.mark.parametrize(
    "nothing",
    [
        fall(hit_g=2.7),  # too soft
        fall(seconds=0.06),  # too short
        fall(until_s=1.1),  # too late
        np.concatenate([rest(2), 4 * rest(0.02), rest(3)]).astype(np.float32),  # no fall
        fall(seconds=0.3)[:200],  # not settled yet
    ],
    ids=["soft", "short", "late", "no fall", "not yet"],
)
def test_what_is_no_impact_after_a_fall_gives_nothing(nothing: Samples) -> None:
    assert len(run(Impact(), nothing)) == 0


def test_events_count_samples_across_a_gap_and_say_so() -> None:
    kernel = Impact().design(ACC)
    first, state = kernel.step(kernel.start(), fall())
    lost, state = kernel.gap(state, 1000)
    second, state = kernel.step(state, fall())
    third, _ = kernel.step(state, fall())
    assert lost == 0
    assert second[0, 0] == len(fall()) + 1000
    assert third[0, 0] == len(fall())
    assert [first[0, 4], second[0, 4], third[0, 4]] == [1.0, 0.0, 1.0]


def test_a_gap_within_an_impact_loses_it_and_not_the_count() -> None:
    kernel = Impact().design(ACC)
    none, state = kernel.step(kernel.start(), fall()[:150])
    _, state = kernel.gap(state, 50)
    then, _ = kernel.step(state, fall())
    assert len(none) == 0
    assert then[0, 0] == 150 + 50 + 120


def test_every_impact_in_half_an_hour_of_falls_is_found() -> None:
    rng = np.random.default_rng(0)
    pauses = [rest(float(rng.integers(0, 8))) for _ in range(100)]
    x = np.concatenate([part for pause in pauses for part in (pause, fall())])
    noisy = (x + rng.normal(0, 0.01, x.shape)).astype(np.float32)
    places = np.cumsum(run(Impact(), noisy)[:, 0])
    true = np.cumsum([len(pause) + len(fall()) for pause in pauses]) - len(fall()) + 120
    assert np.array_equal(places, true)


@pytest.mark.parametrize(
    ("stage", "source"),
    [
        (Enmo(), Format(50.0, 1, "g")),
        (Enmo(), Format(50.0, 3, "m/s^2")),
        (Enmo(epoch_s=0.03), ACC),
        (PostureAngles(), Format(None, 3, "g")),
        (PostureAngles(cutoff_hz=30.0), ACC),
        (Impact(free_fall_g=1.2), ACC),
        (Impact(settle_s=0.0), ACC),
    ],
)
def test_what_does_not_fit_is_refused(stage: Stage, source: Format) -> None:
    with pytest.raises(PipelineError, match="wanted"):
        stage.design(source)


def test_angles_at_rest_are_stable_from_the_first_sample() -> None:
    kernel: Kernel = PostureAngles().design(ACC)
    y, _ = kernel.step(kernel.start(), rest(1))
    assert np.abs(y).max() < 0.01
