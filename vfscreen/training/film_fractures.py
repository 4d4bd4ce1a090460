"""Fractures of a body before it is projected: endplates of a CT sink, and its points sink with them exactly.

Belongs here: height-loss warps (warps) carried into three dimensions. Does not belong here: the shapes' families
(fracture_shapes, vertebra_data), projection.

In the curve coordinates (s, p, l) of the centreline tissue moves along s alone. Where p and l are those of the column
it moves as the warp says; it fades to rest in front of, behind and beside the column, and `FADE_MM` above and below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.fracture_shapes import ShapeSettings, draw_displacements
from vfscreen.training.vertebra_data import GRID_P, heights, power_profiles
from vfscreen.training.warps import FADE_MM, RowWarp, height_loss_warp

Float = NDArray[np.float64]
Family = Literal["spline", "power"]

BESIDE_MM = (24.0, 40.0)
"""|l| up to which the column moves whole, and from which nothing moves."""
BEFORE_MM, BEHIND_MM = (10.0, 45.0), (38.0, 62.0)
"""The same in front of the anterior walls, and behind the posterior ones, where arches and processes follow."""
_LATTICE_MM = 5.0
_ROW_MM = 0.25
_CHUNK = 3000


@dataclass(frozen=True)
class FractureSettings:
    """share: chance of a fracture for each vertebra of T3-L5 whose points are at least `confidence_min` good.
    family: "spline" (free monotone splines, what films are trained on) or "power" (powers and parabolas: the family
    they are measured on)."""

    share: float = 0.3
    confidence_min: float = 0.3
    family: Family = "spline"


@dataclass(frozen=True, eq=False)
class ColumnWarp:
    """Row warps of one column, first to last, in the curve coordinates of `centreline`. walls: (2, N) p of anterior and
    posterior walls along `walls_s` (N,). impaction: how much denser compressed bone becomes, 0 not at all, 1 as much as
    its volume shrank."""

    centreline: Centreline
    warps: tuple[RowWarp, ...]
    walls_s: Float
    walls: Float
    impaction: float

    def forward(self, points_lps_mm: Float) -> Float:
        """(..., 3) points of the column's mid-sagittal plane -> where they go, LPS mm."""
        spl = self.centreline.from_lps(points_lps_mm)
        moved = spl.copy()
        for warp in self.warps:
            moved[..., :2] = warp.forward(moved[..., :2])
        return self.centreline.to_lps(moved)

    def table(self) -> tuple[Float, Float]:
        """Rows (R,), every `_ROW_MM`, of the deformed column and the rows (R, C) of the intact one for each column of
        GRID_P."""
        low = -FADE_MM - 60.0
        rows = np.arange(low, self.centreline.length_mm + FADE_MM + 60.0, _ROW_MM)
        source = np.broadcast_to(rows[:, None], (rows.size, GRID_P.size)).copy()
        for warp in reversed(self.warps):
            for c in range(GRID_P.size):
                source[:, c] = np.interp(source[:, c], warp.target[:, c], warp.source[:, c])
        return rows, source

    def weight(self, spl: Float) -> Float:
        """(..., 3) curve coordinates -> (...) 0..1 how far tissue there follows the column."""
        front = np.interp(spl[..., 0], self.walls_s, self.walls[0])
        back = np.interp(spl[..., 0], self.walls_s, self.walls[1])
        beside = _fade(np.abs(spl[..., 2]), BESIDE_MM)
        return beside * _fade(front - spl[..., 1], BEFORE_MM) * _fade(spl[..., 1] - back, BEHIND_MM)


def _fade(distance: Float, ends: tuple[float, float]) -> Float:
    share = np.clip((ends[1] - distance) / (ends[1] - ends[0]), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))


def draw_fractures(
    body: FilmBody, settings: FractureSettings, rng: np.random.Generator
) -> tuple[ColumnWarp | None, Float]:
    """A warp of the body's column and (V,) the largest share of a height that each vertebra lost, NaN where untouched.

    None where no vertebra was drawn.
    """
    intact = body.centreline.from_lps(np.stack([v.keypoints_lps_mm for v in body.vertebrae]))[..., :2]
    points, warps = intact.copy(), []
    touched = np.zeros(len(points), dtype=bool)
    for v, vertebra in enumerate(body.vertebrae):
        level = vertebra.level or "T8"
        good = vertebra.confidence >= settings.confidence_min and level[0] in "TL" and level not in ("T1", "T2")
        if rng.random() >= settings.share or not good:
            continue
        superior, inferior = _displacements(points[v], settings.family, rng)
        above, below = (points[n] if 0 <= n < len(points) else None for n in (v - 1, v + 1))
        warp = height_loss_warp(points[v], above, below, GRID_P, superior, inferior, far_share=0.0)
        points = warp.forward(points)
        warps.append(warp)
        touched[v] = True
    lost = np.where(touched, np.max(1.0 - heights(points) / heights(intact), axis=1), np.nan)
    if not warps:
        return None, lost
    order = np.argsort(intact[..., 0].mean(axis=1))
    walls = np.stack([intact[order, 0:2, 1].mean(axis=1), intact[order, 4:6, 1].mean(axis=1)])
    warp_s = intact[order, :, 0].mean(axis=1)
    return ColumnWarp(body.centreline, tuple(warps), warp_s, walls, float(rng.uniform(0.0, 1.0))), lost


