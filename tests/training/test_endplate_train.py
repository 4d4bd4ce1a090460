"""The endplate network trains on a pool, leaves out what is held out, resumes, and becomes a card that reads."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.training import columns
from vfscreen.models.cards import load_tensors, read_card
from vfscreen.models.endplates import load_endplate_reader
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.spine.patches import PatchSpec
from vfscreen.training.endplate_train import EndplateTrainSettings, draw_batch, train_endplates
from vfscreen.training.endplates import main
from vfscreen.training.fracture_shapes import ShapeSettings
from vfscreen.training.loop import averaged_weights
from vfscreen.training.patch_data import MARGIN_PX, load_pool, make_pool_part
from vfscreen.training.slab_cases import make_case, save_case


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    (folder / "cases").mkdir()
    for name in ("one", "two"):
        case = make_case(name, columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])
        save_case(case, folder / "cases" / f"{name}.npz")
    assert main(["pool", "--work", str(folder), "--count", "8", "--case-weight", "two=0.5"]) == 0
    return folder


def test_a_run_resumes_and_its_weights_read_patches(work: Path, tmp_path: Path) -> None:
    settings = EndplateTrainSettings(work / "pool", tmp_path / "run", steps=2, batch=2)
    checkpoint = train_endplates(settings)
    first = torch.load(checkpoint, weights_only=True)
    train_endplates(replace(settings, steps=3))
    second = torch.load(checkpoint, weights_only=True)
    assert (first["step"], second["step"]) == (2, 3)
    assert any(not torch.equal(first["network"][k], second["network"][k]) for k in first["network"])
    with (tmp_path / "run" / "log.csv").open() as stream:
        assert next(csv.reader(stream)) == ["step", "seconds_a_step", "total", "corners", "plates"]

    card = tmp_path / "endplates-test.yaml"
    entry = yaml.safe_load((WEIGHTS_DIR / "vertebra-v1.yaml").read_text())
    card.write_text(
        yaml.safe_dump(entry | {"name": "endplates-test", "kind": "endplates", "decode": {"sd_scale": 1.5}})
    )
    assert main(["export", "--checkpoint", str(checkpoint), "--card", str(card)]) == 0
    reader = load_endplate_reader(card, device="cpu")
    assert reader.patch_spec == PatchSpec()
    assert reader.decode_parameters.sd_scale == 1.5
    assert reader.read(np.zeros((3, 5, 96, 96), np.float32)).points.shape == (3, 6, 2)


def test_a_run_starts_from_a_card_and_stops_on_cases_it_does_not_train_on(work: Path, tmp_path: Path) -> None:
    card = WEIGHTS_DIR / "endplates-v1.yaml"
    settings = EndplateTrainSettings(
        work / "pool", tmp_path / "run", steps=1, batch=2, learning_rate=0.0, start_from=card, validate=("two",)
    )
    checkpoint = train_endplates(replace(settings, validate_every=1))
    assert checkpoint.name == "best.pt"
    weights, step = averaged_weights(checkpoint)
    shipped = load_tensors(read_card(card), card)
    assert step == 1
    torch.testing.assert_close(weights["head.1.weight"], shipped["head.1.weight"])
    assert float((tmp_path / "run" / "validation.csv").read_text().split(",")[-1]) > 0
    with pytest.raises(ValueError, match="begins with nobody"):
        train_endplates(replace(settings, run=tmp_path / "other", validate=("nobody",)))


def test_held_out_cases_are_not_used(work: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="excluded"):
        train_endplates(EndplateTrainSettings(work / "pool", tmp_path, steps=1, exclude=("one", "two")))


def test_a_batch_moves_image_and_truth_together(tmp_path: Path) -> None:
    """The brightest place of a patch that is one bright dot stays at its corner, however the patch is shifted."""
    case = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])
    make_pool_part([case], [1.0], 2, tmp_path / "0000", PatchSpec(), ShapeSettings(), 0)
    hu = np.lib.format.open_memmap(tmp_path / "0000" / "hu.npy", mode="r+")
    pool = load_pool(tmp_path)
    hu[:] = 40
    for n in range(2):
        row, column = np.rint(pool.corners[n, 1]).astype(int)
        hu[n, :, row, column] = 255
    hu.flush()
    pool = load_pool(tmp_path)
    shifts = set()
    for seed in range(6):
        batch = draw_batch(pool, [0, 1], np.random.default_rng(seed), torch.device("cpu"))
        for n in range(2):
            dot = np.unravel_index(int(batch.image[n, 2].argmax()), (96, 96))
            np.testing.assert_allclose(dot, batch.corners[n, 1].numpy(), atol=0.51)
            shifts.add(tuple(np.rint(pool.corners[n, 1] - batch.corners[n, 1].numpy()).astype(int)))
            middle = int(batch.corners[n, [1, 3], 1].mean())
            shift = pool.corners[n, 1] - batch.corners[n, 1].numpy()
            expected = pool.plates[n, 1, middle + round(float(shift[1]))] - shift[0]
            np.testing.assert_allclose(batch.plates[n, 1, middle], expected, atol=1e-3)
    assert len(shifts) > 6 and all(0 <= s <= 2 * MARGIN_PX for pair in shifts for s in pair)


def test_without_cases_the_pool_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pool", "--work", str(tmp_path)]) == 1
    assert "prepare" in capsys.readouterr().out
