"""Options that training commands share: defaults are the network's own, the rest is alike."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from vfscreen.training.run_arguments import add_run_arguments


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
