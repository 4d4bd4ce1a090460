"""Rendering: the truth lies where the pixels say, whatever the grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import DeformityType
from vfscreen.synthesis.anatomy import FractureSpec, PatientSpec, draw_patient, vertebra_truth
from vfscreen.synthesis.bones import posterior_elements, rib_path
from vfscreen.synthesis.phantom import Scene, body_centres, render
from vfscreen.synthesis.surroundings import trunk_profile

FRACTURES = (
    FractureSpec("T8", DeformityType.WEDGE, 0.35),
    FractureSpec("L1", DeformityType.CRUSH, 0.45),
    FractureSpec("L3", DeformityType.BICONCAVE, 0.30),
)


def patient(seed: int = 11) -> PatientSpec:
    return draw_patient(np.random.default_rng(seed), FRACTURES, variant="none", scoliosis_deg=6.0)


def affine(spacing: tuple[float, float, float], origin: np.ndarray) -> np.ndarray:
    found = np.diag([*spacing, 1.0])
    found[:3, 3] = origin
    return found


def around(centre: np.ndarray, size_mm: float, step_mm: float) -> tuple[np.ndarray, tuple[int, int, int]]:
    count = round(size_mm / step_mm)
    return affine((step_mm,) * 3, centre - 0.5 * size_mm), (count, count, count)


def sample(volume: Volume, lps: np.ndarray) -> np.ndarray:
    ijk = volume.to_ijk(lps)
    return map_coordinates(volume.hu.astype(np.float64), np.moveaxis(ijk[..., ::-1], -1, 0), order=1, mode="nearest")


@pytest.mark.parametrize("level", ["T5", "T8", "T12", "L1", "L3", "L5"])
def test_the_endplates_rise_to_half_their_height_at_the_key_points(level: str) -> None:
    """Along the vertebra's axis, a 1 mm grid: within half a voxel at the middle, a voxel at the rounded corners."""
    spec = replace(patient(), disc_gas=(), blur_mm=0.4)
    vertebra = spec.vertebra(level)
    (truth,) = (t for t in vertebra_truth(spec) if t.level == level)
    volume = render(spec, *around(truth.centre_lps_mm, 64.0, 1.0))
    steps = np.arange(-3.0, 2.01, 0.05)  # from inside (negative) to outside
    for index, point in enumerate(truth.keypoints_lps_mm):
        outward = vertebra.frame[2] * (1.0 if index % 2 == 0 else -1.0)
        corner = index // 2 != 1
        if corner:  # just inside of the rim, where the endplate has not yet been rounded off
            point = point + vertebra.frame[1] * (1.0 if index < 2 else -1.0)
        profile = sample(volume, point + steps[:, None] * outward)
        peak, disc = profile[steps < 1.0].max(), profile[steps > 0].min()
        top = int(np.argmax(np.where(steps < 1.0, profile, -2000)))
        crossing = steps[top + int(np.argmax(profile[top:] < 0.5 * (peak + disc)))]
        assert peak - disc > 60, (level, index, peak, disc)
        assert abs(crossing) <= (1.0 if corner else 0.5), (level, index, crossing)


@pytest.mark.parametrize("level", ["T6", "T12", "L2"])
def test_the_anterior_wall_stands_at_the_anterior_points(level: str) -> None:
    spec = replace(patient(), blur_mm=0.4)
    vertebra = spec.vertebra(level)
    (truth,) = (t for t in vertebra_truth(spec) if t.level == level)
    volume = render(spec, *around(truth.centre_lps_mm, 64.0, 0.8))
    for side, pair in ((-1.0, truth.keypoints_lps_mm[:2]), (1.0, truth.keypoints_lps_mm[4:])):
        # one fifth below the superior corner the waist has hardly begun
        point = pair[0] + 0.08 * (pair[1] - pair[0])
        steps = np.arange(-4.0, 3.0, 0.05)
        profile = sample(volume, point + steps[:, None] * side * vertebra.frame[1])
        inside = profile[steps < 0].max()
        outside = profile[steps > 1.5].min()
        top = int(np.argmax(np.where(steps < 1.0, profile, -2000)))
        crossing = steps[top + int(np.argmax(profile[top:] < 0.5 * (inside + outside)))]
        assert abs(crossing) < 1.2, (level, side, crossing)


