"""The bodies of the column: their sizes drawn around the norms, fractured as asked, and stacked on the sacrum.

Belongs here: heights, posture, curvature. Does not belong here: the norms (`norms`), everything around the bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vfscreen.schema.names import DeformityType
from vfscreen.synthesis.norms import NORMAL_LOSS_MAX, NORMS
from vfscreen.synthesis.patient import Float, FractureSpec, VertebraSpec


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebra before it has a place. Heights (3,): anterior, middle, posterior; `normal` before the fracture."""

    level: str
    heights: Float
    normal: Float
    width: float
    depth: float
    superior_share: float
    flare: tuple[float, float]
    fracture: FractureSpec | None

    @property
    def endplates(self) -> tuple[Float, Float]:
        """w of the superior and of the inferior endplate (3,) each: a fracture mostly sinks the superior one."""
        fallen = self.normal - self.heights
        superior = self.normal / 2 - self.superior_share * fallen
        return superior, np.asarray(superior - self.heights)


def _slopes(body: Body, lordosis: float) -> tuple[float, float, float]:
    """Angle of the disc below, slope of the inferior and of the superior endplate (radians, anterior up)."""
    superior, inferior = body.endplates
    above = float(np.arctan2(superior[0] - superior[2], body.depth))
    below = float(np.arctan2(inferior[0] - inferior[2], body.depth))
    gap = float(np.radians(NORMS[body.level].disc_angle_deg)) * (lordosis if body.level[0] == "L" else 1.0)
    if body.fracture is not None:  # the discs take up a part of the kyphosis
        gap += 0.35 * max(0.0, below - above - 0.08)
    return gap, below, above


def draw_body(
    rng: np.random.Generator,
    fracture_rng: np.random.Generator,
    level: str,
    scale: float,
    age: float,
    fracture: FractureSpec | None,
) -> Body:
    norm = NORMS[level]
    posterior = norm.posterior_height * scale * rng.normal(1.0, 0.02)
    ratio = norm.anterior_ratio * rng.normal(1.0, 0.022)
    if level not in ("L5", "L6"):
        ratio = float(np.clip(ratio, 1 - NORMAL_LOSS_MAX, 1.09))
    anterior = posterior * ratio
    middle = 0.5 * (anterior + posterior) * float(np.clip(rng.normal(0.955 - 0.0003 * (age - 60), 0.015), 0.91, 1.0))
    normal = np.array([anterior, middle, posterior])
    normal[1] = max(normal[1], (1 - NORMAL_LOSS_MAX) * normal.max())
    flare = (float(rng.uniform(0.98, 1.01)), float(rng.uniform(1.0, 1.04)))
    depth = norm.depth * scale * float(rng.normal(1.0, 0.03))
    heights = normal if fracture is None else _fractured(fracture_rng, normal, fracture, depth * (flare[1] - flare[0]))
    return Body(
        level=level,
        heights=heights,
        normal=normal,
        width=norm.width * scale * float(rng.normal(1.0, 0.03)),
        depth=depth,
        superior_share=float(rng.uniform(0.6, 0.95)),
        flare=flare,
        fracture=fracture,
    )


def _fractured(rng: np.random.Generator, normal: Float, fracture: FractureSpec, overhang: float) -> Float:
    """Heights along w whose 3D distances have exactly the target loss; `overhang` is the depth difference, mm."""
    anterior, _, posterior = normal

    def along(distance: float) -> float:
        """Height along w of corners that lie `distance` apart: the corners are not quite above one another."""
        return float(np.sqrt(distance**2 - (0.5 * overhang) ** 2))

    kept = 1.0 - fracture.loss
    if fracture.deformity is DeformityType.WEDGE:
        highest = posterior * rng.uniform(0.96, 1.0)
        lowest = kept * highest
        share = rng.uniform(0.3, 0.55)
        return np.array([along(lowest), lowest + share * (highest - lowest), along(highest)])
    if fracture.deformity is DeformityType.BICONCAVE:
        highest = max(anterior, posterior) * rng.uniform(0.97, 1.0)
        lowest = kept * highest
        other = min(max(min(anterior, posterior), lowest + 0.04 * highest), highest)
        ends = (highest, other) if anterior > posterior else (other, highest)
        return np.array([along(ends[0]), lowest, along(ends[1])])
    highest = posterior * rng.uniform(0.68, 0.80)
    lowest = kept * highest
    return np.array([along(lowest), lowest * rng.uniform(1.005, 1.08), along(highest)])


