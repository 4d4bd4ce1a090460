"""The 2D networks: one that finds vertebrae on a sagittal image, one that reads the endplates of a single vertebra.

`VertebraNet` after Zakharov, Pisov et al., "Interpretable vertebral fracture quantification via anchor-free landmarks
localization", Medical Image Analysis 83 (2023), with point heat maps for a second, local look at each key point.

Belongs here: the networks' layers and outputs. Does not belong here: windows and decoding (models.vertebra,
models.endplates), losses (training). Only 2D convolutions and no state of the image's size, so that the same design
reads a CT slab of any length and a lateral film (one plane).
"""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfscreen.schema.names import KEYPOINTS, LEVELS

STRIDE = 2
"""Pixels a cell of the coarse outputs; point heat maps are at full resolution."""

PADDING = 32
"""Rows and columns of the input must be multiples of this."""

FILM_HEIGHT_PX = 20.0
"""Body height that a film locator's height output of 0 means."""

OFFSET_SCALE = 16.0
"""Pixels a unit of the offset outputs."""


class _Pyramid(nn.Module):
    """The U-Net both networks share: an image of parallel planes -> features at strides 2, 4, 8 ...

    planes: 1, or an odd number of parallel planes placed symmetrically about the middle one. Left and right cannot be
    told apart by construction: a mirrored patient gives the same features. ValueError for an even number.
    """

    def __init__(self, planes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        if planes % 2 != 1:
            raise ValueError(f"planes must be an odd number, not {planes}")
        self.planes = planes
        self.widths = widths
        # blocks of 2 x 2 pixels become channels: the network works at stride 2 and loses no pixel
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(STRIDE), _conv(planes * STRIDE**2, widths[0], 3), _Residual(widths[0])
        )
        self.down = nn.ModuleList(
            nn.Sequential(_conv(a, b, 3, stride=2), _Residual(b), _Residual(b)) for a, b in itertools.pairwise(widths)
        )
        self.lateral = nn.ModuleList(_conv(b, a, 1) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(nn.Sequential(_conv(2 * a, a, 3), _Residual(a)) for a in widths[:-1])

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """(N, planes, H, W) -> features, the finest (widths[0] channels at H/2 x W/2) first."""
        skips = [self.stem(_symmetric(image, self.planes))]
        for down in self.down:
            skips.append(down(skips[-1]))
        pyramid = [skips[-1]]
        for level in reversed(range(len(self.up))):
            coarse = _double(self.lateral[level](pyramid[0]))
            pyramid.insert(0, self.up[level](torch.cat([skips[level], coarse], dim=1)))
        return pyramid


class VertebraNet(_Pyramid):
    """(N, planes, H, W) windowed image -> dict of tensors at H/2 x W/2 (points: H x W).

    centre: (N, 1) logits of a vertebral body's centre. offsets: (N, 12) from the cell's position to the six key
    points, (row, column) pairs in units of `OFFSET_SCALE` pixels. log_scales: (N, 12) log of their Laplace scales in
    pixels. levels: (N, len(LEVELS)) logits. fracture: (N, 1) logit. points: (N, 6) logits, to be read in a window.

    planes as in `_Pyramid`: a mirrored patient gives the same vertebrae.
    """

    def __init__(self, planes: int = 5, widths: tuple[int, ...] = (24, 32, 48, 80, 112)) -> None:
        super().__init__(planes, widths)
        fine, wide = widths[0], widths[1]
        points = len(KEYPOINTS)
        self.point_head = nn.Sequential(_conv(fine, 32, 3), nn.Conv2d(32, points * STRIDE**2, 3, padding=1))
        self.centre_head = nn.Sequential(_conv(fine, 16, 3), nn.Conv2d(16, 1, 1))
        self.shape_head = nn.Sequential(_conv(fine + wide, 48, 3), nn.Conv2d(48, 4 * points, 1))
        self.class_head = nn.Sequential(_conv(wide + widths[2], 64, 3), nn.Conv2d(64, len(LEVELS) + 1, 1))
        bias = cast(nn.Conv2d, self.centre_head[-1]).bias
        assert bias is not None
        nn.init.constant_(bias, -4.0)  # centres are rare: start from their absence

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        pyramid = self.pyramid(image)
        fine, wide = pyramid[0], pyramid[1]
        shape = self.shape_head(torch.cat([fine, _double(wide)], dim=1))
        classes = _double(self.class_head(torch.cat([wide, _double(pyramid[2])], dim=1)))
        half = shape.shape[1] // 2
        return {
            "centre": self.centre_head(fine),
            "offsets": shape[:, :half],
            "log_scales": shape[:, half:],
            "levels": classes[:, : len(LEVELS)],
            "fracture": classes[:, len(LEVELS) :],
            "points": functional.pixel_shuffle(self.point_head(fine), STRIDE),
        }


class FilmLocatorNet(_Pyramid):
    """(N, 1, H, W) whole film at low resolution -> dict of tensors at H/4 x W/4.

    column: (N, 1) logits of the line through the vertebral bodies' centres. height: (N, 1) log of the local body height
    in units of `FILM_HEIGHT_PX` pixels. facing: (N, 1) logits of the patient facing the right edge. The last two mean
    something on the line only.
    """

    def __init__(self, planes: int = 1, widths: tuple[int, ...] = (12, 20, 32, 48, 56)) -> None:
        super().__init__(planes, widths)
        wide = widths[1]
        self.head = nn.Sequential(_conv(wide, 32, 3), nn.Conv2d(32, 3, 1))
        bias = cast(nn.Conv2d, self.head[-1]).bias
        assert bias is not None
        nn.init.constant_(bias[:1], -3.0)  # the line is thin: start from its absence

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        maps = self.head(self.pyramid(image)[1])
        return {"column": maps[:, :1], "height": maps[:, 1:2], "facing": maps[:, 2:]}


class EndplateNet(_Pyramid):
    """(N, planes, H, W) windowed patch about one vertebra -> dict of tensors at H x W.

    corners: (N, 4) logits of the four corners, each a distribution over the patch: anterior superior, anterior
    inferior, posterior superior, posterior inferior. plates: (N, 2) logits of the superior and the inferior endplate's
    row, a distribution over the rows of each column. Nothing regresses a position, so nothing pulls a collapsed
    body towards the shape of a normal one.

    planes as in `_Pyramid`. H and W must be multiples of 16.
    """

    def __init__(self, planes: int = 5, widths: tuple[int, ...] = (16, 32, 56, 88)) -> None:
        super().__init__(planes, widths)
        self.head = nn.Sequential(_conv(widths[0], 32, 3), nn.Conv2d(32, 6 * STRIDE**2, 3, padding=1))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        maps = functional.pixel_shuffle(self.head(self.pyramid(image)[0]), STRIDE)
        return {"corners": maps[:, :4], "plates": maps[:, 4:]}


def _symmetric(image: Tensor, planes: int) -> Tensor:
    """The middle plane, then mean and absolute difference of each pair about it: blind to a left-right flip."""
    middle = planes // 2
    if middle == 0:
        return image
    right, left = image[:, :middle], image[:, middle + 1 :].flip(1)
    return torch.cat([image[:, middle : middle + 1], 0.5 * (right + left), (right - left).abs()], dim=1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width, 3)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))
