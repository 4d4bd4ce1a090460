"""Losses: low for the right output, blind where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.models.test_vertebra import body, output_of
from vfscreen.models.networks2d import STRIDE
from vfscreen.training.vertebra_losses import Batch, vertebra_loss

ROWS, COLUMNS = 160, 96


def batch_of(bodies: list[np.ndarray], fracture: float = 1.0) -> Batch:
    points = torch.zeros(1, 4, 6, 2)
    weight = torch.zeros(1, 4)
    for i, b in enumerate(bodies):
        points[0, i] = torch.tensor(b, dtype=torch.float32)
        weight[0, i] = 1.0
    level = torch.full((1, 4), -1, dtype=torch.long)
    level[0, 0] = 20
    judged = torch.ones(1, ROWS // STRIDE, COLUMNS // STRIDE, dtype=torch.bool)
    return Batch(torch.zeros(1, 5, ROWS, COLUMNS), points, weight, level, torch.full((1, 4), fracture), judged)


def tensors(bodies: list[np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in output_of(bodies, [0.99] * len(bodies)).items()}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("part", ["centre", "offsets", "points", "distance"])
def test_the_right_output_beats_a_shifted_one(part: str) -> None:
    truth, wrong = [body(60.0), body(95.0)], [body(64.0), body(99.0)]
    _, right = vertebra_loss(tensors(truth), batch_of(truth))
    _, off = vertebra_loss(tensors(wrong), batch_of(truth))
    assert right[part] < off[part]


def test_a_detection_where_nothing_was_read_costs_nothing() -> None:
    truth = [body(40.0)]
    output = tensors([body(40.0), body(120.0)])
    batch = batch_of(truth)
    _, known = vertebra_loss(output, batch)
    batch.judged[:, 90 // STRIDE :] = False
    _, unknown = vertebra_loss(output, batch)
    assert unknown["centre"] < 0.1 * known["centre"]


def test_unknown_fractures_and_levels_teach_nothing() -> None:
    truth = [body(60.0)]
    batch = batch_of(truth, fracture=-1.0)
    batch.level[:] = -1
    _, parts = vertebra_loss(tensors(truth), batch)
    assert parts["fracture"] == 0.0
    assert parts["levels"] == 0.0


def test_an_image_without_vertebrae_still_has_a_gradient() -> None:
    output = {name: value.requires_grad_() for name, value in tensors([body(60.0)]).items()}
    total, parts = vertebra_loss(output, batch_of([]))
    total.backward()
    assert set(parts) == {"centre"}
    assert output["centre"].grad is not None
    assert float(output["centre"].grad.abs().sum()) > 0


def test_every_head_is_taught() -> None:
    output = {name: value.requires_grad_() for name, value in tensors([body(63.0)]).items()}
    total, _ = vertebra_loss(output, batch_of([body(60.0)]))
    total.backward()
    for name, value in output.items():
        assert value.grad is not None, name
        assert float(value.grad.abs().sum()) > 0, name
