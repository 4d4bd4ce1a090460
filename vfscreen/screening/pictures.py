"""Overlay pictures of a sweep: which series and films get one, its name in the lake and the line above it.

Belongs here: that a picture carries no identifier, and that a finding is worth more than its picture. Does not belong
here: drawing (report), how files land (lake).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from vfscreen.lake.store import Lake
from vfscreen.screening.result import PatientSummary
from vfscreen.settings import OverlaySettings


def overlay_path(manifest_row: Mapping[str, Any], release: str, sop_instance_uid: str | None = None) -> str:
    """Where the picture of a series, or of one of its films, lies in the lake: the same for the same content and
    release, and no identifier."""
    parts = [str(manifest_row[n]) for n in ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint")]
    if sop_instance_uid is not None:
        parts.append(sop_instance_uid)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"overlays/{release}/{digest[:24]}.png"


def keep_overlay(
    path: str,
    patient: PatientSummary,
    draw: Callable[[], bytes],
    settings: OverlaySettings,
    lake: Lake,
) -> tuple[str | None, str | None]:
    """(path of the picture, why there is none though there should be). draw: called only where one is wanted."""
    grade = patient.max_genant_grade
    is_flagged = grade is not None and grade >= settings.flagged_grade_min
    if settings.draw == "none" or (settings.draw == "flagged" and not is_flagged):
        return None, None
    try:
        data = draw()
    except Exception as error:
        return None, f"screened, but its picture could not be drawn: {type(error).__name__}: {error}"
    lake.write_bytes(path, data)
    return path, None


def picture_title(manifest_row: Mapping[str, Any], path: str, release: str) -> str:
    """Pseudonyms only: pictures travel."""
    pseudonym = manifest_row["patient_pseudonym"]
    patient = "patient unknown" if pseudonym is None else f"patient {pseudonym[:12]}"
    return f"{patient}   series {path[-28:-16]}   {release}"
