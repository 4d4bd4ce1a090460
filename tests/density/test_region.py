"""The region measures spongy bone and nothing else, however the volume was scanned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.density.phantoms import LEVELS, bodies, grid, scene
from vfscreen.density.frame import body_frame
from vfscreen.density.region import Region, body_region
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.settings_density import RegionSettings

SETTINGS = RegionSettings()
SCANS = {
    "1 mm": {"spacing_mm": (0.8, 0.8, 1.0)},
    "2.5 mm": {"spacing_mm": (0.8, 0.8, 2.5)},
    "5 mm": {"spacing_mm": (0.8, 0.8, 5.0)},
    "fine": {"spacing_mm": (0.4, 0.4, 0.7), "top": "L1", "bottom": "L1", "width_mm": 60.0, "depth_mm": 60.0},
    "gantry tilted": {"spacing_mm": (0.8, 0.8, 2.5), "tilt_deg": 15.0},
    "patient tilted": {
        "spacing_mm": (0.8, 0.8, 2.0),
        "turn": Rotation.from_euler("xyz", [8.0, 6.0, 10.0], degrees=True),
        "depth_mm": 130.0,
    },
}


def regions(volume: Volume, spec: object, levels: tuple[str, ...] = LEVELS) -> dict[str, Region | None]:
    found = {}
    for body in bodies(spec, volume, levels):
        frame = None if body.keypoints_lps_mm is None else body_frame(body.keypoints_lps_mm)
        assert body.vertebra_level is not None
        found[body.vertebra_level] = None if frame is None else body_region(volume, frame, SETTINGS)
    return found


@pytest.mark.parametrize("seed", [3, 11])
@pytest.mark.parametrize("scan", SCANS)
def test_the_mean_is_the_bones_own_value_within_2_hu(scan: str, seed: int) -> None:
    """With noise of 15 HU or more, texture, a cortex of hundreds of HU around, and thick slices."""
    patient = scene(seed, noise_hu=15.0)
    volume = patient.render(*grid(patient.spec, **SCANS[scan]), np.random.default_rng(1), table=False)
    measured = {k: r for k, r in regions(volume, patient.spec).items() if r is not None}
    assert len(measured) >= (1 if scan == "fine" else 4)
    for level, region in measured.items():
        assert float(region.hu.mean()) == pytest.approx(patient.spec.spongy_hu(level), abs=2.0), level
        assert region.volume_mm3 > SETTINGS.volume_min_mm3


def test_small_upper_bodies_are_measured_without_bias() -> None:
    """A few hundred voxels: their noise alone is some HU, so there is none here."""
    patient = scene(3)
    levels = ("T4", "T5", "T6", "T7", "T8", "T9")
    for slices in (1.0, 5.0):
        affine, shape = grid(patient.spec, "T4", "T9", spacing_mm=(0.7, 0.7, slices))
        volume = patient.render(affine, shape, None, table=False)
        measured = {k: r for k, r in regions(volume, patient.spec, levels).items() if r is not None}
        assert len(measured) >= 4
        for level, region in measured.items():
            assert float(region.hu.mean()) == pytest.approx(patient.spec.spongy_hu(level), abs=2.0), (level, slices)


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_reversed_and_reordered_copies_give_the_same_voxels(axes: tuple[int, int, int]) -> None:
    patient = scene(3)
    volume = patient.render(*grid(patient.spec, spacing_mm=(0.45, 0.8, 1.5), top="L1", bottom="L2"), None, table=False)
    reversed_hu = volume.hu[::-1, :, ::-1]
    affine = volume.affine_lps.copy()
    i, _, k = volume.shape_ijk
    affine[:3, 3] += affine[:3, 0] * (i - 1) + affine[:3, 2] * (k - 1)
    affine[:3, [0, 2]] *= -1
    order = [2 - axis for axis in axes][::-1]
    other = Volume(np.transpose(reversed_hu, axes), affine[:, [*order, 3]])
    probe = np.array([10.0, 20.0, 5.0])
    assert other.hu[5, 20, 10] == volume.hu[tuple(np.rint(volume.to_ijk(other.to_lps(probe))).astype(int)[::-1])]
    here, there = regions(volume, patient.spec, ("L1",))["L1"], regions(other, patient.spec, ("L1",))["L1"]
    assert here is not None and there is not None
    assert np.array_equal(np.sort(here.hu), np.sort(there.hu))
    assert here.volume_mm3 == pytest.approx(there.volume_mm3)


def test_a_body_at_the_edge_or_too_small_has_no_region() -> None:
    patient = scene(3)
    affine, shape = grid(patient.spec, "L1", "L2", spacing_mm=(0.9, 0.9, 2.0))
    volume = patient.render(affine, shape, None, table=False)
    (body,) = bodies(patient.spec, volume, ("L1",))
    assert body.keypoints_lps_mm is not None
    frame = body_frame(body.keypoints_lps_mm)
    assert frame is not None and body_region(volume, frame, SETTINGS) is not None
    row = int(np.rint(volume.to_ijk(frame.origin_lps_mm))[1])
    front_missing = Volume(volume.hu[:, row - 4 :], volume.affine_lps.copy())
    front_missing.affine_lps[:3, 3] += volume.affine_lps[:3, 1] * (row - 4)
    assert body_region(front_missing, frame, SETTINGS) is None
    small = body_frame(frame.origin_lps_mm + 0.4 * (body.keypoints_lps_mm - frame.origin_lps_mm))
    assert small is not None and body_region(volume, small, SETTINGS) is None


def test_padding_is_no_measurement() -> None:
    patient = scene(3)
    affine, shape = grid(patient.spec, "L1", "L1", spacing_mm=(0.9, 0.9, 2.0))
    volume = patient.render(affine, shape, None, table=False)
    (body,) = bodies(patient.spec, volume, ("L1",))
    assert body.keypoints_lps_mm is not None
    frame = body_frame(body.keypoints_lps_mm)
    assert frame is not None
    whole = body_region(volume, frame, SETTINGS)
    k, j, i = np.rint(volume.to_ijk(frame.to_lps(np.array([0.0, -5.0, 0.0])))).astype(int)[::-1]
    volume.hu[k, j - 2 : j + 2, i - 2 : i + 2] = AIR_HU
    holed = body_region(volume, frame, SETTINGS)
    assert whole is not None and holed is not None
    assert holed.hu.min() > AIR_HU and holed.hu.size == whole.hu.size - 16
