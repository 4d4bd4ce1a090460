"""Projection of CT volumes onto a film: line integrals along the rays of a real geometry.

Belongs here: where source and detector stand, the integrals of soft tissue and bone along every ray, and where a point
of the patient falls on the film. Does not belong here: what a film looks like (exposure), whose volume it is.

Attenuation is that of CT: a voxel of `h` HU attenuates as 1 + h / 1000 of water. It is split where spongy bone begins:
`soft` holds what lies below `BONE_FROM_HU`, `bone` what lies above it, both in mm of water at the CT's energy, so that
their sum is the plain line integral and bone can be weighted as a softer beam would (Alvarez and Macovski, Phys Med
Biol 21 (1976), in its simplest form). Positions on a film are (row, column), pixel centres at whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, map_coordinates
from scipy.spatial.transform import Rotation

from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]
Image = NDArray[np.float32]
View = Literal["lateral", "ap"]

BONE_FROM_HU = 100.0
_STEP_MM = 2.0
"""Volumes are sampled at least this densely along and across the rays."""


@dataclass(frozen=True, eq=False)
class FilmGeometry:
    """Source, patient and detector.

    source_detector_mm, source_axis_mm: distances from the source to the detector and to `centre_lps_mm` (3,), which
    falls on the middle of the film. pixel_mm: at the detector. yaw_deg, roll_deg, pitch_deg: the patient is turned by
    them about the long axis, the sagittal (antero-posterior) and the transverse axis. view: a lateral film has the
    patient's front to the left, an AP film the patient's left to the right. slot: the source travels with the row, as
    a scanned slot does: rows are parallel and only columns are magnified; rows keep the axis' scale. first_row: how far
    the film was cut at its top (`rows_between`), after which the centre falls elsewhere.
    """

    centre_lps_mm: Float
    rows: int
    columns: int
    view: View = "lateral"
    source_detector_mm: float = 1500.0
    source_axis_mm: float = 1150.0
    pixel_mm: float = 0.8
    yaw_deg: float = 0.0
    roll_deg: float = 0.0
    pitch_deg: float = 0.0
    slot: bool = False
    first_row: float = 0.0

    @cached_property
    def axes(self) -> Float:
        """(3, 3) rows: LPS directions of the central ray, of film rows (down) and of film columns (right)."""
        ray, right = (
            ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]) if self.view == "lateral" else ([0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
        )
        turn = Rotation.from_euler("zyx", [self.yaw_deg, self.roll_deg, self.pitch_deg], degrees=True)
        # turning the patient is turning source and detector back
        return np.asarray(turn.inv().apply(np.stack([ray, [0.0, 0.0, -1.0], right])))

    @property
    def axis_pixel_mm(self) -> float:
        """Size of a pixel in the plane through the centre."""
        return self.pixel_mm * self.source_axis_mm / self.source_detector_mm

    @property
    def middle_px(self) -> Float:
        """(row, column) of the centre."""
        return np.array([(self.rows - 1) / 2 - self.first_row, (self.columns - 1) / 2])

    def rows_between(self, first: int, last: int) -> FilmGeometry:
        """The same rays on a film of the rows `first` to `last` alone."""
        rows = last - first + 1
        if rows < 1:
            raise ValueError(f"no rows from {first} to {last}")
        return replace(self, rows=rows, first_row=(rows - 1) / 2 - self.middle_px[0] + first)

    def magnification(self, points_lps_mm: Float) -> Float:
        """(..., 3) -> (...): size at the detector of what lies in the plane of each point."""
        depth = (np.asarray(points_lps_mm) - self.centre_lps_mm) @ self.axes[0] + self.source_axis_mm
        return np.asarray(self.source_detector_mm / depth)

    def to_px(self, points_lps_mm: Float) -> Float:
        """(..., 3) LPS mm -> (..., 2) (row, column); exact."""
        offset = np.asarray(points_lps_mm, dtype=np.float64) - self.centre_lps_mm
        scale = self.magnification(points_lps_mm) / self.pixel_mm
        row_scale = 1.0 / self.axis_pixel_mm if self.slot else scale
        px = np.stack([offset @ self.axes[1] * row_scale, offset @ self.axes[2] * scale], axis=-1)
        return np.asarray(px + self.middle_px)

    def binned(self, factor: int) -> FilmGeometry:
        """The same film with pixels `factor` times as large, reaching at least as far."""
        rows, columns = (-(-n // factor) + 3 for n in (self.rows, self.columns))
        return replace(
            self, rows=rows, columns=columns, pixel_mm=self.pixel_mm * factor, first_row=self.first_row / factor
        )


@dataclass(frozen=True, eq=False)
class Part:
    """A volume that takes part in a projection. weight: float32 (K, J, I) share of each voxel, None for all of it.
    bin: film pixels it may be projected at, where its voxels are too large to show more."""

    volume: Volume
    weight: NDArray[np.float32] | None = None
    bin: int = 1


@dataclass(frozen=True, eq=False)
class Projection:
    """soft, bone: float32 (rows, columns), mm of water along each ray."""

    soft: Image
    bone: Image
    geometry: FilmGeometry

    @property
    def pixel_mm(self) -> float:
        """Size of a pixel in the plane of the geometry's centre."""
        return self.geometry.axis_pixel_mm

    def to_px(self, points_lps_mm: Float) -> Float:
        """See `FilmGeometry.to_px`."""
        return self.geometry.to_px(points_lps_mm)


