"""Train and export the endplate network: `python -m vfscreen.training.endplates COMMAND`.

Belongs here: the command line. Does not belong here: anything it calls. Cases come from `training.vertebra prepare`;
the network is measured within the vertebra network's chain by `training.vertebra evaluate`.

Examples:
    python -m vfscreen.training.endplates pool --work WORK --count 16000
    python -m vfscreen.training.endplates train --work WORK --run WORK/endplates --exclude covid_ar crlm_1004
    python -m vfscreen.training.endplates export --checkpoint WORK/endplates/checkpoint.pt --card CARD.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.spine.patches import PatchSpec
from vfscreen.training.endplate_train import EndplateTrainSettings, train_endplates
from vfscreen.training.fracture_shapes import ShapeSettings
from vfscreen.training.patch_data import make_pool_part
from vfscreen.training.run_arguments import CommandLine, add_export_arguments, add_run_arguments, run_values
from vfscreen.training.slab_cases import load_case
from vfscreen.training.vertebra_export import export_endplates

DEFAULT_CARD = WEIGHTS_DIR / "endplates-v1.yaml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    commands = CommandLine("endplates", __doc__)

    pool = commands.add("pool", "draw patches of WORK/cases into WORK/pool, a part a seed", _pool)
    pool.add_argument("--work", type=Path, required=True)
    pool.add_argument("--count", type=int, default=16000)
    pool.add_argument("--seed", type=int, default=0)
    pool.add_argument("--exclude", nargs="*", default=[], help="beginnings of names of cases to leave out")
    pool.add_argument("--case-weight", action="append", default=[], metavar="PREFIX=WEIGHT", help="of a vertebra")

    training = commands.add("train", "train on WORK/pool; the same command resumes", _train)
    training.add_argument("--work", type=Path, required=True)
    add_run_arguments(training, steps=8000, batch=24)
    training.add_argument("--start-from", type=Path, metavar="CARD", help="begin with this card's weights")
    training.add_argument("--learning-rate", type=float, default=2e-3)
    training.add_argument("--validate", nargs="*", default=[], help="beginnings of names of cases to stop early on")
    training.add_argument("--patience", type=int, default=0, help="looks without a better one; 0: no early stop")

    exporting = commands.add("export", "a checkpoint as weights beside an existing card", _export)
    add_export_arguments(exporting, DEFAULT_CARD)

    return commands.run(arguments)


def _pool(parsed: argparse.Namespace) -> int:
    weights = [(prefix, float(weight)) for prefix, weight in (p.split("=", 1) for p in parsed.case_weight)]
    cases = [
        load_case(path)
        for path in sorted((parsed.work / "cases").glob("*.npz"))
        if not path.stem.startswith(tuple(parsed.exclude) or ("\0",))
    ]
    if not cases:
        print(f"no slab cases in {parsed.work / 'cases'}: run `python -m vfscreen.training.vertebra prepare` first")
        return 1
    chances = [len(case.points) * case_weight(case.name, weights) for case in cases]
    make_pool_part(
        cases,
        chances,
        parsed.count,
        parsed.work / "pool" / f"{parsed.seed:04d}",
        PatchSpec(),
        ShapeSettings(),
        parsed.seed,
    )
    print(f"{parsed.count} patches of {len(cases)} cases")
    return 0


def _train(parsed: argparse.Namespace) -> int:
    settings = EndplateTrainSettings(
        pool=parsed.work / "pool",
        **run_values(parsed),
        start_from=parsed.start_from,
        learning_rate=parsed.learning_rate,
        validate=tuple(parsed.validate),
        patience=parsed.patience,
    )
    print(train_endplates(settings))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    card = export_endplates(parsed.checkpoint, parsed.card)
    print(f"{card.name} {card.version}: sha256 {card.sha256}")
    return 0


def case_weight(name: str, weights: Sequence[tuple[str, float]]) -> float:
    """The weight whose prefix fits `name` best; 1 where none fits."""
    fitting = [(len(prefix), weight) for prefix, weight in weights if name.startswith(prefix)]
    return max(fitting)[1] if fitting else 1.0


if __name__ == "__main__":
    sys.exit(main())
