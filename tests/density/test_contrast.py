"""The phase is read from the pixels; headers are compared with it, never believed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.density.phantoms import bodies, grid, scene
from vfscreen.density.contrast import (
    Enhancement,
    contrast_phase,
    enhancement,
    header_disagrees,
    header_says_contrast,
)
from vfscreen.density.frame import body_frame
from vfscreen.density.planes import Planes, axial_planes
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import ContrastPhase
from vfscreen.settings_density import ContrastSettings

SETTINGS = ContrastSettings()
ABDOMEN = ("T11", "T12", "L1", "L2", "L3")


def planes_of(volume: Volume, spec: object, levels: tuple[str, ...]) -> Planes | None:
    found = []
    for body in bodies(spec, volume, levels):
        assert body.keypoints_lps_mm is not None
        frame = body_frame(body.keypoints_lps_mm)
        assert frame is not None
        found.append((body.vertebra_level, frame))
    return axial_planes(volume, found)


def rendered(phase: ContrastPhase, seed: int, top: str = "T11", bottom: str = "L3") -> tuple[Volume, object]:
    patient = scene(seed, phase)
    affine, shape = grid(patient.spec, top, bottom, width_mm=190.0, depth_mm=190.0, spacing_mm=(1.4, 1.4, 3.0))
    return patient.render(affine, shape, np.random.default_rng(2), table=False), patient.spec


@pytest.mark.parametrize("seed", [3, 5])
@pytest.mark.parametrize("phase", list(ContrastPhase))
def test_each_phase_is_told_from_an_abdomen(phase: ContrastPhase, seed: int) -> None:
    volume, spec = rendered(phase, seed)
    seen = enhancement(planes_of(volume, spec, ABDOMEN))
    found = contrast_phase(seen, SETTINGS)
    assert found.phase is phase, seen
    assert found.probability is not None and found.probability > 0.5
    if phase is not ContrastPhase.NON_CONTRAST:
        assert seen.blood_hu == pytest.approx(spec.aorta_hu, abs=15.0)


@pytest.mark.parametrize("phase", [ContrastPhase.NON_CONTRAST, ContrastPhase.PORTAL_VENOUS])
def test_without_kidneys_in_view_the_aorta_decides(phase: ContrastPhase) -> None:
    levels = ("T7", "T8", "T9", "T10")
    volume, spec = rendered(phase, 3, "T7", "T10")
    seen = enhancement(planes_of(volume, spec, levels))
    assert seen.kidney_hu is None
    assert contrast_phase(seen, SETTINGS).phase is phase


def test_a_mirrored_patient_is_in_the_same_phase() -> None:
    volume, spec = rendered(ContrastPhase.PORTAL_VENOUS, 3)
    frames = [body_frame(b.keypoints_lps_mm) for b in bodies(spec, volume, ABDOMEN) if b.keypoints_lps_mm is not None]
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = Volume(volume.hu, mirror @ volume.affine_lps)
    images = [
        body_frame(b.keypoints_lps_mm * [-1, 1, 1])
        for b in bodies(spec, volume, ABDOMEN)
        if b.keypoints_lps_mm is not None
    ]
    here, there = (
        enhancement(axial_planes(v, [(level, f) for level, f in zip(ABDOMEN, fs, strict=True) if f is not None]))
        for v, fs in ((volume, frames), (mirrored, images))
    )
    assert here.blood_hu == pytest.approx(there.blood_hu, abs=0.1)
    assert here.kidney_hu == pytest.approx(there.kidney_hu, abs=0.1)


def test_nothing_in_view_has_no_phase() -> None:
    assert contrast_phase(enhancement(None), SETTINGS).phase is None
    patient = scene(3)
    affine, shape = grid(patient.spec, "L1", "L2", width_mm=60.0, depth_mm=90.0)
    volume = patient.render(affine, shape, None, table=False)
    front = volume.to_ijk(np.stack([b.keypoints_lps_mm[0] for b in bodies(patient.spec, volume, ("L1", "L2"))]))[:, 1]
    volume.hu[:, : int(front.max())] = -1024  # a field that ends at the body's front
    assert contrast_phase(enhancement(planes_of(volume, patient.spec, ("L1", "L2"))), SETTINGS).phase is None


def test_the_probability_falls_between_phases() -> None:
    sure = contrast_phase(Enhancement(45.0, 50.0), SETTINGS).probability
    unsure = contrast_phase(Enhancement(73.0, None), SETTINGS).probability
    assert sure is not None and unsure is not None and sure > 0.99 > 0.8 > unsure


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        (None, False),
        ("", False),
        ("NONE", False),
        ("without contrast", False),
        ("ORAL", False),
        ("Oral & I.V.", False),
        ("ORAL & IV", True),
        ("OMNIPAQUE 350", True),
        ("APPLIED", True),
        ("GASTRO & OMNI", True),
    ],
)
def test_headers_name_agents_in_many_words(agent: str | None, says: bool) -> None:
    assert header_says_contrast(agent) is says


def test_disagreement_is_recorded() -> None:
    assert header_disagrees(ContrastPhase.PORTAL_VENOUS, None) is True
    assert header_disagrees(ContrastPhase.NON_CONTRAST, "IOHEXOL") is True
    assert header_disagrees(ContrastPhase.ARTERIAL, "IOHEXOL") is False
    assert header_disagrees(None, "IOHEXOL") is None
