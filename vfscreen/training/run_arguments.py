"""What the training command lines have alike: their parser, options, the values of these, printed numbers.

Belongs here: what several `python -m vfscreen.training.NAME` say in the same words. Does not belong here: what one
network's command takes alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from vfscreen.models.cards import Metric
    from vfscreen.training.vertebra_evaluate import Number

Command: TypeAlias = Callable[[argparse.Namespace], int]
"""A subcommand's work: parsed arguments to an exit status."""


class CommandLine:
    """Subcommands of `python -m vfscreen.training.NAME`."""

    def __init__(self, name: str, described: str | None) -> None:
        self._parser = argparse.ArgumentParser(
            prog=f"python -m vfscreen.training.{name}",
            description=described,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._commands = self._parser.add_subparsers(dest="command", required=True)

    def add(self, name: str, what: str, work: Command) -> argparse.ArgumentParser:
        """A subcommand; returns its parser, for its options."""
        command = self._commands.add_parser(name, help=what)
        command.set_defaults(run_command=work)
        return command

    def run(self, arguments: Sequence[str] | None) -> int:
        """Run what was asked for; returns the exit status."""
        parsed = self._parser.parse_args(arguments)
        status: int = parsed.run_command(parsed)
        return status


def add_run_arguments(train: argparse.ArgumentParser, steps: int, batch: int) -> None:
    """Add the run's folder, length, seed, device and held-out cases. steps, batch: defaults."""
    train.add_argument("--run", type=Path, required=True, help="folder of checkpoint.pt and log.csv")
    train.add_argument("--steps", type=int, default=steps)
    train.add_argument("--batch", type=int, default=batch)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    train.add_argument("--exclude", nargs="*", default=[], help="beginnings of names of cases to hold out")


def run_values(parsed: argparse.Namespace) -> dict[str, Any]:
    """What `add_run_arguments` was given, as a run's settings name it."""
    names = ("run", "steps", "batch", "seed", "threads", "device")
    return {**{name: getattr(parsed, name) for name in names}, "exclude": tuple(parsed.exclude)}


def add_export_arguments(export: argparse.ArgumentParser, card: Path, like: str | None = None) -> None:
    """Add the checkpoint and the card. card: default. like: help of --like, for networks that may get a new card."""
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--card", type=Path, default=card)
    if like is not None:
        export.add_argument("--like", type=Path, help=like)


def print_numbers(numbers: Sequence[Number | Metric]) -> None:
    """A line a number, with its interval where it has one."""
    for number in numbers:
        interval = "" if number.ci95 is None else f"  [{number.ci95[0]:.3f}, {number.ci95[1]:.3f}]"
        print(f"  {number.name}: {number.value:.3f}{interval}  n={number.n}")
