"""What the locator is trained to: course, presence and level along the column; unknown stretches do not count.

Belongs here: losses. Does not belong here: samples (locator_data), the loop (locator_train).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

HEAT_SIGMA_CELLS = 1.5


@dataclass(frozen=True, eq=False)
class LocatorBatch:
    """image (N, 1, Z, Y, X); xy (N, P, 2), located (N, P), presence (N, P), levels (N, P, classes) as in a sample."""

    image: Tensor
    xy: Tensor
    located: Tensor
    presence: Tensor
    levels: Tensor


def locator_loss(outputs: dict[str, Tensor], batch: LocatorBatch) -> tuple[Tensor, dict[str, float]]:
    """Sum of three means over the positions where each is known, and its parts; `distance` is in cells."""
    heat, distance = _heat_loss(outputs["heat"].float(), batch)
    known = (batch.presence >= 0).float()
    presence = functional.binary_cross_entropy_with_logits(
        outputs["presence"].float(), batch.presence.clamp(min=0.0), weight=known, reduction="sum"
    ) / known.sum().clamp(min=1.0)
    judged = batch.levels.sum(dim=2)
    levels = -(batch.levels * outputs["levels"].float().log_softmax(dim=2)).sum() / judged.sum().clamp(min=1.0)
    total = 0.5 * heat + 0.5 * distance + presence + 0.5 * levels
    parts = {"heat": heat, "distance": distance, "presence": presence, "levels": levels}
    return total, {name: float(value.detach()) for name, value in parts.items()}


def _heat_loss(heat: Tensor, batch: LocatorBatch) -> tuple[Tensor, Tensor]:
    """Cross-entropy with a Gaussian about the centre, and the distance of the heat map's mean from it."""
    chosen = batch.located > 0.5
    if not bool(chosen.any()):
        zero = heat.sum() * 0.0
        return zero, zero
    planes, xy = heat[chosen], batch.xy[chosen]
    x = torch.arange(planes.shape[2], dtype=torch.float32, device=heat.device)
    y = torch.arange(planes.shape[1], dtype=torch.float32, device=heat.device)
    log_x = -((x - xy[:, 0:1]) ** 2) / (2 * HEAT_SIGMA_CELLS**2)
    log_y = -((y - xy[:, 1:2]) ** 2) / (2 * HEAT_SIGMA_CELLS**2)
    target = log_y.softmax(dim=1)[:, :, None] * log_x.softmax(dim=1)[:, None, :]
    log_probability = planes.flatten(1).log_softmax(dim=1).reshape(planes.shape)
    cross_entropy = -(target * log_probability).sum(dim=(1, 2)).mean()
    probability = log_probability.exp()
    mean_x, mean_y = probability.sum(dim=1) @ x, probability.sum(dim=2) @ y
    distance = functional.smooth_l1_loss(torch.stack([mean_x, mean_y], dim=1), xy, beta=0.5)
    return cross_entropy, distance
