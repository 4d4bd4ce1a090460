"""Training samples of the vertebra network: windows cut from slab cases, deformed and degraded at random.

Belongs here: drawing the parameters of a sample and applying them. Does not belong here: cases (slab_cases), the
fracture warp itself (warps), image degradation (degrade), losses.

The geometry of a sample is one map from output pixels to the case, sampled once; points go through its exact inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from torch.nn import functional

from vfscreen.geometry.volume import AIR_HU
from vfscreen.models.networks2d import STRIDE
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.degrade import degrade
from vfscreen.training.slab_cases import CASE_SPEC, SlabCase
from vfscreen.training.warps import RowWarp, height_loss_warp

Float = NDArray[np.float64]

MAX_VERTEBRAE = 16
ROWS = 192
WHOLE_SHARE = 0.55
"""A vertebra cut by the edge is trained on where at least this share of its height is in view, ignored below it."""

GRID_P = np.arange(-CASE_SPEC.anterior_mm, CASE_SPEC.posterior_mm + 1e-6, 1.4)


@dataclass(frozen=True, eq=False)
class Sample:
    """One training sample.

    hu: float32 (planes, rows, columns). points: (MAX_VERTEBRAE, 6, 2) pixels (row, column). weight: (MAX_VERTEBRAE,)
    0 where there is no vertebra. level: index or -1. fracture: soft target 0..1 or -1. judged: bool (rows / STRIDE,
    columns / STRIDE), cells where the absence of a centre is known.
    """

    hu: NDArray[np.float32]
    points: NDArray[np.float32]
    weight: NDArray[np.float32]
    level: NDArray[np.int64]
    fracture: NDArray[np.float32]
    judged: NDArray[np.bool_]


@dataclass(frozen=True)
class SampleSettings:
    """How hard samples are. `fracture_share`: chance that a vertebra in view loses height. `shape_share`: chance that
    it only changes shape a little, either way, so that no height can be guessed from the others."""

    fracture_share: float = 0.22
    shape_share: float = 0.35
    crop_share: float = 0.3
    hard: float = 1.0


def draw_sample(
    case: SlabCase, spec: SlabSpec, settings: SampleSettings, rng: np.random.Generator, rows: int = ROWS
) -> Sample:
    """One random sample of a case on the slab `spec`, `rows` pixels long."""
    points, warps, lost = _deform(case, settings, rng)
    middle_row = float(rng.choice(points[..., 0].mean(axis=1))) + rng.normal(0, 35)
    hard = settings.hard

    angle = np.deg2rad(np.clip(rng.normal(0, 4.0), -12, 12)) * hard
    scale = np.exp(np.clip(rng.normal(0, 0.09), -0.2, 0.2) + np.array([1, -1]) * rng.normal(0, 0.03)) * np.ones(2)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = np.diag(scale) @ rotation  # slab mm about the middle -> output mm about its middle
    shift_p = np.clip(rng.normal(0, 3.0), -8, 8) * hard
    sway_p = _sway(rng, 2.5 * hard)
    sway_l = _sway(rng, 1.5 * hard)
    shift_l = np.clip(rng.normal(0, 2.5), -5, 5) * hard
    roll = np.tan(np.deg2rad(rng.normal(0, 3.0))) * hard

    columns = spec.columns
    r = (np.arange(rows) + 0.5 - rows / 2) * spec.pixel_mm
    c = np.arange(columns) * spec.pixel_mm - spec.anterior_mm
    out = np.stack(np.meshgrid(r, c, indexing="ij"), axis=-1)
    inner = out @ np.linalg.inv(forward).T
    row = inner[..., 0] + middle_row
    p = inner[..., 1] - sway_p(row) - shift_p
    source_row = undo_rows(row, p, warps)

    lateral = shift_l + sway_l(row) + roll * p
    offsets = np.asarray(spec.plane_offsets_mm)[:, None, None] * (1 if rng.random() < 0.5 else -1)
    hu = sample_planes(case, source_row, p, np.clip(lateral[None] + offsets, -15.0, 15.0))

    moved = points.copy()
    moved[..., 1] += sway_p(points[..., 0]) + shift_p
    moved[..., 0] -= middle_row
    moved = moved @ forward.T
    pixels = np.stack(
        [moved[..., 0] / spec.pixel_mm + rows / 2 - 0.5, (moved[..., 1] + spec.anterior_mm) / spec.pixel_mm], axis=-1
    )

    inside = _lookup(case.inside.astype(np.float32), source_row, p) > 0.5
    known = (source_row >= case.known_mm[0]) & (source_row <= case.known_mm[1])
    low, high = 0.0, float(rows)
    if rng.random() < settings.crop_share:
        low, high, cut = _crop(pixels, rows, columns, rng)
        hu[:, cut] = AIR_HU
        inside &= ~cut
    judged = known | ~inside
    hu = degrade(hu, rng, hard, spec.pixel_mm)
    hu[:, ~inside] = AIR_HU
    return _assemble(case, hu, pixels, lost, judged, (low, high))


def _deform(
    case: SlabCase, settings: SampleSettings, rng: np.random.Generator
) -> tuple[Float, list[RowWarp], NDArray[np.float64]]:
    """Points after random height-loss warps, the warps, and for each vertebra the largest share of a height it lost."""
    points = case.points.copy()
    warps: list[RowWarp] = []
    before = heights(points)
    for v in range(len(points)):
        draw = rng.random()
        if draw > settings.fracture_share + settings.shape_share:
            continue
        fractured = draw < settings.fracture_share and case.confidence[v] >= 0.3
        superior, inferior = power_profiles(points[v], fractured, rng)
        warp = height_loss_warp(
            points[v],
            points[v - 1] if v > 0 else None,
            points[v + 1] if v + 1 < len(points) else None,
            GRID_P,
            superior,
            inferior,
        )
        points = warp.forward(points)
        warps.append(warp)
    return points, warps, np.max(1.0 - heights(points) / before, axis=1)


def power_profiles(points: Float, fractured: bool, rng: np.random.Generator) -> tuple[Float, Float]:
    """How far (mm, (C,)) the superior and the inferior endplate move inwards at each column of the grid."""
    front, back = points[0:2, 1].mean(), points[4:6, 1].mean()
    x = (GRID_P - front) / max(back - front, 5.0)  # 0 at the anterior wall, 1 at the posterior
    height = float(heights(points[None])[0].mean())
    wedge = np.clip(1 - x, 0, 1) ** rng.uniform(0.7, 1.8)
    # a biconcave endplate sags over most of its depth; a deep narrow slot is no fracture
    centre, width = rng.normal(0.5, 0.06), rng.uniform(0.38, 0.55)
    bowl = np.clip(1 - ((x - centre) / width) ** 2, 0, 1) ** rng.uniform(0.5, 1.2)
    flat = np.ones_like(x)
    if fractured:
        kind = rng.choice(["wedge", "biconcave", "crush", "mixed"], p=[0.4, 0.25, 0.15, 0.2])
        loss = rng.uniform(0.08, 0.6) if rng.random() < 0.8 else rng.uniform(0.4, 0.75)
        mix = {
            "wedge": (1, 0, 0),
            "biconcave": (0, 1, 0),
            "crush": (0.15, 0, 1),
            "mixed": tuple(rng.dirichlet([1, 1, 1])),
        }[kind]
        superior_share = rng.choice([1.0, 0.0, rng.uniform(0.3, 0.9)], p=[0.4, 0.1, 0.5])
    else:
        mix = tuple(rng.normal(0, 1, 3))
        loss = rng.uniform(0.0, 0.1)
        superior_share = rng.uniform(0, 1)
    total = loss * height * (mix[0] * wedge + mix[1] * bowl + mix[2] * flat)
    bumps = rng.normal(0, 0.25, size=2)[:, None] * np.sin(
        x * rng.uniform(4, 12, size=2)[:, None] + rng.uniform(0, 6, 2)[:, None]
    )
    if rng.random() < 0.15:  # a small local dent (Schmorl's node) in either endplate
        dent = rng.uniform(1, 3) * np.exp(-0.5 * ((x - rng.uniform(0.25, 0.75)) / rng.uniform(0.06, 0.14)) ** 2)
        bumps[int(rng.integers(2))] += dent
    return total * superior_share + bumps[0], total * (1 - superior_share) + bumps[1]


def undo_rows(row: Float, p: Float, warps: Sequence[RowWarp]) -> Float:
    """Rows of the undeformed case for deformed positions: the warps' inverses, last first."""
    if not warps:
        return row
    grid = np.arange(row.min() - 2.0, row.max() + 2.0, 0.7)
    rows = np.broadcast_to(grid[:, None], (grid.size, GRID_P.size)).copy()
    for warp in reversed(warps):
        for c in range(GRID_P.size):
            rows[:, c] = np.interp(rows[:, c], warp.target[:, c], warp.source[:, c])
    at = [(row - grid[0]) / 0.7, (p - GRID_P[0]) / 1.4]
    return np.asarray(map_coordinates(rows, at, order=1, mode="nearest"))


