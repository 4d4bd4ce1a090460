"""`vfscreen ledger`: the keys, the exit status, the messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cli import ledger as command
from vfscreen.errors import LakeError
from vfscreen.lake.store import Lake

KEYS = {
    "files_seen", "files_not_dicom", "files_unreadable", "series_seen", "screened", "rejected", "failed", "pending",
    "reasons", "reconciles",
}  # fmt: skip


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(1), manifest_row(1, 1), manifest_row(2)]
    put_index(lake, manifest)
    land(lake, "s1", [ended(m) for m in manifest[:2]])
    return lake


def test_json_has_the_promised_keys(app: typer.Typer, lake: Lake) -> None:
    result = CliRunner().invoke(app, ["ledger", "--lake", lake.url, "--json"])
    account = json.loads(result.stdout)
    assert result.exit_code == 0, "a pending series is no failure"
    assert account.keys() >= KEYS
    assert account["reconciles"] is True
    assert (account["series_seen"], account["screened"], account["rejected"], account["pending"]) == (3, 1, 1, 1)
    assert account["reasons"] == {"not_best_series": 1}


def test_text_shows_counts_and_reasons(app: typer.Typer, lake: Lake) -> None:
    result = CliRunner().invoke(app, ["ledger", "--lake", lake.url])
    assert result.exit_code == 0
    assert "not_best_series" in result.stdout
    assert "The counts reconcile." in result.stdout


def test_a_damaged_lake_exits_non_zero_and_says_why(app: typer.Typer, lake: Lake) -> None:
    lake.store.remove(lake.receipts()[0]["series_path"])
    for arguments in (["--json"], []):
        result = CliRunner().invoke(app, ["ledger", "--lake", lake.url, *arguments])
        assert result.exit_code == 1
        assert "is gone" in result.stderr
        if arguments:
            assert json.loads(result.stdout)["reconciles"] is False


def test_a_missing_lake_is_a_typed_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ledger", "--lake", str(tmp_path / "none")])
    assert isinstance(result.exception, LakeError)
    assert result.exit_code != 0
