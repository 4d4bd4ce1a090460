"""A body's frame follows the body: turned, moved and mirrored bodies have turned, moved and mirrored frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vfscreen.density.frame import body_frame

BOX = np.array(
    [[0.0, -15, 12], [0, -15, -12], [0, 0, 11], [0, 0, -11], [0, 15, 13], [0, 15, -13]]
)  # u, v, w of the six points
ANGLES = st.tuples(*[st.floats(-40, 40) for _ in range(3)])
SHIFT = np.array([13.0, -70.0, 420.0])


@given(ANGLES)
def test_the_frame_turns_with_the_body(angles: tuple[float, float, float]) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True)
    frame = body_frame(turn.apply(BOX) + SHIFT)
    assert frame is not None
    assert np.allclose(frame.axes, turn.as_matrix().T, atol=1e-9)
    assert np.allclose(frame.axes @ frame.axes.T, np.eye(3))
    assert frame.depth_mm == pytest.approx(30.0)
    corner = frame.to_lps(np.array([0.0, frame.front_mm, frame.superior_w(np.array(frame.front_mm))]))
    assert np.allclose(corner, turn.apply(BOX[0]) + SHIFT)


@given(ANGLES)
def test_a_mirrored_body_has_a_mirrored_frame(angles: tuple[float, float, float]) -> None:
    mirror = np.array([-1.0, 1.0, 1.0])
    points = Rotation.from_euler("xyz", angles, degrees=True).apply(BOX)
    frame, image = body_frame(points), body_frame(points * mirror)
    assert frame is not None and image is not None
    sides = np.array([-1.0, 1.0, 1.0])[:, None]  # its left is the other's right
    assert np.allclose(image.axes, sides * frame.axes * mirror)


def test_the_endplates_pass_through_the_points() -> None:
    frame = body_frame(BOX)
    assert frame is not None
    for row, v in enumerate((-15.0, 0.0, 15.0)):
        assert frame.superior_w(np.array(v)) == pytest.approx(BOX[2 * row, 2])
        assert frame.inferior_w(np.array(v)) == pytest.approx(BOX[2 * row + 1, 2])


@pytest.mark.parametrize("collapsed", [BOX * [1, 1, 0.1], BOX * [1, 0.1, 1], BOX * 0.0])
def test_a_collapsed_body_has_no_frame(collapsed: np.ndarray) -> None:
    assert body_frame(collapsed) is None
