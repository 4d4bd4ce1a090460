"""Voxels and the patient: any orientation, handedness and shear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vfscreen.geometry.volume import Volume

AXES = st.tuples(st.permutations(range(3)), st.tuples(*[st.sampled_from((-1, 1))] * 3)).map(
    lambda a: np.eye(3)[:, a[0]] * np.array(a[1])
)


def volume(axes: np.ndarray, turn: tuple[float, float, float], shear: float) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ axes * np.array([0.7, 0.9, 2.5])
    affine[:3, 2] += shear * affine[:3, 1]
    affine[:3, 3] = (-30, 12, 99)
    return Volume(np.zeros((6, 8, 10), np.int16), affine)


@given(AXES, st.tuples(*[st.floats(-1, 1)] * 3), st.floats(-0.5, 0.5), st.tuples(*[st.floats(-5, 15)] * 3))
def test_there_and_back(
    axes: np.ndarray, turn: tuple[float, float, float], shear: float, ijk: tuple[float, ...]
) -> None:
    v = volume(axes, turn, shear)
    assert v.to_ijk(v.to_lps(np.array(ijk))) == pytest.approx(ijk, abs=1e-9)


@given(AXES, st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0, 3))
def test_contains_up_to_the_faces(axes: np.ndarray, turn: tuple[float, float, float], margin: float) -> None:
    v = volume(axes, turn, 0.0)
    for axis, (count, spacing) in enumerate(zip(v.shape_ijk, v.spacing_mm, strict=True)):
        middle = (np.array(v.shape_ijk) - 1) / 2
        for face, inward in ((-0.5, 1), (count - 0.5, -1)):
            at = middle.astype(float)
            at[axis] = face + inward * (margin + 0.01) / spacing
            fits = 2 * margin + 0.02 < min(n * s for n, s in zip(v.shape_ijk, v.spacing_mm, strict=True))
            assert v.contains(v.to_lps(at), margin) == fits or not fits
            at[axis] = face + inward * (margin - 0.01) / spacing
            assert not v.contains(v.to_lps(at), margin)


def test_bounds() -> None:
    low, high = volume(np.eye(3), (0, 0, 0), 0.0).bounds_lps_mm
    assert low == pytest.approx([-30, 12, 99])
    assert high == pytest.approx([-30 + 9 * 0.7, 12 + 7 * 0.9, 99 + 5 * 2.5])
