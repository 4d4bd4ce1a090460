"""A shard over a real archive and a real lake, with models that find what is in the pixels (beads)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.dicom_builder import SeriesSpec, write_series
from tests.screening.beads import OracleDetector, OracleLocator, affine_around, make_patient, render
from vfscreen.errors import ReasonCode, StorageFull
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.identity import KEY_ENVIRONMENT
from vfscreen.lake.plan import Shard, plan_shards
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import decode
from vfscreen.models.ports import LocatedColumn, ModelSet
from vfscreen.screening.indexing import index_archive
from vfscreen.screening.rows import RUN_DEPENDENT
from vfscreen.screening.shard import ShardSummary, run_shard
from vfscreen.settings import OverlaySettings, Settings, SweepSettings

PATIENT = make_patient(
    heights_mm=[(22, 22, 24), (23, 23, 25), (18, 23, 26.5), (27, 26, 27.5), (27, 26, 28), (28, 26, 27)]
)
SETTINGS = Settings()
RELEASE = "oracle-1"


def models() -> ModelSet:
    return ModelSet(RELEASE, OracleLocator(PATIENT), OracleDetector(PATIENT.levels))


@dataclass(frozen=True)
class Site:
    archive: Path
    lake: Lake

    def shards(self, studies: int = 64) -> list[Shard]:
        return plan_shards(self.lake, RELEASE, shard_studies=studies)

    def run(self, shard: Shard, settings: Settings = SETTINGS, **kwargs: Any) -> ShardSummary:
        return run_shard(
            str(self.archive), self.lake.url, shard, settings, "run-1", kwargs.pop("models", models()), **kwargs
        )

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """SERIES and VERTEBRAE rows of every receipt, sorted."""
        series: list[dict[str, Any]] = []
        vertebrae: list[dict[str, Any]] = []
        for receipt in self.lake.receipts():
            series += decode(self.lake.read_bytes(receipt["series_path"]))
            vertebrae += decode(self.lake.read_bytes(receipt["vertebrae_path"]))
        series.sort(key=lambda r: r["SeriesInstanceUID"])
        vertebrae.sort(key=lambda r: (r["SeriesInstanceUID"], r["vertebra_index"]))
        return series, vertebrae


@pytest.fixture(scope="module")
def pixels() -> Volume:
    affine, shape = affine_around(PATIENT, spacing_mm=(1.2, 1.2, 2.0), margin_mm=30.0)
    return render(PATIENT, affine, shape)


@pytest.fixture
def site(tmp_path: Path, pixels: Volume, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Three studies: two good series, one without a spine; and a localizer among them."""
    monkeypatch.setenv(KEY_ENVIRONMENT, "a key for tests, 16+ bytes")
    archive = tmp_path / "archive"
    for n in (1, 2, 3):
        spec = SeriesSpec(study_uid=f"1.2.{n}", series_uid=f"1.2.{n}.1")
        hu = (
            pixels.hu
            if n < 3
            else np.where(pixels.hu > 100, 40, pixels.hu + np.indices(pixels.hu.shape)[2].astype(np.int16) * 4)
        )
        write_series(archive / str(n), spec, hu.astype(np.int16), pixels.affine_lps)
    scout = SeriesSpec(study_uid="1.2.1", series_uid="1.2.1.9").with_header(
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    write_series(archive / "scout", scout, pixels.hu[:2], pixels.affine_lps)
    lake = Lake.create(tmp_path / "lake")
    index_archive(str(archive), lake.url, SETTINGS, processes=0)
    return Site(archive, lake)


def test_every_series_of_the_shard_ends_once(site: Site) -> None:
    (shard,) = site.shards()
    seen: list[str] = []
    summary = site.run(shard, progress=lambda row: seen.append(row["SeriesInstanceUID"]))
    assert (summary.series_count, summary.screened_count, summary.rejected_count, summary.failed_count) == (4, 2, 2, 0)
    assert summary.vertebra_count == 12 and not summary.already_done
    assert seen == ["1.2.1.1", "1.2.2.1", "1.2.3.1"]
    series, vertebrae = site.rows()
    reasons = {row["SeriesInstanceUID"]: row["reason_code"] for row in series}
    assert reasons == {
        "1.2.1.1": None,
        "1.2.1.9": ReasonCode.LOCALIZER,
        "1.2.2.1": None,
        "1.2.3.1": ReasonCode.VERTEBRAE_NOT_FOUND,
    }
    screened = series[0]
    assert screened["max_genant_grade"] == 2 and screened["vertebra_count"] == 6 and screened["sdi"] == 2
    assert screened["seconds_inference"] > 0 and screened["slice_count"] == site_slices(site)
    assert [v["vertebra_level"] for v in vertebrae[:6]] == list(PATIENT.levels)
    for row, truth in zip(vertebrae[:6], PATIENT.keypoints, strict=True):
        assert np.linalg.norm(np.array(row["anterior_superior_lps_mm"]) - truth[0]) < 0.5


def site_slices(site: Site) -> int:
    return len(list((site.archive / "1").iterdir()))


def test_a_landed_shard_is_not_read_again(site: Site) -> None:
    (shard,) = site.shards()
    first = site.run(shard)
    for path in site.archive.rglob("*"):
        if path.is_file():
            path.unlink()
    assert site.run(shard) == replace(first, already_done=True)


def test_rows_know_neither_shard_nor_order_nor_prefetch(site: Site, tmp_path: Path) -> None:
    for shard in site.shards():
        site.run(shard)
    together = site.rows()
    other = Site(site.archive, Lake.create(tmp_path / "lake2"))
    index_archive(str(site.archive), other.lake.url, SETTINGS, processes=0)
    eager = Settings(sweep=SweepSettings(prefetch_series=0))
    shards = other.shards(studies=1)
    assert len(shards) == 3
    for shard in reversed(shards):
        other.run(shard, eager)
    for a, b in zip(together, other.rows(), strict=True):
        strip = [{k: v for k, v in row.items() if k not in RUN_DEPENDENT} for row in a]
        assert strip == [{k: v for k, v in row.items() if k not in RUN_DEPENDENT} for row in b]


def test_flagged_series_get_a_picture_in_the_lake(site: Site) -> None:
    site.run(site.shards()[0])
    series, _ = site.rows()
    paths = [row["overlay_path"] for row in series if row["state"] == "screened"]
    assert len(set(paths)) == 2
    for path in paths:
        assert site.lake.read_bytes(path).startswith(b"\x89PNG")
        assert "1.2." not in path
    assert all(row["overlay_path"] is None for row in series if row["state"] != "screened")


def test_no_picture_where_none_is_asked(site: Site) -> None:
    site.run(site.shards()[0], Settings(overlay=OverlaySettings(draw="none")))
    assert all(row["overlay_path"] is None for row in site.rows()[0])


class Failing:
    """A locator that fails on one volume."""

    def __init__(self, error: BaseException, on: int = 1) -> None:
        self.error, self.on, self.calls = error, on, 0

    def locate(self, volume: Volume) -> LocatedColumn:
        self.calls += 1
        if self.calls == self.on:
            raise self.error
        return OracleLocator(PATIENT).locate(volume)


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (ZeroDivisionError("odd"), ReasonCode.INTERNAL_ERROR, "ZeroDivisionError: odd"),
        (MemoryError("no more"), ReasonCode.OUT_OF_MEMORY, "no more"),
    ],
)
def test_an_error_on_one_series_is_its_row_and_its_neighbours_are_unharmed(
    site: Site, error: Exception, reason: ReasonCode, text: str
) -> None:
    """Known mistake: a failed case deleted with its log."""
    summary = site.run(site.shards()[0], models=replace(models(), locator=Failing(error)))
    assert (summary.screened_count, summary.failed_count) == (1, 1)
    series, _ = site.rows()
    assert series[0]["state"] == "failed" and series[0]["reason_code"] == reason
    assert text in series[0]["message"]
    assert series[2]["state"] == "screened"


