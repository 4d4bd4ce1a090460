"""Train the vertebra network: one process makes samples, this one learns.

Belongs here: the processes that draw samples, batches. Does not belong here: samples (vertebra_data), losses, the loop
and its files (loop), measuring.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Full
from typing import Any

import numpy as np
import torch

from vfscreen.models.cards import IntensityWindow
from vfscreen.models.networks2d import VertebraNet
from vfscreen.models.vertebra import window_hu
from vfscreen.spine.straighten import SlabSpec
from vfscreen.training.loop import LoopSettings, run_training
from vfscreen.training.slab_cases import load_case
from vfscreen.training.vertebra_data import Sample, SampleSettings, draw_sample
from vfscreen.training.vertebra_losses import Batch, vertebra_loss

PARTS = ("centre", "offsets", "levels", "fracture", "points", "distance")
"""Of the loss, as logged."""

WINDOW = IntensityWindow(lower_hu=-300.0, upper_hu=1200.0, centre_hu=200.0, scale_hu=300.0)


@dataclass(frozen=True)
class TrainSettings:
    """One run. case_weights: chance of each case by name prefix, longest prefix wins, 1 where none fits."""

    cases: Path
    run: Path
    steps: int = 20000
    batch: int = 8
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    ema_decay: float = 0.998
    seed: int = 0
    workers: int = 1
    threads: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 180.0
    case_weights: tuple[tuple[str, float], ...] = ()
    sample: SampleSettings = field(default_factory=SampleSettings)


def train(settings: TrainSettings) -> Path:
    """Run (or resume) training; returns the checkpoint's path. Raises FileNotFoundError where there are no cases."""
    device = torch.device(settings.device)
    network = VertebraNet()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it

    @contextmanager
    def batches(start: int) -> Iterator[Iterator[Batch]]:
        with _Generator(settings, start) as drawn:
            yield (_to_batch(samples, device) for samples in drawn)

    def loss(network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = network(batch.image.contiguous(memory_format=torch.channels_last))
        return vertebra_loss(outputs, batch)

    loop = LoopSettings.of(settings)
    return run_training(network, loop, batches, loss, PARTS, asdict(settings))


def _to_batch(samples: list[Sample], device: torch.device) -> Batch:
    def stack(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(s, name) for s in samples])).to(device)

    image = torch.from_numpy(window_hu(np.stack([s.hu for s in samples]), WINDOW)).to(device)
    return Batch(image, stack("points"), stack("weight"), stack("level"), stack("fracture"), stack("judged"))


class _Generator:
    """Worker processes that draw batches into a short queue."""

    def __init__(self, settings: TrainSettings, start: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=8)
        self._workers = [
            context.Process(target=_work, args=(settings, start, n, self._queue), daemon=True)
            for n in range(settings.workers)
        ]

    def __enter__(self) -> Iterator[list[Sample]]:
        for worker in self._workers:
            worker.start()
        return self._batches()

    def _batches(self) -> Iterator[list[Sample]]:
        while True:
            item = self._queue.get(timeout=300)
            if isinstance(item, str):
                raise RuntimeError(f"a sample worker stopped: {item}")
            yield item

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.terminate()
            worker.join()


def _work(settings: TrainSettings, start: int, number: int, queue: Any) -> None:
    parent = os.getppid()
    os.setsid()  # an interrupt from the terminal is for the trainer, which saves and ends its workers
    try:
        torch.set_num_threads(1)
        paths = sorted(settings.cases.glob("*.npz"))
        if not paths:
            raise FileNotFoundError(f"no slab cases in {settings.cases}: run `prepare` first")
        cases = [load_case(path) for path in paths]
        chances = np.array([_case_weight(case.name, settings.case_weights) for case in cases])
        chances = chances / chances.sum()
        rng = np.random.default_rng([settings.seed, start, number])
        spec = SlabSpec()
        while True:
            chosen = rng.choice(len(cases), size=settings.batch, p=chances)
            batch = [draw_sample(cases[int(i)], spec, settings.sample, rng) for i in chosen]
            while os.getppid() == parent:  # a killed trainer leaves a full queue that nobody reads
                try:
                    queue.put(batch, timeout=5)
                    break
                except Full:
                    continue
            else:
                return
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")
        raise


def _case_weight(name: str, weights: tuple[tuple[str, float], ...]) -> float:
    fitting = [(len(prefix), weight) for prefix, weight in weights if name.startswith(prefix)]
    return max(fitting)[1] if fitting else 1.0
