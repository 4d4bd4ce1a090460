"""What the density measurement returns: plain values, no I/O, no rows (screening.rows makes those).

Belongs here: records. Does not belong here: how a value came about (region, corrections, calibration, measure).
`None` means not measured or not known; the reasons stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.schema.names import CalibrationKind, ContrastPhase, DensityCategory, DensityReason, FocalLesion

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VertebraDensity:
    """Density of one vertebra. Raw HU as measured; corrections are what to add; densities in mg/cm3.

    valid: None where no region was measured. outline_lps_mm: (N, 3) border of the region on the mid-sagittal plane,
    for the picture.
    """

    trabecular_hu_mean: float | None = None
    trabecular_hu_median: float | None = None
    trabecular_hu_sd: float | None = None
    trabecular_volume_mm3: float | None = None
    valid: bool | None = None
    reasons: tuple[DensityReason, ...] = ()
    kvp_correction_hu: float | None = None
    contrast_correction_hu: float | None = None
    kernel_correction_hu: float | None = None
    trabecular_hu_corrected: float | None = None
    bmd_mg_cm3: float | None = None
    bmd_sd_mg_cm3: float | None = None
    focal_lesion: FocalLesion | None = None
    outline_lps_mm: Float | None = None


@dataclass(frozen=True)
class SeriesDensity:
    """Density of a series: phase, and the reference value with the levels it was taken from (`L1`, or a fall-back)."""

    contrast_phase: ContrastPhase | None = None
    contrast_phase_probability: float | None = None
    contrast_header_disagrees: bool | None = None
    reference_hu: float | None = None
    reference_hu_corrected: float | None = None
    reference_levels: tuple[str, ...] = ()
    category: DensityCategory | None = None
    calibration_kind: CalibrationKind = CalibrationKind.NONE


UNMEASURED = VertebraDensity()
"""A vertebra whose density nobody looked at."""
NO_DENSITY = SeriesDensity()
"""A series whose density nobody looked at."""
