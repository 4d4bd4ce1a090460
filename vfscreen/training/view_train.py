"""Train the film view network and measure it.

Belongs here: settings of a run, the loss, figures on held-out cases and real films. Does not belong here: samples
(view_data), the loop (loop).
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
from torch.nn import functional

from vfscreen.evaluation.binary import wilson
from vfscreen.models.cards import Metric
from vfscreen.models.film_ports import VIEWS
from vfscreen.models.film_view import FilmViewNet
from vfscreen.training.loop import CaseRun, LoopSettings, run_training
from vfscreen.training.view_cases import ViewCase, load_view_case
from vfscreen.training.view_data import UNKNOWN, ViewBatch, batches, by_view, draw_sample, stack

Answers = dict[str, NDArray[np.int64]]

HEADS = ("view", "region", "rotation", "facing_right")
WEIGHTS = {"view": 1.0, "region": 0.5, "rotation": 0.7, "facing_right": 0.7}
SMOOTHING = 0.02


@dataclass(frozen=True)
class ViewTrainSettings(CaseRun):
    """One run on CASES; what is excluded is named by its sources."""

    steps: int = 2500
    batch: int = 24


def load_cases(folder: Path, exclude: tuple[str, ...] = (), only: tuple[str, ...] = ()) -> list[ViewCase]:
    """Cases of a folder by their sources' names. Raises ValueError where none is left."""
    cases = [load_view_case(path) for path in sorted(folder.glob("*.npz"))]
    kept = [c for c in cases if not c.source.startswith(exclude or ("\0",)) and c.source.startswith(only or ("",))]
    if not kept:
        raise ValueError(f"no case in {folder} may be used: project some bodies first")
    return kept


def train_view(settings: ViewTrainSettings) -> Path:
    """Run (or resume) training; returns the checkpoint's path."""
    cases = load_cases(settings.cases, settings.exclude)
    device = torch.device(settings.device)

    @contextmanager
    def open_batches(start: int) -> Iterator[Iterator[ViewBatch]]:
        yield batches(cases, settings.batch, (settings.seed, start), device)

    loop = LoopSettings.short(settings, log_every=50)
    network = FilmViewNet()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it
    return run_training(network, loop, open_batches, view_loss, HEADS, asdict(settings))


def view_loss(network: torch.nn.Module, batch: ViewBatch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of every head where its label is known; facing is asked of the picture turned rightly."""
    image = batch.image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16, enabled=network.training):
        outputs = {name: logits.float() for name, logits in network(image).items()}
    parts = {
        "view": _entropy(outputs["view"], batch.view),
        "region": _entropy(outputs["region"], batch.region),
        "rotation": _entropy(outputs["rotation"], batch.rotation),
        "facing_right": _facing(outputs["facing_right"], batch),
    }
    total = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _entropy(logits: Tensor, label: Tensor) -> Tensor:
    known = label != UNKNOWN
    if not known.any():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits[known], label[known], label_smoothing=SMOOTHING)


def _facing(logits: Tensor, batch: ViewBatch) -> Tensor:
    known = batch.facing_right != UNKNOWN
    if not known.any():
        return logits.sum() * 0.0
    asked = logits[known, batch.rotation[known]]
    return functional.binary_cross_entropy_with_logits(asked, batch.facing_right[known].float())


def measure(network: FilmViewNet, cases: Sequence[ViewCase], count: int, seed: int, batch: int = 32) -> Answers:
    """Each head's label and answer on `count` samples of cases: `view`, `view_found`, ... (count,) indices."""
    rng, grouped = np.random.default_rng([71, seed]), by_view(cases)
    found: dict[str, list[Tensor]] = {}
    network.eval()
    for first in range(0, count, batch):
        samples = stack([draw_sample(grouped, rng) for _ in range(min(batch, count - first))], torch.device("cpu"))
        with torch.inference_mode():
            outputs = network(samples.image)
        turned = samples.rotation.clamp(min=0)[:, None]
        answers = {name: outputs[name].argmax(dim=1) for name in ("view", "region", "rotation")}
        answers["facing_right"] = (outputs["facing_right"].gather(1, turned)[:, 0] > 0).long()
        for name in HEADS:
            found.setdefault(name, []).append(getattr(samples, name))
            found.setdefault(f"{name}_found", []).append(answers[name])
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def view_metrics(found: Answers, data: str, command: str) -> list[Metric]:
    """Shares right, head by head and view by view, with Wilson's intervals (samples of one body are alike)."""
    metrics = []
    asked = [(name, name, np.ones(len(found[name]), dtype=np.bool_)) for name in HEADS]
    asked += [(f"view, {view}", "view", found["view"] == n) for n, view in enumerate(VIEWS)]
    for words, name, chosen in asked:
        kept = chosen & (found[name] != UNKNOWN)
        if not kept.any():
            continue
        words = f"{words.replace('_', ' ')} right"
        metrics.append(share_right(words, (found[name] == found[f"{name}_found"])[kept], data, command))
    return metrics


def share_right(name: str, right: NDArray[np.bool_], data: str, command: str) -> Metric:
    """A share with Wilson's interval."""
    interval = wilson(int(right.sum()), right.size)
    ci95 = None if interval is None else (round(interval[0], 4), round(interval[1], 4))
    share = round(float(right.mean()), 4)
    return Metric(name=name, value=share, unit="", ci95=ci95, n=right.size, data=data, command=command)
