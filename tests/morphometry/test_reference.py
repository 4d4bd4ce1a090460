"""The adjusted loss: normal shapes are no finding, and no finding of the raw index is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.morphometry.genant import genant_grade, raw_height_loss
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.morphometry.reference import (
    UNEXPLAINED_RATIO,
    adjusted_height_loss,
    level_shape,
    normalised_heights_mm,
)
from vfscreen.schema.names import KEYPOINTS

MEASURED = (*(f"T{n}" for n in range(1, 14)), *(f"L{n}" for n in range(1, 7)))
LEVEL = st.sampled_from(MEASURED)
BOX_LEVEL = st.sampled_from([level for level in MEASURED if level not in ("L5", "L6")])
HEIGHTS = st.tuples(*[st.floats(0.0, 45.0, allow_subnormal=False)] * 3).map(np.array)


def normal_body(level: str, posterior_mm: float = 25.0) -> np.ndarray:
    shape = level_shape(level)
    assert shape is not None
    return posterior_mm * np.array(shape.profile)


@pytest.mark.parametrize("level", MEASURED)
def test_a_normal_body_has_lost_nothing(level: str) -> None:
    assert float(adjusted_height_loss(normal_body(level), level)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("posterior_to_anterior", [0.63, 0.7, 0.752, 0.82])
def test_a_normal_l5_is_no_fracture(posterior_to_anterior: float) -> None:
    """Known mistake: min/max without level reference flags normal lumbar bodies."""
    heights = np.array([33.0, 33.0 * (1 + posterior_to_anterior) / 2 * 0.96, 33.0 * posterior_to_anterior])
    if posterior_to_anterior <= 0.75:
        assert genant_grade(raw_height_loss(heights)) >= 2
    assert genant_grade(adjusted_height_loss(heights, "L5")) == 0


@pytest.mark.parametrize("index", [0.82, 0.85, 0.9])
@pytest.mark.parametrize("level", ["T5", "T6", "T7", "T8"])
def test_normal_thoracic_wedging_is_no_fracture(index: float, level: str) -> None:
    heights = 21.0 * np.array([index, (1 + index) / 2 * 0.98, 1.0])
    assert genant_grade(adjusted_height_loss(heights, level)) == 0


@given(HEIGHTS, BOX_LEVEL)
def test_no_raw_finding_is_lost(heights: np.ndarray, level: str) -> None:
    assert genant_grade(adjusted_height_loss(heights, level)) >= genant_grade(raw_height_loss(heights))


@given(st.floats(0.0, 0.599), st.floats(0.0, 1.0))
def test_l5_beyond_the_normal_range_keeps_its_raw_loss(low: float, between: float) -> None:
    heights = 33.0 * np.array([1.0, low + between * (1 - low), low])
    assert float(adjusted_height_loss(heights, "L5")) >= float(raw_height_loss(heights)) - 1e-9


@given(st.floats(0.0, 0.8), st.integers(0, 1))
def test_l5_low_in_front_or_middle_is_never_explained(loss: float, part: int) -> None:
    """Only a low back is normal at L5: a wedge or a concavity there has no excuse."""
    heights = normal_body("L5", 26.0)
    heights[part] *= 1 - loss
    assert float(adjusted_height_loss(heights, "L5")) >= loss - 1e-9


@pytest.mark.parametrize(("ratio", "grade"), [(0.80, 1), (0.75, 2), (0.60, 3)])
@pytest.mark.parametrize("level", [m for m in MEASURED if m not in ("L5", "L6")])
def test_borders_are_exact_after_adjustment_too(ratio: float, grade: int, level: str) -> None:
    assert genant_grade(adjusted_height_loss(np.array([ratio * 21.3, 21.3, 21.3]), level)) >= grade


def test_l5_that_lost_its_lordotic_shape_is_seen() -> None:
    assert genant_grade(adjusted_height_loss(np.array([25.0, 26.0, 26.0]), "L5")) >= 1
    assert genant_grade(raw_height_loss(np.array([25.0, 26.0, 26.0]))) == 0


@given(HEIGHTS, LEVEL, st.floats(0.05, 20))
def test_scale_changes_nothing(heights: np.ndarray, level: str, scale: float) -> None:
    if heights.max() > 1e-2:
        expected = float(adjusted_height_loss(heights, level, 25.0))
        assert float(adjusted_height_loss(heights * scale, level, 25.0 * scale)) == pytest.approx(expected, abs=1e-6)


@given(HEIGHTS, LEVEL, st.floats(0, 1), st.one_of(st.none(), st.floats(15, 35)))
def test_lowering_the_lowest_part_never_lowers_the_loss(
    heights: np.ndarray, level: str, share: float, expected: float | None
) -> None:
    part = int(heights.argmin())
    if int(normalised_heights_mm(heights, level).argmin()) != part:
        return
    lower = heights.copy()
    lower[part] *= share
    if lower.max() > 0:
        before, after = (float(adjusted_height_loss(h, level, expected)) for h in (heights, lower))
        assert after >= before - 1e-9


@given(HEIGHTS, LEVEL)
def test_the_loss_is_continuous_in_the_heights(heights: np.ndarray, level: str) -> None:
    """A hair's breadth (0.01 mm) may not turn a normal body into a fracture."""
    if heights.max() < 10:
        return
    loss = float(adjusted_height_loss(heights, level))
    for part in range(3):
        nudged = heights.copy()
        nudged[part] += 0.01
        assert abs(float(adjusted_height_loss(nudged, level)) - loss) < 0.03


