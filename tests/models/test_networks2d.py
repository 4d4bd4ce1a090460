"""The vertebra network's shapes and its blindness to left and right."""

from __future__ import annotations

import pytest
import torch

from vfscreen.models.networks2d import PADDING, STRIDE, VertebraNet
from vfscreen.schema.names import KEYPOINTS, LEVELS


@pytest.mark.parametrize("planes", [1, 3, 5])
@pytest.mark.parametrize("rows", [PADDING, 5 * PADDING])
def test_outputs_have_the_documented_shapes(planes: int, rows: int) -> None:
    network = VertebraNet(planes, widths=(8, 8, 8, 8, 8)).eval()
    with torch.inference_mode():
        out = network(torch.zeros(2, planes, rows, 96))
    coarse = (rows // STRIDE, 96 // STRIDE)
    assert out["centre"].shape == (2, 1, *coarse)
    assert out["offsets"].shape == out["log_scales"].shape == (2, 2 * len(KEYPOINTS), *coarse)
    assert out["levels"].shape == (2, len(LEVELS), *coarse)
    assert out["fracture"].shape == (2, 1, *coarse)
    assert out["points"].shape == (2, len(KEYPOINTS), rows, 96)


def test_a_mirrored_patient_gives_the_same_output() -> None:
    torch.manual_seed(0)
    network = VertebraNet(5, widths=(8, 8, 8, 8, 8)).eval()
    image = torch.randn(1, 5, 64, 96)
    with torch.inference_mode():
        one, other = network(image), network(image.flip(1))
        changed = network(image[:, [1, 0, 2, 3, 4]])
    for name in one:
        torch.testing.assert_close(one[name], other[name])
    assert not torch.allclose(one["points"], changed["points"]), "the outer planes must matter"


def test_an_even_number_of_planes_has_no_middle() -> None:
    with pytest.raises(ValueError, match="odd"):
        VertebraNet(4)
