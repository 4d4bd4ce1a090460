"""Samples lie where the vertebra is; training learns, stops and resumes; what it exports loads."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.models.rib_network import PATCH_ROWS, RibNet
from vfscreen.models.ribs import load_rib_reader
from vfscreen.spine.priors import VERTEBRA_KINDS
from vfscreen.training.loop import averaged_weights
from vfscreen.training.rib_cases import CASE_SPEC, RibCase, save_case
from vfscreen.training.rib_data import SLAB, batches, draw_patch, patch_at
from vfscreen.training.rib_export import export_ribs
from vfscreen.training.rib_train import RibTrainSettings, rib_loss, train_ribs

LEVELS = ("C7", "T1", "T12", "L1", "L5", "S")


def bar_case(name: str = "bars") -> RibCase:
    """Bodies as blocks; rib-bearing ones have a bar to either side, the sacrum a broad plate."""
    s = np.arange(len(LEVELS)) * 30.0 + 10.0
    planes = np.asarray(CASE_SPEC.plane_offsets_mm)
    rows = np.arange(round((s[-1] + 20 + 2 * CASE_SPEC.margin_mm) / CASE_SPEC.pixel_mm))
    p = np.arange(CASE_SPEC.columns) * CASE_SPEC.pixel_mm - CASE_SPEC.anterior_mm
    at = rows * CASE_SPEC.pixel_mm - CASE_SPEC.margin_mm
    hu = np.full((len(planes), len(rows), len(p)), 30, dtype=np.int16)
    for level, centre in zip(LEVELS, s, strict=True):
        near = np.abs(at - centre)[None, :, None]
        body = (np.abs(planes) < 20)[:, None, None] & (np.abs(p) < 15)[None, None, :]
        hu[(near < 11) & body] = 250
        if level[0] in "TS":
            bar = (np.abs(p - 25) < 6)[None, None, :] & (np.abs(planes) < 80)[:, None, None]
            hu[(near < (4 if level[0] == "T" else 12)) & bar] = 500
    centres = np.column_stack([s, np.zeros((len(s), 2))])
    ribbed = np.array([level[0] == "T" for level in LEVELS])
    below = np.array([int(b == "S") for _, b in pairwise(LEVELS)] + [-1])
    return RibCase(name, hu, centres, LEVELS, ribbed, below)


def test_a_patch_shows_its_vertebra_and_follows_its_turns() -> None:
    case = bar_case()
    plain = patch_at(case, case.centres_mm[1])
    assert plain.shape == (len(SLAB.plane_offsets_mm), PATCH_ROWS, SLAB.columns)
    column = round((25 + SLAB.anterior_mm) / SLAB.pixel_mm)
    middle = slice(PATCH_ROWS // 2 - 1, PATCH_ROWS // 2 + 1)
    assert (plain[:, middle, column] > 300).all(), "the bar, from side to side"
    np.testing.assert_allclose(plain, plain[::-1], atol=1e-3)
    shifted = patch_at(case, case.centres_mm[1], shift_mm=np.array([0.0, 6.0, 0.0]))
    np.testing.assert_allclose(shifted[:, :-2], plain[:, 2:], atol=1e-3)
    turned = patch_at(case, case.centres_mm[1], Rotation.from_euler("z", 8, degrees=True))
    near = np.arange(PATCH_ROWS // 2 - 5, PATCH_ROWS // 2 + 5)
    bone = np.maximum(turned[:, near, column] - 100.0, 0.0)
    heights = SLAB.pixel_mm * (bone @ near) / bone.sum(axis=1)
    slope = np.polyfit(np.asarray(SLAB.plane_offsets_mm), heights, 1)[0]
    assert abs(slope) == pytest.approx(np.tan(np.radians(8)), abs=0.01)


def test_samples_are_drawn_by_the_generator_alone() -> None:
    case = bar_case()
    first, second = (draw_patch(case, 2, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()
    assert not np.array_equal(first, draw_patch(case, 2, np.random.default_rng(4)))


def test_batches_hold_what_they_say_and_need_cases() -> None:
    batch = next(batches([bar_case(), bar_case("phantom-0")], 24, np.random.default_rng(0), torch.device("cpu")))
    assert batch.image.shape == (24, 1, len(SLAB.plane_offsets_mm), PATCH_ROWS, SLAB.columns)
    assert set(batch.kind.tolist()) <= set(range(len(VERTEBRA_KINDS)))
    assert set(batch.sacrum_below.tolist()) <= {-1, 0, 1}
    with pytest.raises(ValueError, match="no vertebra"):
        next(batches([], 2, np.random.default_rng(0), torch.device("cpu")))


def test_an_unknown_sacrum_costs_nothing() -> None:
    network = RibNet().eval()
    batch = next(batches([bar_case()], 6, np.random.default_rng(1), torch.device("cpu")))
    unknown = type(batch)(batch.image, batch.kind, torch.full_like(batch.sacrum_below, -1))
    total, parts = rib_loss(network, unknown)
    assert parts["sacrum"] == 0.0
    assert float(total.detach()) == pytest.approx(parts["kind"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 30 steps, stopped after 10 and resumed."""
    folder = tmp_path_factory.mktemp("ribs")
    save_case(bar_case(), folder)
    save_case(bar_case("held"), folder)
    for steps in (10, 30):
        train_ribs(RibTrainSettings(folder, folder / "run", steps=steps, batch=12, exclude=("held",)))
    return folder / "run"


def test_it_learns_and_resumes(run: Path) -> None:
    weights, step = averaged_weights(run / "checkpoint.pt")
    assert step == 30
    rows = list(csv.DictReader((run / "log.csv").open(encoding="utf-8")))
    assert [int(row["step"]) for row in rows] == [25]
    assert float(rows[0]["kind"]) < np.log(len(VERTEBRA_KINDS)), "better than guessing"
    RibNet().load_state_dict(weights)


def test_no_case_is_an_error_that_names_the_remedy(run: Path) -> None:
    with pytest.raises(ValueError, match="prepare"):
        train_ribs(RibTrainSettings(run.parent, run.parent / "none", exclude=("bars", "held")))


def test_exported_weights_load_by_their_card(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "ribs-t.yaml"
    card = export_ribs(run / "checkpoint.pt", path, WEIGHTS_DIR / "ribs-v1.yaml")
    assert card.hyperparameters["trained_steps"] == 30
    assert card.metrics == (), "numbers of other weights do not stay on the card"
    assert load_rib_reader(path, device="cpu").slab_spec == SLAB
