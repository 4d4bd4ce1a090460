"""Samples for the locator: crops of a case, moved, bent, cut and degraded as scanners and patients do.

Belongs here: drawing a sample's parameters, applying them to image and truth alike. Does not belong here: cases
(locator_cases), losses and the loop (locator_losses, locator_train).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from torch.nn import functional

from vfscreen.models.lowres import CELL_MM, normalise
from vfscreen.models.networks3d import STRIDE
from vfscreen.training.locator_cases import UNKNOWN, LocatorCase

Float = NDArray[np.float64]

SHAPES = ((64, 56, 80), (88, 48, 64), (48, 40, 40), (112, 56, 64))
"""Crop sizes (Z, Y, X) in cells; a batch has one."""


@dataclass(frozen=True, eq=False)
class Warp:
    """Where a sample's cells lie in the case: a rotation, scale and flip about `pivot`, then a bend that grows with z.

    matrix: (3, 3) sample mm -> case mm. pivot_lps_mm: case position of the sample's `anchor_mm`. bend: (Z, 2) shift of
    each axial position in x and y, mm, in the sample.
    """

    matrix: Float
    pivot_lps_mm: Float
    anchor_mm: Float
    bend: Float


@dataclass(frozen=True, eq=False)
class LocatorSample:
    """A crop and its truth at the P = Z / STRIDE output positions.

    image: float32 (Z, Y, X). xy: (P, 2) cells (x, y) of the body's centre, which count where located (P,) is 1.
    presence: (P,) 0, 1 or UNKNOWN. levels: (P, classes) soft labels, zeros where unknown.
    """

    image: NDArray[np.float32]
    xy: NDArray[np.float32]
    located: NDArray[np.float32]
    presence: NDArray[np.float32]
    levels: NDArray[np.float32]


def draw_sample(case: LocatorCase, shape: tuple[int, int, int], rng: np.random.Generator) -> LocatorSample:
    """One random sample of a case; everything random comes from `rng`."""
    warp = _draw_warp(case, shape, rng)
    image = _sample_image(case, warp, shape)
    xyz = _path_in_sample(case, warp)
    box = _draw_field_of_view(shape, xyz, case, rng)
    image = _degrade(image, rng)
    image = _paint_table(image, rng)
    image = _cut(image, box, rng)
    return LocatorSample(image, *_truth_in_sample(case, xyz, shape, box))


def _draw_warp(case: LocatorCase, shape: tuple[int, int, int], rng: np.random.Generator) -> Warp:
    truth = case.truth
    low, high = case.volume.bounds_lps_mm
    inside = np.flatnonzero((truth.path_lps_mm[:, 2] > low[2]) & (truth.path_lps_mm[:, 2] < high[2]))
    informative = inside[truth.presence[inside] != UNKNOWN]
    pool = informative[truth.presence[informative] == 1.0] if rng.random() < 0.8 else informative
    pivot = truth.path_lps_mm[int(rng.choice(pool))]
    matrix = Rotation.from_euler("xyz", np.clip(rng.normal(0, 6, 3), -15, 15), degrees=True).as_matrix()
    matrix = matrix @ np.diag(rng.uniform(0.82, 1.22) * rng.uniform(0.93, 1.07, 3))
    if rng.random() < 0.5:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    if rng.random() < 0.01:
        matrix = matrix @ np.diag([1.0, -1.0, 1.0])
    size = np.array(shape[::-1]) * CELL_MM
    # the column lies in the back half of a patient; along z anywhere
    place = np.array([rng.uniform(0.35, 0.65), rng.uniform(0.45, 0.8), rng.uniform(0.1, 0.9)])
    z = np.linspace(0, 1, shape[0])
    bend = np.zeros((shape[0], 2))
    for axis, strength in ((0, 12.0), (1, 8.0)):
        for waves in (0.5, 1.0, 1.5):
            bend[:, axis] += rng.normal(0, strength / (1 + 2 * waves)) * np.sin(
                2 * np.pi * waves * z + rng.uniform(0, 2 * np.pi)
            )
    return Warp(matrix, pivot, place * size, bend)


def _sample_image(case: LocatorCase, warp: Warp, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    depth, height, width = shape
    volume = case.volume
    # sample mm -> voxel index, as one matrix; the bend is taken off before
    linear = volume.inverse_affine[:3, :3] @ warp.matrix
    origin = volume.to_ijk(warp.pivot_lps_mm) - linear @ warp.anchor_mm
    x = (np.arange(width) * CELL_MM).astype(np.float32)
    y = (np.arange(height) * CELL_MM).astype(np.float32)
    z = (np.arange(depth) * CELL_MM).astype(np.float32)
    bend = warp.bend.astype(np.float32)
    upper = np.array(volume.shape_ijk) - 1
    scaled = (2.0 * linear / upper[:, None]).astype(np.float32)
    start = (2.0 * origin / upper - 1.0).astype(np.float32)
    grid = np.empty((depth, height, width, 3), dtype=np.float32)
    for axis in range(3):
        along_z = scaled[axis, 2] * z - scaled[axis, 0] * bend[:, 0] - scaled[axis, 1] * bend[:, 1] + start[axis]
        grid[..., axis] = along_z[:, None, None] + (scaled[axis, 1] * y)[:, None] + scaled[axis, 0] * x
    attenuation = normalise(torch.from_numpy(volume.hu).float())
    sampled = functional.grid_sample(attenuation[None, None], torch.from_numpy(grid)[None], align_corners=True)
    return np.asarray(sampled[0, 0].numpy())


def _path_in_sample(case: LocatorCase, warp: Warp) -> Float:
    """(N, 3) cells (x, y, z) of the truth's path."""
    mm = (case.truth.path_lps_mm - warp.pivot_lps_mm) @ np.linalg.inv(warp.matrix).T + warp.anchor_mm
    z = np.arange(len(warp.bend)) * CELL_MM
    for axis in (0, 1):
        mm[:, axis] += np.interp(mm[:, 2], z, warp.bend[:, axis])
    return np.asarray(mm / CELL_MM)


