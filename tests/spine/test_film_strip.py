"""The strip's pixels and the film: two ways, either facing, honest about what is not picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.spine.film_course import FilmCourse
from vfscreen.spine.film_strip import FilmStrip, StripSpec, straighten_film

T = np.linspace(0, 1, 100)
POINTS = np.stack([60 + 480 * T, 200 + 40 * np.sin(4 * T)], axis=1)
ROWS, COLUMNS = np.indices((600, 400)).astype(np.float64)
RAMP = (2 * ROWS + 3 * COLUMNS).astype(np.float32)


def strip(right: bool, spec: StripSpec | None = None, inside: np.ndarray | None = None) -> FilmStrip:
    course = FilmCourse.from_points(POINTS, 30 + 15 * T, right)
    known = np.ones(RAMP.shape, dtype=bool) if inside is None else inside
    return straighten_film(RAMP, known, course, spec or StripSpec())


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("spec", [StripSpec(), StripSpec(20.0, 1.0, 2.0, 0.5)])
def test_pixels_hold_what_lies_at_their_position(right: bool, spec: StripSpec) -> None:
    cut = strip(right, spec)
    assert cut.image.shape == (spec.rows(cut.course), spec.columns)
    at = cut.to_px(np.stack(np.indices(cut.image.shape), axis=-1).astype(np.float64))
    inner = ((at > 4) & (at < np.array(RAMP.shape) - 5)).all(axis=-1)
    assert inner.mean() > 0.8
    expected = 2 * at[..., 0] + 3 * at[..., 1]
    np.testing.assert_allclose(cut.image[inner], expected[inner], atol=0.05)
    assert cut.inside[inner].all()


@settings(max_examples=50)
@given(st.floats(20, 420), st.floats(10, 150), st.booleans())
def test_to_px_and_back(row: float, column: float, right: bool) -> None:
    cut = strip(right)
    assert cut.from_px(cut.to_px(np.array([row, column]))) == pytest.approx([row, column], abs=0.05)


def test_hung_as_a_radiologist_does() -> None:
    """Row 0 superior, column 0 anterior, whichever way the patient faces."""
    for right in (True, False):
        front, back = strip(right).to_px(np.array([[200.0, 20], [200.0, 120]]))
        top, bottom = strip(right).to_px(np.array([[100.0, 72], [300.0, 72]]))
        assert (front[1] > back[1]) == right and top[0] < bottom[0]


def test_what_is_hidden_is_not_inside() -> None:
    inside = np.ones(RAMP.shape, dtype=bool)
    inside[:, :200] = False
    cut = strip(True, inside=inside)
    at = cut.to_px(np.stack(np.indices(cut.image.shape), axis=-1).astype(np.float64))
    clear = np.abs(at[..., 1] - 199.5) > 1.0
    known = (at[..., 1] > 199.5) & ((at >= -0.5) & (at <= np.array(RAMP.shape) - 0.5)).all(axis=-1)
    assert (cut.inside == known)[clear].all()
    assert (cut.image[~cut.inside] == 0).all()


def test_a_strip_pixel_is_a_share_of_the_local_body() -> None:
    cut = strip(True)
    scale = cut.px_a_strip_px(np.array([[100.0, 56.0], [300.0, 56.0]]))
    a, b = (cut.to_px(np.array([[100.0 + d, 56], [300.0 + d, 56]])) for d in (-0.5, 0.5))  # on the course itself
    assert scale == pytest.approx(np.linalg.norm(b - a, axis=1), rel=0.005)