def project(parts: Volume | Sequence[Part], geometry: FilmGeometry) -> Projection:
    """Integrate volumes along every ray of a film.

    Voxels are interpolated linearly and summed over planes across the beam; outside a volume is nothing. Where several
    parts overlap they add up, so that their weights should sum to one.
    """
    listed = [Part(parts)] if isinstance(parts, Volume) else parts
    soft = np.zeros((geometry.rows, geometry.columns), dtype=np.float32)
    bone = np.zeros_like(soft)
    for factor in sorted({part.bin for part in listed}):
        at = geometry if factor == 1 else geometry.binned(factor)
        sums = np.zeros((2, at.rows, at.columns), dtype=np.float32)
        for part in listed:
            if part.bin == factor:
                _integrate(part, at, sums)
        if factor > 1:
            sums = _unbinned(sums, at, geometry, factor)
        soft += sums[0]
        bone += sums[1]
    return Projection(np.maximum(soft, 0.0), np.maximum(bone, 0.0), geometry)


def _integrate(part: Part, geometry: FilmGeometry, sums: NDArray[np.float32]) -> None:
    """Add a part's integrals to `sums` (2, rows, columns): soft, bone.

    All planes of the part fall on a virtual film that is parallel to them by a scale and a shift of their rows and of
    their columns; the virtual film is then seen on the real one by one projective map.
    """
    block = _block(part, geometry)
    if block is None:
        return
    rows_mm = (np.arange(geometry.rows) - geometry.middle_px[0]) * geometry.pixel_mm
    columns_mm = (np.arange(geometry.columns) - geometry.middle_px[1]) * geometry.pixel_mm
    if geometry.slot:  # parallel rows: as far apart at every depth as at the axis
        rows_mm = rows_mm * geometry.source_axis_mm / geometry.source_detector_mm
    down, right = np.meshgrid(rows_mm, columns_mm, indexing="ij")
    rays = np.stack([np.full_like(down, geometry.source_detector_mm), 0.0 * down if geometry.slot else down, right], -1)
    rays = rays @ (geometry.axes @ block.axes.T)
    source = -geometry.source_axis_mm * geometry.axes[0] @ block.axes.T
    height = -source[0]  # of the source above the virtual film, which lies in the centre
    seen = rays[..., 1:] / rays[..., :1] * height
    if geometry.slot:
        seen[..., 0] = down
    pixel = geometry.axis_pixel_mm
    start = np.floor(seen.reshape(-1, 2).min(axis=0) / pixel) - 1
    size = np.ceil(seen.reshape(-1, 2).max(axis=0) / pixel).astype(int) + 2 - start.astype(int)
    lines = [(start[n] + np.arange(size[n])) * pixel for n in range(2)]
    total = np.zeros((2, size[0], size[1]), dtype=np.float32)
    for k, values in enumerate(np.moveaxis(block.values, 1, 0)):
        scale = (block.low[0] + k * block.step[0] - source[0]) / height
        row_scale = 1.0 if geometry.slot else scale
        rows = _weights((source[1] + lines[0] * row_scale - block.low[1]) / block.step[1], values.shape[1])
        columns = _weights((source[2] + lines[1] * scale - block.low[2]) / block.step[2], values.shape[2])
        for n in range(2):
            if values[n].any():
                across = _interpolated(values[n], rows)
                total[n][rows.film, columns.film] += _interpolated(across.T, columns).T
    where = np.moveaxis(seen / pixel - start, -1, 0).astype(np.float32)
    length = (block.step[0] * np.linalg.norm(rays, axis=-1) / rays[..., 0]).astype(np.float32)
    for n in range(2):
        sums[n] += length * map_coordinates(total[n], where, order=3, mode="nearest", output=np.float32)


