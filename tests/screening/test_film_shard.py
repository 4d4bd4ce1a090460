"""A shard with radiographs over a real archive and a real lake, with models that find what is in the pixels (beads)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.screening.beads import OracleDetector, OracleLocator, make_patient
from tests.screening.film_beads import (
    FilmPatient,
    OracleFilmLocator,
    OracleViewReader,
    draw,
    make_film_patient,
    oracle_film_models,
    write_film,
)
from vfscreen.errors import Failed, ReasonCode, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.ingest.identity import KEY_ENVIRONMENT
from vfscreen.lake.ledger import ledger, run_checks
from vfscreen.lake.plan import plan_shards
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import decode
from vfscreen.lake.views import connect
from vfscreen.models.film_ports import FilmView
from vfscreen.models.ports import ModelSet
from vfscreen.screening.film_rows import film_series_rows
from vfscreen.screening.indexing import index_archive
from vfscreen.screening.isolation import record_lost_study
from vfscreen.screening.rows import RUN_DEPENDENT
from vfscreen.screening.shard import ShardSummary, run_shard
from vfscreen.settings import OverlaySettings, Settings, SweepSettings
from vfscreen.settings_films import FilmSettings

RELEASE = "oracle-1"
PATIENT: FilmPatient = make_film_patient(heights=[(0.95, 0.94, 1)] * 2 + [(0.6, 0.85, 1)] + [(1, 0.97, 1)] * 3)
SETTINGS = Settings()


class ViewByMarker:
    """An AP film has a dark corner; any other is lateral."""

    def read(self, image: np.ndarray, inside: np.ndarray) -> FilmView:
        dark = image[:20, :20].mean() < image.min() + 0.003 * np.ptp(image)
        return OracleViewReader("ap" if dark else "lateral").read(image, inside)


def models(films: bool = True) -> ModelSet:
    ct = make_patient()
    return ModelSet(
        RELEASE,
        OracleLocator(ct),
        OracleDetector(ct.levels),
        films=replace(oracle_film_models(PATIENT), view=ViewByMarker()) if films else None,
    )


@pytest.fixture(scope="module")
def lateral() -> Radiograph:
    film = draw(PATIENT, 1.5, offset=100.0)
    film.image[:25, :25] += 20.0
    return film


@dataclass(frozen=True)
class Site:
    archive: Path
    lake: Lake

    def run(
        self, settings: Settings = SETTINGS, with_models: ModelSet | None = None, studies: int = 64
    ) -> list[ShardSummary]:
        shards = plan_shards(self.lake, RELEASE, shard_studies=studies)
        return [
            run_shard(str(self.archive), self.lake.url, shard, settings, "run-1", with_models or models())
            for shard in shards
        ]

    def table(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for receipt in self.lake.receipts():
            if receipt.get(f"{name}_path"):
                rows += decode(self.lake.read_bytes(receipt[f"{name}_path"]))
        return sorted(
            rows, key=lambda r: (r["SeriesInstanceUID"], r.get("SOPInstanceUID") or "", r.get("vertebra_index", 0))
        )


def blank_corner(film: Radiograph) -> Radiograph:
    image = film.image.copy()
    image[:25, :25] = image.min()
    return replace(film, image=image)


@pytest.fixture
def archive(tmp_path: Path, lateral: Radiograph) -> Path:
    """Study 1: a series of an AP and a lateral film. Study 2: a lateral film, and a series of an AP one. Study 3: noise
    for a film, and one that is too small."""
    folder = tmp_path / "archive"
    write_film(blank_corner(lateral), folder / "a", ("1.2.1", "1.2.1.1", "1.2.1.1.1"), 1, ViewPosition="LL")
    write_film(lateral, folder / "b", ("1.2.1", "1.2.1.1", "1.2.1.1.2"), 2, ViewPosition="LL")
    spacing = {"PixelSpacing": [0.3, 0.3], "ImagerPixelSpacing": [0.35, 0.35]}
    write_film(lateral, folder / "c", ("1.2.2", "1.2.2.1", "1.2.2.1.1"), 1, **spacing)
    write_film(blank_corner(lateral), folder / "d", ("1.2.2", "1.2.2.2", "1.2.2.2.1"), 1)
    noise = np.random.default_rng(0).normal(size=lateral.shape).astype(np.float32)
    write_film(replace(lateral, image=noise), folder / "e", ("1.2.3", "1.2.3.1", "1.2.3.1.1"), 1)
    small = Radiograph(noise[:100, :100].copy(), np.ones((100, 100), dtype=bool))
    write_film(small, folder / "f", ("1.2.3", "1.2.3.2", "1.2.3.2.1"), 1)
    return folder


@pytest.fixture
def site(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv(KEY_ENVIRONMENT, "a key for tests, 16+ bytes")
    lake = Lake.create(tmp_path / "lake")
    index_archive(str(archive), lake.url, SETTINGS, processes=0)
    yield Site(archive, lake)


def test_every_film_and_every_series_ends_once(site: Site) -> None:
    (summary,) = site.run()
    assert (summary.series_count, summary.screened_count, summary.rejected_count) == (5, 2, 3)
    films = {f["SOPInstanceUID"]: f for f in site.table("films")}
    assert {uid: f["reason_code"] for uid, f in films.items()} == {
        "1.2.1.1.1": ReasonCode.VIEW_NOT_LATERAL,
        "1.2.1.1.2": None,
        "1.2.2.1.1": None,
        "1.2.2.2.1": ReasonCode.VIEW_NOT_LATERAL,
        "1.2.3.1.1": ReasonCode.SPINE_NOT_FOUND,
    }
    assert (films["1.2.1.1.1"]["view"], films["1.2.1.1.1"]["view_header_disagrees"]) == ("ap", True)
    assert films["1.2.1.1.2"]["view_header_disagrees"] is False
    series = {s["SeriesInstanceUID"]: s for s in site.table("series")}
    assert series["1.2.3.2"]["reason_code"] == ReasonCode.FILM_TOO_SMALL and series["1.2.3.2"]["stage"] == "accept"
    first = series["1.2.1.1"]
    assert (first["film_count"], first["lateral_film_count"], first["vertebra_count"]) == (2, 1, 6)
    assert first["max_genant_grade"] == 2 and first["seconds_inference"] > 0
    vertebrae = site.table("vertebrae")
    assert [v["vertebra_level"] for v in vertebrae[:6]] == list(PATIENT.levels)
    assert {v["SOPInstanceUID"] for v in vertebrae} == {"1.2.1.1.2", "1.2.2.1.1"}
    truth = (PATIENT.keypoints + 0.5) * 1.5 - 0.5
    for row, points in zip(vertebrae[:6], truth, strict=True):
        assert row["anterior_superior_px"] == pytest.approx(points[0][::-1], abs=0.6)
    calibrated = [v for v in vertebrae if v["height_calibrated"]]
    assert len(calibrated) == 6
    assert calibrated[0]["anterior_height_mm"] == pytest.approx(0.3 * calibrated[0]["anterior_height_px"])


def test_the_lake_reconciles_and_its_checks_hold(site: Site) -> None:
    site.run()
    assert ledger(site.lake).reconciles, ledger(site.lake).problems
    assert run_checks(site.lake) == []
    with connect(site.lake) as connection:
        (count,) = connection.execute("SELECT count(*) FROM films").fetchone() or (None,)
    assert count == 5
    assert plan_shards(site.lake, RELEASE) == []


def test_rows_know_neither_shard_nor_order_nor_prefetch(site: Site, tmp_path: Path) -> None:
    site.run()
    other = Site(site.archive, Lake.create(tmp_path / "lake2"))
    index_archive(str(site.archive), other.lake.url, SETTINGS, processes=0)
    assert len(other.run(Settings(sweep=SweepSettings(prefetch_series=0)), studies=1)) == 3
    for name in ("series", "films", "vertebrae"):
        kept = [
            [{k: v for k, v in row.items() if k not in RUN_DEPENDENT} for row in lake.table(name)]
            for lake in (site, other)
        ]
        assert kept[0] == kept[1] and kept[0]


def test_flagged_films_get_a_picture_in_the_lake(site: Site) -> None:
    site.run()
    paths = [f["overlay_path"] for f in site.table("films") if f["state"] == "screened"]
    assert len(set(paths)) == 2
    for path in paths:
        assert site.lake.read_bytes(path).startswith(b"\x89PNG") and "1.2." not in path
    shown = {s["overlay_path"] for s in site.table("series") if s["state"] == "screened"}
    assert shown == set(paths)


def test_no_picture_where_none_is_asked(site: Site) -> None:
    site.run(Settings(overlay=OverlaySettings(draw="none")))
    assert all(f["overlay_path"] is None for f in site.table("films"))


def test_a_release_without_film_networks_refuses_films_and_another_takes_them_up(site: Site) -> None:
    (summary,) = site.run(with_models=models(films=False))
    assert summary.screened_count == 0 and summary.failed_count == 0
    films = site.table("films")
    assert len(films) == 5 and {f["reason_code"] for f in films} == {ReasonCode.FILM_MODELS_MISSING}
    assert ledger(site.lake).reconciles and run_checks(site.lake) == []
    assert plan_shards(site.lake, RELEASE) == [] and len(plan_shards(site.lake, "another-2")) == 1


def test_films_switched_off_are_refused_by_the_index(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENVIRONMENT, "a key for tests, 16+ bytes")
    site = Site(archive, Lake.create(tmp_path / "lake"))
    off = Settings(films=FilmSettings(enabled=False))
    index_archive(str(archive), site.lake.url, off, processes=0)
    site.run(off)
    assert {s["reason_code"] for s in site.table("series")} == {ReasonCode.FILMS_SWITCHED_OFF}
    assert site.table("films") == [] and ledger(site.lake).reconciles
    # switched on, they are pending again
    index_archive(str(archive), site.lake.url, SETTINGS, processes=0)
    assert sum(s.screened_count for s in site.run()) == 2


class Failing(OracleFilmLocator):
    """Fails on its first film."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def locate(self, image: np.ndarray, inside: np.ndarray) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise ZeroDivisionError("odd")
        return super().locate(image, inside)


