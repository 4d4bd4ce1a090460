"""Scale, view and orientation of a film as its header gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.ingest.film_headers import film_spacing, header_anterior_side, header_rotation_deg, header_view
from vfscreen.schema.names import FilmView, PictureSide, SpacingSource

CALIBRATED, DETECTOR = SpacingSource.CALIBRATED, SpacingSource.DETECTOR


@pytest.mark.parametrize(
    ("pixel", "detector", "kind", "expected"),
    [
        (None, None, None, (None, None)),
        (None, (0.15, 0.15), None, ((0.15, 0.15), DETECTOR)),
        (None, (0.15, 0.15), "GEOMETRY", ((0.15, 0.15), DETECTOR)),
        ((0.15, 0.15), (0.15, 0.15), None, ((0.15, 0.15), DETECTOR)),
        ((0.15, 0.15), (0.15, 0.15), "GEOMETRY", ((0.15, 0.15), DETECTOR)),
        ((0.150001, 0.15), (0.15, 0.15), None, ((0.150001, 0.15), DETECTOR)),
        ((0.13, 0.13), (0.15, 0.15), None, ((0.13, 0.13), CALIBRATED)),
        ((0.13, 0.13), (0.15, 0.15), "FIDUCIAL", ((0.13, 0.13), CALIBRATED)),
        ((0.13, 0.14), None, "FIDUCIAL", ((0.13, 0.14), CALIBRATED)),
        ((0.13, 0.13), None, "geometry", ((0.13, 0.13), CALIBRATED)),
        ((0.13, 0.13), None, None, ((0.13, 0.13), DETECTOR)),
        ((0.13, 0.13), None, "GUESS", ((0.13, 0.13), DETECTOR)),
        ((0.0, 0.0), (0.15, 0.15), None, ((0.15, 0.15), DETECTOR)),
        ((25.4, 25.4), None, "FIDUCIAL", (None, None)),
        ((0.13,), None, "FIDUCIAL", (None, None)),
        ((float("nan"), 0.1), None, None, (None, None)),
    ],
)
def test_spacing_as_the_standard_has_it(pixel, detector, kind, expected) -> None:
    assert film_spacing(pixel, detector, kind) == expected


@given(st.floats(0.05, 0.4), st.floats(1.02, 1.6))
def test_a_magnification_corrected_is_calibrated(detector_mm: float, magnification: float) -> None:
    patient = (detector_mm / magnification,) * 2
    assert film_spacing(patient, (detector_mm,) * 2, None) == (patient, CALIBRATED)


@pytest.mark.parametrize(
    ("position", "orientation", "meaning", "view"),
    [
        ("LL", None, None, FilmView.LATERAL),
        ("RL", "L\\F", None, FilmView.LATERAL),
        ("LATERAL", None, None, FilmView.LATERAL),
        ("AP", None, None, FilmView.AP),
        ("PA", "A\\F", None, FilmView.AP),
        ("LAO", None, None, FilmView.OTHER),
        ("LLD", "A\\F", None, None),
        (None, "A\\F", None, FilmView.LATERAL),
        ("", "P\\FR", None, FilmView.LATERAL),
        (None, "L\\F", None, FilmView.AP),
        (None, "F\\A", None, FilmView.LATERAL),
        (None, "L\\P", None, None),
        (None, "A", None, None),
        (None, None, "left lateral", FilmView.LATERAL),
        (None, None, "antero-posterior", FilmView.AP),
        (None, None, "left anterior oblique", FilmView.OTHER),
        ("SPECIAL", None, None, None),
        (None, None, None, None),
    ],
)
def test_view_in_our_words(position, orientation, meaning, view) -> None:
    assert header_view(position, orientation, meaning) == view


@pytest.mark.parametrize(
    ("orientation", "side"),
    [
        ("A\\F", PictureSide.RIGHT),
        ("P\\F", PictureSide.LEFT),
        ("PL\\FA", PictureSide.LEFT),
        ("L\\F", None),
        ("F\\A", None),
        ("x\\y", None),
        (None, None),
    ],
)
def test_the_front_of_the_patient(orientation, side) -> None:
    assert header_anterior_side(orientation) == side


@pytest.mark.parametrize("turns", range(4))
def test_the_rotation_puts_the_head_up(turns: int) -> None:
    """A picture that is upright, then turned as stored: the header of what is stored turns it back."""
    upright = np.arange(6).reshape(3, 2)
    stored = np.rot90(upright, -turns)
    toward = {0: "A\\F", 1: "H\\A", 2: "P\\H", 3: "F\\P"}[turns]
    degrees = header_rotation_deg(toward)
    assert degrees == 90 * turns
    assert np.array_equal(np.rot90(stored, degrees // 90), upright)


def test_no_rotation_without_a_head() -> None:
    assert header_rotation_deg("L\\P") is None and header_rotation_deg(None) is None
