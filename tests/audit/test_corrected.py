"""Corrected rates: what is counted of a study, and an audit's own truth given back by sheets."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.audit.builders import AuditSite
from vfscreen.audit.corrected import SCHEMA, Seen, agreed, tally
from vfscreen.audit.inputs import AuditInputError
from vfscreen.audit.run import AuditResult
from vfscreen.cli.main import build_app

Row = dict[str, Any]


def study(**columns: Any) -> Row:
    return {
        "found_levels": [],
        "not_reported_levels": [],
        "reported_levels": [],
        "reported_without_level": False,
        **columns,
    }


def seen(**grades: int | None) -> Seen:
    return Seen({f"T{n}": 0 for n in range(4, 13)} | {f"L{n}": 0 for n in range(1, 5)} | grades)


def test_each_fracture_is_missed_found_or_neither() -> None:
    """T8: found and reported. T12: found only. L1: reported only. L3: neither. T5: found, and not there."""
    counted = tally(
        study(found_levels=["T5", "T8", "T12"], not_reported_levels=["T5", "T12"], reported_levels=["T8", "L1"]),
        seen(T8=2, T12=3, L1=2, L3=2),
        grade_min=2,
        tolerance=0,
    )
    assert counted.vertebra == {
        "missed": (2, 4),
        "not_found": (2, 4),
        "missed_by_both": (1, 4),
        "found_unconfirmed": (1, 3),
        "listed_unconfirmed": (1, 2),
        "reported_unconfirmed": (0, 2),
    }
    assert counted.study["missed"] == (0, 1) and counted.study["found_unconfirmed"] == (0, 1)
    assert counted.by_grade[3] == {"missed": (1, 1), "not_found": (0, 1), "missed_by_both": (0, 1)}


def test_a_neighbouring_level_counts_only_within_the_tolerance() -> None:
    item = study(found_levels=["T12"], not_reported_levels=["T12"], reported_levels=["T11"])
    near, exact = (tally(item, seen(T12=2), 2, tolerance).vertebra for tolerance in (1, 0))
    assert near["missed"] == (0, 1) and exact["missed"] == (1, 1)
    assert near["reported_unconfirmed"] == (0, 1) and exact["reported_unconfirmed"] == (1, 1)


def test_a_report_without_levels_speaks_of_every_fracture() -> None:
    counted = tally(study(reported_without_level=True), seen(T8=2, L1=3), 2, 1)
    assert counted.vertebra["missed"] == (0, 2) and counted.study["missed"] == (0, 1)
    assert counted.vertebra["reported_unconfirmed"] == (0, 0)
    assert tally(study(reported_without_level=True), seen(), 2, 1).study["reported_unconfirmed"] == (1, 1)


def test_what_no_reader_could_evaluate_is_in_no_total() -> None:
    counted = tally(
        study(found_levels=["T8"], not_reported_levels=["T8"], reported_levels=["L1"]), seen(T8=None, L1=None), 2, 0
    )
    assert set(counted.vertebra.values()) == {(0, 0)}


def test_a_fracture_is_what_most_readers_call_one() -> None:
    rows = [
        {"StudyInstanceUID": "1", "reader": str(i), "vertebra_level": level, "sq_grade_reader": grade}
        for level, grades in {"T8": (2, 2, 0), "L1": (2, 0), "L2": (None, 3), "L3": (None, None)}.items()
        for i, grade in enumerate(grades)
    ]
    rows.append({"StudyInstanceUID": "2", "reader": "0", "vertebra_level": "T8", "sq_grade_reader": None})
    assert agreed(rows) == {"1": Seen({"T8": 2, "L1": 0, "L2": 3, "L3": None})}


@pytest.fixture
def audit(run: Callable[..., AuditResult]) -> AuditResult:
    return run(audit={"sampling": {"study_count": 1000}})


@pytest.fixture
def reference(audit: AuditResult, site: AuditSite, tmp_path: Path) -> Path:
    """Every study read again by one who sees the planted fractures, but calls the reported-only ones fractures too."""
    there = {(f.StudyInstanceUID, f.vertebra_level): f.genant_grade for f in site.truth.fractures}
    there |= {(m.StudyInstanceUID, m.vertebra_level): 2 for m in site.truth.mentions}
    with (audit.folder / "blinding-key.csv").open(newline="") as file:
        studies = {r["blinded_id"]: r["StudyInstanceUID"] for r in csv.DictReader(file)}
    with (audit.folder / "reread-reader-1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["sq_grade_reader"] = str(there.get((studies[row["blinded_id"]], row["vertebra_level"]), 0))
    sheet = tmp_path / "back.csv"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "reference.parquet"
    call = ["audit", "import-reread", str(sheet), "--key", str(audit.folder / "blinding-key.csv"), "--out", str(out)]
    assert CliRunner().invoke(build_app(), call).exit_code == 0
    return out


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_sheets_that_hold_the_truth_give_the_planted_rates(
    audit: AuditResult, site: AuditSite, reference: Path, tmp_path: Path, suffix: str
) -> None:
    if suffix == ".csv":
        table = pq.read_table(reference)
        reference = tmp_path / "reference.csv"
        with reference.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(table.column_names)
            writer.writerows(list(row.values()) for row in table.to_pylist())
    call = ["audit", "correct", str(reference), "--audit", str(audit.folder), "--json"]
    result = CliRunner().invoke(build_app(), call)
    assert result.exit_code == 0, result.output
    made = json.loads(result.output)
    assert (made["not_read_studies"], made["vertebrae_not_evaluable"]) == (0, 0)
    rates = {(r["measure"], r["unit"], r["grouping"], r["group"]): r for r in made["rates"]}
    planted, absent = len(site.truth.fractures), len(site.truth.mentions)
    missed = rates["missed", "vertebra", "all", "all"]
    assert (missed["read_hits"], missed["read_total"]) == (len(site.truth.not_reported), planted + absent)
    assert missed["share"] == pytest.approx(len(site.truth.not_reported) / (planted + absent))
    assert missed["reading_standard_error"] == pytest.approx(0, abs=1e-12)
    # the lake holds the truth: it misses exactly what only the reports say, and nothing is found that is not there
    not_found = rates["not_found", "vertebra", "all", "all"]
    assert (not_found["read_hits"], not_found["estimated_hits"]) == (absent, pytest.approx(absent))
    assert rates["found_unconfirmed", "vertebra", "all", "all"]["read_hits"] == 0
    assert rates["missed_by_both", "vertebra", "all", "all"]["read_hits"] == 0
    for grouping in ("reader_group", "site", "year", "modality"):
        groups = [r for (m, u, g, _), r in rates.items() if (m, u, g) == ("missed", "vertebra", grouping)]
        assert sum(r["read_total"] for r in groups) == planted + absent
    path = audit.folder / "corrected-rates.parquet"
    assert pq.read_schema(path).names == SCHEMA.names and stat.S_IMODE(path.stat().st_mode) == 0o600
    # still a whole audit, which is not made again
    assert CliRunner().invoke(build_app(), call).output == result.output


def test_a_reference_of_another_audit_is_refused(audit: AuditResult, reference: Path, tmp_path: Path) -> None:
    rows = pq.read_table(reference).to_pylist()
    rows[0]["StudyInstanceUID"] = "1.2.3"
    other = tmp_path / "other.parquet"
    pq.write_table(pq.read_table(reference).from_pylist(rows), other)
    result = CliRunner().invoke(build_app(), ["audit", "correct", str(other), "--audit", str(audit.folder)])
    assert isinstance(result.exception, AuditInputError) and "did not draw" in str(result.exception)
    result = CliRunner().invoke(build_app(), ["audit", "correct", str(reference), "--audit", str(tmp_path)])
    assert isinstance(result.exception, AuditInputError) and "no complete audit" in str(result.exception)
