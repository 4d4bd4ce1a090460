"""`python -m vfscreen.training.locator`: data to weight card for the locator.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.locator prepare --readings DATA/ct --name dicom4qi_data1 --phantoms 150 --cases CASES
    python -m vfscreen.training.locator train --cases CASES --run RUN --steps 3000
    python -m vfscreen.training.locator export --checkpoint RUN/checkpoint.pt
    python -m vfscreen.training.locator evaluate --readings DATA/ct --name covid_ar --name crlm_1004
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vfscreen.ingest.single import read_single
from vfscreen.models.locator import load_locator
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training.locator_cases import phantom_case, reading_case, save_case
from vfscreen.training.locator_evaluate import evaluate_column, summarise_columns
from vfscreen.training.locator_export import export_locator
from vfscreen.training.locator_train import LocatorTrainSettings, train_locator
from vfscreen.training.readings import load_reading
from vfscreen.training.vertebra_evaluate import Number
from vfscreen.training.vertebra_export import record_metrics

DEFAULT_CARD = WEIGHTS_DIR / "locator-v1.yaml"


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m vfscreen.training.locator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="readings and synthetic patients -> cases")
    prepare.add_argument("--readings", type=Path, help="folder of NAME_3mm.nii.gz and NAME_six_points.json")
    prepare.add_argument("--suffix", default="_3mm", help="what the volumes' names end in, before .nii.gz")
    prepare.add_argument("--name", action="append", default=[], help="a reading; give it again for more")
    prepare.add_argument("--phantoms", type=int, default=0, help="number of synthetic patients")
    prepare.add_argument("--cases", type=Path, required=True)
    train = commands.add_parser("train", help="train or resume")
    train.add_argument("--cases", type=Path, required=True)
    train.add_argument("--run", type=Path, required=True)
    train.add_argument("--steps", type=int, default=3000)
    train.add_argument("--batch", type=int, default=4)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu")
    evaluate = commands.add_parser("evaluate", help="measure weights against readings and print the table")
    evaluate.add_argument("--card", type=Path, default=DEFAULT_CARD)
    evaluate.add_argument("--readings", type=Path, required=True, help="folder of NAME_six_points.json")
    evaluate.add_argument("--suffix", default="_3mm", help="what the volumes' names end in, before .nii.gz")
    evaluate.add_argument("--name", action="append", required=True, help="a reading; give it again for more")
    evaluate.add_argument("--volume", action="append", default=[], metavar="NAME=PATH", help="its volume, if elsewhere")
    evaluate.add_argument("--device", default="auto")
    evaluate.add_argument("--record", metavar="DATA", help="put the numbers on the card as measured on DATA")
    export = commands.add_parser("export", help="a checkpoint as weights beside an existing card")
    export.add_argument("--checkpoint", type=Path, required=True)
    export.add_argument("--card", type=Path, default=DEFAULT_CARD)
    arguments = parser.parse_args(given)
    {"prepare": _prepare, "train": _train, "evaluate": _evaluate, "export": _export}[arguments.command](arguments)
    return 0


def _prepare(arguments: argparse.Namespace) -> None:
    arguments.cases.mkdir(parents=True, exist_ok=True)
    for name in arguments.name:
        volume = arguments.readings / f"{name}{arguments.suffix}.nii.gz"
        print(save_case(reading_case(volume, arguments.readings / f"{name}_six_points.json"), arguments.cases))
    for seed in range(arguments.phantoms):
        print(save_case(phantom_case(seed), arguments.cases))


def _train(arguments: argparse.Namespace) -> None:
    settings = LocatorTrainSettings(
        arguments.cases,
        arguments.run,
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
        threads=arguments.threads,
        device=arguments.device,
    )
    print(train_locator(settings))


def _evaluate(arguments: argparse.Namespace) -> None:
    locator = load_locator(arguments.card, device=arguments.device)
    elsewhere = dict(entry.split("=", 1) for entry in arguments.volume)
    results = []
    for name in arguments.name:
        source = Path(elsewhere.get(name, arguments.readings / f"{name}{arguments.suffix}.nii.gz"))
        reading = load_reading(arguments.readings / f"{name}_six_points.json")
        results.append(evaluate_column(read_single(source).volume, reading, locator))
        _print(name, summarise_columns(results[-1:]))
    numbers = summarise_columns(results)
    _print("all", numbers)
    if arguments.record:
        record_metrics(arguments.card, arguments.record, _command(arguments), numbers)


def _command(arguments: argparse.Namespace) -> str:
    """The command that reproduces a measurement, without this machine's paths."""
    names = " ".join(f"--name {name}" for name in arguments.name)
    volumes = "".join(f" --volume {entry.split('=', 1)[0]}=VOLUME" for entry in arguments.volume)
    return (
        f"python -m vfscreen.training.locator evaluate --readings DATA/ct --suffix {arguments.suffix} {names}{volumes}"
    )


def _export(arguments: argparse.Namespace) -> None:
    card = export_locator(arguments.checkpoint, arguments.card)
    print(f"{card.name} {card.sha256} {card.hyperparameters}")


def _print(title: str, numbers: list[Number]) -> None:
    print(title)
    for number in numbers:
        interval = "" if number.ci95 is None else f"  [{number.ci95[0]:.2f}, {number.ci95[1]:.2f}]"
        print(f"  {number.name}: {number.value:.3f} {number.unit}{interval}  n={number.n}")


if __name__ == "__main__":
    sys.exit(main())
