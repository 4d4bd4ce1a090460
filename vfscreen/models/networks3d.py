"""The locator's network: a small 3D U-Net on the coarse grid with a head that reads along the body's axis.

After the first step of Zakharov, Pisov et al., "Interpretable vertebral fracture quantification via anchor-free
landmarks localization", Medical Image Analysis 83 (2023): where the vertebral column is in each axial position.
Ours also judges the level there from what the wide view shows (ribs, pelvis, shoulders).

Belongs here: layers and outputs. Does not belong here: the grid (models.lowres), reading the outputs (models.locator),
losses (training).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfscreen.models.ports import COLUMN_CLASSES

STRIDE = 2
"""Cells of the input an axial position of the outputs; heat maps keep the input's resolution within the plane."""

PADDING = 8
"""Each side of the input must be a multiple of this."""

_BONE_FROM, _BONE_RANGE = 0.9, 0.7
"""A second view of the input: -100..600 HU spread over 0..1, so that bone stands out from soft tissue."""


class LocatorNet(nn.Module):
    """(N, 1, Z, Y, X) attenuation (0 air, 1 water) -> dict of tensors, one entry an axial position m = 0 .. Z/2 - 1.

    Position m lies at z index 2 m + 0.5 of the input. heat: (N, Z/2, Y, X) logits of the body's centre in the plane.
    presence: (N, Z/2) logit of the vertebral bodies' column being there. levels: (N, Z/2, len(COLUMN_CLASSES)) logits.
    """

    def __init__(self, widths: tuple[int, int, int] = (16, 40, 64), head_width: int = 64) -> None:
        super().__init__()
        fine, middle, wide = widths
        self.widths = widths
        self.head_width = head_width
        self.stem = nn.Sequential(conv(2 * STRIDE**3, fine), Residual(fine))
        self.down1 = nn.Sequential(conv(fine, middle, stride=2), Residual(middle))
        self.down2 = nn.Sequential(conv(middle, wide, stride=2), Residual(wide), Residual(wide))
        self.lateral2 = nn.Conv3d(wide, middle, 1)
        self.up2 = conv(middle, middle)
        self.lateral1 = nn.Conv3d(middle, fine, 1)
        self.up1 = conv(fine, fine)
        self.heat = nn.Conv3d(fine, STRIDE**2, 1)
        self.gather = nn.Sequential(
            nn.Conv1d(fine + 2 * middle + 2 * wide, head_width, 1), nn.BatchNorm1d(head_width), nn.ReLU()
        )
        self.along = nn.Sequential(*(_Along(head_width, dilation) for dilation in (1, 2, 4, 8, 16)))
        self.presence = nn.Conv1d(head_width, 1, 1)
        self.levels = nn.Conv1d(head_width, len(COLUMN_CLASSES), 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        bone = ((image - _BONE_FROM) / _BONE_RANGE).clamp(0.0, 1.0)
        x1 = self.stem(unshuffle(torch.cat([image, bone], dim=1)))
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        y2 = self.up2(x2 + _twice(self.lateral2(x3)))
        y1 = self.up1(x1 + _twice(self.lateral1(y2)))
        logits = self.heat(y1)
        n, _, z, y, x = logits.shape
        heat = (
            logits.reshape(n, STRIDE, STRIDE, z, y, x).permute(0, 3, 4, 1, 5, 2).reshape(n, z, y * STRIDE, x * STRIDE)
        )
        # what each scale shows where the column is believed to be, and anywhere in the plane
        belief = logits.mean(dim=1, keepdim=True).flatten(3).softmax(dim=3).reshape(n, 1, z, y, x)
        coarse = functional.avg_pool3d(belief, 2) * (STRIDE**2)
        around = torch.cat([(y2 * coarse).sum(dim=(3, 4)), y2.amax(dim=(3, 4))], dim=1)
        anywhere = torch.cat([x3.mean(dim=(3, 4)), x3.amax(dim=(3, 4))], dim=1)
        tokens = torch.cat(
            [
                (y1 * belief).sum(dim=(3, 4)),
                around.repeat_interleave(2, dim=2),
                anywhere.repeat_interleave(4, dim=2),
            ],
            dim=1,
        )
        column = self.along(self.gather(tokens))
        return {
            "heat": heat,
            "presence": self.presence(column)[:, 0],
            "levels": self.levels(column).transpose(1, 2),
        }


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 x 3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(channels_out),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """Two convolutions beside the identity; sizes are kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv3d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm3d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class _Along(nn.Module):
    """A dilated convolution along z, residual: together the stack sees 25 cm up and down."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False), nn.BatchNorm1d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.conv(x))


def unshuffle(x: Tensor) -> Tensor:
    """(N, C, Z, Y, X) -> (N, 8 C, Z/2, Y/2, X/2): blocks of cells become channels, nothing is lost."""
    n, c, z, y, w = x.shape
    blocks = x.reshape(n, c, z // 2, 2, y // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return blocks.reshape(n, c * 8, z // 2, y // 2, w // 2)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="trilinear", align_corners=False)
