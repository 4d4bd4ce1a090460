"""The slab's pixels and the patient: two ways, everywhere, and honest about what was not scanned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.spine.straighten import SlabSpec, straighten

T = np.linspace(0, 1, 150)
LINE = Centreline.from_points(np.stack([40 + 8 * np.sin(3 * T), 45 + 12 * np.cos(3 * T), 140 - 120 * T], axis=1))


def ramp() -> Volume:
    """HU = 2x + 3y + z: what trilinear interpolation must give back exactly."""
    k, j, i = np.indices((80, 90, 80))
    return Volume((2 * i + 3 * j + 2 * k).astype(np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))


@pytest.mark.parametrize("spec", [SlabSpec(), SlabSpec(0.75, 30, 40, 10, (-2.0, 0.0, 5.0))])
def test_pixels_hold_what_lies_at_their_position(spec: SlabSpec) -> None:
    slab = straighten(ramp(), LINE, spec)
    rows, columns = np.meshgrid(np.arange(slab.hu.shape[1]), np.arange(slab.hu.shape[2]), indexing="ij")
    for plane, offset in enumerate(spec.plane_offsets_mm):
        lps = slab.to_lps(np.stack([rows, columns], axis=-1).astype(float), offset)
        inner = ramp().contains(lps, margin_mm=1.1)
        expected = 2 * lps[..., 0] + 3 * lps[..., 1] + lps[..., 2]
        np.testing.assert_allclose(slab.hu[plane][inner], expected[inner], atol=0.01)
        np.testing.assert_array_equal(slab.inside[plane], ramp().contains(lps))
        assert (slab.hu[plane][~slab.inside[plane]] == AIR_HU).all()


@given(st.floats(30, 130), st.floats(20, 75), st.floats(-6, 6))
def test_to_lps_and_back(row: float, column: float, offset: float) -> None:
    slab = straighten(ramp(), LINE, SlabSpec())
    back = slab.from_lps(slab.to_lps(np.array([row, column]), offset))
    assert back == pytest.approx([row, column, offset], abs=0.05)


def test_hung_as_a_radiologist_does() -> None:
    """Row 0 superior, column 0 anterior, planes from the patient's right to left."""
    slab = straighten(ramp(), LINE, SlabSpec())
    top, bottom = slab.to_lps(np.array([[30.0, 48], [100.0, 48]]))
    front, back = slab.to_lps(np.array([[70.0, 20], [70.0, 80]]))
    right, left = slab.to_lps(np.array([70.0, 48]), -6), slab.to_lps(np.array([70.0, 48]), 6)
    assert top[2] > bottom[2] and front[1] < back[1] and right[0] < left[0]
