"""One interface over the classifier families: a grey film or crop in, one logit of a fresh fracture out.

After Li et al., Spine 2024 (EfficientNet, MobileNet and MnasNet on lateral thoracolumbar films). Belongs here: choosing
a family by name, making it take one channel and give one logit, ImageNet state dicts. Does not belong here: layers
(fresh_efficientnet, fresh_mobilenet, fresh_mnasnet), preprocessing (fresh_classifier), training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, cast

from torch import Tensor, nn

from vfscreen.errors import WeightsError
from vfscreen.models import fresh_efficientnet, fresh_mnasnet, fresh_mobilenet
from vfscreen.models.fresh_efficientnet import EfficientNet
from vfscreen.models.fresh_mnasnet import MnasNet
from vfscreen.models.fresh_mobilenet import MobileNetV2, MobileNetV3

FAMILIES = {
    "efficientnet": tuple(fresh_efficientnet.VARIANTS),
    "mobilenet": fresh_mobilenet.VARIANTS,
    "mnasnet": tuple(fresh_mnasnet.VARIANTS),
}
"""Family -> its architectures by name."""

ARCHITECTURES = tuple(name for names in FAMILIES.values() for name in names)

BATCH_NORM_MOMENTUM = 0.05
"""Of every batch normalisation: what ImageNet's long trainings used would take longer to settle than ours last."""


class Trunk(Protocol):
    """What every family offers. width: channels of its maps."""

    width: int

    def maps(self, image: Tensor) -> Tensor: ...
    def classify(self, maps: Tensor) -> Tensor: ...


class FreshNet(nn.Module):
    """(N, 1, H, W) grey levels, sides multiples of 32 -> {"fresh": (N, 1) logit}.

    architecture: one of ARCHITECTURES. dropout: before the last layer. Raises ValueError for an unknown architecture.
    """

    def __init__(self, architecture: str = "efficientnet-lite0", dropout: float = 0.2) -> None:
        super().__init__()
        self.architecture = architecture
        self.dropout = dropout
        self.trunk = _trunk(architecture, channels=1, classes=1)
        for layer in self.trunk.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = BATCH_NORM_MOMENTUM
            elif isinstance(layer, nn.Dropout):
                layer.p = dropout

    def maps(self, image: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, width, H/32, W/32): the last feature maps, which saliency looks at."""
        return cast(Trunk, self.trunk).maps(image)

    def classify(self, maps: Tensor) -> Tensor:
        """(N, width, h, w) -> (N, 1) logit."""
        return cast(Trunk, self.trunk).classify(maps)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"fresh": self.classify(self.maps(image))}


def load_imagenet(network: FreshNet, state: Mapping[str, Tensor]) -> None:
    """Start from a state dict of the same architecture with three channels and ImageNet's classes.

    The first convolution's three kernels are added up: a grey film shown as three equal channels gives the same. The
    last layer stays as it is. Raises WeightsError where names or shapes are another architecture's.
    """
    trunk = network.trunk
    ours = trunk.state_dict()
    first, last = first_convolution(trunk), last_layer(trunk)
    given = {name: tensor for name, tensor in state.items() if not name.startswith(f"{last}.")}
    if f"{first}.weight" in given:
        given[f"{first}.weight"] = given[f"{first}.weight"].sum(dim=1, keepdim=True)
    kept = {name: tensor for name, tensor in ours.items() if name.startswith(f"{last}.")}
    wrong = sorted(
        name
        for name in (set(ours) | set(given)) - set(kept)
        if name not in ours or name not in given or ours[name].shape != given[name].shape
    )
    if wrong:
        raise WeightsError(
            f"{len(wrong)} tensors do not fit {network.architecture}, for example {wrong[0]}: give an ImageNet state "
            "dict of that very architecture"
        )
    trunk.load_state_dict({**given, **kept})


def first_convolution(trunk: nn.Module) -> str:
    """Name of the layer that sees the image."""
    return _names(trunk, nn.Conv2d)[0]


def last_layer(trunk: nn.Module) -> str:
    """Name of the layer that gives the classes."""
    return _names(trunk, nn.Linear)[-1]


def _names(trunk: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [str(name) for name, layer in trunk.named_modules() if isinstance(layer, kind)]


def parameter_count(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def imagenet_network(architecture: str) -> nn.Module:
    """The architecture as its paper has it: three channels, 1000 classes."""
    return _trunk(architecture, channels=3, classes=1000)


def _trunk(architecture: str, channels: int, classes: int) -> nn.Module:
    makers: dict[str, Callable[[], nn.Module]] = {
        "efficientnet": lambda: EfficientNet(architecture, channels, classes),
        "mnasnet": lambda: MnasNet(architecture, channels, classes),
        "mobilenet-v2": lambda: MobileNetV2(channels, classes),
        "mobilenet-v3": lambda: MobileNetV3(architecture, channels, classes),
    }
    if architecture not in ARCHITECTURES:
        raise ValueError(f"{architecture!r} is not one of {', '.join(ARCHITECTURES)}")
    return next(make() for prefix, make in makers.items() if architecture.startswith(prefix))
