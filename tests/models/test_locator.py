"""Reading the locator's outputs, and the shipped weights on synthetic and real CT."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from vfscreen.errors import WeightsError
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.nifti import read_nifti
from vfscreen.models.locator import GridLocator, LocatorParameters, load_locator, read_outputs
from vfscreen.models.lowres import LowResGrid
from vfscreen.models.ports import COLUMN_CLASSES
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.spine.centreline import fit_centreline
from vfscreen.training.locator_cases import phantom_case
from vfscreen.training.locator_evaluate import compare_column
from vfscreen.training.readings import load_reading

CARD = WEIGHTS_DIR / "locator-v1.yaml"


@pytest.fixture(scope="module")
def locator() -> GridLocator:
    return load_locator(CARD, device="cpu")


def grid_of(depth: int, height: int = 24, width: int = 30) -> LowResGrid:
    return LowResGrid(np.ones((depth, height, width), dtype=np.float32), np.array([-50.0, -30.0, 400.0]))


def outputs_of(grid: LowResGrid, presence, centres, strays=()) -> dict[str, np.ndarray]:
    """Network outputs with a blob at `centres` (P, 2) cells (y, x), and brighter blobs at `strays` (plane, y, x)."""
    _, height, width = grid.image.shape
    y, x = np.mgrid[:height, :width]
    heat = np.stack([-((y - cy) ** 2 + (x - cx) ** 2) / 4.5 for cy, cx in centres])
    for plane, cy, cx in strays:
        heat[plane] = np.maximum(heat[plane], 2.0 - ((y - cy) ** 2 + (x - cx) ** 2) / 4.5)
    probability = np.clip(np.asarray(presence, dtype=np.float64), 1e-6, 1 - 1e-6)
    levels = np.zeros((len(centres), len(COLUMN_CLASSES)))
    return {
        "heat": heat[None].astype(np.float32),
        "presence": np.log(probability / (1 - probability))[None].astype(np.float32),
        "levels": levels[None].astype(np.float32),
    }


def curved(positions: int) -> np.ndarray:
    s = np.linspace(0, 1, positions)
    return np.column_stack([10.0 + 4.0 * np.sin(3 * s), 14.0 + 2.3 * s])


def test_points_run_from_superior_to_inferior_at_the_blobs() -> None:
    grid, centres = grid_of(40), curved(20)
    located = read_outputs(outputs_of(grid, np.ones(20), centres), grid, LocatorParameters())
    assert np.all(np.diff(located.points_lps_mm[:, 2]) < 0)
    cells = grid.from_lps(located.points_lps_mm)[::-1]
    assert np.allclose(cells[:, 0], np.arange(20) * 2 + 0.5)
    assert np.abs(cells[:, 1:] - centres).max() < 0.15
    assert located.level_log_likelihood is not None
    assert np.allclose(np.exp(located.level_log_likelihood).sum(axis=1), 1.0)


def test_a_brighter_blob_elsewhere_in_a_few_planes_does_not_draw_the_path_away() -> None:
    grid, centres = grid_of(40), curved(20)
    strays = [(8, 20.0, 3.0), (9, 20.0, 3.5), (15, 3.0, 27.0)]
    located = read_outputs(outputs_of(grid, np.ones(20), centres, strays), grid, LocatorParameters())
    assert np.abs(grid.from_lps(located.points_lps_mm)[::-1][:, 1:] - centres).max() < 1.0


def test_only_the_run_with_most_presence_is_kept_and_small_holes_do_not_part_it() -> None:
    grid = grid_of(60)
    presence = np.zeros(30)
    presence[1:4] = 0.9  # a shoulder blade
    presence[10:26] = 0.95
    presence[15:17] = 0.2  # a hole
    located = read_outputs(outputs_of(grid, presence, curved(30)), grid, LocatorParameters())
    planes = (grid.from_lps(located.points_lps_mm)[:, 0] - 0.5) / 2
    assert sorted(planes.round().astype(int)) == [*range(10, 15), *range(17, 26)]
    assert located.presence.min() >= 0.5


def test_no_presence_is_an_empty_column_not_an_error() -> None:
    grid = grid_of(16)
    located = read_outputs(outputs_of(grid, np.full(8, 0.1), curved(8)), grid, LocatorParameters())
    assert located.points_lps_mm.shape == (0, 3)
    assert located.presence.shape == (0,)
    assert fit_centreline(located.points_lps_mm, located.presence) is None


def test_air_is_an_empty_column(locator) -> None:
    located = locator.locate(Volume(np.full((20, 40, 40), -1024, dtype=np.int16), np.diag([2.0, 2.0, 3.0, 1.0])))
    assert len(located.points_lps_mm) == 0


def test_points_outside_the_volume_are_dropped(locator) -> None:
    volume = phantom_case(1000).volume
    tilted = volume.affine_lps.copy()
    tilted[:3, 2] += 0.3 * tilted[:3, 1]  # a sheared stack leaves corners of its box empty
    sheared = Volume(volume.hu, tilted)
    located = locator.locate(sheared)
    assert sheared.contains(located.points_lps_mm).all()


def test_the_shipped_weights_follow_an_unseen_synthetic_spine(locator) -> None:
    case = phantom_case(1001)
    located = locator.locate(case.volume)
    centreline = fit_centreline(located.points_lps_mm, located.presence)
    assert centreline is not None
    truth = case.truth.path_lps_mm[case.truth.located & (case.truth.presence == 1.0)]
    s, p, l_ = centreline.from_lps(truth).T
    within = (s >= 0) & (s <= centreline.length_mm)
    assert within.mean() > 0.9
    assert np.hypot(p, l_)[within].mean() < 4.0


@pytest.mark.parametrize("name", ["covid_ar", "crlm_1004"])
def test_the_shipped_weights_find_real_spines_never_trained_on(locator, shared_data, name) -> None:
    volume = read_nifti(shared_data / "ct" / f"{name}_3mm.nii.gz")
    result = compare_column(load_reading(shared_data / "ct" / f"{name}_six_points.json"), locator.locate(volume))
    assert result.reached.all()
    assert result.body_mm.mean() < 5.0
    assert result.body_mm.max() < 10.0


def test_a_reversed_copy_has_the_same_column(locator, shared_data) -> None:
    volume = read_nifti(shared_data / "ct" / "crlm_1004_3mm.nii.gz")
    affine = volume.affine_lps.copy()
    affine[:3, 3] = volume.to_lps(np.array([volume.hu.shape[2] - 1.0, 0.0, volume.hu.shape[0] - 1.0]))
    affine[:3, 0] *= -1
    affine[:3, 2] *= -1
    one, other = locator.locate(volume), locator.locate(Volume(volume.hu[::-1, :, ::-1], affine))
    assert one.points_lps_mm.shape == other.points_lps_mm.shape
    assert np.abs(one.points_lps_mm - other.points_lps_mm).max() < 0.05


def test_a_card_for_another_grid_is_refused(tmp_path) -> None:
    entry = yaml.safe_load(CARD.read_text(encoding="utf-8"))
    entry["preprocessing"]["spacing_mm"] = [3.0, 3.0, 3.0]
    (tmp_path / "locator-x.yaml").write_text(yaml.safe_dump(entry), encoding="utf-8")
    (tmp_path / "locator-x.safetensors").write_bytes(CARD.with_suffix(".safetensors").read_bytes())
    with pytest.raises(WeightsError, match="another grid"):
        load_locator(tmp_path / "locator-x.yaml", device="cpu")
