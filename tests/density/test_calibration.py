"""mg/cm3 from the patient's own tissues, with an uncertainty that means something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.density.phantoms import bodies, grid, scene
from vfscreen.density.acquisition import Acquisition
from vfscreen.density.calibration import internal_calibration, scanner_curve, tissue_hu
from vfscreen.density.frame import body_frame
from vfscreen.density.planes import axial_planes
from vfscreen.schema.names import CalibrationKind, ContrastPhase
from vfscreen.settings_density import CalibrationSettings, ScannerCurve
from vfscreen.synthesis.surroundings import FAT_HU, MUSCLE_HU

SETTINGS = CalibrationSettings()


@given(slope=st.floats(0.6, 1.1), intercept=st.floats(-20, 20))
def test_tissues_on_a_line_give_the_line_back(slope: float, intercept: float) -> None:
    tissues = {t.tissue: ((t.density_mg_cm3[0] - intercept) / slope, 0.5) for t in SETTINGS.tissues}
    found = internal_calibration(tissues, SETTINGS)
    assert found is not None and found.kind is CalibrationKind.INTERNAL
    assert found.slope == pytest.approx(slope) and found.intercept == pytest.approx(intercept, abs=1e-6)
    density, sd = found.density_mg_cm3(150.0)
    assert density == pytest.approx(150.0 * slope + intercept)
    assert 2.0 < sd < 20.0


def test_the_uncertainty_covers_what_wrong_references_do() -> None:
    """Draw references within their stated deviations: the density scatters as the stated uncertainty says."""
    rng = np.random.default_rng(0)
    hu = {"air": (-1000.0, 0.5), "fat": (-100.0, 0.5), "muscle": (50.0, 0.5)}
    wanted, stated = [], 0.0
    for _ in range(400):
        drawn = tuple(
            t.model_copy(update={"density_mg_cm3": (0.8 * hu[t.tissue][0] - 5.0 + rng.normal(0, sd), sd)})
            for t in SETTINGS.tissues
            if t.tissue in hu
            for sd in [t.density_mg_cm3[1]]
        )
        found = internal_calibration(hu, SETTINGS.model_copy(update={"tissues": drawn}))
        assert found is not None
        density, sd = found.density_mg_cm3(140.0)
        wanted.append(density)
        stated += sd / 400
    assert np.mean(wanted) == pytest.approx(0.8 * 140.0 - 5.0, abs=2.0)
    assert 0.8 * np.std(wanted) < stated < 2.0 * np.std(wanted)


def test_too_few_tissues_give_none() -> None:
    assert internal_calibration({"fat": (-100.0, 1.0), "muscle": (50.0, 1.0)}, SETTINGS) is None
    same = dict.fromkeys(("fat", "muscle", "blood"), (40.0, 1.0))
    assert internal_calibration(same, SETTINGS) is None


@pytest.mark.parametrize("phase", [ContrastPhase.NON_CONTRAST, ContrastPhase.PORTAL_VENOUS])
def test_tissues_are_found_where_they_are(phase: ContrastPhase) -> None:
    patient = scene(3, phase)
    affine, shape = grid(patient.spec, "T12", "L3", width_mm=420.0, depth_mm=420.0, spacing_mm=(2.0, 2.0, 3.0))
    volume = patient.render(affine, shape, np.random.default_rng(0), table=True)
    frames = [
        (b.vertebra_level, body_frame(b.keypoints_lps_mm))
        for b in bodies(patient.spec, volume, ("T12", "L1", "L2", "L3"))
        if b.keypoints_lps_mm is not None
    ]
    planes = axial_planes(volume, [(level, f) for level, f in frames if f is not None])
    found = tissue_hu(planes, phase, SETTINGS)
    assert found["air"][0] == pytest.approx(-1000.0, abs=6.0)
    assert FAT_HU - 5.0 < found["fat"][0] < FAT_HU + 20.0  # the phantom has two kinds, 15 HU apart
    gain = 0.0 if phase is ContrastPhase.NON_CONTRAST else SETTINGS.muscle_enhancement_hu[0]
    assert found["muscle"][0] == pytest.approx(MUSCLE_HU - 8.0 - gain, abs=6.0)
    assert ("blood" in found) == (phase is ContrastPhase.NON_CONTRAST)
    calibration = internal_calibration(found, SETTINGS)
    assert calibration is not None and 0.7 < calibration.slope < 0.95


def test_a_scanner_curve_matches_its_scanner_and_voltage_only() -> None:
    curve = ScannerCurve(
        manufacturer="GE", model="", kvp_kV=120, slope_mg_cm3_per_hu=0.78, intercept_mg_cm3=2.0, sd_mg_cm3=4.0
    )
    settings = SETTINGS.model_copy(update={"scanner_curves": (curve,)})
    found = scanner_curve(Acquisition(kvp_kV=120.0, manufacturer="GE MEDICAL SYSTEMS"), settings)
    assert found is not None and found.kind is CalibrationKind.SCANNER_CURVE
    assert found.density_mg_cm3(100.0) == (pytest.approx(80.0), pytest.approx(4.0))
    assert scanner_curve(Acquisition(kvp_kV=100.0, manufacturer="GE MEDICAL SYSTEMS"), settings) is None
    assert scanner_curve(Acquisition(kvp_kV=120.0, manufacturer=None), settings) is None
    assert scanner_curve(Acquisition(manufacturer="GE"), settings) is None
