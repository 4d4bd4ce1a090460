"""Train the endplate network on a pool of patches.

Belongs here: batches from a pool and what changes each time a patch is used. Does not belong here: the pool
(patch_data), the loss (endplate_losses), the loop (loop).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfscreen.models.cards import IntensityWindow, load_into, read_card
from vfscreen.models.networks2d import EndplateNet
from vfscreen.models.vertebra import window_hu
from vfscreen.training.early_stopping import EarlyStopping, chosen_checkpoint, mean_loss
from vfscreen.training.endplate_losses import PatchBatch, endplate_loss
from vfscreen.training.loop import LoopSettings, run_training
from vfscreen.training.patch_data import LOWER_HU, MARGIN_PX, STEP_HU, Pool, load_pool

WINDOW = IntensityWindow(lower_hu=-300.0, upper_hu=1200.0, centre_hu=200.0, scale_hu=300.0)
VALIDATION_PATCHES = 480


@dataclass(frozen=True)
class EndplateTrainSettings:
    """One run on WORK/pool. exclude: beginnings of names of cases that are left out (held out). start_from: a card
    whose weights training begins with; what they were trained on is not held out. validate: beginnings of names of
    cases to validate on and not to train on; patience: see early_stopping."""

    pool: Path
    run: Path
    steps: int = 8000
    batch: int = 24
    learning_rate: float = 2e-3
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    exclude: tuple[str, ...] = ()
    start_from: Path | None = None
    validate: tuple[str, ...] = ()
    validate_every: int = 250
    patience: int = 0


def train_endplates(settings: EndplateTrainSettings) -> Path:
    """Run (or resume) training; returns the path of the weights to export. Raises FileNotFoundError without a pool,
    ValueError where nothing of it may be used."""
    pool = load_pool(settings.pool)
    usable = _named(pool, settings.exclude + settings.validate, True)
    judged = _named(pool, settings.validate, False)
    if not usable.size:
        raise ValueError("every patch of the pool is excluded")
    if settings.validate and not judged.size:
        raise ValueError(f"no patch of the pool is of a case that begins with {' or '.join(settings.validate)}")
    device = torch.device(settings.device)
    network = EndplateNet()
    if settings.start_from is not None:
        load_into(network, read_card(settings.start_from), settings.start_from)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it

    @contextmanager
    def batches(start: int) -> Iterator[Iterator[PatchBatch]]:
        yield _batches(pool, usable, settings, np.random.default_rng([settings.seed, start]), device)

    def loss(network: torch.nn.Module, batch: PatchBatch) -> tuple[Tensor, dict[str, float]]:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = network(batch.image.contiguous(memory_format=torch.channels_last))
        return endplate_loss(outputs, batch)

    stopping = None
    if settings.validate:
        rng = np.random.default_rng([settings.seed, 41])
        some = rng.permutation(judged)[:VALIDATION_PATCHES]
        parts = np.array_split(some, max(len(some) // settings.batch, 1))
        fixed = [draw_batch(pool, part, rng, device) for part in parts]
        stopping = EarlyStopping(settings.run, settings.patience, mean_loss(loss, fixed))
        if stopping.finished:
            return stopping.best_path
    loop = LoopSettings.of(settings)
    described = asdict(settings)
    run_training(network, loop, batches, loss, ("corners", "plates"), described, stopping, settings.validate_every)
    return chosen_checkpoint(settings.run)


def _named(pool: Pool, beginnings: tuple[str, ...], others: bool) -> NDArray[np.int64]:
    """Patches of cases whose names begin so; with `others`, of those whose names do not."""
    fits = np.array([str(name).startswith(beginnings) for name in pool.case], dtype=np.bool_)
    return np.flatnonzero(fits != others)


def _batches(
    pool: Pool,
    usable: NDArray[np.int64],
    settings: EndplateTrainSettings,
    rng: np.random.Generator,
    device: torch.device,
) -> Iterator[PatchBatch]:
    while True:
        order = rng.permutation(usable)
        for start in range(0, max(len(order) - settings.batch + 1, 1), settings.batch):
            yield draw_batch(pool, order[start : start + settings.batch], rng, device)


def draw_batch(
    pool: Pool, chosen: Sequence[int] | NDArray[np.int64], rng: np.random.Generator, device: torch.device
) -> PatchBatch:
    """Patches of a pool as a batch: shifted by whole pixels, brighter or darker, with noise, since they come again."""
    margin = MARGIN_PX
    images, corners, plates = [], [], []
    for n in chosen:
        r, c = (int(v) for v in rng.integers(0, 2 * margin + 1, 2))
        whole = pool.hu(int(n))
        rows, columns = (size - 2 * margin for size in whole.shape[1:])
        hu = whole[:, r : r + rows, c : c + columns].astype(np.float32) * STEP_HU + LOWER_HU
        hu = 40.0 + (hu - 40.0) * np.float32(np.exp(rng.normal(0, 0.12))) + np.float32(rng.normal(0, 15))
        images.append(hu + np.float32(rng.uniform(2, 25)) * rng.standard_normal(hu.shape, dtype=np.float32))
        corners.append(pool.corners[n] - np.array([r, c], dtype=np.float32))
        plates.append(pool.plates[n][:, c : c + columns] - np.float32(r))
    return PatchBatch(
        torch.from_numpy(window_hu(np.stack(images), WINDOW)).to(device),
        torch.from_numpy(np.stack(corners)).to(device),
        torch.from_numpy(np.stack(plates)).to(device),
        torch.from_numpy(pool.weight[np.asarray(chosen)]).to(device),
    )
