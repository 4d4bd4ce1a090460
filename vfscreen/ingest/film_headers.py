"""What a film's header says of its scale, its view and how the patient lies on it. No pixels.

Belongs here: pixel spacing as DICOM PS3.3 section 10.7.1 defines it, ViewPosition and PatientOrientation in our words.
Does not belong here: reading headers (`headers`), what the pixels show (models), whether the two agree (screening).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from vfscreen.schema.names import FilmView, PictureSide, SpacingSource

Pair = tuple[float, float]

_SPACING_LIMITS_MM = (0.01, 2.0)
"""Pixels of radiographs are 0.05 to 0.4 mm; beyond these limits a spacing is a placeholder (1 \\ 1 is not, and is not
calibrated either)."""

_SAME_SHARE = 1e-3  # decimal strings are rounded

_LATERAL = re.compile(r"\b(L?LAT(ERAL)?|R ?LAT|LL|RL|XTL)\b")
_FRONTAL = re.compile(r"\b(AP|PA|ANTERO-?POSTERIOR|POSTERO-?ANTERIOR)\b")
_OBLIQUE = re.compile(r"\b(OBL(IQUE)?|[LR][AP]O|[LR]LO)\b")
_DECUBITUS = re.compile(r"\b([LR]LD|DECUBITUS)\b")


def film_spacing(
    pixel_spacing_mm: Sequence[float] | None,
    detector_spacing_mm: Sequence[float] | None,
    calibration_type: str | None,
) -> tuple[Pair, SpacingSource] | tuple[None, None]:
    """(between rows, between columns) in mm and whose millimetres they are; (None, None) without a plausible one.

    pixel_spacing_mm: PixelSpacing. detector_spacing_mm: ImagerPixelSpacing, else NominalScannedPixelSpacing.
    calibration_type: PixelSpacingCalibrationType.

    As PS3.3 10.7.1.1 has it: PixelSpacing that differs from the detector's was corrected for magnification, and equal
    it was not; alone it is the patient's only where a calibration type says so ("cannot be determined" otherwise, and
    what cannot be determined is not taken for calibrated). The detector's is never corrected by an estimated
    magnification: that would be neither.
    """
    pixel, detector = _plausible(pixel_spacing_mm), _plausible(detector_spacing_mm)
    if pixel is None:
        return (None, None) if detector is None else (detector, SpacingSource.DETECTOR)
    if detector is not None:
        same = all(abs(p - d) <= _SAME_SHARE * d for p, d in zip(pixel, detector, strict=True))
        return pixel, SpacingSource.DETECTOR if same else SpacingSource.CALIBRATED
    known = (calibration_type or "").upper() in ("GEOMETRY", "FIDUCIAL")
    return pixel, SpacingSource.CALIBRATED if known else SpacingSource.DETECTOR


def header_view(
    view_position: str | None, patient_orientation: str | None, view_meaning: str | None = None
) -> FilmView | None:
    """The view as the header says it; None where it says nothing, or nothing clear (a decubitus).

    view_position: ViewPosition. patient_orientation: PatientOrientation, both values. view_meaning: the meaning of
    ViewCodeSequence in words.
    """
    for text in (view_position, view_meaning):
        words = (text or "").upper().replace("_", " ").replace("\\", " ")
        if _DECUBITUS.search(words):
            return None
        if _OBLIQUE.search(words):
            return FilmView.OTHER
        if _FRONTAL.search(words):
            return FilmView.AP
        if _LATERAL.search(words):
            return FilmView.LATERAL
    axes = _axes(patient_orientation)
    if axes is None:
        return None
    letters = {direction[0] for direction in axes}
    if letters & {"A", "P"} and letters & {"H", "F"}:
        return FilmView.LATERAL
    if letters & {"L", "R"} and letters & {"H", "F"}:
        return FilmView.AP
    return None


def header_anterior_side(patient_orientation: str | None) -> PictureSide | None:
    """The side of the stored picture to which the patient's front looks; None where rows do not run along it."""
    axes = _axes(patient_orientation)
    if axes is None or axes[0][0] not in "AP":
        return None
    return PictureSide.RIGHT if axes[0][0] == "A" else PictureSide.LEFT


def header_rotation_deg(patient_orientation: str | None) -> int | None:
    """Quarter turns counter-clockwise (numpy.rot90) that put the head up; None where the header does not tell."""
    axes = _axes(patient_orientation)
    if axes is None:
        return None
    along_rows, along_columns = axes[0][0], axes[1][0]
    if along_columns in "HF":
        return 0 if along_columns == "F" else 180
    if along_rows in "HF":
        return 90 if along_rows == "H" else 270  # the head is at the right edge: a quarter turn brings it up
    return None


def _axes(patient_orientation: str | None) -> tuple[str, str] | None:
    """Directions along a row and down a column, for example ("AL", "FP"), or None."""
    parts = [part.strip().upper() for part in (patient_orientation or "").split("\\")]
    if len(parts) != 2 or not all(re.fullmatch("[APHFLR]{1,3}", part) for part in parts):
        return None
    return parts[0], parts[1]


def _plausible(spacing_mm: Sequence[float] | None) -> Pair | None:
    if spacing_mm is None or len(spacing_mm) != 2:
        return None
    low, high = _SPACING_LIMITS_MM
    pair = float(spacing_mm[0]), float(spacing_mm[1])
    return pair if all(math.isfinite(s) and low <= s <= high for s in pair) else None
