"""A vertebra stands out only against the patient's own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.density.phantoms import LEVELS, bodies, grid, scene
from vfscreen.density.acquisition import Acquisition
from vfscreen.density.lesions import Patches, focal_lesions, is_sclerotic
from vfscreen.density.measure import measure_density
from vfscreen.density.result import VertebraDensity
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import DensityReason, FocalLesion
from vfscreen.settings_density import DensitySettings, LesionSettings

SETTINGS = LesionSettings()
USUAL = [Patches(120.0 + d, 80.0 + d, 170.0 + 2 * d) for d in (-8, -4, 0, 5, 9, 2)]


def measured(volume: Volume, spec: object) -> dict[str, VertebraDensity]:
    found = bodies(spec, volume, LEVELS)
    _, densities = measure_density(volume, found, Acquisition(kvp_kV=120.0), DensitySettings())
    return {str(b.vertebra_level): d for b, d in zip(found, densities, strict=True)}


def planted(lesion_hu: float | None, radius_mm: float) -> dict[str, VertebraDensity]:
    """A patient with a ball in the back of T12, outside the region of the density itself."""
    patient = scene(8)
    volume = patient.render(*grid(patient.spec, spacing_mm=(0.9, 0.9, 2.0)), np.random.default_rng(0), table=False)
    if lesion_hu is not None:
        body = patient.spec.vertebra("T12")
        k, j, i = np.meshgrid(*[np.arange(n) for n in volume.hu.shape], indexing="ij")
        distance = np.linalg.norm(
            volume.to_lps(np.stack([i, j, k], axis=-1).astype(float)) - body.to_lps(np.array([3.0, 4.0, 0.0])), axis=-1
        )
        inside = distance < radius_mm
        volume.hu[inside] += np.int16(round(lesion_hu - patient.spec.spongy_hu("T12")))
    return measured(volume, patient.spec)


def test_a_healthy_column_has_no_flag() -> None:
    assert {d.focal_lesion for d in planted(None, 0.0).values()} == {FocalLesion.NONE}


@pytest.mark.parametrize(("hu", "flag"), [(10.0, FocalLesion.LYTIC), (700.0, FocalLesion.SCLEROTIC)])
def test_a_planted_lesion_is_flagged_and_no_neighbour(hu: float, flag: FocalLesion) -> None:
    found = planted(hu, 6.5)
    assert {level for level, d in found.items() if d.focal_lesion is flag} == {"T12"}
    assert all(d.focal_lesion in (FocalLesion.NONE, flag) for d in found.values())


def test_a_dense_vertebra_measures_no_density() -> None:
    dense = [*USUAL, Patches(260.0, 150.0, 300.0)]
    assert is_sclerotic(dense, SETTINGS) == [False] * 6 + [True]
    found = planted(500.0, 19.0)
    assert DensityReason.SCLEROTIC in found["T12"].reasons and found["T12"].valid is False
    assert found["L2"].valid is True


def test_few_vertebrae_are_not_assessed() -> None:
    assert focal_lesions(USUAL[:4], SETTINGS) == [None] * 4
    assert focal_lesions([None, *USUAL], SETTINGS)[0] is None
    assert is_sclerotic([*USUAL[:3], Patches(400.0, 300.0, 500.0)], SETTINGS) == [False] * 4


def test_a_patient_who_varies_widely_needs_more_to_stand_out() -> None:
    wide = [Patches(120.0, 80.0 + d, 170.0) for d in (-40, -20, 0, 25, 40, 10)]
    dark = Patches(120.0, -10.0, 170.0)
    assert focal_lesions([*USUAL, dark], SETTINGS)[-1] is FocalLesion.LYTIC
    assert focal_lesions([*wide, dark], SETTINGS)[-1] is FocalLesion.NONE
