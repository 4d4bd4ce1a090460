"""Train, export and measure the vertebra network: `python -m vfscreen.training.vertebra COMMAND`.

Belongs here: the command line. Does not belong here: anything it calls.

Examples:
    python -m vfscreen.training.vertebra prepare --work WORK --readings DATA --label-maps DATA/verse --phantoms 24
    python -m vfscreen.training.vertebra train --work WORK --run WORK/run --steps 20000
    python -m vfscreen.training.vertebra export --checkpoint WORK/run/checkpoint.pt --card CARD.yaml
    python -m vfscreen.training.vertebra evaluate --data DATA --volume covid_ar=DATA/dicom/chest_ct
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.models.endplates import load_endplate_reader
from vfscreen.models.registry import WEIGHTS_DIR, release_cards
from vfscreen.models.vertebra import load_vertebra_detector
from vfscreen.spine.centreline import fit_centreline
from vfscreen.training.run_arguments import CommandLine, add_export_arguments
from vfscreen.training.slab_cases import save_case
from vfscreen.training.vertebra_evaluate import (
    Number,
    VolumeResult,
    evaluate_volume,
    fit_calibration,
    probabilities,
    sd_scale,
    summarise,
)
from vfscreen.training.vertebra_export import (
    export_weights,
    numbers_json,
    record_calibration,
    record_metrics,
    record_sd_scale,
)
from vfscreen.training.vertebra_simulate import simulated_result
from vfscreen.training.vertebra_sources import ReadSpine, label_maps, phantoms, readings, verse_folder
from vfscreen.training.vertebra_train import TrainSettings, train

RELIABILITY_BINS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Of stated probabilities, in the printed comparison with what was true."""

Float = NDArray[np.float64]

DEFAULT_CARD = WEIGHTS_DIR / "vertebra-v1.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    commands = CommandLine("vertebra", __doc__)

    prepare = commands.add("prepare", "cut slab cases into WORK/cases", _prepare)
    prepare.add_argument("--work", type=Path, required=True)
    _add_sources(prepare, "--readings")

    training = commands.add("train", "train on WORK/cases; the same command resumes", _train)
    training.add_argument("--work", type=Path, required=True)
    training.add_argument("--run", type=Path, required=True, help="folder of checkpoint.pt and log.csv")
    training.add_argument("--steps", type=int, default=20000)
    training.add_argument("--batch", type=int, default=8)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--workers", type=int, default=1, help="processes that make samples")
    training.add_argument("--threads", type=int, default=1)
    training.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    training.add_argument("--case-weight", action="append", default=[], metavar="PREFIX=WEIGHT")

    exporting = commands.add("export", "a checkpoint as weights beside an existing card", _export)
    add_export_arguments(exporting, DEFAULT_CARD)

    evaluating = commands.add("evaluate", "measure weights and print the table", _evaluate)
    _add_sources(evaluating, "--data")
    evaluating.add_argument("--card", type=Path, default=DEFAULT_CARD)
    evaluating.add_argument("--endplates", type=Path, metavar="CARD", help="an endplate network's second look")
    evaluating.add_argument("--centreline", choices=["read", "located"], default="read")
    evaluating.add_argument(
        "--simulate", type=int, default=0, metavar="N", help="N windows of each spine with simulated fractures instead"
    )
    evaluating.add_argument("--device", default="auto")
    evaluating.add_argument("--confidence-min", type=float, default=0.5)
    evaluating.add_argument("--json", type=Path)
    evaluating.add_argument("--record", metavar="NAME", help="put the numbers on the card as measured on data NAME")
    evaluating.add_argument("--fit-sd", action="store_true", help="fit sd_scale on these volumes, onto the card")
    evaluating.add_argument(
        "--fit-probabilities",
        action="store_true",
        help="fit the grades' calibration on these, onto the endplates' card",
    )

    return commands.run(arguments)


def _add_sources(parser: argparse.ArgumentParser, readings_flag: str) -> None:
    parser.add_argument(readings_flag, dest="readings", type=Path, help="folder of NAME_six_points.json readings")
    parser.add_argument("--volume", action="append", default=[], metavar="NAME=PATH", help="volume of a reading")
    parser.add_argument("--verse", type=Path, help="VerSe folder: CTs with the six points of their masks")
    parser.add_argument("--label-maps", type=Path, help="folder of VerSe label maps, rendered as CT")
    parser.add_argument("--renders", type=int, default=3, help="renderings a label map")
    parser.add_argument("--phantoms", type=int, default=0, help="number of synthetic patients")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first synthetic patient")
    parser.add_argument("--only", nargs="*", help="names of readings and label maps to take")
    parser.add_argument("--exclude", nargs="*", default=[], help="names of readings and label maps to leave out")


def _spines(parsed: argparse.Namespace) -> Iterator[ReadSpine]:
    volumes = {name: Path(path) for name, path in (pair.split("=", 1) for pair in parsed.volume)}
    only = None if parsed.only is None else frozenset(parsed.only)
    exclude = frozenset(parsed.exclude)
    if parsed.readings is not None:
        yield from readings(parsed.readings, volumes, only, exclude)
    if parsed.verse is not None:
        yield from verse_folder(parsed.verse, only, exclude)
    if parsed.label_maps is not None:
        yield from label_maps(parsed.label_maps, parsed.renders, only, exclude)
    yield from phantoms(parsed.first_seed, parsed.phantoms)


