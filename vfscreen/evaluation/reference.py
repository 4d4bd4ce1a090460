"""What several readers add up to: one grade a vertebra, by a rule that is declared.

Belongs here: readings of one vertebra put together, the rule. Does not belong here: files (reference_files), the lake.

A vertebra on which the rule gives no grade stays in the reference without one, with the reason, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vfscreen.evaluation.metric import Float
from vfscreen.evaluation.reference_files import ReadingsFile, ReferenceStandardError, Row
from vfscreen.schema.names import KEYPOINTS
from vfscreen.schema.readings import SEMIQUANTITATIVE

RULES = ("single", "majority", "median", "adjudicated", "reader:NAME")
_HEIGHTS = ("anterior_height_mm", "middle_height_mm", "posterior_height_mm")


@dataclass(frozen=True)
class Reading:
    """One reader's grade of a vertebra; null: not evaluable to that reader."""

    reader: str
    condition: str | None
    grade: int | None


@dataclass(frozen=True, eq=False)
class ReferenceVertebra:
    """A vertebra of the reference standard.

    grade: by the rule; null with the reason in `undecided` (not_evaluable, no_majority, not_adjudicated, not_read,
    low_confidence). heights_mm, hu, keypoints_lps_mm (6, 3): means over the readers who gave them, null where none did.
    weight: studies of the population this one stands for; null where none is given.
    """

    StudyInstanceUID: str
    SeriesInstanceUID: str | None
    vertebra_level: str | None
    grade: int | None
    undecided: str | None
    deformity_type: str | None
    heights_mm: tuple[float | None, float | None, float | None]
    hu: float | None
    keypoints_lps_mm: Float | None
    readings: tuple[Reading, ...]
    weight: float | None = None

    @property
    def centre_lps_mm(self) -> Float | None:
        return None if self.keypoints_lps_mm is None else np.asarray(self.keypoints_lps_mm.mean(axis=0))


