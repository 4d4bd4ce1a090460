"""Sheets that come back: what is filled in becomes the reference standard, what is wrong is named and refused."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from vfscreen.audit.reread import REFERENCE_SCHEMA, RereadError, read_sheets
from vfscreen.audit.run import AuditResult
from vfscreen.cli.main import build_app
from vfscreen.errors import VfscreenError

Row = dict[str, str]
Fill = Callable[..., Path]


@pytest.fixture
def audit(run: Callable[..., AuditResult]) -> AuditResult:
    return run(audit={"sampling": {"study_count": 4, "levels": ["T8", "T12", "L1"]}})


@pytest.fixture
def fill(audit: AuditResult, tmp_path: Path) -> Fill:
    """The audit's sheet, every row filled in with grade 0, then changed: fill({row number: {column: value}})."""

    def fill(changes: dict[int, Row] | None = None, delimiter: str = ",", name: str = "back.csv") -> Path:
        with (audit.folder / "reread-reader-1.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for i, row in enumerate(rows):
            row |= {"sq_grade_reader": "0", **(changes or {}).get(i, {})}
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path

    return fill


def test_a_filled_sheet_is_the_reference_standard(audit: AuditResult, fill: Fill) -> None:
    key = audit.folder / "blinding-key.csv"
    grade = {
        "sq_grade_reader": "2",
        "deformity_type": "Wedge",
        "anterior_height_mm": "17,5",
        "hu": "88",
        "comment": "?",
    }
    rows, empty = read_sheets([fill({0: grade, 1: {"sq_grade_reader": "", "not_evaluable_reason": "cut"}})], key)
    assert empty == 0 and len(rows) == 12
    (graded,) = [r for r in rows if r["sq_grade_reader"] == 2]
    assert (graded["deformity_type"], graded["anterior_height_mm"], graded["hu"]) == ("wedge", 17.5, 88.0)
    (missing,) = [r for r in rows if r["sq_grade_reader"] is None]
    assert missing["not_evaluable_reason"] == "cut"
    with key.open(newline="") as file:
        blinded = {r["StudyInstanceUID"] for r in csv.DictReader(file)}
    assert {r["StudyInstanceUID"] for r in rows} == blinded


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"sq_grade_reader": "4"}, "sq_grade_reader", "not 0, 1, 2 or 3"),
        ({"sq_grade_reader": "1.5"}, "sq_grade_reader", "not 0, 1, 2 or 3"),
        ({"sq_grade_reader": ""}, "sq_grade_reader", "not filled in"),
        ({"not_evaluable_reason": "cut"}, "not_evaluable_reason", "beside a grade"),
        ({"sq_grade_reader": "", "not_evaluable_reason": "tired"}, "not_evaluable_reason", "not one of"),
        ({"blinded_id": "NOBODY99"}, "blinded_id", "not in the key"),
        ({"vertebra_level": "C5"}, "vertebra_level", "no thoracic or lumbar level"),
        ({"deformity_type": "square"}, "deformity_type", "not one of"),
        ({"sq_grade_reader": "2", "deformity_type": "none"}, "deformity_type", "beside grade 2"),
        ({"middle_height_mm": "tall"}, "middle_height_mm", "no number"),
        ({"middle_height_mm": "250"}, "middle_height_mm", "between 0 and 100"),
        ({"reader": ""}, "reader", "missing"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(
    audit: AuditResult, fill: Fill, change: Row, column: str, message: str
) -> None:
    with pytest.raises(RereadError, match=message) as caught:
        read_sheets([fill({2: change})], audit.folder / "blinding-key.csv")
    problem = caught.value.problems[0]
    assert (problem.line, problem.column) == (4, column)


def test_every_problem_is_named_at_once(audit: AuditResult, fill: Fill) -> None:
    with pytest.raises(RereadError) as caught:
        read_sheets([fill({i: {"sq_grade_reader": "9"} for i in range(12)})], audit.folder / "blinding-key.csv")
    assert len(caught.value.problems) == 12


def test_a_row_read_twice_is_refused(audit: AuditResult, fill: Fill) -> None:
    with pytest.raises(RereadError, match="in another row too"):
        read_sheets([fill(), fill(name="again.csv")], audit.folder / "blinding-key.csv")


def test_unfinished_rows_are_left_out_only_if_asked_for_and_are_counted(audit: AuditResult, fill: Fill) -> None:
    sheet = fill({i: {"sq_grade_reader": ""} for i in range(5)})
    with pytest.raises(RereadError, match="not filled in"):
        read_sheets([sheet], audit.folder / "blinding-key.csv")
    rows, empty = read_sheets([sheet], audit.folder / "blinding-key.csv", partial=True)
    assert (len(rows), empty) == (7, 5)


def test_another_table_is_refused(audit: AuditResult, tmp_path: Path) -> None:
    with pytest.raises(VfscreenError, match="no column"):
        read_sheets([audit.folder / "studies.csv"], audit.folder / "blinding-key.csv")
    with pytest.raises(VfscreenError, match="cannot be read"):
        read_sheets([tmp_path / "absent.csv"], audit.folder / "blinding-key.csv")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_command_writes_what_evaluation_reads(audit: AuditResult, fill: Fill, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"reference.{suffix}"
    key = str(audit.folder / "blinding-key.csv")
    sheet = str(fill(delimiter=";"))  # as some spreadsheets save it
    call = ["audit", "import-reread", sheet, "--key", key, "--out", str(out), "--json"]
    result = CliRunner().invoke(build_app(), call)
    assert result.exit_code == 0, result.output
    counts = json.loads(result.output)
    assert (counts["rows"], counts["studies"], counts["readers"]) == (12, 4, ["reader-1"])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    if suffix == "parquet":
        assert pq.read_schema(out).equals(REFERENCE_SCHEMA)
    else:
        with out.open(newline="") as file:
            assert next(csv.reader(file)) == REFERENCE_SCHEMA.names


def test_the_command_writes_nothing_where_a_row_is_wrong(audit: AuditResult, fill: Fill, tmp_path: Path) -> None:
    out = tmp_path / "reference.parquet"
    key = str(audit.folder / "blinding-key.csv")
    result = CliRunner().invoke(
        build_app(), ["audit", "import-reread", str(fill({0: {"hu": "x"}})), "--key", key, "--out", str(out)]
    )
    assert result.exit_code == 1 and not out.exists()
    assert isinstance(result.exception, RereadError)
