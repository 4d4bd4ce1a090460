"""`vfscreen query`: ask the lake. Belongs here: options and printing; the questions are `vfscreen.cohort`'s."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from vfscreen.cli.common import ExitStatus, missing_work, print_error
from vfscreen.cohort.filter import GROUPS, PHASES, SEXES, CohortFilter, FilterError
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


_EXAMS, _FOUND, _OUTPUT = "Which exams", "What counts as a finding", "Output"
_DATE = ["%Y-%m-%d", "%Y%m%d"]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    def query(
        name: Annotated[str | None, typer.Argument(help="A named query; --list shows them.")] = None,
        sql: Annotated[str | None, typer.Option("--sql", help="One SELECT over the lake's views instead.")] = None,
        lake: Annotated[str | None, typer.Option("--lake", help="Folder or s3:// URL of the lake.")] = None,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Rows of this release; default: each series' newest.")
        ] = None,
        age_min: Annotated[int | None, typer.Option(help="Whole years, included.", rich_help_panel=_EXAMS)] = None,
        age_max: Annotated[int | None, typer.Option(help="Whole years, included.", rich_help_panel=_EXAMS)] = None,
        sex: Annotated[list[str], typer.Option(help=", ".join(SEXES), rich_help_panel=_EXAMS)] = [],  # noqa: B006
        site: Annotated[
            list[str], typer.Option(help="InstitutionName, or unknown; may be repeated.", rich_help_panel=_EXAMS)
        ] = [],  # noqa: B006
        scanner: Annotated[
            list[str], typer.Option(help="Manufacturer, model, or both; may be repeated.", rich_help_panel=_EXAMS)
        ] = [],  # noqa: B006
        date_from: Annotated[
            datetime | None, typer.Option("--from", formats=_DATE, help="StudyDate.", rich_help_panel=_EXAMS)
        ] = None,
        date_to: Annotated[
            datetime | None, typer.Option("--to", formats=_DATE, help="StudyDate.", rich_help_panel=_EXAMS)
        ] = None,
        contrast: Annotated[list[str], typer.Option(help=", ".join(PHASES), rich_help_panel=_EXAMS)] = [],  # noqa: B006
        modality: Annotated[list[str], typer.Option(help="For example CT.", rich_help_panel=_EXAMS)] = [],  # noqa: B006
        exams: Annotated[
            str, typer.Option(help="latest, first or all of a patient's exams that pass.", rich_help_panel=_EXAMS)
        ] = "latest",
        grade_min: Annotated[
            int | None,
            typer.Option(
                help="A fracture is of at least this grade; 2 where rates are counted.", rich_help_panel=_FOUND
            ),
        ] = None,
        grade: Annotated[
            str, typer.Option(help="adjusted to the level's normal shape, or raw.", rich_help_panel=_FOUND)
        ] = "adjusted",
        level: Annotated[
            list[str], typer.Option(help="Only these levels; may be repeated.", rich_help_panel=_FOUND)
        ] = [],  # noqa: B006
        level_certain: Annotated[
            bool | None,
            typer.Option(
                "--level-certain/--any-level",
                help="Only vertebrae whose numbering something in view fixes; incident does unless --any-level.",
                rich_help_panel=_FOUND,
            ),
        ] = None,
        density_below: Annotated[
            float | None, typer.Option(help="HU of the reference (L1, else fall-back).", rich_help_panel=_FOUND)
        ] = None,
        density: Annotated[str, typer.Option(help="corrected or raw HU.", rich_help_panel=_FOUND)] = "corrected",
        l1_only: Annotated[
            bool, typer.Option("--l1-only", help="Take no fall-back for L1.", rich_help_panel=_FOUND)
        ] = False,
        match: Annotated[
            str, typer.Option(help="cohort, worklist: all of grade and density, or any.", rich_help_panel=_FOUND)
        ] = "all",
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
        asked = {
            "age_min": age_min, "age_max": age_max, "sex": sex, "site": site, "scanner": scanner,
            "date_from": date_from and date_from.date(), "date_to": date_to and date_to.date(),
            "contrast": contrast, "modality": modality, "exams": exams, "grade_min": grade_min, "grade": grade,
            "levels": level, "level_certain": level_certain, "density_below_hu": density_below, "density_kind": density,
            "l1_only": l1_only, "match": match, "by": None if by is None else [b for b in by.split(",") if b],
        }  # fmt: skip
        format_ = Format.JSON if json_ else format_
        if format_ is Format.PARQUET and out is None:
            print_error("Parquet is no text: say where it goes with --out FILE")
            raise typer.Exit(ExitStatus.USAGE)
        question = _question(asked)
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


def _question(asked: dict[str, Any]) -> CohortFilter:
    try:
        return CohortFilter.of(**asked)
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