def sample_planes(case: SlabCase, row: Float, p: Float, lateral: Float) -> NDArray[np.float32]:
    """Trilinear samples of a case: row, p (H, W) mm, lateral (planes, H, W) mm -> (planes, H, W)."""
    # only the rows in reach are turned into floats: a case is much longer than a window
    first = int(np.clip(row.min() / CASE_SPEC.pixel_mm - 1, 0, case.hu.shape[1] - 2))
    last = int(np.clip(row.max() / CASE_SPEC.pixel_mm + 3, first + 2, case.hu.shape[1]))
    hu = case.hu[:, first:last]
    planes, rows, columns = hu.shape
    offsets = CASE_SPEC.plane_offsets_mm
    z = (lateral - offsets[0]) / (offsets[1] - offsets[0])
    y = np.broadcast_to(row / CASE_SPEC.pixel_mm - first, z.shape)
    x = np.broadcast_to((p + CASE_SPEC.anterior_mm) / CASE_SPEC.pixel_mm, z.shape)
    extent = np.array([columns - 1, rows - 1, planes - 1])
    grid = np.stack([x, y, z], axis=-1) / extent * 2 - 1
    sampled = functional.grid_sample(
        torch.from_numpy(hu.astype(np.float32))[None, None],
        torch.from_numpy(grid.astype(np.float32))[None],
        align_corners=True,
        padding_mode="border",
    )
    return np.ascontiguousarray(sampled[0, 0].numpy())


