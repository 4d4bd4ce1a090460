"""`vfscreen demo` end to end, on one patient: archive, sweep, report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vfscreen.cli.main import build_app
from vfscreen.synthesis.truth import DemoTruth


@pytest.mark.slow
def test_the_demo_screens_a_patient_and_accounts_for_every_file(tmp_path: Path) -> None:
    call = ["demo", "--out", str(tmp_path / "demo"), "--patients", "1", "--workers", "1"]
    first = CliRunner().invoke(build_app(), call)
    assert first.exit_code == 0, first.output
    assert "differs" not in first.output and "Cohort" in first.output
    truth = DemoTruth.read(tmp_path / "demo" / "truth.json")
    found = json.loads((tmp_path / "demo" / "report" / "truth-vs-found.json").read_text())
    assert found["unexpected_series"] == []
    assert found["whole_vertebrae"] == sum(not v.truncated for s in truth.series for v in s.vertebrae)
    assert found["matched"] + len(found["missed"]) == found["whole_vertebrae"]
    # a trained chain finds most of a clean synthetic spine; how many exactly is the models' own issue
    assert found["matched"] > 0.6 * found["whole_vertebrae"]
    page = (tmp_path / "demo" / "report" / "report.html").read_text(encoding="utf-8")
    assert "Synthetic data: nobody in it exists." in page and "The account reconciles" in page
    archived = {p: p.stat().st_mtime_ns for p in (tmp_path / "demo" / "archive").rglob("*")}
    second = CliRunner().invoke(build_app(), call)
    assert second.exit_code == 0, second.output
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "demo" / "archive").rglob("*")} == archived


def test_a_folder_with_another_archive_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "precious.dcm").write_bytes(b"mine")
    result = CliRunner().invoke(build_app(), ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "not a demo archive" in result.output
    assert (tmp_path / "archive" / "precious.dcm").read_bytes() == b"mine"
    assert not (tmp_path / "lake").exists()


def test_help_has_examples() -> None:
    result = CliRunner().invoke(build_app(), ["demo", "--help"])
    assert result.exit_code == 0 and "vfscreen demo --out" in result.output
