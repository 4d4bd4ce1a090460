"""Train the rib network on cases.

Belongs here: the settings of a run and the loss. Does not belong here: samples (rib_data), the loop (loop).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vfscreen.models.rib_network import RibNet
from vfscreen.training.loop import CaseRun, LoopSettings, run_training
from vfscreen.training.rib_cases import load_case
from vfscreen.training.rib_data import RibBatch, batches

SACRUM_WEIGHT = 0.5


@dataclass(frozen=True)
class RibTrainSettings(CaseRun):
    """One run on CASES; what is excluded is named by its cases."""

    steps: int = 1500
    batch: int = 32


def train_ribs(settings: RibTrainSettings) -> Path:
    """Run (or resume) training; returns the checkpoint's path. Raises ValueError where no case may be used."""
    paths = [p for p in sorted(settings.cases.glob("*.npz")) if not p.stem.startswith(settings.exclude or ("\0",))]
    cases = [load_case(path) for path in paths]
    if not cases:
        raise ValueError(f"no case in {settings.cases} may be used: prepare some")
    device = torch.device(settings.device)

    @contextmanager
    def open_batches(start: int) -> Iterator[Iterator[RibBatch]]:
        yield batches(cases, settings.batch, np.random.default_rng([settings.seed, start]), device)

    loop = LoopSettings.short(settings, log_every=25)
    network = RibNet()
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # the stubs do not know it
    return run_training(network, loop, open_batches, rib_loss, ("kind", "sacrum", "right"), asdict(settings))


def rib_loss(network: torch.nn.Module, batch: RibBatch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the kind (a little smoothed: readings err too) and of the sacrum below, where it is known."""
    outputs = network(batch.image.contiguous(memory_format=torch.channels_last_3d))
    kind = functional.cross_entropy(outputs["kind"], batch.kind, label_smoothing=0.02)
    known = batch.sacrum_below >= 0
    each = functional.binary_cross_entropy_with_logits(
        outputs["sacrum_below"][:, 0], batch.sacrum_below.clamp(min=0).float(), reduction="none"
    )
    sacrum = (each * known).sum() / known.sum().clamp(min=1)
    right = (outputs["kind"].argmax(dim=1) == batch.kind).float().mean()
    return kind + SACRUM_WEIGHT * sacrum, {
        "kind": float(kind.detach()),
        "sacrum": float(sacrum.detach()),
        "right": float(right),
    }
