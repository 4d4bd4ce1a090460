"""Objects in the beam: known chords, no paint outside, drawn alike from the same state."""

from __future__ import annotations

import numpy as np
import pytest

from vfscreen.synthesis.beam_objects import Blob, Rod, paint
from vfscreen.synthesis.beam_scenes import NO_OBJECTS, SceneRates, draw_objects

COLUMN = np.array([[(60.0 + 40 * n + s * 15, 120.0 + a * 20) for a in (-1, 0, 1) for s in (-1, 1)] for n in range(6)])


def test_a_rod_is_as_thick_as_its_chord() -> None:
    rod = Rod(np.array([[50.0, 10.0], [50.0, 90.0]]), 10.0, "bone", 0.5)
    bone = paint([rod], (100, 100), 0.4)["bone"]
    for offset in (0, 4, 8):
        assert bone[50 + offset, 50] == pytest.approx(2 * np.sqrt(100 - offset**2) * 0.4 * 0.5, rel=1e-4)
    assert bone[39].max() == 0.0
    assert bone[61].max() == 0.0


def test_a_tube_lacks_its_core() -> None:
    path = np.array([[50.0, -20.0], [50.0, 120.0]])
    tube = paint([Rod(path, 10.0, "bone", 1.0, core=6.0)], (100, 100), 1.0)["bone"]
    assert tube[50, 50] == pytest.approx(8.0)
    assert tube[57, 50] == pytest.approx(2 * np.sqrt(100 - 49))


def test_a_blob_is_deepest_in_its_middle_and_ends_at_its_outline() -> None:
    soft = paint([Blob(np.array([40.0, 60.0]), (20.0, 10.0), "soft", -1.0, 30.0)], (100, 100), 0.5)["soft"]
    assert soft[40, 60] == pytest.approx(-30.0)
    assert soft[59, 60] < 0.0 == soft[61, 60]
    assert soft[40, 69] < 0.0 == soft[40, 71]
    assert soft[50, 60] == pytest.approx(-30.0 * np.sqrt(0.75))


def test_what_lies_outside_the_film_is_not_painted() -> None:
    painted = paint([Rod(np.array([[-80.0, 5.0], [-60.0, 9.0]]), 4.0, "metal", 1.0)], (50, 50), 1.0)
    assert not painted["metal"].any()


def test_every_kind_is_drawn_and_painted_around_a_column_and_without_one() -> None:
    for name in SceneRates.__dataclass_fields__:
        rates = SceneRates(**{**vars(NO_OBJECTS), name: 1.0})
        for seed in range(3):
            objects = draw_objects(np.random.default_rng(seed), (300, 240), 0.6, COLUMN, rates)
            again = draw_objects(np.random.default_rng(seed), (300, 240), 0.6, COLUMN, rates)
            assert len(objects) == len(again)
            for substance, image in paint(objects, (300, 240), 0.6).items():
                assert np.isfinite(image).all()
                np.testing.assert_array_equal(image, paint(again, (300, 240), 0.6)[substance])
        draw_objects(np.random.default_rng(1), (300, 240), 0.6, None, rates)


def test_screws_start_behind_their_bodies_and_end_in_them() -> None:
    rates = SceneRates(**{**vars(NO_OBJECTS), "screws": 1.0})
    objects = draw_objects(np.random.default_rng(2), (300, 240), 0.6, COLUMN, rates)
    screws = [o for o in objects if isinstance(o, Rod) and o.thread > 0]
    assert screws
    for screw in screws:
        assert screw.path[0, 1] > 145  # the front is to the left
        assert 98 < screw.path[1, 1] < 145


def test_no_objects_where_none_are_asked_for() -> None:
    assert draw_objects(np.random.default_rng(0), (100, 100), 1.0, COLUMN, NO_OBJECTS) == []
