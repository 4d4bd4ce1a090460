"""The locator's loss: least where the maps are the targets, blind where nothing is known."""

from __future__ import annotations

import numpy as np
import torch

from vfscreen.models.networks2d import FILM_HEIGHT_PX
from vfscreen.training.film_losses import FilmLocatorBatch, film_locator_loss

SHAPE = (2, 16, 12)


def batch() -> FilmLocatorBatch:
    line = torch.zeros(SHAPE)
    line[:, :, 5] = 1.0
    line[:, :, (4, 6)] = 0.4
    judged = torch.ones(SHAPE, dtype=torch.bool)
    judged[:, 12:] = False
    return FilmLocatorBatch(torch.zeros(2, 1, 64, 48), line, torch.full(SHAPE, 3.2), judged, torch.tensor([0.0, 1.0]))


def perfect(b: FilmLocatorBatch) -> dict[str, torch.Tensor]:
    facing = (b.facing * 20 - 10)[:, None, None, None].expand(2, 1, *SHAPE[1:])
    return {
        "column": torch.logit(b.line.clamp(1e-4, 1 - 1e-4))[:, None],
        "height": (b.height - float(np.log(FILM_HEIGHT_PX)))[:, None],
        "facing": facing,
    }


def test_the_truth_costs_next_to_nothing_and_each_mistake_something() -> None:
    b = batch()
    right = perfect(b)
    least, parts = film_locator_loss(right, b)
    assert float(least) < 0.01 and set(parts) == {"line", "height", "facing"}
    for name, change in (("column", -3.0), ("height", 0.3), ("facing", 0.0)):
        wrong = right | {name: right[name] + change if change else -right[name]}
        assert float(film_locator_loss(wrong, b)[0]) > float(least) + 0.05


def test_what_is_not_judged_costs_nothing() -> None:
    b = batch()
    line = b.line.clone()
    line[:, 12:] = 0.0
    b = FilmLocatorBatch(b.image, line, b.height, b.judged, b.facing)
    outputs = perfect(b)
    dreamt = {name: value.clone() for name, value in outputs.items()}
    dreamt["column"][:, :, 12:] = 9.0
    assert torch.isclose(film_locator_loss(dreamt, b)[0], film_locator_loss(outputs, b)[0])
