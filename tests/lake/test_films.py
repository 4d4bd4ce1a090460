"""Radiographs in a lake: their rows land with their shard, are counted by its receipt, and are checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.lake.builders import (
    RELEASE,
    ended,
    film_ended,
    film_row,
    film_uid,
    film_vertebra_row,
    land,
    manifest_row,
    put_index,
    table_rows,
)
from vfscreen.errors import LakeError
from vfscreen.lake import paths
from vfscreen.lake.ledger import ledger, receipt_problem, run_checks
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import decode
from vfscreen.lake.views import connect
from vfscreen.schema.columns import Table
from vfscreen.schema.tables import FILMS, RECEIPTS, VERTEBRAE

FILM = manifest_row(1, Modality="DX", film_count=3)
CT = manifest_row(2)


def rows_of(lake: Lake, query: str) -> list[tuple[Any, ...]]:
    with connect(lake) as connection:
        return connection.execute(query).fetchall()


def test_films_land_with_their_shard(lake: Lake) -> None:
    put_index(lake, [FILM, CT])
    receipt = land(lake, "s1", [film_ended(FILM), ended(CT)])
    assert receipt["film_count"] == 3 and receipt_problem(lake, receipt) is None
    films = table_rows(FILMS, lake.read_bytes(receipt["films_path"]))
    assert [f["SOPInstanceUID"] for f in films] == [film_uid(FILM, n) for n in range(3)]
    assert {(f["shard_id"], f["model_release"]) for f in films} == {("s1", RELEASE)}
    assert ledger(lake).reconciles and run_checks(lake) == []
    assert rows_of(lake, "SELECT state, reason_code FROM films ORDER BY SOPInstanceUID") == [
        ("screened", None), ("screened", None), ("rejected", "view_not_lateral"),
    ]  # fmt: skip
    assert rows_of(lake, "SELECT modality, height_calibrated, count(*) FROM vertebrae GROUP BY ALL ORDER BY ALL") == [
        ("CT", True, 2), ("DX", False, 2),
    ]  # fmt: skip
    assert rows_of(lake, "SELECT modalities, film_count, max_genant_grade FROM studies ORDER BY StudyInstanceUID") == [
        (["DX"], 3, 2), (["CT"], None, 2),
    ]  # fmt: skip
    assert rows_of(lake, "SELECT count(*) FROM patients") == [(2,)]


def test_landing_again_changes_nothing(lake: Lake) -> None:
    first = land(lake, "s1", [film_ended(FILM)])
    before = {p: p.read_bytes() for p in Path(lake.url).rglob("*") if p.is_file()}
    assert land(lake, "s1", [film_ended(FILM, (0.5, 0.5))], run_id="other") == first
    assert {p: p.read_bytes() for p in Path(lake.url).rglob("*") if p.is_file()} == before


def test_a_shard_without_radiographs_has_no_films_file(lake: Lake) -> None:
    receipt = land(lake, "s1", [ended(CT)])
    assert (receipt["film_count"], receipt["films_path"]) == (0, None)
    assert lake.store.list_files(paths.FILMS) == []
    assert lake.receipt("s1") == receipt


def test_lost_or_altered_films_are_noticed(lake: Lake) -> None:
    put_index(lake, [FILM])
    receipt = land(lake, "s1", [film_ended(FILM)])
    lake.store.write_bytes(receipt["films_path"], b"altered")
    assert "altered" in str(receipt_problem(lake, receipt))
    lake.store.remove(receipt["films_path"])
    assert lake.receipt("s1") is None
    assert receipt_problem(lake, receipt) == f"{receipt['films_path']} is gone"
    with pytest.raises(LakeError, match="is gone"):
        connect(lake)
    account = ledger(lake)
    assert account.pending == 1 and any("is gone" in problem for problem in account.problems)
    assert land(lake, "s1", [film_ended(FILM)])["film_count"] == 3
    assert ledger(lake).reconciles


def test_films_no_receipt_names_are_cleared_after_a_day(lake: Lake) -> None:
    land(lake, "s1", [film_ended(FILM)])
    lake.store.write_bytes(f"{paths.FILMS}/shard-dead-0.parquet", b"no receipt names me")
    for info in lake.store.list_files(paths.FILMS):
        os.utime(lake.store.full(info.path), (0, 0))
    assert lake.remove_left_overs() == 1
    assert len(lake.store.list_files(paths.FILMS)) == 1


def _without(table: Table, names: set[str]) -> Table:
    return Table(table.name, table.row_is, table.key, tuple(c for c in table.columns if c.name not in names))


def test_a_lake_from_before_films_still_opens(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its receipts know no films, its vertebrae no modality: they are CT's, in mm."""
    receipts = _without(RECEIPTS, {"film_count", "films_path", "films_sha256", "films_schema"})
    vertebrae = _without(VERTEBRAE, {c.name for c in VERTEBRAE.columns if c.name.endswith("_px")} | {
        "modality", "height_calibrated", "SOPInstanceUID"})  # fmt: skip
    put_index(lake, [CT])
    with monkeypatch.context() as patch:
        real_encode, old = Lake.write_shard.__globals__["encode"], {"receipts": receipts, "vertebrae": vertebrae}

        def encode(table: Table, rows: list[dict[str, Any]]) -> bytes:
            then = old.get(table.name, table)
            return bytes(real_encode(then, [{k: v for k, v in r.items() if k in then.by_name} for r in rows]))

        patch.setitem(Lake.write_shard.__globals__, "encode", encode)
        land(lake, "old", [ended(CT)])
    (stored,) = decode(lake.read_bytes(paths.receipt_file("old")))
    assert "film_count" not in stored
    assert ledger(lake).reconciles and run_checks(lake) == []
    assert rows_of(lake, "SELECT count(*) FROM films") == [(0,)]
    assert rows_of(lake, "SELECT DISTINCT modality, height_calibrated, SOPInstanceUID FROM vertebrae") == [
        ("CT", True, None)
    ]


