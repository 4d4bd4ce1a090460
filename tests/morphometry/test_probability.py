"""Probabilities follow the measurement, keep their order, and are the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from vfscreen.morphometry.genant import genant_grade
from vfscreen.morphometry.probability import (
    GradeCalibration,
    grade_probabilities,
    join_fracture_score,
    probability_of_any,
)
from vfscreen.morphometry.reference import adjusted_height_loss

HEIGHTS = st.tuples(*[st.floats(5, 40)] * 3).map(np.array)


@settings(max_examples=40)
@given(HEIGHTS, st.floats(0, 3), st.sampled_from(["T7", "L1", "L5", None]))
def test_ordered_and_repeatable(heights: np.ndarray, sd: float, level: str | None) -> None:
    p = grade_probabilities(heights, np.full(3, sd), level)
    assert 1 >= p[0] >= p[1] >= p[2] >= 0
    np.testing.assert_array_equal(p, grade_probabilities(heights, np.full(3, sd), level))


@given(HEIGHTS, st.sampled_from(["T7", "L1", "L5", None]))
def test_without_uncertainty_they_are_the_grade(heights: np.ndarray, level: str | None) -> None:
    p = grade_probabilities(heights, np.zeros(3), level)
    assert int(p.sum()) == int(genant_grade(adjusted_height_loss(heights, level)))


def test_agree_with_the_closed_form_where_there_is_one() -> None:
    """Only the anterior height is uncertain, level unknown: P(loss >= b) = P(anterior <= (1 - b) 30)."""
    p = grade_probabilities(np.array([23.0, 30.0, 30.0]), np.array([1.0, 0.0, 0.0]), None)
    assert p == pytest.approx([norm.cdf(24.0, 23.0), norm.cdf(22.5, 23.0), norm.cdf(18.0, 23.0)], abs=2e-3)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_joining_keeps_order_and_follows_the_score(p: float, q: float, score: float) -> None:
    low, high = sorted((p, q))
    joined = join_fracture_score(np.array([high, low]), score, 0.5)
    assert joined[0] >= joined[1]
    assert (joined > 0).all() and (joined < 1).all()
    assert (join_fracture_score(np.array([p]), 0.95, 0.5) >= join_fracture_score(np.array([p]), 0.05, 0.5)).all()
    assert join_fracture_score(np.array([p]), 0.5, 0.5)[0] == pytest.approx(p, abs=2e-3)


def test_patient_probability() -> None:
    assert probability_of_any([]) is None
    assert probability_of_any([0.3]) == pytest.approx(0.3)
    assert probability_of_any([0.5, 0.5]) == pytest.approx(0.75)


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.floats(0.2, 4)] * 3),
)
def test_calibrated_probabilities_are_ordered_probabilities(
    values: list[float], offset: tuple[float, float, float], slope: tuple[float, float, float]
) -> None:
    calibrated = GradeCalibration(offset, slope).apply(np.sort(values)[::-1])
    assert (np.diff(calibrated) <= 0).all() and calibrated.min() > 0 and calibrated.max() < 1


def test_no_calibration_changes_nothing_and_an_offset_moves_the_odds() -> None:
    stated = np.array([0.9, 0.5, 0.1])
    np.testing.assert_allclose(GradeCalibration().apply(stated), stated)
    moved = GradeCalibration((-1.0, -1.0, -1.0)).apply(stated)
    np.testing.assert_allclose(moved / (1 - moved), stated / (1 - stated) * np.exp(-1.0))
