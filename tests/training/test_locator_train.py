"""The locator's training: it learns, stops and resumes, and what it exports loads."""

from __future__ import annotations

import csv

import pytest
import torch
import yaml

from vfscreen.models.locator import load_locator
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training.locator_cases import phantom_case, save_case
from vfscreen.training.locator_export import export_locator
from vfscreen.training.locator_losses import LocatorBatch, locator_loss
from vfscreen.training.locator_train import LocatorTrainSettings, train_locator
from vfscreen.training.loop import averaged_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 25 steps, stopped after 15 and resumed."""
    folder = tmp_path_factory.mktemp("locator")
    save_case(phantom_case(7), folder)
    for steps in (15, 25):
        train_locator(LocatorTrainSettings(folder, folder / "run", steps=steps, batch=1))
    return folder / "run"


def test_a_stopped_run_goes_on_where_it_was(run) -> None:
    _, step = averaged_weights(run / "checkpoint.pt")
    assert step == 25
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    assert [int(row["step"]) for row in rows] == [25]


def test_no_cases_is_an_error_that_names_the_remedy(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="prepare"):
        train_locator(LocatorTrainSettings(tmp_path, tmp_path / "run"))


def test_exported_weights_load_by_their_card(run, tmp_path) -> None:
    card_path = tmp_path / "locator-t.yaml"
    entry = yaml.safe_load((WEIGHTS_DIR / "locator-v1.yaml").read_text(encoding="utf-8"))
    card_path.write_text(yaml.safe_dump(entry), encoding="utf-8")
    card = export_locator(run / "checkpoint.pt", card_path)
    assert card.hyperparameters["trained_steps"] == 25
    assert card.metrics == (), "numbers of other weights do not stay on the card"
    load_locator(card_path, device="cpu")


def batch_with(presence: float, located: float) -> LocatorBatch:
    levels = torch.zeros(1, 4, 27)
    return LocatorBatch(
        torch.zeros(1, 1, 8, 16, 16),
        torch.full((1, 4, 2), 7.0),
        torch.full((1, 4), located),
        torch.full((1, 4), presence),
        levels,
    )


def outputs_at(cell: float) -> dict[str, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    heat = -((y - cell) ** 2 + (x - cell) ** 2) / 4.5
    return {"heat": heat.expand(1, 4, 16, 16), "presence": torch.full((1, 4), 3.0), "levels": torch.zeros(1, 4, 27)}


def test_unknown_stretches_cost_nothing() -> None:
    total, parts = locator_loss(outputs_at(2.0), batch_with(-1.0, 0.0))
    assert float(total) == 0.0
    assert parts["levels"] == 0.0


def test_the_loss_falls_as_the_heat_map_nears_the_centre() -> None:
    losses = [float(locator_loss(outputs_at(c), batch_with(1.0, 1.0))[0]) for c in (2.0, 5.0, 7.0)]
    assert losses[0] > losses[1] > losses[2]
