"""Sweeps as real processes that can be killed, and the lake an undisturbed one leaves.

Every process started here leads a session of its own, so that killing its group kills the flow with all its workers
and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.flows.conftest import prefect
from tests.flows.shard_functions import HERE
from tests.lake.builders import RELEASE, manifest_row, put_index
from tests.lake.conftest import full_disk
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

__all__ = ["full_disk", "prefect"]

ROOT = Path(__file__).parents[2]
STUDIES = 24


@dataclass
class SweepProcess:
    """A running sweep."""

    process: subprocess.Popen[str]

    def workers(self) -> list[psutil.Process]:
        """Its Dask worker processes."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [c for c in children if any("spawn_main" in part for part in _command(c))]

    def kill(self) -> None:
        """kill -9 of the flow and everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def finish(self, timeout: float = 900) -> tuple[int, dict[str, Any]]:
        """Exit status and summary."""
        out, err = self.process.communicate(timeout=timeout)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if not lines:
            pytest.fail(f"the sweep ended with {self.process.returncode} and no summary: {err[-3000:]}")
        return self.process.returncode, json.loads(lines[-1])


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def start_sweep(prefect: str, tmp_path: Path) -> Iterator[Callable[..., SweepProcess]]:
    """start_sweep(lake_url, "land_slowly", **options of run_sweep); what still runs at the end is killed."""
    started: list[SweepProcess] = []

    def start(lake: str, function: str = "land_all", **options: Any) -> SweepProcess:
        defaults = {
            "archive": str(tmp_path),
            "lake": lake,
            "index": False,
            "workers": 2,
            "shard_studies": 2,
            "model_release": RELEASE,
            "shard_function": f"{HERE}:{function}",
        }
        command = [sys.executable, "-m", "tests.faults.sweep_process", json.dumps({**defaults, **options})]
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(SweepProcess(process))
        return started[-1]

    yield start
    for sweep in started:
        if sweep.process.poll() is None:
            sweep.kill()


def put_studies(lake: Lake, studies: int = STUDIES) -> Lake:
    put_index(lake, [manifest_row(study, series) for study in range(studies) for series in range(2)])
    return lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """24 studies of two series, indexed, nothing screened."""
    return put_studies(Lake.create(tmp_path / "lake"))


def content(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """All result rows but for what may differ between two runs of the same work."""
    with connect(lake, RELEASE) as connection:
        return {
            "series": connection.execute(
                "SELECT * EXCLUDE (run_id, shard_id, seconds_read, seconds_inference) FROM series ORDER BY ALL"
            ).fetchall(),
            "vertebrae": connection.execute(
                "SELECT * EXCLUDE (run_id, shard_id) FROM vertebrae ORDER BY ALL"
            ).fetchall(),
        }


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a lake holds after a sweep that nobody disturbed: the same work in this process, without Dask or Prefect."""
    from tests.flows.shard_functions import land_all
    from vfscreen.lake.plan import iter_shards
    from vfscreen.settings import Settings

    other = put_studies(Lake.create(tmp_path / "undisturbed"))
    for shard in iter_shards(other, RELEASE, shard_studies=5):
        land_all("", other.url, shard, Settings(), "undisturbed")
    return content(other)


def wait_for(condition: Callable[[], bool], process: SweepProcess, timeout: float = 600) -> None:
    """Until `condition`, or the process ended, or the time is up (which fails the test)."""
    until = time.monotonic() + timeout
    while not condition() and process.process.poll() is None:
        if time.monotonic() > until:
            pytest.fail("the sweep did not get that far in time")
        time.sleep(0.02)
