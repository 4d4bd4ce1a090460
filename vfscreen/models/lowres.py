"""Any CT volume on one coarse grid in patient coordinates, for the locator.

Belongs here: anti-aliased resampling to `CELL_MM`, cropping to the body, the grid's place in the patient. Does not
belong here: networks and what they make of the grid (models.locator).

The grid's axes are LPS (index x to the patient's left, y to the back, z to the head) and it is anchored on the centre
of the volume, never on a voxel order: mirrored, reversed or re-oriented copies of a series give the same grid.
Every voxel of thick slices, and at least one slice a millimetre of thin ones, is averaged into its cell; only one
slice at a time is ever held as floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from vfscreen.geometry.volume import Volume

Float = NDArray[np.float64]
Image = NDArray[np.float32]

CELL_MM = 4.0
SAMPLE_MM = 1.0
"""Slices nearer to one another than this are thinned out before they are averaged."""

CELLS_MAX = (640, 160, 192)
"""Longest grid along z, y, x: 2.56 m x 0.64 m x 0.77 m of patient."""

BODY_MIN = 0.5
"""Normalised attenuation (0 air, 1 water) above which a cell counts as body when cropping."""

_MARGIN_CELLS = 2
_BAND_ROWS = 16


@dataclass(frozen=True, eq=False)
class LowResGrid:
    """image: float32 (Z, Y, X), attenuation relative to water: 0 air, 1 water, clipped at 3. Outside the volume 0.

    origin_lps_mm: (3,) centre of cell [0, 0, 0]; indices grow towards the patient's head, back and left.
    """

    image: Image
    origin_lps_mm: Float

    def to_lps(self, zyx: Float) -> Float:
        """(..., 3) cell coordinates (z, y, x), fractions allowed -> (..., 3) LPS mm."""
        return np.asarray(self.origin_lps_mm + CELL_MM * np.asarray(zyx, dtype=np.float64)[..., ::-1])

    def from_lps(self, lps_mm: Float) -> Float:
        """(..., 3) LPS mm -> (..., 3) cell coordinates (z, y, x)."""
        return np.asarray((np.asarray(lps_mm, dtype=np.float64) - self.origin_lps_mm)[..., ::-1] / CELL_MM)


def normalise(hu: torch.Tensor) -> torch.Tensor:
    """HU -> attenuation relative to water, so that air, padding and a convolution's zeros are one and the same."""
    return ((hu + 1000.0) / 1000.0).clamp_(0.0, 3.0)


def to_low_resolution(volume: Volume) -> LowResGrid:
    """The body part of a volume of any orientation, handedness, spacing or shear on the canonical grid.

    A volume without body gives an image of size 0.
    """
    blocks, affine = _reduce(volume)
    grid = _canonical(normalise(blocks), affine, volume)
    return _crop_to_body(grid)


def _reduce(volume: Volume) -> tuple[torch.Tensor, Float]:
    """Average along the array's own axes to cells of CELL_MM (coarser axes are kept).

    Returns HU (A, B, C) in the array's memory order and the affine of its indices (a, b, c, 1) -> LPS mm.
    """
    order = sorted(range(3), key=lambda axis: -abs(volume.hu.strides[axis]))
    array = volume.hu.transpose(order)
    # axis 0 of the array is k: column 2 of the affine
    steps = volume.affine_lps[:3, [2 - axis for axis in order]]
    spacing = np.linalg.norm(steps, axis=0)
    counts = np.asarray(array.shape)
    middle = volume.affine_lps[:3, 3] + steps @ ((counts - 1) / 2.0)
    weights = [_averaging(int(n), float(s)) for n, s in zip(counts, spacing, strict=True)]
    first, rows, columns = weights[0], _bands(weights[1]), torch.from_numpy(weights[2].T.copy())
    out = torch.empty(tuple(len(w) for w in weights))
    with _one_thread():
        for cell, share in enumerate(first):
            used = _thinned(np.flatnonzero(share), float(spacing[0]))
            total = torch.zeros(array.shape[1:])
            for layer, weight in zip(used, share[used] / share[used].sum(), strict=True):
                # torch takes no reversed or read-only memory: copied where it is
                total.add_(torch.from_numpy(np.require(array[layer], None, ["C", "W"])), alpha=float(weight))
            for band, reach, averaging in rows:
                out[cell, band] = (averaging @ total[reach]) @ columns
    cells = np.array([len(w) for w in weights])
    cell_mm = np.where(cells == counts, spacing, CELL_MM)
    affine = np.eye(4)
    affine[:3, :3] = steps / spacing * cell_mm
    affine[:3, 3] = middle - affine[:3, :3] @ ((cells - 1) / 2.0)
    return out, affine


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hundreds of short steps: on a busy machine each would wait for its threads, for longer than it works."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cell_count(extent_mm: float) -> int:
    # nudged: an extent on the border between two counts must not depend on the last bit
    return max(1, math.floor(extent_mm / CELL_MM + 0.5 - 1e-6))


def _averaging(count: int, spacing: float) -> NDArray[np.float32]:
    """(cells, count) shares of the voxels in cells of CELL_MM, centred on the row of voxels; rows sum to 1."""
    if spacing >= CELL_MM:
        return np.eye(count, dtype=np.float32)
    cells = min(_cell_count(count * spacing), count)
    voxel = (np.arange(count) - (count - 1) / 2.0) * spacing
    cell = ((np.arange(cells) - (cells - 1) / 2.0) * CELL_MM)[:, None]
    upper = np.minimum(voxel + spacing / 2.0, cell + CELL_MM / 2.0)
    lower = np.maximum(voxel - spacing / 2.0, cell - CELL_MM / 2.0)
    share = np.clip(upper - lower, 0.0, None)
    share[share < 1e-6 * spacing] = 0.0
    return np.asarray(share / share.sum(axis=1, keepdims=True), dtype=np.float32)


