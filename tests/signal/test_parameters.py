"""Parameters of stages are plain values of the annotated types, wherever they come from."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from stage_cases import all_cases

from pulselet.errors import PipelineError
from pulselet.signal import load_stages
from pulselet.signal.ecg_beats import Beats
from pulselet.signal.filters import LowPass
from pulselet.signal.marking import MarkFlat
from pulselet.signal.oxygen import OxygenSaturation
from pulselet.signal.pipeline import Branch, Pipeline
from pulselet.signal.resampling import Even, Resample
from pulselet.signal.scaling import Scale, Standardize
from pulselet.signal.stage import Format, Stage
from pulselet.signal.vectors import Calibrate

load_stages()


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Beats, {"every": 1.5}, "Beats: wanted every to be a whole number, got 1.5"),
        (Beats, {"every": True}, "every to be a whole number, got True"),
        (Beats, {"every": "2"}, "every to be a whole number, got '2'"),
        (LowPass, {"cutoff_hz": "5"}, "cutoff_hz to be a finite number, got '5'"),
        (LowPass, {"cutoff_hz": float("nan")}, "cutoff_hz to be a finite number, got nan"),
        (LowPass, {"cutoff_hz": 10**400}, "cutoff_hz to be a finite number"),
        (LowPass, {"cutoff_hz": None}, "cutoff_hz to be a finite number, got None"),
        (MarkFlat, {"alone": 1}, "alone to be True or False, got 1"),
        (
            OxygenSaturation,
            {"curve": (1.0, "x"), "calibration": "a"},
            "curve to be a tuple, each of it a finite number",
        ),
        (OxygenSaturation, {"curve": (1.0, 2.0), "calibration": 7}, "calibration to be text, got 7"),
        (Even, {"rate_hz": 4.0, "longest_gap_s": 3.0, "columns": "rr"}, "columns to be a tuple, each of it text"),
        (Scale, {"gain": "x"}, "gain to be a finite number or a tuple, each of it a finite number, got 'x'"),
        (Calibrate, {"gain": ((1.0, "x"),)}, "gain to be"),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(kind: Any, values: dict[str, Any], message: str) -> None:
    required = {f.name: 1.0 for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    with pytest.raises(PipelineError, match=message.replace("(", r"\(")):
        kind(**{**required, **values})


def test_numbers_of_numpy_become_numbers_of_python() -> None:
    stage = LowPass(np.float32(5), np.int64(3))  # type: ignore[arg-type]
    assert (type(stage.cutoff_hz), type(stage.order)) == (float, int)
    assert stage == LowPass(5.0, 3)
    several = Standardize(np.array([1, 2]), [np.float32(3), 4])  # type: ignore[arg-type]
    assert several == Standardize((1.0, 2.0), (3.0, 4.0))
    assert all(type(value) is float for value in (*several.mean, *several.std))  # type: ignore[misc]
    alone = MarkFlat(np.float64(1), 0.0, alone=np.bool_(True))  # type: ignore[arg-type]
    assert alone.alone is True
    assert Calibrate(np.eye(3)).gain == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))  # type: ignore[arg-type]


def test_one_pipeline_has_one_text_however_its_numbers_were_given() -> None:
    def text(cutoff_hz: Any, order: Any) -> str:
        return Pipeline((Branch("a", "g", 50.0, 1),), LowPass(cutoff_hz, order)).to_json()

    assert text(5, 2) == text(5.0, 2) == text(np.float32(5), np.int8(2))


def test_a_wrong_type_in_json_is_refused_in_the_same_words() -> None:
    whole = json.loads(Pipeline((Branch("a", "g", 50.0, 1),), LowPass(5.0)).to_json())
    whole["stages"][0]["order"] = 2.5
    with pytest.raises(PipelineError, match=r"LowPass: wanted order to be a whole number, got 2.5"):
        Pipeline.from_json(json.dumps(whole))


def test_a_rate_of_numpy_is_a_rate() -> None:
    source = Format(np.float32(50), np.int64(1))  # type: ignore[arg-type]
    assert source == Format(50.0, 1)
    assert type(source.rate_hz) is float
    assert Resample(25.0).design(source).output.rate_hz == 25.0
    with pytest.raises(PipelineError, match="Format: wanted rate_hz to be a finite number or None, got 'x'"):
        Format("x", 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(Stage.registry))
def test_no_parameter_of_any_stage_leaks_a_type_error(kind: str) -> None:
    case = next((case for case in all_cases() if type(case.stage).__name__ == kind), None)
    if case is None:
        pytest.skip("no case of this stage")
    for field in dataclasses.fields(case.stage):  # type: ignore[arg-type]
        for value in (None, "x", 1.5, np.float64(2.5), True, (), ("x",), (1.0, 2.0), [[1.0]], b"x", 1e300, 1e-300, -1):
            try:
                kernel = dataclasses.replace(case.stage, **{field.name: value}).design(case.source)  # type: ignore[type-var]
            except PipelineError:
                continue
            kernel.start()
            kernel.c_form()
