"""The audit from reports to files, on a lake that holds the truth: planted omissions are listed, exactly."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.audit.builders import AuditSite
from vfscreen.audit import lists, rates
from vfscreen.audit.inputs import AuditInputError
from vfscreen.audit.run import AuditRequest, AuditResult, plan_audit, read_summary
from vfscreen.errors import SettingsError
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

Run = Callable[..., AuditResult]


def table(result: AuditResult, name: str) -> list[dict[str, Any]]:
    return pq.read_table(result.folder / f"{name}.parquet").to_pylist()


def test_exactly_the_planted_unreported_fractures_are_listed(run: Run, site: AuditSite) -> None:
    rows = table(run(), "found-not-reported")
    listed = [(r["StudyInstanceUID"], r["vertebra_level"]) for r in rows]
    assert len(listed) == len(set(listed))
    assert set(listed) == site.truth.not_reported
    assert len(site.truth.not_reported) >= 5
    said = {(f.StudyInstanceUID, f.vertebra_level): f for f in site.truth.fractures}
    for row in rows:
        planted = said[row["StudyInstanceUID"], row["vertebra_level"]]
        assert row["genant_grade"] == planted.genant_grade
        if row["silence"] == "denied_recent_only":
            assert planted.said == "denied" and row["evidence"] == "No acute compression fracture."
        else:
            assert planted.said == "silent" and row["silence"] in ("silent", "other_level", "only_asked")
    # on CT and on films: the modality of each finding, and of its study
    assert {r["modality"] for r in rows} == {"CT", "CR", "DX"}
    assert all(r["modality"] in r["modalities"] for r in rows)
    assert {r["silence"] for r in rows} >= {"denied_recent_only", "other_level", "silent"}


def test_every_planted_report_of_an_absent_fracture_is_listed(run: Run, site: AuditSite) -> None:
    rows = table(run(), "reported-not-found")
    listed = {(r["StudyInstanceUID"], r["vertebra_level"]): r for r in rows}
    assert set(listed) == {(m.StudyInstanceUID, m.vertebra_level) for m in site.truth.mentions}
    assert len(rows) == len(listed) == 2
    for mention in site.truth.mentions:
        row = listed[mention.StudyInstanceUID, mention.vertebra_level]
        assert (row["status"], row["absence"]) == (mention.said, "below_grade")
        assert row["genant_grade"] in (0, 1)


def test_nothing_is_lost_on_either_side(run: Run, site: AuditSite) -> None:
    summary = run().summary
    reports, studies = summary["reports"], summary["studies"]
    assert reports["rows"] == site.truth.rows
    assert reports["not_in_lake"] + reports["without_accession"] == site.truth.unmatched_rows
    assert reports["read"] == site.truth.rows - site.truth.unmatched_rows
    assert studies["all"] == sum(studies[k] for k in ("not_screened", "without_report", "not_evaluable", "audited"))
    assert studies["not_screened"] == site.truth.unscreened_studies == 2
    with connect(Lake.open(site.lake)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM studies").fetchone() or (None,)
    assert studies["all"] == count
    found = summary["found"]
    assert found["vertebrae"] == len(site.truth.fractures)
    assert found["vertebrae"] == sum(found["reported"].values()) + sum(found["not_reported"].values())


def test_the_missed_rates_are_the_planted_ones(run: Run, site: AuditSite) -> None:
    rows = {(r["unit"], r["grouping"], r["group"]): r for r in table(run(), "missed-rates")}
    overall = rows["vertebra", "all", "all"]
    assert overall["found_count"] == len(site.truth.fractures)
    assert overall["not_reported_count"] == len(site.truth.not_reported)
    assert overall["hedged_count"] == sum(f.said == "hedged" for f in site.truth.fractures)
    studies = {f.StudyInstanceUID for f in site.truth.fractures}
    silent = {s for s in studies if not any(f.is_reported for f in site.truth.fractures if f.StudyInstanceUID == s)}
    assert (rows["study", "all", "all"]["found_count"], rows["study", "all", "all"]["not_reported_count"]) == (
        len(studies),
        len(silent),
    )
    for grouping in rates.GROUPINGS:
        for unit in ("study", "vertebra"):
            groups = [r for (u, g, _), r in rows.items() if (u, g) == (unit, grouping)]
            assert sum(r["found_count"] for r in groups) == rows[unit, "all", "all"]["found_count"]


def test_a_hedge_can_count_as_silence(run: Run, site: AuditSite) -> None:
    strict = run(audit={"hedged_is_reported": False})
    hedged = {(f.StudyInstanceUID, f.vertebra_level) for f in site.truth.fractures if f.said == "hedged"}
    listed = {(r["StudyInstanceUID"], r["vertebra_level"]) for r in table(strict, "found-not-reported")}
    assert hedged and listed == site.truth.not_reported | hedged


def test_the_same_inputs_give_the_same_bytes_and_another_input_another_folder(
    run: Run, site: AuditSite, tmp_path: Path
) -> None:
    first = run()
    again = run(out=tmp_path / "elsewhere")
    assert not again.reused and again.folder.name == first.folder.name
    files = sorted(p.name for p in first.folder.iterdir())
    assert files == sorted(p.name for p in again.folder.iterdir())
    assert all((first.folder / f).read_bytes() == (again.folder / f).read_bytes() for f in files)
    assert run().reused
    more = tmp_path / "more.csv"
    more.write_text(site.reports.read_text() + "Z9,2024-01-01,No fracture.,,,\n")
    assert run(reports=(str(more),)).folder.name != first.folder.name
    assert run(audit={"level_tolerance": 0}).folder.name != first.folder.name
    assert json.loads((tmp_path / "audits" / "latest.json").read_text())["audit"] != first.folder.name


def test_an_audit_that_lost_its_last_file_is_made_again(run: Run) -> None:
    first = run()
    (first.folder / "audit.json").unlink()
    assert read_summary(first.folder) is None
    again = run()
    assert not again.reused and again.summary == first.summary


def test_everything_is_for_its_owner_only_and_outside_the_lake(run: Run, site: AuditSite, tmp_path: Path) -> None:
    result = run()
    for path in (result.folder, result.folder.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in result.folder.iterdir()} == {0o600}
    with pytest.raises(SettingsError, match="inside the lake"):
        run(out=Path(site.lake) / "audits")
    with pytest.raises(SettingsError, match="local folder"):
        run(out=Path("s3://bucket/audits"))
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(SettingsError, match="chmod 700"):
        run(out=tmp_path / "open")


def test_no_report_text_reaches_the_lake_nor_the_summary(run: Run, site: AuditSite) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path(site.lake).rglob("*")}
    result = run()
    assert {p: p.stat().st_mtime_ns for p in Path(site.lake).rglob("*")} == before
    summary = (result.folder / "audit.json").read_text()
    with site.reports.open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["text"][:40] not in summary
            assert not row["accession"] or row["accession"] not in summary
    assert not any(f.StudyInstanceUID in summary for f in site.truth.fractures)


def test_a_dry_run_counts_and_writes_nothing(site: AuditSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", site.key)
    plan = plan_audit(AuditRequest(site.lake, (str(site.reports),), tmp_path / "audits"))
    assert plan["report_rows"] == site.truth.rows
    assert plan["report_rows_to_read"] == site.truth.rows - site.truth.unmatched_rows
    assert not plan["made_already"] and not (tmp_path / "audits").exists()


def test_codes_treatments_and_dxa_stand_beside_the_findings(run: Run, site: AuditSite) -> None:
    given = {name: str(site.folder / f"{name}.csv") for name in ("codes", "treatments", "dxa")}
    result = run(**given)
    care = {(r["kind"], r["fracture"]): r for r in result.summary["care"]}
    assert result.summary["care_tables"]["coded"] == {
        "rows": 3, "other_patients": 0, "incomplete": 0, "other_codes": 1, "used": 2,
    }  # fmt: skip
    # patients 1 and 6 are coded; a fracture of each is reported, of patient 1 on CT and on films a year later
    assert care["coded", "reported"]["with_count"] == 3 and care["coded", "not_reported"]["with_count"] == 0
    assert care["dxa", "reported"]["with_count"] == 2
    row = next(r for r in table(result, "found-not-reported") if r["coded"])
    assert (row["coded"], row["treated"], row["dxa"]) == (["M80.08"], ["alendronate"], ["-2.7"])
    without = table(run(), "found-not-reported")
    assert all(r["coded"] is None and r["treated"] is None for r in without)


def test_parquet_is_read_like_csv_whatever_the_columns_are_called(run: Run, site: AuditSite, tmp_path: Path) -> None:
    import pyarrow as pa

    with site.reports.open(newline="") as file:
        rows = [{"Acc No": r["accession"], "ReportDate": r["date"], "Befund": r["text"]} for r in csv.DictReader(file)]
    path = tmp_path / "export.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(AuditInputError, match="no column accession, date, text"):
        run(reports=(str(path),))
    result = run(
        reports=(str(path),), audit={"columns": {"accession": "acc no", "date": "ReportDate", "text": "Befund"}}
    )
    listed = {(r["StudyInstanceUID"], r["vertebra_level"]) for r in table(result, "found-not-reported")}
    assert listed == site.truth.not_reported
    groups = {r["group"] for r in result.summary["missed_rates"] if r["grouping"] == "reader_group"}
    assert groups == {"unknown"}  # no such column: counted as unknown, not left out


def test_the_lists_have_the_columns_that_are_documented(run: Run) -> None:
    result = run()
    for name, schema in (
        ("found-not-reported", lists.FOUND_NOT_REPORTED),
        ("reported-not-found", lists.REPORTED_NOT_FOUND),
        ("studies", lists.STUDIES),
        ("missed-rates", rates.SCHEMA),
    ):
        assert pq.read_schema(result.folder / f"{name}.parquet").names == schema.names
        with (result.folder / f"{name}.csv").open(newline="") as file:
            assert next(csv.reader(file)) == schema.names
