"""Vertebrae that stand out from the patient's own: darker or brighter patches than any of the others has.

Belongs here: patches of a body's interior, and outliers among a patient's vertebrae. Does not belong here: the interior
(region), what a flag means to a reader: it asks for review and is no diagnosis. Metastases, myeloma, islands and
haemangiomas look alike here, and in bone as thin as soft tissue a lytic lesion cannot be seen.

Comparing a patient with himself needs no normal values: basivertebral veins, noise, voltage and contrast are the same
in all his vertebrae.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.region import Region
from vfscreen.schema.names import FocalLesion
from vfscreen.settings_density import LesionSettings

Float = NDArray[np.float64]

BLOCK_MM = 6.0
"""Edge of the cubes whose means are compared: a lesion smaller than this is not looked for."""
_FULL_SHARE = 0.6
"""Cubes cut by the border of the interior to less than this share of the fullest one are left out."""


@dataclass(frozen=True)
class Patches:
    """Mean HU of a body: of its region, of the darkest and the brightest cube of its interior."""

    region_hu: float
    darkest_hu: float
    brightest_hu: float


def patches(region: Region) -> Patches:
    """Cubes of `BLOCK_MM` in the body's own frame, with one of them centred on it."""
    cube = np.floor(region.interior_uvw / BLOCK_MM + 0.5).astype(np.int64)
    cube -= cube.min(axis=0)
    counts = cube.max(axis=0) + 1
    label = (cube[:, 0] * counts[1] + cube[:, 1]) * counts[2] + cube[:, 2]
    size = np.bincount(label)
    total = np.bincount(label, weights=region.interior_hu)
    full = size >= _FULL_SHARE * size.max()
    means = total[full] / size[full]
    return Patches(float(region.hu.mean(dtype=np.float64)), float(means.min()), float(means.max()))


def focal_lesions(found: Sequence[Patches | None], settings: LesionSettings) -> list[FocalLesion | None]:
    """A flag for each vertebra; None where it has no region, or too few others have. A vertebra with a dark and a
    bright patch is lytic."""
    known = [p for p in found if p is not None]
    if len(known) < settings.vertebra_count_min:
        return [None] * len(found)
    darkest, brightest = (np.array([getattr(p, name) for p in known]) for name in ("darkest_hu", "brightest_hu"))
    return [None if p is None else _flag(p, darkest, brightest, settings) for p in found]


def is_sclerotic(found: Sequence[Patches | None], settings: LesionSettings) -> list[bool]:
    """Whether a region as a whole is far denser than the patient's median: then it measures no density."""
    known = np.array([p.region_hu for p in found if p is not None])
    if known.size < settings.vertebra_count_min:
        return [False] * len(found)
    limit = max(settings.sclerotic_mean_difference_hu, settings.outlier_z * _deviation(known))
    return [p is not None and p.region_hu - float(np.median(known)) >= limit for p in found]


def _flag(p: Patches, darkest: Float, brightest: Float, settings: LesionSettings) -> FocalLesion:
    lytic = max(settings.lytic_difference_hu, settings.outlier_z * _deviation(darkest))
    sclerotic = max(settings.sclerotic_difference_hu, settings.outlier_z * _deviation(brightest))
    if float(np.median(darkest)) - p.darkest_hu >= lytic:
        return FocalLesion.LYTIC
    if p.brightest_hu - float(np.median(brightest)) >= sclerotic:
        return FocalLesion.SCLEROTIC
    return FocalLesion.NONE


def _deviation(values: Float) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
