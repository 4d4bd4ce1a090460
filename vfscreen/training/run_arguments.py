"""Options that every `train` subcommand has alike. Does not belong here: what only one network's training takes."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_run_arguments(train: argparse.ArgumentParser, steps: int, batch: int) -> None:
    """Add the run's folder, length, seed, device and held-out cases. steps, batch: defaults."""
    train.add_argument("--run", type=Path, required=True, help="folder of checkpoint.pt and log.csv")
    train.add_argument("--steps", type=int, default=steps)
    train.add_argument("--batch", type=int, default=batch)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    train.add_argument("--exclude", nargs="*", default=[], help="beginnings of names of cases to hold out")
