"""Square crops of films: the same picture of a vertebra however the film lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vfscreen.spine.film_crop import CropSpec, crop_box, crop_vertebra

Float = NDArray[np.float64]

BODY = np.array([[-15, -20], [15, -20], [-13, 0], [13, 0], [-15, 20], [15, 20]], dtype=np.float64)
"""A body 30 high and 40 deep, front at smaller columns."""


def smooth_film(turn_deg: float, mirrored: bool, scale: float, middle: Float) -> tuple[NDArray[np.float32], Float]:
    """A picture that is a function of the body's own coordinates, on a film that lies as asked; the body's points."""
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = scale * turn @ np.diag([1.0, -1.0 if mirrored else 1.0])
    rows, columns = np.meshgrid(np.arange(220.0), np.arange(240.0), indexing="ij")
    own = np.stack([rows, columns], axis=-1) - middle
    own = own @ np.linalg.inv(matrix).T
    return (own[..., 0] + 0.01 * own[..., 1] ** 2 + 0.5 * own[..., 1]).astype(np.float32), BODY @ matrix.T + middle


@settings(max_examples=30, deadline=None)
@given(st.floats(-40, 40), st.booleans(), st.floats(0.6, 1.4))
def test_a_vertebra_s_crop_is_the_same_however_the_film_lies(turn_deg: float, mirrored: bool, scale: float) -> None:
    spec = CropSpec(pixels=32, body_depths=1.5)
    image, points = smooth_film(turn_deg, mirrored, scale, np.array([108.3, 121.8]))
    crop, inside = crop_vertebra(image, np.ones(image.shape, dtype=bool), points, spec)
    offsets = (np.arange(32) - 15.5) * 1.5 * 40 / 32
    down, back = np.meshgrid(offsets, offsets, indexing="ij")
    assert inside.all()
    assert np.abs(crop - (down + 0.01 * back**2 + 0.5 * back)).max() < 0.3


def test_what_lies_beyond_the_film_is_not_inside() -> None:
    image = np.ones((60, 60), dtype=np.float32)
    crop, inside = crop_vertebra(
        image, np.ones_like(image, dtype=bool), BODY + np.array([10.0, 30.0]), CropSpec(pixels=32)
    )
    assert not inside[:8].any()
    assert inside[16:].any()
    assert (crop[~inside] == 0).all()


def test_a_body_without_depth_is_refused() -> None:
    flat = BODY * [1.0, 0.0] + 20.0
    with pytest.raises(ValueError, match="no depth"):
        crop_vertebra(np.zeros((40, 40), dtype=np.float32), np.ones((40, 40), dtype=bool), flat, CropSpec())


def test_a_box_keeps_its_middle_and_the_whole_film_its_shape() -> None:
    image = np.zeros((100, 50), dtype=np.float32)
    image[30:40, 20:30] = 1.0
    inside = np.ones(image.shape, dtype=bool)
    crop, _ = crop_box(image, inside, (19.5, 29.5, 29.5, 39.5), CropSpec(pixels=20, box_sides=2.0))
    assert crop[10, 10] == 1.0
    assert crop[2, 2] == 0.0
    assert crop.sum() == pytest.approx(100, abs=1)
    whole, known = crop_box(image, inside, None, CropSpec(pixels=50))
    assert known.mean() == pytest.approx(0.5, abs=0.025)
    rows, columns = np.nonzero(whole > 0.5)
    assert rows.mean() == pytest.approx((34.5 + 0.5) / 2 - 0.5, abs=0.6)
    assert columns.mean() == pytest.approx((24.5 + 0.5 + 25) / 2 - 0.5, abs=0.6)


def test_room_around_a_crop_leaves_its_middle_as_it_is() -> None:
    image = np.random.default_rng(0).normal(size=(200, 200)).astype(np.float32)
    inside, points = np.ones(image.shape, dtype=bool), BODY + 100.0
    spec = CropSpec(pixels=32)
    plain, wide = crop_vertebra(image, inside, points, spec), crop_vertebra(image, inside, points, spec.widened(1.5))
    assert wide[0].shape == (48, 48)
    assert np.allclose(wide[0][8:40, 8:40], plain[0], atol=1e-4)
