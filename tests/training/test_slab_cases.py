"""Slab cases keep points on their anatomy and survive their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training import columns
from vfscreen.schema.names import LEVELS
from vfscreen.training.slab_cases import CASE_SPEC, load_case, make_case, save_case


def test_points_lie_on_the_edges_of_the_bodies() -> None:
    case = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), False, True, [0, 1, 0, -1])
    middle = case.hu[CASE_SPEC.plane_offsets_mm.index(0.0)].astype(float)
    for points in case.points:
        for row, p in points[[2, 3]]:  # middle superior, middle inferior
            column = round((p + CASE_SPEC.anterior_mm) / CASE_SPEC.pixel_mm)
            profile = middle[:, column]
            near = profile[round(row / CASE_SPEC.pixel_mm) - 3 : round(row / CASE_SPEC.pixel_mm) + 4]
            assert near.min() < 120 < 430 < near.max()
    assert [LEVELS[n] for n in case.levels] == list(columns.LEVEL_NAMES)
    assert case.known_mm[1] == np.inf
    assert case.known_mm[0] < case.points[0, 0::2, 0].min()


def test_uncertain_levels_are_not_taught(tmp_path: Path) -> None:
    from dataclasses import replace

    uncertain = [replace(v, level_certain=False) for v in columns.vertebrae()]
    case = make_case("c", columns.ct(), columns.centreline(), uncertain, False, False, [0] * 4)
    assert (case.levels == -1).all()


def test_file_round_trip(tmp_path: Path) -> None:
    case = make_case("c", columns.ct(), columns.centreline(), columns.vertebrae(), True, False, [0, 1, 0, -1])
    save_case(case, tmp_path / "c.npz")
    loaded = load_case(tmp_path / "c.npz")
    assert loaded.name == "c"
    assert loaded.known_mm == case.known_mm
    for name in ("hu", "inside", "points", "levels", "confidence", "fractured"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(case, name))
