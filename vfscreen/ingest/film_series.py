"""The FILES rows of a radiograph series -> its MANIFEST row; and which of its instances are films that can be read.

Belongs here: what a radiograph must be, from its header alone, to go into the chain. Does not belong here: its pixels
(`film`), view and region, which the pixels decide later, whatever the header says.

Films do not compete: every series with a readable film is selected, and each of its films ends with a row of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vfscreen.errors import REASONS, ReasonCode
from vfscreen.ingest.instances import Problem, common, common_columns, settled
from vfscreen.schema.names import FILM_MODALITIES
from vfscreen.settings_films import FilmSettings

Row = Mapping[str, Any]

_FILM_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX for presentation
    "1.2.840.10008.5.1.4.1.1.1.1.1",  # DX for processing
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.7.2",  # multi-frame greyscale byte secondary capture
    "1.2.840.10008.5.1.4.1.1.7.3",  # multi-frame greyscale word secondary capture
}
_OTHER_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1.2": "mammography",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "mammography",
    "1.2.840.10008.5.1.4.1.1.1.3": "intra-oral",
    "1.2.840.10008.5.1.4.1.1.1.3.1": "intra-oral",
    "1.2.840.10008.5.1.4.1.1.6.1": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.3.1": "ultrasound",
    "1.2.840.10008.5.1.4.1.1.12.1": "angiography",
    "1.2.840.10008.5.1.4.1.1.12.2": "fluoroscopy",
    "1.2.840.10008.5.1.4.1.1.13.1.3": "breast tomosynthesis",
}
_NOT_A_FILM = frozenset(
    [
        "SCREENSAVE",
        "SCREEN_SAVE",
        "DOSE_INFO",
        "COLOR",
        "FUSION",
        "HISTOGRAM",
        "GRAPH",
        "SUBTRACTION",
        "TOMO",
        "TOMOSYNTHESIS",
    ]
)
"""Values of ImageType whose pixels are no single projection of the patient."""


def is_film_series(instances: Sequence[Row]) -> bool:
    """Whether the instances are radiographs, readable or not, and none of them CT."""
    modalities = {r["Modality"] for r in instances}
    return not modalities.isdisjoint(FILM_MODALITIES) and "CT" not in modalities


def films_of(instances: Sequence[Row]) -> list[Row]:
    """The instances that are radiographs with an identity, in the order in which vertebrae are counted over them.

    instances: FILES rows, each SOPInstanceUID once.
    """
    films = [r for r in instances if r["Modality"] in FILM_MODALITIES and r["SOPInstanceUID"]]
    return sorted(films, key=_place)


def describe_films(rows: Sequence[Row], instances: Sequence[Row], settings: FilmSettings) -> dict[str, Any]:
    """MANIFEST row of a radiograph series. rows: all its FILES rows; instances: each SOPInstanceUID once."""
    films = films_of(instances)
    problems = [film_problem(film, settings) for film in films]
    used = [film for film, problem in zip(films, problems, strict=True) if problem is None]
    speaking = used or films or instances
    row: dict[str, Any] = {
        **common_columns(rows, instances, speaking),
        "film_count": len(films),
        "used_instance_count": len(used),
        "left_out_instance_count": len(instances) - len(used),
        "Rows": common(speaking, "Rows"),
        "Columns": common(speaking, "Columns"),
    }
    found = [problem for problem in problems if problem is not None]
    row |= settled(_series_problem(films, used, found, settings))
    if row["selected"]:
        row["message"] = _remark(found, len(instances) - len(films))
    return row


def film_problem(film: Row, settings: FilmSettings) -> Problem | None:
    """Why an instance of a radiograph series is no film that can be read, from its header; None where it is one."""
    sop_class, size = film["SOPClassUID"], (film["Rows"] or 0, film["Columns"] or 0)
    if sop_class in _OTHER_CLASSES:
        return ReasonCode.MODALITY_NOT_SUPPORTED, f"SOP class {sop_class}: {_OTHER_CLASSES[sop_class]}"
    if not film["has_pixel_data"] and not all(size):
        return ReasonCode.NOT_AN_IMAGE, f"SOP class {sop_class} without an image"
    if sop_class is not None and sop_class not in _FILM_CLASSES:
        return ReasonCode.DERIVED_IMAGE, f"SOP class {sop_class} is none of radiographs"
    if not film["has_pixel_data"] or not all(size):
        return ReasonCode.PIXEL_DATA_MISSING, f"{size[0]} x {size[1]} pixels announced, none there"
    if odd := sorted(_NOT_A_FILM & set((film["ImageType"] or "").upper().split("\\"))):
        return ReasonCode.DERIVED_IMAGE, f"ImageType holds {', '.join(odd)}: no projection of the patient"
    for name, allowed in (
        ("SamplesPerPixel", (1, None)),
        ("PhotometricInterpretation", ("MONOCHROME1", "MONOCHROME2")),
        ("BitsAllocated", (8, 16, 32)),
    ):
        if film[name] not in allowed:
            return ReasonCode.PIXEL_FORMAT_NOT_SUPPORTED, f"{name} is {film[name]}; grey pixels are read"
    if (film["NumberOfFrames"] or 1) > 1:
        return ReasonCode.FILM_SEVERAL_FRAMES, f"{film['NumberOfFrames']} frames"
    return size_problem(*size, settings)


def size_problem(rows: int, columns: int, settings: FilmSettings) -> Problem | None:
    """Why a picture of this size is not read, or None."""
    if min(rows, columns) < settings.side_min_px:
        return (
            ReasonCode.FILM_TOO_SMALL,
            f"{rows} x {columns} pixels; at least {settings.side_min_px} a side are asked",
        )
    if rows * columns > settings.pixels_max:
        return ReasonCode.FILM_TOO_LARGE, f"{rows} x {columns} pixels; up to {settings.pixels_max} are read"
    return None


def _series_problem(
    films: Sequence[Row], used: Sequence[Row], found: Sequence[Problem], settings: FilmSettings
) -> Problem | None:
    if not settings.enabled:
        return ReasonCode.FILMS_SWITCHED_OFF, REASONS[ReasonCode.FILMS_SWITCHED_OFF]
    if not films:
        return ReasonCode.INSTANCE_UID_MISSING, REASONS[ReasonCode.INSTANCE_UID_MISSING]
    if used:
        return None
    counts = Counter(reason for reason, _ in found)
    reason, message = max(found, key=lambda problem: counts[problem[0]])  # of equals the first film's
    others = len(found) - 1
    return reason, message if not others else f"{message}, and {others} more: {_counted(found)}"


def _remark(found: Sequence[Problem], strangers: int) -> str | None:
    """What a reader should know of a selected series."""
    remarks = []
    if found:
        remarks.append(f"{len(found)} film(s) will not be read: {_counted(found)}")
    if strangers:
        remarks.append(f"{strangers} instance(s) without SOPInstanceUID or of another modality are left out")
    return "; ".join(remarks) or None


def _counted(found: Sequence[Problem]) -> str:
    counts = Counter(reason.value for reason, _ in found)
    return ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))


def _place(film: Row) -> tuple[bool, int, str]:
    number = film["InstanceNumber"]
    return number is None, number or 0, film["SOPInstanceUID"]
