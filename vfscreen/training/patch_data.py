"""A pool of training patches of single vertebrae, cut from slab cases, deformed and degraded at random.

Belongs here: drawing a patch and its truth, the pool's files. Does not belong here: cases (slab_cases), shapes
(fracture_shapes), what a training step does to a pooled patch (endplate_train).

A patch is drawn once and used several times: geometry and scanner effects are in the pool, small shifts and noise are
added when it is used. Its frame is that of an earlier look at the vertebra, off by a few mm and degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.spine.patches import PatchSpec, body_axes
from vfscreen.training.degrade import degrade, noisy_slices
from vfscreen.training.fracture_shapes import (
    ShapeSettings,
    change_bone,
    draw_displacements,
    grow_osteophytes,
    ossify_front,
)
from vfscreen.training.slab_cases import SlabCase
from vfscreen.training.vertebra_data import GRID_P, heights, sample_planes, undo_rows
from vfscreen.training.warps import RowWarp, endplate, height_loss_warp

Float = NDArray[np.float64]

MARGIN_PX = 6
"""A pooled patch is larger than the network's by this much on every side, to be shifted when it is used."""
LOWER_HU, STEP_HU = -300.0, 6.0
"""Pooled HU are bytes: from LOWER_HU in steps of STEP_HU. Noise is added later, so the steps do not show."""
SLICES_SHARE = 0.35
"""Of the patches are seen in noisy slices (degrade.noisy_slices), the others are degraded as a whole."""
_PLATE_SAMPLES = np.linspace(0.0, 1.0, 25)


@dataclass(frozen=True, eq=False)
class Patch:
    """hu: uint8 (planes, rows, columns), see LOWER_HU. corners: (4, 2) row and column of the anterior superior,
    anterior inferior, posterior superior and posterior inferior corner. plates: (2, columns) row of either endplate at
    each column, NaN beyond the walls. loss: the raw height loss of the six points. weight: trust in the reading."""

    hu: NDArray[np.uint8]
    corners: NDArray[np.float32]
    plates: NDArray[np.float32]
    loss: float
    weight: float


def draw_patch(case: SlabCase, v: int, spec: PatchSpec, shapes: ShapeSettings, rng: np.random.Generator) -> Patch:
    """One random patch of vertebra `v` of a case, MARGIN_PX larger than `spec` on every side."""
    near = [n for n in (v - 1, v, v + 1) if 0 <= n < len(case.points)]
    points, warps, lost = _deform(case, near, shapes, rng)
    plates = np.stack([_dense_plate(case.points[v][k::2]) for k in (0, 1)])
    for warp in warps:
        plates = warp.forward(plates)

    # the frame that an earlier look would give: (row, p) mm, rows downwards
    centre, depth = body_axes(points[v])
    length = float(np.linalg.norm(depth))
    pixel = spec.pixel_mm(length) * float(np.exp(np.clip(rng.normal(0, 0.09), -0.2, 0.2)))
    angle = np.arctan2(depth[0], depth[1]) + np.deg2rad(np.clip(rng.normal(0, 4.5), -12, 12))
    back, down = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    centre = centre + np.clip(rng.normal(0, 1.6, 2), -5, 5)
    size = np.array([spec.rows, spec.columns]) + 2 * MARGIN_PX
    middle = (size - 1) / 2
    row_px, column_px = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    mm = ((row_px - middle[0])[..., None] * down + (column_px - middle[1])[..., None] * back) * pixel + centre
    source_row = undo_rows(mm[..., 0], mm[..., 1], warps)
    roll = np.tan(np.deg2rad(np.clip(rng.normal(0, 3.5), -10, 10)))
    yaw = np.tan(np.deg2rad(np.clip(rng.normal(0, 2.5), -7, 7)))
    lateral = np.clip(rng.normal(0, 1.3), -4, 4) + roll * (mm[..., 1] - centre[1]) + yaw * (mm[..., 0] - centre[0])
    offsets = np.asarray(spec.plane_offsets_mm)[:, None, None] * (1 if rng.random() < 0.5 else -1)
    hu = sample_planes(case, source_row, mm[..., 1], np.clip(lateral[None] + offsets, -15.0, 15.0))

    def to_px(row_p: Float) -> Float:
        offset = row_p - centre
        return np.asarray(np.stack([offset @ down, offset @ back], axis=-1) / pixel + middle)

    px, plate_px = to_px(points), to_px(plates)
    rows = np.stack([_row_at_columns(curve, int(size[1])) for curve in plate_px])
    body = np.stack([np.where(np.isnan(r), fill, r) for r, fill in zip(rows, px[v, [0, 1], 0], strict=True)])
    if lost[v] > 0.1 and rng.random() < shapes.change_share:
        walls = float(px[v, 0:2, 1].mean()), float(px[v, 4:6, 1].mean())
        hu = change_bone(hu, body[0], body[1], walls, float(lost[v]), rng)
    for upper, lower in ((v - 1, v), (v, v + 1)):
        if upper >= 0 and lower < len(points):
            hu = grow_osteophytes(hu, px[upper], px[lower], shapes, rng)
    hu = ossify_front(hu, px[near], pixel, shapes, rng)
    if rng.random() < SLICES_SHARE:
        hu = degrade(noisy_slices(hu, rng, pixel, slope_sd=0.2), rng, 0.4, pixel, slope_sd=0.2)
    else:
        hu = degrade(hu, rng, 1.0, pixel, slope_sd=0.2)
    stored = np.clip(np.rint((hu - LOWER_HU) / STEP_HU), 0, 255).astype(np.uint8)
    six = heights(points[v][None])[0]
    return Patch(
        stored,
        px[v, [0, 1, 4, 5]].astype(np.float32),
        rows.astype(np.float32),
        float(1.0 - six.min() / six.max()),
        0.35 + 0.65 * min(float(case.confidence[v]) / 0.7, 1.0),
    )


