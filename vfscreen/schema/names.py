"""Closed vocabularies: levels, key points, deformity types, words of density and films. No logic beyond their order."""

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


class DensityReason(StrEnum):
    """Why a vertebra's trabecular attenuation may not be relied on, or why there is none. Closed list."""

    TRUNCATED = "truncated"  # cut by the edge of the volume: nothing measured
    TOO_SMALL = "too_small"  # no room for a region clear of cortex and endplates, or too few voxels in it
    FRACTURED = "fractured"
    SCLEROTIC = (
        "sclerotic"  # far denser than the patient's others, or dense bone (an osteophyte, an island) in the region
    )
    METAL = "metal"  # metal or cement in the body or beside it
    NOT_BONE = "not_bone"  # values that no spongy bone has: gas, fluid, a point that is off the body
    THICK_SLICES = "thick_slices"
    LEVEL_UNKNOWN = "level_unknown"
    KVP_MISSING = "kvp_missing"  # the raw value stands, the corrected one cannot be had
    KVP_UNKNOWN = "kvp_unknown"  # a tube voltage outside the correction table
    CONTRAST_UNKNOWN = "contrast_unknown"  # the phase could not be told from the pixels
    KERNEL_UNKNOWN = "kernel_unknown"  # only where the settings ask for a kernel correction


class ContrastPhase(StrEnum):
    """What the pixels show of intravenous contrast."""

    NON_CONTRAST = "non_contrast"
    ARTERIAL = "arterial"
    PORTAL_VENOUS = "portal_venous"
    DELAYED = "delayed"


class DensityCategory(StrEnum):
    """The patient's reference attenuation against the site's thresholds. Screening support: never rules out low BMD."""

    NORMAL = "normal"
    LOW = "low"
    OSTEOPOROSIS_RANGE = "osteoporosis_range"


class CalibrationKind(StrEnum):
    """How HU became mg/cm3."""

    NONE = "none"
    INTERNAL = "internal"  # the patient's own air, fat, muscle and blood
    SCANNER_CURVE = "scanner_curve"  # from the site's settings


class FocalLesion(StrEnum):
    """A vertebra that stands out from the patient's own: for review, never a diagnosis."""

    NONE = "none"
    LYTIC = "lytic"
    SCLEROTIC = "sclerotic"


class SpacingSource(StrEnum):
    """Where a film's pixel spacing comes from. Only `calibrated` is millimetres of the patient."""

    CALIBRATED = "calibrated"  # corrected for magnification, by geometry or by an object of known size
    DETECTOR = "detector"  # on the detector's face: larger than the patient by an unknown factor


class FilmView(StrEnum):
    """The direction of the beam that a film shows."""

    LATERAL = "lateral"
    AP = "ap"  # antero-posterior or postero-anterior
    OTHER = "other"  # oblique, odontoid, not a spine


class BodyRegion(StrEnum):
    """What a film shows."""

    THORACIC = "thoracic"
    LUMBAR = "lumbar"
    THORACOLUMBAR = "thoracolumbar"
    WHOLE_SPINE = "whole_spine"
    CHEST = "chest"
    OTHER = "other"


class PictureSide(StrEnum):
    """A side of a picture as it is stored."""

    LEFT = "left"
    RIGHT = "right"


FILM_MODALITIES: tuple[str, ...] = ("CR", "DX", "RG")
"""Modalities of radiographs: computed, digital, and film that was scanned or captured."""

SCREENED_MODALITIES: tuple[str, ...] = ("CT", *FILM_MODALITIES)

FILM_ROTATIONS_DEG: tuple[int, ...] = (0, 90, 180, 270)
"""Quarter turns, counter-clockwise, that a stored picture may need to stand upright."""
