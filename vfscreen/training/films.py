"""`python -m vfscreen.training.films`: from data to the film networks.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.films pool --data DATA --out POOL
    python -m vfscreen.training.films pool --data DATA --out POOL --evaluation --volume covid_ar=DICOM_FOLDER
    python -m vfscreen.training.films stack --pool POOL
    python -m vfscreen.training.films train-locator --pool POOL --run RUN
    python -m vfscreen.training.films train-vertebra --pool POOL --run RUN --start-from CT_CARD.yaml
    python -m vfscreen.training.films export vertebra --checkpoint RUN/checkpoint.pt
    python -m vfscreen.training.films calibrate --pool EVAL --only covid_ar --endplates CARD.yaml
    python -m vfscreen.training.films evaluate --films DATA/films --pool EVAL --endplates CARD.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vfscreen.training.film_commands import add_commands
from vfscreen.training.film_filling import PoolSettings, fill_pool
from vfscreen.training.film_gallery import draw_gallery
from vfscreen.training.film_stacking import stack_pool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vfscreen.training.films",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pool = commands.add_parser("pool", help="project bodies into film cases; cases that exist are kept")
    pool.add_argument("--data", type=Path, required=True, help="folder with readings, their volumes and label maps")
    pool.add_argument(
        "--volume", action="append", default=[], metavar="NAME=PATH", help="a reading's volume, elsewhere"
    )
    pool.add_argument("--out", type=Path, required=True)
    pool.add_argument("--evaluation", action="store_true", help="the anatomy kept for evaluation, fractured otherwise")
    pool.add_argument("--only", choices=["reading", "labels", "phantom"], help="this kind of source alone")
    pool.add_argument("--variants", type=int, default=6, help="times a body is fractured anew; the first stays intact")
    pool.add_argument("--films", type=int, default=3, help="lateral films of each variant")
    pool.add_argument("--ap", type=int, default=3, help="AP films a body")
    pool.add_argument("--phantoms", type=int, default=12, help="synthetic patients, each one variant")
    pool.add_argument("--renders", type=int, default=2, help="tissues drawn for each label map, each one variant")
    pool.add_argument("--seed", type=int, default=0)
    pool.set_defaults(run_command=_pool)

    stack = commands.add_parser("stack", help="add long cases to a pool: one body's chest above another's abdomen")
    stack.add_argument("--pool", type=Path, required=True)
    stack.add_argument("--count", type=int, default=60)
    stack.add_argument("--seed", type=int, default=0)
    stack.set_defaults(run_command=_stack)

    gallery = commands.add_parser("gallery", help="a picture of films of synthetic patients")
    gallery.add_argument("--out", type=Path, required=True, help="a JPEG file")
    gallery.add_argument("--first-seed", type=int, default=9000)
    gallery.add_argument("--patients", type=int, default=5)
    gallery.add_argument("--exposures", type=int, default=1)
    gallery.set_defaults(run_command=_gallery)
    add_commands(commands)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run_command(parsed)
    return status


def _gallery(parsed: argparse.Namespace) -> int:
    print(draw_gallery(parsed.out, parsed.first_seed, parsed.patients, parsed.exposures))
    return 0


def _stack(parsed: argparse.Namespace) -> int:
    for path in stack_pool(parsed.pool, parsed.count, parsed.seed):
        print(path)
    return 0


def _pool(parsed: argparse.Namespace) -> int:
    settings = PoolSettings(
        data=parsed.data,
        volumes={name: Path(path) for name, path in (entry.split("=", 1) for entry in parsed.volume)},
        out=parsed.out,
        evaluation=parsed.evaluation,
        variants=parsed.variants,
        films=parsed.films,
        ap=parsed.ap,
        phantoms=parsed.phantoms,
        renders=parsed.renders,
        seed=parsed.seed,
        only=parsed.only,
    )
    for path in fill_pool(settings):
        print(path, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
