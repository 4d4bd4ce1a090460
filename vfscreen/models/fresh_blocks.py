"""Layers that the classifier families share: padding as TensorFlow pads, squeeze-and-excitation, rounding of widths.

Belongs here: what two families use. Does not belong here: any family (fresh_efficientnet, fresh_mobilenet,
fresh_mnasnet), the classifier made of one (fresh_network).
"""

from __future__ import annotations

import math
from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional

MULTIPLE = 32
"""Rows and columns of an input must be multiples of this: every family halves five times."""


class MapClassifier(nn.Module):
    """Images -> feature maps -> class logits, apart, so that saliency can look at the maps.

    width: channels of the maps. classifier: from their means (N, width) to logits (N, classes).
    """

    width: int
    classifier: nn.Module

    @abstractmethod
    def maps(self, image: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, width, H/32, W/32)."""

    def classify(self, maps: Tensor) -> Tensor:
        found: Tensor = self.classifier(maps.mean(dim=(2, 3)))
        return found

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(self.maps(image))


class SamePadConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME for even sizes: with stride 2 the odd pixel goes to the end.

    Weights that were trained there want it so; PyTorch's symmetric padding shifts every feature by half a cell.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride=stride, groups=groups, bias=False)
        total = size - stride
        self.before, self.after = total // 2, total - total // 2

    def forward(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (self.before, self.after, self.before, self.after)) if self.after else x
        return super().forward(padded)


def rounded_width(width: float, multiple: float, least: int = 8, keep: float = 0.9) -> int:
    """Channels after scaling: the nearest multiple of `least`, never less than `keep` of what was asked.

    The rule of Sandler et al., "MobileNetV2", CVPR 2018, which every family here took over.
    """
    asked = width * multiple
    rounded = max(least, int(asked + least / 2) // least * least)
    return rounded + least if rounded < keep * asked else rounded


def repeated(depth: int, multiple: float) -> int:
    """Blocks after scaling, rounded up (Tan and Le, "EfficientNet", ICML 2019)."""
    return math.ceil(depth * multiple)


def initialise(module: nn.Module) -> None:
    """He initialisation by fan-out, batch normalisation as the identity, small linear layers; for training anew."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)
