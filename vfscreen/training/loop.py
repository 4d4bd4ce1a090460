"""The training loop every network here shares: average, schedule, checkpoints, a clean stop.

Belongs here: what does not depend on the network. Does not belong here: samples, losses, batches, log files (run_log),
when a run has learned enough (early_stopping).

A run lives in a folder: `checkpoint.pt` (everything to resume), `log.csv`. It can be stopped at any time (SIGINT,
SIGTERM, or killed) and started again with the same command.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from vfscreen.training.run_log import open_log

B = TypeVar("B")


@dataclass(frozen=True)
class LoopSettings:
    """One run. The learning rate warms up, then follows a cosine to `steps`; resuming with another number of steps
    bends the rest of it. The average follows quickly at first, so that it soon forgets the untrained weights."""

    run: Path
    steps: int
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    ema_decay: float = 0.998
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 120.0
    log_every: int = 100

    @classmethod
    def of(cls, settings: Any, **fixed: Any) -> Self:
        """What a network's own settings (a dataclass) say of the loop, by name; `fixed`: what they leave to it."""
        stated = {f.name for f in fields(settings)} & {f.name for f in fields(cls)}
        return cls(**{name: getattr(settings, name) for name in stated}, **fixed)

    @classmethod
    def short(cls, settings: Any, log_every: int) -> Self:
        """`of` a run of some hundred or thousand steps: warm soon, a strong decay, an average that follows quickly."""
        warm_up = min(100, settings.steps // 10 + 1)
        return cls.of(settings, weight_decay=0.05, warm_up=warm_up, ema_decay=0.99, log_every=log_every)


@dataclass(frozen=True)
class CaseRun:
    """One run on CASES. exclude: beginnings of names of cases (or of their sources) that are held out."""

    cases: Path
    run: Path
    steps: int
    batch: int
    learning_rate: float = 2e-3
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    exclude: tuple[str, ...] = ()


def run_training(
    network: torch.nn.Module,
    settings: LoopSettings,
    open_batches: Callable[[int], AbstractContextManager[Iterator[B]]],
    loss: Callable[[torch.nn.Module, B], tuple[Tensor, dict[str, float]]],
    parts: Sequence[str],
    described: Mapping[str, object],
    watch: Callable[[int, torch.nn.Module], bool] | None = None,
    watch_every: int = 0,
) -> Path:
    """Train (or resume) a network; returns the checkpoint's path.

    open_batches: from the step that training begins at to a context that yields batches for ever. loss: network and
    batch -> the loss to descend and its parts by name, to be logged; it runs under bf16 autocast only where it says so.
    described: settings of the run, kept in the checkpoint for the record.
    watch: given the step and the averaged network (in evaluation mode) every `watch_every` steps; True ends training.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    settings.run.mkdir(parents=True, exist_ok=True)
    network = network.to(torch.device(settings.device))
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=_moving_average(settings.ema_decay), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    path, log_path = settings.run / "checkpoint.pt", settings.run / "log.csv"
    step = _resume(path, network, average, optimiser)

    def save() -> None:
        """Atomic: a run killed while saving keeps its last checkpoint."""
        state = {
            "step": step,
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimiser": optimiser.state_dict(),
            "settings": {name: str(value) for name, value in described.items()},
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    with open_log(log_path, ("seconds_a_step", "total", *parts)) as log, open_batches(step) as batches:
        recent: list[dict[str, float]] = []
        began = saved = time.monotonic()
        network.train()
        stop = _StopRequest()
        done = False
        while step < settings.steps and not stop.asked and not done:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, settings)
            total, values = loss(network, next(batches))
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]  # the stubs lack it
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(network)
            step += 1
            recent.append({"total": float(total.detach()), **values})
            if step % settings.log_every == 0:
                means = {name: float(np.mean([r.get(name, np.nan) for r in recent])) for name in ("total", *parts)}
                log.write(step, {"seconds_a_step": (time.monotonic() - began) / len(recent), **means})
                recent, began = [], time.monotonic()
            if watch is not None and watch_every and step % watch_every == 0:
                average.module.eval()
                done = watch(step, average.module)
                average.module.train()
            if time.monotonic() - saved > settings.checkpoint_seconds:
                save()
                saved = time.monotonic()
        stop.release()
    save()
    return path


def averaged_weights(checkpoint: Path) -> tuple[dict[str, Tensor], int]:
    """The averaged network's state of a checkpoint (one of our own runs: loaded as weights only) and its step."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    named = {name.removeprefix("module."): v for name, v in state["average"].items() if name != "n_averaged"}
    return named, int(state["step"])


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        share = 1.0 - min(decay, (1.0 + int(count)) / (10.0 + int(count)))
        for average, value in zip(averaged, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)

    return update


def _schedule(step: int, settings: LoopSettings) -> float:
    warm = min(1.0, (step + 1) / settings.warm_up)
    return float(warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(step / settings.steps, 1.0)))))


def _resume(path: Path, network: torch.nn.Module, average: Any, optimiser: Any) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


class _StopRequest:
    """An interrupt or SIGTERM ends training after the step in hand, with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._ask)

    def release(self) -> None:
        """What these signals did before, they do again."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.asked = True
