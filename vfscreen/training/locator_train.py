"""Train the locator on cases.

Belongs here: the settings of a run, batches. Does not belong here: samples (locator_data), losses (locator_losses), the
loop and its files (loop), measuring (locator_evaluate). Samples cost a few percent of a step, so they are drawn in this
process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from vfscreen.models.networks3d import LocatorNet
from vfscreen.training.locator_cases import LocatorCase, load_case
from vfscreen.training.locator_data import SHAPES, LocatorSample, draw_sample
from vfscreen.training.locator_losses import LocatorBatch, locator_loss
from vfscreen.training.loop import LoopSettings, run_training

PARTS = ("heat", "distance", "presence", "levels")
"""Of the loss, as logged."""


@dataclass(frozen=True)
class LocatorTrainSettings:
    """One run. phantom_share: chance that a sample comes from a synthetic patient."""

    cases: Path
    run: Path
    steps: int = 3000
    batch: int = 4
    phantom_share: float = 0.4
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 50
    ema_decay: float = 0.99
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 120.0


def train_locator(settings: LocatorTrainSettings) -> Path:
    """Run (or resume) training; returns the checkpoint's path. Raises FileNotFoundError where there are no cases."""
    cases = [load_case(path) for path in sorted(settings.cases.glob("*.npz"))]
    if not cases:
        raise FileNotFoundError(f"no locator cases in {settings.cases}: run `prepare` first")
    device = torch.device(settings.device)

    @contextmanager
    def batches(start: int) -> Iterator[Iterator[LocatorBatch]]:
        rng = np.random.default_rng([settings.seed, start])
        yield (draw_batch(cases, settings, rng, device) for _ in itertools.count())

    def loss(network: torch.nn.Module, batch: LocatorBatch) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = network(batch.image)
        return locator_loss(outputs, batch)

    loop = LoopSettings.of(settings, log_every=25)
    return run_training(LocatorNet(), loop, batches, loss, PARTS, asdict(settings))


def draw_batch(
    cases: list[LocatorCase], settings: LocatorTrainSettings, rng: np.random.Generator, device: torch.device
) -> LocatorBatch:
    """A batch of one crop size, real and synthetic patients mixed."""
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    synthetic = [case for case in cases if case.name.startswith("phantom-")]
    real = [case for case in cases if not case.name.startswith("phantom-")]
    samples: list[LocatorSample] = []
    for _ in range(settings.batch):
        pool = synthetic if synthetic and (not real or rng.random() < settings.phantom_share) else real
        samples.append(draw_sample(pool[int(rng.integers(len(pool)))], shape, rng))

    def stack(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(s, name) for s in samples])).to(device)

    return LocatorBatch(stack("image")[:, None], stack("xy"), stack("located"), stack("presence"), stack("levels"))
