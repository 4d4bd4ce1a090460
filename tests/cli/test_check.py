"""`vfscreen check`: what passes, what fails, and how a program sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cli import check as command
from vfscreen.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.create(tmp_path / "lake")
    put_index(lake, [manifest_row(1), manifest_row(2)])
    land(lake, "a", [ended(manifest_row(1))])
    return lake


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["check", *arguments])


def test_a_sound_lake_passes(lake: Lake) -> None:
    assert run("--lake", lake.url).exit_code == 0
    found = json.loads(run("--lake", lake.url, "--json").stdout)
    assert found["passed"]
    assert {c["failed_rows"] for c in found["checks"]} == {0}
    assert "levels_consecutive" in {c["check"] for c in found["checks"]}


def test_a_contradiction_fails_with_its_rows(lake: Lake) -> None:
    series, vertebrae = ended(manifest_row(2))
    land(lake, "b", [({**series, "PatientAge_years": 20.0}, vertebrae)])
    result = run("--lake", lake.url, "--json")
    assert result.exit_code == 1
    assert "headers_as_indexed" in result.stderr
    found = json.loads(result.stdout)
    failed = {c["check"]: c for c in found["checks"] if c["failed_rows"]}
    assert not found["passed"]
    assert failed["headers_as_indexed"]["examples"][0]["age_in_header"] == 71.0


def test_an_altered_file_fails(lake: Lake) -> None:
    receipt = land(lake, "b", [ended(manifest_row(2))])
    lake.store.write_bytes(receipt["series_path"], lake.store.read_bytes(lake.receipts()[0]["series_path"]))
    result = run("--lake", lake.url, "--json")
    assert result.exit_code == 1
    assert any("altered" in p for p in json.loads(result.stdout)["ledger_problems"])


def test_list_explains_each_check_without_a_lake() -> None:
    assert run().exit_code == 2
    result = run("--list")
    assert result.exit_code == 0
    assert "grade_follows_loss" in result.stdout
