"""The synthetic patient: which vertebrae, how large, where, and how deformed.

Belongs here: level-dependent morphometry, drawing a patient at random, stacking the column, and the exact truth that
follows. Does not belong here: pixels (`phantom`), ribs, organs and other surroundings (`surroundings`), DICOM.

Parameters are drawn (`draw_patient`) apart from their deterministic use (`vertebra_truth`, `phantom.render`).
Positions are LPS mm; the centre of the S1 endplate is near the origin and the column runs up along +z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vfscreen.schema.names import DeformityType

Float = NDArray[np.float64]


@dataclass(frozen=True)
class LevelNorm:
    """Normal body of one level, mm: endplate width and depth, posterior height, and the disc below it.

    anterior_ratio: anterior / posterior height. disc_angle_deg: lordotic (anterior open) angle of the disc below.
    """

    width: float
    depth: float
    posterior_height: float
    anterior_ratio: float
    disc_height: float
    disc_angle_deg: float


# Sizes follow the pattern of Panjabi et al. (Spine 1991;16:861, 1991;16:888, 1992;17:299: cervical, thoracic, lumbar
# vertebrae, quantitative 3D anatomy), scaled up by about a tenth because those small specimens were measured without
# osteophytes and cartilage; anterior/posterior ratios after Genant et al. (JBMR 1993) and Davies et al.
# (Osteoporos Int 1993): thoracic bodies wedged 0.85-0.96, L4 and L5 taller in front.
NORMS: dict[str, LevelNorm] = {
    "C3": LevelNorm(18.0, 16.0, 13.5, 0.98, 5.0, 7.0),
    "C4": LevelNorm(18.5, 16.0, 13.2, 0.97, 5.0, 7.0),
    "C5": LevelNorm(19.0, 16.5, 12.8, 0.96, 5.0, 7.0),
    "C6": LevelNorm(20.5, 17.0, 13.0, 0.96, 5.0, 6.0),
    "C7": LevelNorm(23.5, 17.0, 14.8, 0.96, 4.6, 6.0),
    "T1": LevelNorm(28.0, 16.5, 17.2, 0.96, 3.8, 3.0),
    "T2": LevelNorm(28.0, 17.5, 18.0, 0.95, 3.4, 0.0),
    "T3": LevelNorm(28.0, 19.5, 18.6, 0.92, 3.2, 0.0),
    "T4": LevelNorm(28.0, 21.5, 19.2, 0.91, 3.2, 0.0),
    "T5": LevelNorm(28.5, 23.0, 19.6, 0.90, 3.4, 0.0),
    "T6": LevelNorm(29.5, 24.5, 20.1, 0.89, 3.6, 0.0),
    "T7": LevelNorm(31.0, 26.0, 20.7, 0.89, 3.8, 0.5),
    "T8": LevelNorm(32.5, 27.0, 21.3, 0.90, 4.0, 1.0),
    "T9": LevelNorm(34.0, 27.5, 22.0, 0.92, 4.2, 1.5),
    "T10": LevelNorm(36.0, 28.0, 23.5, 0.92, 4.6, 2.0),
    "T11": LevelNorm(38.5, 28.5, 25.3, 0.91, 5.2, 2.0),
    "T12": LevelNorm(42.0, 29.0, 27.0, 0.92, 6.0, 2.5),
    "T13": LevelNorm(43.0, 29.5, 27.8, 0.93, 6.2, 3.0),
    "L1": LevelNorm(44.0, 30.0, 28.3, 0.95, 7.0, 4.0),
    "L2": LevelNorm(46.0, 31.0, 29.2, 0.98, 8.0, 5.5),
    "L3": LevelNorm(48.0, 32.0, 29.2, 1.00, 9.0, 7.5),
    "L4": LevelNorm(50.0, 32.5, 28.2, 1.05, 9.5, 9.5),
    "L5": LevelNorm(52.0, 32.5, 25.5, 1.17, 9.0, 13.0),
    "L6": LevelNorm(52.0, 32.5, 24.5, 1.19, 8.5, 13.0),
}

NORMAL_LOSS_MAX = 0.185
"""Raw loss no normal vertebra of a synthetic patient exceeds, L5 and L6 excepted (naturally up to about 0.25)."""

_COLUMN = ("C3", "C4", "C5", "C6", "C7", *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))


@dataclass(frozen=True)
class FractureSpec:
    """A fracture to be put into a patient: `loss` is the raw height loss ratio 1 - min/max that the truth will have."""

    level: str
    deformity: DeformityType
    loss: float

    def __post_init__(self) -> None:
        if not 0.0 < self.loss <= 0.75 or self.deformity is DeformityType.NONE:
            raise ValueError("a fracture needs a deformity and a loss in 0..0.75")


@dataclass(frozen=True, eq=False)
class VertebraSpec:
    """One vertebra of a patient.

    frame: (3, 3), rows are the body's left, posterior and superior unit vectors in LPS. centre_lps_mm: (3,) origin of
    the local coordinates (u left, v posterior, w superior; mm). superior_w, inferior_w: (3,) height w of the endplate
    at the anterior corner, middle and posterior corner. depth: antero-posterior, mm; `flare_superior` and
    `flare_inferior` scale width and depth at the two endplates. dish_power: how sharply the endplate is dished.
    """

    level: str
    centre_lps_mm: Float
    frame: Float
    width: float
    depth: float
    superior_w: Float
    inferior_w: Float
    flare_superior: float
    flare_inferior: float
    waist: float
    dish_power: float
    osteophyte: float
    sclerosis_hu: float
    fracture: FractureSpec | None

    def to_lps(self, uvw: Float) -> Float:
        """(..., 3) local -> (..., 3) LPS mm."""
        return np.asarray(np.asarray(uvw, dtype=np.float64) @ self.frame + self.centre_lps_mm)

    @property
    def keypoints_uvw(self) -> Float:
        """(6, 3) the six points in local coordinates, in the order of schema.names.KEYPOINTS."""
        half = 0.5 * self.depth
        points = []
        for column, side in enumerate((-1.0, 0.0, 1.0)):
            for flare, w in ((self.flare_superior, self.superior_w), (self.flare_inferior, self.inferior_w)):
                points.append((0.0, side * half * flare, w[column]))
        return np.asarray(points)

    @property
    def mean_height(self) -> float:
        return float(np.mean(self.superior_w - self.inferior_w))


@dataclass(frozen=True, eq=False)
class PatientSpec:
    """Everything that fixes a synthetic patient; two renders of one spec differ in noise only.

    vertebrae: from superior to inferior. ribs: level -> length fraction 0..1 (0 is absent). surroundings_seed fixes
    what is drawn of organs. HU values are those of the tissue without noise.
    """

    sex: str
    age_years: float
    scale: float
    vertebrae: tuple[VertebraSpec, ...]
    sacrum: VertebraSpec
    ribs: dict[str, float]
    trabecular_hu: float
    cortical_hu: float
    shell_mm: float
    endplate_mm: float
    fat_mm: float
    breadth: float
    aorta_hu: float
    aorta_calcified: bool
    noise_hu: float
    blur_mm: float
    surroundings_seed: int
    disc_gas: tuple[str, ...] = field(default=())

    def vertebra(self, level: str) -> VertebraSpec:
        return next(v for v in self.vertebrae if v.level == level)


@dataclass(frozen=True, eq=False)
class VertebraTruth:
    """What is known of a vertebra. keypoints_lps_mm: (6, 3). heights_mm: (3,) anterior, middle, posterior."""

    level: str
    centre_lps_mm: Float
    keypoints_lps_mm: Float
    heights_mm: Float
    height_loss_ratio_raw: float
    genant_grade_raw: int
    deformity_type: DeformityType


def genant_grade_of(loss: float) -> int:
    """Grade 0..3 of a height loss; 0.20, 0.25 and 0.40 belong to the higher grade (Genant et al., JBMR 1993).

    Written apart from `vfscreen.morphometry` so that the truth does not share a mistake with what it judges.
    """
    return sum(loss >= border for border in (0.20, 0.25, 0.40))


def vertebra_truth(spec: PatientSpec) -> tuple[VertebraTruth, ...]:
    """The exact truth of every vertebra of the patient, from superior to inferior, whatever is in a field of view."""
    return tuple(_truth(v) for v in spec.vertebrae)


def _truth(vertebra: VertebraSpec) -> VertebraTruth:
    points = vertebra.to_lps(vertebra.keypoints_uvw)
    heights = np.linalg.norm(points[0::2] - points[1::2], axis=1)
    # an exact target such as 0.25 must not fall below its border by the last bit of a square root
    loss = float(np.round(1.0 - heights.min() / heights.max(), 9))
    return VertebraTruth(
        level=vertebra.level,
        centre_lps_mm=points.mean(axis=0),
        keypoints_lps_mm=points,
        heights_mm=heights,
        height_loss_ratio_raw=loss,
        genant_grade_raw=genant_grade_of(loss),
        deformity_type=DeformityType.NONE if vertebra.fracture is None else vertebra.fracture.deformity,
    )


def draw_patient(
    rng: np.random.Generator,
    fractures: Sequence[FractureSpec] | None = None,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    variant: str | None = None,
    scoliosis_deg: float | None = None,
    fracture_probability: float = 0.0,
) -> PatientSpec:
    """Draw a patient.

    fractures: those asked for; None draws some with `fracture_probability` a vertebra of T4-L5.
    variant: None draws (rarely one), else "none", "T13", "L6" or "no_T12_rib". scoliosis_deg: largest coronal tilt,
    None draws (mostly small). The same generator state gives the same person whatever the fractures, so that a
    follow-up differs from its baseline by them alone. Raises ValueError for a fracture at a level that is not there.
    """
    rng, body_rng, fracture_rng, stack_rng = (np.random.default_rng(s) for s in rng.integers(2**62, size=4))
    sex = sex or str(rng.choice(["F", "M"]))
    age = float(rng.uniform(45, 90)) if age_years is None else float(age_years)
    scale = float((1.04 if sex == "M" else 0.95) * np.clip(rng.normal(1.0, 0.045), 0.88, 1.12))
    variant = variant or str(rng.choice(["none", "T13", "L6", "no_T12_rib"], p=[0.94, 0.015, 0.025, 0.02]))
    levels = list(_COLUMN)
    if variant == "T13":
        levels.insert(levels.index("L1"), "T13")
    if variant == "L6":
        levels.append("L6")
    if fractures is None:
        fractures = _draw_fractures(fracture_rng, levels, fracture_probability)
    wanted = {f.level: f for f in fractures}
    if missing := wanted.keys() - set(levels):
        raise ValueError(f"the patient has no vertebra {sorted(missing)}")
    scoliosis = float(np.clip(rng.exponential(2.5), 0, 14)) if scoliosis_deg is None else scoliosis_deg
    bodies = [_draw_body(body_rng, fracture_rng, level, scale, age, wanted.get(level)) for level in levels]
    vertebrae, sacrum = _stack(stack_rng, bodies, scale, age, scoliosis)
    mean_hu = float(np.clip(250 - 1.75 * age, 75, 200))  # L1 falls by about 1.7 HU a year (Pickhardt 2013)
    ribs = {level: 1.0 for level in levels if level.startswith("T")}
    ribs["T12"] = 0.0 if variant == "no_T12_rib" else float(rng.uniform(0.5, 1.0))
    if variant == "T13":
        ribs["T13"] = float(rng.uniform(0.3, 0.8))
    contrast = bool(rng.random() < 0.4)
    return PatientSpec(
        sex=sex,
        age_years=round(age),
        scale=scale,
        vertebrae=vertebrae,
        sacrum=sacrum,
        ribs=ribs,
        trabecular_hu=float(np.clip(rng.normal(mean_hu, 22), 45, 240)),
        cortical_hu=float(rng.uniform(430, 720)),
        shell_mm=float(rng.uniform(0.5, 0.9)),
        endplate_mm=float(rng.uniform(0.6, 1.1)),
        fat_mm=float(rng.uniform(8, 32)),
        breadth=float(rng.uniform(0.92, 1.12)),
        aorta_hu=float(rng.uniform(160, 320)) if contrast else float(rng.uniform(35, 48)),
        aorta_calcified=bool(rng.random() < (age - 45) / 60),
        noise_hu=float(rng.uniform(8, 22)),
        blur_mm=float(rng.uniform(0.7, 1.2)),
        surroundings_seed=int(rng.integers(2**31)),
        disc_gas=tuple(lv for lv in levels if lv[0] == "L" and rng.random() < 0.06),
    )


def _draw_fractures(rng: np.random.Generator, levels: Sequence[str], probability: float) -> list[FractureSpec]:
    kinds = list((DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH))
    found = []
    for level in levels:
        if level[0] == "C" or level in ("T1", "T2", "T3") or rng.random() >= probability:
            continue
        kind = kinds[int(rng.choice(3, p=[0.55, 0.3, 0.15]))]
        found.append(FractureSpec(level, kind, float(rng.uniform(0.20, 0.58))))
    return found


@dataclass(frozen=True, eq=False)
class _Body:
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


def _slopes(body: _Body, lordosis: float) -> tuple[float, float, float]:
    """Angle of the disc below, slope of the inferior and of the superior endplate (radians, anterior up)."""
    superior, inferior = body.endplates
    above = float(np.arctan2(superior[0] - superior[2], body.depth))
    below = float(np.arctan2(inferior[0] - inferior[2], body.depth))
    gap = float(np.radians(NORMS[body.level].disc_angle_deg)) * (lordosis if body.level[0] == "L" else 1.0)
    if body.fracture is not None:  # the discs take up a part of the kyphosis
        gap += 0.35 * max(0.0, below - above - 0.08)
    return gap, below, above


def _draw_body(
    rng: np.random.Generator,
    fracture_rng: np.random.Generator,
    level: str,
    scale: float,
    age: float,
    fracture: FractureSpec | None,
) -> _Body:
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
    return _Body(
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
    anterior, middle, posterior = normal

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
        other = max(min(anterior, posterior), lowest + 0.04 * highest)
        ends = (highest, other) if anterior > posterior else (other, highest)
        return np.array([along(ends[0]), lowest, along(ends[1])])
    highest = posterior * rng.uniform(0.68, 0.80)
    lowest = kept * highest
    return np.array([along(lowest), lowest * rng.uniform(1.005, 1.08), along(highest)])


def _stack(
    rng: np.random.Generator, bodies: Sequence[_Body], scale: float, age: float, scoliosis_deg: float
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


def _endplate_tilt(bodies: Sequence[_Body], slopes: Sequence[tuple[float, float, float]], wanted: float) -> float:
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
    left, superior = np.cos(coronal) * left - np.sin(coronal) * superior, np.sin(coronal) * left + np.cos(
        coronal
    ) * superior
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
