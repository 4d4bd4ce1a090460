"""Losses of the vertebra network.

Belongs here: targets built from points and the loss of each output. Does not belong here: data, optimisation.

The point heat maps are trained as they are read at inference: a soft-max in a window around a regressed place that is
off by a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vfscreen.models.networks2d import OFFSET_SCALE, STRIDE

CENTRE_SIGMA_CELLS = 1.6
POSITIVE_RADIUS_CELLS = 2.5
WINDOW_HALF = 7
JITTER_PX = 1.8
POINT_SIGMA_PX = 0.9


@dataclass(frozen=True)
class Batch:
    """image (N, planes, H, W) windowed; points (N, V, 6, 2) px; weight, level, fracture (N, V); judged (N, h, w)."""

    image: Tensor
    points: Tensor
    weight: Tensor
    level: Tensor
    fracture: Tensor
    judged: Tensor


def vertebra_loss(outputs: dict[str, Tensor], batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Total loss and its parts."""
    outputs = {name: value.float() for name, value in outputs.items()}
    n, v = torch.nonzero(batch.weight > 0, as_tuple=True)
    points = batch.points[n, v]
    weight = batch.weight[n, v]
    centres = (points.mean(dim=1) + 0.5) / STRIDE - 0.5
    parts = {"centre": _centre_loss(outputs["centre"][:, 0], batch, n, centres)}
    if n.numel():
        parts["offsets"], parts["levels"], parts["fracture"] = _cell_losses(
            outputs, batch, n, v, points, weight, centres
        )
        parts["points"], parts["distance"] = _point_losses(outputs["points"], n, points, weight)
    factors = {"centre": 1.0, "offsets": 1.0, "levels": 0.15, "fracture": 0.3, "points": 0.5, "distance": 0.5}
    total = sum((factors[name] * value for name, value in parts.items()), start=torch.zeros(()))
    return total, {name: float(value.detach()) for name, value in parts.items()}


def _grid(height: int, width: int, device: torch.device) -> Tensor:
    axes = (
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
    )
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def _centre_loss(logits: Tensor, batch: Batch, n: Tensor, centres: Tensor) -> Tensor:
    """Penalty-reduced focal loss (Zhou et al., "Objects as points", 2019) where absence is known."""
    height, width = logits.shape[1:]
    grid = _grid(height, width, logits.device)
    target = torch.zeros_like(logits)
    positive = torch.zeros_like(logits)
    if n.numel():
        bell = torch.exp(-((grid[None] - centres[:, None, None]) ** 2).sum(-1) / (2 * CENTRE_SIGMA_CELLS**2))
        target.scatter_reduce_(0, n[:, None, None].expand_as(bell), bell, "amax")
        rounded = centres.round().long()
        inside = (rounded >= 0).all(1) & (rounded[:, 0] < height) & (rounded[:, 1] < width)
        positive[n[inside], rounded[inside, 0], rounded[inside, 1]] = 1.0
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    gain = positive * (1 - probability) ** 2 * torch.log(probability)
    judged = (batch.judged | (target > 0.3)).float()
    loss = (1 - positive) * (1 - target) ** 4 * probability**2 * torch.log(1 - probability) * judged
    return -(gain.sum() + loss.sum()) / positive.sum().clamp(min=1.0)


