"""Data checks that follow a sweep: each is planted once in a lake that is otherwise sound, and finds exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lake.builders import ended, file_rows, land, manifest_row, put_index
from vfscreen.lake.ledger import run_checks
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect, sql_files

MEASURED = {
    "trabecular_hu_mean": 130.0, "trabecular_hu_sd": 40.0, "trabecular_volume_mm3": 5000.0, "density_valid": True,
    "density_reasons": [], "kvp_correction_hu": 3.0, "contrast_correction_hu": -10.0, "trabecular_hu_corrected": 123.0,
    "bmd_mg_cm3": 110.0, "bmd_sd_mg_cm3": 6.0,
}  # fmt: skip
REFERENCE = {
    "density_reference_hu": 130.0, "density_reference_hu_corrected": 123.0, "density_reference_levels": ["T5"],
    "density_category": "low",
}  # fmt: skip
MANIFEST = manifest_row(1, InstitutionName="Site", KVP_kV=120.0)


def failing(lake: Lake, series: dict[str, Any], vertebra: dict[str, Any]) -> set[str]:
    """Names of the checks that fail where a sound series of two vertebrae, with density, is changed."""
    put_index(lake, [MANIFEST])
    row, vertebrae = ended(MANIFEST, (0.1, 0.05))
    vertebrae[1] |= MEASURED | vertebra
    land(lake, "s", [({**row, **REFERENCE, **series}, vertebrae)])
    return {failure.check for failure in run_checks(lake)}


def test_a_sound_lake_with_density_passes(lake: Lake) -> None:
    assert failing(lake, {}, {}) == set()


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("density_consistent", {"density_valid": None}),
        ("density_consistent", {"density_reasons": ["fractured"]}),
        ("density_consistent", {"density_valid": False}),
        ("density_consistent", {"trabecular_hu_corrected": 124.0}),
        ("density_consistent", {"trabecular_hu_corrected": None}),
        ("density_consistent", {"kvp_correction_hu": None}),
        ("density_consistent", {"kernel_correction_hu": 5.0}),
        ("density_consistent", {"bmd_sd_mg_cm3": None}),
        ("deformity_follows_grade", {"deformity_type": "wedge"}),
        ("deformity_follows_grade", {"deformity_type": None}),
        ("ranges", {"trabecular_volume_mm3": 1e6}),
        ("ranges", {"anterior_height_mm": 70.0, "middle_height_mm": 70.0, "posterior_height_mm": 73.6842105263158}),
        ("vertebrae_belong", {"patient_pseudonym": "somebody else"}),
    ],
)
def test_each_check_of_vertebrae_can_fail(lake: Lake, check: str, change: dict[str, Any]) -> None:
    assert check in failing(lake, {}, change)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("headers_as_indexed", {"PatientAge_years": 70.0}),
        ("headers_as_indexed", {"PatientSex": None}),
        ("headers_as_indexed", {"KVP_kV": 100.0}),
        ("headers_as_indexed", {"InstitutionName": "Elsewhere"}),
        ("sdi_follows_vertebrae", {"sdi": 4}),
        ("sdi_follows_vertebrae", {"sdi_levels_assessed": ["T4"]}),
        ("patient_probabilities_ordered", {"patient_grade2_probability": 0.99}),
        ("patient_probabilities_ordered", {"patient_fracture_probability": None}),
        ("density_reference_follows_vertebrae", {"density_reference_hu": 131.0}),
        ("density_reference_follows_vertebrae", {"density_reference_levels": []}),
        ("density_reference_follows_vertebrae", {"density_reference_levels": ["L1"]}),
        ("density_reference_follows_vertebrae", {"density_category": None}),
    ],
)
def test_each_check_of_series_can_fail(lake: Lake, check: str, change: dict[str, Any]) -> None:
    assert failing(lake, change, {}) == {check}


@pytest.mark.parametrize("change", [{"PatientAge_years": 50.0}, {"PatientSex": "M"}, {"KVP_kV": None}])
def test_an_index_that_says_what_no_file_says_is_noticed(lake: Lake, change: dict[str, Any]) -> None:
    files = [{**f, **change} if f["file_state"] == "instance" else f for f in file_rows([MANIFEST])]
    put_index(lake, [MANIFEST], files)
    land(lake, "s", [ended(MANIFEST)])
    assert [f.check for f in run_checks(lake)] == ["index_as_files"]


def test_what_the_headers_lack_is_no_failure(lake: Lake) -> None:
    bare = manifest_row(1, PatientAge_years=None, PatientSex=None, StudyDate=None, patient_pseudonym=None)
    put_index(lake, [bare])
    land(lake, "s", [ended(bare)])
    assert run_checks(lake) == []


def test_values_out_of_range_are_named(lake: Lake) -> None:
    put_index(lake, [MANIFEST])
    row, vertebrae = ended(MANIFEST, (0.1,))
    vertebrae[0] |= MEASURED | {"trabecular_hu_mean": 5000.0, "trabecular_hu_corrected": 4993.0}
    land(lake, "s", [(row, vertebrae)])
    (failure,) = run_checks(lake)
    assert (failure.check, failure.count) == ("ranges", 1)
    assert failure.examples[0]["column_name"] == "trabecular_hu_mean"


def test_exams_that_share_a_hash_are_noticed(lake: Lake) -> None:
    """Planted in a view: nobody has yet found two texts that do."""
    put_index(lake, [manifest_row(1), manifest_row(2)])
    land(lake, "s", [ended(manifest_row(1)), ended(manifest_row(2))])
    check = dict(sql_files("vfscreen.lake", "checks/findings"))["exam_id_unique"]
    with connect(lake) as connection:
        assert connection.execute(check).fetchall() == []
        connection.execute(
            "CREATE TABLE same AS SELECT * REPLACE (1::UBIGINT AS exam_id, 2::UBIGINT AS patient_id) FROM exams"
        )
        connection.execute("CREATE OR REPLACE VIEW exams AS FROM same")
        assert {r[0] for r in connection.execute(check).fetchall()} == {"exam", "patient"}
