"""A shard across a process boundary: calling its function by name, accounting for studies that were lost.

Belongs here: what the flow needs of a shard without knowing what screening is. Does not belong here: screening a shard
(`screening.shard`), deciding which studies are lost (flows).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from vfscreen.errors import Failed, PlanOutdated, ReasonCode, SettingsError, Stage
from vfscreen.lake.manifest import series_of_studies
from vfscreen.lake.plan import Shard
from vfscreen.lake.store import Lake
from vfscreen.screening.rows import ended_series_row, left_out_series_row
from vfscreen.settings import Settings

SHARD_FUNCTION = "vfscreen.screening.shard:run_shard"
"""The function that screens a shard: (archive, lake_url, shard, settings, run_id) -> anything; it lands the shard."""


def load_shard_function(path: str) -> Callable[..., Any]:
    """The function at `module:name`. SettingsError where there is none."""
    module_name, _, name = path.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"shard function {path!r} cannot be imported: {error}") from error
    return function


def call_shard_function(
    function: str, archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str
) -> None:
    """Run one shard in this process. What it found is in the lake; nothing is returned.

    Raises what the function raises; SiteError among it means that the run must stop.
    """
    load_shard_function(function)(archive, lake_url, shard, settings, run_id)


def record_lost_study(
    lake_url: str, shard: Shard, run_id: str, model_release: str, reason: ReasonCode, message: str
) -> Mapping[str, Any]:
    """Land `shard` (of one study) as failed because nothing came back from it; returns the receipt.

    Series that were never to be screened keep the reason the index gave them. PlanOutdated where the manifest no
    longer holds the shard's series.
    """
    lake = Lake.open(lake_url)
    rows = [_lost_row(row, reason, message) for row in manifest_rows(lake, shard)]
    return lake.write_shard(shard.shard_id, run_id, model_release, rows, [])


def manifest_rows(lake: Lake, shard: Shard) -> list[dict[str, Any]]:
    """MANIFEST rows of the shard's series, in its order. PlanOutdated where one is gone or changed since the plan."""
    rows = series_of_studies(lake, shard.studies)
    found = {(r["StudyInstanceUID"], r["SeriesInstanceUID"], r["content_fingerprint"]): r for r in rows}
    if gone := [key for key in shard.series if key not in found]:
        raise PlanOutdated(f"series {gone[0][1]} is no longer in the manifest as it was planned: run the sweep again")
    return [found[key] for key in shard.series]


def _lost_row(manifest: Mapping[str, Any], reason: ReasonCode, message: str) -> dict[str, Any]:
    if manifest["selected"]:
        return ended_series_row(manifest, Failed(Stage.WORKER, reason, message))
    return left_out_series_row(manifest)