def stack(
    rng: np.random.Generator, bodies: Sequence[Body], scale: float, age: float, scoliosis_deg: float
) -> tuple[tuple[VertebraSpec, ...], VertebraSpec]:
    """Place the bodies from the sacrum upward: each endplate follows the one below by the disc's height and angle."""
    lordosis = float(rng.uniform(0.75, 1.2))
    slopes = [_slopes(body, lordosis) for body in bodies]
    tilt = _endplate_tilt(bodies, slopes, np.radians(rng.normal(4.0, 3.0)))
    place = rng.normal(0, [4, 8, 0])
    sacrum = _sacrum(rng, scale, float(tilt), place)
    phase, turns = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.7, 1.3))
    twist = float(rng.normal(0, 2.0))
    disc_factor = float(np.clip(rng.normal(1.05 - 0.003 * (age - 50), 0.08), 0.7, 1.2))
    found: list[VertebraSpec] = []
    for n, (body, (gap_angle, slope_inferior, slope_superior)) in enumerate(
        zip(reversed(bodies), reversed(slopes), strict=True)
    ):
        norm = NORMS[body.level]
        superior, inferior = body.endplates
        inferior_tilt = tilt + gap_angle
        mid = float(inferior_tilt - slope_inferior)
        coronal = np.radians(scoliosis_deg) * np.sin(phase + 2 * np.pi * turns * n / len(bodies))
        axial = np.radians(twist) + 0.5 * coronal
        frame = _frame(mid, float(coronal), float(axial))
        narrow, dish_power, osteophyte, sclerosis = (float(x) for x in rng.uniform([0.45, 3, 0, 0], [0.8, 5, 4, 160]))
        degenerate = narrow if rng.random() < 0.10 else 1.0
        disc = norm.disc_height * scale * disc_factor * degenerate
        bisector = 0.5 * (tilt + inferior_tilt)
        up = np.array([np.sin(coronal), np.sin(bisector) * np.cos(coronal), np.cos(bisector) * np.cos(coronal)])
        bottom = np.array([0.0, 0.0, 0.5 * (inferior[0] + inferior[2])])
        centre = place + disc * up - bottom @ frame
        found.append(
            VertebraSpec(
                level=body.level,
                centre_lps_mm=centre,
                frame=frame,
                width=body.width,
                depth=body.depth,
                superior_w=superior,
                inferior_w=inferior,
                flare_superior=body.flare[0],
                flare_inferior=body.flare[1],
                waist=float(rng.uniform(0.05, 0.10)),
                dish_power=2.0 if body.fracture is not None else dish_power,
                osteophyte=osteophyte if rng.random() < (age - 40) / 90 else 0.0,
                sclerosis_hu=sclerosis if body.fracture is not None else 0.0,
                fracture=body.fracture,
            )
        )
        top = np.array([0.0, 0.0, 0.5 * (superior[0] + superior[2])])
        place = centre + top @ frame
        tilt = mid + slope_superior
    return tuple(reversed(found)), sacrum


def _endplate_tilt(bodies: Sequence[Body], slopes: Sequence[tuple[float, float, float]], wanted: float) -> float:
    """Tilt of the S1 endplate (anterior up) for which the bodies T6-L2 lean by `wanted` on average.

    Lying on the back balances the trunk there, whatever the fractures; the sacrum takes what is left.
    """
    tilt, seen = 0.0, []
    for body, (gap, below, above) in zip(reversed(bodies), reversed(slopes), strict=True):
        tilt += gap - below
        if body.level in ("T6", "T7", "T8", "T9", "T10", "T11", "T12", "L1", "L2"):
            seen.append(tilt)
        tilt += above
    return wanted - float(np.mean(seen))


def _frame(tilt: float, coronal: float, axial: float) -> Float:
    """Rows left, posterior, superior: tilted about left by `tilt` (anterior up), then leaning left, then turned."""
    left = np.array([1.0, 0.0, 0.0])
    posterior = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    superior = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    left, superior = (
        np.cos(coronal) * left - np.sin(coronal) * superior,
        np.sin(coronal) * left + np.cos(coronal) * superior,
    )
    left, posterior = np.cos(axial) * left + np.sin(axial) * posterior, np.cos(axial) * posterior - np.sin(axial) * left
    return np.stack([left, posterior, superior])


def _sacrum(rng: np.random.Generator, scale: float, tilt: float, place: Float) -> VertebraSpec:
    """S1 as a body whose superior endplate is centred at `place`; the segments below follow in `surroundings`."""
    height = 29.0 * scale
    wedge = 3.0 * scale
    superior = np.array([wedge, -1.0, -wedge]) * 0.5
    inferior = np.array([-height - wedge, -height, -height + wedge])
    frame = _frame(tilt, 0.0, float(np.radians(rng.normal(0, 1.5))))
    return VertebraSpec(
        level="S",
        centre_lps_mm=np.asarray(place, dtype=np.float64),
        frame=frame,
        width=50.0 * scale,
        depth=32.0 * scale,
        superior_w=superior,
        inferior_w=inferior,
        flare_superior=1.0,
        flare_inferior=0.78,
        waist=0.06,
        dish_power=4.0,
        osteophyte=0.0,
        sclerosis_hu=0.0,
        fracture=None,
    )
