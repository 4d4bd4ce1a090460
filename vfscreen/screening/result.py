"""What the screening chain returns for one series; plain values, no I/O, no rows (screening.rows makes those).

Coordinates are LPS mm. `None` means not measured, with `reason` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.result import NO_DENSITY, UNMEASURED, SeriesDensity, VertebraDensity
from vfscreen.errors import ReasonCode
from vfscreen.geometry.curve import Centreline
from vfscreen.schema.names import DeformityType
from vfscreen.spine.straighten import StraightenedSlab

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vertebra:
    """One vertebra, measured. Shapes: keypoints (6, 3), keypoint_sd_mm, heights (3,): anterior, middle, posterior."""

    vertebra_level: str | None
    level_probability: float | None
    level_certain: bool
    truncated: bool
    detection_probability: float
    centre_lps_mm: Float
    keypoints_lps_mm: Float | None
    keypoint_sd_mm: Float | None
    heights_mm: Float | None
    height_sd_mm: Float | None
    height_loss_ratio_raw: float | None
    height_loss_ratio_adjusted: float | None
    genant_grade_raw: int | None
    genant_grade: int | None
    deformity_type: DeformityType | None
    fracture_probability: float | None
    grade2_probability: float | None
    grade3_probability: float | None
    fracture_score: float
    reason: ReasonCode | None
    density: VertebraDensity = UNMEASURED


@dataclass(frozen=True, eq=False)
class PatientSummary:
    """The column as a whole. `None` where no vertebra was graded."""

    fracture_probability: float | None
    grade2_probability: float | None
    max_genant_grade: int | None
    sdi: int | None
    sdi_levels_assessed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ScreeningResult:
    """A screened series. `slab` is kept for the overlay picture."""

    centreline: Centreline
    vertebrae: tuple[Vertebra, ...]
    patient: PatientSummary
    slab: StraightenedSlab
    density: SeriesDensity = NO_DENSITY
