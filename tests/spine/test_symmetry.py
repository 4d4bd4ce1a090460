"""The mid-sagittal plane is found where it is, and nowhere where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.spine.symmetry import mirror_planes

AFFINE = np.array([[1.0, 0, 0, -50.0], [0, 1.0, 0, -40.0], [0, 0, 2.0, 0], [0, 0, 0, 1.0]])
SHAPE_KJI = (60, 101, 101)
LINE = Centreline.from_points(np.array([[0.0, 0.0, 110.0], [0.0, 0.0, 8.0]]))
CENTRES = np.array([[12.0, 0.0], [36.0, 0.0], [60.0, 0.0], [84.0, 0.0]])


def column(left_mm: float, lesion_hu: float = 0.0) -> Volume:
    """Body, pedicles, transverse and spinous processes, symmetric about x = left_mm; a lesion on the left is not."""
    y, x = np.mgrid[: SHAPE_KJI[1], : SHAPE_KJI[2]].astype(float)
    y, x = y - 40.0, x - 50.0 - left_mm
    blobs = [(0, 0, 14, 11, 250), (-12, 16, 4, 6, 350), (12, 16, 4, 6, 350), (0, 34, 3, 9, 300)]
    blobs += [(-22, 20, 7, 3, 250), (22, 20, 7, 3, 250)]
    hu = sum(h * np.exp(-(((x - a) / w) ** 4) - ((y - b) / d) ** 4) for a, b, w, d, h in blobs)
    hu = hu + lesion_hu * np.exp(-(((x - 9) / 3) ** 2) - (y / 3) ** 2)
    return Volume(np.broadcast_to(np.round(hu), SHAPE_KJI).astype(np.int16), AFFINE)


@settings(max_examples=15, deadline=None)
@given(st.floats(-5.0, 5.0))
def test_a_column_beside_the_centreline_is_found_there(left_mm: float) -> None:
    planes = mirror_planes(column(left_mm), LINE, CENTRES)
    assert planes == pytest.approx(np.full(4, left_mm), abs=0.3)


def test_a_mirrored_volume_has_mirrored_planes() -> None:
    volume = column(2.3, lesion_hu=150.0)
    mirrored = Volume(volume.hu, np.diag([-1.0, 1, 1, 1]) @ volume.affine_lps)
    here, there = (mirror_planes(v, LINE, CENTRES) for v in (volume, mirrored))
    assert there == pytest.approx(-here, abs=1e-6)
    assert np.abs(here).min() > 1.0


def test_without_structure_the_centreline_stays() -> None:
    assert not mirror_planes(Volume(np.full(SHAPE_KJI, 40, np.int16), AFFINE), LINE, CENTRES).any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_vertebrae_to_agree_leave_the_centreline(count: int) -> None:
    assert mirror_planes(column(3.0), LINE, CENTRES[:count]) == pytest.approx(np.zeros(count))
