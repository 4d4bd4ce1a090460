"""Reading the endplate network's distributions: modes, not means of everything, and spreads that grow with doubt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vfscreen.models.backends import TorchBackend
from vfscreen.models.cards import IntensityWindow
from vfscreen.models.endplates import CORNERS, EndplateDecode, PatchEndplateReader, decode_patches
from vfscreen.models.networks2d import EndplateNet
from vfscreen.spine.patches import PatchSpec

SIZE = 96
BODY = np.array([(24.2, 18.6), (70.9, 17.3), (33.5, 47.5), (60.25, 47.5), (25.1, 76.4), (72.3, 77.7)])
WINDOW = IntensityWindow(lower_hu=-300.0, upper_hu=1200.0, centre_hu=200.0, scale_hu=300.0)


def outputs_of(points: NDArray[np.float64], sharp: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a perfect network would say; endplates are parabolas through their three points."""
    rows, columns = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
    corners = [-((rows - r) ** 2 + (columns - c) ** 2) / (2 * sharp**2) for r, c in points[CORNERS]]
    plates = []
    for k in (0, 1):
        fit = np.polyfit(points[k::2, 1], points[k::2, 0], 2)
        plates.append(-((rows - np.polyval(fit, columns)) ** 2) / (2 * sharp**2))
    return np.stack(corners)[None].astype(np.float32), np.stack(plates)[None].astype(np.float32)


def test_points_come_back() -> None:
    reading = decode_patches(*outputs_of(BODY), EndplateDecode())
    np.testing.assert_allclose(reading.points[0], BODY, atol=0.15)
    # the middle lies half-way between the corners
    np.testing.assert_allclose(reading.points[0, 2, 1], BODY[[0, 4], 1].mean(), atol=0.1)
    np.testing.assert_allclose(reading.spread[0, CORNERS], 1.5, atol=0.1)


def test_of_two_candidates_one_is_taken_and_the_doubt_shows() -> None:
    corners, plates = outputs_of(BODY)
    other = BODY.copy()
    other[:, 0] += 20.0
    second, _ = outputs_of(other)
    mixed = np.logaddexp(corners, second - 0.4).astype(np.float32)
    reading = decode_patches(mixed, plates, EndplateDecode())
    np.testing.assert_allclose(reading.points[0, 0], BODY[0], atol=0.2)
    assert reading.spread[0, 0, 0] > 8.0 > reading.spread[0, 0, 1]


def test_points_at_the_border_stay_inside() -> None:
    points = BODY.copy()
    points[0] = (0.0, 0.0)
    points[5] = (95.0, 95.0)
    reading = decode_patches(*outputs_of(points), EndplateDecode())
    np.testing.assert_allclose(reading.points[0, [0, 5]], points[[0, 5]], atol=1.5)


def test_the_reader_checks_shapes_and_calibrates_spreads() -> None:
    torch.manual_seed(0)
    spec = PatchSpec()
    reader = PatchEndplateReader(
        TorchBackend(EndplateNet()), spec, WINDOW, EndplateDecode(sd_scale=2.0, sd_floor_mm=0.3)
    )
    with pytest.raises(ValueError, match="96, 96"):
        reader.read(np.zeros((1, 5, 64, 64), np.float32))
    assert reader.read(np.zeros((0, 5, 96, 96), np.float32)).points.shape == (0, 6, 2)
    assert reader.sd_mm(np.array([1.0]), 0.5)[0] == pytest.approx(np.hypot(1.0, 0.3))
    hu = np.random.default_rng(1).normal(100, 200, (2, 5, 96, 96)).astype(np.float32)
    read, mirrored = reader.read(hu), reader.read(hu[:, ::-1])
    np.testing.assert_allclose(read.points, mirrored.points, atol=1e-3)  # left and right cannot be told apart
