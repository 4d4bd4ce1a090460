"""Train a fresh-fracture classifier: loss, distillation, validation while it runs, early stopping.

Belongs here: the settings of a run and what is peculiar to it. Does not belong here: batches (fresh_data), the loop
with its average, checkpoints and resumption (loop).

A run's folder holds, beside the loop's files and early stopping's (`validation.csv`, `best.pt`: what is evaluated and
exported), `network.json`: which architecture it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vfscreen.evaluation.roc import auc_metric
from vfscreen.models.fresh_network import FreshNet, load_imagenet
from vfscreen.training.early_stopping import BEST, EarlyStopping
from vfscreen.training.fresh_data import Augmentation, FreshBatch, batches, plain
from vfscreen.training.fresh_items import ItemSet, load_items
from vfscreen.training.loop import LoopSettings, averaged_weights, run_training

Float = NDArray[np.float64]

Balance = Literal["sampler", "loss", "none"]

DESCRIBED = "network.json"

SMOOTHING = 0.05
"""Labels are a little unsure: readers of films err, and MRI that decides is of another day."""


@dataclass(frozen=True)
class FreshTrainSettings:
    """One run on WORK.

    imagenet: a state dict to start from. freeze: share of the tensors, from the input on, that stay as they were there:
    edges and textures are those of photographs, and the first layers cost most. teachers: runs whose best networks are
    imitated as well, with the weight teach. balance: of classes, by drawing them equally often, by weighting the loss,
    or not. patience: looks without a better validation area before it ends; watch_every: steps between looks. bf16:
    mixed precision.
    """

    work: Path
    run: Path
    architecture: str = "efficientnet-lite0"
    steps: int = 1500
    batch: int = 32
    learning_rate: float = 8e-4
    dropout: float = 0.3
    imagenet: Path | None = None
    freeze: float = 0.0
    teachers: tuple[Path, ...] = ()
    teach: float = 0.5
    balance: Balance = "sampler"
    patience: int = 6
    watch_every: int = 50
    bf16: bool = False
    seed: int = 0
    threads: int = 1
    device: str = "cpu"


def train_fresh(settings: FreshTrainSettings) -> Path:
    """Run (or resume) training; returns the path of the best weights. Raises ValueError where a split is empty."""
    items = load_items(settings.work)
    train, validation = items.of("train"), items.of("validation")
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    network = FreshNet(settings.architecture, settings.dropout)
    if settings.imagenet is not None:
        load_imagenet(network, torch.load(settings.imagenet, map_location="cpu", weights_only=True))
    freeze_first(network, settings.freeze)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it
    stopping = EarlyStopping(settings.run, settings.patience, area_missed(validation, device))
    described = {"architecture": settings.architecture, "dropout": settings.dropout}
    (settings.run / DESCRIBED).write_text(json.dumps(described) + "\n", encoding="utf-8")
    if stopping.finished:
        return stopping.best_path

    @contextmanager
    def open_batches(start: int) -> Iterator[Iterator[FreshBatch]]:
        balanced = settings.balance == "sampler"
        yield batches(train, settings.batch, balanced, Augmentation(), (settings.seed, start), device)

    loop = LoopSettings.short(settings, log_every=25)
    loss = make_loss(settings, train, device)
    parts = ("label", "teacher") if settings.teachers else ("label",)
    run_training(network, loop, open_batches, loss, parts, asdict(settings), stopping, settings.watch_every)
    return stopping.best_path


def freeze_first(network: torch.nn.Module, share: float) -> None:
    """Leave the first `share` of a network's parameter tensors untrained. Batch statistics still follow the data."""
    parameters = list(network.parameters())
    for parameter in parameters[: round(share * len(parameters))]:
        parameter.requires_grad_(False)


def load_best(run: Path) -> tuple[FreshNet, int]:
    """The network that did best on a run's validation items, in evaluation mode, and its step."""
    described = json.loads((run / DESCRIBED).read_text(encoding="utf-8"))
    network = FreshNet(described["architecture"], float(described["dropout"]))
    weights, step = averaged_weights(run / BEST)
    network.load_state_dict(weights)
    return network.eval(), step


def make_loss(
    settings: FreshTrainSettings, train: ItemSet, device: torch.device
) -> Callable[[torch.nn.Module, FreshBatch], tuple[Tensor, dict[str, float]]]:
    """Cross-entropy, smoothed, with the classes' weights where asked, and towards the teachers' mean where there are
    any (Hinton et al., 2015)."""
    fresh = sum(i.fresh for i in train.items)
    weight = (len(train.items) - fresh) / max(fresh, 1) if settings.balance == "loss" else 1.0
    positive = torch.tensor(weight, device=device)
    teachers = [load_best(path)[0].to(device) for path in settings.teachers]

    def loss(network: torch.nn.Module, batch: FreshBatch) -> tuple[Tensor, dict[str, float]]:
        image = batch.image.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
            logit = network(image)["fresh"][:, 0]
        logit = logit.float()
        target = batch.fresh * (1 - SMOOTHING) + 0.5 * SMOOTHING
        label = functional.binary_cross_entropy_with_logits(logit, target, pos_weight=positive)
        if not teachers:
            return label, {"label": float(label.detach())}
        with torch.no_grad():
            taught = torch.stack([t(image)["fresh"][:, 0] for t in teachers]).mean(dim=0).sigmoid()
        teacher = functional.binary_cross_entropy_with_logits(logit, taught)
        total = (1 - settings.teach) * label + settings.teach * teacher
        return total, {"label": float(label.detach()), "teacher": float(teacher.detach())}

    return loss


def area_missed(validation: ItemSet, device: torch.device) -> Callable[[torch.nn.Module], float]:
    """What early stopping looks at: 1 - area under the ROC curve on the validation items, as the chain crops them.

    Raises ValueError where they are not of both classes.
    """
    fresh = np.array([i.fresh for i in validation.items], dtype=np.bool_)
    if fresh.all() or not fresh.any():
        raise ValueError("the split 'validation' needs fresh and old items: early stopping looks at them")
    image = torch.from_numpy(plain(validation))

    def measure(network: torch.nn.Module) -> float:
        area = auc_metric(fresh, logits(network, image, device)).estimate
        assert area is not None
        return 1.0 - area

    return measure


def logits(network: torch.nn.Module, image: Tensor, device: torch.device, batch: int = 64) -> Float:
    """(n, 1, S, S) -> (n,) logits, float64."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(image), batch):
            part = image[first : first + batch].to(device).contiguous(memory_format=torch.channels_last)
            found.append(network(part)["fresh"][:, 0].double().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(0)