def _draw_field_of_view(
    shape: tuple[int, int, int], xyz: Float, case: LocatorCase, rng: np.random.Generator
) -> tuple[slice, slice, slice]:
    """(z, y, x): what is left of the crop; often all of it, sometimes a narrow spine field."""
    depth, height, width = shape
    box = [slice(0, depth), slice(0, height), slice(0, width)]
    if rng.random() < 0.4:
        length = int(rng.integers(12, depth + 1))
        start = int(rng.integers(0, depth - length + 1))
        box[0] = slice(start, start + length)
    present = (case.truth.presence == 1.0) & (xyz[:, 2] >= box[0].start) & (xyz[:, 2] < box[0].stop)
    if rng.random() < 0.35 and present.any():
        x, y = xyz[present, 0], xyz[present, 1]
        aside = rng.uniform(7, 30)
        shift = rng.uniform(-0.4, 0.4) * aside
        box[2] = _within(x.mean() + shift - aside, x.mean() + shift + aside, width)
        box[1] = _within(y.min() - rng.uniform(8, 50), y.max() + rng.uniform(8, 30), height)
    return box[0], box[1], box[2]


def _within(low: float, high: float, size: int) -> slice:
    start = int(np.clip(round(low), 0, size - 4))
    return slice(start, int(np.clip(round(high), start + 4, size)))


