"""`python -m vfscreen.training.view`: projections to weight card for the film view network, and films read with it.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.view prepare --data DATA --name dicom4qi_data1 --pool POOL --cases CASES
    python -m vfscreen.training.view train --cases CASES --run RUN --steps 900 --exclude covid_ar ircad_1_1 aitest_1
    python -m vfscreen.training.view export --checkpoint RUN/checkpoint.pt --card film-view-v1.yaml --like PARTS.yaml
    python -m vfscreen.training.view evaluate --card CARD --cases CASES --only covid_ar ircad_1_1 [--record WORDS]
    python -m vfscreen.training.view evaluate --card CARD --films FOLDER [--record WORDS]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vfscreen.errors import ItemError
from vfscreen.ingest.pictures import is_picture, read_picture
from vfscreen.ingest.single import read_single
from vfscreen.models.cards import Metric, WeightCard, load_into, read_card, save_tensors, write_card
from vfscreen.models.film_ports import BODY_REGIONS, ROTATIONS_DEG, VIEWS
from vfscreen.models.film_view import FilmViewNet, build_network, load_film_view_reader
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_cases import load_case
from vfscreen.training.loop import averaged_weights
from vfscreen.training.readings import load_reading
from vfscreen.training.run_arguments import (
    CommandLine,
    add_export_arguments,
    add_run_arguments,
    print_numbers,
    run_values,
)
from vfscreen.training.view_cases import from_film_case, project_body, save_view_case
from vfscreen.training.view_data import TONE
from vfscreen.training.view_train import ViewTrainSettings, load_cases, measure, share_right, train_view, view_metrics

DEFAULT_CARD = WEIGHTS_DIR / "film-view-v1.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    commands = CommandLine("view", __doc__)

    prepare = commands.add("prepare", "project bodies, bin film cases of a pool; what exists is kept", _prepare)
    prepare.add_argument("--data", type=Path, help="folder with NAME_six_points.json and NAME_3mm.nii.gz")
    prepare.add_argument("--name", action="append", default=[], help="a reading; give it again for more")
    prepare.add_argument("--pool", type=Path, action="append", default=[], help="folder of film cases")
    prepare.add_argument("--cases", type=Path, required=True)
    prepare.add_argument("--seed", type=int, default=0)

    train = commands.add("train", "train on CASES; the same command resumes", _train)
    train.add_argument("--cases", type=Path, required=True)
    add_run_arguments(train, steps=900, batch=24)

    export = commands.add("export", "a checkpoint as weights beside a card", _export)
    add_export_arguments(export, DEFAULT_CARD, like="card or YAML with the parts that a person writes")

    evaluate = commands.add("evaluate", "shares right, on projections or on lateral films, head up", _evaluate)
    evaluate.add_argument("--card", type=Path, default=DEFAULT_CARD)
    evaluate.add_argument("--cases", type=Path)
    evaluate.add_argument("--only", nargs="*", default=[], help="beginnings of sources' names")
    evaluate.add_argument("--count", type=int, default=600)
    evaluate.add_argument("--films", type=Path, action="append", default=[], help="folder of lateral films, head up")
    evaluate.add_argument("--record", metavar="DATA", help="put the numbers on the card as measured on DATA")

    return commands.run(arguments)


def _prepare(parsed: argparse.Namespace) -> int:
    parsed.cases.mkdir(parents=True, exist_ok=True)
    for name in parsed.name:
        if any(parsed.cases.glob(f"*-{name}-*.npz")):
            continue
        path = next(iter(sorted(parsed.data.rglob(f"{name}_six_points.json"))))
        reading = load_reading(path)
        volume = read_single(path.with_name(f"{name}_3mm.nii.gz")).volume
        body = FilmBody(name, volume, None, reading.centreline(), tuple(reading.vertebrae))
        for case in project_body(body, parsed.seed):
            print(save_view_case(case, parsed.cases), flush=True)
    for path in (p for pool in parsed.pool for p in sorted(pool.glob("*.npz"))):
        if not (parsed.cases / f"pool-{path.name}").exists():
            print(save_view_case(from_film_case(load_case(path), f"pool-{path.stem}"), parsed.cases), flush=True)
    return 0


def _train(parsed: argparse.Namespace) -> int:
    settings = ViewTrainSettings(cases=parsed.cases, **run_values(parsed))
    print(train_view(settings))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    weights, step = averaged_weights(parsed.checkpoint)
    network = FilmViewNet()
    network.load_state_dict(weights)
    entry: dict[str, Any] = yaml.safe_load((parsed.like or parsed.card).read_text(encoding="utf-8"))
    entry |= {
        "name": parsed.card.stem,
        "kind": "film_view",
        "architecture": "vfscreen.models.film_view.FilmViewNet",
        "hyperparameters": {
            "side": network.side,
            "widths": list(network.widths),
            "hidden": network.hidden,
            "trained_steps": step,
        },
        "preprocessing": {"film": TONE.model_dump()},
        "labels": {
            "view": list(VIEWS),
            "region": list(BODY_REGIONS),
            "rotation_deg": [str(turn) for turn in ROTATIONS_DEG],
        },
        "decode": entry.get("decode") or {},
        "metrics": [],
        "sha256": save_tensors(network.state_dict(), parsed.card.with_suffix(".safetensors")),
    }
    card = WeightCard.model_validate(entry)
    write_card(card, parsed.card)
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


def _evaluate(parsed: argparse.Namespace) -> int:
    card = read_card(parsed.card)
    what = parsed.record or "measured"
    if parsed.films:
        metrics = _on_films(parsed, what)
    else:
        network = build_network(card)
        load_into(network, card, parsed.card)
        cases = load_cases(parsed.cases, only=tuple(parsed.only))
        command = f"python -m vfscreen.training.view evaluate --cases CASES --only {' '.join(parsed.only)}"
        metrics = view_metrics(measure(network, cases, parsed.count, seed=0), what, f"{command} --count {parsed.count}")
    print_numbers(metrics)
    if parsed.record:
        others = tuple(m for m in card.metrics if m.data != parsed.record)
        write_card(card.model_copy(update={"metrics": (*others, *metrics)}), parsed.card)
    return 0 if metrics else 1


def _on_films(parsed: argparse.Namespace, what: str) -> list[Metric]:
    """Lateral films with the head up, as pictures in folders: what the whole adaptor says of each."""
    reader = load_film_view_reader(parsed.card)
    lateral, upright, spine = [], [], []
    for path in sorted(p for folder in parsed.films for p in folder.iterdir() if is_picture(p)):
        try:
            film = read_picture(path)
        except ItemError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        found = reader.read(film.image, film.inside)
        lateral.append(VIEWS[int(found.view.argmax())] == "lateral")
        upright.append(ROTATIONS_DEG[int(found.rotation.argmax())] == 0)
        spine.append(BODY_REGIONS[int(found.body_region.argmax())] != "other")
        print(
            f"{path.name}: {VIEWS[int(found.view.argmax())]} {found.view.max():.2f}, "
            f"{BODY_REGIONS[int(found.body_region.argmax())]} {found.body_region.max():.2f}, "
            f"turn {ROTATIONS_DEG[int(found.rotation.argmax())]} {found.rotation.max():.2f}, "
            f"faces right {found.anterior_is_right_probability:.2f}"
        )
    command = "python -m vfscreen.training.view evaluate --films FOLDER"
    named = {"view, lateral right": lateral, "rotation right": upright, "region not 'other'": spine}
    return [share_right(name, np.array(flags), what, command) for name, flags in named.items() if flags]


if __name__ == "__main__":
    sys.exit(main())
