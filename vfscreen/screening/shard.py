"""One shard: its series in, one row each out, landed in the lake as a whole.

Belongs here: the stream read -> screen -> rows, and that a failure of one series is a row. Does not belong here: which
series make a shard (lake.plan), the steps (chain), how it lands (lake.store), who calls it where (tasks, flows).

Rows depend on the series, the models and the settings of the chain only: not on the shard, the worker or the order.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from vfscreen.density.acquisition import Acquisition
from vfscreen.errors import Failed, ReasonCode, Stage, State
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.decode import read_volume
from vfscreen.lake.plan import Shard
from vfscreen.lake.store import Lake
from vfscreen.models.ports import ModelSet
from vfscreen.models.registry import load_models
from vfscreen.report.overlay import draw_overlay
from vfscreen.screening.chain import screen_volume
from vfscreen.screening.isolation import manifest_rows
from vfscreen.screening.reading import Readout, as_item_error, read_ahead
from vfscreen.screening.result import ScreeningResult
from vfscreen.screening.rows import ended_series_row, left_out_series_row, screened_rows
from vfscreen.screening.series_files import SeriesFiles
from vfscreen.settings import OverlaySettings, ScreeningSettings, Settings

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

    selected = [row for row in manifest if row["selected"]]
    files = SeriesFiles(lake, [_key(row) for row in selected])

    def read(row: Row) -> Volume:
        return read_volume(archive, files[_key(row)])

    sweep = settings.sweep
    for readout in read_ahead(selected, read, sweep.prefetch_series, sweep.series_timeout_s):
        series_row, vertebrae = _screen(readout, models, settings, lake)
        series_rows.append(series_row)
        vertebra_rows += vertebrae
        if progress is not None:
            progress(series_row)
    series_rows.sort(key=lambda r: (r["StudyInstanceUID"], r["SeriesInstanceUID"]))
    vertebra_rows.sort(key=lambda r: (r["StudyInstanceUID"], r["SeriesInstanceUID"], r["vertebra_index"]))
    return _summary(lake.write_shard(shard.shard_id, run_id, models.release, series_rows, vertebra_rows))


@lru_cache(maxsize=2)
def process_models(screening: ScreeningSettings, release: str = "default") -> ModelSet:
    """The models of a release, loaded once in this process."""
    # what the cluster gave this process; OpenVINO would otherwise take every core, in each worker
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return load_models(release, threads=int(threads) if threads.isdecimal() else None, screening=screening)


def _screen(readout: Readout[Row, Volume], models: ModelSet, settings: Settings, lake: Lake) -> tuple[Row, list[Row]]:
    """Rows of one series. Raises SiteError only."""
    row, volume = readout.item, readout.value
    readout.value = None  # so that its memory is free before the next series is asked for
    if volume is None:
        assert readout.error is not None
        return ended_series_row(row, readout.error, readout.seconds), []
    started = time.monotonic()
    try:
        limit = _time_limit(started, settings.sweep.series_timeout_s)
        result = screen_volume(volume, models, settings.screening, limit, Acquisition.from_header(row))
        del volume
        seconds = time.monotonic() - started
        path, message = _overlay(row, result, models.release, settings.overlay, lake)
        return screened_rows(row, result, path, message, readout.seconds, seconds)
    except Exception as error:
        failure = as_item_error(error, Stage.MEASURE)
        return ended_series_row(row, failure, readout.seconds, time.monotonic() - started), []


def _time_limit(started: float, timeout_s: float) -> Callable[[], None]:
    def check() -> None:
        if time.monotonic() - started > timeout_s:
            raise Failed(Stage.DETECT, ReasonCode.TIMED_OUT, f"screening took longer than {timeout_s:.0f} s")

    return check


def overlay_path(manifest_row: Row, release: str) -> str:
    """Where the picture of a series lies in the lake: the same for the same content and release, and no identifier."""
    key = "\n".join(str(manifest_row[n]) for n in ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint"))
    return f"overlays/{release}/{hashlib.sha256(key.encode()).hexdigest()[:24]}.png"


def _overlay(
    row: Row, result: ScreeningResult, release: str, settings: OverlaySettings, lake: Lake
) -> tuple[str | None, str | None]:
    """(path of the picture, why there is none though there should be): findings are worth more than their picture."""
    grade = result.patient.max_genant_grade
    flagged = grade is not None and grade >= settings.flagged_grade_min
    if settings.draw == "none" or (settings.draw == "flagged" and not flagged):
        return None, None
    try:
        data = draw_overlay(result, title=_title(row, release), flagged_grade_min=settings.flagged_grade_min)
    except Exception as error:
        return None, f"screened, but its picture could not be drawn: {type(error).__name__}: {error}"
    path = overlay_path(row, release)
    lake.write_bytes(path, data)
    return path, None


def _title(row: Row, release: str) -> str:
    """Pseudonyms only: pictures travel."""
    pseudonym = row["patient_pseudonym"]
    patient = "patient unknown" if pseudonym is None else f"patient {pseudonym[:12]}"
    return f"{patient}   series {overlay_path(row, release)[-28:-16]}   {release}"


def _key(row: Row) -> tuple[str, str]:
    return row["StudyInstanceUID"], row["SeriesInstanceUID"]


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
