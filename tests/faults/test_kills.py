"""kill -9 of workers and of whole sweeps at random moments: what is in the lake afterwards is what undisturbed work
would have left."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.faults.conftest import STUDIES, SweepProcess, content, wait_for
from tests.lake.builders import RELEASE
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake

KILLS = int(os.environ.get("VFSCREEN_TEST_KILLS", "3"))
Start = Callable[..., SweepProcess]
Content = dict[str, list[tuple[Any, ...]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200 + 300 * KILLS)]


def test_killed_sweeps_resume_to_the_same_lake(lake: Lake, undisturbed: Content, start_sweep: Start) -> None:
    chance = random.Random(20)
    for _ in range(KILLS):
        landed = len(lake.receipts())
        target = landed + chance.randint(0, max(0, (STUDIES // 2 - landed) // 2))
        sweep = start_sweep(lake.url, "land_slowly")
        wait_for(lambda target=target: len(lake.receipts()) >= target, sweep)
        time.sleep(chance.uniform(0, 0.4))
        sweep.kill()
        assert ledger(lake, RELEASE).reconciles, "a reader between two runs sees whole shards only"
    status, summary = start_sweep(lake.url, "land_slowly").finish()
    assert (status, summary["outcome"]) == (0, "completed")
    assert content(lake) == undisturbed
    account = ledger(lake, RELEASE)
    assert (account.screened, account.rejected, account.pending) == (STUDIES, STUDIES, 0)


def test_killed_workers_cost_nothing(lake: Lake, undisturbed: Content, start_sweep: Start) -> None:
    chance = random.Random(7)
    sweep = start_sweep(lake.url, "land_slowly", shard_studies=1)
    killed = 0
    for _ in range(KILLS):
        landed = len(lake.receipts())
        wait_for(lambda landed=landed: len(lake.receipts()) > landed and bool(sweep.workers()), sweep)
        time.sleep(chance.uniform(0, 0.3))
        if sweep.process.poll() is None and (workers := sweep.workers()):
            try:
                chance.choice(workers).kill()
                killed += 1
            except psutil.NoSuchProcess:
                pass
    status, summary = sweep.finish()
    assert killed
    assert (status, summary["outcome"], summary["lost_studies"]) == (0, "completed", [])
    assert content(lake) == undisturbed