def _bands(averaging: NDArray[np.float32]) -> list[tuple[slice, slice, torch.Tensor]]:
    """The rows of an averaging matrix in groups: rows, the columns that any of them uses, and that part of the matrix.

    Nearly all of the matrix is zero; multiplying by all of it was most of the reduction's time.
    """
    bands = []
    for start in range(0, len(averaging), _BAND_ROWS):
        rows = slice(start, start + _BAND_ROWS)
        used = np.flatnonzero(averaging[rows].any(axis=0))
        reach = slice(int(used[0]), int(used[-1]) + 1)
        bands.append((rows, reach, torch.from_numpy(averaging[rows, reach].copy())))
    return bands


def _thinned(indices: NDArray[np.intp], spacing: float) -> NDArray[np.intp]:
    """Every n-th of consecutive indices so that they lie no closer than SAMPLE_MM, centred on the run."""
    step = max(1, math.floor(SAMPLE_MM / spacing + 1e-6))
    return indices[((len(indices) - 1) % step) // 2 :: step]


def _canonical(blocks: torch.Tensor, affine: Float, volume: Volume) -> LowResGrid:
    """Blocks at (a, b, c) on the LPS grid centred on the volume, linearly; the identity where the axes agree."""
    shape = np.asarray(volume.shape_ijk, dtype=np.float64)
    extent = np.abs(volume.affine_lps[:3, :3]) @ shape
    cells = [_cell_count(float(e)) for e in extent]
    centre = volume.to_lps((shape - 1) / 2.0)
    origin = centre - CELL_MM * (np.array(cells) - 1) / 2.0
    # cell (x, y, z) -> block (a, b, c), then both as grid_sample's -1..1
    place = np.eye(4)
    place[:3, :3] *= CELL_MM
    place[:3, 3] = origin
    index = np.linalg.inv(affine) @ place
    along = np.abs(index[:3, :3]).argmax(axis=1)
    aside = index[:3, :3].copy()
    aside[np.arange(3), along] = 0.0
    # less than a hundredth of a cell from one end of the grid to the other
    if set(along) == {0, 1, 2} and np.abs(aside @ np.array(cells)).max() < 0.01:
        image = _resample_by_axis(blocks, index, along, cells)
    else:
        image = _resample_oblique(blocks, index, cells)
    return LowResGrid(image.numpy(), np.asarray(origin))


def _resample_by_axis(blocks: torch.Tensor, index: Float, along: NDArray[np.intp], cells: list[int]) -> torch.Tensor:
    """Linear interpolation one axis after the other: (A, B, C) -> (Z, Y, X), zeros outside."""
    for axis, cell_axis in enumerate(along):
        place = index[axis, cell_axis] * np.arange(cells[cell_axis]) + index[axis, 3]
        count = blocks.shape[axis]
        if len(place) == count and np.abs(place - np.arange(count)).max() < 1e-6:
            continue
        low = np.floor(place).astype(np.int64)
        padded = functional.pad(blocks.movedim(axis, -1), (1, 1)).movedim(-1, axis)
        below, above = (torch.from_numpy(np.clip(low + n, 0, count + 1)) for n in (1, 2))
        shape = [-1 if a == axis else 1 for a in range(3)]
        share = torch.from_numpy((place - low).astype(np.float32)).reshape(shape)
        blocks = torch.lerp(padded.index_select(axis, below), padded.index_select(axis, above), share)
    # along: which of x, y, z each axis is
    return blocks.permute([int(np.flatnonzero(along == a)[0]) for a in (2, 1, 0)]).contiguous()


def _resample_oblique(blocks: torch.Tensor, index: Float, cells: list[int]) -> torch.Tensor:
    """Trilinear interpolation, (A, B, C) -> (Z, Y, X), zeros outside."""
    half_in = (np.array(blocks.shape) - 1) / 2.0
    half_out = (np.array(cells) - 1) / 2.0
    linear = index[:3, :3] * half_out / np.maximum(half_in, 0.5)[:, None]
    offset = (index[:3, :3] @ half_out + index[:3, 3] - half_in) / np.maximum(half_in, 0.5)
    # grid_sample names the last axis first on its input side; affine_grid is given the output as (z, y, x)
    theta = np.concatenate([linear, offset[:, None]], axis=1)[::-1]
    grid = functional.affine_grid(
        torch.from_numpy(theta.astype(np.float32).copy())[None],
        [1, 1, cells[2], cells[1], cells[0]],
        align_corners=True,
    )
    return functional.grid_sample(blocks[None, None], grid, mode="bilinear", align_corners=True)[0, 0]


def _crop_to_body(grid: LowResGrid) -> LowResGrid:
    """The bounding box of everything denser than BODY_MIN with a margin, never above CELLS_MAX."""
    body = grid.image > BODY_MIN
    ranges: list[slice] = []
    for axis, most in enumerate(CELLS_MAX):
        filled = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
        if filled.size == 0:
            return LowResGrid(np.zeros((0, 0, 0), dtype=np.float32), grid.origin_lps_mm)
        start = max(int(filled[0]) - _MARGIN_CELLS, 0)
        stop = min(int(filled[-1]) + 1 + _MARGIN_CELLS, grid.image.shape[axis])
        if stop - start > most:
            middle = round(float(np.median(np.nonzero(body)[axis])))
            start = min(max(middle - most // 2, start), stop - most)
            stop = start + most
        ranges.append(slice(start, stop))
    first = np.array([r.start for r in ranges], dtype=np.float64)
    return LowResGrid(np.ascontiguousarray(grid.image[tuple(ranges)]), grid.to_lps(first))