def _degrade(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Bone contrast, beam, slice thickness, kernel, noise, streaks."""
    bone = image > 1.1
    image = np.where(bone, 1.1 + (image - 1.1) * np.float32(rng.uniform(0.6, 1.6)), image)
    image = image * np.float32(rng.uniform(0.97, 1.03))
    if rng.random() < 0.4:
        image = gaussian_filter1d(image, rng.uniform(0.3, 0.7), axis=0, truncate=2.5)
    if rng.random() < 0.3:
        sigma = rng.uniform(0.3, 0.8)
        image = gaussian_filter1d(gaussian_filter1d(image, sigma, axis=1, truncate=2.5), sigma, axis=2, truncate=2.5)
    if rng.random() < 0.7:
        image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.0, 0.06))
    if rng.random() < 0.15:
        # arms beside the body, shoulders: horizontal streaks that change from slice to slice
        streak = gaussian_filter1d(rng.standard_normal(image.shape[:2]), 0.7, axis=1)
        image = image + (rng.uniform(0.01, 0.08) * streak)[:, :, None].astype(np.float32)
    return np.clip(image, 0.0, 3.0)


def _paint_table(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The coarse training volumes have their surroundings blanked; scanners have tables."""
    if rng.random() < 0.5:
        return image
    rows = np.flatnonzero((image > 0.5).mean(axis=(0, 2)) > 0.02)
    if rows.size == 0 or rows[-1] + 3 >= image.shape[1]:
        return image
    table = np.zeros_like(image)
    top = rows[-1] + int(rng.integers(0, 4))
    table[:, top : top + int(rng.integers(1, 5))] = rng.uniform(0.1, 0.6)
    if rng.random() < 0.5:
        table[:, top + 1 : top + 8] += np.float32(0.05)
    return np.maximum(image, table)


def _cut(image: NDArray[np.float32], box: tuple[slice, slice, slice], rng: np.random.Generator) -> NDArray[np.float32]:
    kept = np.zeros_like(image)
    kept[box] = image[box]
    if rng.random() < 0.15:
        # the scanner's circle
        height, width = image.shape[1:]
        y, x = np.mgrid[:height, :width]
        radius = rng.uniform(0.4, 0.6) * max(height, width)
        kept *= (np.hypot(y - height / 2, x - width / 2) < radius)[None]
    return np.ascontiguousarray(kept, dtype=np.float32)


def _truth_in_sample(
    case: LocatorCase, xyz: Float, shape: tuple[int, int, int], box: tuple[slice, slice, slice]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """xy, located, presence, levels at the output positions."""
    truth = case.truth
    order = np.argsort(xyz[:, 2], kind="stable")
    xyz = xyz[order]
    z = np.arange(shape[0] // STRIDE) * STRIDE + (STRIDE - 1) / 2.0
    nearest = order[np.clip(np.searchsorted(xyz[:, 2], z), 0, len(xyz) - 1)]
    xy = np.column_stack([np.interp(z, xyz[:, 2], xyz[:, a]) for a in (0, 1)])
    presence, located = truth.presence[nearest].copy(), truth.located[nearest].astype(np.float64)
    levels = truth.levels[nearest].copy()
    seen = (z >= box[0].start - 0.5) & (z <= box[0].stop - 0.5)
    for axis, side in ((0, box[2]), (1, box[1])):
        seen &= (xy[:, axis] >= side.start + 0.5) & (xy[:, axis] <= side.stop - 1.5)
    # what the field of view leaves out is not there, whether read or not, but only within its own range of z
    presence[~seen] = 0.0
    located[~seen] = 0.0
    levels[~seen] = 0.0
    # an unread stretch within the case has no known place, so that it may lie inside or outside: not judged
    low, high = case.volume.bounds_lps_mm
    source_z = truth.path_lps_mm[nearest, 2]
    unread = (truth.presence[nearest] == UNKNOWN) & (source_z > low[2]) & (source_z < high[2])
    unread &= (z >= box[0].start - 0.5) & (z <= box[0].stop - 0.5)
    presence[unread] = UNKNOWN
    return (
        xy.astype(np.float32),
        located.astype(np.float32),
        presence.astype(np.float32),
        levels.astype(np.float32),
    )
