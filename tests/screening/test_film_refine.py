"""A second look at a film's bodies: it corrects the detector, is refused where it leaves the body, and is not taken of
a cut one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.film_bars import bar_case
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.geometry.upright import UprightFilm
from vfscreen.models.ports import Detection, PatchReading
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.schema.names import LEVELS
from vfscreen.screening.film_refine import DETECTOR_DEPTHS, refined
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.spine.film_strip import FilmStrip, StripSpec, straighten_film
from vfscreen.training.film_truth import true_course

SPEC = FilmPatchSpec()
DETECTED_SD = 1e-3  # strip pixels
DETECTOR_SD_PX = DETECTOR_DEPTHS * SPEC.body_depth_px


@dataclass
class BoxReader:
    """Sees the bright box about a patch's centre. shift: pixels it is off. doubt: spread of the posterior rows."""

    shift: float = 0.0
    doubt: float = 1.0
    patch_spec = SPEC
    grade_calibration = GradeCalibration()

    def read(self, patches: NDArray[np.float32], inside: NDArray[np.bool_]) -> PatchReading:
        points, spread = np.zeros((len(patches), 6, 2)), np.ones((len(patches), 6, 2))
        for n, patch in enumerate(patches):
            row, column = (int(v) for v in SPEC.middle)
            down, across = patch[:, column] > 6.0, patch[row] > 6.0
            top, bottom = row - _run(down[row::-1]), row + _run(down[row:])
            front, back = column - _run(across[column::-1]), column + _run(across[column:])
            points[n] = [(r, c) for c in (front, (front + back) / 2, back) for r in (top, bottom)]
        spread[:, 4:, 0] = self.doubt
        return PatchReading(points + self.shift, spread)

    def sd_px(self, spread_px: NDArray[np.float64]) -> NDArray[np.float64]:
        return spread_px


def _run(bright: NDArray[np.bool_]) -> int:
    """How far the first run of True reaches."""
    dark = np.flatnonzero(~bright)
    return int(dark[0]) - 1 if len(dark) else len(bright) - 1


@pytest.fixture(params=[False, True], ids=["faces left", "faces right"])
def scene(request: pytest.FixtureRequest) -> tuple[UprightFilm, FilmStrip, list[Detection], NDArray[np.float64]]:
    """A film of boxes and detections that are 30 % too tall; the true points, pixels of the film."""
    case = bar_case()
    image, points = case.bone, case.points.astype(np.float64)
    if request.param:
        image = np.ascontiguousarray(image[:, ::-1])
        points = points * [1.0, -1.0] + [0.0, image.shape[1] - 1]
    upright = UprightFilm.of(Radiograph(image, np.ones(image.shape, dtype=bool), None, None), 0)
    strip = straighten_film(upright.image, upright.inside, true_course(points, request.param), StripSpec())
    found = []
    for body in points:
        centre = body.mean(axis=0)
        at = strip.from_px(centre + (body - centre) * [1.3, 1.0])
        found.append(Detection(0.9, at.mean(axis=0), at, np.full((6, 2), DETECTED_SD), np.zeros(len(LEVELS)), 0.1))
    return upright, strip, found, points


Scene = tuple[UprightFilm, FilmStrip, list[Detection], NDArray[np.float64]]


def heights(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(points[..., 0::2, :] - points[..., 1::2, :], axis=-1))


def test_without_a_reader_the_detections_stand(scene: Scene) -> None:
    upright, strip, found, _ = scene
    assert refined(upright, strip, found, None) == found
    assert refined(upright, strip, [], BoxReader()) == []


def test_detections_that_are_too_tall_are_corrected(scene: Scene) -> None:
    upright, strip, found, points = scene
    again = refined(upright, strip, found, BoxReader())
    for before, after, truth in zip(found, again, points, strict=True):
        px = strip.to_px(after.keypoints)
        assert np.abs(heights(strip.to_px(before.keypoints)) / heights(truth) - 1.3).max() < 0.02
        assert np.abs(heights(px) / heights(truth) - 1.0).max() < 0.06
        np.testing.assert_allclose(px, truth, atol=2.5)
        assert after.score == before.score and (after.centre == before.centre).all()
        # a spread of one patch pixel, in strip pixels: the body's 41 px of depth are 52 of a patch
        scale = 41.0 / SPEC.body_depth_px / float(strip.px_a_strip_px(after.centre))
        np.testing.assert_allclose(after.keypoint_sd_mm, scale, rtol=0.02)


@pytest.mark.parametrize("shift", [-24.0, 24.0])
def test_a_reading_of_something_else_is_refused(scene: Scene, shift: float) -> None:
    upright, strip, found, _ = scene
    assert refined(upright, strip, found, BoxReader(shift)) == found


def test_corners_are_weighed_by_what_each_look_saw_and_middles_are_the_second_looks(scene: Scene) -> None:
    upright, strip, found, _ = scene
    sure, even, unsure = (
        refined(upright, strip, found, BoxReader(doubt=doubt)) for doubt in (1e-3, DETECTOR_SD_PX, 1e4)
    )
    for before, seen, between, unseen in zip(found, sure, even, unsure, strict=True):
        np.testing.assert_allclose(unseen.keypoints[4:, 0], before.keypoints[4:, 0], atol=0.1)
        half = (seen.keypoints[4:, 0] + before.keypoints[4:, 0]) / 2
        np.testing.assert_allclose(between.keypoints[4:, 0], half, atol=0.1)
        np.testing.assert_allclose(unseen.keypoints[2:4], seen.keypoints[2:4], atol=1e-9)
        np.testing.assert_allclose(unseen.keypoints[:2], seen.keypoints[:2], atol=1e-9)


def test_points_that_coincide_are_the_detectors_and_the_others_are_read(scene: Scene) -> None:
    upright, strip, found, _ = scene
    flat = replace(found[0], keypoints=np.tile(found[0].centre, (6, 1)))
    again = refined(upright, strip, [flat, *found[1:]], BoxReader())
    assert again[0] is flat
    assert all(np.abs(a.keypoints - b.keypoints).max() > 1.0 for a, b in zip(again[1:], found[1:], strict=True))


def test_a_body_cut_by_the_edge_is_not_read_again(scene: Scene) -> None:
    upright, strip, found, _ = scene
    below = replace(found[0], keypoints=found[0].keypoints - np.array([60.0, 0.0]))
    again = refined(upright, strip, [below, *found[1:]], BoxReader())
    assert again[0] is below and np.abs(again[1].keypoints - found[1].keypoints).max() > 1.0
