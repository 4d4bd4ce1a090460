"""Films become rows and JSON: each film its own, the series as a whole, nothing lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.screening.film_beads import FilmPatient, OracleViewReader, draw, make_film_patient, oracle_film_models
from vfscreen.errors import Failed, ItemError, ReasonCode, Rejected, Stage
from vfscreen.ingest.film import unread_film
from vfscreen.ingest.film_headers import header_anterior_side, header_view
from vfscreen.schema.names import KEYPOINTS, SpacingSource
from vfscreen.schema.tables import FILES, FILMS, MANIFEST, SERIES, VERTEBRAE
from vfscreen.screening.film_chain import screen_film
from vfscreen.screening.film_rows import EndedFilm, each_level_once, film_series_rows, leading_film
from vfscreen.screening.report_json import film_document, screened_document
from vfscreen.settings import ScreeningSettings

MANIFEST_ROW = {
    **dict.fromkeys(MANIFEST.by_name),
    "SeriesInstanceUID": "1.2.3",
    "StudyInstanceUID": "1.2",
    "content_fingerprint": "f",
    "instance_count": 2,
    "film_count": 2,
    "selected": True,
    "Modality": "DX",
}
LANDED = {"run_id": "r", "shard_id": "s", "model_release": "m"}
UPPER = make_film_patient(("T9", "T10", "T11", "T12", "L1"), [(0.95, 0.94, 1.0)] * 4 + [(0.75, 0.9, 1.0)])
LOWER = make_film_patient(("T12", "L1", "L2", "L3", "L4"), [(0.95, 0.94, 1.0), (0.6, 0.85, 1.0)] + [(1, 0.97, 1)] * 3)


def file_row(number: int, **header: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(FILES.by_name),
        "SOPInstanceUID": f"1.2.3.{number}",
        "InstanceNumber": number,
        "Modality": "DX",
        "Rows": 500,
        "Columns": 330,
        **header,
    }


def ended(
    number: int, patient: FilmPatient, view: str = "lateral", calibrated: bool = False, **header: Any
) -> EndedFilm:
    spacing = ((0.5, 0.5), SpacingSource.CALIBRATED) if calibrated else (None, None)
    film = draw(patient, 1.5, spacing_mm=spacing[0], source=spacing[1])
    result = screen_film(film, oracle_film_models(patient, OracleViewReader(view)), ScreeningSettings())
    unread = unread_film(file_row(number, **header), UNREAD)
    scale = {"row_spacing_mm": 0.5, "column_spacing_mm": 0.5, "spacing_source": "calibrated"} if calibrated else {}
    image = replace(
        unread,
        error=None,
        header=unread.header | scale | {"height_calibrated": calibrated},
        view=header_view(header.get("ViewPosition"), header.get("PatientOrientation")),
        anterior_side=header_anterior_side(header.get("PatientOrientation")),
    )
    return EndedFilm(image, replace(result, strip=None), seconds_read=0.1)


UNREAD = Rejected(Stage.READ, ReasonCode.FILM_TOO_SMALL)


def broken(number: int, error: ItemError) -> EndedFilm:
    return EndedFilm(unread_film(file_row(number), error), None, error)


def checked(films: list[EndedFilm]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    series, vertebrae, rows = film_series_rows(MANIFEST_ROW, films)
    for table, some in ((SERIES, [series]), (VERTEBRAE, vertebrae), (FILMS, rows)):
        table.to_arrow([row | LANDED for row in some])
    return series, vertebrae, rows


def test_two_films_of_a_series() -> None:
    series, vertebrae, films = checked([ended(1, UPPER), ended(2, LOWER, calibrated=True)])
    assert (series["state"], series["film_count"], series["lateral_film_count"]) == ("screened", 2, 2)
    assert [v["vertebra_index"] for v in vertebrae] == list(range(10)) and series["vertebra_count"] == 10
    assert [v["SOPInstanceUID"] for v in vertebrae] == ["1.2.3.1"] * 5 + ["1.2.3.2"] * 5
    assert [f["vertebra_count"] for f in films] == [5, 5]
    # T12 and L1 stand on both films: each counts once, L1 as the film has it that graded it higher
    grades = {v["vertebra_level"]: v["genant_grade"] for v in vertebrae[:5]}
    lower = {v["vertebra_level"]: v["genant_grade"] for v in vertebrae[5:]}
    assert lower["L1"] > grades["L1"] >= 1
    assert series["sdi"] == sum((grades | lower).values())
    assert series["sdi_levels_assessed"] == ["T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4"]
    assert series["max_genant_grade"] == lower["L1"]


def test_millimetres_and_pixels() -> None:
    _, vertebrae, films = checked([ended(1, UPPER), ended(2, LOWER, calibrated=True)])
    for v in vertebrae:
        assert v["modality"] == "DX" and v.get("centre_lps_mm") is None and v.get("trabecular_hu_mean") is None
        x, y = v["anterior_superior_px"]
        assert abs(x - v["centre_px"][0]) < 60 and y < v["centre_px"][1]
        assert v["anterior_height_px"] > 0 and v["anterior_superior_sd_px"] > 0
    assert not vertebrae[0]["height_calibrated"] and vertebrae[0]["anterior_height_mm"] is None
    assert vertebrae[5]["height_calibrated"]
    assert vertebrae[5]["anterior_height_mm"] == pytest.approx(0.5 * vertebrae[5]["anterior_height_px"])
    assert [f["height_calibrated"] for f in films] == [False, True]
    assert films[1]["spacing_source"] == "calibrated" and films[0]["spacing_source"] is None


def test_points_are_x_then_y() -> None:
    film = ended(1, UPPER)
    (first, *_), truth = checked([film])[1], (UPPER.keypoints[0] + 0.5) * 1.5 - 0.5
    for name, (row, column) in zip(KEYPOINTS, truth, strict=True):
        assert first[f"{name}_px"] == pytest.approx([column, row], abs=0.6)


@pytest.mark.parametrize(
    ("header", "view", "side"),
    [
        ({"ViewPosition": "LL", "PatientOrientation": "A\\F"}, False, False),
        ({"ViewPosition": "AP"}, True, None),
        ({"PatientOrientation": "P\\F"}, False, True),
        ({}, None, None),
    ],
)
def test_header_and_pixels_may_disagree(header: dict[str, str], view: bool | None, side: bool | None) -> None:
    _, _, (film,) = checked([ended(1, UPPER, "lateral", False, **header)])
    assert (film["view_header_disagrees"], film["side_header_disagrees"]) == (view, side)
    assert film["anterior_side"] == "right" and film["rotation_deg"] == 0


def test_a_film_that_is_no_lateral_one_does_not_stop_the_others() -> None:
    series, vertebrae, films = checked([ended(1, UPPER, "ap"), ended(2, LOWER)])
    assert series["state"] == "screened" and series["lateral_film_count"] == 1 and len(vertebrae) == 5
    assert [(f["state"], f["reason_code"]) for f in films] == [
        ("rejected", "view_not_lateral"),
        ("screened", None),
    ]
    assert films[0]["view"] == "ap" and films[0]["view_probability"] > 0.9 and films[0]["vertebra_count"] == 0


def test_a_series_without_a_screened_film_ends_as_its_leading_film() -> None:
    unread = broken(3, Rejected(Stage.ACCEPT, ReasonCode.FILM_TOO_SMALL))
    refused = ended(1, UPPER, "ap")
    series, vertebrae, films = checked([unread, refused])
    assert (series["state"], series["stage"], series["reason_code"]) == ("rejected", "locate", "view_not_lateral")
    assert vertebrae == [] and len(films) == 2 and series["lateral_film_count"] == 0
    failed = broken(4, Failed(Stage.READ, ReasonCode.DECODE_FAILED, "x"))
    series, _, _ = checked([unread, refused, failed])
    assert (series["state"], series["reason_code"]) == ("failed", "decode_failed")
    assert leading_film([unread]) is unread
    # a series that went into the chain never carries a stage of the index: it would stay pending for ever
    assert checked([unread])[0]["stage"] == "read"


def test_a_broken_film_beside_a_screened_one_is_said() -> None:
    failed = broken(1, Failed(Stage.READ, ReasonCode.DECODE_FAILED, "x"))
    series, _, films = checked([failed, ended(2, LOWER)])
    assert series["state"] == "screened" and series["message"] == "1 of 2 films failed"
    assert films[0]["message"] == "x" and films[0]["stage"] == "read"


def test_unnamed_vertebrae_are_never_taken_for_one_another() -> None:
    vertebrae = ended(1, UPPER).vertebrae
    unnamed = [replace(v, vertebra_level=None) for v in vertebrae]
    assert len(each_level_once([*vertebrae, *unnamed])) == 10


def test_impossible_values_fail_their_series_not_the_shard() -> None:
    film = ended(1, LOWER, calibrated=True)
    assert film.result is not None
    monster = replace(film.result.vertebrae[0], heights_mm=np.array([20.0, 20.0, 400.0]))
    with pytest.raises(Failed, match="posterior_height_mm is 400"):
        film_series_rows(MANIFEST_ROW, [replace(film, result=replace(film.result, vertebrae=(monster,)))])


def test_the_json_of_a_film() -> None:
    films = [ended(1, UPPER, "ap", ViewPosition="LL"), ended(2, LOWER)]
    document = json.loads(json.dumps(film_document(MANIFEST_ROW, films), allow_nan=False))
    assert (document["state"], document["reason_code"], document["centreline_lps_mm"]) == ("screened", None, [])
    assert [v["vertebra_level"] for v in document["vertebrae"]] == list(LOWER.levels)
    first = document["vertebrae"][0]
    assert tuple(first["keypoints_px"]) == KEYPOINTS and len(first["centre_px"]) == 2
    assert first["keypoints_lps_mm"] is None and first["centre_lps_mm"] is None and first["anterior_height_mm"] is None
    assert first["anterior_height_px"] > 0 and first["SOPInstanceUID"] == "1.2.3.2"
    assert first["keypoints_px"]["anterior_superior"] == pytest.approx(
        list(((LOWER.keypoints[0, 0] + 0.5) * 1.5 - 0.5)[::-1]), abs=0.6
    )
    assert document["film"]["SOPInstanceUID"] == "1.2.3.2" and document["film"]["view"] == "lateral"
    assert document["film"]["view_probabilities"]["lateral"] == pytest.approx(0.96)
    assert len(document["film"]["course_px"]) > 5
    assert [f["reason_code"] for f in document["films"]] == ["view_not_lateral", None]
    assert document["films"][0]["view_header_disagrees"] is True
    assert document["patient"]["max_genant_grade"] == 2


def test_the_json_of_a_refused_film_says_what_was_seen() -> None:
    document = film_document(MANIFEST_ROW, [ended(1, UPPER, "ap")])
    assert (document["state"], document["reason_code"]) == ("rejected", "view_not_lateral")
    assert document["vertebrae"] == [] and document["patient"]["max_genant_grade"] is None
    assert document["film"]["view"] == "ap"


def test_ct_and_film_documents_have_the_same_keys() -> None:
    from tests.screening.beads import affine_around, make_patient, oracle_models, render
    from vfscreen.screening.chain import screen_volume

    patient = make_patient(("T12", "L1", "L2"))
    ct = screened_document(
        {}, screen_volume(render(patient, *affine_around(patient)), oracle_models(patient), ScreeningSettings())
    )
    film = film_document(MANIFEST_ROW, [ended(2, LOWER)])
    assert list(ct) == list(film) and list(ct["vertebrae"][0]) == list(film["vertebrae"][0])
    assert list(ct["series"]) == list(film["series"]) and list(ct["patient"]) == list(film["patient"])
