"""A lake that fills up, and one on a real S3 server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import STUDIES, SweepProcess, content, put_studies
from tests.lake.builders import RELEASE
from tests.s3_server import S3Server
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake

Start = Callable[..., SweepProcess]
Content = dict[str, list[tuple[Any, ...]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_full_disk_stops_the_sweep_and_room_lets_it_finish(
    full_disk: Path, undisturbed: Content, start_sweep: Start
) -> None:
    lake = put_studies(Lake.create(full_disk / "lake"))
    ballast = full_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    ballast.chmod(0o600)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - 60_000)  # room for a few shards, not for all
    status, summary = start_sweep(lake.url).finish()
    assert (status, summary["outcome"]) == (1, "stopped")
    assert summary["shards_done"] < summary["shards_planned"]
    stopped = ledger(lake, RELEASE)
    assert stopped.reconciles, stopped.problems
    assert stopped.pending > 0

    ballast.unlink()
    status, summary = start_sweep(lake.url).finish()
    assert (status, summary["outcome"]) == (0, "completed")
    assert content(lake) == undisturbed


def test_a_lake_on_s3_is_killed_and_resumes_like_a_folder(
    s3_server: S3Server, undisturbed: Content, start_sweep: Start
) -> None:
    lake = put_studies(Lake.create(s3_server.new_bucket("faults") + "/lake"))
    sweep = start_sweep(lake.url, "land_slowly")
    while len(lake.receipts()) < 2 and sweep.process.poll() is None:
        pass
    sweep.kill()
    assert len(lake.receipts()) < STUDIES // 2
    status, summary = start_sweep(lake.url).finish()
    assert (status, summary["outcome"]) == (0, "completed")
    assert content(lake) == undisturbed
