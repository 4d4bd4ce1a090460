"""Fracture shapes: displacements within bounds and of many kinds; painted tissue stays where it belongs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.training.fracture_shapes import (
    ShapeSettings,
    change_bone,
    draw_displacements,
    grow_osteophytes,
    ossify_front,
)

COLUMNS_P = np.arange(-40.0, 40.0, 1.0)
FRACTURED = ShapeSettings(fracture_share=1.0, dent_share=0.0)
BOX = np.array([(30, 20), (70, 20), (30, 48), (70, 48), (30, 76), (70, 76)], dtype=float)
BELOW = BOX + np.array([52.0, 0.0])


@given(st.integers(0, 10_000))
def test_displacements_are_smooth_bounded_and_constant_beyond_the_walls(seed: int) -> None:
    height = 24.0
    plates = draw_displacements((-15.0, 15.0), height, COLUMNS_P, FRACTURED, np.random.default_rng(seed))
    for plate in plates:
        assert plate.shape == COLUMNS_P.shape
        assert plate.max() < FRACTURED.loss_max * height + 6.0
        assert plate.min() > -6.0
        np.testing.assert_allclose(plate[COLUMNS_P < -15.0], plate[0])
        np.testing.assert_allclose(plate[COLUMNS_P > 15.0], plate[-1])


def test_wedges_bowls_and_crushes_are_all_drawn() -> None:
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(200):
        total = np.sum(draw_displacements((-15.0, 15.0), 24.0, COLUMNS_P, FRACTURED, rng), axis=0)
        front, middle, back = np.interp([-13.0, 0.0, 13.0], COLUMNS_P, total)
        if max(front, middle, back) > 6.0:
            found.add(int(np.argmax([front, middle, back])))
            if min(front, middle, back) > 5.0:
                found.add(3)
    assert found == {0, 1, 2, 3}


def test_changed_bone_stays_within_the_body() -> None:
    hu = np.full((5, 96, 96), 150.0, np.float32)
    top, bottom = np.full(96, 30.0), np.full(96, 70.0)
    changed = np.zeros((96, 96), dtype=bool)
    for seed in range(30):
        out = change_bone(hu, top, bottom, (20.0, 76.0), 0.5, np.random.default_rng(seed))
        changed |= np.abs(out - hu).max(axis=0) > 1.0
    assert changed[40:60, 30:60].any()
    assert not changed[:29].any() and not changed[72:].any()
    assert not changed[:, :19].any() and not changed[:, 78:].any()


def test_osteophytes_grow_in_front_of_the_disc() -> None:
    shapes = ShapeSettings(osteophyte_share=1.0, bridge_share=1.0)
    hu = np.zeros((5, 120, 96), np.float32)
    for seed in range(10):
        out = grow_osteophytes(hu, BOX, BELOW, shapes, np.random.default_rng(seed))
        rows, columns = np.nonzero(out[2] > 100)
        assert len(rows) > 10
        assert columns.max() <= 26 and 45 < rows.mean() < 105
        np.testing.assert_array_equal(out[0], out[4])
    none = ShapeSettings(osteophyte_share=0.0)
    assert grow_osteophytes(hu, BOX, BELOW, none, np.random.default_rng(0)) is hu


def test_bone_flows_in_front_of_the_walls_only() -> None:
    shapes = ShapeSettings(flow_share=1.0)
    hu = np.zeros((5, 160, 96), np.float32)
    bodies = np.stack([BOX - np.array([26.0, 0.0]), BELOW])
    covered = np.zeros((160, 96), dtype=bool)
    for seed in range(20):
        out = ossify_front(hu, bodies, 0.5, shapes, np.random.default_rng(seed))
        assert out.min() >= 0.0
        covered |= out[2] > 60
    rows, columns = np.nonzero(covered)
    assert len(rows) > 200 and columns.min() < 14
    assert columns.max() <= 20 + 8  # a little behind the wall, never into the body
    assert ossify_front(hu, bodies, 0.5, ShapeSettings(flow_share=0.0), np.random.default_rng(0)) is hu