def _lookup(image: NDArray[np.float32], row: Float, p: Float) -> NDArray[np.float32]:
    at = [row / CASE_SPEC.pixel_mm, (p + CASE_SPEC.anterior_mm) / CASE_SPEC.pixel_mm]
    return np.asarray(map_coordinates(image, at, order=0, mode="constant", cval=0.0))


class _sway:  # noqa: N801 - used like a function
    """A smooth random offset along the column, mm, at rows in mm: what a centreline is off by."""

    def __init__(self, rng: np.random.Generator, sd_mm: float) -> None:
        self._amplitude = rng.normal(0, sd_mm, 2)
        self._wave = 2 * np.pi / rng.uniform(90, 300, 2)
        self._phase = rng.uniform(0, 2 * np.pi, 2)

    def __call__(self, row: Float) -> Float:
        parts = zip(self._amplitude, self._wave, self._phase, strict=True)
        return np.asarray(sum(a * np.sin(w * row + f) for a, w, f in parts))


def _crop(pixels: Float, rows: int, columns: int, rng: np.random.Generator) -> tuple[float, float, NDArray[np.bool_]]:
    """Cut the top or the bottom of the view off, as a volume's edge does: rows kept, and the mask of what is cut."""
    visible = [v for v in range(len(pixels)) if 0 < pixels[v, :, 0].mean() < rows]
    if not visible:
        return 0.0, float(rows), np.zeros((rows, columns), dtype=bool)
    v = int(rng.choice(visible))
    at = float(rng.uniform(pixels[v, :, 0].min() - 6, pixels[v, :, 0].max() + 6))
    line = at + rng.normal(0, 0.12) * (np.arange(columns) - columns / 2)
    grid = np.arange(rows)[:, None]
    if at < rows / 2:
        return at, float(rows), np.asarray(grid < line)
    return 0.0, at, np.asarray(grid > line)


def _assemble(
    case: SlabCase,
    hu: NDArray[np.float32],
    pixels: Float,
    lost: Float,
    judged: NDArray[np.bool_],
    view: tuple[float, float],
) -> Sample:
    low, high = view
    points = np.zeros((MAX_VERTEBRAE, 6, 2), dtype=np.float32)
    weight = np.zeros(MAX_VERTEBRAE, dtype=np.float32)
    level = np.full(MAX_VERTEBRAE, -1, dtype=np.int64)
    fracture = np.full(MAX_VERTEBRAE, -1, dtype=np.float32)
    judged = judged[::STRIDE, ::STRIDE].copy()
    count = 0
    for v in range(len(pixels)):
        top, bottom = float(pixels[v, 0::2, 0].mean()), float(pixels[v, 1::2, 0].mean())
        share = (min(bottom, high) - max(top, low)) / max(bottom - top, 1.0)
        if share <= 0.0:
            continue
        columns_seen = pixels[v, :, 1].min() > -4 and pixels[v, :, 1].max() < hu.shape[2] + 4
        if share < WHOLE_SHARE or not columns_seen or count == MAX_VERTEBRAE:
            rows = slice(max(int(top - 4) // STRIDE, 0), max(int(bottom + 4) // STRIDE, 0))
            judged[rows] = False
            continue
        points[count] = pixels[v]
        weight[count] = 0.35 + 0.65 * min(case.confidence[v] / 0.7, 1.0)
        level[count] = case.levels[v]
        own = float(case.fractured[v])
        if own >= 0:
            fracture[count] = max(own, float(np.clip((lost[v] - 0.10) / 0.15, 0.0, 1.0)))
        count += 1
    return Sample(hu, points, weight, level, fracture, judged)


def heights(points: Float) -> Float:
    return np.asarray(np.maximum(np.linalg.norm(points[..., 1::2, :] - points[..., 0::2, :], axis=-1), 1e-3))
