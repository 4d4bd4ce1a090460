"""Corrections come from the settings' tables, and what is unknown stays unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.density.acquisition import NO_HEADER, Acquisition
from vfscreen.density.contrast import Phase
from vfscreen.density.corrections import corrections, kernel_correction_hu, kvp_correction_hu
from vfscreen.schema.names import ContrastPhase, DensityReason
from vfscreen.settings_density import CorrectionSettings, KernelAddition

SETTINGS = CorrectionSettings()
PLAIN = Phase(ContrastPhase.NON_CONTRAST, 0.99)


@pytest.mark.parametrize(
    ("kvp", "added"),
    [(120.0, 0.0), (100.0, -7.0), (140.0, 10.0), (130.0, 5.0), (110.0, -3.5), (80.0, None), (150.0, None)],
)
def test_voltage_after_the_published_means(kvp: float, added: float | None) -> None:
    """131, 141 and 148 HU at 140, 120 and 100 kV: each brought to what 120 kV would have measured."""
    assert kvp_correction_hu(kvp, SETTINGS) == (None if added is None else pytest.approx(added))


@pytest.mark.parametrize(
    ("phase", "added"),
    [
        (PLAIN, 0.0),
        (Phase(ContrastPhase.ARTERIAL, 0.95), -20.0),
        (Phase(ContrastPhase.PORTAL_VENOUS, 0.95), -15.0),
        (Phase(ContrastPhase.DELAYED, 0.95), None),
        (Phase(ContrastPhase.PORTAL_VENOUS, 0.6), None),
        (Phase(None, None), None),
    ],
)
def test_contrast_is_taken_off_only_where_it_is_sure(phase: Phase, added: float | None) -> None:
    found = corrections(Acquisition(kvp_kV=120.0), phase, SETTINGS, 0.8)
    assert found.contrast_hu == added
    assert (DensityReason.CONTRAST_UNKNOWN in found.reasons) == (added is None)
    assert found.apply(150.0) == (None if added is None else 150.0 + added)


def test_a_missing_voltage_is_never_taken_for_120() -> None:
    found = corrections(NO_HEADER, PLAIN, SETTINGS, 0.8)
    assert found.kvp_hu is None and found.apply(150.0) is None
    assert found.reasons == (DensityReason.KVP_MISSING,)
    assert corrections(Acquisition(kvp_kV=80.0), PLAIN, SETTINGS, 0.8).reasons == (DensityReason.KVP_UNKNOWN,)


def test_kernels_are_corrected_by_pattern_and_only_needed_if_asked() -> None:
    settings = CorrectionSettings(
        kernels=(KernelAddition(pattern="B7*", add_hu=-4.0), KernelAddition(pattern="*", add_hu=1.0))
    )
    assert kernel_correction_hu("B70f", settings) == -4.0
    assert kernel_correction_hu("STANDARD", settings) == 1.0
    assert kernel_correction_hu(None, settings) is None
    known = Acquisition(kvp_kV=120.0, kernel="B30f")
    assert corrections(known, PLAIN, SETTINGS, 0.8).apply(100.0) == 100.0
    strict = SETTINGS.model_copy(update={"kernel_required": True})
    found = corrections(known, PLAIN, strict, 0.8)
    assert found.reasons == (DensityReason.KERNEL_UNKNOWN,) and found.apply(100.0) is None


@given(st.floats(-100, 600), st.sampled_from([100.0, 110.0, 120.0, 140.0]))
def test_the_corrected_value_is_the_raw_one_plus_what_stands_beside_it(raw: float, kvp: float) -> None:
    found = corrections(Acquisition(kvp_kV=kvp), Phase(ContrastPhase.ARTERIAL, 1.0), SETTINGS, 0.8)
    assert found.kvp_hu is not None and found.contrast_hu is not None
    assert found.apply(raw) == pytest.approx(raw + found.kvp_hu + found.contrast_hu)


def test_headers_as_they_are_found() -> None:
    header = {"KVP_kV": 0.0, "ConvolutionKernel": "", "ContrastBolusAgent": None, "SliceThickness_mm": 2.5}
    found = Acquisition.from_header(header)
    assert found.kvp_kV is None and found.kernel is None and found.slice_thickness_mm == 2.5
    assert not found.is_empty and Acquisition.from_header({}).is_empty