def _displacements(points: Float, family: Family, rng: np.random.Generator) -> tuple[Float, Float]:
    if family == "power":
        return power_profiles(points, True, rng)
    walls = float(points[0:2, 1].mean()), float(points[4:6, 1].mean())
    height = float(heights(points[None])[0].mean())
    return draw_displacements(walls, height, GRID_P, ShapeSettings(fracture_share=1.0), rng)


def fractured(body: FilmBody, warp: ColumnWarp) -> FilmBody:
    """The body after the warp: its fine volume resampled, its points moved. The coarse volume stays."""
    vertebrae = tuple(replace(v, keypoints_lps_mm=warp.forward(v.keypoints_lps_mm)) for v in body.vertebrae)
    return replace(body, fine=warp_volume(body.fine, warp), vertebrae=vertebrae)


def warp_volume(volume: Volume, warp: ColumnWarp) -> Volume:
    """A volume whose column is deformed by the warp; trilinear, on the same grid."""
    rows, source = warp.table()
    shift = source - rows[:, None]
    denser = np.maximum(np.gradient(source, _ROW_MM, axis=0), 0.2) ** warp.impaction
    knots = [_knots(n, step) for n, step in zip(volume.shape_ijk, volume.spacing_mm, strict=True)]
    lattice = volume.to_lps(np.stack(np.meshgrid(*knots, indexing="ij"), axis=-1)).reshape(-1, 3)
    parts = [warp.centreline.from_lps(lattice[n : n + _CHUNK]) for n in range(0, len(lattice), _CHUNK)]
    field = np.concatenate(parts).reshape(*(k.size for k in knots), 3)
    out = volume.hu.copy()
    across = [np.arange(n, dtype=np.float64) for n in volume.shape_ijk]
    field = _upsampled(_upsampled(field, knots[0], across[0], 0), knots[1], across[1], 1)
    for k in range(volume.shape_ijk[2]):
        spl = _upsampled(field, knots[2], across[2][k : k + 1], 2)[:, :, 0].transpose(1, 0, 2)  # (J, I, 3)
        weight = warp.weight(spl)
        at = np.stack([(spl[..., 0] - rows[0]) / _ROW_MM, (spl[..., 1] - GRID_P[0]) / (GRID_P[1] - GRID_P[0])])
        moved = weight * map_coordinates(shift, at, order=1, mode="nearest")
        j, i = np.nonzero(np.abs(moved) > 0.01)
        if j.size == 0:
            continue
        origin = spl[j, i]
        origin[:, 0] += moved[j, i]
        ijk = volume.to_ijk(warp.centreline.to_lps(origin))
        hu = _sampled(volume.hu, ijk)
        gain = 1.0 + weight[j, i] * (map_coordinates(denser, at[:, j, i], order=1, mode="nearest") - 1.0)
        out[k, j, i] = np.clip(np.rint(hu + np.maximum(hu - 50.0, 0.0) * (gain - 1.0)), -1024, 3071)
    return Volume(out, volume.affine_lps)


def _sampled(hu: NDArray[np.int16], ijk: Float) -> Float:
    """Trilinear samples (N,) at (N, 3) voxels, from the slices that they need."""
    first = int(np.clip(np.floor(ijk[:, 2].min()), 0, hu.shape[0] - 1))
    last = int(np.clip(np.ceil(ijk[:, 2].max()) + 1, first + 1, hu.shape[0]))
    at = np.stack([ijk[:, 2] - first, ijk[:, 1], ijk[:, 0]])
    sampled = map_coordinates(hu[first:last].astype(np.float32), at, order=1, mode="nearest")
    return np.asarray(sampled, dtype=np.float64)


def _knots(count: int, spacing_mm: float) -> Float:
    """Voxels along an axis, about `_LATTICE_MM` apart, both ends among them."""
    return np.linspace(0.0, count - 1.0, max(int(np.ceil((count - 1) * spacing_mm / _LATTICE_MM)) + 1, 2))


def _upsampled(field: Float, knots: Float, at: Float, axis: int) -> Float:
    """Linear interpolation of a field along one axis from evenly spaced knots."""
    place = np.clip(at / (knots[1] - knots[0]), 0.0, knots.size - 1.000001)
    low = place.astype(np.intp)
    shape: Sequence[int] = [-1 if a == axis else 1 for a in range(field.ndim)]
    share = (place - low).reshape(shape)
    return np.asarray(field.take(low, axis=axis) * (1 - share) + field.take(low + 1, axis=axis) * share)
