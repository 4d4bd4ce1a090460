"""Normal size and shape of every vertebra level, from the literature.

Belongs here: numbers. Does not belong here: how a patient varies around them (`column`).
"""

from __future__ import annotations

from dataclasses import dataclass


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
