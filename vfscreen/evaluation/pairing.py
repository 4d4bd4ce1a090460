"""Each vertebra and each patient of the reference beside what the lake says of it.

Where a reading has points and its series was screened, bodies are matched by position; otherwise by level over the
whole study (of a level seen on several series, the row with the highest grade, then the surest, as the view
`exam_vertebrae` chooses). What has no partner is kept: missed on the reference's side, extra on the lake's.
Belongs here: pairs and why a call is missing. Does not belong here: metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from vfscreen.evaluation.findings import Findings, Row
from vfscreen.evaluation.reference import Reference, ReferenceVertebra
from vfscreen.geometry.matching import BODY_MATCH_MM, match_points
from vfscreen.schema.names import LEVELS

MISSED = "missed"
"""Reason of a vertebra that was read on a screened study and not found there."""

_ORDER = {level: index for index, level in enumerate(LEVELS)}


@dataclass(frozen=True, eq=False)
class VertebraPair:
    """A vertebra of the reference and the lake's row for it.

    found: null where there is none. reason: why there is no grade to compare (missed, truncated, the study's state and
    reason code, ...); null where there is one.
    """

    patient_key: str
    reference: ReferenceVertebra
    found: Mapping[str, Any] | None
    matched_by: Literal["position", "level"] | None
    reason: str | None

    @property
    def grade(self) -> int | None:
        return None if self.found is None or self.found["genant_grade"] is None else int(self.found["genant_grade"])


@dataclass(frozen=True, eq=False)
class Extra:
    """A vertebra of the lake, on a study that was read, that no reader names.

    where: between the outermost vertebrae that were read, beyond them (readers leave out what is cut), or of unknown
    level.
    """

    patient_key: str
    found: Mapping[str, Any]
    where: Literal["between", "beyond", "unknown_level"]


@dataclass(frozen=True, eq=False)
class PatientPair:
    """A patient: the worst over the exams that were read.

    reference_grade: null where no vertebra has one. grade, probabilities: of the lake, null with the reason. exam: the
    latest of the read exams, whose demographics and scanner stand for the patient. reader_grades: the worst each
    (reader, condition) gave, null where that reader graded nothing. weight: of the sampled study; null where
    none is given or several studies were read.
    """

    patient_key: str
    reference_grade: int | None
    grade: int | None
    fracture_probability: float | None
    grade2_probability: float | None
    reason: str | None
    exam: Row
    exam_count: int
    reader_grades: Mapping[tuple[str, str | None], int | None]
    weight: float | None


@dataclass(frozen=True, eq=False)
class Pairs:
    vertebrae: tuple[VertebraPair, ...]
    extra: tuple[Extra, ...]
    patients: tuple[PatientPair, ...]


def pair(reference: Reference, findings: Findings, match_mm: float = BODY_MATCH_MM) -> Pairs:
    """Pairs in the order of studies, then of the reference."""
    by_study: dict[str, list[ReferenceVertebra]] = {study: [] for study in reference.studies}
    for vertebra in reference.vertebrae:
        by_study[vertebra.StudyInstanceUID].append(vertebra)
    pairs: list[VertebraPair] = []
    extra: list[Extra] = []
    for study, vertebrae in by_study.items():
        exam, rows = findings.exams[study], findings.vertebrae[study]
        partners = _partners(vertebrae, rows, match_mm)
        for vertebra, (row, how) in zip(vertebrae, partners, strict=True):
            pairs.append(VertebraPair(exam["patient_key"], vertebra, row, how, _reason(exam, row)))
        extra += _extra(exam["patient_key"], vertebrae, rows, [row for row, _ in partners if row is not None])
    patients: dict[str, list[str]] = {}
    for study in by_study:
        patients.setdefault(findings.exams[study]["patient_key"], []).append(study)
    return Pairs(
        tuple(pairs),
        tuple(extra),
        tuple(
            _patient(key, [findings.exams[s] for s in studies], [v for s in studies for v in by_study[s]])
            for key, studies in patients.items()
        ),
    )


def _partners(
    vertebrae: Sequence[ReferenceVertebra], rows: Sequence[Row], match_mm: float
) -> list[tuple[Row | None, Literal["position", "level"] | None]]:
    found: list[tuple[Row | None, Literal["position", "level"] | None]] = [(None, None)] * len(vertebrae)
    screened = {row["SeriesInstanceUID"] for row in rows}
    placed = [i for i, v in enumerate(vertebrae) if v.keypoints_lps_mm is not None and v.SeriesInstanceUID in screened]
    for series in {vertebrae[i].SeriesInstanceUID for i in placed}:
        read = [i for i in placed if vertebrae[i].SeriesInstanceUID == series]
        seen = [row for row in rows if row["SeriesInstanceUID"] == series]
        centres = [vertebrae[i].centre_lps_mm for i in read]
        for a, b in match_points(np.array(centres), [row["centre_lps_mm"] for row in seen], match_mm).items():
            found[read[a]] = (seen[b], "position")
    taken = {id(row) for row, _ in found if row is not None}
    best: dict[str, Row] = {}
    for row in sorted((r for r in rows if r["vertebra_level"] and id(r) not in taken), key=_preference):
        best.setdefault(row["vertebra_level"], row)
    for index, vertebra in enumerate(vertebrae):
        # a body looked for by position and not there is missed, whatever another series calls by its name
        if index not in placed and vertebra.vertebra_level is not None:
            by_level = best.pop(vertebra.vertebra_level, None)
            found[index] = (by_level, None if by_level is None else "level")
    return found


def _preference(row: Row) -> tuple[float, ...]:
    """Highest grade first, then the surest level, then the surest detection."""
    values = (row["genant_grade"], row["genant_grade_raw"], row["level_probability"], row["detection_probability"])
    return tuple(1.0 if value is None else -float(value) for value in values)


def _reason(exam: Row, row: Row | None) -> str | None:
    if row is not None:
        return None if row["genant_grade"] is not None else row["reason_code"] or "not_graded"
    return MISSED if exam["state"] == "screened" else _not_screened(exam)


def _not_screened(exam: Row) -> str:
    return f"{exam['state']}: {exam['reason_code']}" if exam["reason_code"] else str(exam["state"])


def _extra(
    patient_key: str, vertebrae: Sequence[ReferenceVertebra], rows: Sequence[Row], taken: Sequence[Row]
) -> list[Extra]:
    used = {id(row) for row in taken}
    levels = {v.vertebra_level for v in vertebrae if v.vertebra_level is not None}
    placed = {v.SeriesInstanceUID for v in vertebrae if v.keypoints_lps_mm is not None}
    read = sorted(_ORDER[level] for level in levels)
    found = []
    for row in rows:
        level = row["vertebra_level"]
        # a level that was read, seen once more on a series where bodies were not read by position, is no further body
        if id(row) in used or (level in levels and row["SeriesInstanceUID"] not in placed):
            continue
        if level is None or not read:
            found.append(Extra(patient_key, row, "unknown_level"))
        else:
            between = read[0] <= _ORDER[level] <= read[-1]
            found.append(Extra(patient_key, row, "between" if between else "beyond"))
    return found


def _patient(key: str, exams: Sequence[Row], vertebrae: Sequence[ReferenceVertebra]) -> PatientPair:
    graded = [e for e in exams if e["max_genant_grade"] is not None]
    latest = max(exams, key=lambda e: (e["in_lake"], e["study_date"] or date.min, e["StudyInstanceUID"]))
    readers: dict[tuple[str, str | None], list[int | None]] = {}
    for vertebra in vertebrae:
        for reading in vertebra.readings:
            readers.setdefault((reading.reader, reading.condition), []).append(reading.grade)
    reason = None
    if not graded:
        unscreened = [e for e in exams if e["state"] != "screened"]
        reason = _not_screened(unscreened[0]) if len(unscreened) == len(exams) else "no_vertebra_graded"
    return PatientPair(
        patient_key=key,
        reference_grade=_worst(v.grade for v in vertebrae),
        grade=_worst(e["max_genant_grade"] for e in graded),
        fracture_probability=_worst(e["fracture_probability"] for e in graded),
        grade2_probability=_worst(e["grade2_probability"] for e in graded),
        reason=reason,
        exam=latest,
        exam_count=len(exams),
        reader_grades={who: _worst(grades) for who, grades in readers.items()},
        weight=_worst(v.weight for v in vertebrae) if len(exams) == 1 else None,
    )


def _worst(values: Any) -> Any:
    return max((v for v in values if v is not None), default=None)
