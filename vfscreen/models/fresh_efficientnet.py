"""EfficientNet and EfficientNet-lite: Tan and Le, ICML 2019; lite (no squeeze-and-excitation, ReLU6): Liu, 2020.

Belongs here: layers, named as in the widespread PyTorch port, so that its ImageNet state dicts load as they are.
Does not belong here: the other families, the classifier (fresh_network).

Parameters with the 1000 classes of ImageNet, here and in the papers: lite0 4,652,008 (4.7M), lite1 5,416,680 (5.4M),
lite2 6,092,072 (6.1M), b0 5,288,548 (5.3M), b1 7,794,184 (7.8M).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfscreen.models.fresh_blocks import SamePadConv, initialise, repeated, rounded_width


class Variant(NamedTuple):
    """Multiples of width and depth; whether it is a lite one; ImageNet's input size in pixels (ours is free)."""

    width: float
    depth: float
    lite: bool
    input_px: int


VARIANTS = {
    "efficientnet-lite0": Variant(1.0, 1.0, True, 224),
    "efficientnet-lite1": Variant(1.0, 1.1, True, 240),
    "efficientnet-lite2": Variant(1.1, 1.2, True, 260),
    "efficientnet-b0": Variant(1.0, 1.0, False, 224),
    "efficientnet-b1": Variant(1.0, 1.1, False, 240),
}

STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
"""Expansion, channels, blocks, kernel, stride of each stage of b0 (the paper's table 1)."""


class EfficientNet(nn.Module):
    """(N, channels, H, W), sides multiples of 32 -> `maps` (N, head, H/32, W/32) and class logits (N, classes)."""

    def __init__(self, variant: str = "efficientnet-lite0", channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        width, depth, lite, _ = VARIANTS[variant]
        activation: type[nn.Module] = nn.ReLU6 if lite else nn.SiLU

        def scaled(value: int) -> int:
            return rounded_width(value, width)

        # lite models keep the stem, the head and the first and last stage's depth as they are
        stem, head = (32, 1280) if lite else (scaled(32), scaled(1280))
        self._conv_stem = SamePadConv(channels, stem, 3, stride=2)
        self._bn0 = _norm(stem)
        blocks: list[nn.Module] = []
        before = stem
        for number, (expansion, wide, deep, kernel, stride) in enumerate(STAGES):
            outputs = scaled(wide)
            fixed = lite and number in (0, len(STAGES) - 1)
            for n in range(deep if fixed else repeated(deep, depth)):
                blocks.append(_Block(before, outputs, expansion, kernel, stride if n == 0 else 1, not lite, activation))
                before = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePadConv(before, head, 1)
        self._bn1 = _norm(head)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(head, classes)
        self._activation = activation()
        self.width = head
        initialise(self)

    def maps(self, image: Tensor) -> Tensor:
        x = self._activation(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        found: Tensor = self._activation(self._bn1(self._conv_head(x)))
        return found

    def classify(self, maps: Tensor) -> Tensor:
        found: Tensor = self._fc(self._dropout(maps.mean(dim=(2, 3))))
        return found

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(self.maps(image))


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class _Block(nn.Module):
    """Inverted residual: expand, depthwise, (squeeze and excite,) project."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        kernel: int,
        stride: int,
        excite: bool,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.expand = expansion != 1
        self.excite = excite
        if self.expand:
            self._expand_conv = SamePadConv(inputs, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SamePadConv(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = _norm(wide)
        if excite:
            squeezed = max(1, inputs // 4)
            self._se_reduce = nn.Conv2d(wide, squeezed, 1)
            self._se_expand = nn.Conv2d(squeezed, wide, 1)
        self._project_conv = SamePadConv(wide, outputs, 1)
        self._bn2 = _norm(outputs)
        self._activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        y = self._activation(self._bn0(self._expand_conv(x))) if self.expand else x
        y = self._activation(self._bn1(self._depthwise_conv(y)))
        if self.excite:
            squeezed = self._activation(self._se_reduce(functional.adaptive_avg_pool2d(y, 1)))
            y = y * torch.sigmoid(self._se_expand(squeezed))
        y = self._bn2(self._project_conv(y))
        found: Tensor = x + y if self.residual else y
        return found
