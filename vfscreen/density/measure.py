"""Density of a whole column: every step in order.

Belongs here: what is measured of which vertebra, its reasons, what passes between the steps. Does not belong here: any
step itself, rows and pictures.

Two kinds of reasons: those of the vertebra (cut, fractured, sclerotic, metal ...), with which its value counts for
nothing, and those of the series (voltage or phase unknown), with which the raw value stands but no corrected one can be
had. `valid` means neither; the raw reference value needs only that the vertebra is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.acquisition import Acquisition
from vfscreen.density.calibration import Calibration, internal_calibration, scanner_curve, tissue_hu
from vfscreen.density.contrast import contrast_phase, enhancement, header_disagrees
from vfscreen.density.corrections import Corrections, corrections
from vfscreen.density.frame import body_frame
from vfscreen.density.lesions import focal_lesions, is_sclerotic, patches
from vfscreen.density.planes import axial_planes
from vfscreen.density.reference import density_category, reference_value
from vfscreen.density.region import Region, body_region
from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import CalibrationKind, DensityReason, FocalLesion
from vfscreen.settings_density import DensitySettings, RegionSettings

Float = NDArray[np.float64]

_METAL_VOXELS = 20


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebra as density needs it. keypoints_lps_mm: (6, 3), None of a truncated one. genant_grade: headline grade,
    None where not graded."""

    vertebra_level: str | None
    keypoints_lps_mm: Float | None
    genant_grade: int | None


def measure_density(
    volume: Volume, bodies: Sequence[Body], acquisition: Acquisition, settings: DensitySettings
) -> tuple[SeriesDensity, tuple[VertebraDensity, ...]]:
    """Density of the vertebrae of a volume, given from superior to inferior, and of the series as a whole.

    Deterministic; does not depend on how the volume is stored, and a mirrored patient has the same values.
    """
    frames = [None if b.keypoints_lps_mm is None else body_frame(b.keypoints_lps_mm) for b in bodies]
    regions = [None if f is None else body_region(volume, f, settings.region) for f in frames]
    planes = axial_planes(volume, [(b.vertebra_level, f) for b, f in zip(bodies, frames, strict=True) if f is not None])
    phase = contrast_phase(enhancement(planes), settings.contrast)
    added = corrections(acquisition, phase, settings.corrections, settings.contrast.probability_min)
    calibration = scanner_curve(acquisition, settings.calibration)
    if calibration is None and settings.calibration.internal:
        calibration = internal_calibration(tissue_hu(planes, phase.phase, settings.calibration), settings.calibration)

    seen = [None if r is None else patches(r) for r in regions]
    lesions = focal_lesions(seen, settings.lesions)
    sclerotic = is_sclerotic(seen, settings.lesions)
    thick = max(*volume.spacing_mm, acquisition.slice_thickness_mm or 0.0) > settings.region.slice_thickness_max_mm
    vertebrae, sound = [], {}
    for body, region, lesion, dense in zip(bodies, regions, lesions, sclerotic, strict=True):
        reasons = _reasons(body, region, dense, thick, settings.region)
        vertebrae.append(_vertebra(region, reasons, added, calibration, lesion))
        if not reasons and region is not None and body.vertebra_level is not None:
            sound[body.vertebra_level] = float(region.hu.mean(dtype=np.float64))
    raw, levels = reference_value(sound, settings)
    corrected = None if raw is None else added.apply(raw)
    series = SeriesDensity(
        contrast_phase=phase.phase,
        contrast_phase_probability=phase.probability,
        contrast_header_disagrees=None
        if acquisition.is_empty
        else header_disagrees(phase.phase, acquisition.contrast_agent),
        reference_hu=raw,
        reference_hu_corrected=corrected,
        reference_levels=levels,
        category=density_category(corrected, settings),
        calibration_kind=CalibrationKind.NONE if calibration is None else calibration.kind,
    )
    return series, tuple(vertebrae)


def _reasons(
    body: Body, region: Region | None, sclerotic: bool, thick: bool, settings: RegionSettings
) -> tuple[DensityReason, ...]:
    """What speaks against a vertebra's value, whatever the series is like."""
    if region is None:
        return (DensityReason.TRUNCATED if body.keypoints_lps_mm is None else DensityReason.TOO_SMALL,)
    mean, median = float(region.hu.mean(dtype=np.float64)), float(np.median(region.hu))
    low, high = settings.plausible_hu
    found = {
        DensityReason.FRACTURED: body.genant_grade is not None and body.genant_grade >= settings.fractured_grade_min,
        DensityReason.METAL: int(np.count_nonzero(region.interior_hu > settings.metal_hu)) >= _METAL_VOXELS,
        DensityReason.SCLEROTIC: sclerotic or mean - median > settings.skew_max_hu,
        DensityReason.NOT_BONE: not low <= mean <= high,
        DensityReason.THICK_SLICES: thick,
        DensityReason.LEVEL_UNKNOWN: body.vertebra_level is None,
    }
    return tuple(reason for reason, holds in found.items() if holds)


def _vertebra(
    region: Region | None,
    reasons: tuple[DensityReason, ...],
    added: Corrections,
    calibration: Calibration | None,
    lesion: FocalLesion | None,
) -> VertebraDensity:
    if region is None:
        return VertebraDensity(reasons=reasons)
    hu = region.hu
    mean, sd = float(hu.mean(dtype=np.float64)), float(hu.std(dtype=np.float64))
    density: tuple[float, float] | tuple[None, None] = (None, None)
    if calibration is not None and added.contrast_hu is not None:
        # calibration takes care of voltage and kernel: the tissues were measured with the same ones
        density = calibration.density_mg_cm3(mean + added.contrast_hu, sd / float(np.sqrt(hu.size)))
    every = reasons + added.reasons
    return VertebraDensity(
        trabecular_hu_mean=mean,
        trabecular_hu_median=float(np.median(hu)),
        trabecular_hu_sd=sd,
        trabecular_volume_mm3=region.volume_mm3,
        valid=not every,
        reasons=every,
        kvp_correction_hu=added.kvp_hu,
        contrast_correction_hu=added.contrast_hu,
        kernel_correction_hu=added.kernel_hu,
        trabecular_hu_corrected=added.apply(mean),
        bmd_mg_cm3=density[0],
        bmd_sd_mg_cm3=density[1],
        focal_lesion=lesion,
        outline_lps_mm=region.outline_lps_mm,
    )