@given(
    order=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    level=st.sampled_from(["T6", "L1", "L5"]),
)
@settings(max_examples=12, deadline=None)
def test_turned_and_mirrored_grids_show_the_same_voxels(
    order: list[int], flips: tuple[bool, bool, bool], level: str
) -> None:
    spec = patient()
    scene = Scene.of(spec)
    base, shape = affine((1.5, 1.5, 1.5), body_centres(spec)[level] - 30.0), (40, 40, 40)
    reference = scene.render(base, shape, None)
    turned = base.copy()
    for axis in range(3):
        turned[:3, axis] = base[:3, order[axis]] * (-1.0 if flips[axis] else 1.0)
    turned[:3, 3] = base[:3, 3] + sum(base[:3, order[a]] * 39 for a in range(3) if flips[a])
    volume = scene.render(turned, shape, None)
    back = np.transpose(volume.hu, (2, 1, 0))  # [i, j, k] of the turned grid
    back = back[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    back = np.transpose(back, np.argsort(order)).transpose(2, 1, 0)
    assert np.abs(back.astype(int) - reference.hu).max() <= 2


def test_an_oblique_and_sheared_grid_shows_the_same_patient() -> None:
    spec = patient()
    scene = Scene.of(spec)
    centre = body_centres(spec)["L2"]
    straight = scene.render(*around(centre, 90.0, 1.0), None)
    tilt = np.radians(20.0)
    oblique = np.eye(4)
    oblique[:3, 0] = [np.cos(0.3), np.sin(0.3), 0.0]
    oblique[:3, 1] = np.array([-np.sin(0.3) * np.cos(tilt), np.cos(0.3) * np.cos(tilt), np.sin(tilt)])
    oblique[:3, 2] = [0.0, 0.0, 1.0]  # sheared, as a tilted gantry leaves it
    oblique[:3, 3] = centre - oblique[:3, :3] @ np.full(3, 19.5)
    volume = scene.render(oblique, (40, 40, 40), None)
    k, j, i = np.meshgrid(*[np.arange(40)] * 3, indexing="ij")
    expected = sample(straight, volume.to_lps(np.stack([i, j, k], axis=-1).astype(float)))
    assert np.corrcoef(expected.ravel(), volume.hu.ravel())[0, 1] > 0.97
    assert abs(float((expected - volume.hu).mean())) < 6.0


def test_a_coarse_whole_body_grid_keeps_the_mean_of_the_fine_one() -> None:
    scene = Scene.of(patient())
    centre = body_centres(scene.spec)["L2"]
    fine = scene.render(*around(centre, 96.0, 1.0), None).hu.astype(float)
    coarse = scene.render(affine((4.0, 4.0, 4.0), centre - 48.0 + 1.5), (24, 24, 24), None).hu.astype(float)
    blocks = fine.reshape(24, 4, 24, 4, 24, 4).mean(axis=(1, 3, 5))
    assert abs(float((blocks - coarse).mean())) < 12.0
    assert np.corrcoef(blocks.ravel(), coarse.ravel())[0, 1] > 0.93


def test_chunks_leave_no_seam() -> None:
    scene = Scene.of(patient())
    base, (i, j, k) = around(body_centres(scene.spec)["T10"], 60.0, 1.0)
    whole = scene.render(base, (i, j, k), None).hu
    moved = base.copy()
    moved[2, 3] += 17.0
    part = scene.render(moved, (i, j, k - 17), None).hu
    assert np.abs(part.astype(int) - whole[17:]).max() <= 1  # the last bit of a float may round the other way


def test_noise_is_the_only_chance_and_follows_its_seed() -> None:
    scene = Scene.of(patient())
    grid = around(body_centres(scene.spec)["L1"], 40.0, 1.0)
    one, same = (scene.render(*grid, np.random.default_rng(4)).hu for _ in range(2))
    other, none = scene.render(*grid, np.random.default_rng(5)).hu, scene.render(*grid, None).hu
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    spread = float((one.astype(float) - none).std())
    assert 0.5 * scene.spec.noise_hu < spread < 2.0 * scene.spec.noise_hu


def test_tissues_have_their_hounsfield_units() -> None:
    spec = patient()
    centres = body_centres(spec)
    volume = render(spec, affine((2.0, 2.0, 2.0), centres["T9"] - [200, 200, 160]), (200, 180, 120))
    body = sample(volume, np.stack([centres[lv] + [0, -2, 0] for lv in ("T8", "T9", "T10")]))
    assert (np.abs(body - spec.trabecular_hu) < 60).all()
    lung = sample(volume, centres["T8"] + np.array([[60.0, -20, 0], [-60.0, -20, 0]]))
    assert (lung < -700).all()
    assert volume.hu[60, 0, 0] < -950


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ribs_begin_beside_their_own_vertebra(seed: int) -> None:
    spec = draw_patient(np.random.default_rng(seed), [], variant="none")
    centres = body_centres(spec)
    for level in (f"T{n}" for n in range(1, 13)):
        for side in (-1.0, 1.0):
            head = rib_path(spec, level, side)[0]
            nearest = min(centres, key=lambda lv: float(np.linalg.norm(head - centres[lv])))
            wall = abs((head - spec.vertebra(level).centre_lps_mm) @ spec.vertebra(level).frame[0])
            assert nearest == level
            assert wall - 0.5 * spec.vertebra(level).width < 6.0


def test_a_steep_last_vertebra_has_a_back_too() -> None:
    rng = np.random.default_rng([98, 56])
    rng.choice(7)
    spec = draw_patient(rng, fracture_probability=0.15, variant="L6")
    tip = posterior_elements(spec.vertebra("L6"))[-1]
    away = np.abs(np.array([tip.start[2], tip.end[2]]) - spec.vertebra("L6").centre_lps_mm[2])
    assert away.min() > 25.0, "its process lies at another height than its body"
    assert np.isfinite(trunk_profile(spec).back).all()
