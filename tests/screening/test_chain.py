"""The chain's geometry: however a patient was scanned, the six points come back where they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.screening.beads import (
    OracleDetector,
    OracleLocator,
    Patient,
    affine_around,
    make_patient,
    oracle_models,
    render,
)
from vfscreen.errors import ReasonCode, Rejected
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import Detection, LocatedColumn, ModelSet
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.schema.names import DeformityType
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.result import ScreeningResult
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.straighten import SlabSpec

SETTINGS = ScreeningSettings()
NO_SHRINK = settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
"""An example is a whole screening: report the first failure as it is."""
FRACTURED = make_patient(
    heights_mm=[(22, 22, 24), (23, 23, 25), (18.5, 23, 26.5), (27, 18, 27.5), (27, 26, 28), (28, 26, 27)]
)
SIGNED_AXES = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def assert_points_found(result: ScreeningResult, patient: Patient, tolerance_mm: float = 0.5) -> None:
    assert [v.vertebra_level for v in result.vertebrae] == list(patient.levels)
    for vertebra, truth in zip(result.vertebrae, patient.keypoints, strict=True):
        assert not vertebra.truncated and vertebra.reason is None
        assert vertebra.keypoints_lps_mm is not None
        assert np.linalg.norm(vertebra.keypoints_lps_mm - truth, axis=1).max() < tolerance_mm


@NO_SHRINK
@given(st.sampled_from(SIGNED_AXES), st.sampled_from([(1.0, 1.0, 1.0), (0.8, 0.8, 1.5), (1.2, 0.9, 1.0)]))
def test_every_orientation_of_the_grid(axes: np.ndarray, spacing: tuple[float, float, float]) -> None:
    volume = render(FRACTURED, *affine_around(FRACTURED, axes, spacing))
    assert_points_found(screen_volume(volume, oracle_models(FRACTURED), SETTINGS), FRACTURED)


@NO_SHRINK
@given(st.tuples(*[st.floats(-0.35, 0.35)] * 3), st.sampled_from(SIGNED_AXES))
def test_oblique_grids(turn: tuple[float, float, float], axes: np.ndarray) -> None:
    volume = render(FRACTURED, *affine_around(FRACTURED, Rotation.from_rotvec(turn).as_matrix() @ axes))
    assert_points_found(screen_volume(volume, oracle_models(FRACTURED), SETTINGS), FRACTURED)


@pytest.mark.parametrize("tilt_deg", [-25, -10, 5, 20])
def test_gantry_tilt_kept_in_the_affine(tilt_deg: float) -> None:
    axes = np.eye(3)
    axes[:, 1] = (0, np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg)))  # slices tilted, stacked along z
    volume = render(FRACTURED, *affine_around(FRACTURED, axes))
    assert_points_found(screen_volume(volume, oracle_models(FRACTURED), SETTINGS), FRACTURED)


@NO_SHRINK
@given(st.tuples(*[st.floats(-0.2, 0.2)] * 2, st.floats(-0.03, 0.03)), st.tuples(*[st.floats(-300, 300)] * 3))
def test_a_patient_lying_otherwise_has_the_same_findings(
    turn: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    patient = FRACTURED.moved(Rotation.from_rotvec(turn), shift)
    result = screen_volume(render(patient, *affine_around(patient)), oracle_models(patient), SETTINGS)
    # a roll turns the sagittal plane out of the slab's: points 15 mm off the curve move sideways, heights do not
    assert_points_found(result, patient, tolerance_mm=1.5)
    for vertebra, truth in zip(result.vertebrae, body_heights_mm(patient.keypoints), strict=True):
        assert vertebra.heights_mm == pytest.approx(truth, abs=0.4)
    assert [v.genant_grade for v in result.vertebrae] == [0, 0, 2, 2, 0, 0]


def test_a_mirrored_patient_has_mirrored_points_and_the_same_heights() -> None:
    patient = FRACTURED.mirrored()
    mirrored = screen_volume(render(patient, *affine_around(patient)), oracle_models(patient), SETTINGS)
    plain = screen_volume(render(FRACTURED, *affine_around(FRACTURED)), oracle_models(FRACTURED), SETTINGS)
    assert_points_found(mirrored, patient)
    for a, b in zip(mirrored.vertebrae, plain.vertebrae, strict=True):
        assert a.heights_mm == pytest.approx(b.heights_mm, abs=0.2)
        assert a.genant_grade == b.genant_grade


def test_findings_of_a_known_column() -> None:
    result = screen_volume(render(FRACTURED, *affine_around(FRACTURED)), oracle_models(FRACTURED), SETTINGS)
    by_level = {v.vertebra_level: v for v in result.vertebrae}
    truth = dict(zip(FRACTURED.levels, body_heights_mm(FRACTURED.keypoints), strict=True))
    for level, vertebra in by_level.items():
        assert vertebra.heights_mm == pytest.approx(truth[level or ""], abs=0.3)
        assert vertebra.height_sd_mm == pytest.approx([0.2 * np.sqrt(2)] * 3, rel=0.01)
    t12, l1 = by_level["T12"], by_level["L1"]
    assert (t12.genant_grade, t12.deformity_type) == (2, DeformityType.WEDGE)
    assert (l1.genant_grade, l1.deformity_type) == (2, DeformityType.BICONCAVE)
    assert t12.height_loss_ratio_raw == pytest.approx(1 - truth["T12"].min() / truth["T12"].max(), abs=0.01)
    assert (t12.grade2_probability or 0) > 0.9 and (by_level["L2"].fracture_probability or 1) < 0.1
    assert result.patient.max_genant_grade == 2
    assert result.patient.sdi == 4
    assert result.patient.sdi_levels_assessed == FRACTURED.levels
    assert (result.patient.grade2_probability or 0) > 0.9
    assert all(v.level_certain for v in result.vertebrae)  # T12-L1 in view, and the ribs are clear


def test_the_same_twice() -> None:
    volume = render(FRACTURED, *affine_around(FRACTURED))
    first, second = (screen_volume(volume, oracle_models(FRACTURED), SETTINGS) for _ in range(2))
    for a, b in zip(first.vertebrae, second.vertebrae, strict=True):
        np.testing.assert_array_equal(a.keypoints_lps_mm, b.keypoints_lps_mm)
        assert (a.fracture_probability, a.level_probability) == (b.fracture_probability, b.level_probability)


@pytest.mark.parametrize("wide_view", [True, False])
def test_without_a_rib_reader_no_level_is_called_certain(wide_view: bool) -> None:
    models = replace(oracle_models(FRACTURED), locator=OracleLocator(FRACTURED, wide_view=wide_view), ribs=None)
    result = screen_volume(render(FRACTURED, *affine_around(FRACTURED)), models, SETTINGS)
    assert [v.vertebra_level for v in result.vertebrae] == list(FRACTURED.levels)
    assert not any(v.level_certain for v in result.vertebrae)


def test_a_centreline_beside_the_bodies_is_fitted_again_once() -> None:
    """Sagittal offsets are seen on the slab; the points come back all the same."""
    models = replace(oracle_models(FRACTURED), locator=OracleLocator(FRACTURED, offset_mm=(0.0, 10.0, 0.0)))
    result = screen_volume(render(FRACTURED, *affine_around(FRACTURED)), models, SETTINGS)
    assert_points_found(result, FRACTURED, tolerance_mm=1.0)
    offset = result.centreline.from_lps(FRACTURED.centres)
    assert np.abs(offset[:, 1]).max() < 3.0


def test_collapse_is_graded_3_not_missing() -> None:
    """Known mistake: a zero height dropped, so that total collapse disappears."""

    class Collapsed(OracleDetector):
        def detect(self, hu: np.ndarray) -> list[Detection]:
            found = super().detect(hu)
            flat = found[2].keypoints.copy()
            flat[:] = flat.mean(axis=0)
            return [replace(d, keypoints=flat) if i == 2 else d for i, d in enumerate(found)]

    models = replace(oracle_models(FRACTURED), detector=Collapsed(FRACTURED.levels))
    result = screen_volume(render(FRACTURED, *affine_around(FRACTURED)), models, SETTINGS)
    collapsed = result.vertebrae[2]
    assert collapsed.heights_mm == pytest.approx([0, 0, 0])
    assert (collapsed.genant_grade, collapsed.genant_grade_raw, collapsed.reason) == (3, 3, None)
    assert collapsed.height_loss_ratio_adjusted == 1.0


def cropped(volume: Volume, patient: Patient, vertebra: int) -> Volume:
    """The volume without what lies below the middle of a vertebra (slices along z)."""
    k = int(np.ceil(volume.to_ijk(patient.centres[vertebra])[2]))
    affine = volume.affine_lps.copy()
    affine[:3, 3] = volume.to_lps(np.array([0.0, 0.0, float(k)]))
    return Volume(np.ascontiguousarray(volume.hu[k:]), affine)


def test_a_vertebra_cut_by_the_edge_is_truncated_and_not_graded() -> None:
    """The network reads the edge of the volume as an endplate: six points, all of them inside or on the edge."""
    volume = cropped(render(FRACTURED, *affine_around(FRACTURED)), FRACTURED, 5)
    edge_z = volume.bounds_lps_mm[0][2]

    class EdgeReader(OracleDetector):
        def detect(self, hu: np.ndarray) -> list[Detection]:
            plane_rows = np.flatnonzero((hu[len(hu) // 2] > -1000).any(axis=1))
            found = super().detect(hu)
            whole = found[-1]
            step = np.array([whole.keypoints[:, 0].mean() + 34.0 - whole.centre[0], 0.0])
            superior = whole.keypoints[0::2] + step + (-13.0 + 13.0, 0)
            inferior = superior.copy()
            inferior[:, 0] = plane_rows.max() - 1
            points = np.stack([superior, inferior], axis=1).reshape(6, 2)
            return [*found, replace(whole, centre=points.mean(axis=0), keypoints=points)]

    models = replace(oracle_models(FRACTURED), detector=EdgeReader(FRACTURED.levels))
    result = screen_volume(volume, models, SETTINGS)
    last = result.vertebrae[-1]
    assert last.truncated and last.reason is ReasonCode.TRUNCATED
    assert last.centre_lps_mm[2] > edge_z - 1
    measured = (last.heights_mm, last.keypoints_lps_mm, last.genant_grade, last.genant_grade_raw, last.deformity_type)
    assert all(value is None for value in (*measured, last.height_loss_ratio_raw, last.fracture_probability))
    assert [v.truncated for v in result.vertebrae[:-1]] == [False] * 5
    assert "L3" not in result.patient.sdi_levels_assessed


def test_no_spine_is_a_rejection_with_its_reason() -> None:
    class Nothing:
        def locate(self, volume: Volume) -> LocatedColumn:
            return LocatedColumn(np.zeros((0, 3)), np.zeros(0))

    volume = Volume(np.full((20, 40, 40), -1000, np.int16), np.diag([1.0, 1, 2, 1]))
    with pytest.raises(Rejected) as caught:
        screen_volume(volume, ModelSet("oracle", Nothing(), OracleDetector(())), SETTINGS)
    assert caught.value.reason is ReasonCode.SPINE_NOT_FOUND


def test_no_vertebra_is_a_rejection_with_its_reason() -> None:
    affine, shape = affine_around(FRACTURED)
    empty = Volume(np.full(shape[::-1], 40, np.int16), affine)
    with pytest.raises(Rejected) as caught:
        screen_volume(empty, oracle_models(FRACTURED), SETTINGS)
    assert caught.value.reason is ReasonCode.VERTEBRAE_NOT_FOUND


@pytest.mark.parametrize("rows_by_columns", [(301, 217), (96, 128), (700, 400)])
def test_any_matrix_size_is_screened(rows_by_columns: tuple[int, int]) -> None:
    """Known mistake: a slice that is not 512x512 silently skipped."""
    affine, (_, _, k) = affine_around(FRACTURED, spacing_mm=(1.0, 1.0, 2.0))
    rows, columns = rows_by_columns
    size = 100.0
    affine[0, 0], affine[1, 1] = size / columns, size / rows
    affine[:2, 3] = FRACTURED.centres.mean(axis=0)[:2] - size / 2
    result = screen_volume(render(FRACTURED, affine, (columns, rows, k)), oracle_models(FRACTURED), SETTINGS)
    assert_points_found(result, FRACTURED)


def test_finer_slabs_give_the_same_points() -> None:
    volume = render(FRACTURED, *affine_around(FRACTURED))
    fine = OracleDetector(FRACTURED.levels, slab_spec=SlabSpec(pixel_mm=0.75, anterior_mm=40, posterior_mm=56))
    assert_points_found(screen_volume(volume, replace(oracle_models(FRACTURED), detector=fine), SETTINGS), FRACTURED)


def test_detections_below_the_threshold_do_not_count() -> None:
    class Unsure(OracleDetector):
        def detect(self, hu: np.ndarray) -> list[Detection]:
            return [replace(d, score=0.2) for d in super().detect(hu)]

    models = replace(oracle_models(FRACTURED), detector=Unsure(FRACTURED.levels))
    with pytest.raises(Rejected, match="vertebrae_not_found"):
        screen_volume(render(FRACTURED, *affine_around(FRACTURED)), models, SETTINGS)
