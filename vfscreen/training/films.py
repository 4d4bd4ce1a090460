"""`python -m vfscreen.training.films`: from data to the film networks.

Belongs here: the command line. Does not belong here: everything it calls.

    python -m vfscreen.training.films pool --data DATA --out POOL --name dicom4qi_data1 --lateral 40 --ap 12
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vfscreen.models.registry import load_models
from vfscreen.settings import load_settings
from vfscreen.synthesis.projection import View
from vfscreen.training.film_bodies import read_body
from vfscreen.training.film_cases import save_case
from vfscreen.training.film_commands import add_commands
from vfscreen.training.film_pool import draw_geometry, make_case


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vfscreen.training.films",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pool = commands.add_parser("pool", help="project bodies into film cases; cases that exist are kept")
    pool.add_argument("--data", type=Path, required=True, help="folder with readings and their volumes")
    pool.add_argument("--name", action="append", default=[], help="a reading; give it again for more")
    pool.add_argument("--out", type=Path, required=True)
    pool.add_argument("--lateral", type=int, default=40, help="lateral films a body")
    pool.add_argument("--ap", type=int, default=0, help="AP films a body")
    pool.add_argument("--seed", type=int, default=0)
    pool.set_defaults(run_command=_pool)
    add_commands(commands)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run_command(parsed)
    return status


def _pool(parsed: argparse.Namespace) -> int:
    settings = load_settings().screening
    models = load_models(screening=settings)
    parsed.out.mkdir(parents=True, exist_ok=True)
    for name in parsed.name:
        body = read_body(parsed.data, name, models, settings)
        wanted: tuple[tuple[View, int], ...] = (("lateral", parsed.lateral), ("ap", parsed.ap))
        for view, count in wanted:
            for n in range(count):
                case_name = f"{view}-{name}-{parsed.seed}-{n:03d}"
                if (parsed.out / f"{case_name}.npz").exists():
                    continue
                rng = np.random.default_rng([sum(case_name.encode()), parsed.seed, n])
                print(save_case(make_case(case_name, body, draw_geometry(body, view, rng)), parsed.out), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
