"""Losses of the endplate network.

Belongs here: targets built from corners and endplates, and the loss of each output. Does not belong here: data,
optimisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

ROW_SIGMA_PX, COLUMN_SIGMA_PX = 1.1, 1.6
"""Of a corner's target, about a reader's repeat error; a corner is better defined across the endplate than along it."""
PLATE_SIGMA_PX = 1.0
MIDDLE_HALF_PX = 6.0
"""Columns this near to the middle of an endplate count in full, since the middle height is read there."""
PLATE_SHARE = 0.3
"""Of the other columns: between read points an endplate is a guess."""


@dataclass(frozen=True)
class PatchBatch:
    """image (N, planes, H, W) windowed; corners (N, 4, 2) px; plates (N, 2, W) rows, NaN where unknown; weight (N,)."""

    image: Tensor
    corners: Tensor
    plates: Tensor
    weight: Tensor


def endplate_loss(outputs: dict[str, Tensor], batch: PatchBatch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of both kinds of distribution, and its parts."""
    corners = _corner_loss(outputs["corners"].float(), batch)
    plates = _plate_loss(outputs["plates"].float(), batch)
    return corners + plates, {"corners": float(corners.detach()), "plates": float(plates.detach())}


def _corner_loss(logits: Tensor, batch: PatchBatch) -> Tensor:
    height, width = logits.shape[2:]
    rows, columns = (torch.arange(n, device=logits.device, dtype=torch.float32) for n in (height, width))
    bell_r = torch.exp(-((rows - batch.corners[..., 0:1]) ** 2) / (2 * ROW_SIGMA_PX**2))
    bell_c = torch.exp(-((columns - batch.corners[..., 1:2]) ** 2) / (2 * COLUMN_SIGMA_PX**2))
    bell = bell_r[..., :, None] * bell_c[..., None, :]
    mass = bell.sum(dim=(2, 3))
    log_p = functional.log_softmax(logits.flatten(2), dim=2).view_as(logits)
    entropy = -(bell * log_p).sum(dim=(2, 3)) / mass.clamp(min=1e-3)
    seen = (mass > 3.0).float() * batch.weight[:, None]  # a corner outside the patch teaches nothing
    return (entropy * seen).sum() / seen.sum().clamp(min=1e-3)


def _plate_loss(logits: Tensor, batch: PatchBatch) -> Tensor:
    height, width = logits.shape[2:]
    rows, columns = (torch.arange(n, device=logits.device, dtype=torch.float32) for n in (height, width))
    known = torch.isfinite(batch.plates) & (batch.plates > 1.0) & (batch.plates < height - 2.0)
    target = torch.where(known, batch.plates, torch.zeros_like(batch.plates))
    bell = torch.exp(-((rows[:, None] - target[:, :, None, :]) ** 2) / (2 * PLATE_SIGMA_PX**2))
    bell = bell / bell.sum(dim=2, keepdim=True)
    entropy = -(bell * functional.log_softmax(logits, dim=2)).sum(dim=2)
    # corners: 0 and 2 bound the superior endplate, 1 and 3 the inferior one
    middle = (batch.corners[:, 0:2, 1] + batch.corners[:, 2:4, 1]) / 2
    near = (columns - middle[..., None]).abs() <= MIDDLE_HALF_PX
    say = known.float() * torch.where(near, 1.0, PLATE_SHARE) * batch.weight[:, None, None]
    return (entropy * say).sum() / say.sum().clamp(min=1e-3)
