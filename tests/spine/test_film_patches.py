"""Patches of films lie on their vertebra whichever way the patient faces, and their pixels map back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.spine.film_patches import FilmPatchFrame, FilmPatchSpec, sample_film_patches
from vfscreen.spine.patches import body_axes

SPEC = FilmPatchSpec()
BODY = np.array([(a * 15.0, b * 20.0) for b in (-1, 0, 1) for a in (-1, 1)])
"""30 px tall, 40 deep, front to the left."""


def placed(turn: float, scale: float, mirrored: bool, shift: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(turn), np.sin(turn)
    body = BODY * np.array([1.0, -1.0 if mirrored else 1.0])
    return np.asarray(scale * body @ np.array([[c, s], [-s, c]]) + shift)


@settings(deadline=None)
@given(
    st.floats(-3.1, 3.1),
    st.floats(0.2, 8.0),
    st.booleans(),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.lists(st.floats(-20, 120), min_size=12, max_size=12),
)
def test_every_body_is_seen_alike_and_pixels_map_back(
    turn: float, scale: float, mirrored: bool, shift: tuple[float, float], values: list[float]
) -> None:
    points = placed(turn, scale, mirrored, shift)
    frame = FilmPatchFrame.of(points, SPEC)
    expected = BODY * SPEC.body_depth_px / 40.0 + SPEC.middle
    np.testing.assert_allclose(frame.from_px(points), expected, atol=1e-6)
    assert frame.px_a_patch_px == pytest.approx(scale * 40.0 / SPEC.body_depth_px)
    pixels = np.array(values).reshape(6, 2)
    np.testing.assert_allclose(frame.from_px(frame.to_px(pixels)), pixels, atol=1e-6)
    np.testing.assert_allclose(body_axes(frame.from_px(points))[0], SPEC.middle, atol=1e-6)


@pytest.mark.parametrize("flat", [BODY * [1.0, 0.0], BODY * [0.0, 1.0]])
def test_points_without_depth_or_height_have_no_frame(flat: np.ndarray) -> None:
    with pytest.raises(ValueError, match="coincide"):
        FilmPatchFrame.of(flat, SPEC)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_picture_is_where_the_points_are(mirrored: bool) -> None:
    points = placed(0.2, 2.0, mirrored, (150.0, 160.0))
    frame = FilmPatchFrame.of(points, SPEC)
    at = frame.from_px(np.moveaxis(np.indices((300, 320), dtype=np.float64), 0, -1))
    low, high = frame.from_px(points).min(axis=0), frame.from_px(points).max(axis=0)
    film = ((at >= low) & (at <= high)).all(axis=-1).astype(np.float32)
    image, inside = sample_film_patches(film, np.ones(film.shape, dtype=bool), [frame, frame])
    assert image.shape == inside.shape == (2, SPEC.rows, SPEC.columns) and inside.all()
    box = np.zeros((SPEC.rows, SPEC.columns), dtype=np.float32)
    rows, columns = np.indices(box.shape)
    box[(rows >= low[0]) & (rows <= high[0]) & (columns >= low[1]) & (columns <= high[1])] = 1.0
    assert np.abs(image[0] - box).mean() < 0.03


def test_beyond_the_picture_nothing_is_known() -> None:
    frame = FilmPatchFrame.of(placed(0.0, 1.0, False, (5.0, 30.0)), SPEC)
    image, inside = sample_film_patches(np.ones((80, 80), dtype=np.float32), np.ones((80, 80), dtype=bool), [frame])
    assert not inside[0, 0].any() and inside[0, int(SPEC.middle[0]), int(SPEC.middle[1])]
    assert (image[0][~inside[0]] == 0.0).all()
