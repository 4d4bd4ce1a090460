"""`vfscreen report`: one page about a lake. Belongs here: options and printing; the page is made by `report.page`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vfscreen.cli.common import ExitStatus, missing_work, print_error, print_json
from vfscreen.cli.filters import takes_filter
from vfscreen.cohort.filter import CohortFilter
from vfscreen.lake.atomic import Store
from vfscreen.lake.store import Lake


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    @takes_filter
    def report(
        lake: Annotated[str, typer.Option("--lake", help="Folder or s3:// URL of the lake.")],
        out: Annotated[Path, typer.Option("--out", help="The page; replaced where it is there.")],
        question: CohortFilter,
        top: Annotated[int, typer.Option("--top", min=0, max=200, help="Patients in the gallery.")] = 24,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Rows of this release; default: each series' newest.")
        ] = None,
        title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
        note: Annotated[str, typer.Option("--note", help="A remark at the top, for example what the data are.")] = "",
        checks: Annotated[
            bool, typer.Option("--checks/--no-checks", help="Run the account and the data checks (reads every file).")
        ] = True,
        json: Annotated[bool, typer.Option("--json", help="What was written, as one JSON document on stdout.")] = False,
    ) -> None:
        """Write one self-contained page about a lake: flow, prevalence, levels, density, drift, worklist, provenance.

        The page loads nothing from anywhere and stays below 10 MB; it holds pictures and dates of patients, so keep
        it as the archive is kept. Exit status 1 where a check of the lake failed: the page is written and says which.

        Examples:

            vfscreen report --lake LAKE --out report.html

            vfscreen report --lake s3://bucket/lake --out women.html --sex F --age-min 65 --from 2019-01-01 --top 50
        """
        from vfscreen.report.page.build import ReportOptions, build_report

        chosen = {} if title is None else {"title": title}
        options = ReportOptions(
            question=question, model_release=model_release, top=top, note=note, run_checks=checks, **chosen
        )
        if not out.parent.is_dir():
            print_error(f"there is no folder {out.parent} to write {out.name} in")
            raise typer.Exit(ExitStatus.USAGE)
        made = build_report(Lake.open(lake), out, options)
        Store(out.parent).write_bytes(out.name, made.html.encode())  # whole or not at all
        if json:
            print_json(
                {
                    "out": out,
                    "size_bytes": made.size_bytes,
                    "patients_listed": made.patients_listed,
                    "cards": made.cards,
                    "pictures": made.pictures,
                    "checks_failed": made.checks_failed,
                }
            )
        else:
            typer.echo(
                f"{out}: {made.size_bytes / 1e6:.1f} MB, {made.cards} patient(s) in the gallery, "
                f"{made.pictures} with a picture, {made.patients_listed} in the worklist's table"
            )
        if made.checks_failed:
            missing_work("checks of the lake failed; the page says which (also: vfscreen ledger)")
