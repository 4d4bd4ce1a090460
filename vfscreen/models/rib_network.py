"""The rib network: which kind of vertebra a detected one is, from the bones around it.

Belongs here: layers and outputs. Does not belong here: cutting patches and reading outputs (models.ribs), losses
(training).

A radiologist numbers a column by its landmarks: the first and the last pair of ribs, the sacrum. One patch holds the
neck of the ribs, the transverse processes, the sacral wings. It is cut into its two sides, seen by the same layers
with the right one turned over, and joined in ways that do not ask which is which: a mirrored patient reads alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfscreen.models.networks3d import Residual, conv, unshuffle
from vfscreen.spine.priors import VERTEBRA_KINDS

PATCH_ROWS = 24
"""Rows of a patch, from superior to inferior, the vertebra's centre in the middle."""
MIDLINE_PLANES = 2
"""How many planes beyond the middle each side's half sees."""


class RibNet(nn.Module):
    """(N, 1, planes, rows, columns) windowed patches -> kind: (N, len(VERTEBRA_KINDS)) logits, sacrum_below: (N, 1)
    logit of the sacrum following this vertebra. Planes run from the patient's right to left."""

    def __init__(
        self,
        planes: int = 40,
        rows: int = PATCH_ROWS,
        columns: int = 28,
        widths: tuple[int, int, int] = (12, 24, 32),
        head_width: int = 48,
    ) -> None:
        super().__init__()
        self.planes, self.rows, self.columns = planes, rows, columns
        self.widths, self.head_width = widths, head_width
        fine, middle, wide = widths
        self.stem = conv(8, fine)
        self.down1 = nn.Sequential(conv(fine, middle, stride=2), Residual(middle))
        self.down2 = nn.Sequential(conv(middle, wide, stride=2), Residual(wide))
        cells = 1
        for size in (planes // 2 + MIDLINE_PLANES, rows, columns):
            cells *= (size // 2 + 3) // 4
        self.side = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(wide * cells, head_width), nn.ReLU())
        self.kind = nn.Linear(2 * head_width, len(VERTEBRA_KINDS))
        self.sacrum_below = nn.Linear(2 * head_width, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        first = self.planes // 2 - MIDLINE_PLANES
        sides = torch.cat([image[:, :, first:], image.flip(2)[:, :, first:]], dim=0)
        features = self.side(self.down2(self.down1(self.stem(unshuffle(sides))))).unflatten(0, (2, -1))
        joined = torch.cat([features.mean(dim=0), features.amax(dim=0)], dim=1)
        return {"kind": self.kind(joined), "sacrum_below": self.sacrum_below(joined)}
