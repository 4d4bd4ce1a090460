"""Height-loss warps: invertible, exact on points, neighbours unharmed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.training.warps import RowWarp, height_loss_warp

P = np.arange(-60.0, 60.1, 1.0)


def box(row: float, height: float = 24.0, depth: float = 30.0) -> np.ndarray:
    return np.array([(row + s * height / 2, a * depth / 2) for a in (-1, 0, 1) for s in (-1, 1)])


def warp_of(anterior_mm: float, middle_mm: float, posterior_mm: float, share: float) -> RowWarp:
    loss = np.interp(P, [-15.0, 0.0, 15.0], [anterior_mm, middle_mm, posterior_mm])
    return height_loss_warp(box(100.0), box(68.0), box(132.0), P, share * loss, (1 - share) * loss)


loss_mm = st.floats(0.0, 14.0)


@settings(max_examples=60, deadline=None)
@given(loss_mm, loss_mm, loss_mm, st.floats(0, 1), st.floats(20.0, 200.0), st.integers(0, P.size - 1))
def test_inverse_undoes_forward(a: float, m: float, p: float, share: float, row: float, column: int) -> None:
    warp = warp_of(a, m, p, share)
    moved = warp.forward(np.array([row, P[column]]))
    back = warp.inverse_rows(moved[:1])[0, column]
    assert abs(back - row) < 1e-2


@settings(max_examples=60, deadline=None)
@given(loss_mm, loss_mm, loss_mm, st.floats(0, 1))
def test_tissue_is_never_folded(a: float, m: float, p: float, share: float) -> None:
    rows = warp_of(a, m, p, share).inverse_rows(np.arange(0.0, 250.0, 0.5))
    assert (np.diff(rows, axis=0) >= 0).all()


def test_a_wedge_loses_what_was_asked_and_its_neighbours_nothing() -> None:
    warp = warp_of(8.0, 4.0, 0.0, 1.0)
    heights = np.diff(warp.forward(box(100.0))[:, 0].reshape(3, 2), axis=1)[:, 0]
    np.testing.assert_allclose(heights, [16.0, 20.0, 24.0], atol=0.3)
    for row in (68.0, 132.0):
        neighbour = np.diff(warp.forward(box(row))[:, 0].reshape(3, 2), axis=1)[:, 0]
        np.testing.assert_allclose(neighbour, 24.0, rtol=0.05)


def test_the_biconcave_disc_takes_the_dent() -> None:
    warp = warp_of(0.0, 6.0, 0.0, 0.5)
    heights = np.diff(warp.forward(box(100.0))[:, 0].reshape(3, 2), axis=1)[:, 0]
    np.testing.assert_allclose(heights, [24.0, 18.0, 24.0], atol=0.3)
    np.testing.assert_allclose(warp.forward(box(68.0)), box(68.0), atol=0.1)


def test_a_body_never_vanishes() -> None:
    heights = np.diff(warp_of(40.0, 40.0, 40.0, 0.5).forward(box(100.0))[:, 0].reshape(3, 2), axis=1)
    assert (heights >= 0.1 * 24.0).all()
