"""The worklist: patients a reader should look at first, with the picture and numbers that say why.

Belongs here: rows of the worklist -> cards and a table. Does not belong here: the order (`vfscreen.cohort`), the
picture (`vfscreen.report.overlay`), its compression (`pictures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfscreen.report.page import text
from vfscreen.report.page.pictures import Album, Picture

Row = Mapping[str, Any]

LISTED_MAX = 500
"""Rows of the worklist's table. More belong in a file: `vfscreen query worklist --format csv`."""


@dataclass(frozen=True)
class FlaggedVertebra:
    """A vertebra of grade >= 1, in words."""

    level: str
    grade: int
    grade_raw: str
    deformity: str
    loss: str
    loss_raw: str
    anterior: str
    middle: str
    posterior: str
    fracture_probability: str
    grade2_probability: str
    level_probability: str
    density: str


@dataclass(frozen=True)
class Entry:
    """A patient's card. picture is None where there is none to show; picture_note then says why."""

    place: int
    name: str
    patient_key: str
    study: str
    study_date: str
    age: str
    sex: str
    modalities: str
    max_grade: int
    sdi: str
    fracture_probability: str
    grade2_probability: str
    level_certain: bool
    density: str
    vertebrae: tuple[FlaggedVertebra, ...]
    picture: Picture | None
    picture_note: str
    alt: str
    overlay_path: str | None
    overlay_href: str | None


@dataclass(frozen=True)
class Listed:
    """A line of the worklist's table. anchor: id of the patient's card, where there is one."""

    anchor: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Worklist:
    """text: what is shown. rest: what is not, and how to get it."""

    text: str
    caption: str
    total: int
    entries: tuple[Entry, ...]
    headings: tuple[str, ...]
    rows: tuple[Listed, ...]
    rest: str


HEADINGS = (
    "place",
    "patient",
    "date",
    "age",
    "sex",
    "seen on",
    "P(≥ 2)",
    "highest grade",
    "SDI",
    "numbering",
    "overlay in the lake",
)


def worklist(
    rows: Sequence[Row],
    total: int,
    flagged: Mapping[int, Sequence[Row]],
    album: Album,
    top: int,
    href: Callable[[str], str | None],
    by_grade: int = 2,
) -> Worklist:
    """rows: the first LISTED_MAX of the named query `worklist`, which has `total`. flagged: the named query `flagged`
    by place. top: cards at most. href: path of an overlay in the lake -> where a reader of the page finds it, or None.
    by_grade: the least grade whose probability orders the rows.
    """
    carded = [row for row in rows if row["place"] in flagged][:top]
    entries = tuple(_entry(row, flagged[row["place"]], album, href) for row in carded)
    places = {e.place for e in entries}
    listed = tuple(_listed(row, places) for row in rows)
    rest = ""
    if total > len(listed):
        rest = (
            f"{total - len(listed):,} further patients are not listed here. All of them: "
            "vfscreen query worklist --lake LAKE --format csv --out worklist.csv"
        )
    order = f"by the probability of at least one vertebra of grade {by_grade} or more"
    said = _said(order, total, len(entries), top)
    return Worklist(said, f"Patients {order}", total, entries, HEADINGS, listed, rest)


def _said(order: str, total: int, cards: int, top: int) -> str:
    if not total:
        return "No patient has a graded vertebra."
    if not top:
        return f"Patients {order}, {total:,} in all; the table below, without cards."
    if not cards:
        return f"No vertebra was flagged (grade 1 or more) in {total:,} patients with a graded vertebra."
    return (
        f"Patients {order}, {total:,} in all; the first {cards} with a flagged vertebra are shown. Each picture is the "
        "straightened sagittal view of a CT, or a lateral radiograph, with the six points and three heights of every "
        "vertebra (pixels where a radiograph has no calibrated spacing); on the right flagged "
        "vertebrae enlarged, with circles of two standard deviations about each point. A question mark beside a level: "
        "nothing in view fixes the numbering."
    )


