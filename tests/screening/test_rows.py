"""Results become rows and JSON with nothing rounded away, invented or lost."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.screening.beads import affine_around, make_patient, oracle_models, render
from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.errors import Failed, ReasonCode, Rejected, Stage
from vfscreen.schema.names import KEYPOINTS, ContrastPhase, DensityReason, FocalLesion
from vfscreen.schema.tables import MANIFEST, SERIES, VERTEBRAE
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.measure import summarise
from vfscreen.screening.report_json import ended_document, screened_document
from vfscreen.screening.result import ScreeningResult
from vfscreen.screening.rows import ended_series_row, left_out_series_row, screened_rows
from vfscreen.settings import ScreeningSettings

MANIFEST_ROW = {
    **dict.fromkeys(MANIFEST.by_name),
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
    "content_fingerprint": "f",
    "instance_count": 70,
    "slice_count": 70,
    "selected": True,
    "Modality": "CT",
    "SeriesDescription": "Thorax 1.25",
}
LANDED = {"run_id": "r", "shard_id": "s", "model_release": "m"}


@pytest.fixture(scope="module")
def result() -> ScreeningResult:
    patient = make_patient(heights_mm=[(22, 22, 24), (18, 23, 26), (27, 26, 28)], levels=("T11", "T12", "L1"))
    whole = screen_volume(render(patient, *affine_around(patient)), oracle_models(patient), ScreeningSettings())
    cut = replace(
        whole.vertebrae[0],
        truncated=True,
        reason=ReasonCode.TRUNCATED,
        **dict.fromkeys(
            (
                "keypoints_lps_mm",
                "keypoint_sd_mm",
                "heights_mm",
                "height_sd_mm",
                "height_loss_ratio_raw",
                "height_loss_ratio_adjusted",
                "genant_grade_raw",
                "genant_grade",
                "deformity_type",
                "fracture_probability",
                "grade2_probability",
                "grade3_probability",
            )
        ),
    )
    vertebrae = (cut, *whole.vertebrae[1:])
    return replace(whole, vertebrae=vertebrae, patient=summarise(vertebrae))


def test_rows_pass_their_tables(result: ScreeningResult) -> None:
    series, vertebrae = screened_rows(MANIFEST_ROW, result, "overlays/m/x.png", None, 1.0, 2.0)
    SERIES.to_arrow([series | LANDED])
    table = VERTEBRAE.to_arrow([row | LANDED for row in vertebrae])
    assert table.column("vertebra_index").to_pylist() == [0, 1, 2]
    assert table.column("genant_grade").to_pylist() == [None, 2, 0]
    assert table.column("reason_code").to_pylist() == ["truncated", None, None]
    assert series["vertebra_count"] == 3 and series["graded_vertebra_count"] == 2
    assert series["sdi"] == 2 and series["sdi_levels_assessed"] == ["T12", "L1"]
    assert series["SeriesDescription"] == "Thorax 1.25"


def test_density_goes_into_its_columns_and_missing_stays_null(result: ScreeningResult) -> None:
    density = VertebraDensity(
        trabecular_hu_mean=131.5,
        valid=False,
        reasons=(DensityReason.FRACTURED, DensityReason.KVP_MISSING),
        contrast_correction_hu=-15.0,
        focal_lesion=FocalLesion.NONE,
    )
    measured = replace(result.vertebrae[1], density=density)
    whole = SeriesDensity(ContrastPhase.PORTAL_VENOUS, 0.9, True, 131.5, None, ("T12", "L2"))
    series, rows = screened_rows(MANIFEST_ROW, replace(result, vertebrae=(measured,), density=whole))
    SERIES.to_arrow([series | LANDED])
    (row,) = VERTEBRAE.to_arrow([row | LANDED for row in rows]).to_pylist()
    assert (row["trabecular_hu_mean"], row["density_valid"]) == (131.5, False)
    assert row["density_reasons"] == ["fractured", "kvp_missing"] and row["focal_lesion_flag"] == "none"
    assert row["trabecular_hu_corrected"] is None and row["kvp_correction_hu"] is None
    assert (series["contrast_phase"], series["contrast_header_disagrees"]) == ("portal_venous", True)
    assert (series["density_reference_hu"], series["density_reference_levels"]) == (131.5, ["T12", "L2"])
    assert series["density_category"] is None and series["calibration_kind"] == "none"
    document = json.loads(json.dumps(screened_document({}, replace(result, vertebrae=(measured,), density=whole))))
    assert document["density"]["density_reference_levels"] == ["T12", "L2"]
    assert document["vertebrae"][0]["density"]["trabecular_hu_mean"] == 131.5


def test_what_was_compared_with_a_border_is_stored_unrounded(result: ScreeningResult) -> None:
    _, vertebrae = screened_rows(MANIFEST_ROW, result)
    assert vertebrae[1]["height_loss_ratio_raw"] == result.vertebrae[1].height_loss_ratio_raw
    assert screened_document({}, result)["vertebrae"][1]["height_loss_ratio_adjusted"] == (
        result.vertebrae[1].height_loss_ratio_adjusted
    )


def test_missing_age_and_sex_stay_missing(result: ScreeningResult) -> None:
    """Known mistake: missing age or sex replaced by a made-up value."""
    series, _ = screened_rows(MANIFEST_ROW, result)
    assert series["PatientAge_years"] is None and series["PatientSex"] is None
    assert screened_document(MANIFEST_ROW, result)["series"]["PatientAge_years"] is None


@pytest.mark.parametrize(
    "error", [Rejected(Stage.LOCATE, ReasonCode.SPINE_NOT_FOUND), Failed(Stage.READ, ReasonCode.DECODE_FAILED)]
)
def test_every_ending_has_a_row_and_a_document(error: Rejected | Failed) -> None:
    row = ended_series_row(MANIFEST_ROW, error, 0.5)
    SERIES.to_arrow([row | LANDED])
    assert (row["state"], row["reason_code"]) == (error.state, error.reason)
    document = ended_document({}, error)
    assert document["vertebrae"] == [] and document["centreline_lps_mm"] == []
    assert document["reason_code"] == error.reason
    assert document["patient"]["max_genant_grade"] is None and document["patient"]["sdi_levels_assessed"] == []


def test_left_out_series_keep_the_reason_of_the_index() -> None:
    row = left_out_series_row(MANIFEST_ROW | {"selected": False, "stage": "accept", "reason_code": "localizer"})
    SERIES.to_arrow([row | LANDED])
    assert (row["state"], row["reason_code"]) == ("rejected", "localizer")


def test_impossible_values_fail_their_series_not_the_shard(result: ScreeningResult) -> None:
    monster = replace(result.vertebrae[1], heights_mm=np.array([20.0, 20.0, 400.0]))
    with pytest.raises(Failed, match="posterior_height_mm is 400"):
        screened_rows(MANIFEST_ROW, replace(result, vertebrae=(monster,)))


def test_the_json_has_the_keys_that_were_promised(result: ScreeningResult) -> None:
    document = json.loads(json.dumps(screened_document(MANIFEST_ROW, result), allow_nan=False))
    assert list(document) == [
        "state",
        "reason_code",
        "series",
        "centreline_lps_mm",
        "vertebrae",
        "patient",
        "density",
        "film",
        "films",
    ]
    assert document["film"] is None and document["films"] == []
    assert document["vertebrae"][1]["keypoints_px"] is None
    assert list(document["vertebrae"][1]) == [
        "vertebra_level",
        "level_probability",
        "level_certain",
        "truncated",
        "reason_code",
        "centre_lps_mm",
        "keypoints_lps_mm",
        "anterior_height_mm",
        "middle_height_mm",
        "posterior_height_mm",
        "SOPInstanceUID",
        "centre_px",
        "keypoints_px",
        "anterior_height_px",
        "middle_height_px",
        "posterior_height_px",
        "height_loss_ratio_raw",
        "height_loss_ratio_adjusted",
        "genant_grade_raw",
        "genant_grade",
        "deformity_type",
        "fracture_probability",
        "grade2_probability",
        "density",
    ]
    assert list(document["patient"]) == [
        "fracture_probability",
        "grade2_probability",
        "max_genant_grade",
        "sdi",
        "sdi_levels_assessed",
    ]
    assert tuple(document["vertebrae"][1]["keypoints_lps_mm"]) == KEYPOINTS
    cut = document["vertebrae"][0]
    assert cut["reason_code"] == "truncated" and len(cut["centre_lps_mm"]) == 3
    assert cut["truncated"] and cut["anterior_height_mm"] is None and cut["keypoints_lps_mm"] is None
