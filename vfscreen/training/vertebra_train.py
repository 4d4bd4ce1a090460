"""Train the vertebra network: one process makes samples, this one learns.

Belongs here: the loop, optimiser, averages, checkpoints, the log. Does not belong here: samples, losses, measuring.

A run lives in a folder: `checkpoint.pt` (everything to resume), `log.csv`. It can be stopped at any time and
started again with the same command.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
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
from vfscreen.training.slab_cases import load_case
from vfscreen.training.vertebra_data import Sample, SampleSettings, draw_sample
from vfscreen.training.vertebra_losses import Batch, vertebra_loss

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
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    settings.run.mkdir(parents=True, exist_ok=True)
    device = torch.device(settings.device)
    network = VertebraNet().to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=_moving_average(settings.ema_decay), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    path = settings.run / "checkpoint.pt"
    step = _resume(path, network, average, optimiser)
    log_path = settings.run / "log.csv"
    fresh_log = not log_path.exists()
    with log_path.open("a", newline="", encoding="utf-8") as stream, _Generator(settings, step) as batches:
        log = csv.writer(stream)
        if fresh_log:
            log.writerow(
                ["step", "samples_per_s", "total", "centre", "offsets", "levels", "fracture", "points", "distance"]
            )
        recent: list[dict[str, float]] = []
        began = saved = time.monotonic()
        network.train()
        stop = _StopRequest()
        while step < settings.steps and not stop.asked:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, settings)
            batch = _to_batch(next(batches), device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                outputs = network(batch.image.contiguous(memory_format=torch.channels_last))
            total, parts = vertebra_loss(outputs, batch)
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(network)
            step += 1
            recent.append({"total": float(total.detach()), **parts})
            if step % 100 == 0:
                means = [
                    float(np.mean([r.get(name, np.nan) for r in recent]))
                    for name in ("total", "centre", "offsets", "levels", "fracture", "points", "distance")
                ]
                rate = len(recent) * settings.batch / (time.monotonic() - began)
                log.writerow([step, round(rate, 1), *(round(m, 4) for m in means)])
                stream.flush()
                recent, began = [], time.monotonic()
            if time.monotonic() - saved > settings.checkpoint_seconds:
                _save(path, step, network, average, optimiser, settings)
                saved = time.monotonic()
    _save(path, step, network, average, optimiser, settings)
    return path


def averaged_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The averaged network's state of a checkpoint (one of our own runs: torch.load with weights only)."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
    return {name.removeprefix("module."): value for name, value in state.items() if name != "n_averaged"}


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential average that follows quickly at first, so that it soon forgets the untrained weights."""

    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor | int) -> None:
        share = 1.0 - min(decay, (1.0 + int(count)) / (10.0 + int(count)))
        for average, value in zip(averaged, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)

    return update


def _schedule(step: int, settings: TrainSettings) -> float:
    warm = min(1.0, (step + 1) / settings.warm_up)
    return float(warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(step / settings.steps, 1.0)))))


def _to_batch(samples: list[Sample], device: torch.device) -> Batch:
    def stack(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(s, name) for s in samples])).to(device)

    image = torch.from_numpy(window_hu(np.stack([s.hu for s in samples]), WINDOW)).to(device)
    return Batch(image, stack("points"), stack("weight"), stack("level"), stack("fracture"), stack("judged"))


def _resume(path: Path, network: Any, average: Any, optimiser: Any) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _save(path: Path, step: int, network: Any, average: Any, optimiser: Any, settings: TrainSettings) -> None:
    """Atomic: a run killed while saving keeps its last checkpoint."""
    described = {k: str(v) for k, v in asdict(settings).items()}
    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "settings": described,
    }
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)


class _StopRequest:
    """An interrupt or SIGTERM ends training after the step in hand, with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask)
            signal.signal(signal.SIGINT, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


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