@dataclass(frozen=True, eq=False)
class _Block:
    """Attenuation on a grid whose planes face the beam. values: (2, N, M, L) soft and bone along ray, rows, columns.
    low: place of the first voxel from the geometry's centre, step: between voxels (3,), mm along `axes` (3, 3) rows."""

    values: NDArray[np.float32]
    low: Float
    step: Float
    axes: Float


def _block(part: Part, geometry: FilmGeometry) -> _Block | None:
    """A part's voxels as they lie where their axes are at right angles and rays spread from a point; turned into the
    frame of the rays otherwise. None for a part that is empty."""
    volume = part.volume
    hu = volume.hu.astype(np.float32) * np.float32(1e-3)
    water = np.clip(hu + np.float32(1.0), 0.0, np.float32(1.0 + BONE_FROM_HU * 1e-3))
    bone = np.maximum(hu - np.float32(BONE_FROM_HU * 1e-3), 0.0)
    if part.weight is not None:
        water *= part.weight
        bone *= part.weight
    if not water.any():
        return None
    directions = (volume.affine_lps[:3, :3] / np.asarray(volume.spacing_mm)).T
    along = geometry.axes @ directions.T
    order = np.argmax(np.abs(along), axis=1)
    signs = np.sign(along[np.arange(3), order])
    axes = directions[order] * signs[:, None]
    native = np.asarray(volume.spacing_mm)[order]
    straight = np.allclose(directions @ directions.T, np.eye(3), atol=1e-5)
    if straight and (not geometry.slot or np.allclose(axes, geometry.axes, atol=1e-6)):
        first = np.where(signs > 0, 0, np.asarray(volume.shape_ijk)[order] - 1)
        ijk = np.zeros(3)
        ijk[order] = first
        low = axes @ (volume.to_lps(ijk) - geometry.centre_lps_mm)
        flips = tuple(slice(None, None, int(sign)) for sign in signs)
        values = [np.transpose(v, 2 - order)[flips] for v in (water, bone)]
        return _Block(
            np.pad(np.stack(values), ((0, 0), (0, 0), (1, 1), (1, 1))), low - native * [0, 1, 1], native, axes
        )
    return _turned(volume, (water, bone), geometry, np.minimum(native, _STEP_MM))


def _turned(volume: Volume, values: Sequence[Image], geometry: FilmGeometry, step: Float) -> _Block:
    """Values of a volume's voxels in the frame of the rays."""
    ends = np.array([[0.0, n - 1.0] for n in volume.shape_ijk])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(8, 3)
    places = (volume.to_lps(corners) - geometry.centre_lps_mm) @ geometry.axes.T
    low = places.min(axis=0) - step
    shape = tuple(int(n) for n in np.ceil((places.max(axis=0) - low) / step - 1e-6) + 2)
    matrix = volume.inverse_affine[:3, :3] @ geometry.axes.T * step
    offset = volume.to_ijk(geometry.centre_lps_mm + low @ geometry.axes)
    turned = [
        affine_transform(
            v, matrix[::-1], offset[::-1], output_shape=shape, order=1, mode="grid-constant", output=np.float32
        )
        for v in values
    ]
    return _Block(np.stack(turned), low, step, geometry.axes)


@dataclass(frozen=True, eq=False)
class _Weights:
    """Linear interpolation of a line: the film's pixels it reaches, the sample before each, the next one's share."""

    film: slice
    lower: NDArray[np.intp]
    share: Image


def _weights(at: Float, count: int) -> _Weights:
    """at: increasing (P,) positions, in samples, of the film's pixels on a line of `count` samples."""
    first, last = np.searchsorted(at, 0.0), np.searchsorted(at, count - 1.0)
    inside = at[first:last]
    lower = np.clip(inside.astype(np.intp), 0, max(count - 2, 0))
    return _Weights(slice(int(first), int(last)), lower, (inside - lower).astype(np.float32))


def _interpolated(lines: Image, weights: _Weights) -> Image:
    """(S, L) -> (P, L): along the first axis."""
    share = weights.share[:, None]
    return np.asarray(lines[weights.lower] * (np.float32(1.0) - share) + lines[weights.lower + 1] * share)


def _unbinned(sums: NDArray[np.float32], coarse: FilmGeometry, fine: FilmGeometry, factor: int) -> NDArray[np.float32]:
    """(2, rows, columns) of a binned film on the pixels of the fine one."""
    rows = (np.arange(fine.rows) - fine.middle_px[0]) / factor + coarse.middle_px[0]
    columns = (np.arange(fine.columns) - fine.middle_px[1]) / factor + coarse.middle_px[1]
    where = np.stack(np.meshgrid(rows, columns, indexing="ij")).astype(np.float32)
    return np.stack([map_coordinates(s, where, order=3, mode="nearest", output=np.float32) for s in sums])
