"""Closed vocabularies: vertebra levels, key points, deformity types. No logic beyond their order."""

from __future__ import annotations

from enum import StrEnum

KEYPOINTS: tuple[str, ...] = (
    "anterior_superior",
    "anterior_inferior",
    "middle_superior",
    "middle_inferior",
    "posterior_superior",
    "posterior_inferior",
)
"""The six points of vertebral morphometry (Genant et al., JBMR 1993), in the order of every (6, ...) array."""

LEVELS: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
)
"""Every vertebra level that can be named, from the head down, T13 and L6 included."""

GRADED_LEVELS: tuple[str, ...] = tuple(level for level in LEVELS if not level.startswith("C"))
"""Levels that are graded. The grades of Genant et al. (JBMR 1993) are of thoracic and lumbar bodies; a cervical one is
reported and measured, not graded."""

SDI_LEVELS: tuple[str, ...] = (*(f"T{n}" for n in range(4, 13)), *(f"L{n}" for n in range(1, 5)))
"""T4-L4: the levels over which the spinal deformity index is summed."""


class DeformityType(StrEnum):
    """Genant's shapes. `none` for an assessed vertebra without deformity; null where not assessed."""

    NONE = "none"
    WEDGE = "wedge"
    BICONCAVE = "biconcave"
    CRUSH = "crush"
