"""Shapes have Genant's names; the SDI says what it was summed over."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.morphometry.deformity import deformity_type, spinal_deformity_index
from vfscreen.morphometry.reference import level_shape
from vfscreen.schema.names import SDI_LEVELS, DeformityType


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        ((0.7, 0.9, 1.0), DeformityType.WEDGE),
        ((1.0, 0.7, 1.0), DeformityType.BICONCAVE),
        ((1.0, 0.9, 0.7), DeformityType.CRUSH),
        ((0.65, 0.68, 0.70), DeformityType.CRUSH),
    ],
)
@pytest.mark.parametrize("level", ["T7", "T12", "L3", "L5"])
def test_shape_is_named_relative_to_the_normal_one(
    loss: tuple[float, float, float], shape: DeformityType, level: str
) -> None:
    normal = level_shape(level)
    assert normal is not None
    heights = 26.0 * np.array(normal.profile) * np.array(loss)
    assert deformity_type(heights, 2, level, expected_height_mm=26.0) is shape


def test_unknown_level_goes_by_the_heights_alone() -> None:
    assert deformity_type(np.array([15.0, 20.0, 22.0]), 2, None) is DeformityType.WEDGE


def test_a_sound_body_has_no_deformity() -> None:
    assert deformity_type(np.array([24.0, 23.0, 25.0]), 0, "L1", 25.0) is DeformityType.NONE


def test_sdi_sums_t4_to_l4_with_its_levels() -> None:
    graded = [("T3", 3), ("T4", 1), ("T12", 2), ("L1", None), ("L4", 0), ("L5", 3), (None, 2)]
    assert spinal_deformity_index(graded) == (3, ("T4", "T12", "L4"))


def test_no_assessed_level_is_no_index_rather_than_zero() -> None:
    assert spinal_deformity_index([("L5", 3), (None, 1)]) == (None, ())
    assert spinal_deformity_index([]) == (None, ())


def test_full_column() -> None:
    assert spinal_deformity_index((level, 3) for level in SDI_LEVELS) == (39, SDI_LEVELS)
