"""`vfscreen check`: do the numbers of a lake agree with each other? Belongs here: options and printing; the checks are
`lake/checks/*/*.sql` and `lake.ledger`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vfscreen.cli.common import ExitStatus, print_error, print_json
from vfscreen.lake.ledger import CheckFailure, check_descriptions, ledger, run_checks
from vfscreen.lake.store import Lake

_SHOWN = 200


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command(name="check")
    def command(
        lake: Annotated[str | None, typer.Option("--lake", help="Folder or s3:// URL of the lake.")] = None,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Judge by this release; default: each series' newest.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
        list_: Annotated[bool, typer.Option("--list", help="Show the checks; the lake is not read.")] = False,
    ) -> None:
        """Run every data check of a lake: accounts, receipts against files, headers, heights, grades, density.

        A check is one SELECT whose rows are its failures. A sweep runs them at its end. Exit status 0 only where none
        has any, and the ledger reconciles.

        Examples:

            vfscreen check --lake LAKE

            vfscreen check --lake s3://bucket/lake --json
        """
        known = check_descriptions()
        if list_:
            for name, description in known.items():
                typer.echo(f"{name}\n    {description}")
            return
        if lake is None:
            print_error("say which lake: --lake LAKE")
            raise typer.Exit(ExitStatus.USAGE)
        opened = Lake.open(lake)
        problems = ledger(opened, model_release).problems
        failures = run_checks(opened, model_release)
        if json:
            print_json({"passed": not failures and not problems, "checks": [_entry(n, failures) for n in known],
                        "ledger_problems": list(problems)})  # fmt: skip
        else:
            found = {f.check for f in failures}
            for name in known:
                typer.echo(f"{'FAILED' if name in found else 'ok    '}  {name}")
        for failure in failures:
            print_error(f"{failure.check}: {failure.count} row(s), first {str(failure.examples[0])[:_SHOWN]}")
        for problem in problems:
            print_error(problem)
        if failures or problems:
            raise typer.Exit(ExitStatus.FAILED)


def _entry(name: str, failures: list[CheckFailure]) -> dict[str, Any]:
    failure = next((f for f in failures if f.check == name), None)
    examples = [] if failure is None else [{k: _text(v) for k, v in row.items()} for row in failure.examples]
    return {"check": name, "failed_rows": 0 if failure is None else failure.count, "examples": examples}


def _text(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else str(value)
