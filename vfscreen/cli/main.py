"""The program `vfscreen`: collects the subcommands and turns errors into messages and exit statuses.

Belongs here: the list of commands. Does not belong here: any command. Commands of packages the library may not import
(flows) register themselves through the entry-point group `vfscreen.commands`.
"""

from __future__ import annotations

from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from vfscreen.cli import audit, check, demo, doctor, evaluate_model, index, ledger, query, report, screen
from vfscreen.cli.common import COMMANDS_GROUP, errors_as_messages

COMMANDS = (demo, index, ledger, check, query, audit, report, screen, evaluate_model, doctor)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"vfscreen {version('vfscreen')}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole command line, this installation's own commands and those of the packages that registered."""
    app = typer.Typer(
        name="vfscreen",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def vfscreen(
        _version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
        ] = False,
    ) -> None:
        """Find the vertebral fractures nobody reported: opportunistic screening of a CT archive.

        Try `vfscreen demo`, then `vfscreen sweep ARCHIVE --lake LAKE`.
        """

    for module in COMMANDS:
        module.register(app)
    for point in sorted(entry_points(group=COMMANDS_GROUP), key=lambda p: p.name):
        point.load()(app)
    return app


def main() -> None:
    """Entry point of the console script."""
    with errors_as_messages():
        build_app()()


if __name__ == "__main__":
    main()
