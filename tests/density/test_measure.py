"""A column as a whole: reasons, what depends on the header, and independence of how the volume is stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.density.phantoms import LEVELS, bodies, grid, scene
from vfscreen.density.acquisition import NO_HEADER, Acquisition
from vfscreen.density.measure import Body, measure_density
from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import CalibrationKind, ContrastPhase, DensityReason
from vfscreen.settings_density import DensitySettings
from vfscreen.synthesis.anatomy import PatientSpec

SETTINGS = DensitySettings()
PLAIN = Acquisition(kvp_kV=120.0, kernel="B30f", slice_thickness_mm=2.0)


def rendered(phase: ContrastPhase = ContrastPhase.NON_CONTRAST) -> tuple[Volume, PatientSpec]:
    patient = scene(3, phase)
    affine, shape = grid(patient.spec, width_mm=190.0, depth_mm=170.0, spacing_mm=(1.1, 1.1, 2.0))
    return patient.render(affine, shape, np.random.default_rng(5), table=False), patient.spec


def of(result: tuple[SeriesDensity, tuple[VertebraDensity, ...]], level: str) -> VertebraDensity:
    return result[1][LEVELS.index(level)]


def test_corrected_values_of_an_enhanced_scan_at_100_kv_are_those_of_a_plain_one() -> None:
    volume, spec = rendered(ContrastPhase.PORTAL_VENOUS)
    at_100 = Volume(volume.hu + np.int16(7), volume.affine_lps)  # what 100 kV adds to bone, all over
    series, found = measure_density(at_100, bodies(spec, volume), replace(PLAIN, kvp_kV=100.0), SETTINGS)
    assert series.contrast_phase is ContrastPhase.PORTAL_VENOUS
    assert series.contrast_header_disagrees is True
    assert series.reference_levels == ("L1",)
    for level, d in zip(LEVELS, found, strict=True):
        assert d.trabecular_hu_mean == pytest.approx(spec.spongy_hu(level) + 7.0, abs=2.5)
        assert (d.kvp_correction_hu, d.contrast_correction_hu) == (pytest.approx(-7.0), -15.0)
        assert d.trabecular_hu_corrected == pytest.approx(spec.native_hu(level), abs=2.5)
        assert d.valid and d.reasons == ()
    assert series.reference_hu_corrected == of((series, found), "L1").trabecular_hu_corrected


def test_without_a_header_the_raw_value_stands_alone() -> None:
    volume, spec = rendered()
    series, found = measure_density(volume, bodies(spec, volume), NO_HEADER, SETTINGS)
    assert series.reference_hu == pytest.approx(spec.spongy_hu("L1"), abs=2.0)
    assert series.reference_hu_corrected is None and series.category is None
    assert series.contrast_header_disagrees is None
    for d in found:
        assert d.valid is False and d.reasons == (DensityReason.KVP_MISSING,)
        assert d.trabecular_hu_mean is not None and d.trabecular_hu_corrected is None


def test_reasons_stand_beside_the_value_and_the_reference_falls_back() -> None:
    volume, spec = rendered()
    column = bodies(spec, volume)
    l1 = LEVELS.index("L1")
    column[l1] = replace(column[l1], genant_grade=2)
    column[LEVELS.index("L3")] = Body("L3", None, None)
    column[0] = replace(column[0], vertebra_level=None)
    result = measure_density(volume, column, PLAIN, SETTINGS)
    assert of(result, "L1").reasons == (DensityReason.FRACTURED,) and of(result, "L1").valid is False
    assert of(result, "L1").trabecular_hu_mean is not None
    assert of(result, "L3").reasons == (DensityReason.TRUNCATED,)
    assert of(result, "L3").valid is None and of(result, "L3").trabecular_hu_mean is None
    assert result[1][0].reasons == (DensityReason.LEVEL_UNKNOWN,)
    series = result[0]
    assert series.reference_levels == ("T12", "L2")
    values = [of(result, level).trabecular_hu_mean for level in ("T12", "L2")]
    assert series.reference_hu == pytest.approx(np.mean(np.array(values, dtype=float)))


@pytest.mark.parametrize("what", ["metal", "gas", "thick"])
def test_what_is_no_spongy_bone_counts_for_nothing(what: str) -> None:
    volume, spec = rendered()
    acquisition = PLAIN
    centre = volume.to_ijk(spec.vertebra("L1").to_lps(np.array([0.0, -5.0, 0.0])))
    i, j, k = np.rint(centre).astype(int)
    block = np.s_[k - 5 : k + 6, j - 9 : j + 10, i - 12 : i + 13]
    if what == "metal":
        volume.hu[k - 1 : k + 2, j - 1 : j + 2, i - 2 : i + 3] = 2800
        wanted = DensityReason.METAL
    elif what == "gas":
        volume.hu[block] = -300
        wanted = DensityReason.NOT_BONE
    else:
        acquisition = replace(PLAIN, slice_thickness_mm=7.5)
        wanted = DensityReason.THICK_SLICES
    result = measure_density(volume, bodies(spec, volume), acquisition, SETTINGS)
    assert wanted in of(result, "L1").reasons and of(result, "L1").valid is False
    assert result[0].reference_levels == (() if what == "thick" else ("T12", "L2"))


def test_bridging_bone_in_the_region_makes_it_sclerotic() -> None:
    volume, spec = rendered()
    i, j, k = np.rint(volume.to_ijk(spec.vertebra("L1").to_lps(np.array([0.0, -10.0, 0.0])))).astype(int)
    volume.hu[:, j - 4 : j, i - 12 : i + 13][k - 9 : k + 10] = 900
    found = of(measure_density(volume, bodies(spec, volume), PLAIN, SETTINGS), "L1")
    assert DensityReason.SCLEROTIC in found.reasons
    assert found.trabecular_hu_mean is not None and found.trabecular_hu_median is not None
    assert found.trabecular_hu_mean > found.trabecular_hu_median + SETTINGS.region.skew_max_hu


def test_the_value_does_not_depend_on_how_the_volume_is_stored_nor_on_the_side() -> None:
    volume, spec = rendered(ContrastPhase.PORTAL_VENOUS)
    column = bodies(spec, volume)
    here = measure_density(volume, column, PLAIN, SETTINGS)
    affine = volume.affine_lps.copy()
    i, j, k = volume.shape_ijk
    affine[:3, 3] += affine[:3, :3] @ (np.array([i, j, k]) - 1.0)
    affine[:3, :3] *= -1
    reversed_copy = Volume(
        np.ascontiguousarray(np.transpose(volume.hu[::-1, ::-1, ::-1], (2, 1, 0))), affine[:, [2, 1, 0, 3]]
    )
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = Volume(volume.hu, mirror @ volume.affine_lps)
    images = [
        b if b.keypoints_lps_mm is None else replace(b, keypoints_lps_mm=b.keypoints_lps_mm * [-1, 1, 1])
        for b in column
    ]
    for other in (
        measure_density(reversed_copy, column, PLAIN, SETTINGS),
        measure_density(mirrored, images, PLAIN, SETTINGS),
    ):
        assert other[0].contrast_phase is here[0].contrast_phase
        assert other[0].reference_hu == pytest.approx(here[0].reference_hu, abs=0.05)
        for a, b in zip(here[1], other[1], strict=True):
            assert a.trabecular_hu_mean == pytest.approx(b.trabecular_hu_mean, abs=0.05)
            assert a.trabecular_volume_mm3 == pytest.approx(b.trabecular_volume_mm3, rel=2e-3)
            assert (a.reasons, a.focal_lesion) == (b.reasons, b.focal_lesion)


def test_an_empty_column_has_no_density() -> None:
    volume, _ = rendered()
    series, found = measure_density(volume, [], PLAIN, SETTINGS)
    assert found == () and series == SeriesDensity(calibration_kind=CalibrationKind.NONE)
