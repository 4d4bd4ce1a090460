"""The fresh-fracture training flow from items to a report, a card and a picture; on toys, with a tiny network."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import yaml

from vfscreen.errors import Failed, ReasonCode, Stage
from vfscreen.evaluation.fresh_tables import LabelRow
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.models.cards import read_card
from vfscreen.models.fresh_classifier import load_fresh_classifier, prepare_crops
from vfscreen.models.fresh_network import FreshNet
from vfscreen.spine.film_crop import CropSpec
from vfscreen.training.fresh import main
from vfscreen.training.fresh_data import NONE, TONE, Augmentation, batches, plain, sampling_chances, view
from vfscreen.training.fresh_export import CAUTION
from vfscreen.training.fresh_items import ROOM, Item, ItemSet, from_labels, load_items, save_items, stored
from vfscreen.training.fresh_predict import fit_temperature, grad_cam
from vfscreen.training.fresh_train import FreshTrainSettings, area_missed, load_best, make_loss, train_fresh

SPEC = CropSpec(pixels=32)
TINY = "mnasnet-0.5"


def toy_items(count: int = 60, noise: float = 0.3, seed: int = 0) -> list[tuple[Item, np.ndarray]]:
    """Crops of which the fresh ones have a bright bar across the upper half; three to a patient."""
    rng = np.random.default_rng(seed)
    side = SPEC.widened(ROOM).pixels
    found = []
    for n in range(count):
        image = rng.normal(0, noise, (side, side)).astype(np.float32)
        fresh = bool(n % 3 == 0)
        image[side // 2 - 7 : side // 2 - 3, 8:-8] += 2.0 * fresh
        patient = n // 3
        split = ("train", "train", "train", "validation", "control")[patient % 5]
        item = Item(f"item-{n}", f"patient-{patient}", split, fresh)
        found.append((item, stored(image, np.ones(image.shape, dtype=bool))))
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """WORK and a short RUN on it."""
    folder = tmp_path_factory.mktemp("fresh")
    save_items(toy_items(), SPEC, folder / "work")
    arguments = ["train", "--work", str(folder / "work"), "--run", str(folder / "run"), "--architecture", TINY]
    arguments += ["--steps", "90", "--batch", "12", "--watch-every", "30"]
    assert main([*arguments, "--dropout", "0.1", "--learning-rate", "5e-3"]) == 0
    return folder / "work", folder / "run"


def test_a_bar_is_learned_and_the_best_look_is_kept(trained: tuple[Path, Path]) -> None:
    work, run = trained
    looks = list(csv.DictReader((run / "validation.csv").open()))
    assert [row["step"] for row in looks] == ["30", "60", "90"]
    network, step = load_best(run)
    best = min(looks, key=lambda row: float(row["measure"]))
    assert str(step) == best["step"]
    missed = area_missed(load_items(work).of("validation"), torch.device("cpu"))(network)
    assert missed == pytest.approx(float(best["measure"]), abs=0.05)  # another memory layout may swap near ties
    assert missed < 0.35


def test_a_run_that_stopped_early_stays_stopped_and_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    save_items(toy_items(30), SPEC, tmp_path / "work")
    settings = FreshTrainSettings(
        work=tmp_path / "work", run=tmp_path / "run", architecture=TINY, steps=4, batch=4, watch_every=2, patience=50
    )
    train_fresh(settings)
    train_fresh(replace(settings, steps=6))
    looks = [row["step"] for row in csv.DictReader((tmp_path / "run" / "validation.csv").open())]
    assert looks == ["2", "4", "6"], "the second call resumed at the fourth step"
    with (tmp_path / "run" / "validation.csv").open("a") as stream:
        stream.writelines(f"{n},1.0\n" for n in (8, 10))
    train_fresh(replace(settings, steps=20, patience=2))
    assert int(torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"]) == 6


def test_the_whole_flow_ends_in_a_report_and_a_card_that_says_research_only(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    work, run = trained
    control = [i.item_id for i in load_items(work).of("control").items]
    readers = tmp_path / "readers.csv"
    readers.write_text(
        "item_id,reader,call,rating\n" + "".join(f"{i},surgeon 1,{n % 2},{n}\n" for n, i in enumerate(control))
    )
    out = tmp_path / "report"
    models = ["--work", str(work), "--model", f"one={run}"]
    assert main(["evaluate", *models, "--model", f"two={run}", "--out", str(out), "--readers", str(readers)]) == 0
    page = (out / "evaluation.html").read_text()
    assert "Research only" in page
    assert "surgeon 1" in page
    summary = json.loads((out / "summary.json").read_text())
    assert {row["model"] for row in summary["models"]} == {"one", "two", "ensemble"}
    metrics = list(csv.DictReader((out / "tables" / "metrics.csv").open()))
    assert {"auc", "accuracy", "sensitivity", "specificity", "f1", "precision"} <= {row["name"] for row in metrics}
    comparisons = list(csv.DictReader((out / "tables" / "reader_comparisons.csv").open()))
    assert {row["test"] for row in comparisons} == {"mcnemar_exact", "clustered_delong"}
    assert (out / "figures" / "roc.png").stat().st_size > 5000
    assert (out / "figures" / "saliency.png").stat().st_size > 5000

    again = tmp_path / "again"
    predictions = str(out / "predictions.csv")
    assert main(["ensemble", "--predictions", predictions, "--out", str(again)]) == 0
    assert (again / "tables" / "metrics.csv").read_bytes() == (out / "tables" / "metrics.csv").read_bytes()
    assert main(["ensemble", "--predictions", predictions, "--predictions", predictions, "--out", str(again)]) == 1

    picture = tmp_path / "heat.png"
    assert main(["saliency", *models, "--out", str(picture), "--item", control[0]]) == 0
    assert picture.stat().st_size > 3000

    parts = tmp_path / "parts.yaml"
    source = {"name": "toys", "origin": "a test", "licence": "none", "use": "train"}
    written = {
        "version": "1",
        "description": "toys",
        "training_data": [source],
        "training_command": "x",
        "licence": "y",
    }
    parts.write_text(yaml.safe_dump(written))
    card_path = tmp_path / "fresh-toy.yaml"
    assert main(["export", *models, "--like", str(parts), "--card", str(card_path)]) == 0
    card = read_card(card_path)
    assert card.research_only
    assert card.limitations[0] == CAUTION
    assert {metric.name for metric in card.metrics} >= {"auc", "f1"}
    classifier = load_fresh_classifier(card_path, device="cpu")
    rng = np.random.default_rng(3)
    crops = rng.normal(0, 0.3, (2, 32, 32)).astype(np.float32)
    crops[1, 9:13, 4:-4] += 2.0
    inside = np.ones(crops.shape, dtype=bool)
    found = classifier.read(crops, inside)
    network, _ = load_best(run)
    with torch.inference_mode():
        logit = network(torch.from_numpy(prepare_crops(crops, inside, TONE)))["fresh"][:, 0].numpy()
    assert found == pytest.approx(1 / (1 + np.exp(-logit / card.decode["temperature"])), abs=0.02)  # stored in 16 bits
    assert found.shape == (2,)
    assert classifier.read(crops[:0], inside[:0]).shape == (0,)
    with pytest.raises(ValueError, match="32"):
        classifier.read(crops[:, :16], inside[:, :16])


def test_teachers_pull_the_loss_towards_what_they_say(trained: tuple[Path, Path]) -> None:
    work, run = trained
    train = load_items(work).of("train")
    device = torch.device("cpu")
    batch = next(batches(train, 8, True, NONE, (0, 0), device))
    settings = FreshTrainSettings(work=work, run=run, architecture=TINY, teachers=(run,), teach=1.0)
    taught = make_loss(settings, train, device)
    itself, stranger = load_best(run)[0], FreshNet(TINY).eval()
    assert float(taught(itself, batch)[0].detach()) < float(taught(stranger, batch)[0].detach())
    plain_loss = make_loss(replace(settings, teachers=()), train, device)
    assert set(plain_loss(itself, batch)[1]) == {"label"}


def test_classes_are_balanced_by_drawing_or_by_weighting(trained: tuple[Path, Path]) -> None:
    work, run = trained
    train = load_items(work).of("train")
    fresh = np.array([i.fresh for i in train.items])
    assert sampling_chances(train, balanced=True)[fresh].sum() == pytest.approx(0.5)
    assert sampling_chances(train, balanced=False)[fresh].sum() == pytest.approx(fresh.mean())
    batch = next(batches(train, 8, True, NONE, (0, 0), torch.device("cpu")))
    ones = replace(batch, fresh=torch.ones_like(batch.fresh))
    network = FreshNet(TINY).eval()
    settings = FreshTrainSettings(work=work, run=run, architecture=TINY, balance="none")
    unweighted = make_loss(settings, train, torch.device("cpu"))(network, ones)[0]
    weighted = make_loss(replace(settings, balance="loss"), train, torch.device("cpu"))(network, ones)[0]
    ratio = float(weighted.detach() / unweighted.detach())
    assert ratio > 1.5, "two old items to a fresh one: a fresh one weighs twice"


def test_what_is_stored_is_seen_as_the_chain_would_see_it() -> None:
    """Sixteen bits and room around it change nothing that counts; augmentation changes the picture, not its size."""
    rng = np.random.default_rng(1)
    side = SPEC.widened(ROOM).pixels
    image = rng.normal(size=(side, side)).astype(np.float32)
    items = ItemSet((Item("a", "p", "train", True),), stored(image, np.ones(image.shape, dtype=bool))[None], SPEC)
    edge = (side - 32) // 2
    middle = image[edge : edge + 32, edge : edge + 32]
    expected = prepare_crops(middle[None], np.ones((1, 32, 32), dtype=bool), TONE)
    assert np.allclose(plain(items), expected, atol=0.02)
    augmented = view(items.crops[0], 32, Augmentation(), rng)
    assert augmented.shape == (32, 32)
    assert np.isfinite(augmented).all()
    assert np.abs(augmented - expected[0, 0]).mean() > 0.1


def test_boxes_and_whole_films_become_items_and_no_film_is_opened_twice() -> None:
    opened: list[str] = []

    def open_film(name: str) -> Radiograph:
        opened.append(name)
        if name == "broken":
            raise Failed(Stage.READ, ReasonCode.FILE_UNREADABLE, "no such film")
        image = np.zeros((100, 60), dtype=np.float32)
        image[40:60, 20:40] = 1.0
        return Radiograph(image, np.ones(image.shape, dtype=np.bool_))

    box = {"left": 19.5, "top": 39.5, "right": 39.5, "bottom": 59.5}
    rows = [
        LabelRow(image="a", patient_id="1", label="1", split="train", **box),
        LabelRow(image="broken", patient_id="2", label="0", split="train"),
        LabelRow(image="a", patient_id="1", label="0", split="train"),
    ]
    left_out: list[str] = []
    found = list(from_labels(rows, open_film, SPEC, left_out))
    assert opened == ["a", "broken"]
    assert len(left_out) == 1
    assert left_out[0].startswith("broken: ")
    side = SPEC.widened(ROOM).pixels
    assert [crop.shape for _, crop in found] == [(side, side)] * 2
    assert [item.fresh for item, _ in found] == [True, False]
    boxed, whole = (crop for _, crop in found)
    assert boxed[side // 2, side // 2] == 65535
    assert (whole[:, 0] == 0).all(), "no picture beside a narrow film"
    assert (whole > 60000).sum() < (boxed > 60000).sum(), "the box fills more of its crop"


def test_films_are_prepared_from_pictures_and_dicom_by_name_or_uid(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    pixels = (np.clip(rng.normal(120, 20, (300, 280)) + np.linspace(0, 80, 280), 1, 255)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(images / "a.png")
    labels = tmp_path / "labels.csv"
    labels.write_text("image,SOPInstanceUID,patient_id,label,split\na.png,,1,fresh,train\n,1.2.3,2,old,train\n")
    assert main(["prepare", "--work", str(tmp_path / "w"), "--labels", str(labels), "--images", str(images)]) == 0
    items = load_items(tmp_path / "w")
    assert [i.item_id for i in items.items] == ["a.png"], "the unknown instance is left out and named"
    assert items.crops.shape[1:] == (160, 160)
    assert items.crops.max() > 60000


def test_items_are_added_unless_they_are_there_already(tmp_path: Path) -> None:
    items = toy_items(6)
    save_items(items[:4], SPEC, tmp_path)
    both = save_items(items[4:], SPEC, tmp_path, add=True)
    assert [i.item_id for i in load_items(tmp_path).items] == [item.item_id for item, _ in items]
    assert np.array_equal(both.crops[5], items[5][1])
    with pytest.raises(ValueError, match="these very items"):
        save_items(items[:1], SPEC, tmp_path, add=True)


def test_a_temperature_makes_overconfident_logits_honest() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 1.5, 4000)
    fresh = rng.random(4000) < 1 / (1 + np.exp(-logit))
    assert fit_temperature(3 * logit, fresh) == pytest.approx(3.0, rel=0.12)


def test_saliency_lies_where_the_evidence_is(trained: tuple[Path, Path]) -> None:
    _, run = trained
    network, _ = load_best(run)
    image = np.zeros((64, 64), dtype=np.float32)
    image[8:14, 8:-8] = 3.0
    probability, heat = grad_cam(network, image)
    assert heat.shape == (64, 64)
    assert 0 <= probability <= 1
    assert heat.max() == pytest.approx(1.0) or not heat.any()


def test_commands_say_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--work", str(tmp_path / "w")]) == 1
    assert "--labels" in capsys.readouterr().err
    labels = tmp_path / "labels.csv"
    labels.write_text("image,patient_id,label\na.png,1,fresh\n")
    assert main(["prepare", "--work", str(tmp_path / "w"), "--labels", str(labels)]) == 1
    assert "--images" in capsys.readouterr().err
    assert main(["evaluate", "--work", str(tmp_path), "--model", "x", "--out", str(tmp_path / "o")]) == 1
