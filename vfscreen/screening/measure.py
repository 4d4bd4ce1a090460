"""From points in the patient to findings: heights, losses, grades, probabilities, the patient's summary, density.

Belongs here: applying morphometry and density to a whole column, and which vertebrae are measured at all. Does not
belong here: the definitions (morphometry, density), how the points were found (chain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.acquisition import Acquisition
from vfscreen.density.measure import Body, measure_density
from vfscreen.density.result import SeriesDensity
from vfscreen.errors import ReasonCode
from vfscreen.geometry.volume import Volume
from vfscreen.morphometry.deformity import deformity_type, spinal_deformity_index
from vfscreen.morphometry.genant import genant_grade, raw_height_loss
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.morphometry.probability import (
    GradeCalibration,
    grade_probabilities,
    join_fracture_score,
    probability_of_any,
)
from vfscreen.morphometry.reference import adjusted_height_loss
from vfscreen.schema.names import GRADED_LEVELS
from vfscreen.screening.result import PatientSummary, Vertebra
from vfscreen.screening.truncation import is_cut_short
from vfscreen.settings import ScreeningSettings
from vfscreen.settings_density import DensitySettings

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """A labelled detection in the patient, before it is judged. Shapes as in screening.result.Vertebra."""

    vertebra_level: str | None
    level_probability: float | None
    level_certain: bool
    detection_probability: float
    centre_lps_mm: Float
    keypoints_lps_mm: Float
    keypoint_sd_mm: Float
    heights_mm: Float
    height_sd_mm: Float
    fracture_score: float
    truncated: bool


UNCALIBRATED = GradeCalibration()
"""Probabilities as they follow from the heights' stated uncertainty."""


def interpret(
    found: Sequence[Found], volume: Volume, settings: ScreeningSettings, calibration: GradeCalibration = UNCALIBRATED
) -> tuple[tuple[Vertebra, ...], PatientSummary]:
    """Judge a column, from superior to inferior. The vertebrae that are whole are the reference of one another."""
    column = list(found)
    column = [
        replace(f, truncated=f.truncated or (e is not None and is_cut_short(volume, f.keypoints_lps_mm, e)))
        for f, e in zip(column, _expected(column), strict=True)
    ]
    vertebrae = tuple(_judged(f, e, settings, calibration) for f, e in zip(column, _expected(column), strict=True))
    return vertebrae, summarise(vertebrae)


def with_density(
    volume: Volume, vertebrae: Sequence[Vertebra], acquisition: Acquisition, settings: DensitySettings
) -> tuple[tuple[Vertebra, ...], SeriesDensity]:
    """Judged vertebrae, from superior to inferior, with the density of each, and that of the series."""
    bodies = [Body(v.vertebra_level, v.keypoints_lps_mm, v.genant_grade) for v in vertebrae]
    series, densities = measure_density(volume, bodies, acquisition, settings)
    return tuple(replace(v, density=d) for v, d in zip(vertebrae, densities, strict=True)), series


def summarise(vertebrae: Sequence[Vertebra]) -> PatientSummary:
    """The patient's score is P(at least one vertebra); no graded vertebra, no score."""
    grades = [v.genant_grade for v in vertebrae if v.genant_grade is not None]
    sdi, assessed = spinal_deformity_index((v.vertebra_level, v.genant_grade) for v in vertebrae)
    return PatientSummary(
        fracture_probability=probability_of_any(
            v.fracture_probability for v in vertebrae if v.fracture_probability is not None
        ),
        grade2_probability=probability_of_any(
            v.grade2_probability for v in vertebrae if v.grade2_probability is not None
        ),
        max_genant_grade=max(grades, default=None),
        sdi=sdi,
        sdi_levels_assessed=assessed,
    )


def _expected(column: Sequence[Found]) -> list[float | None]:
    return expected_posterior_heights_mm(
        [None if f.truncated else f.heights_mm for f in column], [f.vertebra_level for f in column]
    )


def _judged(
    f: Found, expected_height_mm: float | None, settings: ScreeningSettings, calibration: GradeCalibration
) -> Vertebra:
    if f.truncated:
        return _ungraded(f, ReasonCode.TRUNCATED)
    if f.vertebra_level is not None and f.vertebra_level not in GRADED_LEVELS:
        return _ungraded(f, ReasonCode.LEVEL_NOT_GRADED)
    return _graded(f, expected_height_mm, settings, calibration)


def _graded(
    f: Found, expected_height_mm: float | None, settings: ScreeningSettings, calibration: GradeCalibration
) -> Vertebra:
    raw = float(raw_height_loss(f.heights_mm))
    adjusted = float(adjusted_height_loss(f.heights_mm, f.vertebra_level, expected_height_mm))
    grade = int(genant_grade(adjusted))
    measured = grade_probabilities(f.heights_mm, f.height_sd_mm, f.vertebra_level, expected_height_mm)
    joined = calibration.apply(join_fracture_score(measured, f.fracture_score, settings.fracture_score_weight))
    return Vertebra(
        vertebra_level=f.vertebra_level,
        level_probability=f.level_probability,
        level_certain=f.level_certain,
        truncated=False,
        detection_probability=f.detection_probability,
        centre_lps_mm=f.centre_lps_mm,
        keypoints_lps_mm=f.keypoints_lps_mm,
        keypoint_sd_mm=f.keypoint_sd_mm,
        heights_mm=f.heights_mm,
        height_sd_mm=f.height_sd_mm,
        height_loss_ratio_raw=raw,
        height_loss_ratio_adjusted=adjusted,
        genant_grade_raw=int(genant_grade(raw)),
        genant_grade=grade,
        deformity_type=deformity_type(f.heights_mm, grade, f.vertebra_level, expected_height_mm),
        fracture_probability=float(joined[0]),
        grade2_probability=float(joined[1]),
        grade3_probability=float(joined[2]),
        fracture_score=f.fracture_score,
        reason=None,
    )


def _ungraded(f: Found, reason: ReasonCode) -> Vertebra:
    """Where it is and why it has no grade. Of a truncated one nothing that would need the part outside the picture."""
    whole = not f.truncated
    return Vertebra(
        vertebra_level=f.vertebra_level,
        level_probability=f.level_probability,
        level_certain=f.level_certain,
        truncated=f.truncated,
        detection_probability=f.detection_probability,
        centre_lps_mm=f.centre_lps_mm,
        keypoints_lps_mm=f.keypoints_lps_mm if whole else None,
        keypoint_sd_mm=f.keypoint_sd_mm if whole else None,
        heights_mm=f.heights_mm if whole else None,
        height_sd_mm=f.height_sd_mm if whole else None,
        height_loss_ratio_raw=None,
        height_loss_ratio_adjusted=None,
        genant_grade_raw=None,
        genant_grade=None,
        deformity_type=None,
        fracture_probability=None,
        grade2_probability=None,
        grade3_probability=None,
        fracture_score=f.fracture_score,
        reason=reason,
    )
