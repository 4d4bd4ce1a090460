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
from vfscreen.cohort.filter import FilterError
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


def test_filters_reach_the_question(lake: Lake) -> None:
    """The lake has three women of 71 with worst losses of 0.1, 0.15 and 0.3."""
    for options, count in (
        ((), 3),
        (("--sex", "F", "--sex", "unknown", "--age-min", "71", "--age-max", "71"), 3),
        (("--age-min", "72"), 0),
        (("--grade-min", "2"), 1),
        (("--from", "2024-01-06"), 0),
        (("--from", "2024-01-05", "--to", "20240105"), 3),
        (("--level", "T4", "--grade-min", "1"), 0),
        (("--density-below", "110"), 0),
        (("--density-below", "110", "--grade-min", "2", "--match", "any"), 1),
    ):
        assert len(json.loads(run("cohort", "--lake", lake.url, "--json", *options).stdout)) == count, options


def test_groups_are_asked_for(lake: Lake) -> None:
    rows = json.loads(run("prevalence", "--lake", lake.url, "--json", "--by", "year,site").stdout)
    assert [(r["age_band"], r["study_year"], r["InstitutionName"]) for r in rows] == [("all", "2024", "unknown")]
    rows = json.loads(run("prevalence", "--lake", lake.url, "--json", "--by", "").stdout)
    assert [(r["age_band"], r["study_year"], r["patients"]) for r in rows] == [("all", "all", 3)]


@pytest.mark.parametrize(
    "options",
    [("--sex", "W"), ("--age-min", "80", "--age-max", "70"), ("--by", "moon"), ("--level", "T99"), ("--match", "some")],
)
def test_filters_that_cannot_be_meant_are_usage_errors(lake: Lake, options: tuple[str, ...]) -> None:
    assert run("cohort", "--lake", lake.url, *options).exit_code == 2


def test_a_filter_that_a_query_does_not_heed_is_refused(lake: Lake) -> None:
    assert isinstance(run("runs", "--lake", lake.url, "--sex", "F").exception, FilterError)
    assert isinstance(run("levels", "--lake", lake.url, "--by", "age").exception, FilterError)
    assert isinstance(run("prevalence", "--lake", lake.url, "--exams", "all").exception, FilterError)
    assert run("--sql", "SELECT 1", "--lake", lake.url, "--sex", "F").exit_code == 2


def test_prepare_alone_and_before_a_question(lake: Lake) -> None:
    before = run("cohort", "--lake", lake.url, "--json").stdout
    assert run("--prepare", "--lake", lake.url).exit_code == 0
    assert lake.store.list_files("prepared")
    assert run("cohort", "--prepare", "--lake", lake.url, "--json").stdout == before
