"""Subcommands of `python -m vfscreen.training.films` that train, export and measure the film networks.

Belongs here: their options and what they call. Does not belong here: the pool's (films), anything that is called.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training.film_train import FilmTrainSettings, train_film_locator, train_film_vertebra
from vfscreen.training.run_arguments import add_run_arguments

LOCATOR_CARD = WEIGHTS_DIR / "film-locator-v1.yaml"
VERTEBRA_CARD = WEIGHTS_DIR / "film-vertebra-v1.yaml"


def add_commands(commands: Any) -> None:
    """Add the subcommands to an argparse action of subparsers."""
    for name, text, steps, batch, run in (
        ("train-locator", "the film locator, on a pool; the same command resumes", 1500, 6, _train_locator),
        ("train-vertebra", "the film vertebra network, on a pool; the same command resumes", 3000, 8, _train_vertebra),
    ):
        train = commands.add_parser(name, help=text)
        train.add_argument("--pool", type=Path, action="append", required=True, help="folder of cases; may be repeated")
        train.add_argument("--source-weight", action="append", default=[], metavar="SOURCE=WEIGHT")
        train.add_argument("--learning-rate", type=float, default=1.5e-3)
        train.add_argument("--workers", type=int, default=1, help="processes that make samples")
        add_run_arguments(train, steps, batch)
        train.set_defaults(run_command=run)
        if name == "train-vertebra":
            train.add_argument("--start-from", type=Path, metavar="CARD", help="card of a CT vertebra network")


def _settings(parsed: argparse.Namespace) -> FilmTrainSettings:
    weights = [(name, float(weight)) for name, weight in (pair.split("=", 1) for pair in parsed.source_weight)]
    return FilmTrainSettings(
        pools=tuple(parsed.pool),
        run=parsed.run,
        steps=parsed.steps,
        batch=parsed.batch,
        learning_rate=parsed.learning_rate,
        seed=parsed.seed,
        workers=parsed.workers,
        threads=parsed.threads,
        device=parsed.device,
        source_weights=(*weights, *((name, 0.0) for name in parsed.exclude)),
    )


def _train_locator(parsed: argparse.Namespace) -> int:
    print(train_film_locator(_settings(parsed)))
    return 0


def _train_vertebra(parsed: argparse.Namespace) -> int:
    print(train_film_vertebra(_settings(parsed), parsed.start_from))
    return 0