def _prepare(parsed: argparse.Namespace) -> int:
    cases = parsed.work / "cases"
    cases.mkdir(parents=True, exist_ok=True)
    count = 0
    for spine in _spines(parsed):
        save_case(spine.case(), cases / f"{spine.name}.npz")
        print(f"{spine.name}: {len(spine.vertebrae)} vertebrae", flush=True)
        count += 1
    if count == 0:
        print("nothing to prepare: give --readings, --label-maps or --phantoms", file=sys.stderr)
    return 0 if count else 1


def _train(parsed: argparse.Namespace) -> int:
    weights = tuple((prefix, float(weight)) for prefix, weight in (p.split("=", 1) for p in parsed.case_weight))
    settings = TrainSettings(
        cases=parsed.work / "cases",
        run=parsed.run,
        steps=parsed.steps,
        batch=parsed.batch,
        seed=parsed.seed,
        workers=parsed.workers,
        threads=parsed.threads,
        device=parsed.device,
        case_weights=weights,
    )
    print(train(settings))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    card = export_weights(parsed.checkpoint, parsed.card)
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


def _evaluate(parsed: argparse.Namespace) -> int:
    detector = load_vertebra_detector(parsed.card, parsed.device)
    reader = None if parsed.endplates is None else load_endplate_reader(parsed.endplates, parsed.device)
    results: list[VolumeResult] = []
    for spine in _spines(parsed):
        if parsed.simulate:
            results.append(simulated_result(spine.case(), detector, parsed.simulate, reader))
            continue
        centreline = spine.centreline if parsed.centreline == "read" else _located(spine, parsed.device)
        if centreline is None:
            print(f"{spine.name}: no spine was located", file=sys.stderr)
            continue
        centred = parsed.centreline == "read"
        results.append(
            evaluate_volume(spine.name, spine.volume, centreline, spine.vertebrae, detector, reader, centred)
        )
        _print_table(spine.name, summarise(results[-1:], parsed.confidence_min))
    if not results:
        print("nothing was evaluated", file=sys.stderr)
        return 1
    numbers = summarise(results, parsed.confidence_min)
    _print_table("all", numbers)
    stated, true = probabilities(results)
    _print_reliability("as stated", stated, true)
    if reader is not None:
        _print_reliability("calibrated", reader.grade_calibration.apply(stated), true)
        if parsed.fit_probabilities:
            record_calibration(parsed.endplates, fit_calibration(stated, true))
    if parsed.json is not None:
        parsed.json.write_text(numbers_json(numbers), encoding="utf-8")
    if parsed.fit_sd:
        card, used = (parsed.card, detector) if reader is None else (parsed.endplates, reader)
        fitted = sd_scale(results, used.decode_parameters.sd_scale)
        record_sd_scale(card, fitted)
        print(f"sd_scale {fitted:.3f}")
    if parsed.record is not None:
        record_metrics(parsed.endplates or parsed.card, parsed.record, _command(parsed), numbers)
    return 0


def _located(spine: ReadSpine, device: str) -> Centreline | None:
    from vfscreen.models.locator import load_locator

    column = load_locator(release_cards()["locator"], device=device).locate(spine.volume)
    return fit_centreline(column.points_lps_mm, column.presence)


def _command(parsed: argparse.Namespace) -> str:
    """The command without this machine's paths: a card may be read anywhere."""
    words = ["python -m vfscreen.training.vertebra evaluate"]
    if parsed.endplates is not None:
        words.append(f"--endplates {parsed.endplates.name}")
    if parsed.readings is not None:
        words.append("--data DATA")
    words += [f"--volume {pair.split('=', 1)[0]}=PATH" for pair in parsed.volume]
    if parsed.verse is not None:
        words.append("--verse VERSE")
    if parsed.label_maps is not None:
        words.append(f"--label-maps VERSE --renders {parsed.renders}")
    if parsed.phantoms:
        words.append(f"--phantoms {parsed.phantoms} --first-seed {parsed.first_seed}")
    if parsed.only is not None:
        words.append("--only " + " ".join(parsed.only))
    if parsed.exclude:
        words.append("--exclude " + " ".join(parsed.exclude))
    last = f"--simulate {parsed.simulate}" if parsed.simulate else f"--centreline {parsed.centreline}"
    return " ".join([*words, last])


def _print_reliability(title: str, stated: Float, true: Float) -> None:
    """Probabilities (n, 3) of each grade against how often it was so."""
    print(f"  {title}")
    for grade in (1, 2, 3):
        p, y = stated[:, grade - 1], true[:, grade - 1]
        which = np.clip(np.digitize(p, RELIABILITY_BINS) - 1, 0, len(RELIABILITY_BINS) - 2)
        cells = [
            f"{p[which == b].mean():.2f}:{y[which == b].mean():.2f} ({(which == b).sum()})" for b in np.unique(which)
        ]
        print(f"  P(grade >= {grade}) stated:true (n)  {'  '.join(cells)}  Brier {np.mean((p - y) ** 2):.4f}")


def _print_table(name: str, numbers: Sequence[Number]) -> None:
    print(f"\n{name}")
    for number in numbers:
        interval = "" if number.ci95 is None else f"  [{number.ci95[0]:.3g}, {number.ci95[1]:.3g}]"
        print(f"  {number.name:<62} {number.value:>8.3f} {number.unit:<18} n={number.n}{interval}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
