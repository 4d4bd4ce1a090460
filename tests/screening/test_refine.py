"""A second look: it corrects the detector, is refused where it leaves the vertebra, and is not taken of a cut one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training import columns
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import Detection, PatchReading
from vfscreen.schema.names import LEVELS
from vfscreen.screening.refine import DOUBT_MM, read_points
from vfscreen.spine.patches import PatchSpec
from vfscreen.spine.straighten import SlabSpec, StraightenedSlab, straighten

SPEC = PatchSpec()


class BoxReader:
    """Sees the box: rows and columns of the bone's bounding box about the patch's centre. `shift`: pixels it is off."""

    patch_spec = SPEC

    def __init__(self, shift: float = 0.0) -> None:
        self.calls = 0
        self.shift = shift

    def read(self, hu: NDArray[np.float32]) -> PatchReading:
        self.calls += 1
        points = np.zeros((len(hu), 6, 2))
        for n, patch in enumerate(hu):
            bone = patch[2] > 275.0
            row, column = (int(v) for v in SPEC.middle)
            top = bottom = row
            while top > 0 and bone[top - 1, column]:
                top -= 1
            while bottom < SPEC.rows - 1 and bone[bottom + 1, column]:
                bottom += 1
            front = back = column
            while front > 0 and bone[row, front - 1]:
                front -= 1
            while back < SPEC.columns - 1 and bone[row, back + 1]:
                back += 1
            box = [(r, c) for c in (front, (front + back) / 2, back) for r in (top, bottom)]
            points[n] = np.array(box) + self.shift
        return PatchReading(points, np.ones((len(hu), 6, 2)))

    def sd_mm(self, spread_px: NDArray[np.float64], pixel_mm: float) -> NDArray[np.float64]:
        return spread_px * pixel_mm


def slab_and_detections(bias_mm: float) -> tuple[Volume, StraightenedSlab, list[Detection]]:
    """Detections whose bodies are `bias_mm` too high and sit 2 mm too low."""
    volume = columns.ct()
    slab = straighten(volume, columns.centreline(), SlabSpec())
    found = []
    for vertebra in columns.vertebrae():
        points = slab.from_lps(vertebra.keypoints_lps_mm)[:, :2]
        points[0::2, 0] += 2.0 - bias_mm / 2
        points[1::2, 0] += 2.0 + bias_mm / 2
        found.append(Detection(0.9, points.mean(axis=0), points, np.full((6, 2), 0.7), np.zeros(len(LEVELS)), 0.1))
    return volume, slab, found


def heights(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(points[0::2] - points[1::2], axis=1)


def test_without_a_reader_the_detections_stand() -> None:
    volume, slab, detections = slab_and_detections(3.0)
    points = read_points(volume, slab, detections, np.zeros(4), None)
    for read, detection in zip(points, detections, strict=True):
        np.testing.assert_allclose(read.keypoints_lps_mm, slab.to_lps(detection.keypoints))
        np.testing.assert_array_equal(read.sd_mm, detection.keypoint_sd_mm)


def test_a_biased_detection_is_corrected() -> None:
    volume, slab, detections = slab_and_detections(6.0)
    reader = BoxReader()
    points = read_points(volume, slab, detections, np.full(4, 1.5), reader)
    assert reader.calls == 1
    for read, truth in zip(points, columns.vertebrae(), strict=True):
        np.testing.assert_allclose(heights(read.keypoints_lps_mm), columns.HEIGHT, atol=1.2)
        np.testing.assert_allclose(read.keypoints_lps_mm[:, 1:], truth.keypoints_lps_mm[:, 1:], atol=1.0)
        np.testing.assert_allclose(read.keypoints_lps_mm[:, 0], truth.keypoints_lps_mm[:, 0] + 1.5, atol=0.01)
        np.testing.assert_allclose(heights(read.plane_mm), heights(read.keypoints_lps_mm), atol=1e-6)


@pytest.mark.parametrize("shift", [-30.0, 30.0])
def test_a_reading_of_something_else_is_refused(shift: float) -> None:
    volume, slab, detections = slab_and_detections(1.0)
    points = read_points(volume, slab, detections, np.zeros(4), BoxReader(shift))
    for read, detection in zip(points, detections, strict=True):
        np.testing.assert_allclose(read.keypoints_lps_mm, slab.to_lps(detection.keypoints))


def test_a_wall_that_was_not_seen_is_the_detectors_and_stays_in_doubt() -> None:
    volume, slab, detections = slab_and_detections(2.0)

    class Doubtful(BoxReader):
        def read(self, hu: NDArray[np.float32]) -> PatchReading:
            reading = super().read(hu)
            reading.spread[:, [1, 3], 0] = 2 * DOUBT_MM / 0.4
            return reading

    sure = read_points(volume, slab, detections, np.zeros(4), BoxReader())
    unsure = read_points(volume, slab, detections, np.zeros(4), Doubtful())
    for a, b, detection in zip(sure, unsure, detections, strict=True):
        np.testing.assert_allclose(b.keypoints_lps_mm[:2], slab.to_lps(detection.keypoints)[:2], atol=0.05)
        others = [2, 3, 4, 5]  # a middle in doubt stays where it was read
        np.testing.assert_allclose(b.keypoints_lps_mm[others], a.keypoints_lps_mm[others])
        assert b.sd_mm[1, 0] > DOUBT_MM


def test_a_cut_vertebra_is_not_read_again() -> None:
    volume, slab, detections = slab_and_detections(0.0)
    above = columns.vertebrae()[0].keypoints_lps_mm[:, 2].mean()
    k = round(float(volume.to_ijk(np.array([0.0, 0.0, above]))[2]))
    cut = Volume(volume.hu[:k], volume.affine_lps)
    points = read_points(cut, slab, detections, np.zeros(4), BoxReader())
    np.testing.assert_allclose(points[0].keypoints_lps_mm, slab.to_lps(detections[0].keypoints))
    assert np.abs(points[1].keypoints_lps_mm - slab.to_lps(detections[1].keypoints)).max() > 0.5
