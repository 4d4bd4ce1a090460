"""MobileNetV2 (Sandler et al., CVPR 2018) and MobileNetV3 (Howard et al., ICCV 2019).

Belongs here: layers, named as torchvision names them, so that its ImageNet state dicts load as they are. Does not
belong here: the other families, the classifier (fresh_network).

Parameters with the 1000 classes of ImageNet, here and in the papers: V2 3,504,872 (3.4M), V3 large 5,483,032 (5.4M),
V3 small 2,542,856 (2.5M).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from vfscreen.models.fresh_blocks import MapClassifier, initialise, rounded_width

VARIANTS = ("mobilenet-v2", "mobilenet-v3-large", "mobilenet-v3-small")

V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, stride (table 2 of the V2 paper)."""

V3_BLOCKS = {
    "mobilenet-v3-large": (
        (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1),
        (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1),
        (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1),
        (3, 184, 80, False, True, 1), (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1),
        (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
    ),
    "mobilenet-v3-small": (
        (3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1),
        (5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1),
        (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2),
        (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1),
    ),
}  # fmt: skip
"""Kernel, expanded channels, channels, squeeze-and-excitation, hard swish, stride (tables 1 and 2 of the V3 paper)."""

V3_HIDDEN = {"mobilenet-v3-large": 1280, "mobilenet-v3-small": 1024}


class _MobileNet(MapClassifier):
    features: nn.Module

    def maps(self, image: Tensor) -> Tensor:
        found: Tensor = self.features(image)
        return found


class MobileNetV2(_MobileNet):
    """(N, channels, H, W) -> `maps` (N, 1280, H/32, W/32) and class logits (N, classes). multiple: of the widths."""

    def __init__(self, channels: int = 3, classes: int = 1000, multiple: float = 1.0) -> None:
        super().__init__()
        before = rounded_width(32, multiple)
        layers: list[nn.Module] = [_conv(channels, before, 3, stride=2)]
        for expansion, wide, deep, stride in V2_STAGES:
            outputs = rounded_width(wide, multiple)
            for n in range(deep):
                layers.append(_InvertedV2(before, outputs, expansion, stride if n == 0 else 1))
                before = outputs
        self.width = rounded_width(1280, max(1.0, multiple))
        layers.append(_conv(before, self.width, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(self.width, classes))
        initialise(self)


class MobileNetV3(_MobileNet):
    """(N, channels, H, W) -> `maps` (N, 960 or 576, H/32, W/32) and class logits (N, classes)."""

    def __init__(self, variant: str = "mobilenet-v3-large", channels: int = 3, classes: int = 1000) -> None:
        super().__init__()
        blocks = V3_BLOCKS[variant]
        before = 16
        layers: list[nn.Module] = [_conv3(channels, before, 3, nn.Hardswish, stride=2)]
        for kernel, wide, outputs, excite, hard, stride in blocks:
            layers.append(_InvertedV3(before, wide, outputs, kernel, stride, excite, hard))
            before = outputs
        self.width = 6 * before
        layers.append(_conv3(before, self.width, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)
        hidden = V3_HIDDEN[variant]
        self.classifier = nn.Sequential(
            nn.Linear(self.width, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, classes)
        )
        initialise(self)


def _conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


def _conv3(
    inputs: int, outputs: int, size: int, activation: type[nn.Module] | None, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


class _InvertedV2(nn.Module):
    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        expand = [] if expansion == 1 else [_conv(inputs, wide, 1)]
        depthwise = _conv(wide, wide, 3, stride=stride, groups=wide)
        self.conv = nn.Sequential(*expand, depthwise, nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        found: Tensor = x + y if self.residual else y
        return found


class _InvertedV3(nn.Module):
    def __init__(
        self, inputs: int, wide: int, outputs: int, kernel: int, stride: int, excite: bool, hard: bool
    ) -> None:
        super().__init__()
        activation: type[nn.Module] = nn.Hardswish if hard else nn.ReLU
        self.residual = stride == 1 and inputs == outputs
        layers: list[nn.Module] = [] if wide == inputs else [_conv3(inputs, wide, 1, activation)]
        layers.append(_conv3(wide, wide, kernel, activation, stride, groups=wide))
        if excite:
            layers.append(_Excite(wide, rounded_width(wide, 0.25)))
        self.block = nn.Sequential(*layers, _conv3(wide, outputs, 1, None))

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        found: Tensor = x + y if self.residual else y
        return found


class _Excite(nn.Module):
    def __init__(self, wide: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(wide, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, wide, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.fc2(functional.relu(self.fc1(functional.adaptive_avg_pool2d(x, 1))))
        found: Tensor = x * functional.hardsigmoid(scale)
        return found
