"""One shard: its series in, one row each out, landed in the lake as a whole.

Belongs here: the stream read -> screen -> rows, and that a failure of one series is a row. Does not belong here: which
series make a shard (lake.plan), the steps (chain, film_chain), how it lands (lake.store), who calls it where (tasks,
flows).

Rows depend on the series, the models and the settings of the chain only: not on the shard, the worker or the order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from vfscreen.density.acquisition import Acquisition
from vfscreen.errors import Failed, ReasonCode, Stage, State
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.film import FilmImage
from vfscreen.lake.plan import Shard
from vfscreen.lake.store import Lake
from vfscreen.models.ports import ModelSet
from vfscreen.models.registry import load_models
from vfscreen.report.overlay import draw_overlay
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.film_item import end_film
from vfscreen.screening.film_rows import EndedFilm, film_series_rows
from vfscreen.screening.isolation import manifest_rows
from vfscreen.screening.items import ReadItem, read_item, read_items
from vfscreen.screening.pictures import keep_overlay, overlay_path, picture_title
from vfscreen.screening.reading import Readout, as_item_error, read_ahead
from vfscreen.screening.rows import ended_series_row, left_out_series_row, screened_rows
from vfscreen.screening.series_files import SeriesFiles
from vfscreen.settings import ScreeningSettings, Settings

Row = dict[str, Any]


@dataclass(frozen=True)
class ShardSummary:
    """How a shard ended. already_done: its receipt was there, nothing was read."""

    shard_id: str
    already_done: bool
    series_count: int
    screened_count: int
    rejected_count: int
    failed_count: int
    vertebra_count: int


def run_shard(
    archive: str,
    lake_url: str,
    shard: Shard,
    settings: Settings,
    run_id: str,
    models: ModelSet | None = None,
    progress: Callable[[Row], None] | None = None,
) -> ShardSummary:
    """Screen every selected series of a shard and land its rows; the others' rows come from the manifest.

    models: loaded once a process where None. progress: called with each SERIES row as it is ready.
    Does nothing where the shard's receipt exists. A failure of one series is its row; SiteError (StorageFull,
    LakeError) is raised, and then nothing of the shard has landed.
    """
    lake = Lake.open(lake_url)
    if receipt := lake.receipt(shard.shard_id):
        return _summary(receipt, already_done=True)
    models = models or process_models(settings.screening)
    manifest = manifest_rows(lake, shard)
    series_rows = [left_out_series_row(row) for row in manifest if not row["selected"]]
    vertebra_rows: list[Row] = []
    film_rows: list[Row] = []

    selected = [row for row in manifest if row["selected"]]
    for series_row, vertebrae, films in _series(archive, lake, selected, models, settings):
        series_rows.append(series_row)
        vertebra_rows += vertebrae
        film_rows += films
        if progress is not None:
            progress(series_row)
    series_rows.sort(key=lambda r: (r["StudyInstanceUID"], r["SeriesInstanceUID"]))
    vertebra_rows.sort(key=lambda r: (r["StudyInstanceUID"], r["SeriesInstanceUID"], r["vertebra_index"]))
    return _summary(lake.write_shard(shard.shard_id, run_id, models.release, series_rows, vertebra_rows, film_rows))


@lru_cache(maxsize=2)
def process_models(screening: ScreeningSettings, release: str = "default") -> ModelSet:
    """The models of a release, loaded once in this process."""
    # what the cluster gave this process; OpenVINO would otherwise take every core, in each worker
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return load_models(release, threads=int(threads) if threads.isdecimal() else None, screening=screening)


def _series(
    archive: str, lake: Lake, selected: Sequence[Row], models: ModelSet, settings: Settings
) -> Iterator[tuple[Row, list[Row], list[Row]]]:
    """SERIES row, VERTEBRAE rows and FILMS rows of each selected series, in order. Raises SiteError only."""
    files = SeriesFiles(lake, [(row["StudyInstanceUID"], row["SeriesInstanceUID"]) for row in selected])
    sweep, has_film_models = settings.sweep, models.films is not None

    def read(item: ReadItem) -> Volume | FilmImage:
        return read_item(archive, item, settings.films, has_film_models)

    films: list[EndedFilm] = []
    items = read_items(selected, files)
    for readout in read_ahead(items, read, sweep.prefetch_series, sweep.series_timeout_s):
        limit = _time_limit(time.monotonic(), sweep.series_timeout_s)
        if not readout.item.is_film:
            yield *_screen(cast("Readout[ReadItem, Volume]", readout), models, settings, lake, limit), []
            continue
        film = cast("Readout[ReadItem, FilmImage]", readout)
        films.append(end_film(film, models.films, models.release, settings, lake, limit))
        if readout.item.is_last:
            yield _film_rows(readout.item.manifest_row, films)
            films = []


def _film_rows(manifest_row: Row, films: Sequence[EndedFilm]) -> tuple[Row, list[Row], list[Row]]:
    try:
        return film_series_rows(manifest_row, films)
    except Failed as failure:
        return film_series_rows(manifest_row, [replace(film, error=failure, result=None) for film in films])


def _screen(
    readout: Readout[ReadItem, Volume], models: ModelSet, settings: Settings, lake: Lake, limit: Callable[[], None]
) -> tuple[Row, list[Row]]:
    """Rows of one CT series. Raises SiteError only."""
    row, volume = readout.item.manifest_row, readout.value
    readout.value = None  # so that its memory is free before the next series is asked for
    if volume is None:
        assert readout.error is not None
        return ended_series_row(row, readout.error, readout.seconds), []
    started = time.monotonic()
    try:
        result = screen_volume(volume, models, settings.screening, limit, Acquisition.from_header(row))
        del volume
        seconds = time.monotonic() - started
        path = overlay_path(row, models.release)
        title, grade_min = picture_title(row, path, models.release), settings.overlay.flagged_grade_min
        kept, message = keep_overlay(
            path, result.patient, lambda: draw_overlay(result, title, grade_min), settings.overlay, lake
        )
        return screened_rows(row, result, kept, message, readout.seconds, seconds)
    except Exception as error:
        failure = as_item_error(error, Stage.MEASURE)
        return ended_series_row(row, failure, readout.seconds, time.monotonic() - started), []


def _time_limit(started: float, timeout_s: float) -> Callable[[], None]:
    def check() -> None:
        if time.monotonic() - started > timeout_s:
            raise Failed(Stage.DETECT, ReasonCode.TIMED_OUT, f"screening took longer than {timeout_s:.0f} s")

    return check


def _summary(receipt: Row, already_done: bool = False) -> ShardSummary:
    return ShardSummary(
        shard_id=receipt["shard_id"],
        already_done=already_done,
        series_count=receipt["series_count"],
        screened_count=receipt[f"{State.SCREENED.value}_count"],
        rejected_count=receipt[f"{State.REJECTED.value}_count"],
        failed_count=receipt[f"{State.FAILED.value}_count"],
        vertebra_count=receipt["vertebra_count"],
    )
