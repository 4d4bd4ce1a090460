"""Pooled patches: the truth lies on the endplates of what is drawn, and a pool survives its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import columns
from vfscreen.spine.patches import PatchSpec
from vfscreen.training.fracture_shapes import ShapeSettings
from vfscreen.training.patch_data import (
    LOWER_HU,
    MARGIN_PX,
    STEP_HU,
    Patch,
    draw_patch,
    load_pool,
    make_pool_part,
)
from vfscreen.training.slab_cases import make_case

CASE = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, True, [0, 0, 0, 0])
SPEC = PatchSpec()
PLAIN = ShapeSettings(osteophyte_share=0.0, change_share=0.0)


def drawn(seed: int, shapes: ShapeSettings = PLAIN) -> Patch:
    return draw_patch(CASE, 1, SPEC, shapes, np.random.default_rng(seed))


def test_endplates_of_deformed_bodies_are_where_the_truth_says() -> None:
    """Bone inside, soft tissue outside, a few pixels to either side of the endplate's curve."""
    right, losses = [], []
    for seed in range(40):
        patch = drawn(seed)
        losses.append(patch.loss)
        hu = patch.hu[2].astype(float) * STEP_HU + LOWER_HU
        for k, inward in ((0, 1), (1, -1)):
            middle = round(float(patch.corners[[k, 2 + k], 1].mean()))
            row = patch.plates[k, middle]
            inside, outside = (hu[round(row + inward * s * 3), middle - 1 : middle + 2].mean() for s in (1, -1))
            right.append(inside > outside + 60)
    assert np.mean(right) > 0.9  # noise, blur and thick slices may hide an edge, a shifted truth would hide half
    assert max(losses) > 0.35 and min(losses) < 0.08


def test_corners_bound_the_endplates() -> None:
    for seed in range(20):
        patch = drawn(seed, ShapeSettings())
        for k in (0, 1):
            known = np.flatnonzero(np.isfinite(patch.plates[k]))
            front, back = patch.corners[k], patch.corners[2 + k]
            assert abs(known[0] - front[1]) <= 1.0 and abs(known[-1] - back[1]) <= 1.0
            assert abs(patch.plates[k, known[0]] - front[0]) < 4.0
        assert patch.hu.shape == (5, SPEC.rows + 2 * MARGIN_PX, SPEC.columns + 2 * MARGIN_PX)
        assert (patch.corners[[0, 2], 0] < patch.corners[[1, 3], 0]).all()


def test_the_same_seed_draws_the_same_patch() -> None:
    np.testing.assert_array_equal(drawn(5).hu, drawn(5).hu)
    assert not np.array_equal(drawn(5).hu, drawn(6).hu)


def test_without_fractures_shapes_stay_near_normal() -> None:
    shapes = replace(PLAIN, fracture_share=0.0, dent_share=0.0)
    assert np.median([drawn(seed, shapes).loss for seed in range(30)]) < 0.12


def test_a_pool_is_its_finished_parts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="pool"):
        load_pool(tmp_path)
    for seed in (0, 1):
        make_pool_part([CASE], [1.0], 3, tmp_path / f"{seed:04d}", SPEC, ShapeSettings(), seed)
    (tmp_path / "0002").mkdir()
    (tmp_path / "0002" / "hu.npy").write_bytes(b"unfinished")
    pool = load_pool(tmp_path)
    assert len(pool.case) == 6 and set(pool.case) == {"c"}
    again = load_pool(tmp_path)
    for n in range(6):
        np.testing.assert_array_equal(pool.hu(n), again.hu(n))
        assert pool.hu(n).std() > 1
    assert not np.array_equal(pool.hu(2), pool.hu(3))
    with pytest.raises(IndexError):
        pool.hu(6)
