"""`vfscreen report`: what it writes, what it says, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cli.main import build_app
from vfscreen.errors import LakeError
from vfscreen.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Women P0-P3 of 70-73, P0 and P1 with a grade 2; P4, a man."""
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(n, PatientAge_years=70.0 + n) for n in range(4)]
    manifest.append(manifest_row(4, PatientSex="M"))
    put_index(lake, manifest)
    land(lake, "s", [ended(row, (0.1, 0.3 if n < 2 else 0.0)) for n, row in enumerate(manifest)])
    return lake


def call(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(), ["report", *map(str, arguments)])


def test_writes_a_page_of_the_patients_that_pass(lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("former page")
    options = ("--sex", "F", "--age-max", 72, "--from", "2024-01-01", "--note", "synthetic data", "--json")
    result = call("--lake", tmp_path / "lake", "--out", out, *options)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["out"], said["patients_listed"], said["cards"], said["pictures"]) == (str(out), 3, 2, 0)
    html = out.read_text(encoding="utf-8")
    assert said["size_bytes"] == out.stat().st_size == len(html.encode())
    assert "2 of 3 with a graded vertebra" in html and "synthetic data" in html and "age max 72" in html
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_check_that_failed_is_the_exit_status(lake: Lake, tmp_path: Path) -> None:
    (shard,) = (tmp_path / "lake" / "tables" / "series").iterdir()
    pq.write_table(pq.read_table(shard), shard, compression="none")
    out = tmp_path / "report.html"
    result = call("--lake", tmp_path / "lake", "--out", out)
    assert result.exit_code == 1
    assert "does not reconcile" in out.read_text(encoding="utf-8")
    assert call("--lake", tmp_path / "lake", "--out", out, "--no-checks").exit_code == 0
    assert "were not run" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sex", "X"), "'X' is not one of"),
        (("--age-min", 80, "--age-max", 60), "age_min is above age_max"),
        (("--exams", "all"), "latest or first"),
        (("--exams", "some"), "exams"),
    ],
)
def test_a_filter_that_cannot_be_meant_writes_nothing(
    lake: Lake, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    out = tmp_path / "report.html"
    result = call("--lake", tmp_path / "lake", "--out", out, *arguments)
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)
    assert not out.exists()


def test_no_lake_and_no_folder_are_errors(lake: Lake, tmp_path: Path) -> None:
    missing = call("--lake", tmp_path / "none", "--out", tmp_path / "report.html")
    assert missing.exit_code != 0 and isinstance(missing.exception, LakeError)
    nowhere = call("--lake", tmp_path / "lake", "--out", tmp_path / "nowhere" / "report.html")
    assert nowhere.exit_code == 2 and "no folder" in nowhere.output
    assert call("--lake", tmp_path / "lake").exit_code == 2


def test_help_has_examples_and_the_filter() -> None:
    result = call("--help")
    assert result.exit_code == 0
    assert "vfscreen report --lake LAKE --out" in result.output
    assert all(option in result.output for option in ("--sex", "--grade-min", "--from", "--level-certain", "--top"))
