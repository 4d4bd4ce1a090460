"""Which radiographs go into the chain, from their headers; every film of a series is counted, none competes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.dicom_builder import CR_IMAGE, SeriesSpec, affine, body, write_film, write_series
from tests.ingest.helpers import described, series
from vfscreen.ingest.film_series import films_of
from vfscreen.ingest.select import select_in_study
from vfscreen.ingest.series import describe_series
from vfscreen.schema.tables import MANIFEST
from vfscreen.settings import AcceptSettings, SelectSettings
from vfscreen.settings_films import FilmSettings

GREY = np.arange(300 * 260, dtype=np.uint16).reshape(300, 260) % 4000
SMALL = FilmSettings(side_min_px=16)


def test_a_film_series_is_described(tmp_path: Path) -> None:
    spec = SeriesSpec()
    for n in range(3):
        write_film(tmp_path / f"f{n}", GREY, spec, n, ViewPosition="LL", BodyPartExamined="LSPINE")
    write_film(tmp_path / "copy", GREY, spec, 2)
    row = described(tmp_path)
    MANIFEST.to_arrow([row])
    assert row["selected"] and row["message"] is None and row.get("reason_code") is None
    expected = {
        "Modality": "DX", "film_count": 3, "instance_count": 4, "used_instance_count": 3, "Rows": 300, "Columns": 260,
        "duplicate_instance_count": 1, "left_out_instance_count": 0, "BodyPartExamined": "LSPINE",
    }  # fmt: skip
    assert {k: row[k] for k in expected} == expected
    assert row.get("slice_count") is None and row.get("row_spacing_mm") is None
    assert row["patient_pseudonym"] and "SECRET" not in str(row)


SC = "1.2.840.10008.5.1.4.1.1.7"
REJECTED = [
    ("pixel_data_missing", {"PixelData": None}, "300 x 260"),
    ("not_an_image", {"PixelData": None, "Rows": None, "Columns": None}, "without an image"),
    ("pixel_format_not_supported", {"SOPClassUID": SC, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB",
                                    "PixelData": bytes(300 * 260 * 6)}, "SamplesPerPixel is 3"),
    ("pixel_format_not_supported", {"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    ("modality_not_supported", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2"}, "mammography"),
    ("modality_not_supported", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "ultrasound"),
    ("derived_image", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "none of radiographs"),
    ("derived_image", {"ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]}, "DOSE_INFO"),
    ("film_several_frames", {"NumberOfFrames": "2", "PixelData": bytes(300 * 260 * 4)}, "2 frames"),
    ("film_too_small", {"Rows": 200, "PixelData": bytes(200 * 260 * 2)}, "200 x 260"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "header", "words"), REJECTED)
def test_rejected_for_what_it_is(tmp_path: Path, reason: str, header: dict[str, Any], words: str) -> None:
    write_film(tmp_path / "a", GREY, **header)
    row = described(tmp_path)
    MANIFEST.to_arrow([row])
    assert (row["selected"], row["stage"], row["reason_code"]) == (False, "accept", reason)
    assert words in row["message"] and row["film_count"] == 1


@pytest.mark.parametrize("modality", ["CR", "DX", "RG"])
@pytest.mark.parametrize("sop_class", [CR_IMAGE, SC, "1.2.840.10008.5.1.4.1.1.1.1.1"])
def test_radiographs_of_every_kind_are_taken(tmp_path: Path, modality: str, sop_class: str) -> None:
    write_film(tmp_path / "a", GREY, Modality=modality, SOPClassUID=sop_class)
    assert described(tmp_path)["selected"]


def test_other_modalities_are_not(tmp_path: Path) -> None:
    for n, modality in enumerate(("MG", "US", "IO", "OT")):
        write_film(tmp_path / str(n) / "a", GREY, Modality=modality, SOPClassUID=SC)
        row = described(tmp_path / str(n))
        assert row["reason_code"] == "modality_not_supported" and row.get("film_count") is None


def test_switched_off_by_the_settings(tmp_path: Path) -> None:
    write_film(tmp_path / "a", GREY)
    (rows,) = series(tmp_path)
    row = describe_series(rows, AcceptSettings(), FilmSettings(enabled=False))
    assert (row["selected"], row["reason_code"], row["film_count"]) == (False, "films_switched_off", 1)


def test_too_large_for_the_settings(tmp_path: Path) -> None:
    write_film(tmp_path / "a", np.zeros((1001, 1000), np.uint16))
    (rows,) = series(tmp_path)
    assert describe_series(rows, AcceptSettings(), FilmSettings(pixels_max=1_000_000))["reason_code"] == (
        "film_too_large"
    )


def test_one_sound_film_selects_its_series_and_the_others_are_counted(tmp_path: Path) -> None:
    spec = SeriesSpec()
    write_film(tmp_path / "a", GREY[:200], spec, 0)
    write_film(tmp_path / "b", GREY, spec, 1)
    write_film(tmp_path / "c", GREY, spec, 2, SOPInstanceUID=None)
    row = described(tmp_path)
    assert row["selected"] and row["film_count"] == 3, "the file meta information names the third"
    assert (row["used_instance_count"], row["left_out_instance_count"]) == (2, 1)
    assert row["message"] == "1 film(s) will not be read: 1 film_too_small"


def test_the_reason_most_films_have_speaks_for_the_series(tmp_path: Path) -> None:
    spec = SeriesSpec()
    write_film(tmp_path / "a", GREY, spec, 0, PixelData=None)
    write_film(tmp_path / "b", GREY[:200], spec, 1)
    write_film(tmp_path / "c", GREY[:200], spec, 2)
    row = described(tmp_path)
    assert row["reason_code"] == "film_too_small"
    assert "and 2 more: 2 film_too_small, 1 pixel_data_missing" in row["message"]


def test_films_come_in_the_order_of_their_numbers_whatever_the_files(tmp_path: Path) -> None:
    spec = SeriesSpec()
    for name, number in (("c", 0), ("a", 2), ("b", 1)):
        write_film(tmp_path / name, GREY, spec, number)
    write_film(tmp_path / "d", GREY, spec, 7, InstanceNumber=None)
    (rows,) = series(tmp_path)
    random.Random(1).shuffle(rows)
    assert [r["path"] for r in films_of(rows)] == ["c", "b", "a", "d"]
    assert describe_series(rows, AcceptSettings()) == describe_series(rows[::-1], AcceptSettings())


def test_films_and_ct_of_a_study_do_not_compete(tmp_path: Path) -> None:
    study = SeriesSpec().study_uid
    write_series(tmp_path / "ct", SeriesSpec(study_uid=study), body(), affine())
    for n in range(2):
        write_film(tmp_path / f"film{n}", GREY, SeriesSpec(study_uid=study))
    rows = [describe_series(rows, AcceptSettings()) for rows in series(tmp_path)]
    assert [r["selected"] for r in select_in_study(rows, SelectSettings())] == [True, True, True]


def test_the_real_bad_radiographs_are_accounted_for(shared_data: Path) -> None:
    """Real CR and DX files: thumbnails, and data sets without pixels, two of which are one instance."""
    found: dict[str, int] = {}
    for rows in series(shared_data / "dicom" / "bad" / "pydicom+pydicom") + series(
        shared_data / "dicom" / "bad" / "ImagingDataCommons+highdicom"
    ):
        row = describe_series(rows, AcceptSettings())
        if row["Modality"] in ("CR", "DX"):
            MANIFEST.to_arrow([row])
            found[row["reason_code"]] = found.get(row["reason_code"], 0) + row["film_count"]
    assert found == {"film_too_small": 4, "pixel_data_missing": 2}
