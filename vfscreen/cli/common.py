"""What every subcommand shares: how errors leave the program, how JSON is printed, names of options.

Belongs here: output conventions (`--json` on stdout, messages on stderr) and exit statuses. Does not belong here: any
command, and nothing that is slow to import (`vfscreen --help` loads this).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from enum import IntEnum
from importlib.metadata import entry_points
from pathlib import PurePath
from typing import Any, NoReturn

import typer

from vfscreen.errors import VfscreenError

COMMANDS_GROUP = "vfscreen.commands"
"""Entry points `name = "module:register"`: commands of packages the library may not import (flows)."""

FUNCTIONS_GROUP = "vfscreen.functions"
"""Entry points `name = "module:function"`: what a command of the library may call in those packages."""


class ExitStatus(IntEnum):
    """What the shell sees. Anything but OK means that the asked work was not done."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


def print_error(message: str) -> None:
    """One message on stderr, without a traceback: it names the remedy itself."""
    typer.secho(f"vfscreen: {message}", fg=typer.colors.RED, err=True)


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Turns an expected error into its message and exit status 1; anything unexpected keeps its traceback."""
    try:
        yield
    except VfscreenError as error:
        if os.environ.get("VFSCREEN_TRACEBACK"):
            raise
        print_error(str(error) or type(error).__name__)
        sys.exit(ExitStatus.FAILED)
    except KeyboardInterrupt:
        print_error("interrupted")
        sys.exit(ExitStatus.INTERRUPTED)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: Any) -> None:
    """`value` (dataclasses, mappings, dates and paths allowed) as one JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, default=_plain, allow_nan=False))


def missing_work(message: str) -> NoReturn:
    """Ends the program because the asked work was not done."""
    print_error(message)
    raise typer.Exit(ExitStatus.FAILED)


def load_function(name: str) -> Callable[..., Any]:
    """The function another installed package offers under `name` in the group `vfscreen.functions`.

    Raises VfscreenError if nothing offers it (an installation without its metadata).
    """
    for point in entry_points(group=FUNCTIONS_GROUP, name=name):
        function: Callable[..., Any] = point.load()
        return function
    raise VfscreenError(f"no installed package offers {name!r}; install vfscreen with pip (or `make setup`)")
