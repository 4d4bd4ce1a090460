"""Borders are exact, and no border is passed or missed by rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.morphometry.genant import genant_grade, raw_height_loss

HEIGHT = st.floats(0.0, 60.0, allow_subnormal=False)


@pytest.mark.parametrize(
    ("low", "high", "grade"),
    [(16, 20, 1), (24, 30, 1), (15, 20, 2), (22.5, 30, 2), (12, 20, 3), (18, 30, 3), (16.2, 27, 3), (20.4, 25.5, 1)],
)
def test_border_belongs_to_the_higher_grade(low: float, high: float, grade: int) -> None:
    """Known mistake of existing tools: percentages rounded, or float noise deciding, at the border."""
    assert genant_grade(raw_height_loss(np.array([low, high, high]))) == grade


@given(st.integers(1, 10**6), st.sampled_from([(4, 5, 1), (3, 4, 2), (3, 5, 3)]))
def test_border_at_every_size(unit: int, ratio: tuple[int, int, int]) -> None:
    low, high, grade = ratio[0] * unit * 1e-5, ratio[1] * unit * 1e-5, ratio[2]
    assert genant_grade(raw_height_loss(np.array([high, low, high]))) == grade


@pytest.mark.parametrize(("loss", "grade"), [(0.1999, 0), (0.2499, 1), (0.24999, 1), (0.3999, 2), (0.2, 1), (0.4, 3)])
def test_nothing_is_rounded_before_the_border(loss: float, grade: int) -> None:
    assert genant_grade(loss) == grade


@given(st.tuples(HEIGHT, HEIGHT, HEIGHT), st.permutations([0, 1, 2]), st.floats(0.1, 10))
def test_loss_knows_neither_order_nor_scale(heights: tuple[float, ...], order: list[int], scale: float) -> None:
    loss = float(raw_height_loss(np.array(heights)))
    assert 0 <= loss <= 1
    assert float(raw_height_loss(np.array(heights)[order])) == loss
    if max(heights) > 1e-3:
        assert float(raw_height_loss(np.array(heights) * scale)) == pytest.approx(loss, abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 1))
def test_grade_never_falls_with_loss(a: float, b: float) -> None:
    assert genant_grade(min(a, b)) <= genant_grade(max(a, b))


@pytest.mark.parametrize("heights", [(0, 25, 26), (25, 0, 26), (0.0, 0.0, 0.0), (1e-12, 25, 25)])
def test_total_collapse_is_severe(heights: tuple[float, float, float]) -> None:
    """Known mistake: a zero height dropped, so that total collapse disappears."""
    loss = raw_height_loss(np.array(heights))
    assert float(loss) == pytest.approx(1.0)
    assert genant_grade(loss) == 3


def test_what_is_not_measured_has_no_grade() -> None:
    with pytest.raises(ValueError, match="not measured"):
        genant_grade(np.nan)
    for bad in ((np.nan, 1, 1), (-1, 1, 1), (1, 1)):
        with pytest.raises(ValueError, match="heights"):
            raw_height_loss(np.array(bad, dtype=float))
