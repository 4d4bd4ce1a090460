"""`python -m vfscreen.training.ribs`: data to weight card for the rib network, and levels measured with it.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.ribs prepare --data DATA --name dicom4qi_data1 --phantoms 110 --cases CASES
    python -m vfscreen.training.ribs train --cases CASES --run RUN --steps 700
    python -m vfscreen.training.ribs export --checkpoint RUN/checkpoint.pt
    python -m vfscreen.training.ribs evaluate --data DATA --name ircad_1_1 --volume covid_ar=DICOM_FOLDER --phantoms 60
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vfscreen.ingest.single import read_single
from vfscreen.models.ports import ModelSet
from vfscreen.models.registry import WEIGHTS_DIR, load_models
from vfscreen.models.ribs import load_rib_reader
from vfscreen.settings import ScreeningSettings, load_settings
from vfscreen.training.level_evaluate import (
    NamedColumn,
    cropped,
    name_column,
    read_levels,
    summarise_levels,
    synthetic_column,
)
from vfscreen.training.readings import load_reading
from vfscreen.training.rib_cases import phantom_case, reading_cases, save_case
from vfscreen.training.rib_export import export_ribs
from vfscreen.training.rib_train import RibTrainSettings, train_ribs
from vfscreen.training.run_arguments import (
    CommandLine,
    add_export_arguments,
    add_run_arguments,
    print_numbers,
    run_values,
)
from vfscreen.training.vertebra_export import record_metrics

DEFAULT_CARD = WEIGHTS_DIR / "ribs-v1.yaml"
SUFFIXES = ("_spine", "_ct", "", "_3mm")
"""Volumes beside a reading, by the ends of their names; vertebrae are detected on the first that is there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    commands = CommandLine("ribs", __doc__)

    prepare = commands.add("prepare", "readings and synthetic patients -> cases", _prepare)
    _add_readings(prepare)
    prepare.add_argument("--phantoms", type=int, default=0, help="number of synthetic patients")
    prepare.add_argument("--cases", type=Path, required=True)

    train = commands.add("train", "train on CASES; the same command resumes", _train)
    train.add_argument("--cases", type=Path, required=True)
    add_run_arguments(train, steps=700, batch=32)

    export = commands.add("export", "a checkpoint as weights beside a card", _export)
    add_export_arguments(export, DEFAULT_CARD, like="a card to take the written parts from, for a new one")

    evaluate = commands.add("evaluate", "levels of readings and synthetic patients, by the whole chain", _evaluate)
    _add_readings(evaluate)
    evaluate.add_argument("--phantoms", type=int, default=0, help="synthetic patients, other than those trained on")
    evaluate.add_argument("--card", type=Path, help="rib weights in place of the release's; 'none' for none")
    evaluate.add_argument("--doubtful", action="store_true", help="count levels the reader was not certain of as well")
    evaluate.add_argument("--crop", metavar="FIRST-LAST", help="only the slices of these levels of each reading")
    evaluate.add_argument("--device", default="auto")
    evaluate.add_argument("--record", metavar="DATA", help="put the numbers on the card as measured on DATA")

    return commands.run(arguments)


def _add_readings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="folder with NAME_six_points.json and NAME.nii.gz somewhere in it")
    command.add_argument("--name", action="append", default=[], help="a reading; give it again for more")
    command.add_argument("--volume", action="append", default=[], metavar="NAME=PATH", help="its volume, if elsewhere")


def _sources(parsed: argparse.Namespace, name: str) -> tuple[Path, list[Path]]:
    """The reading's file and the volumes that go with it, the one to detect vertebrae on first."""
    found = sorted(parsed.data.rglob(f"{name}_six_points.json")) if parsed.data else []
    if not found:
        raise FileNotFoundError(f"no {name}_six_points.json below --data {parsed.data}")
    elsewhere = [Path(entry.split("=", 1)[1]) for entry in parsed.volume if entry.split("=", 1)[0] == name]
    beside = [p for end in SUFFIXES if (p := found[0].with_name(f"{name}{end}.nii.gz")).exists()]
    volumes = elsewhere + beside
    if not volumes:
        raise FileNotFoundError(f"no volume beside {found[0]}: give it with --volume {name}=PATH")
    return found[0], volumes


def _models(card: Path | None, device: str) -> tuple[ModelSet, ScreeningSettings]:
    settings = load_settings().screening
    models = load_models(device=device, screening=settings)
    if card is not None:
        models = replace(models, ribs=None if str(card) == "none" else load_rib_reader(card, device=device))
    return models, settings


def _prepare(parsed: argparse.Namespace) -> int:
    parsed.cases.mkdir(parents=True, exist_ok=True)
    if parsed.name:
        models, settings = _models(None, "auto")
        for name in parsed.name:
            reading, paths = _sources(parsed, name)
            volumes = [(name if n == 0 else f"{name}-{n}", read_single(p).volume) for n, p in enumerate(paths)]
            for case in reading_cases(load_reading(reading), volumes, models, settings):
                print(save_case(case, parsed.cases), *case.levels)
    for seed in range(parsed.phantoms):
        print(save_case(phantom_case(seed), parsed.cases))
    return 0


def _train(parsed: argparse.Namespace) -> int:
    settings = RibTrainSettings(cases=parsed.cases, **run_values(parsed))
    print(train_ribs(settings))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    card = export_ribs(parsed.checkpoint, parsed.card, parsed.like)
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


def _evaluate(parsed: argparse.Namespace) -> int:
    models, settings = _models(parsed.card, parsed.device)
    columns = []
    for name in parsed.name:
        path, volumes = _sources(parsed, name)
        reading, volume, group = load_reading(path), read_single(volumes[0]).volume, "read"
        if parsed.crop:
            volume, group = cropped(volume, reading, *parsed.crop.split("-", 1)), parsed.crop
        columns.append(name_column(name, group, volume, read_levels(reading, parsed.doubtful), models, settings))
        _print_column(columns[-1])
    for seed in range(parsed.phantoms):
        columns.append(synthetic_column(seed, models, settings))
        _print_column(columns[-1])
    numbers = summarise_levels(columns)
    print_numbers(numbers)
    if parsed.record:
        record_metrics(parsed.card or DEFAULT_CARD, parsed.record, _command(parsed), numbers)
    return 0 if columns else 1


def _print_column(column: NamedColumn) -> None:
    mark = "" if column.right.all() else f"  named {' '.join(str(v) for v in column.named)}"
    print(
        f"{column.name} ({column.group}): {int(column.right.sum())}/{len(column.truth)} right, certain "
        f"{int(column.certain.sum())}, probability {column.probability.min():.2f} to {column.probability.max():.2f}, "
        f"{column.truth[0]}-{column.truth[-1]}{mark}"
    )


def _command(parsed: argparse.Namespace) -> str:
    """The command that reproduces a measurement, without this machine's paths."""
    parts = ["python -m vfscreen.training.ribs evaluate"]
    if parsed.name:
        parts += ["--data DATA", *(f"--name {name}" for name in parsed.name)]
        parts += [f"--volume {entry.split('=', 1)[0]}=VOLUME" for entry in parsed.volume]
    if parsed.phantoms:
        parts.append(f"--phantoms {parsed.phantoms}")
    if parsed.doubtful:
        parts.append("--doubtful")
    if parsed.crop:
        parts.append(f"--crop {parsed.crop}")
    if parsed.card is not None and parsed.card != DEFAULT_CARD:
        parts.append("--card CARD")
    return " ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
