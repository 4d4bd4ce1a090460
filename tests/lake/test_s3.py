"""The same lake on a real S3 server: atomic puts, one receipt a shard, views, plan and ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.lake.builders import RELEASE, ended, land, manifest_row, put_index
from tests.lake.test_store import RACER
from tests.s3_server import S3Server
from vfscreen.cohort.queries import run_named
from vfscreen.errors import LakeError
from vfscreen.lake import paths
from vfscreen.lake.atomic import Store
from vfscreen.lake.ledger import ledger, receipt_problem, run_checks
from vfscreen.lake.plan import plan_shards
from vfscreen.lake.store import Lake

MANIFEST = [manifest_row(n, s) for n in range(6) for s in range(2)]


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket("lake-tests")


def test_store(bucket: str) -> None:
    store = Store(f"{bucket}/store")
    store.write_bytes("a/b", b"one")
    store.write_bytes("a/b", b"two")
    assert store.read_bytes("a/b") == b"two"
    assert not store.create_bytes("a/b", b"three")
    assert store.create_bytes("a/c", b"c")
    assert store.read_many(["a/c", "a/b"]) == [b"c", b"two"]
    assert store.read_many(["a/c"]) == [b"c"]
    assert [f.path for f in store.list_files("a")] == ["a/b", "a/c"]
    assert store.list_files("nothing") == []
    with pytest.raises(RuntimeError), store.writing("a/d") as file:
        file.write(b"half")
        raise RuntimeError
    assert not store.exists("a/d")
    with store.writing("a/d") as file:
        file.write(b"d" * 100_000)
    assert store.read_bytes("a/d") == b"d" * 100_000
    store.remove("a/d")
    store.remove("a/d")
    assert not store.exists("a/d")
    with pytest.raises(FileNotFoundError):
        store.read_bytes("a/d")


def test_a_sweep(bucket: str) -> None:
    url = f"{bucket}/sweep"
    with pytest.raises(LakeError, match="vfscreen index"):
        Lake.open(url)
    lake = Lake.create(url)
    assert ledger(lake).reconciles
    put_index(lake, MANIFEST)
    by_series = {m["SeriesInstanceUID"]: m for m in MANIFEST}
    shards = plan_shards(lake, RELEASE, shard_studies=2)
    assert len(shards) == 3
    for shard in shards:
        receipt = land(lake, shard.shard_id, [ended(by_series[s]) for _, s, _ in shard.series])
        assert receipt_problem(lake, receipt) is None
        assert land(lake, shard.shard_id, []) == receipt
    assert plan_shards(lake, RELEASE) == []
    account = ledger(Lake.create(url))
    assert account.problems == ()
    assert (account.files_seen, account.screened, account.rejected, account.pending) == (25, 6, 6, 0)
    assert run_checks(lake) == []
    assert run_named(lake, "cohort").row_count == 6
    lake.store.remove(lake.receipts()[0]["vertebrae_path"])
    assert not ledger(lake).reconciles
    assert plan_shards(lake, RELEASE, shard_studies=2)


def test_a_wrong_key_is_a_typed_error(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(LakeError):
            Lake.create(f"{bucket}/locked")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_two_sweeps_at_once_and_kills(bucket: str) -> None:
    lake = Lake.create(f"{bucket}/race")
    put_index(lake, [manifest_row(n) for n in range(8)])
    for attempt in range(3):
        victim = subprocess.Popen(
            [sys.executable, "-c", RACER, lake.url, f"run-{attempt}", "0", "8"], stdout=subprocess.PIPE
        )
        assert victim.stdout is not None
        victim.stdout.readline()
        time.sleep(0.05 + 0.1 * attempt)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
        assert ledger(lake).problems == ()
    start = str(time.time() + 4)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, lake.url, run, start, "8"]) for run in ("run", "other-run")
    ]
    assert [r.wait(120) for r in racers] == [0, 0]
    account = ledger(lake)
    assert account.problems == ()
    assert (account.screened, account.pending, account.shards) == (8, 0, 8)
    assert len(lake.store.list_files(paths.RECEIPTS)) == 8
