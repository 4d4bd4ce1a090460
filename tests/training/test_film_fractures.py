"""Fractures in three dimensions: tissue goes where its points go, and only the column moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.training.film_bodies import FilmBody
from vfscreen.training.film_fractures import ColumnWarp, FractureSettings, draw_fractures, fractured, warp_volume
from vfscreen.training.readings import ReadVertebra

LEVELS = ("T11", "T12", "L1", "L2", "L3")


@pytest.fixture(scope="module")
def body() -> FilmBody:
    """Five boxes of 24 mm, 32 mm apart, along a column that leans and bends; soft tissue around."""
    z = np.arange(0.0, 231.0, 3.0)
    path = np.stack([0.03 * z, 18.0 * np.sin(z / 120.0), -z], axis=1)
    curve = Centreline.from_points(path)
    corners = [(s * 12.0, a * 15.0, 0.0) for a in (-1, 0, 1) for s in (-1, 1)]
    vertebrae = tuple(
        ReadVertebra(level, True, 0.9, curve.to_lps(np.array(corners) + np.array([40.0 + 32.0 * n, 0.0, 0.0])))
        for n, level in enumerate(LEVELS)
    )
    affine = np.diag([3.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-50.0, -80.0, -228.0]
    return FilmBody("bent", Volume(np.full((112, 80, 36), -1000, np.int16), affine), None, curve, vertebrae)


@pytest.fixture(scope="module", params=["spline", "power"])
def drawn(body: FilmBody, request: pytest.FixtureRequest) -> tuple[ColumnWarp, np.ndarray]:
    warp, lost = draw_fractures(body, FractureSettings(share=0.6, family=request.param), np.random.default_rng(5))
    assert warp is not None
    return replace(warp, impaction=0.0), lost


def test_a_bead_goes_where_its_point_goes(body: FilmBody, drawn: tuple[ColumnWarp, np.ndarray]) -> None:
    warp, _ = drawn
    moved = 0.0
    # beads in bodies far enough apart that one does not touch the next
    starts = [v.keypoints_lps_mm[k] for v, k in zip(body.vertebrae[::2], (0, 3, 4), strict=True)]
    hu = body.fine.hu.copy()
    voxels = [np.rint(body.fine.to_ijk(start)).astype(int) for start in starts]
    for i, j, k in voxels:
        hu[k - 1 : k + 2, j, i] = [0, 1000, 0]
    out = warp_volume(Volume(hu, body.fine.affine_lps), warp).hu.astype(float) + 1000
    for ijk in voxels:
        place = warp.forward(body.fine.to_lps(ijk.astype(float)))
        moved = max(moved, float(np.linalg.norm(place - body.fine.to_lps(ijk.astype(float)))))
        at = np.rint(body.fine.to_ijk(place)).astype(int)
        low = np.maximum(at - [3, 4, 5], 0)
        box = out[low[2] : at[2] + 6, low[1] : at[1] + 5, low[0] : at[0] + 4]
        kji = np.array([(box * grid).sum() for grid in np.indices(box.shape)]) / box.sum()
        found = body.fine.to_lps(kji[::-1] + low)
        assert np.linalg.norm(found - place) < 0.5
    assert moved > 1.0


def test_lost_is_what_the_points_lost(body: FilmBody, drawn: tuple[ColumnWarp, np.ndarray]) -> None:
    warp, lost = drawn
    touched = np.isfinite(lost)
    assert touched.any()
    for vertebra, share in zip(body.vertebrae, lost, strict=True):
        after = replace(vertebra, keypoints_lps_mm=warp.forward(vertebra.keypoints_lps_mm))
        taken = float((1 - after.heights_mm / vertebra.heights_mm).max())
        if np.isfinite(share):
            assert taken == pytest.approx(share, abs=0.04)  # the curve bends between the two endplates
        else:  # a neighbour is stretched or pressed a little where it fades
            assert abs(taken) < 0.2


def test_far_from_the_column_nothing_moves(body: FilmBody, drawn: tuple[ColumnWarp, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    volume = Volume(rng.integers(-100, 100, body.fine.hu.shape).astype(np.int16), body.fine.affine_lps)
    after = warp_volume(volume, drawn[0])
    changed = np.argwhere(after.hu != volume.hu)[:, ::-1]
    spl = body.centreline.from_lps(volume.to_lps(changed[:: max(len(changed) // 2000, 1)].astype(float)))
    assert np.abs(spl[:, 2]).max() <= 40.5
    assert spl[:, 1].min() >= -15.0 - 46.0
    assert spl[:, 1].max() <= 15.0 + 63.0


def test_the_same_draw_gives_the_same_body(body: FilmBody) -> None:
    first, second = (draw_fractures(body, FractureSettings(share=0.5), np.random.default_rng(9))[0] for _ in range(2))
    assert first is not None and second is not None
    points = [v.keypoints_lps_mm for v in fractured(body, first).vertebrae]
    np.testing.assert_array_equal(points, [second.forward(v.keypoints_lps_mm) for v in body.vertebrae])


def test_doubtful_points_are_left_alone(body: FilmBody) -> None:
    doubtful = replace(body, vertebrae=tuple(replace(v, confidence=0.2) for v in body.vertebrae))
    warp, lost = draw_fractures(doubtful, FractureSettings(share=1.0), np.random.default_rng(0))
    assert warp is None
    assert np.isnan(lost).all()
