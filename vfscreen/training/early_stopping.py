"""When a run has learned enough: looks at cases that are not trained on, the best weights, the end.

Belongs here: keeping count of looks and the best of them. Does not belong here: what is measured (each network's
training), the loop (loop).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

B = TypeVar("B")

BEST = "best.pt"


class EarlyStopping:
    """`loop.run_training`'s watch: lower is better. Survives a restart.

    Beside the run's other files lie `validation.csv` (step, measure) and `best.pt`, the averaged weights that measured
    best, in the form that `loop.averaged_weights` reads.
    """

    def __init__(self, run: Path, patience: int, measure: Callable[[torch.nn.Module], float]) -> None:
        """patience: looks in a row without a better one before the run ends; 0: it goes on to its last step."""
        self.best_path, self._log_path = run / BEST, run / "validation.csv"
        self._patience, self._measure = patience, measure
        self._seen: list[float] = []
        run.mkdir(parents=True, exist_ok=True)
        if self._log_path.exists():
            with self._log_path.open(newline="", encoding="utf-8") as stream:
                self._seen = [float(row["measure"]) for row in csv.DictReader(stream)]

    @property
    def finished(self) -> bool:
        """Whether the last `patience` looks were no better than one before them."""
        if not self._patience or len(self._seen) <= self._patience:
            return False
        return min(self._seen[-self._patience :]) >= min(self._seen[: -self._patience])

    def __call__(self, step: int, network: torch.nn.Module) -> bool:
        with torch.no_grad():
            value = self._measure(network)
        if not self._seen or value < min(self._seen):
            # the weights before the row that says so: a run killed in between looks again
            temporary = self.best_path.with_suffix(".part")
            torch.save({"step": step, "average": network.state_dict()}, temporary)
            temporary.replace(self.best_path)
        fresh = not self._log_path.exists()
        with self._log_path.open("a", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            if fresh:
                rows.writerow(["step", "measure"])
            rows.writerow([step, repr(value)])
        self._seen.append(value)
        return self.finished


def mean_loss(
    loss: Callable[[torch.nn.Module, B], tuple[Tensor, dict[str, float]]], batches: Sequence[B]
) -> Callable[[torch.nn.Module], float]:
    """The measure of `EarlyStopping` that every network has: its loss on fixed batches."""
    return lambda network: float(np.mean([float(loss(network, batch)[0]) for batch in batches]))


def chosen_checkpoint(run: Path) -> Path:
    """The weights a run is worth: the best that was measured, else the last."""
    best = run / BEST
    return best if best.exists() else run / "checkpoint.pt"
