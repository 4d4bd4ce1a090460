"""Decoding of the vertebra network: what is put into its output comes out as detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from vfscreen.models.cards import IntensityWindow
from vfscreen.models.networks2d import OFFSET_SCALE, STRIDE
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.models.vertebra import (
    DecodeParameters,
    SlabVertebraDetector,
    decode,
    load_vertebra_detector,
    window_hu,
)
from vfscreen.schema.names import LEVELS
from vfscreen.spine.straighten import SlabSpec

ROWS, COLUMNS = 160, 96
PARAMETERS = DecodeParameters(sd_floor_mm=0.0)


def body(row: float, column: float = 48.0, height: float = 24.0, depth: float = 30.0) -> NDArray[np.float64]:
    """Six points of an upright box."""
    return np.array([(row + s * height / 2, column + a * depth / 2) for a in (-1, 0, 1) for s in (-1, 1)])


def output_of(
    bodies: list[NDArray[np.float64]], scores: list[float], bias_px: float = 0.0
) -> dict[str, NDArray[np.float32]]:
    """What a perfect network would say of these bodies; `bias_px` shifts the regressed rows, not the heat maps."""
    shape = (ROWS // STRIDE, COLUMNS // STRIDE)
    out = {
        "centre": np.full((1, 1, *shape), -8.0, np.float32),
        "offsets": np.zeros((1, 12, *shape), np.float32),
        "log_scales": np.zeros((1, 12, *shape), np.float32),
        "levels": np.zeros((1, len(LEVELS), *shape), np.float32),
        "fracture": np.zeros((1, 1, *shape), np.float32),
        "points": np.full((1, 6, ROWS, COLUMNS), -30.0, np.float32),
    }
    grid = np.stack(np.meshgrid(np.arange(ROWS), np.arange(COLUMNS), indexing="ij"), axis=-1)
    for i, (points, score) in enumerate(zip(bodies, scores, strict=True)):
        cell = np.rint((points.mean(axis=0) + 0.5) / STRIDE - 0.5).astype(int)
        where = (cell[0], cell[1])
        out["centre"][0, 0][where] = np.log(score / (1 - score))
        offsets = points + np.array([bias_px, 0.0]) - ((cell + 0.5) * STRIDE - 0.5)
        out["offsets"][0][(slice(None), *where)] = offsets.ravel() / OFFSET_SCALE
        out["levels"][0][(LEVELS.index("L1") + i, *where)] = 5.0
        out["fracture"][0, 0][where] = 2.0
        for k, point in enumerate(points):
            bell = -((grid - point) ** 2).sum(axis=-1) / 2.0
            out["points"][0, k] = np.maximum(out["points"][0, k], bell)
    return out


def test_bodies_come_back_in_order_with_points_levels_and_sd() -> None:
    bodies = [body(100.0), body(40.3, 51.6)]
    found = decode(output_of(bodies, [0.9, 0.8]), PARAMETERS, pixel_mm=1.0, rows=ROWS)
    assert [round(d.score, 3) for d in found] == [0.8, 0.9]
    np.testing.assert_allclose(found[0].keypoints, bodies[1], atol=0.05)
    np.testing.assert_allclose(found[1].keypoints, bodies[0], atol=0.05)
    assert LEVELS[int(found[1].level_scores.argmax())] == "L1"
    assert np.exp(found[0].level_scores).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found[0].keypoint_sd_mm, 1.0, atol=0.1)  # the bells have a standard deviation of 1 px
    assert found[0].fracture_score == pytest.approx(1 / (1 + np.exp(-2.0)))


@pytest.mark.parametrize("bias", [-4.0, 3.0])
def test_the_heat_map_corrects_a_wrong_regression(bias: float) -> None:
    truth = body(80.0)
    found = decode(output_of([truth], [0.9], bias_px=bias), PARAMETERS, 1.0, ROWS)
    np.testing.assert_allclose(found[0].keypoints, truth, atol=0.1)
    unrefined = decode(output_of([truth], [0.9], bias_px=bias), replace(PARAMETERS, refine_steps=0), 1.0, ROWS)
    np.testing.assert_allclose(unrefined[0].keypoints, truth + np.array([bias, 0.0]), atol=0.05)


def test_two_peaks_on_one_body_are_one_vertebra_and_the_better_one_stays() -> None:
    found = decode(output_of([body(80.0), body(86.0)], [0.6, 0.95]), PARAMETERS, 1.0, ROWS)
    assert len(found) == 1
    assert found[0].score == pytest.approx(0.95, abs=1e-3)


def test_collapsed_neighbours_are_both_kept() -> None:
    flat = [body(60.0, height=10.0), body(74.0, height=10.0)]
    assert len(decode(output_of(flat, [0.9, 0.9]), PARAMETERS, 1.0, ROWS)) == 2


def test_a_body_cut_by_the_image_keeps_its_points_outside() -> None:
    cut = body(6.0)
    found = decode(output_of([cut], [0.9]), PARAMETERS, 1.0, ROWS)
    np.testing.assert_allclose(found[0].keypoints[0::2, 0], cut[0::2, 0], atol=0.05)
    assert found[0].keypoints[0, 0] < 0


def test_nothing_is_found_in_the_padding() -> None:
    assert decode(output_of([body(140.0)], [0.9]), PARAMETERS, 1.0, rows=120) == []


def test_window_clips_and_scales() -> None:
    window = IntensityWindow(lower_hu=-300, upper_hu=1200, centre_hu=200, scale_hu=300)
    values = window_hu(np.array([-1024, 200, 500, 3000], np.float32), window)
    np.testing.assert_allclose(values, [-500 / 300, 0, 1, 1000 / 300], rtol=1e-6)


@pytest.fixture(scope="module")
def shipped() -> SlabVertebraDetector:
    return load_vertebra_detector(WEIGHTS_DIR / "vertebra-v1.yaml", device="cpu")


def test_shipped_detector_sees_nothing_in_air_and_takes_any_length(shipped: SlabVertebraDetector) -> None:
    spec = shipped.slab_spec
    for rows in (0, 1, 33, 200):
        hu = np.full((len(spec.plane_offsets_mm), rows, spec.columns), -1024.0, np.float32)
        assert shipped.detect(hu) == []


def test_shipped_detector_refuses_another_slab(shipped: SlabVertebraDetector) -> None:
    with pytest.raises(ValueError, match="planes"):
        shipped.detect(np.zeros((1, 64, SlabSpec().columns), np.float32))
