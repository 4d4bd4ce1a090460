"""Projection: points fall where beads do, known solids have their known paths, slots magnify columns alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfscreen.geometry.volume import Volume
from vfscreen.synthesis.projection import BONE_FROM_HU, FilmGeometry, Part, project

SHAPE = (36, 40, 44)


def empty(hu: int = -1000, spacing: tuple[float, float, float] = (1.5, 1.2, 1.4)) -> Volume:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -0.5 * (np.array(SHAPE[::-1]) - 1) * spacing
    return Volume(np.full(SHAPE, hu, dtype=np.int16), affine)


def turned_axes(volume: Volume, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same voxels stored along other axes."""
    hu, affine = volume.hu, volume.affine_lps.copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (volume.shape_ijk[axis] - 1)
            affine[:3, axis] *= -1
            hu = np.flip(hu, 2 - axis)
    affine[:3, :3] = affine[:3, list(order)]
    return Volume(np.ascontiguousarray(hu.transpose([2 - order[2 - a] for a in range(3)])), affine)


BEAD_MASS = 4.0 * 2.0**3


def bead(ijk: tuple[int, int, int]) -> Volume:
    """Three voxels wide, half as dense at its rim."""
    volume = empty()
    line = np.array([0.5, 1.0, 0.5])
    i, j, k = ijk
    around = slice(k - 1, k + 2), slice(j - 1, j + 2), slice(i - 1, i + 2)
    volume.hu[around] = -1000 + 4000 * line[:, None, None] * line[:, None] * line
    return volume


