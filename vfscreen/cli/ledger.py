"""`vfscreen ledger`: the account of a lake. Belongs here: options and printing; the counting is `lake.ledger`'s."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vfscreen.cli.common import ExitStatus, print_error, print_json
from vfscreen.lake.ledger import Ledger, ledger
from vfscreen.lake.store import Lake


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command(name="ledger")
    def command(
        lake: Annotated[str, typer.Option("--lake", help="Folder or s3:// URL of the lake.")],
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Judge by this release; default: each series' newest.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    ) -> None:
        """Show that every file and every series of the archive is accounted for.

        Exit status 0 only where the counts reconcile: files by state, series by state, and every receipt with the
        files it names. Pending series are shown; they are work to do, not an error.

        Examples:

            vfscreen ledger --lake LAKE

            vfscreen ledger --lake s3://bucket/lake --json
        """
        account = ledger(Lake.open(lake), model_release)
        if json:
            print_json(account.as_json())
        else:
            _print(account)
        for problem in account.problems:
            print_error(problem)
        if not account.reconciles:
            raise typer.Exit(ExitStatus.FAILED)


def _print(account: Ledger) -> None:
    table = Table("", "count", "", box=None)
    table.columns[1].justify = "right"
    rows: list[tuple[str, int, str]] = [("files seen", account.files_seen, "")]
    rows += [
        (f"  {name}", count, "")
        for name, count in (
            ("DICOM instances", account.files_instance),
            ("not DICOM", account.files_not_dicom),
            ("DICOMDIR", account.files_dicomdir),
            ("zip containers", account.files_container),
            ("unreadable", account.files_unreadable),
        )
    ]
    rows += [(f"    {reason}", count, "reason") for reason, count in account.file_reasons.items()]
    rows.append(("series seen", account.series_seen, ""))
    rows += [(f"  {state}", getattr(account, state), "") for state in ("screened", "rejected", "failed", "pending")]
    rows += [(f"    {reason}", count, "reason") for reason, count in account.reasons.items()]
    rows.append(("shards landed", account.shards, ""))
    for name, count, remark in rows:
        table.add_row(name, f"{count:,}", remark)
    console = Console()
    console.print(table)
    console.print("The counts reconcile." if account.reconciles else "The counts do NOT reconcile:")
