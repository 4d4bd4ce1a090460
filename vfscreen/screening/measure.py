"""From points in the patient to findings: heights, losses, grades, probabilities, the patient's summary, density.

Belongs here: applying morphometry and density to a whole column, and which vertebrae are measured at all. Does not
belong here: the definitions (morphometry, density), how the points were found (chain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

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
from vfscreen.schema.names import GRADED_LEVELS, DeformityType
from vfscreen.screening.result import PatientSummary, Vertebra
from vfscreen.screening.truncation import NEAR_FACE_MM, is_cut_short
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
    reach_mm = max(NEAR_FACE_MM, *volume.spacing_mm)
    column = [
        replace(f, truncated=f.truncated or (e is not None and is_cut_short(volume, f.keypoints_lps_mm, e, reach_mm)))
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


class Judged(Protocol):
    """A vertebra, of a CT or of a film, as far as the patient's summary asks."""

    @property
    def vertebra_level(self) -> str | None: ...

    @property
    def genant_grade(self) -> int | None: ...

    @property
    def fracture_probability(self) -> float | None: ...

    @property
    def grade2_probability(self) -> float | None: ...


def summarise(vertebrae: Sequence[Judged]) -> PatientSummary:
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


@dataclass(frozen=True)
class Judgement:
    """What is said of one vertebra besides where it is; the fields of `Vertebra` of the same names."""

    height_loss_ratio_raw: float | None = None
    height_loss_ratio_adjusted: float | None = None
    genant_grade_raw: int | None = None
    genant_grade: int | None = None
    deformity_type: DeformityType | None = None
    fracture_probability: float | None = None
    grade2_probability: float | None = None
    grade3_probability: float | None = None
    reason: ReasonCode | None = None


def judge(
    heights: Float,
    height_sd: Float,
    level: str | None,
    expected_height: float | None,
    fracture_score: float,
    settings: ScreeningSettings,
    calibration: GradeCalibration,
    truncated: bool,
) -> Judgement:
    """Judge one vertebra. heights, height_sd: (3,), and expected_height: in one unit, whichever: only ratios count."""
    if truncated:
        return Judgement(reason=ReasonCode.TRUNCATED)
    if level is not None and level not in GRADED_LEVELS:
        return Judgement(reason=ReasonCode.LEVEL_NOT_GRADED)
    raw = float(raw_height_loss(heights))
    adjusted = float(adjusted_height_loss(heights, level, expected_height))
    grade = int(genant_grade(adjusted))
    measured = grade_probabilities(heights, height_sd, level, expected_height)
    joined = calibration.apply(join_fracture_score(measured, fracture_score, settings.fracture_score_weight))
    return Judgement(
        height_loss_ratio_raw=raw,
        height_loss_ratio_adjusted=adjusted,
        genant_grade_raw=int(genant_grade(raw)),
        genant_grade=grade,
        deformity_type=deformity_type(heights, grade, level, expected_height),
        fracture_probability=float(joined[0]),
        grade2_probability=float(joined[1]),
        grade3_probability=float(joined[2]),
    )


def _judged(
    f: Found, expected_height_mm: float | None, settings: ScreeningSettings, calibration: GradeCalibration
) -> Vertebra:
    """Of a truncated one nothing that would need the part outside the picture."""
    judgement = judge(
        f.heights_mm,
        f.height_sd_mm,
        f.vertebra_level,
        expected_height_mm,
        f.fracture_score,
        settings,
        calibration,
        f.truncated,
    )
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
        fracture_score=f.fracture_score,
        **vars(judgement),
    )