@dataclass(frozen=True, eq=False)
class Reference:
    """rule: as declared, "single" where there is one reader. rule_readers: whose grades made the consensus; empty for
    an adjudicator's. grade_bases: readings by what their grade rests on. files: (url, sha256)."""

    vertebrae: tuple[ReferenceVertebra, ...]
    rule: str
    rule_readers: tuple[str, ...]
    readers: tuple[str, ...]
    conditions: tuple[str | None, ...]
    grade_bases: Mapping[str, int]
    reading_count: int
    files: tuple[tuple[str, str], ...]
    ignored_columns: tuple[str, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        return tuple(sorted({v.StudyInstanceUID for v in self.vertebrae}))


def build_reference(
    files: Sequence[ReadingsFile], consensus: str | None = None, confidence_min: float = 0.5
) -> Reference:
    """Readings of all files, by one rule.

    consensus: one of RULES; None only where one reader read. majority: the grade more than half of those who graded
    gave. median: the middle grade, where that is a grade. adjudicated: the column adjudicated_sq_grade.
    reader:NAME: that reader alone. confidence_min: readings below it count as not evaluable.
    Raises ReferenceStandardError for an unknown rule, several readers without one, contradicting or repeated readings.
    """
    rows = _with_series([row for file in files for row in file.rows])
    readers = tuple(sorted({r["reader"] for r in rows}))
    conditions = tuple(sorted({r.get("condition") for r in rows}, key=lambda c: c or ""))
    rule = _rule(consensus, readers, conditions)
    grouped: dict[tuple[Any, ...], list[Row]] = {}
    for index, row in enumerate(rows):
        unnamed = index if row.get("vertebra_level") is None else None
        key = (row["StudyInstanceUID"], row.get("SeriesInstanceUID"), row.get("vertebra_level"), unnamed)
        grouped.setdefault(key, []).append(row)
    if len(readers) > 1 and any(key[3] is not None for key in grouped):
        raise ReferenceStandardError("several readers read vertebrae without a level: give vertebra_level to pair them")
    vertebrae = tuple(_vertebra(group, rule, confidence_min) for group in grouped.values())
    chosen = rule.removeprefix("reader:")
    return Reference(
        vertebrae=vertebrae,
        rule=rule,
        rule_readers=() if rule == "adjudicated" else (chosen,) if rule.startswith("reader:") else readers,
        readers=readers,
        conditions=conditions,
        grade_bases=Counter(r.get("grade_basis") or SEMIQUANTITATIVE for r in rows),
        reading_count=len(rows),
        files=tuple((f.url, f.sha256) for f in files),
        ignored_columns=tuple(sorted({name for f in files for name in f.ignored})),
    )


def _rule(consensus: str | None, readers: Sequence[str], conditions: Sequence[str | None]) -> str:
    if consensus is None:
        if len(readers) == 1 and len(conditions) == 1:
            return "single"
        raise ReferenceStandardError(
            f"{len(readers)} reader(s) under {len(conditions)} condition(s) and no rule: "
            f"declare one of {', '.join(RULES)}"
        )
    if consensus.startswith("reader:"):
        if consensus.removeprefix("reader:") not in readers:
            raise ReferenceStandardError(f"{consensus}: there is no such reader; there are: {', '.join(readers)}")
    elif consensus not in RULES[:-1]:
        raise ReferenceStandardError(f"consensus rule {consensus!r} is not one of {', '.join(RULES)}")
    if len(conditions) > 1 and consensus not in ("adjudicated",) and not consensus.startswith("reader:"):
        raise ReferenceStandardError(
            f"readings under several conditions ({', '.join(str(c) for c in conditions)}) have no {consensus}: use "
            "adjudicated or reader:NAME"
        )
    if consensus == "single" and len(readers) > 1:
        raise ReferenceStandardError(f"the rule is single, but {len(readers)} readers read: {', '.join(readers)}")
    return consensus


def _with_series(rows: Sequence[Row]) -> list[Row]:
    """Readings of a study as a whole belong to its series where the other readings name exactly one."""
    named: dict[str, set[str]] = {}
    for row in rows:
        if row.get("SeriesInstanceUID"):
            named.setdefault(row["StudyInstanceUID"], set()).add(row["SeriesInstanceUID"])
    found = []
    for row in rows:
        known = named.get(row["StudyInstanceUID"], set())
        if not row.get("SeriesInstanceUID") and known:
            if len(known) > 1:
                raise ReferenceStandardError(
                    f"study {row['StudyInstanceUID']} was read on {len(known)} series and once without saying on which"
                )
            row = {**row, "SeriesInstanceUID": next(iter(known))}
        found.append(row)
    return found


def _vertebra(rows: Sequence[Row], rule: str, confidence_min: float) -> ReferenceVertebra:
    first = rows[0]
    place = f"study {first['StudyInstanceUID']}, {first.get('vertebra_level') or 'unnamed vertebra'}"
    repeated = Counter((r["reader"], r.get("condition")) for r in rows)
    if twice := [f"{reader}" for (reader, _), n in repeated.items() if n > 1]:
        raise ReferenceStandardError(f"{place}: {', '.join(twice)} read it more than once; keep one reading")
    sure = [(row.get("confidence") is None or row["confidence"] >= confidence_min) for row in rows]
    readings = tuple(
        Reading(r["reader"], r.get("condition"), r.get("sq_grade_reader") if s else None)
        for r, s in zip(rows, sure, strict=True)
    )
    used = [r for r, s in zip(rows, sure, strict=True) if s and _counts(r, rule)]
    grade, undecided = _decide(place, rows, used, readings, rule)
    if undecided == "not_evaluable" and not any(sure):
        undecided = "low_confidence"
    points = [np.array([r[f"{n}_lps_mm"] for n in KEYPOINTS]) for r in rows if r.get(f"{KEYPOINTS[0]}_lps_mm")]
    shapes = {r.get("deformity_type") for r in used} - {None}
    a, m, p = (_mean(used, name) for name in _HEIGHTS)
    return ReferenceVertebra(
        StudyInstanceUID=first["StudyInstanceUID"],
        SeriesInstanceUID=first.get("SeriesInstanceUID"),
        vertebra_level=first.get("vertebra_level"),
        grade=grade,
        undecided=undecided,
        deformity_type=next(iter(shapes)) if len(shapes) == 1 else None,
        heights_mm=(a, m, p),
        hu=_mean(used, "hu"),
        keypoints_lps_mm=np.mean(points, axis=0) if points else None,
        readings=readings,
        weight=_weight(place, rows),
    )


def _counts(row: Row, rule: str) -> bool:
    return not rule.startswith("reader:") or row["reader"] == rule.removeprefix("reader:")


def _decide(
    place: str, rows: Sequence[Row], used: Sequence[Row], readings: Sequence[Reading], rule: str
) -> tuple[int | None, str | None]:
    """(grade, None) or (None, why there is none)."""
    if rule == "adjudicated":
        decided = {int(g) for r in rows if (g := r.get("adjudicated_sq_grade")) is not None}
        if len(decided) > 1:
            raise ReferenceStandardError(f"{place}: adjudicated_sq_grade is {sorted(decided)}; it must be one grade")
        return (decided.pop(), None) if decided else (None, "not_adjudicated")
    if rule.startswith("reader:") and not any(_counts(r, rule) for r in rows):
        return None, "not_read"
    grades = sorted(int(r["sq_grade_reader"]) for r in used if r.get("sq_grade_reader") is not None)
    if not grades:
        return None, "not_evaluable"
    if rule == "median":
        middle = float(np.median(grades))
        return (int(middle), None) if middle.is_integer() else (None, "no_majority")
    grade, votes = Counter(grades).most_common(1)[0]
    return (grade, None) if 2 * votes > len(grades) else (None, "no_majority")


def _weight(place: str, rows: Sequence[Row]) -> float | None:
    given = {float(r["weight"]) for r in rows if r.get("weight") is not None}
    if len(given) > 1:
        raise ReferenceStandardError(f"{place}: weight is {sorted(given)}; a study has one weight")
    return next(iter(given), None)


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = [float(r[name]) for r in rows if r.get(name) is not None]
    return float(np.mean(values)) if values else None
