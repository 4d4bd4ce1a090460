"""The weekly audit as a flow on a real Prefect server: its state follows from the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from prefect.client.orchestration import get_client

from flows.audit import audit, verdict
from tests.audit.builders import AuditSite, make_audit_site
from vfscreen.audit.run import read_summary
from vfscreen.errors import VfscreenError

Call = Callable[..., State[Any]]


@pytest.fixture(scope="module")
def audit_site(tmp_path_factory: pytest.TempPathFactory) -> AuditSite:
    return make_audit_site(tmp_path_factory.mktemp("site"), patients=6)


@pytest.fixture
def call(audit_site: AuditSite, prefect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", audit_site.key)

    def run(**options: Any) -> State[Any]:
        arguments = {"lake": audit_site.lake, "reports": [str(audit_site.reports)], "out": str(tmp_path / "audits")}
        return audit(**{**arguments, **options}, return_state=True)

    return run


def test_it_is_completed_where_every_file_is_there_and_a_second_run_changes_none(call: Call, tmp_path: Path) -> None:
    first = call()
    assert first.is_completed(), first.message
    folder = Path(first.message or "")
    assert folder.parent == tmp_path / "audits"
    times = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    second = call()
    assert second.is_completed()
    assert second.result()["reused"] is True
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == times


def test_a_file_that_was_altered_is_made_again(call: Call) -> None:
    folder = Path(call().message or "")
    listed = folder / "found-not-reported.csv"
    right = listed.read_bytes()
    listed.write_bytes(right[:-5])
    assert read_summary(folder) is None
    assert call().is_completed()
    assert listed.read_bytes() == right


def test_a_dry_run_writes_nothing(call: Call, tmp_path: Path) -> None:
    state = call(dry_run=True)
    assert state.is_completed()
    assert state.result()["report_rows_to_read"] > 0
    assert not (tmp_path / "audits").exists()


def test_reports_of_another_archive_are_a_failure_that_names_the_key(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", "another key than the sweep's")
    state = call()
    assert state.is_failed()
    assert "identity key" in (state.message or "")


@pytest.mark.parametrize("reports", ["", []])
def test_without_reports_it_fails_before_anything_is_written(call: Call, tmp_path: Path, reports: Any) -> None:
    state = call(reports=reports)
    assert state.is_failed()
    with pytest.raises(VfscreenError, match="at least one table of reports"):
        state.result()


def test_without_a_folder_it_fails_rather_than_write_where_it_stands(call: Call) -> None:
    with pytest.raises(VfscreenError, match="which folder"):
        call(out="").result()


def test_prefect_is_told_counts_and_no_text(call: Call, audit_site: AuditSite) -> None:
    call()
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts()
    data = json.dumps([a.data for a in artifacts if (a.key or "").startswith("audit-")])
    assert "denied_recent_only" in data and "missed_rate" in data
    for planted in audit_site.truth.fractures:
        assert planted.StudyInstanceUID not in data
    assert "compression fracture" not in data


def test_accounts_that_do_not_add_up_are_a_failure(call: Call) -> None:
    folder = Path(call().message or "")
    summary = read_summary(folder)
    assert summary is not None and verdict(summary, folder) is None
    summary["studies"]["audited"] += 1
    assert "does not reconcile" in (verdict(summary, folder) or "")
    assert "not complete" in (verdict(None, folder) or "")
