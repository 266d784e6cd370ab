"""Calibration, magnitude and tilt against calculations by hand and turns of a known vector."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pulselet.errors import PipelineError
from pulselet.signal.stage import Format, Samples, Stage
from pulselet.signal.vectors import Calibrate, Magnitude, Tilt

ACC = Format(50.0, 3, "g")


def run(stage: Stage, x: list[list[float]] | NDArray[np.float64], source: Format = ACC) -> Samples:
    kernel = stage.design(source)
    return kernel.step(kernel.start(), np.asarray(x, np.float32))[0]


def test_calibration_takes_the_offset_away_before_the_gain() -> None:
    counts = Format(50.0, 3, "LSB")
    stage = Calibrate((0.5, 0.25, 2.0), offset=(10.0, -4.0, 1.0), unit="g")
    assert run(stage, [[12, 0, 3]], counts).tolist() == [[1.0, 1.0, 4.0]]
    assert stage.design(counts).output.unit == "g"


def test_axes_say_which_axis_of_the_sensor_becomes_x_y_and_z() -> None:
    """A sensor turned a quarter about z: its y points along minus x of the body."""
    assert run(Calibrate(axes=("-y", "x", "z")), [[1, 2, 3]]).tolist() == [[-2, 1, 3]]


def test_gains_are_of_the_sensors_axes_and_turned_with_them() -> None:
    assert run(Calibrate((1.0, 10.0, 100.0), axes=("z", "-x", "y")), [[1, 2, 3]]).tolist() == [[300, -1, 20]]


def test_a_matrix_undoes_the_skew_of_a_sensor() -> None:
    skew = np.array([[1.02, 0.01, 0.0], [0.0, 0.97, -0.03], [0.02, 0.0, 1.05]])
    offset = np.array([0.05, -0.02, 0.1])
    true = np.random.default_rng(0).standard_normal((50, 3))
    matrix = tuple(map(tuple, np.linalg.inv(skew).tolist()))
    seen = true @ skew.T + offset
    assert run(Calibrate(matrix, offset=tuple(offset.tolist())), seen) == pytest.approx(true, abs=1e-5)


def test_the_magnitude_does_not_change_when_the_sensor_is_turned() -> None:
    x = np.random.default_rng(0).standard_normal((100, 3))
    turned, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    assert run(Magnitude(), [[3, 4, 12]]).tolist() == [[13.0]]
    assert run(Magnitude(), x @ turned)[:, 0] == pytest.approx(run(Magnitude(), x)[:, 0], abs=1e-5)
    assert Magnitude().design(ACC).output.unit == "g"


@pytest.mark.parametrize("pitch", [-90, -60, 0, 10, 45, 89])
@pytest.mark.parametrize("roll", [-179, -90, 0, 30, 135])
def test_tilt_is_the_turn_of_gravity_from_lying_flat(pitch: float, roll: float) -> None:
    """Gravity seen after a turn by yaw, pitch, roll is (-sin p, cos p sin r, cos p cos r), Freescale AN3461, eq. 25."""
    p, r = np.radians([pitch, roll])
    gravity = 9.81 * np.array([-np.sin(p), np.cos(p) * np.sin(r), np.cos(p) * np.cos(r)])
    found = run(Tilt(), [gravity.tolist()], Format(50.0, 3, "m/s²"))[0]
    assert found[0] == pytest.approx(pitch, abs=1e-4)
    if abs(pitch) < 90:
        assert found[1] == pytest.approx(roll, abs=1e-4)


def test_tilt_gives_degrees_with_names() -> None:
    output = Tilt().design(ACC).output
    assert (output.unit, output.names) == ("deg", ("pitch", "roll"))


@pytest.mark.parametrize(
    ("stage", "source", "words"),
    [
        (Calibrate((1.0, 2.0)), ACC, "1 or 3 gains, or 3 rows of 3"),
        (Calibrate(((1.0, 2.0), (3.0,))), ACC, "1 or 3 gains, or 3 rows of 3"),
        (Calibrate(1.0, offset=(1.0, 2.0)), ACC, "1 or 3 offsets"),
        (Calibrate(1e12), ACC, "below 1e12"),
        (Calibrate(axes=("x", "y")), ACC, "x, y and z once each"),
        (Calibrate(axes=("x", "x", "z")), ACC, "x, y and z once each"),
        (Calibrate(axes=("x", "y", "z")), Format(50.0, 2, "g"), "three channels"),
        (Magnitude(), Format(None, 3, "g", clock_hz=50.0), "samples at an even rate"),
        (Tilt(), Format(50.0, 2, "g"), "acceleration x, y and z, got 2 channels"),
        (Tilt(), Format(50.0, 3, "mV"), "samples in g or mg or m/s², got mV"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(stage: Stage, source: Format, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        stage.design(source)
