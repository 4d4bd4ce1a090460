"""`python -m vfscreen.training.fresh`: from films with labels, or from the simulation, to evaluated classifiers.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.fresh prepare --labels LABELS.csv --images FOLDER --work WORK
    python -m vfscreen.training.fresh prepare --simulate 1400 --pool POOL --validation lidc --control covid --work WORK
    python -m vfscreen.training.fresh train --work WORK --run RUN --architecture efficientnet-lite0 [--imagenet FILE]
    python -m vfscreen.training.fresh evaluate --work WORK --model lite0=RUN --model v2=RUN2 --out OUT [--readers CSV]
    python -m vfscreen.training.fresh ensemble --predictions A.csv --predictions B.csv --out OUT [--readers CSV]
    python -m vfscreen.training.fresh saliency --work WORK --model lite0=RUN --out PICTURE.png [--item ITEM]
    python -m vfscreen.training.fresh export --work WORK --model lite0=RUN --like PARTS.yaml --card CARD.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vfscreen.evaluation.fresh import evaluate_fresh
from vfscreen.evaluation.fresh_predictions import (
    Predictions,
    merged,
    predictions_csv,
    read_predictions,
    with_ensemble,
)
from vfscreen.evaluation.fresh_tables import Split, read_labels, read_reader_calls
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.models.fresh_classifier import FreshDecode
from vfscreen.models.fresh_network import ARCHITECTURES
from vfscreen.report.evaluation.fresh import SaliencyPicture, draw_saliency, summary_rows, write_fresh_evaluation
from vfscreen.spine.film_crop import CropSpec
from vfscreen.training.fresh_export import card_metrics, export_fresh
from vfscreen.training.fresh_films import film_opener
from vfscreen.training.fresh_items import (
    ROOM,
    ItemSet,
    describe,
    from_labels,
    from_simulation,
    load_items,
    save_items,
)
from vfscreen.training.fresh_predict import Saliency, predict, saliency
from vfscreen.training.fresh_simulate import simulate
from vfscreen.training.fresh_train import FreshTrainSettings, load_best, train_fresh
from vfscreen.training.run_arguments import add_run_arguments

PICTURES = 12
SIMULATED = "simulated-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vfscreen.training.fresh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    prepare = commands.add_parser("prepare", help="films and their labels, or the simulation -> WORK")
    prepare.add_argument("--work", type=Path, required=True)
    prepare.add_argument("--labels", type=Path, help="CSV or Parquet; columns in docs/fresh-fracture.md")
    prepare.add_argument("--images", type=Path, help="folder of the films: PNG, JPEG or DICOM")
    prepare.add_argument("--simulate", type=int, default=0, metavar="N", help="crops to simulate from --pool")
    prepare.add_argument("--pool", type=Path, action="append", default=[], help="folder of lateral film cases")
    prepare.add_argument("--validation", nargs="*", default=[], help="beginnings of bodies' names (simulation)")
    prepare.add_argument("--control", nargs="*", default=[], help="beginnings of bodies' names (simulation)")
    prepare.add_argument("--pixels", type=int, default=128, help="side of a crop, a multiple of 32")
    prepare.add_argument("--seed", type=int, default=0)
    prepare.add_argument("--add", action="store_true", help="to what WORK holds already")
    prepare.set_defaults(run_command=_prepare)

    train = commands.add_parser("train", help="train on WORK; the same command resumes")
    train.add_argument("--work", type=Path, required=True)
    add_run_arguments(train, steps=1500, batch=32)
    train.add_argument("--architecture", choices=ARCHITECTURES, default="efficientnet-lite0")
    train.add_argument("--imagenet", type=Path, help="state dict of the same architecture to start from")
    train.add_argument("--freeze", type=float, default=0.0, help="share of the tensors, from the input on, left alone")
    train.add_argument("--teacher", type=Path, action="append", default=[], help="a run to imitate; again for more")
    train.add_argument("--learning-rate", type=float, default=8e-4)
    train.add_argument("--dropout", type=float, default=0.3)
    train.add_argument("--balance", choices=["sampler", "loss", "none"], default="sampler")
    train.add_argument("--patience", type=int, default=6, help="looks without a better area before it ends")
    train.add_argument("--watch-every", type=int, default=50, help="steps between looks at the validation items")
    train.add_argument("--bf16", action="store_true", help="mixed precision (faster on a GPU)")
    train.set_defaults(run_command=_train)

    evaluate = commands.add_parser("evaluate", help="runs on validation and control items: tables, figures, page")
    _add_models(evaluate)
    _add_report(evaluate)
    evaluate.set_defaults(run_command=_evaluate)

    ensemble = commands.add_parser("ensemble", help="predictions made apart, evaluated together and as one")
    ensemble.add_argument("--predictions", type=Path, action="append", required=True)
    _add_report(ensemble)
    ensemble.set_defaults(run_command=_ensemble)

    heat = commands.add_parser("saliency", help="Grad-CAM of control items as a picture")
    _add_models(heat)
    heat.add_argument("--item", action="append", default=[], help="an item; again for more; by default some of each")
    heat.add_argument("--out", type=Path, required=True, help=".png or .svg")
    heat.set_defaults(run_command=_saliency)

    export = commands.add_parser("export", help="a run's best network as weights beside a card, with what it measured")
    _add_models(export)
    export.add_argument("--like", type=Path, required=True, help="card or YAML with the parts that a person writes")
    export.add_argument("--card", type=Path, required=True)
    export.set_defaults(run_command=_export)

    parsed = parser.parse_args(arguments)
    try:
        status: int = parsed.run_command(parsed)
    except (EvaluationError, ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return status


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--work", type=Path, required=True)
    command.add_argument("--model", action="append", required=True, metavar="NAME=RUN", help="again for more")
    command.add_argument("--device", default="cpu", choices=["cpu", "cuda"])


def _add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("--readers", type=Path, help="CSV or Parquet: item_id, reader, call, rating")
    command.add_argument("--out", required=True, help="folder of the report")


def _models(parsed: argparse.Namespace) -> dict[str, Path]:
    pairs = [entry.partition("=") for entry in parsed.model]
    if wrong := [entry for entry, (_, _, path) in zip(parsed.model, pairs, strict=True) if not path]:
        raise EvaluationError(f"--model {wrong[0]}: write NAME=RUN")
    return {name: Path(path) for name, _, path in pairs}


def _prepare(parsed: argparse.Namespace) -> int:
    spec = CropSpec(pixels=parsed.pixels)
    left_out: list[str] = []
    if bool(parsed.simulate) == (parsed.labels is not None):
        raise EvaluationError("give --labels with --images, or --simulate with --pool")
    if parsed.simulate:
        paths = [path for pool in parsed.pool for path in sorted(pool.glob("*.npz"))]

        def split_of(source: str) -> Split:
            if source.startswith(tuple(parsed.control)):
                return "control"
            return "validation" if source.startswith(tuple(parsed.validation)) else "train"

        crops = simulate(paths, parsed.simulate, spec.widened(ROOM), parsed.seed)
        found = from_simulation(crops, split_of, parsed.seed)
    else:
        if parsed.images is None:
            raise EvaluationError("say with --images in which folder the films are")
        found = from_labels(read_labels(parsed.labels), film_opener(parsed.images), spec, left_out)
    print(describe(save_items(found, spec, parsed.work, parsed.add)))
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    return 0


def _train(parsed: argparse.Namespace) -> int:
    best = train_fresh(
        FreshTrainSettings(
            work=parsed.work,
            run=parsed.run,
            architecture=parsed.architecture,
            steps=parsed.steps,
            batch=parsed.batch,
            learning_rate=parsed.learning_rate,
            dropout=parsed.dropout,
            imagenet=parsed.imagenet,
            freeze=parsed.freeze,
            teachers=tuple(parsed.teacher),
            balance=parsed.balance,
            patience=parsed.patience,
            watch_every=parsed.watch_every,
            bf16=parsed.bf16,
            seed=parsed.seed,
            threads=parsed.threads,
            device=parsed.device,
        )
    )
    print(best)
    return 0


def _evaluate(parsed: argparse.Namespace) -> int:
    items, models = load_items(parsed.work), _models(parsed)
    predictions, temperatures = predict(models, items, parsed.device)
    pictures: list[SaliencyPicture] = []
    for name, run in models.items():
        network, _ = load_best(run)
        some = _some_items(items)[: max(2, PICTURES // len(models))]
        pictures += [_picture(name, s) for s in saliency(network, items, some, temperatures[name])]
    return _report(predictions, parsed, pictures)


def _ensemble(parsed: argparse.Namespace) -> int:
    return _report(merged([read_predictions(path) for path in parsed.predictions]), parsed, [])


def _report(predictions: Predictions, parsed: argparse.Namespace, pictures: Sequence[SaliencyPicture]) -> int:
    together = with_ensemble(predictions)
    control = together.of("control").item_id
    readers = read_reader_calls(parsed.readers, control) if parsed.readers else ()
    tables = evaluate_fresh(together, readers)
    parts = {split: together.of(split) for split in ("validation", "control")}
    simulated = any(item.startswith(SIMULATED) for item in together.item_id)
    provenance = {
        "models": ", ".join(together.scores),
        **{f"{s} items": f"{len(p.item_id)} of {len(set(p.patient_id))} patients" for s, p in parts.items()},
        "readers": ", ".join(sorted({r.reader for r in readers})) or "none",
        "data": "simulated fractures" if simulated else "films with labels",
    }
    written = write_fresh_evaluation(
        tables, predictions_csv(together), parsed.out, provenance, simulated=simulated, pictures=pictures
    )
    for row in summary_rows(tables):
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(written.folder)
    return 0


def _some_items(items: ItemSet) -> list[str]:
    """Control items (validation where there are none), fresh and old in turn."""
    pool = items.of("control").items or items.of("validation").items
    fresh, old = ([i.item_id for i in pool if i.fresh == kind] for kind in (True, False))
    return [name for pair in zip(fresh, old, strict=False) for name in pair][:PICTURES]


def _picture(model: str, found: Saliency) -> SaliencyPicture:
    truth = "fresh" if found.fresh else "old"
    return f"{model}: {truth}, P(fresh) {found.probability:.2f}", found.image, found.heat


def _saliency(parsed: argparse.Namespace) -> int:
    items = load_items(parsed.work)
    pictures = []
    for name, run in _models(parsed).items():
        network, _ = load_best(run)
        pictures += [_picture(name, s) for s in saliency(network, items, parsed.item or _some_items(items))]
    parsed.out.write_bytes(draw_saliency(pictures).encoded(parsed.out.suffix.lstrip(".")))
    print(parsed.out)
    return 0


def _export(parsed: argparse.Namespace) -> int:
    items = load_items(parsed.work)
    ((name, run),) = _models(parsed).items()
    predictions, temperatures = predict({name: run}, items, parsed.device)
    tables = evaluate_fresh(predictions)
    decode = FreshDecode(round(temperatures[name], 4), round(tables["thresholds"][0]["threshold"], 4))
    what = "simulated fractures" if items.items[0].item_id.startswith(SIMULATED) else "films with labels"
    data = {split: f"{what}, {split} set, other patients than the training's" for split in ("validation", "control")}
    command = "python -m vfscreen.training.fresh evaluate --work WORK --model NAME=RUN --out OUT"
    card = export_fresh(
        run, parsed.card, parsed.like, items.spec, decode, card_metrics(tables["metrics"], name, data, command)
    )
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
