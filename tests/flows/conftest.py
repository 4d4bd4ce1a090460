"""Fixtures of the sweep's tests: one Prefect server and one Dask cluster for the session, small lakes.

The server is a real one in a home of its own; the cluster is a real scheduler with two worker processes. Tests that
kill workers or flows start their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.outcome import SweepSummary
from tests.flows.shard_functions import HERE
from tests.lake.builders import RELEASE, manifest_row, put_index
from vfscreen.lake.store import Lake

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of this session's Prefect server, also in PREFECT_API_URL. Workers can import `tests`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        from flows.environment import prefect_server, quieten_prefect

        quieten_prefect()
        with prefect_server() as url:
            patch.setenv("PREFECT_API_URL", url)
            yield url


@pytest.fixture(scope="session")
def cluster_file(prefect: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster file of kind existing-scheduler whose scheduler and two workers run."""
    from flows.clusters import LocalModel
    from flows.launch import open_cluster

    model = LocalModel(kind="local", workers=2, memory_per_worker="2GiB")
    with open_cluster(model, worker_attempts=2) as running:
        path = tmp_path_factory.mktemp("cluster") / "running.yaml"
        path.write_text(yaml.safe_dump({"kind": "existing-scheduler", "address": running.address, "worker_wait_s": 60}))
        yield str(path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twelve studies 0..11 of two series, indexed, nothing screened. Studies ending in 7 are what shard functions call
    poisoned."""
    lake = Lake.create(tmp_path / "lake")
    put_index(lake, [manifest_row(study, series) for study in range(12) for series in range(2)])
    return lake


@pytest.fixture
def sweep_lake(lake: Lake, tmp_path: Path, cluster_file: str) -> Callable[..., SweepSummary]:
    """Sweep `lake` in shards of three studies: sweep_lake("land_all", **options of flows.sweep.sweep)."""
    from flows.cli import run_sweep

    archive = tmp_path / "archive"
    archive.mkdir()

    def sweep(function: str, **options: Any) -> SweepSummary:
        return run_sweep(
            str(archive),
            options.pop("lake", lake.url),
            **{
                "cluster": cluster_file,
                "index": False,
                "shard_studies": 3,
                "model_release": RELEASE,
                "shard_function": f"{HERE}:{function}",
                **options,
            },
        )

    return sweep
