"""`vfscreen query`: ask the lake. Belongs here: options and printing; the questions are `vfscreen.cohort`'s."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from vfscreen.cli.common import ExitStatus, missing_work, print_error
from vfscreen.cli.filters import takes_filter
from vfscreen.cohort.filter import GROUPS, CohortFilter, FilterError
from vfscreen.cohort.prepared import prepare as prepare_lake
from vfscreen.cohort.queries import named_queries, run_named, run_sql
from vfscreen.cohort.result import Result
from vfscreen.lake.store import Lake
from vfscreen.lake.views import describe_views


class Format(StrEnum):
    """How a result is printed or written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_OUTPUT = "Output"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    @takes_filter
    def query(
        question: CohortFilter,
        name: Annotated[str | None, typer.Argument(help="A named query; --list shows them.")] = None,
        sql: Annotated[str | None, typer.Option("--sql", help="One SELECT over the lake's views instead.")] = None,
        lake: Annotated[str | None, typer.Option("--lake", help="Folder or s3:// URL of the lake.")] = None,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Rows of this release; default: each series' newest.")
        ] = None,
        by: Annotated[
            str | None,
            typer.Option(help=f"Groups, comma-separated: {', '.join(GROUPS)}; '' for none.", rich_help_panel=_OUTPUT),
        ] = None,
        format_: Annotated[
            Format, typer.Option("--format", help="Parquet needs --out.", rich_help_panel=_OUTPUT)
        ] = Format.TABLE,
        json_: Annotated[
            bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=_OUTPUT)
        ] = False,
        out: Annotated[
            Path | None, typer.Option("--out", help="Write here instead of to the terminal.", rich_help_panel=_OUTPUT)
        ] = None,
        prepare: Annotated[
            bool, typer.Option("--prepare", help="Make large lakes fast to ask; a sweep does it at its end.")
        ] = False,
        list_: Annotated[bool, typer.Option("--list", help="Show the named queries and the views.")] = False,
    ) -> None:
        """Ask the lake a question, named or in SQL. Nothing can be changed this way.

        --list shows the named queries and the views that SQL may use; docs/queries.md describes questions, filters and
        denominators, docs/data-dictionary.md the columns. A filter that a query does not heed is an error.

        Examples:

            vfscreen query prevalence --lake LAKE --by age,sex

            vfscreen query cohort --lake LAKE --sex F --age-min 65 --age-max 80 --density-below 110 --l1-only
            --grade-min 2 --match any --contrast non_contrast --from 2019-01-01 --to 2024-12-31 --format csv --out c.csv

            vfscreen query worklist --lake LAKE --grade-min 2 --format csv --out worklist.csv

            vfscreen query incident --lake LAKE --by age,sex

            vfscreen query --sql "SELECT vertebra_level, avg(anterior_height_mm) FROM vertebrae GROUP BY 1" --lake LAKE
        """
        if list_:
            _list()
            return
        if lake is None:
            print_error("say which lake: --lake LAKE")
            raise typer.Exit(ExitStatus.USAGE)
        alone = prepare and name is None and sql is None
        if (name is None) == (sql is None) and not alone:
            print_error("give either the name of a query (see --list) or --sql")
            raise typer.Exit(ExitStatus.USAGE)
        format_ = Format.JSON if json_ else format_
        if format_ is Format.PARQUET and out is None:
            print_error("Parquet is no text: say where it goes with --out FILE")
            raise typer.Exit(ExitStatus.USAGE)
        question = _grouped(question, by)
        if sql and question != CohortFilter():
            print_error("filters belong to named queries; with --sql put conditions into the SQL")
            raise typer.Exit(ExitStatus.USAGE)
        opened = Lake.open(lake)
        if prepare:
            prepare_lake(opened, model_release)
        if alone:
            return
        result = run_named(opened, name, model_release, question) if name else run_sql(opened, sql or "", model_release)
        try:
            _deliver(result, format_, out)
        except OSError as error:
            missing_work(f"cannot write {out or 'to the terminal'}: {error}")


def _grouped(question: CohortFilter, by: str | None) -> CohortFilter:
    if by is None:
        return question
    try:
        return CohortFilter.of(**{**question.model_dump(), "by": [name for name in by.split(",") if name]})
    except FilterError as error:
        print_error(str(error))
        raise typer.Exit(ExitStatus.USAGE) from error


def _list() -> None:
    for title, known in (
        ("Queries", {q.name: q.description for q in named_queries().values()}),
        ("Views for --sql", describe_views()),
    ):
        typer.echo(f"{title}\n")
        for name, description in known.items():
            typer.echo(f"  {name}\n      {description}")
        typer.echo()


def _deliver(result: Result, format_: Format, out: Path | None) -> None:
    if format_ is Format.PARQUET and out is not None:
        result.write_parquet(out)
    elif format_ is Format.TABLE:
        print_result(result, Console(file=out.open("w", encoding="utf-8"), width=400) if out else Console())
    else:
        text = result.csv() if format_ is Format.CSV else json.dumps(result.rows(), indent=2, default=str) + "\n"
        if out:
            out.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)


def print_result(result: Result, console: Console) -> None:
    """A result in the terminal: a table, or one block a row where the columns do not fit side by side."""
    names = list(result.columns)
    rows = [[_cell(row[name]) for name in names] for row in result.rows()]
    table = Table(*names, box=None, header_style="bold")
    for cells in rows:
        table.add_row(*cells)
    if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
        console.print(table)
    else:
        width = max(len(name) for name in names)
        for number, cells in enumerate(rows, start=1):
            console.rule(f"row {number}", align="left", characters="-")
            for name, cell in zip(names, cells, strict=True):
                console.print(Text(f"{name:<{width}}  {cell}"))
    console.print(f"{result.row_count} row(s)")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return " ".join(_cell(v) for v in value)
    return str(value)
