"""Loss of the film locator. (The film vertebra network has that of the CT one: vertebra_losses.)

Belongs here: the loss and its batch. Does not belong here: samples, optimisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional

from vfscreen.models.networks2d import FILM_HEIGHT_PX

ON_LINE = 0.5


@dataclass(frozen=True, eq=False)
class FilmLocatorBatch:
    """image (N, 1, H, W); line, height, judged (N, h, w) and facing (N,) as in a sample."""

    image: Tensor
    line: Tensor
    height: Tensor
    judged: Tensor
    facing: Tensor


def film_locator_loss(outputs: dict[str, Tensor], batch: FilmLocatorBatch) -> tuple[Tensor, dict[str, float]]:
    """Total loss and its parts: the line where its presence is known, scale and facing on it."""
    logits = outputs["column"][:, 0].float()
    weight = (batch.judged | (batch.line > ON_LINE)).float() * (1.0 + 4.0 * batch.line)
    entropy = functional.binary_cross_entropy_with_logits(logits, batch.line, reduction="none")
    floor = functional.binary_cross_entropy(batch.line, batch.line, reduction="none")  # what no network can beat
    line = ((entropy - floor) * weight).sum() / weight.sum().clamp(min=1.0)
    on_line = (batch.line > ON_LINE).float()
    norm = on_line.sum().clamp(min=1.0)
    told = outputs["height"][:, 0].float() + float(np.log(FILM_HEIGHT_PX))
    height = (functional.smooth_l1_loss(told, batch.height, reduction="none", beta=0.1) * on_line).sum() / norm
    facing_logits = outputs["facing"][:, 0].float()
    target = batch.facing[:, None, None].expand_as(facing_logits)
    facing = (
        functional.binary_cross_entropy_with_logits(facing_logits, target, reduction="none") * on_line
    ).sum() / norm
    total = 4.0 * line + 2.0 * height + facing
    parts = {"line": line, "height": height, "facing": facing}
    return total, {name: float(value.detach()) for name, value in parts.items()}