def test_an_error_on_one_film_is_its_row_and_its_neighbours_are_unharmed(site: Site) -> None:
    films = models().films
    assert films is not None
    (summary,) = site.run(with_models=replace(models(), films=replace(films, locator=Failing())))
    assert (summary.screened_count, summary.failed_count) == (1, 1)
    rows = {f["SOPInstanceUID"]: f for f in site.table("films")}
    assert rows["1.2.1.1.2"]["state"] == "failed" and "ZeroDivisionError: odd" in rows["1.2.1.1.2"]["message"]
    series = {s["SeriesInstanceUID"]: s for s in site.table("series")}
    assert (series["1.2.1.1"]["state"], series["1.2.1.1"]["reason_code"]) == ("failed", "internal_error")
    assert series["1.2.2.1"]["state"] == "screened"
    assert run_checks(site.lake) == []


def test_a_film_that_changed_since_it_was_indexed_is_its_row(site: Site) -> None:
    victim = site.archive / "c"
    victim.write_bytes(victim.read_bytes()[:-5000])
    (summary,) = site.run()
    assert summary.failed_count == 1 and summary.screened_count == 1
    (row,) = [f for f in site.table("films") if f["SOPInstanceUID"] == "1.2.2.1.1"]
    assert row["state"] == "failed" and row["Rows"] == victim_rows() and row["view"] is None


def victim_rows() -> int:
    return round(PATIENT.shape[0] * 1.5)


def test_a_lost_study_of_films_has_its_rows(site: Site) -> None:
    (shard, *_) = plan_shards(site.lake, RELEASE, shard_studies=1)
    record_lost_study(site.lake.url, shard, "run-1", RELEASE, ReasonCode.WORKER_DIED, "killed")
    site.run()
    assert ledger(site.lake).reconciles and run_checks(site.lake) == []
    assert {s["reason_code"] for s in site.table("series") if s["StudyInstanceUID"] == "1.2.1"} == {"worker_died"}


def test_impossible_values_of_a_film_fail_its_series_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = film_series_rows, list[str]()

    def once(row: Any, films: Any) -> Any:
        calls.append(row["SeriesInstanceUID"])
        if len(calls) == 1:
            raise Failed(Stage.MEASURE, ReasonCode.INTERNAL_ERROR, "table vertebrae: impossible")
        return original(row, films)

    monkeypatch.setattr("vfscreen.screening.shard.film_series_rows", once)
    (summary,) = site.run()
    assert (summary.screened_count, summary.failed_count) == (1, 1)
    assert {f["message"] for f in site.table("films") if f["state"] == "failed"} == {"table vertebrae: impossible"}
