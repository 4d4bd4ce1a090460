"""Soft tissue, lungs, vessels and organs around the column: what is painted before the bones.

Belongs here: shapes and HU of everything that is not bone. Does not belong here: bones, composition (`phantom`).
All of it hangs on the column's own places, so that ribs, lungs and organs stay at their levels whatever the size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfscreen.synthesis.anatomy import Float, PatientSpec
from vfscreen.synthesis.bones import chest_radii, posterior_elements, rib_path
from vfscreen.synthesis.grid import Array, Box, Capsule, Ellipsoid, Grid, Shape, lps, ramp
from vfscreen.synthesis.norms import PHASES

_ROUND = np.eye(3)
LUNG_HU, FAT_HU, MUSCLE_HU, FLUID_HU, AIR = -860.0, -105.0, 55.0, 15.0, -1000.0


@dataclass(frozen=True)
class Painted:
    """A shape and the HU it is filled with."""

    shape: Shape
    hu: float


@dataclass(frozen=True, eq=False)
class Profile:
    """The trunk along z: knots (N,) ascending and at each the middle x, back y, half breadth and half depth, mm."""

    z: Float
    x: Float
    back: Float
    breadth: Float
    depth: Float

    def at(self, z: Array) -> tuple[Array, Array, Array, Array]:
        found = (np.interp(z, self.z, a).astype(np.float32) for a in (self.x, self.back, self.breadth, self.depth))
        x, back, breadth, depth = found
        return x, back, breadth, depth

    def depth_mm(self, grid: Grid, box: Box, exponent: float, inset: float = 0.0) -> Array:
        """Distance below the outline made smaller by `inset`, positive inside (radial, in the axial plane)."""
        gx, gy, gz = grid.local(box, _ROUND, np.zeros(3))
        x, back, breadth, depth = self.at(gz)
        dx, dy = np.abs(gx - x), np.abs(gy - (back - depth))
        e = np.float32(exponent)
        rho = ((dx / (breadth - inset)) ** e + (dy / (depth - inset)) ** e) ** np.float32(1.0 / exponent)
        rho += np.float32(1e-4)
        return np.asarray(np.sqrt(dx * dx + dy * dy) * (1.0 / rho - 1.0))


def trunk_profile(spec: PatientSpec) -> Profile:
    """The skin: around all bones of the chest and the back, with fat."""
    k, fat = spec.scale, spec.fat_mm
    cage = np.vstack([rib_path(spec, lv, s) for lv, part in spec.ribs.items() if part > 0 for s in (-1.0, 1.0)])
    tips = np.vstack([np.stack([e[-1].start, e[-1].end]) for e in map(posterior_elements, spec.vertebrae)])
    rows = []
    for v in spec.vertebrae:
        z = v.centre_lps_mm[2]
        n = float(v.level[1:])
        away = np.abs(tips[:, 2] - z)
        # the process of a steep last vertebra may lie at another height than its body
        back = tips[away < max(25.0, float(away.min()) + 1.0), 1].max() + 8 + 0.35 * fat
        near = cage[np.abs(cage[:, 2] - z) < 22]
        if v.level[0] == "C":
            breadth = float(np.interp(n, [4, 5, 6, 7], [66, 74, 100, 150])) * k
            front = v.centre_lps_mm[1] - 52 * k
        elif v.level[0] == "T":
            shoulder = float(np.interp(n, [1, 2, 3, 4, 6], [88, 72, 52, 30, 0]))
            breadth = chest_radii(n, spec)[0] + 20 + fat + shoulder * k
            front = near[:, 1].min() - 16 - 0.5 * fat
            back = max(back, near[:, 1].max() + 14 + 0.3 * fat)
        else:
            breadth = 128 * k * spec.breadth + 1.6 * fat
            front = back - 190 * k - 2.0 * fat
        rows.append((z, back, front, breadth))
    base, back = spec.sacrum.centre_lps_mm, rows[-1][1]
    rows += [
        (base[2] - 40 * k, back + 10, back - 196 * k - 1.8 * fat, 150 * k + 1.3 * fat),
        (base[2] - 110 * k, back + 14, back - 190 * k - 1.2 * fat, 162 * k + 1.2 * fat),
        (base[2] - 260 * k, back + 8, back - 185 * k - fat, 165 * k + 1.2 * fat),
    ]
    table = np.asarray(sorted(rows))
    smooth = [np.convolve(np.pad(c, 1, mode="edge"), np.ones(3) / 3, mode="valid") for c in table.T[1:]]
    x = np.interp(table[:, 0], *_column_x(spec))
    return Profile(table[:, 0], x, smooth[0], smooth[2], 0.5 * (smooth[0] - smooth[1]))


def _column_x(spec: PatientSpec) -> tuple[Float, Float]:
    centres = np.stack([v.centre_lps_mm for v in spec.vertebrae])[::-1]
    return centres[:, 2], np.convolve(np.pad(centres[:, 0], 4, mode="edge"), np.ones(9) / 9, mode="valid")


def chest_profile(spec: PatientSpec) -> Profile:
    """The inner face of the rib cage, which the pleura follows."""
    rows = []
    for v in spec.vertebrae:
        if v.level[0] != "T" or v.level == "T13":
            continue
        n = float(v.level[1:])
        breadth, depth = chest_radii(n, spec)
        tubercle = v.to_lps(np.array([0.0, 0.5 * v.depth + 15.0, 0.0]))[1]
        forward = chest_radii(max(1.0, n - 2.0), spec)[1] / depth
        rows.append((v.centre_lps_mm[2], v.centre_lps_mm[0], tubercle + 8.0, breadth - 9.0, depth * forward - 8.0))
    low = rows[-1]
    rows.append((low[0] - 70.0, low[1], low[2], low[3], low[4]))
    return Profile(*np.asarray(sorted(rows)).T)


def lung_share(grid: Grid, box: Box, spec: PatientSpec, chest: Profile) -> Array:
    """Share of each voxel in either lung: inside the chest, above the domes, clear of mediastinum and spine."""
    inside = chest.depth_mm(grid, box, 2.2)
    gx, gy, gz = grid.local(box, _ROUND, np.zeros(3))
    x, back, breadth, depth = chest.at(gz)
    aside = np.abs(gx - x)
    t2, t11 = spec.vertebra("T2").centre_lps_mm, spec.vertebra("T11").centre_lps_mm
    # costodiaphragmatic recess at the periphery, dome towards the middle and the front
    off = ((aside - 0.48 * breadth) / (0.52 * breadth)) ** 2 + ((gy - (back - depth)) / depth) ** 2
    dome = t11[2] - 8.0 + 62.0 * np.clip(1.0 - off, 0.0, 1.0) + np.where(gx < x, 12.0, 0.0)
    apex = t2[2] + 22.0 - 0.006 * (aside - 42.0) ** 2 - 0.006 * (gy - t2[1] + 8.0) ** 2
    # the mediastinum is widest around the hila and narrow in front and beside the spine
    forward = np.clip(((back - depth) - gy) / depth, -1.0, 1.0)
    hila = np.exp(-(((gz - spec.vertebra("T6").centre_lps_mm[2]) / 55.0) ** 2))
    spine = spec.scale * (21.0 + np.maximum(1.0 - (forward - 0.25) ** 2 * 3.0, 0.0) * (8.0 + 14.0 * hila))
    edge = grid.mean_edge_mm
    share = ramp(inside, edge) * ramp(gz - dome, edge) * ramp(apex - gz, edge)
    return np.asarray(share * ramp(aside - spine, edge))


def tubes(
    points: Float, radius: Float | list[float] | float, squash: tuple[float, float, float] = (1, 1, 1)
) -> list[Capsule]:
    """Capsules along (N, 3) points."""
    r = np.broadcast_to(np.asarray(radius, dtype=float), (len(points),))
    metric = np.diag(np.asarray(squash, dtype=float))
    return [Capsule(points[n], points[n + 1], float(r[n]), float(r[n + 1]), metric) for n in range(len(points) - 1)]


def beside(spec: PatientSpec, levels: tuple[str, ...], uvw: tuple[float, float, float]) -> Float:
    """(N, 3) points at the same local place of each level; v is counted from the posterior wall when positive, from
    the anterior one when negative."""
    found = []
    for level in levels:
        v = spec.vertebra(level)
        wall = np.copysign(0.5 * v.depth, uvw[1])
        found.append(v.to_lps(np.array([uvw[0], uvw[1] + wall, uvw[2]])))
    return np.stack(found)


def _range(spec: PatientSpec, first: str, last: str) -> tuple[str, ...]:
    levels = [v.level for v in spec.vertebrae]
    return tuple(levels[levels.index(first) : levels.index(last) + 1])


def soft_tissue(spec: PatientSpec) -> list[Painted]:
    """Muscles along the spine, organs and vessels of the abdomen, in the order of painting."""
    rng = np.random.default_rng(spec.surroundings_seed)
    k, gain = spec.scale, PHASES[spec.contrast_phase]
    levels = tuple(v.level for v in spec.vertebrae)
    found: list[Painted] = []

    def add(shapes: list[Capsule] | list[Ellipsoid], hu: float) -> None:
        found.extend(Painted(s, hu) for s in shapes)

    def blob(level: str, offset: tuple[float, float, float], radii: tuple[float, float, float], hu: float) -> None:
        centre = spec.vertebra(level).centre_lps_mm + np.array(offset) * k
        add([Ellipsoid(centre, np.array(radii) * k * rng.uniform(0.93, 1.07, 3), _ROUND)], hu)

    for _ in range(110):  # bowel: fluid, faeces, gas
        level = str(rng.choice(["L1", "L2", "L3", "L4", "L5"]))
        side, front = rng.uniform(-105, 105), rng.uniform(-125, -50)
        hu = float(rng.choice([10.0, 25.0, 40.0, -250.0, -850.0], p=[0.3, 0.3, 0.2, 0.08, 0.12]))
        size = rng.uniform(12, 26, 3) if hu > 0 else rng.uniform(6, 13, 3)
        add(
            [
                Ellipsoid(
                    spec.vertebra(level).centre_lps_mm + np.array([side, front, rng.uniform(-18, 18)]), size, _ROUND
                )
            ],
            hu,
        )
    blob("T11", (-62, -68, -18), (72, 78, 66), rng.uniform(45, 65) + gain.liver)
    blob("T12", (-70, -50, -40), (52, 55, 60), 55 + gain.liver)
    blob("T11", (88, -18, -14), (30, 42, 48), 50 + gain.spleen)  # spleen
    blob("T12", (55, -75, 4), (44, 38, 40), 25)  # stomach
    blob("T12", (62, -105, 18), (22, 18, 22), -850)
    blob("L1", (58, -2, 2), (29, 27, 54), spec.kidney_hu)  # kidneys
    blob("L1", (-58, -2, -12), (29, 27, 54), spec.kidney_hu)
    blob("L1", (56, -4, 2), (9, 10, 24), -60)
    blob("L1", (-56, -4, -12), (9, 10, 24), -60)
    for s in (-1.0, 1.0):
        erector = np.vstack(
            [beside(spec, levels, (s * 25, 27, 0)), spec.sacrum.to_lps(np.array([s * 22.0, 44.0, -40.0]))]
        )
        width = np.interp(np.arange(len(erector)), [0, 8, len(erector) - 5, len(erector) - 1], [13, 15, 23, 14])
        add(tubes(erector, width * k, (0.9, 1.05, 1)), MUSCLE_HU - 8)
        psoas = beside(spec, _range(spec, "L1", levels[-1]), (s * 37, -12, 0))
        hip = spec.sacrum.centre_lps_mm + np.array([s * 82.0, -45.0, -75.0]) * k
        add(tubes(np.vstack([psoas, hip]), np.linspace(8, 23, len(psoas) + 1) * k), MUSCLE_HU + 3)
        add([Capsule(hip + lps(s * 20, 90, 40), hip + lps(s * 50, 95, -60), 48.0, 52.0, _ROUND)], 50.0)  # gluteal
        iliacus = spec.sacrum.centre_lps_mm + np.array([s * 88, -6, -25]) * k
        add([Ellipsoid(iliacus, np.array([16, 40, 50]) * k, _ROUND)], 52.0)
    blob("L5", (0, -60, -110), (42, 36, 34), 8)  # bladder
    # tissue hugging the column, so that lung never touches bone in front
    add(tubes(beside(spec, levels, (0, 2, 0)), [26.0 if lv[0] != "L" else 20.0 for lv in levels]), 35.0)
    vena = beside(spec, _range(spec, "T10", levels[-1]), (-17, -13, 0))
    add(tubes(vena, 10.5 * k), gain.vena * spec.aorta_hu)
    return found


def chest_contents(spec: PatientSpec) -> list[Painted]:
    """Heart, great vessels, airway and lung vessels, in the order of painting; after the lungs."""
    rng = np.random.default_rng(spec.surroundings_seed + 1)
    k = spec.scale
    levels = tuple(v.level for v in spec.vertebrae)
    found: list[Painted] = []
    for _ in range(150):  # lung vessels: branching outwards from the hila
        s = float(rng.choice([-1.0, 1.0]))
        start = spec.vertebra("T6").centre_lps_mm + np.array([s * 34, -34, rng.uniform(-28, 22)]) * k
        direction = rng.normal(size=3) * [0.7, 0.9, 1.1] + lps(s * 0.9, 0.0, 0.0)
        direction /= np.linalg.norm(direction)
        length, radius = rng.uniform(30, 85), rng.uniform(1.6, 3.6)
        bend = start + direction * length * 0.5 + rng.normal(size=3) * 6
        end = start + direction * length + rng.normal(size=3) * 12
        found += [Painted(c, 20.0) for c in tubes(np.stack([start, bend, end]), [radius, 0.7 * radius, 0.35 * radius])]
    blood = max(40.0, 0.85 * spec.aorta_hu)
    heart = spec.vertebra("T8").centre_lps_mm + np.array([22.0, -72.0, -2.0]) * k
    lean = np.array([[0.8, -0.45, -0.4], [0.5, 0.86, 0.0], [0.35, -0.2, 0.92]])
    found.append(Painted(Ellipsoid(heart, np.array([62.0, 44.0, 50.0]) * k, np.linalg.qr(lean.T)[0].T), FAT_HU + 20))
    found.append(Painted(Ellipsoid(heart, np.array([55.0, 38.0, 44.0]) * k, np.linalg.qr(lean.T)[0].T), 48.0))
    found.append(
        Painted(Ellipsoid(heart + lps(8, -6, -2), np.array([30.0, 20.0, 24.0]) * k, np.linalg.qr(lean.T)[0].T), blood)
    )
    aorta = beside(spec, _range(spec, "T5", "L4"), (15, -9, 0))
    aorta[:, 0] -= np.linspace(0.0, 0.55, len(aorta)) * 15.0  # nearer to the middle further down
    widths = np.linspace(12.5, 9.0, len(aorta)) * k
    found += [Painted(c, spec.aorta_hu) for c in tubes(aorta, widths)]
    if spec.aorta_calcified:
        for n in rng.integers(len(aorta) // 2, len(aorta) - 1, 14):
            spot = aorta[n] + rng.uniform(0, 1) * (aorta[n + 1] - aorta[n])
            angle = rng.uniform(0, 2 * np.pi)
            spot = spot + widths[n] * np.array([np.cos(angle), np.sin(angle), 0.0])
            found.append(Painted(Ellipsoid(spot, rng.uniform(1.0, 2.6, 3), _ROUND), float(rng.uniform(350, 800))))
    arch_top = spec.vertebra("T4").centre_lps_mm
    arch = np.stack([aorta[0], arch_top + np.array([14, -32, 4]) * k, heart + np.array([-22, 8, 44]) * k])
    found += [Painted(c, spec.aorta_hu) for c in tubes(arch, [12.5 * k, 13.0 * k, 14.0 * k])]
    neck = _range(spec, levels[0], "T4")
    trachea = beside(spec, neck, (0, -19, 0))
    found += [Painted(c, 40.0) for c in tubes(trachea, 10.5)]
    found += [Painted(c, AIR) for c in tubes(trachea, 8.0)]
    carina = trachea[-1]
    for s in (-1.0, 1.0):
        bronchus = np.stack([carina, carina + np.array([s * 34, -4, -34]) * k])
        found += [Painted(c, AIR) for c in tubes(bronchus, 5.5)]
    return found


def canal(spec: PatientSpec) -> list[tuple[Capsule, float]]:
    """Epidural fat, dural sac and cord, in the order of painting."""
    levels = tuple(v.level for v in spec.vertebrae)
    middle = beside(spec, levels, (0, 8.5, 0))
    end = spec.sacrum.to_lps(np.array([0.0, 0.5 * spec.sacrum.depth + 6.0, -20.0]))
    path = np.vstack([middle, end])
    cord = beside(spec, _range(spec, levels[0], "L1"), (0, 8.5, 0))
    return [
        *((c, -40.0) for c in tubes(path, 9.5)),
        *((c, FLUID_HU + 5) for c in tubes(path, 7.6)),
        *((c, 38.0) for c in tubes(cord, 4.6)),
    ]


def table_top_mm(spec: PatientSpec) -> float:
    """Posterior y of the skin where it rests on the table."""
    return float(trunk_profile(spec).back.max() + 1.0)


def costal_cartilage(spec: PatientSpec) -> list[Painted]:
    """From the ends of ribs 1-9 to the sternum."""
    bottom = rib_path(spec, "T7", 1.0)[-1]
    found: list[Painted] = []
    for n in range(1, 10):
        for s in (-1.0, 1.0):
            end = rib_path(spec, f"T{n}", s)[-1]
            goal = np.array(
                [spec.vertebra("T6").centre_lps_mm[0] + s * 12, end[1], max(end[2] + (6 if n > 5 else 0), bottom[2])]
            )
            found.append(Painted(Capsule(end, goal, 5.0, 5.0, _ROUND), 95.0))
    return found
