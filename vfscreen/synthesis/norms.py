"""Normal size, shape and density of every vertebra level, and what contrast and voltage do, from the literature.

Belongs here: numbers. Does not belong here: how a patient varies around them (`column`).
"""

from __future__ import annotations

from dataclasses import dataclass

from vfscreen.schema.names import ContrastPhase


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

COLUMN: tuple[str, ...] = (
    "C3",
    "C4",
    "C5",
    "C6",
    "C7",
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
)
"""Levels of the usual patient, from superior to inferior."""

DENSITY_OF_L1: dict[str, float] = {
    **{f"C{n}": 1.7 for n in range(3, 8)},
    **dict(
        zip(
            (f"T{n}" for n in range(1, 14)),
            (1.5, 1.4, 1.3, 1.25, 1.22, 1.2, 1.17, 1.15, 1.13, 1.12, 1.1, 1.04, 1.02),
            strict=True,
        )
    ),
    **{"L1": 1.0, "L2": 0.97, "L3": 0.93, "L4": 0.93, "L5": 0.98, "L6": 0.98, "S": 0.9},
}
"""Spongy bone of a level against that of L1: densest in the neck, thinnest at L3 and L4, about as the real volumes of
docs/measured.md show."""


@dataclass(frozen=True)
class Enhancement:
    """What a contrast phase does, HU. aorta, kidney: (lowest, highest). vena: share of the aorta's value in the vena
    cava. liver, spleen, bone: what they gain."""

    aorta: tuple[float, float]
    kidney: tuple[float, float]
    vena: float
    liver: float
    spleen: float
    bone: float


PHASES: dict[ContrastPhase, Enhancement] = {
    ContrastPhase.NON_CONTRAST: Enhancement((35.0, 48.0), (30.0, 30.0), 1.0, 0.0, 0.0, 0.0),
    ContrastPhase.ARTERIAL: Enhancement((230.0, 340.0), (140.0, 190.0), 0.3, 10.0, 65.0, 20.0),
    ContrastPhase.PORTAL_VENOUS: Enhancement((130.0, 175.0), (165.0, 205.0), 0.95, 52.0, 65.0, 15.0),
    ContrastPhase.DELAYED: Enhancement((88.0, 108.0), (120.0, 155.0), 1.0, 32.0, 38.0, 12.0),
}
"""Enhancement as routine protocols give it (Bae, Radiology 2010;256:32); of bone as the default corrections have it."""

VOLTAGE_GAIN_HU: dict[float, float] = {100.0: 7.0, 120.0: 0.0, 140.0: -10.0}
"""What spongy bone gains at a tube voltage in kV, against 120 (mean L1 of 16,747 scans: 148, 141, 131 HU)."""
