"""Resample a thin sagittal slab along the spine centreline, and map its pixels back to the patient.

Belongs here: the slab's sampling grid and its two-way map. Does not belong here: finding the centreline or reading
the slab (models). Only the slab is ever sampled at full resolution; the volume is never resampled as a whole.

A slab is an image as a radiologist hangs a sagittal view: row 0 superior, column 0 anterior. Its planes lie side by
side
from the patient's right to left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import AIR_HU, Volume

Float = NDArray[np.float64]


@dataclass(frozen=True)
class SlabSpec:
    """What a network expects of its slab; part of a weight card.

    pixel_mm: pixel size. anterior_mm, posterior_mm: extent before and behind the centreline. margin_mm: how far
    the slab goes beyond both ends of the centreline. plane_offsets_mm: towards the patient's left.
    """

    pixel_mm: float = 1.0
    anterior_mm: float = 48.0
    posterior_mm: float = 48.0
    margin_mm: float = 24.0
    plane_offsets_mm: tuple[float, ...] = (-6.0, -3.0, 0.0, 3.0, 6.0)

    @property
    def columns(self) -> int:
        return round((self.anterior_mm + self.posterior_mm) / self.pixel_mm)


@dataclass(frozen=True, eq=False)
class StraightenedSlab:
    """hu: float32 (planes, rows, columns); outside the volume AIR_HU. inside: bool, same shape: was there a voxel?"""

    hu: NDArray[np.float32]
    inside: NDArray[np.bool_]
    centreline: Centreline
    spec: SlabSpec

    def to_curve(self, row_column: Float) -> Float:
        """(..., 2) pixel coordinates (row, column) -> (..., 2) curve coordinates s and p in mm."""
        origin = np.array([self.spec.margin_mm, self.spec.anterior_mm])
        return np.asarray(np.asarray(row_column) * self.spec.pixel_mm - origin, dtype=np.float64)

    def to_lps(self, row_column: Float, offset_mm: float = 0.0) -> Float:
        """(..., 2) pixel coordinates (row, column) -> (..., 3) LPS mm, on the plane `offset_mm` to the left."""
        sp = self.to_curve(row_column)
        s, p = sp[..., 0], sp[..., 1]
        return self.centreline.to_lps(np.stack([s, p, np.full_like(s, offset_mm)], axis=-1))

    def from_lps(self, lps_mm: Float) -> Float:
        """(..., 3) LPS mm -> (..., 3): row, column, and mm to the left of the middle plane."""
        spl = self.centreline.from_lps(lps_mm)
        row = (spl[..., 0] + self.spec.margin_mm) / self.spec.pixel_mm
        column = (spl[..., 1] + self.spec.anterior_mm) / self.spec.pixel_mm
        return np.stack([row, column, spl[..., 2]], axis=-1)


def straighten(volume: Volume, centreline: Centreline, spec: SlabSpec) -> StraightenedSlab:
    """Sample `volume` along `centreline` (trilinear).

    Returns a slab of round((length + 2 margin) / pixel) rows. Positions outside the volume are AIR_HU and
    `inside` is false there.
    """
    rows = round((centreline.length_mm + 2 * spec.margin_mm) / spec.pixel_mm)
    s = np.arange(rows, dtype=np.float64) * spec.pixel_mm - spec.margin_mm
    p = np.arange(spec.columns, dtype=np.float64) * spec.pixel_mm - spec.anterior_mm
    l_ = np.asarray(spec.plane_offsets_mm, dtype=np.float64)
    ijk = volume.to_ijk(centreline.grid_to_lps(s, p, l_))
    upper = np.asarray(volume.shape_ijk, dtype=np.float64) - 0.5
    inside = np.asarray(((ijk >= -0.5) & (ijk <= upper)).all(axis=-1))
    # half a voxel beyond the outermost centres still belongs to the volume: hold the edge value there
    kji = np.clip(np.moveaxis(ijk[..., ::-1], -1, 0), 0.0, (upper - 0.5)[::-1, None, None, None])
    # plane by plane innermost: the planes of one place lie in the same cache line
    across = np.moveaxis(kji, 1, -1).copy()
    hu = np.moveaxis(map_coordinates(volume.hu, across, order=1, output=np.float32, mode="nearest"), -1, 0)
    return StraightenedSlab(np.where(inside, hu, np.float32(AIR_HU)), inside, centreline, spec)
