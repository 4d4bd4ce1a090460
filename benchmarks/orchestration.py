"""What the machinery around the models costs: a sweep over a large manifest with a model that does nothing.

    python benchmarks/orchestration.py --studies 100000

Measured: planning, and the whole sweep (Prefect, Dask, reading each shard's manifest and file rows, landing its rows
with a receipt, reconciling), in seconds a study; peak memory of the flow's process; size of the manifest. The target
is 1 % of a study that takes one second. No pixel is read: decoding and inference have benchmarks of their own.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vfscreen.lake import paths
from vfscreen.lake.plan import Shard, iter_shards
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import encode
from vfscreen.schema.tables import FILES, MANIFEST
from vfscreen.screening.isolation import manifest_rows
from vfscreen.screening.rows import left_out_series_row
from vfscreen.screening.series_files import SeriesFiles
from vfscreen.settings import Settings

RELEASE = "no-op-00000000"
SERIES_PER_STUDY = 3
_PART_STUDIES = 10_000


def no_op_shard(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """Everything `run_shard` does around the models: looks the series and their files up, lands one row a series."""
    lake = Lake.open(lake_url)
    if lake.receipt(shard.shard_id) is not None:
        return
    manifest = manifest_rows(lake, shard)
    selected = [(row["StudyInstanceUID"], row["SeriesInstanceUID"]) for row in manifest if row["selected"]]
    files = SeriesFiles(lake, selected)
    assert all(files[key] for key in selected), "every selected series has its files"
    rows = [
        {**left_out_series_row(row), **({"state": "screened", "vertebra_count": 0} if row["selected"] else {})}
        for row in manifest
    ]
    lake.write_shard(shard.shard_id, run_id, RELEASE, rows, [])


def put_manifest(lake: Lake, studies: int) -> int:
    """An index of `studies` studies of three series, one of them selected, in part files; returns its bytes."""
    files_parts, series_parts = [], []
    size = 0
    for start in range(0, studies, _PART_STUDIES):
        series = list(_series(range(start, min(start + _PART_STUDIES, studies))))
        files = [
            {
                "path": f"{row['StudyInstanceUID']}/{row['SeriesInstanceUID']}",
                "member": "",
                "size_bytes": 1,
                "modified": "1",
                "file_state": "instance",
                "StudyInstanceUID": row["StudyInstanceUID"],
                "SeriesInstanceUID": row["SeriesInstanceUID"],
            }
            for row in series
        ]
        name = f"{start:09d}"
        for table, rows, path in (
            (FILES, files, paths.manifest_files_part(name)),
            (MANIFEST, series, paths.manifest_series_part(name)),
        ):
            data = encode(table, rows)
            size += len(data)
            lake.store.write_bytes(path, data)
        files_parts.append(paths.manifest_files_part(name))
        series_parts.append(paths.manifest_series_part(name))
    pointer = {"files": files_parts, "series": series_parts}
    lake.store.write_bytes(paths.MANIFEST_POINTER, json.dumps(pointer).encode())
    return size


def _series(studies: range) -> Iterator[dict[str, Any]]:
    for study in studies:
        for series in range(SERIES_PER_STUDY):
            selected = series == 0
            yield {
                "StudyInstanceUID": f"1.2.826.0.1.3680043.10.1234.{study:012d}",
                "SeriesInstanceUID": f"1.2.826.0.1.3680043.10.1234.{study:012d}.{series}",
                "content_fingerprint": f"{study:032x}{series:032x}",
                "patient_pseudonym": f"{study // 2:032x}",
                "Modality": "CT",
                "StudyDate": "20240105",
                "instance_count": 1,
                "selected": selected,
                "stage": None if selected else "select",
                "reason_code": None if selected else "not_best_series",
            }


def measure(folder: Path, studies: int, shard_studies: int, workers: int) -> dict[str, Any]:
    """Builds the lake, plans, sweeps twice (the second sweep finds nothing to do)."""
    from flows.cli import run_sweep

    lake = Lake.create(folder / "lake")
    manifest_bytes = put_manifest(lake, studies)
    started = time.monotonic()
    shards = sum(1 for _ in iter_shards(lake, RELEASE, shard_studies=shard_studies))
    plan_seconds = time.monotonic() - started
    plan_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    options: dict[str, Any] = {
        "index": False,
        "workers": workers,
        "shard_studies": shard_studies,
        "model_release": RELEASE,
        "shard_function": "benchmarks.orchestration:no_op_shard",
    }
    started = time.monotonic()
    first = run_sweep(str(folder), lake.url, **options)
    sweep_seconds = time.monotonic() - started
    started = time.monotonic()
    second = run_sweep(str(folder), lake.url, **options)
    again_seconds = time.monotonic() - started
    return {
        "studies": studies,
        "series": studies * SERIES_PER_STUDY,
        "shards": shards,
        "workers": workers,
        "outcome": [first.outcome, second.outcome],
        "messages": [first.message, second.message],
        "reconciles": first.ledger.get("reconciles"),
        "manifest_mib": round(manifest_bytes / 2**20, 1),
        "plan_seconds": round(plan_seconds, 2),
        "sweep_seconds": round(sweep_seconds, 1),
        "seconds_a_study": round(sweep_seconds / studies, 5),
        "target_seconds_a_study": 0.01,
        "second_sweep_seconds": round(again_seconds, 1),
        "peak_mib_building_and_planning": round(plan_peak / 1024),
        "peak_mib_flow": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--shard-studies", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))  # workers inherit it and import this file as a module
    with tempfile.TemporaryDirectory() as folder:
        print(
            json.dumps(measure(Path(folder), arguments.studies, arguments.shard_studies, arguments.workers), indent=2)
        )


if __name__ == "__main__":
    main()
