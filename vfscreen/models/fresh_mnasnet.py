"""MnasNet-B1: Tan et al., "MnasNet: Platform-aware neural architecture search for mobile", CVPR 2019.

Belongs here: layers, named as torchvision names them, so that its ImageNet state dicts load as they are. Does not
belong here: the other families, the classifier (fresh_network).

Parameters with the 1000 classes of ImageNet: width 1.0 4,383,312 (the paper's B1: 4.4M), 0.75 3,170,208, 0.5 2,218,512.
"""

from __future__ import annotations

from torch import Tensor, nn

from vfscreen.models.fresh_blocks import MapClassifier, initialise, rounded_width

VARIANTS = {"mnasnet-1.0": 1.0, "mnasnet-0.75": 0.75, "mnasnet-0.5": 0.5}

STAGES = ((3, 24, 3, 3, 2), (3, 40, 3, 5, 2), (6, 80, 3, 5, 2), (6, 96, 2, 3, 1), (6, 192, 4, 5, 2), (6, 320, 1, 3, 1))
"""Expansion, channels, blocks, kernel, stride."""

MOMENTUM = 3e-4
"""TensorFlow's 0.9997, from the published training: far too slow for a short one, where the classifier raises it."""


class MnasNet(MapClassifier):
    """(N, channels, H, W) -> `maps` (N, 1280, H/32, W/32) and class logits (N, classes)."""

    def __init__(self, variant: str = "mnasnet-1.0", channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        multiple = VARIANTS[variant]
        stem, first = rounded_width(32, multiple), rounded_width(16, multiple)
        layers: list[nn.Module] = [
            *_conv(channels, stem, 3, stride=2),
            *_conv(stem, stem, 3, groups=stem),
            *_conv(stem, first, 1, activated=False),
        ]
        before = first
        for expansion, wide, deep, kernel, stride in STAGES:
            outputs = rounded_width(wide, multiple)
            stage = []
            for n in range(deep):
                stage.append(_Inverted(before, outputs, expansion, kernel, stride if n == 0 else 1))
                before = outputs
            layers.append(nn.Sequential(*stage))
        self.width = 1280
        self.layers = nn.Sequential(*layers, *_conv(before, self.width, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(self.width, classes))
        initialise(self)

    def maps(self, image: Tensor) -> Tensor:
        found: Tensor = self.layers(image)
        return found


def _conv(
    inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, activated: bool = True
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, momentum=MOMENTUM), *([nn.ReLU()] if activated else [])]


class _Inverted(nn.Module):
    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *_conv(inputs, wide, 1),
            *_conv(wide, wide, kernel, stride=stride, groups=wide),
            *_conv(wide, outputs, 1, activated=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        found: Tensor = x + y if self.residual else y
        return found
