"""`vfscreen query`: formats, files, refusals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cli import query as command
from vfscreen.cohort.queries import QueryError, named_queries
from vfscreen.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.create(tmp_path / "lake")
    manifest = [manifest_row(n) for n in range(3)]
    put_index(lake, manifest)
    land(lake, "s1", [ended(m, (0.1, 0.15 * n)) for n, m in enumerate(manifest)])
    return lake


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["query", *arguments])


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_every_named_query_answers_in_every_format(lake: Lake, tmp_path: Path, name: str) -> None:
    assert run(name, "--lake", lake.url).exit_code == 0
    rows = json.loads(run(name, "--lake", lake.url, "--format", "json").stdout)
    assert len(rows) == len(list(csv.DictReader(io.StringIO(run(name, "--lake", lake.url, "--format", "csv").stdout))))
    out = tmp_path / "x.parquet"
    assert run(name, "--lake", lake.url, "--format", "parquet", "--out", str(out)).exit_code == 0
    assert pq.read_metadata(out).num_rows == len(rows)


def test_own_sql(lake: Lake) -> None:
    result = run("--sql", "SELECT count(*) AS n FROM vertebrae", "--lake", lake.url, "--format", "json")
    assert json.loads(result.stdout) == [{"n": 6}]


def test_lists_become_text_in_csv(lake: Lake) -> None:
    sql = "SELECT sdi_levels_assessed AS a, NULL AS b FROM series LIMIT 1"
    assert run("--sql", sql, "--lake", lake.url, "--format", "csv").stdout == "a,b\nT4;T5,\n"


@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_out_writes_what_would_be_printed(lake: Lake, tmp_path: Path, format_: str) -> None:
    out = tmp_path / "out.txt"
    result = run("worklist", "--lake", lake.url, "--format", format_, "--out", str(out))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "grade2_probability" in out.read_text()


def test_out_that_cannot_be_written_fails(lake: Lake, tmp_path: Path) -> None:
    for format_ in ("csv", "table", "parquet"):
        result = run("runs", "--lake", lake.url, "--format", format_, "--out", str(tmp_path / "no" / "such"))
        assert result.exit_code == 1
        assert "cannot write" in result.stderr


def test_list_names_and_explains(lake: Lake) -> None:
    result = run("--list")
    assert result.exit_code == 0
    for query in named_queries().values():
        assert query.name in result.stdout
        assert query.description


def test_unknown_names_list_the_known_ones(lake: Lake) -> None:
    result = run("cohrot", "--lake", lake.url)
    assert isinstance(result.exception, QueryError)
    assert "cohort" in str(result.exception)
    assert result.exit_code != 0


@pytest.mark.parametrize(
    "arguments",
    [[], ["cohort"], ["cohort", "--sql", "SELECT 1", "--lake", "x"], ["cohort", "--lake", "x", "--format", "parquet"]],
)
def test_incomplete_questions_are_usage_errors(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