def _cell_losses(
    outputs: dict[str, Tensor], batch: Batch, n: Tensor, v: Tensor, points: Tensor, weight: Tensor, centres: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Laplace likelihood of the offsets, level and fracture cross-entropies at the cells near each centre."""
    height, width = outputs["centre"].shape[2:]
    grid = _grid(height, width, points.device)
    distance2 = ((grid[None] - centres[:, None, None]) ** 2).sum(-1)
    which, row, column = torch.nonzero(distance2 < POSITIVE_RADIUS_CELLS**2, as_tuple=True)
    image = n[which]
    cell_weight = weight[which] * torch.exp(-distance2[which, row, column] / (2 * CENTRE_SIGMA_CELLS**2))
    norm = cell_weight.sum().clamp(min=1e-3)
    cell = (torch.stack([row, column], dim=1).float() + 0.5) * STRIDE - 0.5

    target = (points[which] - cell[:, None]).flatten(1)
    predicted = outputs["offsets"][image, :, row, column] * OFFSET_SCALE
    log_scale = outputs["log_scales"][image, :, row, column].clamp(-3.0, 4.0)
    nll = (predicted - target).abs() * torch.exp(-log_scale) + log_scale
    l1 = (predicted - target).abs() / 4.0
    offsets = ((nll * 0.5 + l1).mean(dim=1) * cell_weight).sum() / norm

    level = batch.level[n, v][which]
    known = (level >= 0).float() * cell_weight
    levels = torch.zeros((), device=points.device)
    if float(known.sum()) > 0:
        logits = outputs["levels"][image, :, row, column]
        smooth = _smooth_levels(level.clamp(min=0), logits.shape[1])
        levels = (-(smooth * functional.log_softmax(logits, dim=1)).sum(dim=1) * known).sum() / known.sum()
    state = batch.fracture[n, v][which]
    told = (state >= 0).float() * cell_weight
    entropy = functional.binary_cross_entropy_with_logits(
        outputs["fracture"][image, 0, row, column], state.clamp(min=0), reduction="none"
    )
    fracture = (entropy * told).sum() / told.sum().clamp(min=1e-3)
    return offsets, levels, fracture


def _smooth_levels(level: Tensor, classes: int) -> Tensor:
    """A slab alone can be off by one: 0.8 for the level itself, 0.1 for each neighbour."""
    index = torch.arange(classes, device=level.device)
    gap = (index[None] - level[:, None]).abs()
    smooth = 0.8 * (gap == 0).float() + 0.1 * (gap == 1).float()
    return smooth / smooth.sum(dim=1, keepdim=True)


def _point_losses(heat: Tensor, n: Tensor, points: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy with a small bell, and distance of the window's mean, for windows wholly in the image."""
    height, width = heat.shape[2:]
    half = WINDOW_HALF
    start = (points + (torch.randn_like(points) * JITTER_PX).clamp(-half + 2, half - 2)).round().long()  # (M, 6, 2)
    fits = (
        (start[..., 0] >= half)
        & (start[..., 0] < height - half)
        & (start[..., 1] >= half)
        & (start[..., 1] < width - half)
    )
    m, k = torch.nonzero(fits, as_tuple=True)
    if not m.numel():
        zero = heat.sum() * 0.0
        return zero, zero
    centre = start[m, k]
    axis = torch.arange(-half, half + 1, device=heat.device)
    rows = (centre[:, 0, None] + axis)[:, :, None]
    columns = (centre[:, 1, None] + axis)[:, None, :]
    patch = heat[n[m][:, None, None], k[:, None, None], rows, columns]
    log_p = functional.log_softmax(patch.flatten(1), dim=1).view_as(patch)
    goal = points[m, k] - centre.float()
    bell_r = torch.exp(-((axis[None] - goal[:, :1]) ** 2) / (2 * POINT_SIGMA_PX**2))
    bell_c = torch.exp(-((axis[None] - goal[:, 1:]) ** 2) / (2 * (1.4 * POINT_SIGMA_PX) ** 2))
    bell = bell_r[:, :, None] * bell_c[:, None, :]
    bell = bell / bell.sum(dim=(1, 2), keepdim=True)
    w = weight[m]
    entropy = (-(bell * log_p).sum(dim=(1, 2)) * w).sum() / w.sum()
    p = log_p.exp()
    mean = torch.stack([(p.sum(dim=2) * axis).sum(dim=1), (p.sum(dim=1) * axis).sum(dim=1)], dim=1)
    # rows carry the heights: they count twice
    error = functional.smooth_l1_loss(mean, goal, reduction="none", beta=0.5) * torch.tensor(
        [2.0, 1.0], device=heat.device
    )
    distance = (error.sum(dim=1) * w).sum() / w.sum()
    return entropy, distance
