"""Shapes of the bones: vertebral body and discs as painters, everything else as capsules and ellipsoids.

Belongs here: bone geometry of a `PatientSpec`. Does not belong here: its parameters (`anatomy`), soft tissue
(`surroundings`), HU composition (`phantom`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from vfscreen.synthesis.anatomy import Float, PatientSpec, VertebraSpec
from vfscreen.synthesis.grid import Array, Box, Capsule, Ellipsoid, Grid, Plate, Shape, lps, ramp

_EXPONENT = 2.5
_ROUND = np.eye(3)


def body_box(grid: Grid, vertebra: VertebraSpec, margin: float = 8.0) -> Box | None:
    half = np.array(
        [
            0.56 * vertebra.width + margin,
            0.56 * vertebra.depth + margin,
            float(max(np.abs(vertebra.superior_w).max(), np.abs(vertebra.inferior_w).max())) + margin,
        ]
    )
    reach = np.abs(vertebra.frame.T) @ half
    return grid.box(vertebra.centre_lps_mm - reach, vertebra.centre_lps_mm + reach)


def body_shares(
    grid: Grid, box: Box, vertebra: VertebraSpec, shell_mm: float, endplate_mm: float
) -> tuple[Array, Array, Array]:
    """Share of each voxel within the outer cortex, share within the trabecular bone, and height above the inferior
    endplate as a fraction 0..1. The six key points lie on the outer surface."""
    u, v, w = grid.local(box, vertebra.frame, vertebra.centre_lps_mm)
    inside_lateral, top, bottom, height = _body_depths(u, v, w, vertebra)
    lateral_edge = 0.5 * (grid.edge_mm(vertebra.frame[0]) + grid.edge_mm(vertebra.frame[1]))
    end_edge = grid.edge_mm(vertebra.frame[2])
    # a body thinner than its edges keeps its right share of the voxel: both ends are ramps, their product is not
    outer = ramp(inside_lateral, lateral_edge) * np.clip(ramp(top, end_edge) + ramp(bottom, end_edge) - 1.0, 0.0, 1.0)
    inner = ramp(inside_lateral - np.float32(shell_mm), lateral_edge) * np.clip(
        ramp(top - np.float32(endplate_mm), end_edge) + ramp(bottom - np.float32(endplate_mm), end_edge) - 1.0, 0.0, 1.0
    )
    return outer, inner, height


def _body_depths(u: Array, v: Array, w: Array, vertebra: VertebraSpec) -> tuple[Array, Array, Array, Array]:
    """Depth below the lateral wall, the superior and the inferior endplate (mm, positive inside), height fraction."""
    half_width, half_depth = np.float32(0.5 * vertebra.width), np.float32(0.5 * vertebra.depth)
    # the posterior wall is concave towards the canal; at u = 0 it stands where the key points are
    hollow = v - np.float32(0.07 * vertebra.depth) * np.minimum((u / half_width) ** 2, 1.5) * (v > 0)
    rho_flat = (np.abs(u / half_width) ** _EXPONENT + np.abs(hollow / half_depth) ** _EXPONENT) ** (1 / _EXPONENT)
    rho_flat += np.float32(1e-4)
    surfaces = []
    for flare, heights in (
        (vertebra.flare_superior, vertebra.superior_w),
        (vertebra.flare_inferior, vertebra.inferior_w),
    ):
        anterior, middle, posterior = (float(h) for h in heights)
        t = v / (half_depth * np.float32(flare))
        plane = np.float32(0.5 * (anterior + posterior)) + t * np.float32(0.5 * (posterior - anterior))
        dish = middle - 0.5 * (anterior + posterior)
        rho = np.minimum(rho_flat / np.float32(flare), 1.0)
        surfaces.append(plane + np.float32(dish) * (1.0 - rho ** np.float32(vertebra.dish_power)))
    superior, inferior = surfaces
    thickness = np.maximum(superior - inferior, np.float32(0.5))
    height = np.clip((w - inferior) / thickness, 0.0, 1.0)
    scale = np.float32(vertebra.flare_inferior) + np.float32(vertebra.flare_superior - vertebra.flare_inferior) * height
    scale = scale - np.float32(vertebra.waist * 4) * height * (1.0 - height)
    if vertebra.osteophyte > 0:  # lips at the rims, sideways only: the mid-sagittal corners stay where they are
        lip = np.maximum(np.abs(height - 0.5) * 2.0 - 0.7, 0.0) / 0.3
        sideways = np.minimum((u / half_width) ** 2, 1.0)
        scale = scale + np.float32(vertebra.osteophyte / vertebra.width) * lip * sideways
    radius = np.sqrt(u * u + v * v)
    return np.asarray(radius * (scale / rho_flat - 1.0)), superior - w, w - inferior, height


def disc_share(grid: Grid, box: Box, upper: VertebraSpec, lower: VertebraSpec) -> Array:
    """Share of each voxel within the disc between two bodies; reaches into both, which are painted over it."""
    top = upper.to_lps(np.array([0.0, 0.0, 0.5 * (upper.inferior_w[0] + upper.inferior_w[2])]))
    bottom = lower.to_lps(np.array([0.0, 0.0, 0.5 * (lower.superior_w[0] + lower.superior_w[2])]))
    frame = upper.frame + lower.frame
    frame = frame / np.linalg.norm(frame, axis=1, keepdims=True)
    u, v, w = grid.local(box, frame, 0.5 * (top + bottom))
    width, depth = 0.25 * (upper.width + lower.width), 0.25 * (upper.depth + lower.depth)
    rho = (np.abs(u / width) ** _EXPONENT + np.abs(v / depth) ** _EXPONENT) ** (1 / _EXPONENT) + np.float32(1e-4)
    inside = np.sqrt(u * u + v * v) * (1.0 / rho - 1.0)
    reach = 0.5 * float(np.linalg.norm(top - bottom)) + 0.35 * min(upper.mean_height, lower.mean_height)
    return ramp(inside, grid.mean_edge_mm) * ramp(np.float32(reach) - np.abs(w), grid.mean_edge_mm)


def posterior_elements(vertebra: VertebraSpec) -> list[Capsule]:
    """Pedicles, articular pillars, laminae, spinous and transverse processes."""
    level = vertebra.level
    region = level[0]
    height = float(max(vertebra.mean_height, 0.8 * vertebra.superior_w[2] - 0.8 * vertebra.inferior_w[2]))
    back = 0.5 * vertebra.depth
    canal = {"C": 12.0, "T": 8.8, "L": 11.5}[region]
    reach = {"C": 14.0, "T": 15.5, "L": 17.0}[region]
    pedicle = {"C": 2.6, "T": 3.4, "L": 5.0}[region]
    side = canal + pedicle * 0.6
    found: list[Capsule] = []

    def rod(a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float, squash: float) -> None:
        metric = np.diag([1.0, 1.0, squash]) @ vertebra.frame
        found.append(Capsule(vertebra.to_lps(np.array(a)), vertebra.to_lps(np.array(b)), ra, rb, metric))

    for s in (-1.0, 1.0):
        rod((s * side * 0.95, back - 4, 0.2 * height), (s * side, back + 9, 0.2 * height), pedicle, pedicle, 0.7)
        rod(
            (s * (side + 1), back + 11, 0.62 * height),
            (s * (side - 1), back + 13, -0.5 * height),
            0.9 * pedicle + 1,
            0.9 * pedicle + 0.5,
            0.9,
        )
        rod((s * side, back + 12, 0.05 * height), (0, back + reach + 4, -0.2 * height), 3.2, 2.8, 0.32)
        if region == "T":
            span = 31.0 - 0.8 * max(0, int(level[1:]) - 6) * (1.0 if level != "T13" else 1.2)
            rod((s * side, back + 11, 0.25 * height), (s * span, back + 20, 0.32 * height), 4.6, 3.8, 1.0)
        elif region == "L":
            rod((s * side, back + 8, 0.2 * height), (s * 41, back + 12, 0.25 * height), 4.5, 2.6, 0.7)
        else:
            rod((s * side, back + 4, 0.0), (s * 26, 0.0, -2.0), 4.0, 3.5, 0.8)
    tip = {"C": (18.0, -0.5), "T": (24.0, -1.35), "L": (27.0, -0.45)}[region]
    if level in ("T11", "T12", "T13"):
        tip = (22.0, -0.7)
    if level in ("C7", "T1", "T2"):
        tip = (28.0, -0.7)
    rod(
        (0, back + reach + 2, -0.15 * height),
        (0, back + reach + tip[0], tip[1] * height),
        3.4,
        3.2,
        0.4 if region == "L" else 0.55,
    )
    return found


def chest_radii(level_index: float, spec: PatientSpec) -> tuple[float, float]:
    """Half breadth and half depth (mm) of the rib cage at rib n = 1..12."""
    n = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], dtype=float)
    breadth = np.array([58, 82, 100, 113, 122, 128, 132, 134, 134, 131, 127, 122, 118], dtype=float)
    depth = np.array([46, 60, 72, 82, 89, 94, 97, 99, 100, 100, 98, 95, 92], dtype=float)
    k = spec.scale * spec.breadth
    return float(np.interp(level_index, n, breadth) * k), float(np.interp(level_index, n, depth) * spec.scale)


def rib_path(spec: PatientSpec, level: str, side: float) -> Float:
    """(N, 3) centre line of a rib from its head beside the vertebra to its anterior end.

    The head lies at the upper border of its own vertebra (ribs 2-10 reach the disc above), the neck runs to the
    transverse process, the shaft around the chest and down.
    """
    vertebra = spec.vertebra(level)
    n = int(level[1:])
    height = vertebra.mean_height
    head_w = 0.45 * height if 2 <= n <= 10 else 0.2 * height
    head = vertebra.to_lps(np.array([side * (0.5 * vertebra.width + 3.5), 0.28 * vertebra.depth, head_w]))
    tubercle = vertebra.to_lps(np.array([side * 33.0, 0.5 * vertebra.depth + 15.0, 0.35 * height]))
    breadth, depth = chest_radii(n, spec)
    back = tubercle[1] + 14.0
    middle_y = back - depth
    drop = np.interp(n, [1, 3, 7, 10, 12, 13], [30, 55, 95, 100, 75, 60]) * spec.scale
    fraction = spec.ribs[level]
    end = {11: 95.0, 12: 30.0 + 45.0 * fraction, 13: 25.0 + 30 * fraction}.get(n, 150.0 if n > 7 else 160.0)
    start = np.degrees(np.arcsin(min(0.95, (abs(tubercle[0] - vertebra.centre_lps_mm[0]) + 16.0) / breadth)))
    angles = np.radians(np.linspace(start, max(end, start + 12.0), 9))
    progress = angles / np.radians(160.0)
    shaft = np.stack(
        [
            vertebra.centre_lps_mm[0] + side * breadth * np.sin(angles),
            middle_y + depth * np.cos(angles),
            tubercle[2] - 6.0 - drop * progress**1.15,
        ],
        axis=1,
    )
    knots = np.vstack([head, tubercle, shaft])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    steps = max(8, round(along[-1] / 11.0))
    return np.asarray(CubicSpline(along, knots)(np.linspace(0.0, along[-1], steps + 1)))


def ribs(spec: PatientSpec) -> list[Capsule]:
    flat = np.diag([1.0, 1.0, 0.58])
    found: list[Capsule] = []
    for level, fraction in spec.ribs.items():
        if fraction <= 0:
            continue
        radius = 3.4 if level not in ("T11", "T12", "T13") else 3.0
        for side in (-1.0, 1.0):
            path = rib_path(spec, level, side)
            found += [Capsule(a, b, radius, radius, flat) for a, b in pairwise(path)]
    return found


def pelvis(spec: PatientSpec) -> list[Shape]:
    """Sacrum below S1 with its alae, iliac wings up to the crests (L4/L5), hip joints and pubis."""
    k = spec.scale
    s1 = spec.sacrum
    found: list[Shape] = []
    low = 0.5 * (s1.inferior_w[0] + s1.inferior_w[2])
    place = s1.to_lps(np.array([0.0, -2.0 * k, low * 0.55]))
    rows = []  # sacral segments from S1's middle to the tip, curving: centre and half width
    for n, wide in enumerate((44.0, 40.0, 31.0, 23.0, 12.0)):
        rows.append((place, wide * k))
        place = place - _turned(s1.frame, 0.16 * n + 0.1)[2] * (21.0 - 1.5 * n) * k
    for n in range(4):
        (upper, wide), (lower, narrow) = rows[n], rows[n + 1]
        left = s1.frame[0]
        back = s1.frame[1] * (10.0 if n < 2 else 4.0) * k
        corners = (upper + left * wide + back, upper - left * wide + back, lower + left * narrow + back)
        thick = (9.0, 8.0, 7.0, 5.0)[n] * k
        found.append(Plate(np.stack(corners), thick))
        found.append(Plate(np.stack((corners[1], lower - left * narrow + back, corners[2])), thick))
        found.append(
            Capsule(upper + 0.3 * back, lower + 0.3 * back, (15.0 - 2.5 * n) * k, (12.5 - 2.5 * n) * k, _ROUND)
        )
    for s in (-1.0, 1.0):
        origin = s1.centre_lps_mm

        def at(x: float, y: float, z: float, side: float = s, origin: Float = origin) -> Float:
            return np.asarray(origin + np.array([side * x, y, z]) * k)

        crest = CubicSpline(
            np.arange(5), np.stack([at(50, 60, 8), at(76, 44, 32), at(104, 16, 42), at(124, -16, 30), at(122, -44, 0)])
        )
        dense = crest(np.linspace(0, 4, 9))
        found += [Capsule(a, b, 5.5 * k, 5.5 * k, _ROUND) for a, b in pairwise(dense)]
        joint, hollow, socket = at(54, 38, -42), at(84, 8, -20), at(90, -6, -78)
        found += [Plate(np.stack([hollow, a, b]), 3.4 * k) for a, b in pairwise(dense)]
        found += [
            Plate(np.stack([hollow, dense[0], joint]), 5.0 * k),
            Plate(np.stack([hollow, joint, socket]), 7.0 * k),
        ]
        found += [Plate(np.stack([hollow, socket, dense[-1]]), 6.0 * k)]
        head = at(92, -8, -92)
        found.append(Ellipsoid(head, np.full(3, 24.0) * k, _ROUND))
        found.append(Capsule(head, at(138, 6, -124), 15.0 * k, 18.0 * k, _ROUND))
        found.append(Capsule(at(138, 6, -124), at(140, 0, -260), 17.0 * k, 14.0 * k, _ROUND))
        found.append(Capsule(at(82, -16, -96), at(10, -46, -118), 11.0 * k, 8.0 * k, _ROUND))
        found.append(Capsule(at(84, 14, -96), at(58, 16, -150), 12.0 * k, 11.0 * k, _ROUND))
    return found


def _turned(frame: Float, angle: float) -> Float:
    """The frame bent about its left axis so that its lower end goes anterior, as the sacrum curves."""
    left, posterior, superior = frame
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([left, c * posterior - s * superior, c * superior + s * posterior])


def shoulder_and_sternum(spec: PatientSpec) -> list[Shape]:
    """Sternum, clavicles, scapulae."""
    k = spec.scale
    t3, t9, t1 = (spec.vertebra(level).centre_lps_mm for level in ("T3", "T9", "T1"))
    top = rib_path(spec, "T1", 1.0)[-1] * [0, 1, 1] + [t3[0], 0, 0]
    bottom = rib_path(spec, "T7", 1.0)[-1] * [0, 1, 1] + [t9[0], 4, 0]
    wide = np.diag([0.4, 1.0, 1.0])
    found: list[Shape] = [Capsule(top + lps(0, -4, 8), bottom, 7.0, 6.0, wide)]
    for s in (-1.0, 1.0):
        glenoid = t1 + np.array([s * 128, 6, -18]) * k
        found.append(Capsule(top + lps(s * 24, 0, 12), glenoid + lps(s * 4, -14, 26), 6.5, 6.0, _ROUND))
        path = rib_path(spec, "T4", s)
        corner = path[len(path) // 4] + lps(s * 14.0, 9.0, 4.0)
        lower = rib_path(spec, "T7", s)[len(path) // 4] + lps(s * 14.0, 9.0, 0.0)
        found.append(Plate(np.stack([corner, lower, glenoid]), 2.8))
        found.append(Capsule(lower, glenoid, 4.2, 6.5, _ROUND))
        found.append(Capsule(corner + lps(0, 6, -12), glenoid + lps(s * 6, 6, 22), 4.0, 6.0, _ROUND))
        found.append(Ellipsoid(glenoid + lps(s * 24, -4, 10), np.full(3, 22.0) * k, _ROUND))
    return found
