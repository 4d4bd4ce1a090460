"""Fracture shapes for the endplate network: free endplate profiles, impacted bone, clefts, osteophytes.

Belongs here: drawing how far endplates move, and painting tissue changes onto a patch. Does not belong here: the warp
itself (warps), cutting patches (patch_data).

On purpose another family than the vertebra network's (`vertebra_data`: powers and parabolas), on which this one is
measured: here each endplate's profile is a random monotone spline of one of several kinds, drawn by itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

Float = NDArray[np.float64]
Image = NDArray[np.float32]

_KNOTS = np.array([0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0])
_KINDS = ("wedge", "biconcave", "flat", "step", "irregular", "rear")
_CHANCES = (0.34, 0.24, 0.16, 0.12, 0.1, 0.04)


@dataclass(frozen=True)
class ShapeSettings:
    """Chances: fracture_share that a vertebra loses height, dent_share of a Schmorl's node in an endplate,
    osteophyte_share of spurs at a disc's anterior rims, bridge_share that such spurs meet, flow_share of bone that
    flows down the front of the column (DISH), change_share that the bone of a fractured body changes its density.
    loss_max: the largest share of the height that an endplate may take."""

    fracture_share: float = 0.38
    dent_share: float = 0.12
    osteophyte_share: float = 0.3
    bridge_share: float = 0.35
    flow_share: float = 0.16
    change_share: float = 0.6
    loss_max: float = 0.75


def draw_displacements(
    corners_p: tuple[float, float],
    height_mm: float,
    columns_p: Float,
    settings: ShapeSettings,
    rng: np.random.Generator,
) -> tuple[Float, Float]:
    """How far (mm, (C,) each) the superior and the inferior endplate move inwards at the columns (C,) of a grid.

    corners_p: places of the anterior and the posterior wall. height_mm: the body's mean height.
    """
    front, back = corners_p
    x = np.clip((columns_p - front) / max(back - front, 5.0), 0.0, 1.0)
    plates = np.zeros((2, len(x)))
    if rng.random() < settings.fracture_share:
        loss = rng.uniform(0.05, 0.5) if rng.random() < 0.6 else rng.uniform(0.2, settings.loss_max)
        share = rng.choice([1.0, 0.0, rng.uniform(0.25, 0.9)], p=[0.35, 0.15, 0.5])
        kind = str(rng.choice(_KINDS, p=_CHANCES))
        for n, part in enumerate((share, 1.0 - share)):
            own = kind if rng.random() < 0.75 else str(rng.choice(_KINDS, p=_CHANCES))
            plates[n] = loss * part * height_mm * _profile(own, x, rng)
    plates += _unevenness(x, rng)
    for n in range(2):
        if rng.random() < settings.dent_share:
            width, deep = rng.uniform(0.06, 0.16), rng.uniform(1.0, 3.5)
            plates[n] += deep * np.exp(-0.5 * ((x - rng.uniform(0.25, 0.75)) / width) ** 2)
    return plates[0], plates[1]


def _profile(kind: str, x: Float, rng: np.random.Generator) -> Float:
    """A share 0..1 of the displacement along the depth x (0 anterior, 1 posterior), 1 at its deepest."""
    if kind == "flat":
        values = rng.uniform(0.75, 1.0, len(_KNOTS))
    elif kind in ("wedge", "rear"):
        values = np.sort(rng.uniform(0.0, 1.0, len(_KNOTS)))[::-1] * np.linspace(
            1.0, rng.uniform(0.0, 0.5), len(_KNOTS)
        )
        values = values if kind == "wedge" else values[::-1]
    elif kind == "biconcave":
        deepest, rim = rng.uniform(0.3, 0.65), rng.uniform(0.0, 0.3)
        fall = np.abs(_KNOTS - deepest) / np.where(deepest > _KNOTS, deepest, 1.0 - deepest)
        values = 1.0 - (1.0 - rim) * fall ** rng.uniform(1.2, 3.0)
    elif kind == "step":
        edge, soft = rng.uniform(0.3, 0.8), rng.uniform(0.03, 0.12)
        values = 1.0 / (1.0 + np.exp((_KNOTS - edge) / soft)) * rng.uniform(0.8, 1.0, len(_KNOTS))
    else:
        values = rng.uniform(0.0, 1.0, len(_KNOTS))
    values = values / max(float(values.max()), 1e-3)
    return np.asarray(PchipInterpolator(_KNOTS, values)(x), dtype=np.float64)


def _unevenness(x: Float, rng: np.random.Generator) -> Float:
    """(2, C) mm: normal shapes differ by a tilt, a bow and ripples of each endplate."""
    tilt, bow = rng.normal(0, 0.7, (2, 1)), rng.normal(0, 0.5, (2, 1))
    ripple = rng.normal(0, 0.2, (2, 1)) * np.sin(x * rng.uniform(4, 12, (2, 1)) + rng.uniform(0, 6, (2, 1)))
    return np.asarray(tilt * (x - 0.5) * 2 + bow * (1 - (2 * x - 1) ** 2) + ripple)


def change_bone(
    hu: Image,
    superior_row: Float,
    inferior_row: Float,
    walls: tuple[float, float],
    loss: float,
    rng: np.random.Generator,
) -> Image:
    """Impacted bone, a dense band under an endplate, a gas or fluid cleft, on a patch (planes, rows, columns).

    superior_row, inferior_row: (columns,) rows of the endplates. walls: columns of the two walls. loss: share 0..1 of
    the height lost: bone that was pressed together is denser.
    """
    rows, columns = np.arange(hu.shape[1])[:, None], np.arange(hu.shape[2])[None, :]
    under, above = rows - superior_row[None, :], inferior_row[None, :] - rows
    side = np.minimum(columns - walls[0], walls[1] - columns)
    inside = np.clip(np.minimum(np.minimum(under, above), side) / 2.0, 0.0, 1.0)
    change = inside * float(rng.uniform(-40, 220)) * loss
    if rng.random() < 0.5:
        for depth in (under, above):
            if rng.random() < 0.5:
                centre, width = rng.uniform(3, 10), rng.uniform(1.5, 4.0)
                change = change + inside * rng.uniform(30, 260) * np.exp(-0.5 * ((depth - centre) / width) ** 2)
    out = hu + change.astype(np.float32)
    if rng.random() < 0.06:
        mid = superior_row + rng.uniform(0.25, 0.6) * (inferior_row - superior_row)
        gap = rng.uniform(1.0, 3.0) * np.clip(side[0] / 10.0, 0.0, 1.0)
        cleft = np.clip(gap[None, :] - np.abs(rows - mid[None, :]) + 0.5, 0.0, 1.0) * inside
        out = out + cleft.astype(np.float32) * (np.float32(rng.choice([-600.0, -200.0, 20.0])) - out)
    return np.asarray(out, dtype=np.float32)


def grow_osteophytes(hu: Image, upper: Float, lower: Float, settings: ShapeSettings, rng: np.random.Generator) -> Image:
    """Spurs at the anterior rims of a disc, or a bridge across it, on a patch (planes, rows, columns).

    upper, lower: (6, 2) points (row, column) of the vertebrae above and below the disc. The points are not theirs:
    osteophytes are ignored when heights are read.
    """
    if rng.random() >= settings.osteophyte_share:
        return hu
    rim_up, rim_low = upper[1], lower[0]
    foot_up = rim_up + (upper[0] - rim_up) * rng.uniform(0.1, 0.45)
    foot_low = rim_low + (lower[1] - rim_low) * rng.uniform(0.1, 0.45)
    front = -(upper[5] - upper[1] + lower[4] - lower[0])
    front /= max(float(np.linalg.norm(front)), 1e-6)
    size = float(np.linalg.norm(upper[5] - upper[1]))
    reach = rng.uniform(0.05, 0.26, 2) * size
    gap = rim_low - rim_up
    tip_up = rim_up + front * reach[0] + gap * rng.uniform(0.0, 0.35)
    tip_low = rim_low + front * reach[1] - gap * rng.uniform(0.0, 0.35)
    triangles = [(foot_up, rim_up, tip_up), (foot_low, rim_low, tip_low)]
    if rng.random() < settings.bridge_share:
        inner = (rim_up + rim_low) / 2 + front * min(reach) * rng.uniform(0.0, 0.6)
        triangles += [(rim_up, tip_up, inner), (rim_low, tip_low, inner), (tip_up, tip_low, inner)]
    elif rng.random() < 0.4:
        triangles = triangles[:1] if rng.random() < 0.5 else triangles[1:]
    cover = np.max([_triangle(hu.shape[1:], *t) for t in triangles], axis=0).astype(np.float32)
    # rounded off: a spur has no corners; denser at its rim than inside
    cover = np.clip(gaussian_filter(cover, rng.uniform(1.2, 2.4)) * 1.6, 0.0, 1.0)
    rim = 4.0 * cover * (1.0 - cover)
    bone = np.float32(rng.uniform(120, 380)) + np.float32(rng.uniform(0, 200)) * rim
    return np.asarray(hu + cover * np.maximum(bone - hu, 0.0), dtype=np.float32)


def ossify_front(hu: Image, bodies: Float, pixel_mm: float, settings: ShapeSettings, rng: np.random.Generator) -> Image:
    """Bone flowing down the front of neighbouring bodies and bulging over their discs, on a patch (planes, rows,
    columns). bodies: (n, 6, 2) points (row, column), superior to inferior. The walls behind it, and the points, stay.
    """
    if rng.random() >= settings.flow_share:
        return hu
    anterior = bodies[:, 0:2].reshape(-1, 2)
    anterior = anterior[np.argsort(anterior[:, 0])]
    rows, columns = np.arange(hu.shape[1]), np.arange(hu.shape[2])[None, :]
    wall = np.interp(rows, anterior[:, 0], anterior[:, 1])
    thick = rng.uniform(0.0, 3.0) + rng.uniform(0.0, 1.5) * np.sin(
        rows * pixel_mm / rng.uniform(4, 12) + rng.uniform(0, 6)
    )
    for upper, lower in itertools.pairwise(bodies):
        disc, width = (upper[1, 0] + lower[0, 0]) / 2, rng.uniform(3.0, 9.0) / pixel_mm
        thick = thick + rng.uniform(0.0, 7.0) * np.exp(
            -0.5 * ((rows - disc + rng.normal(0, 2) / pixel_mm) / width) ** 2
        )
    ends = np.sort(rng.uniform(-0.3, 1.3, 2)) * len(rows)
    thick = np.maximum(thick, 0.0) * np.clip(np.minimum(rows - ends[0], ends[1] - rows) / 8.0, 0.0, 1.0) / pixel_mm
    depth = np.minimum(columns - (wall - thick)[:, None], (wall + rng.uniform(0.0, 2.5) / pixel_mm)[:, None] - columns)
    cover = gaussian_filter(np.clip(depth + 0.5, 0.0, 1.0) * (thick[:, None] > 0.5), 0.8).astype(np.float32)
    texture = gaussian_filter(rng.standard_normal(cover.shape, dtype=np.float32), 2.0)
    bone = np.float32(rng.uniform(200, 900)) * (1 + rng.uniform(0, 0.3) * texture / max(float(texture.std()), 1e-6))
    bone = bone - np.float32(rng.uniform(0, 400)) * np.clip((depth - 3.0) / 4.0, 0.0, 1.0)
    return np.asarray(hu + cover * np.maximum(bone - hu, 0.0), dtype=np.float32)


def _triangle(shape: tuple[int, ...], a: Float, b: Float, c: Float) -> Float:
    """(rows, columns) coverage 0..1 of a triangle with corners (row, column)."""
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    turn = np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    inside = np.full(shape, np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = (end - start) / max(float(np.linalg.norm(end - start)), 1e-6)
        inside = np.minimum(inside, turn * (edge[0] * (columns - start[1]) - edge[1] * (rows - start[0])))
    return np.asarray(np.clip(inside + 0.7, 0.0, 1.0))
