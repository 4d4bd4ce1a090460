"""`vfscreen train`. Belongs here: options, printing, the exit status; the work is flows.train's.

Prefect is imported when a training starts, not before: `vfscreen --help` loads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import absolute
from flows.environment import prefect_server, quieten_prefect
from vfscreen.cli.common import missing_work, print_json

EPILOG = """
**Examples**

`vfscreen train plan.yaml` trains every network of the plan, or goes on where it stopped; docs/adding-a-model.md.

`vfscreen train plan.yaml --network endplates --json` one of them.
"""


def run_training_plan(plan: str, networks: list[str] | None = None) -> tuple[dict[str, Any], str | None]:
    """Train as `flows.train.training`. Returns what was done and why it is not whole, or None. Raises as it does."""
    quieten_prefect()
    from flows.train import training

    with prefect_server():
        state = training(absolute(plan), networks, return_state=True)
    result: Any = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result, None if state.is_completed() else state.message


def register(app: typer.Typer) -> None:
    """Adds `train` to the command line."""

    @app.command("train", epilog=EPILOG)
    def train_command(
        plan: Annotated[Path, typer.Argument(help="YAML: data, networks, cards; docs/adding-a-model.md.")],
        network: Annotated[
            list[str] | None, typer.Option("--network", help="Train this network only; may be given again.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
    ) -> None:
        """Train networks from data to weight cards. Exit status 0 only if every card stands with its weights."""
        done, message = run_training_plan(str(plan), network)
        if as_json:
            print_json(done)
        else:
            for row in done["stages"]:
                typer.echo(f"{row['network']} {row['stage']}: {'had been done' if row['skipped'] else 'done'}")
            for card in done["cards"]:
                typer.echo(f"card {card}")
        if message:
            missing_work(message)
