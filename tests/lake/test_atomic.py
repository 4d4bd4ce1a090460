"""Whole files or none: replacement, creation, left-overs, kill -9 in mid write, a disk that is really full."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vfscreen.errors import LakeError, StorageFull
from vfscreen.lake.atomic import TEMPORARY_PREFIX, Store

BLOCK = 1 << 16


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_written_bytes_are_read_back_and_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path / "lake")
    store.write_bytes("a/b", b"one")
    store.write_bytes("a/b", b"two")
    assert store.read_bytes("a/b") == b"two"
    assert names(tmp_path / "lake" / "a") == {"b"}
    assert [(f.path, f.size) for f in store.list_files("a")] == [("a/b", 3)]


def test_create_keeps_what_the_first_writer_put(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.create_bytes("x", b"first")
    assert not store.create_bytes("x", b"second")
    assert store.read_bytes("x") == b"first"
    assert names(tmp_path) == {"x"}


def _create(folder: str, number: int, start: float, wins: multiprocessing.Queue[int]) -> None:
    store = Store(folder)
    time.sleep(max(0.0, start - time.time()))
    for round_ in range(50):
        if store.create_bytes(f"round-{round_}", str(number).encode() * 1000):
            wins.put(round_)


def test_of_many_creators_exactly_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    wins: multiprocessing.Queue[int] = context.Queue()
    start = time.time() + 3
    processes = [context.Process(target=_create, args=(str(tmp_path), n, start, wins)) for n in range(4)]
    for process in processes:
        process.start()
    won = sorted(wins.get(timeout=60) for _ in range(50))
    for process in processes:
        process.join(60)
    assert won == list(range(50))
    assert wins.empty()
    assert all(len(set(p.read_bytes())) == 1 and p.stat().st_size == 1000 for p in tmp_path.iterdir())


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_bytes("x", b"old")
    with pytest.raises(RuntimeError), store.writing("x") as file:
        file.write(b"half of the new")
        raise RuntimeError("the producer broke")
    assert store.read_bytes("x") == b"old"
    assert names(tmp_path) == {"x"}


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x"])
def test_paths_stay_inside_the_lake(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="inside the lake"):
        Store(tmp_path / "lake").write_bytes(path, b"x")


def test_missing_file_is_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Store(tmp_path).read_bytes("nothing")


def test_other_storage_errors_name_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LakeError, match="writable"):
        Store(tmp_path).write_bytes("file/below", b"x")


WRITER = """
import itertools, sys
from vfscreen.lake.atomic import Store
store = Store(sys.argv[1])
print("ready", flush=True)
for n in itertools.count():
    store.write_bytes("x", bytes([n % 251]) * int(sys.argv[2]))
"""


def test_killed_writers_never_leave_half_a_file(tmp_path: Path) -> None:
    """Forty writers killed at random-ish moments while a reader looks on; then the left-overs are cleared."""
    store = Store(tmp_path)
    reads = 0
    for attempt in range(40):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(16 * BLOCK)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + 0.003 * (attempt % 20) + 0.002
        while time.monotonic() < until:
            if store.exists("x"):
                data = store.read_bytes("x")
                assert len(data) == 16 * BLOCK
                assert len(set(data)) == 1
                reads += 1
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert reads > 20
    data = store.read_bytes("x")
    assert len(data) == 16 * BLOCK
    assert len(set(data)) == 1
    left = [n for n in names(tmp_path) if n.startswith(TEMPORARY_PREFIX)]
    assert left, "no writer died in mid write: the test shows nothing"
    assert [f.path for f in store.list_files("")] == ["x"]
    assert store.remove_left_overs("") == 0  # too young: its writer may just have started
    for name in left:
        os.utime(tmp_path / name, (0, 0))
    assert store.remove_left_overs("") == len(left)
    assert names(tmp_path) == {"x"}


def test_left_overs_of_a_living_writer_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writing("x") as file:
        file.write(b"slow")
        (temporary,) = tmp_path.iterdir()
        os.utime(temporary, (0, 0))
        assert store.remove_left_overs("") == 0
    assert store.read_bytes("x") == b"slow"


def test_full_disk(full_disk: Path) -> None:
    store = Store(full_disk)
    store.write_bytes("x", b"old")
    with pytest.raises(StorageFull, match="Free space"):
        store.write_bytes("x", b"n" * (4 << 20))
    with pytest.raises(StorageFull):
        store.create_bytes("y", b"n" * (4 << 20))
    assert store.read_bytes("x") == b"old"
    assert names(full_disk) == {"x"}


def test_file_size_limit_counts_as_full(tmp_path: Path) -> None:
    code = """
import resource, sys
from vfscreen.errors import StorageFull
from vfscreen.lake.atomic import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Store(sys.argv[1]).write_bytes("x", b"n" * 5000)
except StorageFull:
    sys.exit(42)
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert result.returncode == 42
    assert names(tmp_path) == set()
