"""Settings of the evaluation against readers. None of them changes a sweep's result.

Belongs here: names, types, limits and defaults. Does not belong here: what a setting does (evaluation).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from vfscreen.settings_section import Section


class EvaluationSettings(Section):
    """How a lake is compared with readers."""

    consensus: str | None = Field(
        None, description="single, majority, median, adjudicated or reader:NAME; may be unset only for one reader."
    )
    confidence_min: float = Field(0.5, ge=0, le=1, description="Readings less sure than this are not evaluable.")
    match_mm: float = Field(12.0, gt=0, description="Largest distance of two centres of one vertebral body.")
    grade_targets: tuple[int, ...] = Field(
        (2, 1), description="A finding is a grade of at least this; the first leads."
    )
    bootstrap_resamples: int = Field(2000, ge=100)
    bootstrap_seed: int = 20231
    calibration_bins: int = Field(10, ge=2)
    threshold_rule: Literal["youden", "sensitivity", "specificity"] = "youden"
    threshold_at_least: float | None = Field(None, gt=0, le=1, description="Wanted sensitivity or specificity.")
    age_edges_years: tuple[float, ...] = (50.0, 60.0, 70.0, 80.0)
    thickness_edges_mm: tuple[float, ...] = (1.5, 3.0)
    subgroup_patients_min: int = Field(5, ge=1, description="Smaller subgroups are counted, not measured.")

    @field_validator("grade_targets")
    @classmethod
    def _grades(cls, targets: tuple[int, ...]) -> tuple[int, ...]:
        if not targets or len(set(targets)) != len(targets) or not set(targets) <= {1, 2, 3}:
            raise ValueError("grade_targets are different grades of 1, 2 and 3")
        return targets
