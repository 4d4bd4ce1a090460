"""Shard functions for tests of the machinery: no pixels, no models, real lakes.

A sweep finds them by name (`tests.flows.shard_functions:land_all`), on workers too.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.lake.builders import RELEASE, ended, land
from vfscreen.errors import StorageFull, WeightsError
from vfscreen.lake.plan import Shard
from vfscreen.lake.store import Lake
from vfscreen.screening.isolation import manifest_rows
from vfscreen.settings import Settings

HERE = "tests.flows.shard_functions"


def land_all(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """Every selected series screened with two vertebrae, every other one rejected."""
    lake = Lake.open(lake_url)
    if lake.receipt(shard.shard_id) is None:
        land(lake, shard.shard_id, [ended(row) for row in manifest_rows(lake, shard)], run_id, RELEASE)


def land_slowly(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """`land_all` after a time that gives a test something to interrupt."""
    time.sleep(1.0)
    land_all(archive, lake_url, shard, settings, run_id)


def _poisoned(shard: Shard) -> bool:
    return any(study.endswith("7") for study in shard.studies)


def kill_own_worker(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """`land_all`, but a study whose UID ends in 7 takes its process with it, as a crash in a decoder does."""
    if _poisoned(shard):
        os.kill(os.getpid(), signal.SIGKILL)
    land_all(archive, lake_url, shard, settings, run_id)


def kill_own_worker_once(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """`kill_own_worker`, but each poisoned shard kills only the first process that tries it."""
    mark = Path(archive) / f"{shard.shard_id}.tried"
    if _poisoned(shard) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    land_all(archive, lake_url, shard, settings, run_id)


def raise_unexpectedly(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """`land_all`, but a study whose UID ends in 7 raises what nobody thought of."""
    if _poisoned(shard):
        raise ZeroDivisionError("a defect of this program")
    land_all(archive, lake_url, shard, settings, run_id)


def fill_disk(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """`land_all` until a study whose UID ends in 7 finds the disk full."""
    if _poisoned(shard):
        raise StorageFull("no space left: free some and run again")
    land_all(archive, lake_url, shard, settings, run_id)


def fail_all(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """Every selected series fails to decode."""
    lake = Lake.open(lake_url)
    failing = {"state": "failed", "stage": "decode", "reason_code": "decode_failed", "message": "test"}
    rows = manifest_rows(lake, shard)
    land(lake, shard.shard_id, [ended(r, **(failing if r["selected"] else {})) for r in rows], run_id, RELEASE)


def skip_quietly(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """Returns as if all were well, and writes nothing for a study whose UID ends in 7."""
    if not _poisoned(shard):
        land_all(archive, lake_url, shard, settings, run_id)


def refuse_weights(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> None:
    """A worker whose weights do not match their card."""
    raise WeightsError("weights do not match their card: reinstall vfscreen")