def test_a_damaged_file_is_its_series_row(site: Site) -> None:
    victim = sorted((site.archive / "2").iterdir())[5]
    data = bytearray(victim.read_bytes())
    stat = victim.stat()
    victim.write_bytes(bytes(data[: len(data) // 2]) + b"\0" * (len(data) - len(data) // 2))
    import os

    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    summary = site.run(site.shards()[0])
    assert (summary.screened_count, summary.failed_count) == (1, 1)
    series, _ = site.rows()
    assert series[2]["reason_code"] == ReasonCode.INPUT_CHANGED and series[2]["stage"] == "read"


def test_a_full_storage_stops_the_shard_and_nothing_lands(site: Site) -> None:
    full = replace(models(), locator=Failing(StorageFull("no space"), on=2))
    with pytest.raises(StorageFull):
        site.run(site.shards()[0], models=full)
    assert site.lake.receipts() == []
    assert site.run(site.shards()[0]).screened_count == 2


def test_a_series_over_its_time_is_timed_out(site: Site) -> None:
    class Slow(OracleLocator):
        def locate(self, volume: Volume) -> LocatedColumn:
            time.sleep(0.5)
            return super().locate(volume)

    settings = Settings(sweep=SweepSettings(series_timeout_s=0.45))
    summary = site.run(site.shards()[0], settings, models=replace(models(), locator=Slow(PATIENT)))
    assert summary.failed_count == 3
    assert {row["reason_code"] for row in site.rows()[0] if row["state"] == "failed"} == {ReasonCode.TIMED_OUT}


@pytest.fixture(autouse=True)
def _no_reader_is_left_behind() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while any(t.name == "read-ahead" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(t.name == "read-ahead" for t in threading.enumerate())
