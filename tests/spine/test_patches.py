"""Patches lie on their vertebra, whatever way the volume was stored, and their pixels map back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.training import columns
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.spine.patches import PatchFrame, PatchSpec, body_axes, sample_patches

LEFT = np.array([1.0, 0.0, 0.0])
SPEC = PatchSpec()
POINTS = columns.vertebrae()[1].keypoints_lps_mm


def test_the_body_has_the_depth_the_spec_gives_it_and_stands_upright() -> None:
    frame = PatchFrame.of(POINTS, LEFT, SPEC)
    pixels = frame.from_lps(POINTS)
    assert pixels[4, 1] - pixels[0, 1] == pytest.approx(SPEC.body_depth_px)
    np.testing.assert_allclose(pixels[0::2, 0], pixels[0, 0])
    assert (pixels[1::2, 0] > pixels[0::2, 0]).all()
    np.testing.assert_allclose(body_axes(pixels)[0], SPEC.middle)


@settings(deadline=None)
@given(
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.lists(st.floats(-20, 120), min_size=12, max_size=12),
)
def test_pixels_map_to_the_patient_and_back(
    turn: tuple[float, float, float], shift: tuple[float, float, float], values: list[float]
) -> None:
    rotation = Rotation.from_rotvec(turn)
    frame = PatchFrame.of(rotation.apply(POINTS) + shift, rotation.apply(LEFT), SPEC)
    pixels = np.array(values).reshape(6, 2)
    np.testing.assert_allclose(frame.from_lps(frame.to_lps(pixels)), pixels, atol=1e-6)
    np.testing.assert_allclose(frame.from_lps(frame.to_lps(pixels) + 7.0 * frame.left), pixels, atol=1e-6)


def test_a_very_small_and_a_very_large_body_keep_to_the_pixel_limits() -> None:
    for size, expected in ((0.2, SPEC.pixel_min_mm), (5.0, SPEC.pixel_max_mm)):
        assert PatchFrame.of(POINTS * size, LEFT, SPEC).pixel_mm == expected


def test_points_without_depth_have_no_frame() -> None:
    with pytest.raises(ValueError, match="coincide"):
        PatchFrame.of(np.repeat(POINTS[:1], 6, axis=0), LEFT, SPEC)


def test_the_endplates_are_seen_where_the_points_are() -> None:
    frame = PatchFrame.of(POINTS, LEFT, SPEC)
    hu = sample_patches(columns.ct(), [frame])[0]
    assert hu.shape == (5, SPEC.rows, SPEC.columns)
    for row, column in frame.from_lps(POINTS)[[2, 3]]:
        profile = hu[2, round(row) - 4 : round(row) + 5, round(column)]
        assert profile.min() < 120 < 430 < profile.max()


def test_a_sample_is_the_volume_at_its_place_in_any_storage_order() -> None:
    rng = np.random.default_rng(0)
    volume = columns.ct()
    volume = Volume((volume.hu + rng.normal(0, 30, volume.hu.shape)).astype(np.int16), volume.affine_lps)
    tilted = Rotation.from_rotvec([0.2, -0.1, 0.15])
    frame = PatchFrame.of(tilted.apply(POINTS - POINTS[0]) + POINTS[0], tilted.apply(LEFT), SPEC)
    hu = sample_patches(volume, [frame])
    reversed_axis = volume.affine_lps.copy()
    reversed_axis[:3, 3] += reversed_axis[:3, 0] * (volume.hu.shape[2] - 1)
    reversed_axis[:3, 0] *= -1
    same = sample_patches(Volume(np.ascontiguousarray(volume.hu[:, :, ::-1]), reversed_axis), [frame])
    np.testing.assert_allclose(hu, same, atol=0.01)
    # by hand, at one pixel of the second plane
    at = volume.to_ijk(frame.to_lps(np.array([30.0, 41.0])) - 3.0 * frame.left)
    low = np.floor(at).astype(int)
    share, total = at - low, 0.0
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, 1 - share))
        i, j, k = low + corner
        total += weight * volume.hu[k, j, i]
    assert hu[0, 1, 30, 41] == pytest.approx(total, abs=0.01)


def test_outside_the_volume_there_is_air() -> None:
    frame = PatchFrame.of(POINTS + np.array([0, 0, 500.0]), LEFT, SPEC)
    assert (sample_patches(columns.ct(), [frame]) == AIR_HU).all()
