"""The softmax without libm against scipy's, and the rule of ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from pulselet.model.decide import Rule


@given(
    st.lists(st.integers(-128, 127), min_size=2, max_size=10),
    st.floats(1e-3, 1.0),
)
def test_confidence_is_the_softmax_of_the_best_class(scores: list[int], scale: float) -> None:
    row = np.array([scores], np.int8)
    best, confidence = Rule(scale).confidence(row)
    wanted = softmax(row.astype(np.float64) * scale)
    assert confidence[0] == pytest.approx(wanted.max(), rel=1e-5)
    assert best[0] == int(np.argmax(scores))
    assert confidence.dtype == np.float32


def test_of_equal_classes_the_first_is_named() -> None:
    best, confidence = Rule(0.1).confidence(np.array([[3, 9, 9, -5]], np.int8))
    assert best[0] == 1
    assert confidence[0] < 0.5
