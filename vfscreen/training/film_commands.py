"""Subcommands of `python -m vfscreen.training.films` that train, export and measure the film networks.

Belongs here: their options and what they call. Does not belong here: the pool's (films), anything that is called.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vfscreen.models.film_ports import FilmModels
from vfscreen.models.film_release import load_film_models
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.settings import load_settings
from vfscreen.training.film_cases import load_case
from vfscreen.training.film_evaluate import detection_numbers, grade_numbers, point_numbers, stated_and_true
from vfscreen.training.film_export import export_film_endplates, export_film_locator, export_film_vertebra
from vfscreen.training.film_readings import load_film_readings
from vfscreen.training.film_screened import ScreenedFilm, screened_case, screened_reading
from vfscreen.training.film_train import (
    FilmTrainSettings,
    train_film_endplates,
    train_film_locator,
    train_film_vertebra,
)
from vfscreen.training.run_arguments import add_run_arguments
from vfscreen.training.vertebra_evaluate import Number, fit_calibration
from vfscreen.training.vertebra_export import numbers_json, record_calibration, record_metrics

LOCATOR_CARD = WEIGHTS_DIR / "film-locator-v1.yaml"
VERTEBRA_CARD = WEIGHTS_DIR / "film-vertebra-v1.yaml"
ENDPLATES_CARD = WEIGHTS_DIR / "film-endplates-v1.yaml"


def add_commands(commands: Any) -> None:
    """Add the subcommands to an argparse action of subparsers."""
    for name, text, steps, batch, run in (
        ("train-locator", "the film locator, on a pool; the same command resumes", 1500, 6, _train_locator),
        ("train-vertebra", "the film vertebra network, on a pool; the same command resumes", 3000, 8, _train_vertebra),
        (
            "train-endplates",
            "the film endplate network, on a pool; the same command resumes",
            6000,
            24,
            _train_endplates,
        ),
    ):
        train = commands.add_parser(name, help=text)
        train.add_argument("--pool", type=Path, action="append", required=True, help="folder of cases; may be repeated")
        train.add_argument("--source-weight", action="append", default=[], metavar="SOURCE=WEIGHT")
        train.add_argument("--learning-rate", type=float, default=1.5e-3)
        train.add_argument("--workers", type=int, default=1, help="processes that make samples")
        add_run_arguments(train, steps, batch)
        train.set_defaults(run_command=run)
        if name != "train-locator":
            train.add_argument("--start-from", type=Path, metavar="CARD", help="card of the CT network of that kind")
    export = commands.add_parser("export", help="a checkpoint as weights beside an existing card")
    export.add_argument("network", choices=["locator", "vertebra", "endplates"])
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--card", type=Path)
    export.set_defaults(run_command=_export)
    evaluate = commands.add_parser("evaluate", help="screen films whose vertebrae are known and print the table")
    evaluate.add_argument("--films", type=Path, help="folder of corners.json and its films")
    evaluate.add_argument("--pool", type=Path, help="folder of cases of bodies that were never trained on")
    _add_models(evaluate)
    evaluate.add_argument("--json", type=Path)
    evaluate.add_argument(
        "--record", action="store_true", help="put the numbers on the card of --endplates, without it of --vertebra"
    )
    evaluate.set_defaults(run_command=_evaluate)
    calibrate = commands.add_parser(
        "calibrate",
        help="fit the grades' probabilities on films of some bodies, onto the card that --record would name",
    )
    calibrate.add_argument("--pool", type=Path, required=True, help="folder of cases of bodies never trained on")
    calibrate.add_argument("--only", nargs="+", required=True, help="bodies to fit on; the others are left to test on")
    _add_models(calibrate)
    calibrate.set_defaults(run_command=_calibrate)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--looks", type=int, default=1, help="exposures a case")
    command.add_argument("--locator", type=Path, default=LOCATOR_CARD)
    command.add_argument("--vertebra", type=Path, default=VERTEBRA_CARD)
    command.add_argument("--view", type=Path, help="card of a view network; without one every film is lateral, head up")
    command.add_argument(
        "--endplates", type=Path, help="card of an endplate network; without one the detector's points are measured"
    )
    command.add_argument("--device", default="auto")
    command.add_argument("--threads", type=int, default=2)


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


def _train_endplates(parsed: argparse.Namespace) -> int:
    print(train_film_endplates(_settings(parsed), parsed.start_from))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    export, usual = {
        "locator": (export_film_locator, LOCATOR_CARD),
        "vertebra": (export_film_vertebra, VERTEBRA_CARD),
        "endplates": (export_film_endplates, ENDPLATES_CARD),
    }[parsed.network]
    card = export(parsed.checkpoint, parsed.card or usual)
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


def _evaluate(parsed: argparse.Namespace) -> int:
    models = _models(parsed)
    settings = load_settings().screening
    numbers: list[Number] = []
    if parsed.films is not None:
        readings = load_film_readings(parsed.films / "corners.json")
        screened = [_told(screened_reading(r, parsed.films, models, settings)) for r in readings]
        found = [s.comparison for s in screened]
        numbers += _reported(
            parsed,
            "real lateral films, never trained on but looked at while the networks were developed",
            "--films DATA/films" + _named(parsed),
            [*detection_numbers(found), *point_numbers(found)],
            screened,
        )
    if parsed.pool is not None:
        cases = [load_case(path) for path in sorted(parsed.pool.glob("lateral-*.npz"))]
        screened = [_told(screened_case(c, seed, models, settings)) for c in cases for seed in range(parsed.looks)]
        found = [s.comparison for s in screened]
        table = [*detection_numbers(found), *point_numbers(found), *grade_numbers(found)]
        numbers += _reported(
            parsed,
            "projections of unseen bodies",
            f"--pool EVAL --looks {parsed.looks}{_named(parsed)}",
            table,
            screened,
        )
    if parsed.json is not None:
        parsed.json.write_text(numbers_json(numbers), encoding="utf-8")
    return 0


def _calibrate(parsed: argparse.Namespace) -> int:
    models = _models(parsed)
    # as if nothing had been fitted yet: what is fitted now takes its place
    bare = replace(models, grade_calibration=GradeCalibration())
    settings = load_settings().screening
    paths = [p for p in sorted(parsed.pool.glob("lateral-*.npz")) if any(f"-{name}-" in p.stem for name in parsed.only)]
    if not paths:
        raise FileNotFoundError(f"no lateral case of {', '.join(parsed.only)} in {parsed.pool}")
    films = [
        _told(screened_case(load_case(path), seed, bare, settings)).comparison
        for path in paths
        for seed in range(parsed.looks)
    ]
    stated, true = stated_and_true(films)
    calibration = fit_calibration(stated, true)
    record_calibration(parsed.endplates or parsed.vertebra, calibration)
    print(f"{len(stated)} vertebrae of {len(films)} films, {int(true[:, 1].sum())} of grade >= 2: {calibration}")
    return 0


def _models(parsed: argparse.Namespace) -> FilmModels:
    cards = {
        "film_locator": parsed.locator,
        "film_vertebra": parsed.vertebra,
        "film_endplates": parsed.endplates,
        "film_view": parsed.view,
    }
    models = load_film_models(
        {kind: card for kind, card in cards.items() if card is not None}, parsed.device, parsed.threads
    )
    assert models is not None
    return models


def _told(film: ScreenedFilm) -> ScreenedFilm:
    bodies = film.comparison.bodies
    found = [(b, v) for b, v in bodies if v is not None]
    right = sum(v.vertebra_level == b.level for b, v in found)
    reason = "" if film.result.rejected is None else film.result.rejected.reason.value
    print(
        f"{film.comparison.film}: {len(found)} of {len(bodies)} found, {len(film.comparison.false)} false, "
        f"{right} levels right, {film.seconds:.2f} s {reason}",
        flush=True,
    )
    return film


def _named(parsed: argparse.Namespace) -> str:
    """The optional cards, as options."""
    given = (("view", parsed.view), ("endplates", parsed.endplates))
    return "".join(f" --{name} {card.name}" for name, card in given if card is not None)


def _reported(
    parsed: argparse.Namespace, data: str, sources: str, table: list[Number], screened: list[ScreenedFilm]
) -> list[Number]:
    seconds = [s.seconds for s in screened]
    table = [*table, Number("seconds a film, median", float(np.median(seconds)), "s", len(seconds), None)]
    print(data)
    for number in table:
        interval = "" if number.ci95 is None else f"  [{number.ci95[0]:.3f}, {number.ci95[1]:.3f}]"
        print(f"  {number.name}: {number.value:.3f} {number.unit}{interval}  n={number.n}")
    if parsed.record:
        record_metrics(
            parsed.endplates or parsed.vertebra, data, f"python -m vfscreen.training.films evaluate {sources}", table
        )
    return table
