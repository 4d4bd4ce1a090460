"""Options that training commands share: defaults are the network's own, the rest is alike."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from vfscreen.models.cards import Metric
from vfscreen.training.run_arguments import (
    CommandLine,
    add_export_arguments,
    add_run_arguments,
    print_numbers,
    run_values,
)


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, steps=70, batch=3)
    return parser.parse_args(arguments)


def test_defaults_are_the_networks_own() -> None:
    parsed = parse("--run", "r")
    assert (parsed.run, parsed.steps, parsed.batch, parsed.exclude) == (Path("r"), 70, 3, [])


def test_a_run_needs_a_folder_and_a_known_device() -> None:
    for wrong in ((), ("--run", "r", "--device", "tpu")):
        with pytest.raises(SystemExit):
            parse(*wrong)


def test_a_runs_values_are_those_given() -> None:
    values = run_values(parse("--run", "r", "--steps", "5", "--exclude", "a", "b"))
    assert values == {
        "run": Path("r"), "steps": 5, "batch": 3, "seed": 0, "threads": 1, "device": "cpu", "exclude": ("a", "b")
    }  # fmt: skip


def test_a_subcommand_runs_its_work_and_gives_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    commands = CommandLine("nothing", "Does\n  nothing.")
    export = commands.add("export", "weights beside a card", lambda parsed: 3 if parsed.card == Path("c") else 4)
    add_export_arguments(export, Path("c"), like="another card")
    assert commands.run(["export", "--checkpoint", "x"]) == 3
    assert commands.run(["export", "--checkpoint", "x", "--card", "d", "--like", "e"]) == 4
    with pytest.raises(SystemExit):
        commands.run(["--help"])
    assert "python -m vfscreen.training.nothing" in (shown := capsys.readouterr().out) and "Does\n  nothing." in shown


def test_an_interval_is_printed_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    bare = Metric(name="right", value=0.5, unit="", n=4, data="d", command="c")
    print_numbers([bare, bare.model_copy(update={"ci95": (0.25, 0.75)})])
    assert capsys.readouterr().out.splitlines() == ["  right: 0.500  n=4", "  right: 0.500  [0.250, 0.750]  n=4"]
