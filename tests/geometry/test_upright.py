"""Whatever way a picture is stored, positions find back to where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.geometry.radiograph import Radiograph
from vfscreen.geometry.upright import UprightFilm
from vfscreen.schema.names import SpacingSource


def film(rows: int, columns: int, spacing: tuple[float, float] | None = None) -> Radiograph:
    image = np.random.default_rng(rows * 100 + columns).normal(size=(rows, columns)).astype(np.float32)
    source = None if spacing is None else SpacingSource.DETECTOR
    return Radiograph(image, np.ones(image.shape, dtype=bool), spacing, source)


@given(st.integers(5, 40), st.integers(5, 40), st.sampled_from([0, 90, 180, 270]))
def test_the_same_pixel_before_and_after_turning(rows: int, columns: int, rotation_deg: int) -> None:
    stored = film(rows, columns)
    upright = UprightFilm.of(stored, rotation_deg)
    np.testing.assert_array_equal(upright.image, np.rot90(stored.image, rotation_deg // 90))
    at = np.stack(np.meshgrid(*map(np.arange, upright.image.shape), indexing="ij"), axis=-1).astype(np.float64)
    back = upright.to_stored(at)
    r, c = np.moveaxis(np.rint(back).astype(int), -1, 0)
    np.testing.assert_array_equal(stored.image[r, c], upright.image)
    np.testing.assert_allclose(upright.from_stored(back), at, atol=1e-9)


@given(st.floats(0.5, 2.0), st.sampled_from([0, 90, 180, 270]), st.floats(0, 60), st.floats(0, 40))
def test_square_pixels_and_back(ratio: float, rotation_deg: int, row: float, column: float) -> None:
    upright = UprightFilm.of(film(64, 48, (0.2, 0.2 * ratio)), rotation_deg)
    point = np.array([row, column])
    np.testing.assert_allclose(upright.to_stored(upright.from_stored(point)), point, atol=1e-9)
    # a millimetre is as many pixels whichever way it runs
    down = upright.from_stored(point + np.array([10.0, 0.0])) - upright.from_stored(point)
    across = upright.from_stored(point + np.array([0.0, 10.0 / ratio])) - upright.from_stored(point)
    assert np.linalg.norm(down) == pytest.approx(10.0)
    assert np.linalg.norm(across) == pytest.approx(10.0, rel=0.02)


def test_what_is_hidden_and_what_is_near_a_border() -> None:
    inside = np.ones((40, 30), dtype=bool)
    inside[:10] = False
    upright = UprightFilm.of(Radiograph(np.zeros((40, 30), np.float32), inside), 0)
    points = np.array([[5.0, 15.0], [12.0, 15.0], [20.0, 15.0], [39.0, 15.0], [41.0, 15.0], [20.0, -1.0]])
    assert upright.contains(points).tolist() == [False, True, True, True, False, False]
    assert upright.contains(points, 4.0).tolist() == [False, False, True, False, False, False]


def test_only_quarter_turns() -> None:
    with pytest.raises(ValueError, match="45"):
        UprightFilm.of(film(8, 8), 45)