def _entry(row: Row, flagged: Sequence[Row], album: Album, href: Callable[[str], str | None]) -> Entry:
    vertebrae = tuple(_vertebra(v) for v in flagged)
    path = row["overlay_path"]
    picture, note = album.embed(path)
    name = text.short(row["patient_key"])
    findings = "; ".join(f"{v.level} grade {v.grade} {v.deformity}, height loss {v.loss}" for v in vertebrae)
    return Entry(
        place=row["place"],
        name=name,
        patient_key=row["patient_key"],
        study=row["StudyInstanceUID"],
        study_date=text.day(row["study_date"]),
        age="unknown" if row["PatientAge_years"] is None else f"{row['PatientAge_years']:g} years",
        sex=text.word(row["PatientSex"]),
        modalities=_modalities(row),
        max_grade=row["max_genant_grade"],
        sdi=text.word(row["sdi"]),
        fracture_probability=text.probability(row["fracture_probability"]),
        grade2_probability=text.probability(row["grade2_probability"]),
        level_certain=bool(row["level_certain"]),
        density=_reference(row),
        vertebrae=vertebrae,
        picture=picture,
        picture_note=note,
        alt=f"{_view(flagged)} of patient {name} with the measured points. {findings}.",
        overlay_path=path,
        overlay_href=None if path is None else href(path),
    )


def _vertebra(row: Row) -> FlaggedVertebra:
    level = row["vertebra_level"] or "level ?"
    kind = row["deformity_type"]
    return FlaggedVertebra(
        level=level if row["level_certain"] or row["vertebra_level"] is None else f"{level}?",
        grade=row["genant_grade"],
        grade_raw=text.word(row["genant_grade_raw"]),
        deformity="" if kind in (None, "none") else kind,
        loss=text.percent(row["height_loss_ratio_adjusted"]),
        loss_raw=text.percent(row["height_loss_ratio_raw"]),
        anterior=_height(row, "anterior"),
        middle=_height(row, "middle"),
        posterior=_height(row, "posterior"),
        fracture_probability=text.probability(row["fracture_probability"]),
        grade2_probability=text.probability(row["grade2_probability"]),
        level_probability=text.probability(row["level_probability"]),
        density=_attenuation(row),
    )


def _height(row: Row, part: str) -> str:
    """In mm, or in pixels of a radiograph without calibrated spacing."""
    if row[f"{part}_height_mm"] is None and row[f"{part}_height_px"] is not None:
        return text.measured(row[f"{part}_height_px"], None, "px")
    return text.measured(row[f"{part}_height_mm"], row[f"{part}_height_sd_mm"], "mm")


def _view(flagged: Sequence[Row]) -> str:
    on_ct = any(row["modality"] == "CT" for row in flagged)
    return "Straightened sagittal CT view" if on_ct else "Lateral radiograph"


def _modalities(row: Row) -> str:
    return ", ".join(row["modalities"] or ()) or text.UNKNOWN


def _attenuation(row: Row) -> str:
    """Mean HU of the vertebra with what speaks against it, and the review flag of a focal lesion."""
    hu = row["trabecular_hu_mean"]
    if hu is None:
        return ""
    against = ", ".join(text.spaced(reason) for reason in row["density_reasons"] or ())
    lesion = row["focal_lesion_flag"]
    flag = f"; look for a focal {lesion} lesion" if lesion not in (None, "none") else ""
    return f"trabecular {hu:.0f} HU{f' (not valid as density: {against})' if against else ''}{flag}"


def _reference(row: Row) -> str:
    hu = row["density_reference_hu_corrected"]
    return "" if hu is None else f"reference {hu:.0f} HU, {text.spaced(row['density_category'])}"


def _listed(row: Row, places: set[int]) -> Listed:
    cells = (
        text.count(row["place"]),
        text.short(row["patient_key"]),
        text.day(row["study_date"]),
        text.word(row["PatientAge_years"]),
        text.word(row["PatientSex"]),
        _modalities(row),
        text.probability(row["grade2_probability"]),
        text.word(row["max_genant_grade"]),
        text.word(row["sdi"]),
        "fixed" if row["level_certain"] else "not certain",
        row["overlay_path"] or "none drawn",
    )
    return Listed(f"patient-{row['place']}" if row["place"] in places else "", cells)
