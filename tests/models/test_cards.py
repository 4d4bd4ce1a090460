"""Cards and weights belong together, and a wrong pair is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from vfscreen.errors import WeightsError
from vfscreen.models.cards import (
    IntensityWindow,
    Preprocessing,
    SlabCard,
    TrainingSource,
    WeightCard,
    load_into,
    load_tensors,
    read_card,
    save_tensors,
    write_card,
)
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.spine.straighten import SlabSpec


@pytest.fixture
def card_path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    module = torch.nn.Conv2d(3, 2, 1)
    digest = save_tensors(module.state_dict(), tmp_path / "small.safetensors")
    card = WeightCard(
        name="small",
        version="1",
        kind="vertebra",
        description="a test's",
        architecture="torch.nn.Conv2d",
        hyperparameters={"in": 3},
        preprocessing=Preprocessing(
            window=IntensityWindow(lower_hu=-100, upper_hu=900, centre_hu=0, scale_hu=100), slab=SlabCard.of(SlabSpec())
        ),
        labels={"levels": ("L1",)},
        training_data=(TrainingSource(name="none", origin="drawn", licence="CC0", use="train"),),
        training_command="none",
        metrics=(),
        licence="Apache-2.0",
        sha256=digest,
    )
    write_card(card, tmp_path / "small.yaml")
    return tmp_path / "small.yaml"


def test_card_round_trip_keeps_slab_and_tensors(card_path: Path) -> None:
    card = read_card(card_path)
    assert card.preprocessing.slab is not None
    assert card.preprocessing.slab.spec() == SlabSpec()
    torch.manual_seed(0)
    original = torch.nn.Conv2d(3, 2, 1).state_dict()
    loaded = load_tensors(card, card_path)
    assert set(loaded) == set(original)
    for name, tensor in original.items():
        assert loaded[name].dtype == torch.float32
        torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-4)


def test_one_flipped_bit_in_the_weights_is_refused(card_path: Path) -> None:
    weights = card_path.with_suffix(".safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match="do not match their card"):
        load_tensors(read_card(card_path), card_path)


def test_missing_weights_name_the_file(card_path: Path) -> None:
    card_path.with_suffix(".safetensors").unlink()
    with pytest.raises(WeightsError, match=r"small\.safetensors"):
        load_tensors(read_card(card_path), card_path)


def test_a_pickle_is_never_read(card_path: Path) -> None:
    import hashlib

    weights = card_path.with_suffix(".safetensors")
    torch.save({"weight": torch.zeros(1)}, weights)
    entry = yaml.safe_load(card_path.read_text())
    entry["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    card_path.write_text(yaml.safe_dump(entry))
    with pytest.raises(WeightsError, match="not a safetensors"):
        load_tensors(read_card(card_path), card_path)


def test_weights_of_another_architecture_are_refused(card_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit"):
        load_into(torch.nn.Conv2d(4, 2, 1), read_card(card_path), card_path)


@pytest.mark.parametrize(
    ("field", "value"), [("sha256", "short"), ("kind", "radiograph"), ("training_data", []), ("surprise", 1)]
)
def test_an_invalid_card_names_the_field(card_path: Path, field: str, value: object) -> None:
    entry = yaml.safe_load(card_path.read_text())
    entry[field] = value
    card_path.write_text(yaml.safe_dump(entry))
    with pytest.raises(WeightsError, match=field):
        read_card(card_path)


def test_every_shipped_card_is_whole_and_together_they_are_small() -> None:
    cards = [p for p in WEIGHTS_DIR.glob("*.yaml") if p.name != "releases.yaml"]
    assert cards
    total = {"ct": 0, "film": 0}
    for path in cards:
        card = read_card(path)
        assert card.name == path.stem
        assert load_tensors(card, path)
        trained = {source.name for source in card.training_data if source.use == "train"}
        assert trained.isdisjoint({"ircad_1_1", "aitest_1"}), "these may only be measured on"
        assert card.metrics, f"{card.name} was never measured"
        size = path.with_suffix(".safetensors").stat().st_size
        if card.kind == "fresh":
            assert size <= 15_000_000
            assert card.research_only
        else:
            assert not card.research_only
            total["film" if card.kind.startswith("film_") else "ct"] += size
    assert max(total.values()) <= 10_000_000