@given(HEIGHTS, st.sampled_from([None, "C3", "C7"]))
def test_unknown_level_falls_back_to_raw(heights: np.ndarray, level: str | None) -> None:
    assert float(adjusted_height_loss(heights, level, 25.0)) == float(raw_height_loss(heights))


@given(HEIGHTS, LEVEL, st.floats(10, 40))
def test_neighbours_only_add(heights: np.ndarray, level: str, expected: float) -> None:
    assert adjusted_height_loss(heights, level, expected) >= adjusted_height_loss(heights, level) - 1e-12


@pytest.mark.parametrize(("left", "grade"), [(0.80, 1), (0.75, 2), (0.60, 3), (0.0, 3), (0.9, 0)])
def test_a_crush_is_graded_against_the_neighbours(left: float, grade: int) -> None:
    crushed = normal_body("L1", 28.0) * left
    assert genant_grade(adjusted_height_loss(crushed, "L1", 28.0)) == grade
    if left > 0:
        assert genant_grade(raw_height_loss(crushed)) == 0


@pytest.mark.parametrize("heights", [(0, 0, 0), (0, 20, 20), (20, 0, 0)])
@pytest.mark.parametrize("level", ["T8", "L1", "L5", None])
def test_collapse_is_grade_3_at_every_level(heights: tuple[float, ...], level: str | None) -> None:
    assert genant_grade(adjusted_height_loss(np.array(heights, dtype=float), level, 25.0)) == 3


def test_only_l5_can_explain_a_raw_grade() -> None:
    for level in MEASURED:
        shape = level_shape(level)
        assert shape is not None
        assert (level in ("L5", "L6")) == any(v < UNEXPLAINED_RATIO for v in shape.normal_minimum.values())


def test_real_unfractured_vertebrae_have_no_moderate_fracture(shared_data: Path) -> None:
    """Seventy real readings of confidence >= 0.5 without a clear fracture: none may be graded 2 or 3."""
    graded = 0
    for path in sorted((shared_data / "ct").glob("*_six_points.json")):
        vertebrae = json.loads(path.read_text())["vertebrae"]
        heights = [body_heights_mm(np.array([v[k] for k in KEYPOINTS])) for v in vertebrae]
        levels = [v["level"] for v in vertebrae]
        for h, vertebra, expected in zip(
            heights, vertebrae, expected_posterior_heights_mm(heights, levels), strict=True
        ):
            if vertebra["confidence"] >= 0.5:
                graded += 1
                assert genant_grade(adjusted_height_loss(h, vertebra["level"], expected)) < 2, (path.name, vertebra)
    assert graded > 50
