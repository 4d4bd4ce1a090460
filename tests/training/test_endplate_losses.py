"""The endplate losses fall as the distributions gather on the truth, and what is unknown teaches nothing."""

from __future__ import annotations

from dataclasses import replace

import torch

from vfscreen.training.endplate_losses import COLUMN_SIGMA_PX, PLATE_SIGMA_PX, ROW_SIGMA_PX, PatchBatch, endplate_loss

CORNERS = torch.tensor([[[20.0, 20.0], [70.0, 20.0], [22.0, 76.0], [68.0, 76.0]]])


def batch() -> PatchBatch:
    plates = torch.full((1, 2, 96), float("nan"))
    plates[0, 0, 20:77], plates[0, 1, 20:77] = 24.0, 66.0
    return PatchBatch(torch.zeros(1, 5, 96, 96), CORNERS, plates, torch.ones(1))


def outputs(shift: float = 0.0) -> dict[str, torch.Tensor]:
    """The targets' own distributions, `shift` pixels too low."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    corners = [
        -((rows - r - shift) ** 2) / (2 * ROW_SIGMA_PX**2) - (columns - c) ** 2 / (2 * COLUMN_SIGMA_PX**2)
        for r, c in CORNERS[0]
    ]
    plates = [-((rows - r - shift) ** 2) / (2 * PLATE_SIGMA_PX**2) for r in (24.0, 66.0)]
    return {"corners": torch.stack(corners)[None], "plates": torch.stack(plates)[None]}


def test_the_truth_is_the_minimum() -> None:
    best = float(endplate_loss(outputs(), batch())[0])
    for shift in (-3.0, -1.0, 1.0, 3.0):
        assert float(endplate_loss(outputs(shift), batch())[0]) > best + 0.1
    flat = {name: torch.zeros_like(value) for name, value in outputs().items()}
    assert float(endplate_loss(flat, batch())[0]) > best + 3.0


def test_unknown_columns_and_corners_out_of_view_teach_nothing() -> None:
    known = batch()
    out = {name: value.requires_grad_() for name, value in outputs(2.0).items()}
    endplate_loss(out, known)[0].backward()
    assert out["plates"].grad is not None
    assert float(out["plates"].grad[..., :18].abs().sum()) == 0.0
    assert float(out["plates"].grad[..., 48].abs().sum()) > 0.0
    away = CORNERS.clone()
    away[0, 0] = torch.tensor([-30.0, 20.0])
    out = {name: value.detach().requires_grad_() for name, value in outputs(2.0).items()}
    endplate_loss(out, replace(known, corners=away))[0].backward()
    assert out["corners"].grad is not None
    assert float(out["corners"].grad[0, 0].abs().sum()) == 0.0
    assert float(out["corners"].grad[0, 1].abs().sum()) > 0.0


def test_a_reading_that_is_trusted_less_counts_less() -> None:
    two = PatchBatch(
        *(torch.cat([a, a]) for a in (batch().image, batch().corners, batch().plates)), torch.tensor([1.0, 0.1])
    )
    right, wrong = outputs(), outputs(3.0)
    first = {name: torch.cat([right[name], wrong[name]]) for name in right}
    second = {name: torch.cat([wrong[name], right[name]]) for name in right}
    assert float(endplate_loss(first, two)[0]) < float(endplate_loss(second, two)[0])