angle = st.floats(-12.0, 12.0)
geometries = st.builds(
    FilmGeometry,
    centre_lps_mm=st.tuples(*[st.floats(-6.0, 6.0)] * 3).map(np.array),
    rows=st.just(211),
    columns=st.just(203),
    view=st.sampled_from(["lateral", "ap"]),
    source_detector_mm=st.floats(1000.0, 1800.0),
    source_axis_mm=st.floats(500.0, 900.0),
    pixel_mm=st.floats(0.8, 1.1),
    yaw_deg=angle,
    roll_deg=angle,
    pitch_deg=angle,
    slot=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(
    geometries,
    st.tuples(st.integers(6, 37), st.integers(6, 33), st.integers(6, 29)),
    st.permutations([0, 1, 2]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 60),
)
def test_a_bead_falls_where_its_point_does(
    geometry: FilmGeometry,
    ijk: tuple[int, int, int],
    order: tuple[int, int, int],
    flips: tuple[bool, bool, bool],
    cut: int,
) -> None:
    volume = bead(ijk)
    geometry = geometry.rows_between(cut, 205)
    place = volume.to_lps(np.array(ijk, dtype=float))
    film = project(turned_axes(volume, order, flips), geometry)
    at = film.to_px(place)
    if (at < 8).any() or (at > np.array(film.bone.shape) - 9).any():
        return
    weight = (film.soft + film.bone).astype(np.float64)
    centre = np.array([(weight * grid).sum() for grid in np.indices(weight.shape)]) / weight.sum()
    np.testing.assert_allclose(centre, at, atol=0.1)
    # what a bead takes away is its mass, spread by the magnification
    across = geometry.pixel_mm / geometry.magnification(place)
    along = geometry.axis_pixel_mm if geometry.slot else across
    assert weight.sum() * across * along == pytest.approx(BEAD_MASS * np.prod(volume.spacing_mm), rel=0.04)


def test_the_path_through_a_box_is_its_thickness() -> None:
    volume = empty()
    volume.hu[10:26, 8:32, 12:32] = 0  # 20 voxels of 1.5 mm along x, 24 of 1.2 mm along y
    film = project(volume, FilmGeometry(np.zeros(3), 9, 9, "lateral", 1e6, 1e6 - 1000))
    assert film.soft[4, 4] == pytest.approx(20 * 1.5, rel=1e-3)
    film = project(volume, FilmGeometry(np.zeros(3), 9, 9, "ap", 1e6, 1e6 - 1000))
    assert film.soft[4, 4] == pytest.approx(24 * 1.2, rel=1e-3)
    turned = project(volume, FilmGeometry(np.zeros(3), 9, 9, "lateral", 1e6, 1e6 - 1000, yaw_deg=10.0))
    assert turned.soft[4, 4] == pytest.approx(20 * 1.5 / np.cos(np.radians(10)), rel=0.01)
    assert film.bone.max() == 0.0


def test_the_path_through_a_ball_is_its_chord() -> None:
    volume = empty(spacing=(1.0, 1.0, 1.0))
    k, j, i = np.indices(SHAPE)
    radius = np.linalg.norm(volume.to_lps(np.stack([i, j, k], axis=-1).astype(float)), axis=-1)
    volume.hu[:] = np.where(radius < 14.0, 1000, -1000)
    geometry = FilmGeometry(np.zeros(3), 121, 121, "lateral", 1200.0, 800.0, 0.5)
    film = project(volume, geometry)
    water = film.soft + film.bone
    for offset in (0.0, 4.0, 8.0, 11.0):
        column = round(float(geometry.to_px(np.array([0.0, offset, 0.0]))[1]))
        passes = (column - 60) * 0.5 / 1200.0 * 800.0 * np.cos(np.arctan((column - 60) * 0.5 / 1200.0))
        assert water[60, column] == pytest.approx(2 * 2 * np.sqrt(14.0**2 - passes**2), rel=0.03)
    assert film.bone[60, 60] == pytest.approx(2 * 14.0 * (1000 - BONE_FROM_HU) / 1000, rel=0.03)


def test_magnification_is_that_of_similar_triangles() -> None:
    geometry = FilmGeometry(np.zeros(3), 401, 401, "lateral", 1500.0, 1000.0, 1.0)
    near, far = np.array([-100.0, 0, 0]), np.array([100.0, 0, 0])
    assert geometry.magnification(near) == pytest.approx(1500 / 900)
    assert geometry.magnification(far) == pytest.approx(1500 / 1100)
    up = np.array([0.0, 0.0, 20.0])
    rows = geometry.to_px(np.stack([near, near + up]))[:, 0]
    assert rows[0] - rows[1] == pytest.approx(20 * 1500 / 900)
    assert geometry.to_px(np.array([0.0, 30.0, 0.0]))[1] > geometry.middle_px[1]  # the back is to the right


def test_a_slot_magnifies_columns_alone() -> None:
    geometry = FilmGeometry(np.zeros(3), 401, 401, "lateral", 1300.0, 950.0, 0.5, slot=True)
    for x in (-120.0, 120.0):
        px = geometry.to_px(np.array([[x, 0.0, 0.0], [x, 25.0, 25.0]]))
        assert px[0, 0] - px[1, 0] == pytest.approx(25.0 / geometry.axis_pixel_mm)
        assert px[1, 1] - px[0, 1] == pytest.approx(25.0 * 1300 / (950 + x) / 0.5)


def test_parts_add_up_and_large_voxels_may_be_binned() -> None:
    rng = np.random.default_rng(0)
    volume = empty()
    volume.hu[8:28, 8:32, 10:34] = rng.integers(-900, 800, (5, 6, 6)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    geometry = FilmGeometry(np.zeros(3), 150, 140, "lateral", 1200.0, 900.0, 0.5, yaw_deg=3, roll_deg=-4)
    whole = project(volume, geometry)
    share = np.broadcast_to(np.linspace(0, 1, SHAPE[2], dtype=np.float32), SHAPE)
    halves = project([Part(volume, share), Part(volume, 1 - share)], geometry)
    np.testing.assert_allclose(halves.soft, whole.soft, atol=1e-2)
    binned = project([Part(volume, None, 2)], geometry)
    assert binned.soft.shape == whole.soft.shape
    assert np.abs(binned.soft - whole.soft).mean() < 0.02 * whole.soft.max()


def test_a_film_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        FilmGeometry(np.zeros(3), 10, 10).rows_between(6, 5)


def test_nothing_in_the_beam_is_nothing_on_the_film() -> None:
    film = project(empty(), FilmGeometry(np.zeros(3), 20, 20))
    assert not film.soft.any()
    assert not film.bone.any()
