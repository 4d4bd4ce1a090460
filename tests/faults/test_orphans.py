"""kill -9 of a sweep's own process and of nothing else: all it started ends by itself, and the next run finishes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.lifeline import MARK, end_marked
from tests.faults.bead_archive import write_study
from tests.faults.conftest import STUDIES, SweepProcess, content, wait_for
from tests.lake.builders import RELEASE
from vfscreen.lake.ledger import ledger
from vfscreen.lake.store import Lake

Start = Callable[..., SweepProcess]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GONE_S = 30


@pytest.fixture
def own_server(prefect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of the test start Prefect's embedded server themselves, in a home that is new."""
    monkeypatch.delenv("PREFECT_API_URL")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))


def descendants(sweep: SweepProcess) -> list[psutil.Process]:
    try:
        return psutil.Process(sweep.process.pid).children(recursive=True)
    except psutil.Error:
        return []


def commands(processes: list[psutil.Process]) -> list[str]:
    found = []
    for process in processes:
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.Error:
            found.append("")
    return found


def kill_alone(sweep: SweepProcess) -> list[psutil.Process]:
    """kill -9 of the sweep's process only; what of its descendants still lives after `GONE_S` (then killed too)."""
    started = descendants(sweep)
    sweep.process.kill()
    sweep.process.wait(60)
    alive = psutil.wait_procs(started, GONE_S)[1]
    for process in alive:
        process.kill()
    return alive


def test_a_killed_sweep_leaves_no_process(
    lake: Lake, undisturbed: dict[str, list[tuple[Any, ...]]], own_server: None, start_sweep: Start
) -> None:
    sweep = start_sweep(lake.url, "land_slowly")
    wait_for(lambda: len(sweep.workers()) >= 2 and bool(lake.receipts()), sweep)
    assert any("uvicorn" in command for command in commands(descendants(sweep)))
    left = kill_alone(sweep)
    assert not left, commands(left)
    landed = len(lake.receipts())
    time.sleep(1)
    assert len(lake.receipts()) == landed < STUDIES // 2

    status, summary = start_sweep(lake.url).finish()
    assert (status, summary["outcome"]) == (0, "completed"), summary["message"]
    assert content(lake) == undisturbed
    assert ledger(lake, RELEASE).pending == 0


def test_a_sweep_killed_while_its_server_starts_leaves_no_process(
    lake: Lake, own_server: None, start_sweep: Start
) -> None:
    sweep = start_sweep(lake.url)
    wait_for(lambda: any("uvicorn" in command for command in commands(descendants(sweep))), sweep)
    left = kill_alone(sweep)
    assert not left, commands(left)


def test_readers_of_a_killed_index_end(tmp_path: Path) -> None:
    write_study(tmp_path / "archive", "patient", 1)
    code = (
        "import time; from pathlib import Path; from vfscreen.ingest.scan import read_entries, read_batch;"
        "from vfscreen.ingest.sources import open_archive; import sys; url = sys.argv[1];"
        "batches = read_entries(url, open_archive(url).list(), None, processes=2);"
        "next(batches); print('read', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "archive")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        index = SweepProcess(process)
        assert len(descendants(index)) >= 2
        left = kill_alone(index)
    assert not left, commands(left)


def test_only_marked_processes_are_ended() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    marks = ["mine", "mine", "another sweep's", None]
    started = [subprocess.Popen(command, env={**os.environ, **({MARK: mark} if mark else {})}) for mark in marks]
    try:
        end_marked("mine")
        assert [process.poll() is None for process in started] == [False, False, True, True]
    finally:
        for process in started:
            process.kill()
            process.wait()