def _changed(**changes: Any) -> list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]:
    series, vertebrae, films = film_ended(FILM)
    for name, change in changes.items():
        match name:
            case "series":
                series |= change
            case "film":
                films[0] |= change
            case "vertebra":
                vertebrae[0] |= change
            case _:
                raise AssertionError(name)
    return [(series, vertebrae, films)]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"series": {"film_count": 4}}, "4 films, 3 rows"),
        ({"series": {"film_count": None}}, "none of the shard's radiograph series"),
        ({"film": {"vertebra_count": 2}}, "says 2 vertebrae, 1 rows"),
        ({"vertebra": {"SOPInstanceUID": "1.2.3"}}, "film"),
        ({"film": {"SeriesInstanceUID": "1.2.3"}}, "none of the shard's"),
    ],
)
def test_rows_that_contradict_each_other_do_not_land(lake: Lake, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        land(lake, "s1", _changed(**changes))
    assert lake.receipts() == []


def test_screened_radiographs_without_film_rows_do_not_land(lake: Lake) -> None:
    series, vertebrae, _ = film_ended(FILM)
    with pytest.raises(ValueError, match="without a film row"):
        land(lake, "s1", [(series, vertebrae, [])])


def test_two_rows_of_one_film_do_not_land(lake: Lake) -> None:
    series, _, films = film_ended(FILM, ())
    twice = {**series, "state": "rejected", "stage": "locate", "reason_code": "view_not_lateral", "film_count": 2}
    with pytest.raises(ValueError, match="two rows with the key"):
        land(lake, "s1", [(twice, [], films * 2)])


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("film_counts", {"series": {"lateral_film_count": 3}}),
        ("film_state_has_reason", {"film": {"reason_code": "view_not_lateral"}}),
        ("films_as_series", {"film": {"patient_pseudonym": "somebody else"}}),
        ("films_as_series", {"film": {"spacing_source": "calibrated"}}),
        ("films_as_series", {"film": {"height_calibrated": True, "spacing_source": "calibrated"}}),
        ("films_as_series", {"vertebra": {"height_calibrated": True, "anterior_height_mm": 22.5,
                                          "middle_height_mm": 25.0, "posterior_height_mm": 25.0}}),
        ("heights_as_calibrated", {"vertebra": {"anterior_height_mm": 22.5}}),
        ("heights_as_calibrated", {"vertebra": {"centre_lps_mm": [0.0, 0.0, 0.0]}}),
        ("heights_as_calibrated", {"vertebra": {"trabecular_hu_mean": 100.0, "density_valid": True}}),
        ("raw_loss_follows_heights", {"vertebra": {"anterior_height_px": 100.0}}),
        ("ranges", {"vertebra": {"centre_px": [-5.0, 3.0]}}),
    ],
)  # fmt: skip
def test_each_check_of_films_can_fail(lake: Lake, check: str, changes: dict[str, Any]) -> None:
    put_index(lake, [FILM])
    land(lake, "s1", _changed(**changes))
    assert check in {failure.check for failure in run_checks(lake)}


def test_a_calibrated_film_has_both_units(lake: Lake) -> None:
    put_index(lake, [FILM])
    series, vertebrae, films = film_ended(FILM)
    spacing = {"height_calibrated": True, "spacing_source": "calibrated", "row_spacing_mm": 0.2}
    films = [film | spacing for film in films]
    for v in vertebrae:
        v |= {f"{part}_height_mm": v[f"{part}_height_px"] / 5 for part in ("anterior", "middle", "posterior")}
        v["height_calibrated"] = True
    land(lake, "s1", [(series, vertebrae, films)])
    assert run_checks(lake) == []


def test_one_level_on_two_films_counts_once(lake: Lake) -> None:
    put_index(lake, [FILM])
    series, _, films = film_ended(FILM, (0.3, 0.3))
    both = [film_vertebra_row(series, i, i, 0.3, vertebra_level="T4") for i in range(2)]
    series |= {"sdi": 2, "sdi_levels_assessed": ["T4"]}
    land(lake, "s1", [(series, both, films)])
    assert run_checks(lake) == []
    assert rows_of(lake, "SELECT vertebra_level, genant_grade FROM exam_vertebrae") == [("T4", 2)]


def test_series_that_failed_before_its_films_were_read_needs_none(lake: Lake) -> None:
    put_index(lake, [FILM])
    row, _ = ended(FILM, state="failed", stage="worker", reason_code="worker_died", film_count=3)
    land(lake, "s1", [(row, [])])
    assert run_checks(lake) == []


def test_a_left_out_series_needs_none(lake: Lake) -> None:
    left = manifest_row(1, Modality="CR", film_count=2, selected=False, stage="accept", reason_code="film_too_small")
    put_index(lake, [left])
    row, _ = ended(left, film_count=2)
    land(lake, "s1", [(row, [])])
    assert run_checks(lake) == []


def test_an_unread_film_is_a_row(lake: Lake) -> None:
    put_index(lake, [FILM])
    series, vertebrae, films = film_ended(FILM)
    broken = {"state": "failed", "stage": "decode", "reason_code": "decode_failed", "height_calibrated": None}
    films[2] = film_row(series, 2, vertebra_count=0, **broken, view=None, view_probability=None)
    land(lake, "s1", [(series, vertebrae, films)])
    assert run_checks(lake) == []
