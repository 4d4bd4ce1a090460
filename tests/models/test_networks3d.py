"""The locator's network: shapes, size, and which input place an output speaks about."""

from __future__ import annotations

import pytest
import torch

from vfscreen.models.networks3d import PADDING, STRIDE, LocatorNet
from vfscreen.models.ports import COLUMN_CLASSES


@pytest.mark.parametrize("shape", [(PADDING, PADDING, PADDING), (32, 16, 24), (16, 40, 8)])
def test_outputs_have_one_entry_an_axial_position(shape) -> None:
    with torch.inference_mode():
        outputs = LocatorNet().eval()(torch.zeros(2, 1, *shape))
    positions = shape[0] // STRIDE
    assert outputs["heat"].shape == (2, positions, shape[1], shape[2])
    assert outputs["presence"].shape == (2, positions)
    assert outputs["levels"].shape == (2, positions, len(COLUMN_CLASSES))


def test_the_network_is_small() -> None:
    assert sum(p.numel() for p in LocatorNet().parameters()) <= 1_000_000


def test_heat_cells_lie_where_the_input_cells_lie() -> None:
    """Through the last sub-cell step alone: a weight on one sub-cell channel lands on that cell of each block."""
    network = LocatorNet().eval()
    with torch.no_grad():
        network.heat.weight.zero_()
        network.heat.bias.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
        heat = network(torch.zeros(1, 1, 8, 8, 8))["heat"][0, 0]
    assert heat[0::2, 0::2].unique().tolist() == [0.0]
    assert heat[0::2, 1::2].unique().tolist() == [1.0]
    assert heat[1::2, 0::2].unique().tolist() == [2.0]
    assert heat[1::2, 1::2].unique().tolist() == [3.0]
