"""The film detector reads what its network's output holds, in strip pixels, and refuses what is no strip."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models.test_vertebra import body, output_of
from vfscreen.models.cards import FilmCard
from vfscreen.models.film_vertebra import StripVertebraDetector
from vfscreen.models.vertebra import DecodeParameters
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.spine.film_strip import StripSpec

SPEC = StripSpec(pixels_a_body_height=24.0, anterior=2.0, posterior=2.0, margin=1.0)
BODIES = [body(40.0), body(75.0), body(110.0)]


class Says:
    """A back end that keeps what it was shown and says what it was told."""

    name = "says"

    def __init__(self) -> None:
        self.shown: NDArray[np.float32] | None = None

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self.shown = image
        return output_of(BODIES, [0.9, 0.8, 0.7])


def detector(backend: Says) -> StripVertebraDetector:
    tone = FilmCard(long_side_px=None, sigma_px=24.0, floor=0.03)
    return StripVertebraDetector(backend, SPEC, tone, DecodeParameters(sd_floor_mm=0.0), GradeCalibration())


def test_detections_are_in_strip_pixels() -> None:
    backend = Says()
    strip = np.random.default_rng(0).normal(size=(150, SPEC.columns)).astype(np.float32)
    found = detector(backend).detect(strip, np.ones(strip.shape, dtype=bool))
    assert [d.score for d in found] == pytest.approx([0.9, 0.8, 0.7])
    for d, truth in zip(found, BODIES, strict=True):
        np.testing.assert_allclose(d.keypoints, truth, atol=0.15)
        assert d.keypoint_sd_mm == pytest.approx(np.ones((6, 2)), rel=0.1), "bells of one pixel"
    assert backend.shown is not None and backend.shown.shape == (1, 1, 160, 96)
    assert (backend.shown[0, 0, 150:] == 0).all(), "padding looks like what lies outside a film"


def test_the_scale_of_values_does_not_matter() -> None:
    one, other = Says(), Says()
    strip = np.random.default_rng(0).normal(size=(150, SPEC.columns)).astype(np.float32)
    inside = np.ones(strip.shape, dtype=bool)
    detector(one).detect(strip, inside)
    detector(other).detect(1000.0 * strip + 5.0, inside)
    assert one.shown is not None and other.shown is not None
    np.testing.assert_allclose(one.shown, other.shown, atol=0.05)


def test_what_is_no_strip_is_refused_and_an_empty_one_is_empty() -> None:
    wrong = np.zeros((50, SPEC.columns + 1), dtype=np.float32)
    with pytest.raises(ValueError, match="96 columns wanted"):
        detector(Says()).detect(wrong, np.ones(wrong.shape, dtype=bool))
    nothing = np.zeros((50, SPEC.columns), dtype=np.float32)
    assert detector(Says()).detect(nothing, np.zeros(nothing.shape, dtype=bool)) == []
