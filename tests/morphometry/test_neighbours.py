"""The patient's own reference height survives what fractures do to a column."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.morphometry.genant import genant_grade
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.morphometry.reference import adjusted_height_loss, level_shape

COLUMN = (*(f"T{n}" for n in range(5, 13)), *(f"L{n}" for n in range(1, 6)))


def column(size_mm: float = 26.0) -> dict[str, np.ndarray]:
    """A normal patient: heights by level."""
    heights = {}
    for level in COLUMN:
        shape = level_shape(level)
        assert shape is not None
        heights[level] = size_mm * shape.relative_height * np.array(shape.profile)
    return heights


def grades(heights: dict[str, np.ndarray]) -> dict[str, int]:
    expected = expected_posterior_heights_mm(list(heights.values()), list(heights))
    return {
        level: int(genant_grade(adjusted_height_loss(h, level, e)))
        for (level, h), e in zip(heights.items(), expected, strict=True)
    }


@given(st.floats(15, 40))
def test_a_sound_column_has_no_finding_at_any_size(size_mm: float) -> None:
    assert set(grades(column(size_mm)).values()) == {0}


@pytest.mark.parametrize("pair", list(pairwise(COLUMN)))
@pytest.mark.parametrize("shape", [(0.72, 0.85, 1.0), (0.72, 0.72, 0.72)])
def test_two_moderate_fractures_side_by_side_do_not_hide_each_other(
    pair: tuple[str, str], shape: tuple[float, float, float]
) -> None:
    """Wedged or crushed, T12 and L1 among them."""
    heights = column()
    for level in pair:
        heights[level] = heights[level] * np.array(shape)
    found = grades(heights)
    assert all(found[level] >= 2 for level in pair)
    assert all(grade == 0 for level, grade in found.items() if level not in pair)


def test_a_whole_column_of_mild_wedges_is_found() -> None:
    heights = {level: h * np.array([0.79, 0.9, 1.0]) for level, h in column().items()}
    assert all(grade >= 1 for grade in grades(heights).values())


@pytest.mark.parametrize("level", COLUMN)
def test_every_level_is_examined(level: str) -> None:
    """Known mistake: only L1-L5 examined though T7-T8 and T12-L1 break most."""
    heights = column()
    heights[level] = heights[level] * np.array([0.70, 0.85, 1.0])
    assert grades(heights)[level] >= 2


def test_too_few_sound_neighbours_say_nothing() -> None:
    heights = list(column().values())[:3]
    assert expected_posterior_heights_mm(heights, COLUMN[:3]) == [None] * 3
    assert expected_posterior_heights_mm([*heights, None], [*COLUMN[:3], None]) == [None] * 4


def test_the_patients_size_is_learnt_from_others_only() -> None:
    heights = column(30.0)
    expected = expected_posterior_heights_mm(list(heights.values()), list(heights))
    assert expected == pytest.approx([h[2] for h in heights.values()])
