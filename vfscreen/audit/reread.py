"""Sheets of a blinded re-reading that came back, as a reference standard.

Belongs here: checking what a reader filled in, and taking the blinding off. Does not belong here: drawing the sample
(`sampling`), comparing readings with the program (evaluation).

The reference standard is a table, one row a vertebra and reader, by the columns of REFERENCE_SCHEMA. sq_grade_reader is
null where the reader could not evaluate it, which is a reading and not a gap: rows that were not filled in are refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from vfscreen.audit.private import Row, as_csv, as_parquet, write_private
from vfscreen.audit.sampling import SHEET_COLUMNS
from vfscreen.errors import VfscreenError
from vfscreen.schema.names import GRADED_LEVELS, DeformityType

NOT_EVALUABLE = ("outside", "cut", "artefact", "other")
_HEIGHTS = ("anterior_height_mm", "middle_height_mm", "posterior_height_mm")
_LIMITS = {**dict.fromkeys(_HEIGHTS, (0.0, 100.0)), "hu": (-1024.0, 3071.0)}
_SHOWN = 20

REFERENCE_SCHEMA = pa.schema(
    [
        ("StudyInstanceUID", pa.string()),
        ("SeriesInstanceUID", pa.string()),
        ("reader", pa.string()),
        ("vertebra_level", pa.string()),
        ("sq_grade_reader", pa.int32()),
        ("deformity_type", pa.string()),
        *((name, pa.float64()) for name in _HEIGHTS),
        ("hu", pa.float64()),
        ("comment", pa.string()),
        ("not_evaluable_reason", pa.string()),
        ("stratum", pa.string()),
        ("weight", pa.float64()),
    ]
)
"""The columns evaluation reads, then why a vertebra was not evaluable, and the sampling: a sample drawn by strata
stands for its population only with its weights."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row. line: of the sheet, the header is 1."""

    sheet: str
    line: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.sheet}, line {self.line}, {self.column}: {self.message}"


class RereadError(VfscreenError):
    """Sheets cannot be taken as they are. `problems` holds every one of them; the message the first few."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        more = f"\n... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        lines = "\n".join(str(p) for p in self.problems[:_SHOWN])
        super().__init__(f"{len(problems)} problem(s); nothing was written:\n{lines}{more}")


def read_sheets(sheets: Sequence[Path], key_file: Path, *, partial: bool = False) -> tuple[list[Row], int]:
    """(rows of REFERENCE_SCHEMA by study, level and reader; rows of the sheets that are not filled in).

    partial: accept sheets with rows that are not filled in; they are left out and counted. RereadError with every
    problem.
    """
    key = {row["blinded_id"]: row for _, row in _rows(key_file)}
    problems: list[Problem] = []
    found: dict[tuple[str, str, str], Row] = {}
    empty = 0
    for sheet in sheets:
        for line, row in _rows(sheet, SHEET_COLUMNS):
            report = _Reporter(sheet.name, line, problems)
            identity = (row["blinded_id"], row["vertebra_level"], row["reader"])
            reading = _reading(row, key, report)
            if identity in found:
                report("vertebra_level", f"{identity[1]} of {identity[0]} was read by {identity[2]} in another row too")
            if reading is not None:
                found[identity] = reading
            elif not report.said:
                empty += 1
                if not partial:
                    report("sq_grade_reader", "not filled in: give a grade or a not_evaluable_reason (or --partial)")
    if problems:
        raise RereadError(problems)
    ordered = sorted(
        found.values(),
        key=lambda r: (r["StudyInstanceUID"], GRADED_LEVELS.index(r["vertebra_level"]), r["reader"]),
    )
    return ordered, empty


def write_reference(out: Path, rows: Sequence[Row]) -> None:
    """Write the reference standard, as Parquet or CSV by the name of `out`, readable by its owner only."""
    if out.suffix not in (".parquet", ".csv"):
        raise VfscreenError(f"{out} is neither .parquet nor .csv")
    data = as_parquet(REFERENCE_SCHEMA, rows) if out.suffix == ".parquet" else as_csv(REFERENCE_SCHEMA.names, rows)
    write_private(out, data)


class _Reporter:
    """Collects the problems of one row."""

    def __init__(self, sheet: str, line: int, problems: list[Problem]) -> None:
        self._place = (sheet, line)
        self._problems = problems
        self.said = False

    def __call__(self, column: str, message: str) -> None:
        self.said = True
        self._problems.append(Problem(*self._place, column, message))


def _reading(row: Mapping[str, str], key: Mapping[str, Mapping[str, str]], report: _Reporter) -> Row | None:
    """The row as a reading; None where it is not filled in or something is wrong with it."""
    study = key.get(row["blinded_id"])
    if study is None:
        report("blinded_id", f"{row['blinded_id']!r} is not in the key: is this sheet of another audit?")
    if row["vertebra_level"] not in GRADED_LEVELS:
        report("vertebra_level", f"{row['vertebra_level']!r} is no thoracic or lumbar level")
    if not row["reader"]:
        report("reader", "missing")
    grade, reason = row["sq_grade_reader"], row["not_evaluable_reason"].lower()
    if grade and grade not in ("0", "1", "2", "3"):
        report("sq_grade_reader", f"{grade!r} is not 0, 1, 2 or 3")
    if reason and reason not in NOT_EVALUABLE:
        report("not_evaluable_reason", f"{reason!r} is not one of {', '.join(NOT_EVALUABLE)}")
    if grade and reason:
        report("not_evaluable_reason", "given beside a grade: leave one of them empty")
    shape = row["deformity_type"].lower()
    if shape and shape not in {d.value for d in DeformityType}:
        report("deformity_type", f"{shape!r} is not one of {', '.join(d.value for d in DeformityType)}")
    if shape and grade in ("1", "2", "3") and shape == DeformityType.NONE:
        report("deformity_type", f"'none' beside grade {grade}")
    numbers = {name: _number(row[name], name, report) for name in _LIMITS}
    if report.said or study is None or not (grade or reason):
        return None
    return {
        "StudyInstanceUID": study["StudyInstanceUID"],
        "SeriesInstanceUID": study["SeriesInstanceUID"] or None,
        "reader": row["reader"],
        "vertebra_level": row["vertebra_level"],
        "sq_grade_reader": int(grade) if grade else None,
        "deformity_type": shape or None,
        **numbers,
        "comment": row["comment"] or None,
        "not_evaluable_reason": reason or None,
        "stratum": study["stratum"],
        "weight": float(study["weight"]),
    }


def _number(text: str, name: str, report: _Reporter) -> float | None:
    if not text:
        return None
    low, high = _LIMITS[name]
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        report(name, f"{text!r} is no number")
        return None
    if not low <= value <= high:
        report(name, f"{value:g} is not between {low:g} and {high:g}")
    return value


def _rows(path: Path, wanted: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV file as a spreadsheet saves it: a comma or a semicolon between cells."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise VfscreenError(f"{path} cannot be read: {error}; save it as CSV in UTF-8") from error
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, restval="")
    missing = [name for name in wanted if name not in (reader.fieldnames or ())]
    if missing:
        raise VfscreenError(f"{path} has no column {', '.join(missing)}: is it a sheet of an audit?")
    for row in reader:
        if any(row.values()):
            yield reader.line_num, {name: (value or "").strip() for name, value in row.items() if name}
