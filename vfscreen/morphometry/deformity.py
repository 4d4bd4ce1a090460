"""Genant's shape of a deformed body, and the spinal deformity index.

Belongs here: naming and counting. Does not belong here: whether a body is deformed (genant, reference).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vfscreen.morphometry.genant import BORDER_TOLERANCE, MILD_LOSS
from vfscreen.morphometry.reference import level_shape, normalised_heights_mm, tallest_part_loss
from vfscreen.schema.names import SDI_LEVELS, DeformityType

Float = NDArray[np.float64]


def deformity_type(
    heights_mm: Float, grade: int, level: str | None, expected_height_mm: float | None = None
) -> DeformityType:
    """The shape of a graded body: wedge, biconcave or crush; none at grade 0.

    heights_mm: (3,). The lowest part is the lowest relative to the level's normal profile. Crush where the posterior
    height is the lowest, or reduced against the patient's neighbours by a grade of its own.
    """
    if grade == 0:
        return DeformityType.NONE
    normalised = normalised_heights_mm(heights_mm, level)
    if expected_height_mm is not None and level_shape(level) is not None:
        posterior_loss = 1.0 - normalised[2] / expected_height_mm
        tallest_loss = float(tallest_part_loss(heights_mm, level, expected_height_mm))
        if max(posterior_loss, tallest_loss) >= MILD_LOSS - BORDER_TOLERANCE:
            return DeformityType.CRUSH
    return (DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH)[int(np.argmin(normalised))]


def spinal_deformity_index(graded: Iterable[tuple[str | None, int | None]]) -> tuple[int | None, tuple[str, ...]]:
    """Sum of grades over T4-L4 (Crans et al., Bone 2005) and the levels that were assessed, from the head down.

    graded: (level, grade) of each vertebra; either may be None, which then does not count as assessed. The index is
    None where no level of T4-L4 was assessed: that is not an index of 0.
    """
    grades = {level: grade for level, grade in graded if level in SDI_LEVELS and grade is not None}
    assessed = tuple(level for level in SDI_LEVELS if level in grades)
    return (sum(grades[level] for level in assessed) if assessed else None), assessed
