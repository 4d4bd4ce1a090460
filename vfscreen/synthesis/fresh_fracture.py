"""Simulated fresh and old compression fractures of a vertebra on line integrals of a lateral projection.

Belongs here: drawing what a fracture looks like, and putting it into a patch of integrals. Does not belong here: where
patches come from and their exposure (training.fresh_simulate), the height loss itself (training.warps).

A caricature of textbook signs, for showing that a pipeline works; nothing learned from it may be claimed of patients.
Fresh: a step and a buckle in the anterior cortex, a band of impacted trabeculae under the endplate, a sharp corner that
stands out, a jump in the endplate, swelling in front. Old: a smooth endplate, sclerosis along it, a thick smooth wall,
osteophytes. Height loss and shape are drawn alike for both, so that they say nothing; any sign may be absent, faint, or
(rarely) seen in the other kind, as in patients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from vfscreen.training.warps import endplate, height_loss_warp

Float = NDArray[np.float64]
Image = NDArray[np.float32]

SIGNS: dict[str, tuple[float, float]] = {
    "step": (0.7, 0.04),
    "buckle": (0.5, 0.05),
    "band": (0.75, 0.12),
    "sharp_corner": (0.5, 0.05),
    "endplate_jump": (0.5, 0.06),
    "swelling": (0.4, 0.1),
    "sclerosis": (0.12, 0.7),
    "thick_wall": (0.08, 0.5),
    "osteophyte": (0.12, 0.55),
}
"""Chance of each sign in a fresh and in an old fracture: ours, chosen so that no single sign decides."""


@dataclass(frozen=True, eq=False)
class BodyPatch:
    """One vertebra, upright, anterior to the left. soft, bone: float32 (rows, columns), mm of water. points: (6, 2)
    (row, column) in KEYPOINTS order; above, below: those of its neighbours, None where there is none."""

    soft: Image
    bone: Image
    pixel_mm: float
    points: Float
    above: Float | None
    below: Float | None


@dataclass(frozen=True)
class Fracture:
    """What is done to one vertebra. loss: share of the height. inferior: the lower endplate gives way, not the upper.
    shape: wedge, biconcave or flat. strengths: of each sign that is present, about 0.4 (faint) to 1.6. seed: of what
    is drawn inside a sign."""

    fresh: bool
    loss: float
    inferior: bool
    shape: str
    strengths: dict[str, float]
    seed: int


def draw_fracture(fresh: bool, rng: np.random.Generator) -> Fracture:
    """A fracture of one kind; everything but the signs is drawn alike for both kinds."""
    loss = float(rng.uniform(0.08, 0.5))
    shape = str(rng.choice(["wedge", "biconcave", "flat"], p=[0.6, 0.25, 0.15]))
    inferior = bool(rng.random() < 0.25)
    strengths = {}
    for sign, chances in SIGNS.items():
        present, strength = rng.random() < chances[0 if fresh else 1], float(np.exp(rng.normal(-0.1, 0.45)))
        if present:
            strengths[sign] = float(np.clip(strength, 0.3, 2.0))
    return Fracture(fresh, loss, inferior, shape, strengths, int(rng.integers(2**31)))


def fracture_patch(patch: BodyPatch, fracture: Fracture) -> BodyPatch:
    """The patch with the fracture in it; points move with the endplates (the walls' signs do not move them).

    The same arguments give the same patch.
    """
    rng = np.random.default_rng(fracture.seed)
    warped = _warped(patch, fracture, rng)
    sheared = _shifted(warped, fracture, rng)
    return _painted(sheared, fracture, rng)


def _warped(patch: BodyPatch, fracture: Fracture, rng: np.random.Generator) -> BodyPatch:
    """The height loss: rows move, bone that is pressed together stays (a share of it) and is denser."""
    mm = patch.pixel_mm
    columns = np.asarray(np.arange(patch.bone.shape[1]) * mm, dtype=np.float64)
    points = patch.points * mm
    front, back = points[0:2, 1].mean(), points[4:6, 1].mean()
    x = np.clip((columns - front) / max(back - front, 5.0), 0.0, 1.0)
    height = float(np.mean(points[1::2, 0] - points[0::2, 0]))
    depth = fracture.loss * height * _profile(fracture, x, rng)
    other = 0.15 * depth if fracture.shape == "biconcave" else 0.0 * depth
    plates = (other, depth) if fracture.inferior else (depth, other)
    above, below = (None if p is None else p * mm for p in (patch.above, patch.below))
    warp = height_loss_warp(points, above, below, columns, *plates)
    rows = np.asarray(np.arange(patch.bone.shape[0]) * mm, dtype=np.float64)
    source = warp.inverse_rows(rows) / mm
    where = np.stack([source, np.broadcast_to(np.arange(len(columns), dtype=np.float64), source.shape)])
    pressed = np.clip(np.gradient(source, axis=0), 1.0, 2.5)
    kept = 0.6 if fracture.fresh else 0.25  # of the mass of pressed bone; what is old was resorbed
    bone = _resampled(patch.bone, where) * (1 + kept * (pressed - 1)).astype(np.float32)
    moved = [None if p is None else warp.forward(p * mm) / mm for p in (patch.points, patch.above, patch.below)]
    assert moved[0] is not None
    return BodyPatch(_resampled(patch.soft, where), bone, mm, moved[0], moved[1], moved[2])


def _profile(fracture: Fracture, x: Float, rng: np.random.Generator) -> Float:
    """Share 0..1 of the displacement from the front (x 0) to the back (x 1)."""
    if fracture.shape == "wedge":
        profile = (1 - x) ** rng.uniform(0.6, 1.6)
    elif fracture.shape == "biconcave":
        middle = rng.uniform(0.35, 0.6)
        profile = 1 - (np.abs(x - middle) / np.where(x < middle, middle, 1 - middle)) ** rng.uniform(1.6, 2.6)
    else:
        profile = np.full_like(x, 1.0) - 0.15 * x
    if "endplate_jump" in fracture.strengths:
        edge = rng.uniform(0.3, 0.7)
        jump = 0.22 * fracture.strengths["endplate_jump"]
        profile = profile + jump * np.where(x < edge, 0.5, -0.5)
    return np.asarray(np.clip(profile, 0.0, 1.2))


def _shifted(patch: BodyPatch, fracture: Fracture, rng: np.random.Generator) -> BodyPatch:
    """Step, buckle and sharp corner: the front of the body moves along columns, sharply in rows."""
    rows, columns = np.indices(patch.bone.shape, dtype=np.float64) * patch.pixel_mm
    top, bottom, front, back = _frame(patch)
    height, depth = bottom - top, back - front
    near = np.clip(1.0 - (columns - front) / (0.55 * depth), 0.0, 1.0) * (columns > front - 0.25 * depth)
    near = near * np.clip((columns - front + 0.25 * depth) / (0.1 * depth), 0.0, 1.0)
    forward = np.zeros_like(rows)
    side = -1.0 if fracture.inferior else 1.0  # which half of the body gave way
    along = (rows - top) / height if side > 0 else (bottom - rows) / height
    within = (along > -0.12) & (along < 1.0)
    if strength := fracture.strengths.get("step"):
        line = rng.uniform(0.2, 0.45)
        forward += 2.0 * strength / (1 + np.exp((along - line) / 0.02)) * within
    if strength := fracture.strengths.get("buckle"):
        place, wide = rng.uniform(0.35, 0.65), rng.uniform(0.06, 0.12)
        forward += 1.8 * strength * np.exp(-np.abs(along - place) / wide) * within
    if strength := fracture.strengths.get("sharp_corner"):
        forward += 3.2 * strength * np.clip(1.0 - along / 0.16, 0.0, 1.0) * (along > -0.04)
    if not forward.any():
        return patch
    # the tissue that is now at a column came from further back
    where = np.stack([rows, columns + forward * near]) / patch.pixel_mm
    return replace(patch, soft=_resampled(patch.soft, where), bone=_resampled(patch.bone, where))


def _painted(patch: BodyPatch, fracture: Fracture, rng: np.random.Generator) -> BodyPatch:
    """Density: impacted band, sclerosis, thick wall, osteophytes, swelling."""
    mm = patch.pixel_mm
    rows, columns = np.indices(patch.bone.shape, dtype=np.float64) * mm
    at = np.asarray(np.arange(patch.bone.shape[1]) * mm, dtype=np.float64)
    points = patch.points * mm
    upper, lower = endplate(points[0::2], at)[None, :], endplate(points[1::2], at)[None, :]
    front, back = points[0:2, 1].mean(), points[4:6, 1].mean()
    x = (columns - front) / (back - front)
    inside = _soft_edge(np.minimum(np.minimum(rows - upper, lower - rows), np.minimum(x, 1 - x) * (back - front)), 0.6)
    under = (lower - rows) if fracture.inferior else (rows - upper)
    bone, soft = patch.bone.astype(np.float64), patch.soft.astype(np.float64)
    if strength := fracture.strengths.get("band"):
        place, wide = rng.uniform(2.5, 6.5), rng.uniform(0.9, 2.0)
        reach = _soft_edge((rng.uniform(0.55, 1.0) - x) * (back - front), 3.0)
        texture = 1 + 0.35 * _texture(bone.shape, 1.0 / mm, rng)
        bone += 3.0 * strength * np.exp(-0.5 * ((under - place) / wide) ** 2) * inside * reach * texture
    if strength := fracture.strengths.get("sclerosis"):
        for distance in (under, (rows - upper) if fracture.inferior else (lower - rows)):
            weight = 1.0 if distance is under else rng.uniform(0.2, 0.9)
            bone += 3.0 * weight * strength * np.exp(-np.abs(distance - 0.8) / 1.1) * _soft_edge(distance, 0.4) * inside
    if strength := fracture.strengths.get("thick_wall"):
        wall = np.exp(-0.5 * ((columns - front - 1.0) / 1.1) ** 2)
        bone += 2.6 * strength * wall * _soft_edge(np.minimum(rows - upper, lower - rows) + 1.0, 0.8)
    if strength := fracture.strengths.get("osteophyte"):
        bone += _osteophytes(points, rows, columns, strength, rng)
    if strength := fracture.strengths.get("swelling"):
        middle = (points[0, 0] + points[1, 0]) / 2
        bulge = np.exp(-0.5 * ((rows - middle) / 12.0) ** 2)
        ahead = front - columns
        soft += 9.0 * strength * bulge * _soft_edge(ahead, 0.8) * np.exp(-np.maximum(ahead, 0) / 6.0)
    return replace(patch, soft=soft.astype(np.float32), bone=bone.astype(np.float32))


def _osteophytes(points: Float, rows: Float, columns: Float, strength: float, rng: np.random.Generator) -> Float:
    """Rounded spurs at one or both anterior corners, pointing forward and towards the disc."""
    found = np.zeros_like(rows)
    chosen = (0, 1) if rng.random() < 0.5 else (int(rng.integers(2)),)
    for corner in chosen:
        towards = -1.0 if corner == 0 else 1.0
        reach, base = rng.uniform(3.0, 7.0) * min(strength, 1.3), rng.uniform(2.0, 4.0)
        forward = points[corner, 1] - columns
        along = np.clip(forward / reach, 0.0, 1.0)
        middle = points[corner, 0] + towards * (0.5 + rng.uniform(0.2, 0.6) * reach * along**1.5) - towards * base * 0.4
        half = base * (1 - 0.75 * along)
        spur = _soft_edge(half - np.abs(rows - middle), 0.7) * _soft_edge(forward + 1.0, 0.8)
        found += 3.6 * spur * (forward < reach)
    return np.asarray(gaussian_filter(found, 0.9 / (rows[1, 0] - rows[0, 0])))


def _frame(patch: BodyPatch) -> tuple[float, float, float, float]:
    """mm: rows of the anterior wall's ends, columns of the anterior and the posterior wall."""
    points = patch.points * patch.pixel_mm
    return (
        float(points[0, 0]),
        float(points[1, 0]),
        float(points[0:2, 1].mean()),
        float(points[4:6, 1].mean()),
    )


def _soft_edge(distance_mm: Float, width_mm: float) -> Float:
    return np.asarray(np.clip(distance_mm / width_mm + 0.5, 0.0, 1.0))


def _texture(shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator) -> Float:
    grain = gaussian_filter(rng.standard_normal(shape), sigma_px)
    return np.asarray(grain / max(float(grain.std()), 1e-9))


def _resampled(image: Image, where: Float) -> Image:
    return np.asarray(map_coordinates(image, where, order=1, mode="nearest", output=np.float32))
