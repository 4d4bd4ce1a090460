"""Train the locator: draw crops, learn, keep an average, resume at any time.

Belongs here: the loop, optimiser, average, checkpoints, the log. Does not belong here: samples (locator_data), losses
(locator_losses), measuring (locator_evaluate).

A run lives in a folder: `checkpoint.pt` (everything to resume), `log.csv`. Samples cost a few percent of a step, so
they are drawn in this process.
"""

from __future__ import annotations

import csv
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vfscreen.models.networks3d import LocatorNet
from vfscreen.training.locator_cases import LocatorCase, load_case
from vfscreen.training.locator_data import SHAPES, LocatorSample, draw_sample
from vfscreen.training.locator_losses import LocatorBatch, locator_loss

_PARTS = ("total", "heat", "distance", "presence", "levels")


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
    """Run (or resume) training; returns the checkpoint's path. Raises FileNotFoundError where there are no cases.

    The learning rate follows a cosine to `steps`; resuming with another number of steps bends the rest of it.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    cases = [load_case(path) for path in sorted(settings.cases.glob("*.npz"))]
    if not cases:
        raise FileNotFoundError(f"no locator cases in {settings.cases}: run `prepare` first")
    settings.run.mkdir(parents=True, exist_ok=True)
    device = torch.device(settings.device)
    network = LocatorNet().to(device)
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.ema_decay),  # type: ignore[no-untyped-call]
        use_buffers=True,
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    path, log_path = settings.run / "checkpoint.pt", settings.run / "log.csv"
    step = _resume(path, network, average, optimiser)
    rng = np.random.default_rng([settings.seed, step])
    fresh_log = not log_path.exists()
    with log_path.open("a", newline="", encoding="utf-8") as stream:
        log = csv.writer(stream)
        if fresh_log:
            log.writerow(["step", "seconds_a_step", *_PARTS])
        recent: list[dict[str, float]] = []
        began = saved = time.monotonic()
        network.train()
        while step < settings.steps:
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, settings)
            batch = draw_batch(cases, settings, rng, device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                outputs = network(batch.image)
            total, parts = locator_loss(outputs, batch)
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(network)
            step += 1
            recent.append({"total": float(total.detach()), **parts})
            if step % 25 == 0:
                means = [round(float(np.mean([r[name] for r in recent])), 4) for name in _PARTS]
                log.writerow([step, round((time.monotonic() - began) / len(recent), 2), *means])
                stream.flush()
                recent, began = [], time.monotonic()
            if time.monotonic() - saved > settings.checkpoint_seconds:
                _save(path, step, network, average, optimiser, settings)
                saved = time.monotonic()
    _save(path, step, network, average, optimiser, settings)
    return path


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


def averaged_weights(checkpoint: Path) -> tuple[dict[str, torch.Tensor], int]:
    """The averaged network's state in a checkpoint of ours (loaded as weights only), and the step it was kept at."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    named = {name.removeprefix("module."): v for name, v in state["average"].items() if name != "n_averaged"}
    return named, int(state["step"])


def _schedule(step: int, settings: LocatorTrainSettings) -> float:
    warm = min(1.0, (step + 1) / settings.warm_up)
    return float(warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(step / settings.steps, 1.0)))))


def _resume(path: Path, network: Any, average: Any, optimiser: Any) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _save(path: Path, step: int, network: Any, average: Any, optimiser: Any, settings: LocatorTrainSettings) -> None:
    """Atomic: a run killed while saving keeps its last checkpoint."""
    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "settings": {name: str(value) for name, value in asdict(settings).items()},
    }
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)