def _deform(
    case: SlabCase, near: Sequence[int], shapes: ShapeSettings, rng: np.random.Generator
) -> tuple[Float, list[RowWarp], dict[int, float]]:
    """All points after the warps of the vertebrae `near`, the warps, and the largest share of a height each lost."""
    points, warps = case.points.copy(), []
    before = heights(points)
    for v in near:
        superior, inferior = draw_displacements(
            (float(points[v, 0:2, 1].mean()), float(points[v, 4:6, 1].mean())),
            float(heights(points[v][None]).mean()),
            GRID_P,
            shapes,
            rng,
        )
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
    lost = np.max(1.0 - heights(points) / before, axis=1)
    return points, warps, {v: float(lost[v]) for v in near}


def _dense_plate(three: Float) -> Float:
    """(25, 2) (row, p) along an endplate from its anterior to its posterior corner."""
    p = three[0, 1] + _PLATE_SAMPLES * (three[2, 1] - three[0, 1])
    return np.stack([endplate(three, p), p], axis=1)


def _row_at_columns(curve: Float, columns: int) -> Float:
    """(columns,) row of a curve (n, 2) of (row, column) at whole columns, NaN beyond its ends."""
    grid = np.arange(columns)
    order = np.argsort(curve[:, 1])
    row = np.interp(grid, curve[order, 1], curve[order, 0])
    return np.asarray(np.where((grid >= curve[:, 1].min()) & (grid <= curve[:, 1].max()), row, np.nan))


def make_pool_part(
    cases: Sequence[SlabCase],
    chances: Sequence[float],
    count: int,
    folder: Path,
    spec: PatchSpec,
    shapes: ShapeSettings,
    seed: int,
) -> None:
    """Draw one part of a pool: `count` patches into `folder` (hu.npy, truth.npz). chances: of each case; vertebrae of a
    case are alike. A part that was not finished is not used: truth.npz is written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 40])
    shape = (count, len(spec.plane_offsets_mm), spec.rows + 2 * MARGIN_PX, spec.columns + 2 * MARGIN_PX)
    hu = np.lib.format.open_memmap(folder / "hu.npy", mode="w+", dtype=np.uint8, shape=shape)
    weight = np.asarray(chances, dtype=np.float64)
    chosen = rng.choice(len(cases), size=count, p=weight / weight.sum())
    patches = []
    for n, c in enumerate(chosen):
        case = cases[int(c)]
        patch = draw_patch(case, int(rng.integers(len(case.points))), spec, shapes, rng)
        hu[n] = patch.hu
        patches.append(patch)
    hu.flush()
    np.savez(
        folder / "truth.npz",
        corners=np.stack([p.corners for p in patches]),
        plates=np.stack([p.plates for p in patches]),
        loss=np.array([p.loss for p in patches], dtype=np.float32),
        weight=np.array([p.weight for p in patches], dtype=np.float32),
        case=np.array([cases[int(c)].name for c in chosen]),
    )


@dataclass(frozen=True, eq=False)
class Pool:
    """Patches as drawn: hu (n, planes, rows, columns) uint8, one array on disk a part; corners (n, 4, 2), plates
    (n, 2, columns), loss and weight (n,), case: their origin's name (n,)."""

    parts: tuple[NDArray[np.uint8], ...]
    corners: NDArray[np.float32]
    plates: NDArray[np.float32]
    loss: NDArray[np.float32]
    weight: NDArray[np.float32]
    case: NDArray[np.str_]

    def hu(self, n: int) -> NDArray[np.uint8]:
        """(planes, rows, columns) of patch n."""
        for part in self.parts:
            if n < len(part):
                return np.asarray(part[n])
            n -= len(part)
        raise IndexError("beyond the pool's end")


def load_pool(folder: Path) -> Pool:
    """All finished parts of a pool, in the order of their names. Raises FileNotFoundError where there is none."""
    finished = sorted(path.parent for path in folder.glob("*/truth.npz"))
    if not finished:
        raise FileNotFoundError(f"no finished pool of patches in {folder}: run `pool` first")
    truths = []
    for part in finished:
        with np.load(part / "truth.npz", allow_pickle=False) as data:
            truths.append({name: data[name] for name in ("corners", "plates", "loss", "weight", "case")})
    return Pool(
        tuple(np.load(part / "hu.npy", mmap_mode="r") for part in finished),
        *(
            np.concatenate([truth[name] for truth in truths])
            for name in ("corners", "plates", "loss", "weight", "case")
        ),
    )
