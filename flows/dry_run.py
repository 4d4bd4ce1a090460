"""What a sweep would do. Brings the manifest up to date (an index is not a result) and writes nothing else.

Belongs here: counting the plan. Does not belong here: Prefect, workers, models: a dry run starts none of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.clusters import load_cluster
from vfscreen.lake.plan import iter_shards
from vfscreen.lake.store import Lake
from vfscreen.models.registry import release_name
from vfscreen.screening.indexing import index_archive
from vfscreen.settings import load_settings


@dataclass(frozen=True)
class DryRun:
    """studies, series, shards: what is pending. series includes those the index has already rejected."""

    archive: str
    lake: str
    model_release: str
    cluster: dict[str, Any]
    studies: int
    series: int
    shards: int


def plan_only(
    archive: str,
    lake: str,
    settings_file: Path | None = None,
    cluster: str = "local",
    workers: int | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    index: bool = True,
    shard_studies: int | None = None,
) -> DryRun:
    """Index and plan with the options of a sweep, which are checked like a sweep checks them. Raises VfscreenError."""
    settings = load_settings(settings_file)
    model = load_cluster(cluster, workers)
    release = release_name(screening=settings.screening)
    if index:
        index_archive(archive, lake, settings)
    shards = studies = series = 0
    for shard in iter_shards(
        Lake.open(lake),
        release,
        shard_studies=shard_studies or settings.sweep.shard_studies,
        retry_failed=retry_failed,
        limit=limit,
    ):
        shards += 1
        studies += len(shard.studies)
        series += len(shard.series)
    return DryRun(archive, lake, release, model.model_dump(mode="json"), studies, series, shards)


def as_text(plan: DryRun) -> str:
    """One paragraph for a person."""
    values = asdict(plan)
    return (
        f"would screen {plan.studies} studies ({plan.series} series, those rejected by their headers included) in "
        f"{plan.shards} shards with release {plan.model_release} on a {values['cluster']['kind']} cluster; "
        "no result was written"
    )
