"""A checkpoint becomes weights that load, and numbers end on the card."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from vfscreen.models.cards import read_card
from vfscreen.models.networks2d import VertebraNet
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.models.vertebra import load_vertebra_detector
from vfscreen.training.vertebra_evaluate import Number
from vfscreen.training.vertebra_export import export_weights, record_metrics, record_sd_scale


@pytest.fixture
def card_path(tmp_path: Path) -> Path:
    path = tmp_path / "vertebra-v1.yaml"
    shutil.copy(WEIGHTS_DIR / "vertebra-v1.yaml", path)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    network = VertebraNet()
    state = {f"module.{k}": v for k, v in network.state_dict().items()} | {"n_averaged": torch.tensor(1)}
    path = tmp_path / "checkpoint.pt"
    torch.save({"average": state, "step": 1}, path)
    return path


def test_exported_weights_load_and_old_metrics_are_gone(card_path: Path, checkpoint: Path) -> None:
    before = read_card(card_path)
    card = export_weights(checkpoint, card_path)
    assert card.metrics == ()
    assert card.sha256 != before.sha256
    assert card.training_data == before.training_data
    assert card_path.with_suffix(".safetensors").stat().st_size < 5_000_000
    assert load_vertebra_detector(card_path, device="cpu").slab_spec == card.preprocessing.slab.spec()


def test_metrics_of_the_same_data_are_replaced(card_path: Path, checkpoint: Path) -> None:
    export_weights(checkpoint, card_path)
    for value in (0.5, 0.75):
        record_metrics(card_path, "held out", "command", [Number("recall", value, "", 4, (0.1, 1.0))])
    nothing = Number("precision", float("nan"), "", 0, None)  # measured on nothing: no metric
    record_metrics(card_path, "phantoms", "command", [Number("recall", 1.0, "", 9, None), nothing])
    found = {(m.data, m.value) for m in read_card(card_path).metrics}
    assert found == {("held out", 0.75), ("phantoms", 1.0)}


def test_sd_scale_reaches_the_detector(card_path: Path, checkpoint: Path) -> None:
    export_weights(checkpoint, card_path)
    record_sd_scale(card_path, 1.234)
    assert load_vertebra_detector(card_path, device="cpu").decode_parameters.sd_scale == 1.234
