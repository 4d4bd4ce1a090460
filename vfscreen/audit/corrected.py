"""Missed rates corrected by sheets that came back: what the reports missed of the fractures that readers saw.

Belongs here: what is counted over what, the groups, an audit's files together with a reference standard. Does not
belong here: the estimate and its interval (`weighted`), the rates of findings as they stand (`rates`), metrics of the
model (evaluation).

`rates` counts the program's findings: its false alarms count as missed, and what it missed is not in it. The re-reading
draws from all four cells of found x reported, so its readers say what is true in each, and weights carry that to every
study that was audited.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from vfscreen.audit.compare import match_levels
from vfscreen.audit.inputs import AuditInputError
from vfscreen.audit.private import as_csv, as_json, as_parquet, write_private
from vfscreen.audit.rates import UNKNOWN
from vfscreen.audit.reread import REFERENCE_SCHEMA
from vfscreen.audit.weighted import Unit, weighted_share

Row = dict[str, Any]

CORRECTED_FILE = "corrected-rates"

SCHEMA = pa.schema(
    [
        ("measure", pa.string()),
        ("unit", pa.string()),
        ("grouping", pa.string()),
        ("group", pa.string()),
        ("read_hits", pa.int64()),
        ("read_total", pa.int64()),
        ("estimated_hits", pa.float64()),
        ("estimated_total", pa.float64()),
        ("share", pa.float64()),
        ("standard_error", pa.float64()),
        ("reading_standard_error", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("reason", pa.string()),
    ]
)
"""read_*: in the sheets, unweighted: never divide them, findings are enriched there. estimated_*: in all audited
studies. reading_standard_error: the part of standard_error that more sheets would remove. reason: of a null."""

MEASURES: dict[str, str] = {
    "missed": "of the fractures that readers saw, those no report mentions",
    "not_found": "of the fractures that readers saw, those the program did not find",
    "missed_by_both": "of the fractures that readers saw, those neither a report nor the program has",
    "found_unconfirmed": "of what the program found, what readers did not see",
    "listed_unconfirmed": "of what was found and no report mentions, what readers did not see",
    "reported_unconfirmed": "of what was reported, what readers did not see",
}


@dataclass(frozen=True)
class Seen:
    """What readers saw of a study. grades: level -> the grade of most of them; null where they could not evaluate it or
    were divided."""

    grades: Mapping[str, int | None]

    def fractured(self, grade_min: int) -> list[str]:
        return [level for level, grade in self.grades.items() if grade is not None and grade >= grade_min]


def agreed(rows: Sequence[Row]) -> dict[str, Seen]:
    """StudyInstanceUID -> what its readers saw, from rows of a reference standard.

    Of several readers' grades the lower median counts: a fracture is what more than half of those who graded it call
    one. A study of which nothing could be evaluated is left out: it was drawn and not read.
    """
    grades: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        given = grades[row["StudyInstanceUID"]][row["vertebra_level"]]
        if row["sq_grade_reader"] is not None:
            given.append(int(row["sq_grade_reader"]))
    seen = {
        uid: Seen({level: sorted(g)[(len(g) - 1) // 2] if g else None for level, g in levels.items()})
        for uid, levels in grades.items()
    }
    return {uid: s for uid, s in seen.items() if any(g is not None for g in s.grades.values())}


@dataclass(frozen=True)
class Tally:
    """One study: measure -> (hits, total) of its vertebrae, and of itself. by_grade: the same of the fractures of one
    grade."""

    vertebra: Mapping[str, tuple[int, int]]
    study: Mapping[str, tuple[int, int]]
    by_grade: Mapping[int, Mapping[str, tuple[int, int]]]


def tally(study: Row, seen: Seen, grade_min: int, tolerance: int) -> Tally:
    """Count one study. study: a row of `lists.STUDIES`.

    Levels are matched as in the audit: one to one, exact ones first, then neighbours. What was found or reported at a
    level that no reader could evaluate is in no total; a report of a fracture without any level stands for all.
    """
    true = seen.fractured(grade_min)
    reported, found = list(study["reported_levels"]), [None if f == "?" else f for f in study["found_levels"]]
    unnamed = bool(study["reported_without_level"]) and not reported
    has_report = {i for i in range(len(true)) if unnamed} | match_levels(true, reported, tolerance).keys()
    confirmed = match_levels(found, true, tolerance)
    has_finding = set(confirmed.values())
    listed = [i for i, level in enumerate(study["found_levels"]) if level in study["not_reported_levels"]]
    evaluated = {level for level, grade in seen.grades.items() if grade is not None}
    countable = [i for i, f in enumerate(found) if f is None or f in evaluated or i in confirmed]
    reported_true = match_levels(reported, true, tolerance)
    reported_countable = [j for j, level in enumerate(reported) if level in evaluated or j in reported_true]

    def of_true(chosen: Sequence[int]) -> dict[str, tuple[int, int]]:
        return {
            "missed": (sum(i not in has_report for i in chosen), len(chosen)),
            "not_found": (sum(i not in has_finding for i in chosen), len(chosen)),
            "missed_by_both": (sum(i not in has_report and i not in has_finding for i in chosen), len(chosen)),
        }

    everything = range(len(true))
    grades = {i: int(seen.grades[true[i]] or 0) for i in everything}
    is_true, is_found, is_reported = bool(true), bool(found), bool(reported) or unnamed
    return Tally(
        vertebra={
            **of_true(everything),
            "found_unconfirmed": (sum(i not in confirmed for i in countable), len(countable)),
            "listed_unconfirmed": (
                sum(i in listed and i not in confirmed for i in countable),
                sum(i in listed for i in countable),
            ),
            "reported_unconfirmed": (
                sum(j not in reported_true for j in reported_countable),
                len(reported_countable),
            ),
        },
        study={
            "missed": (int(is_true and not is_reported), int(is_true)),
            "not_found": (int(is_true and not is_found), int(is_true)),
            "missed_by_both": (int(is_true and not is_reported and not is_found), int(is_true)),
            "found_unconfirmed": (int(is_found and not is_true), int(is_found)),
            "listed_unconfirmed": (
                int(is_found and not is_reported and not is_true),
                int(is_found and not is_reported),
            ),
            "reported_unconfirmed": (int(is_reported and not is_true), int(is_reported)),
        },
        by_grade={g: of_true([i for i in everything if grades[i] == g]) for g in sorted(set(grades.values()))},
    )


GROUPINGS: dict[str, Callable[[Row], str | None]] = {
    "all": lambda s: "all",
    "reader_group": lambda s: s["reader_group"],
    "site": lambda s: s["site"],
    "year": lambda s: str(s["study_date"].year) if s["study_date"] else None,
    "modality": lambda s: " ".join(s["modalities"]) or None,
}
"""The groups of `rates`, from a row of `lists.STUDIES`."""


def corrected_rates(studies: Sequence[Row], seen: Mapping[str, Seen], grade_min: int, tolerance: int) -> list[Row]:
    """Rows of SCHEMA. studies: rows of `lists.STUDIES`; those without a graded vertebra could not be drawn and are in
    no estimate. seen: of the studies that were read."""
    audited = [s for s in studies if s["evaluable"]]
    population = [_unit(s) for s in audited]
    chosen = [s for s in audited if s["StudyInstanceUID"] in seen]
    read = [_unit(s) for s in chosen]
    tallies = [tally(s, seen[s["StudyInstanceUID"]], grade_min, tolerance) for s in chosen]

    def row(measure: str, unit: str, grouping: str, group: str, pairs: Sequence[tuple[int, int]]) -> Row:
        share = weighted_share(population, read, [h for h, _ in pairs], [n for _, n in pairs])
        return {
            "measure": measure,
            "unit": unit,
            "grouping": grouping,
            "group": group,
            "read_hits": share.hits,
            "read_total": share.total,
            "estimated_hits": share.hits_estimated,
            "estimated_total": share.total_estimated,
            "share": share.share,
            "standard_error": share.standard_error,
            "reading_standard_error": share.reading_standard_error,
            "low": share.low,
            "high": share.high,
            "reason": share.reason,
        }

    rows = []
    for grouping, group_of in GROUPINGS.items():
        groups = [group_of(s) or UNKNOWN for s in chosen]
        for group in sorted(set(groups)):
            for measure in MEASURES:
                for unit in ("study", "vertebra"):
                    counts = [
                        getattr(t, unit)[measure] if g == group else (0, 0)
                        for t, g in zip(tallies, groups, strict=True)
                    ]
                    rows.append(row(measure, unit, grouping, group, counts))
    for grade in sorted({g for t in tallies for g in t.by_grade}):
        for measure in ("missed", "not_found", "missed_by_both"):
            pairs = [t.by_grade.get(grade, {}).get(measure, (0, 0)) for t in tallies]
            rows.append(row(measure, "vertebra", "grade", str(grade), pairs))
    return rows


def correct_audit(audit: Path, summary: Mapping[str, Any], reference: Path) -> dict[str, Any]:
    """Write `corrected-rates` (Parquet, CSV, JSON) into an audit's folder; returns what the JSON holds.

    summary: of the audit, read back (`run.read_summary`). reference: of `vfscreen audit import-reread` on sheets of
    this audit. The same reference gives the same bytes. AuditInputError where it is of other studies.
    """
    settings = summary["inputs"]["settings"]
    studies = pq.read_table(audit / "studies.parquet").to_pylist()
    drawn = set(pa_csv.read_csv(audit / "blinding-key.csv").column("StudyInstanceUID").cast(pa.string()).to_pylist())
    rows = read_reference(reference)
    if strange := {r["StudyInstanceUID"] for r in rows} - drawn:
        raise AuditInputError(
            f"{reference} holds {len(strange)} studies that {audit.name} did not draw: is it of another audit's sheets?"
        )
    seen = agreed(rows)
    rates = corrected_rates(studies, seen, settings["found_grade_min"], settings["level_tolerance"])
    made: dict[str, Any] = {
        "audit": audit.name,
        "found_grade_min": settings["found_grade_min"],
        "drawn_studies": len(drawn),
        "read_studies": len(seen),
        "not_read_studies": len(drawn) - len(seen),
        "readers": len({r["reader"] for r in rows}),
        "vertebrae_evaluated": sum(g is not None for s in seen.values() for g in s.grades.values()),
        "vertebrae_not_evaluable": sum(g is None for s in seen.values() for g in s.grades.values()),
        "measures": MEASURES,
        "rates": rates,
    }
    write_private(audit / f"{CORRECTED_FILE}.parquet", as_parquet(SCHEMA, rates))
    write_private(audit / f"{CORRECTED_FILE}.csv", as_csv(SCHEMA.names, rates))
    write_private(audit / f"{CORRECTED_FILE}.json", as_json(made))
    return json.loads(as_json(made))  # type: ignore[no-any-return]  # untyped


def read_reference(path: Path) -> list[Row]:
    """Rows of a reference standard, Parquet or CSV; AuditInputError where a column is missing."""
    names = ("StudyInstanceUID", "reader", "vertebra_level", "sq_grade_reader")
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        else:
            types = {n: REFERENCE_SCHEMA.field(n).type for n in names}
            options = pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True)
            table = pa_csv.read_csv(path, convert_options=options)
        return table.select(names).to_pylist()  # type: ignore[no-any-return]  # untyped
    except (OSError, KeyError, pa.ArrowException) as error:
        raise AuditInputError(
            f"{path} cannot be read as a reference standard ({error}); make it with `vfscreen audit import-reread`"
        ) from error


def _unit(study: Row) -> Unit:
    return Unit(study["stratum"], study["patient_pseudonym"] or study["StudyInstanceUID"])
