"""Training of the film networks: it runs, learns, resumes, takes up new cases; what it exports loads and detects."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.training.film_bars import bar_case
from vfscreen.errors import WeightsError
from vfscreen.models.cards import load_tensors, read_card
from vfscreen.models.film_locator import load_film_locator
from vfscreen.models.film_release import load_film_models
from vfscreen.models.film_vertebra import load_film_vertebra_detector
from vfscreen.models.networks2d import VertebraNet
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.training import film_train
from vfscreen.training.film_cases import save_case
from vfscreen.training.film_export import export_film_endplates, export_film_locator, export_film_vertebra
from vfscreen.training.film_train import (
    FilmTrainSettings,
    one_plane,
    train_film_endplates,
    train_film_locator,
    train_film_vertebra,
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilmTrainSettings:
    monkeypatch.setattr(film_train, "AT_HAND", 2)
    pool = tmp_path / "pool"
    pool.mkdir()
    save_case(bar_case(), pool)
    return FilmTrainSettings((pool,), tmp_path / "run", steps=2, batch=2, checkpoint_seconds=1e9)


def card(path: Path, kind: str) -> Path:
    """The parts that a person writes."""
    entry = {
        "name": path.stem,
        "version": "0",
        "kind": kind,
        "description": "of a test",
        "training_data": [{"name": "bars", "origin": "a test", "licence": "none", "use": "train"}],
        "training_command": "none",
        "limitations": [],
        "licence": "none",
    }
    path.write_text(yaml.safe_dump(entry))
    return path


def test_the_networks_train_resume_export_and_load(settings: FilmTrainSettings, tmp_path: Path) -> None:
    locator_run = train_film_locator(replace(settings, run=tmp_path / "locator"))
    vertebra_run = train_film_vertebra(replace(settings, run=tmp_path / "vertebra"))
    endplate_run = train_film_endplates(replace(settings, run=tmp_path / "endplates"))
    assert torch.load(train_film_locator(replace(settings, run=tmp_path / "locator", steps=3)))["step"] == 3
    cards = {
        "film_locator": card(tmp_path / "film-locator.yaml", "film_locator"),
        "film_vertebra": card(tmp_path / "film-vertebra.yaml", "film_vertebra"),
        "film_endplates": card(tmp_path / "film-endplates.yaml", "film_endplates"),
    }
    export_film_locator(locator_run, cards["film_locator"])
    assert export_film_vertebra(vertebra_run, cards["film_vertebra"]).hyperparameters["trained_steps"] == 2
    assert export_film_endplates(endplate_run, cards["film_endplates"]).hyperparameters["planes"] == 1
    models = load_film_models(cards, "cpu")
    assert models is not None and models.view is None and models.endplates is not None
    patch = np.zeros((1, models.endplates.patch_spec.rows, models.endplates.patch_spec.columns), dtype=np.float32)
    assert models.endplates.read(patch, patch == 0.0).points.shape == (1, 6, 2)
    film = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)
    inside = np.ones(film.shape, dtype=bool)
    assert models.locator.locate(film, inside).points_px.shape[1:] == (2,)
    assert isinstance(models.detector.detect(film[:, : models.detector.strip_spec.columns], inside[:, :128]), list)
    assert load_film_models({"film_locator": cards["film_locator"]}, "cpu") is None
    with pytest.raises(WeightsError):
        load_film_vertebra_detector(cards["film_locator"], "cpu")
    with pytest.raises(WeightsError):
        load_film_locator(WEIGHTS_DIR / "vertebra-v1.yaml", "cpu")


def test_a_ct_network_sees_a_film_as_planes_that_are_all_alike() -> None:
    path = WEIGHTS_DIR / "vertebra-v1.yaml"
    weights = load_tensors(read_card(path), path)
    many, one = VertebraNet(planes=5).eval(), VertebraNet(planes=1).eval()
    many.load_state_dict(weights)
    one.load_state_dict(one_plane(weights, 5))
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        expected, got = many(image.expand(1, 5, 64, 64)), one(image)
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-3, atol=1e-3)


def test_cases_that_show_nothing_whole_end_training_and_are_named() -> None:
    case = bar_case()
    outside = replace(case, points=case.points + np.float32(2000.0))
    with pytest.raises(ValueError, match="no vertebra whole: lateral-bars-0-000"):
        film_train.draw_endplate_batch([outside], 2, np.random.default_rng(0))


def test_a_weight_of_no_source_is_an_error(settings: FilmTrainSettings) -> None:
    with pytest.raises(ValueError, match="no source begins with lidc0001; there are: bars"):
        train_film_locator(replace(settings, source_weights=(("lidc0001", 0.0),)))


def test_no_cases_no_training(settings: FilmTrainSettings, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `pool` first"):
        train_film_locator(replace(settings, pools=(tmp_path,)))


def test_sources_are_drawn_by_their_weights_and_new_files_taken_up(settings: FilmTrainSettings) -> None:
    pool = settings.pools[0]
    weighted = replace(settings, source_weights=(("bars", 0.0), ("other", 1.0)))
    save_case(bar_case("lateral-other-0-000"), pool)
    rng = np.random.default_rng(0)
    assert {film_train._read(weighted, rng).name for _ in range(5)} == {"lateral-other-0-000"}
    save_case(bar_case("lateral-reading-other-f0-001"), pool)
    # a beginning fits with or without the kind; the longest counts
    sole = replace(settings, source_weights=(("bars", 0.0), ("other", 0.0), ("reading-other", 1.0)))
    assert {film_train._read(sole, rng).name for _ in range(12)} == {"lateral-reading-other-f0-001"}
    none_read = replace(settings, source_weights=(("bars", 0.0), ("reading", 0.0)))
    assert {film_train._read(none_read, rng).name for _ in range(12)} == {"lateral-other-0-000"}
    assert film_train._weight("reading-lidc0001-s0", (("lidc0001", 0.0),)) == 0.0
    assert film_train._weight("reading-lidc0001-s0", (("0001", 0.0),)) == 1.0
    save_case(bar_case("lateral-other-0-001"), pool)
    assert "lateral-other-0-001" in {film_train._read(weighted, rng).name for _ in range(20)}


def test_the_loss_of_bars_falls(settings: FilmTrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfscreen.training.film_train.SHAPES", ((128, 96),))
    run = train_film_locator(replace(settings, steps=60, learning_rate=3e-3, warm_up=2))
    with (run.parent / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[-1]["total"]) < 0.9 * float(rows[0]["total"])
