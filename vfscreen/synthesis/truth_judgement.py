"""What a perfect reader judges of a vertebra whose heights are known, on a CT or on a film.

Belongs here: losses, grades, probabilities of the truth. Does not belong here: rows (`truth_lake`, `truth_films`).
"""

from __future__ import annotations

from typing import Any

from vfscreen.errors import ReasonCode
from vfscreen.morphometry.genant import genant_grade, raw_height_loss
from vfscreen.morphometry.reference import adjusted_height_loss
from vfscreen.schema.names import GRADED_LEVELS, DeformityType
from vfscreen.synthesis.anatomy import Float
from vfscreen.synthesis.truth import VisibleVertebra


def perfect_judgement(v: VisibleVertebra, heights: Float, expected_height: float | None) -> dict[str, Any]:
    """Losses, grades, probabilities of 0 or 1, and why there are none. heights: (3,), in the unit of
    expected_height."""
    whole = not v.truncated
    graded = whole and v.vertebra_level in GRADED_LEVELS
    raw = float(raw_height_loss(heights))
    adjusted = float(adjusted_height_loss(heights, v.vertebra_level, expected_height))
    grade = int(genant_grade(adjusted))
    ungraded = ReasonCode.LEVEL_NOT_GRADED if whole else ReasonCode.TRUNCATED
    at_least = [float(grade >= n) if graded else None for n in (1, 2, 3)]
    return {
        "height_loss_ratio_raw": raw if graded else None,
        "height_loss_ratio_adjusted": adjusted if graded else None,
        "genant_grade_raw": int(genant_grade(raw)) if graded else None,
        "genant_grade": grade if graded else None,
        "deformity_type": DeformityType(v.deformity_type) if graded else None,
        "fracture_probability": at_least[0],
        "grade2_probability": at_least[1],
        "grade3_probability": at_least[2],
        "fracture_score": float(v.genant_grade_raw >= 1),
        "reason": None if graded else ungraded,
    }
