"""The audit's tables, row by row: what the program found and no report mentions, what reports mention and was not
found.

Belongs here: the columns of the lists and filling them. Does not belong here: judging (`compare`), writing (`run`).
These tables hold report text and accession numbers as given; they are written with `vfscreen.audit.private` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from vfscreen.audit.care import KINDS, CareTable
from vfscreen.audit.compare import Compared
from vfscreen.audit.mentions import Mention
from vfscreen.audit.readings import Reading

Rows = Iterator[dict[str, Any]]
Texts = Mapping[int, Mapping[str, str | None]]

_STRINGS = pa.list_(pa.string())

_STUDY = [
    ("StudyInstanceUID", pa.string()),
    ("SeriesInstanceUID", pa.string()),
    ("patient_pseudonym", pa.string()),
    ("accession", pa.string()),
    ("study_date", pa.date32()),
    ("modalities", _STRINGS),
    ("report_date", pa.date32()),
    ("PatientAge_years", pa.float64()),
    ("PatientSex", pa.string()),
    ("site", pa.string()),
    ("reader", pa.string()),
    ("reader_group", pa.string()),
]

FOUND_NOT_REPORTED = pa.schema(
    [
        *_STUDY,
        ("modality", pa.string()),
        ("vertebra_level", pa.string()),
        ("level_certain", pa.bool_()),
        ("genant_grade", pa.int32()),
        ("deformity_type", pa.string()),
        ("height_loss_ratio_adjusted", pa.float64()),
        ("grade2_probability", pa.float64()),
        ("silence", pa.string()),
        ("evidence", pa.string()),
        *((kind, _STRINGS) for kind in KINDS),
        ("overlay_path", pa.string()),
        ("report_text", pa.string()),
    ]
)
"""silence: what the report says instead (vfscreen.audit.compare.Silence). evidence: the sentence that says it. coded,
treated, dxa: values around the study's date; null where no such table was given or the study cannot be joined."""

REPORTED_NOT_FOUND = pa.schema(
    [
        *_STUDY,
        ("vertebra_level", pa.string()),
        ("status", pa.string()),
        ("reported_grade", pa.int32()),
        ("reported_height_loss_percent", pa.float64()),
        ("absence", pa.string()),
        ("genant_grade", pa.int32()),
        ("height_loss_ratio_adjusted", pa.float64()),
        ("evidence", pa.string()),
        ("overlay_path", pa.string()),
        ("report_text", pa.string()),
    ]
)
"""absence: why it was not found (vfscreen.audit.compare.Absence); genant_grade, height_loss: what was measured at that
level."""

STUDIES = pa.schema(
    [
        *_STUDY,
        ("evaluable", pa.bool_()),
        ("stratum", pa.string()),
        ("report_count", pa.int32()),
        ("found_levels", _STRINGS),
        ("not_reported_levels", _STRINGS),
        ("reported_levels", _STRINGS),
        ("reported_without_level", pa.bool_()),
        ("not_found_levels", _STRINGS),
        ("statuses", _STRINGS),
    ]
)
"""Every study that has a report. found_levels: of at least the audited grade; an unknown level is '?'."""


def listed_places(compared: Sequence[Compared]) -> frozenset[int]:
    """The reports whose text the lists show."""
    listed = [c for c in compared if any(f.match is None for f in c.found) or c.not_found]
    return frozenset(r.place for c in listed for r in c.report.readings)


def found_not_reported(compared: Sequence[Compared], texts: Texts, care: Sequence[CareTable], window_days: int) -> Rows:
    """Rows of FOUND_NOT_REPORTED, the highest grade first."""
    pairs = [(c, f) for c in compared for f in c.found if f.match is None]
    for item, found in sorted(
        pairs,
        key=lambda p: (
            -p[1].vertebra.grade,
            -(p[1].vertebra.loss or 0.0),
            p[0].study.study_uid,
            p[1].vertebra.level or "",
        ),
    ):
        vertebra = found.vertebra
        yield {
            **_study(item),
            "SeriesInstanceUID": vertebra.series_uid,
            "modality": vertebra.modality,
            "vertebra_level": vertebra.level,
            "level_certain": vertebra.level_certain,
            "genant_grade": vertebra.grade,
            "deformity_type": vertebra.deformity_type,
            "height_loss_ratio_adjusted": vertebra.loss,
            "grade2_probability": vertebra.grade2_probability,
            "silence": found.silence,
            "evidence": _evidence(item, found.mention, texts),
            **{table.kind: table.near(item, window_days) for table in care},
            "overlay_path": vertebra.overlay_path or item.study.overlay_path,
            "report_text": _text(item, texts),
        }


def reported_not_found(compared: Sequence[Compared], texts: Texts) -> Rows:
    """Rows of REPORTED_NOT_FOUND, by reason and study."""
    pairs = [(c, n) for c in compared for n in c.not_found]
    for item, missing in sorted(pairs, key=lambda p: (p[1].absence, p[0].study.study_uid, p[1].level or "")):
        yield {
            **_study(item),
            "vertebra_level": missing.level,
            "status": missing.mention.status,
            "reported_grade": missing.mention.grade,
            "reported_height_loss_percent": missing.mention.height_loss_percent,
            "absence": missing.absence,
            "genant_grade": missing.grade,
            "height_loss_ratio_adjusted": missing.loss,
            "evidence": _evidence(item, missing.mention, texts),
            "overlay_path": item.study.overlay_path,
            "report_text": _text(item, texts),
        }


def study_rows(compared: Sequence[Compared]) -> Rows:
    """Rows of STUDIES by StudyInstanceUID."""
    for item in sorted(compared, key=lambda c: c.study.study_uid):
        yield {
            **_study(item),
            "evaluable": item.study.evaluable,
            "stratum": item.stratum,
            "report_count": len(item.report.readings),
            "found_levels": [f.vertebra.level or "?" for f in item.found],
            "not_reported_levels": [f.vertebra.level or "?" for f in item.found if f.match is None],
            "reported_levels": list(item.report.levels),
            "reported_without_level": item.report.without_level,
            "not_found_levels": [n.level or "?" for n in item.not_found],
            "statuses": sorted({m.status.value for m in item.report.mentions}),
        }


def _study(item: Compared) -> dict[str, Any]:
    study, readings = item.study, item.report.readings
    return {
        "StudyInstanceUID": study.study_uid,
        "SeriesInstanceUID": study.series_uid,
        "patient_pseudonym": study.patient_pseudonym,
        "accession": readings[0].accession,
        "study_date": study.date,
        "modalities": list(study.modalities),
        "report_date": readings[0].date,
        "PatientAge_years": study.age_years,
        "PatientSex": study.sex,
        "site": item.report.first("site") or study.site,
        "reader": item.report.first("reader"),
        "reader_group": item.report.first("reader_group"),
    }


def _evidence(item: Compared, mention: Mention | None, texts: Texts) -> str | None:
    """The sentence of a mention."""
    if mention is None:
        return None
    reading: Reading = next(r for r in item.report.readings if mention in r.mentions)
    text = (texts[reading.place]["text"] or "").replace("\r\n", "\n").replace("\r", "\n")
    return " ".join(text[mention.start : mention.end].split())


def _text(item: Compared, texts: Texts) -> str:
    return "\n\n".join(texts[r.place]["text"] or "" for r in item.report.readings)
