"""Ends what a killed sweep leaves behind.

Belongs here: the small process that outlives a sweep by a moment, and the mark by which it knows the sweep's children.
Does not belong here: how a sweep ends in order (`flows.launch`, Prefect's own server handling).

After kill -9 of a sweep its Dask workers and the readers of its index end by themselves: each watches a pipe that the
kernel closes. Prefect's embedded server watches nothing, and we do not start it. So a process that does nothing else
waits at such a pipe too, and ends the processes that carry the sweep's mark in their environment. The mark rather than
the parent's id: a child is found whenever it was started, also after it was handed to another parent, and no process of
another sweep or of the user can be mistaken for one.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from uuid import uuid4

import psutil  # type: ignore[import-untyped]  # no stubs

MARK = "VFSCREEN_LIFELINE"
TERMINATE_S = 10
"""What a process is given to end in order before it is killed."""

_IN_ORDER = b"in order"


@contextmanager
def ended_with_this_process() -> Iterator[None]:
    """Processes started inside the context are ended when this process is killed, at any time later.

    Where it ends in order they are left to who started them. Processes whose environment cannot be read are left alone.
    """
    mark = _lifeline()
    before = os.environ.get(MARK)
    os.environ[MARK] = mark
    try:
        yield
    finally:
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before


@cache
def _lifeline() -> str:
    """Starts the process that waits for the end of this one; the mark it looks for."""
    mark = uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.lifeline", mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C and a kill of the group are not for it
        # without the mark of a lifeline further up, which would end it before its work is done
        env={name: value for name, value in os.environ.items() if name != MARK},
    )
    atexit.register(process.communicate, _IN_ORDER)
    return mark


def end_marked(mark: str) -> None:
    """End every process with `mark` in the environment it was started with, and those they start meanwhile."""
    while marked := [process for process in psutil.process_iter() if _mark(process) == mark]:
        for process in marked:
            with suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(marked, TERMINATE_S)[1]:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(marked, TERMINATE_S)


def _mark(process: psutil.Process) -> object:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # gone, a zombie, or another user's
        return None


if __name__ == "__main__":
    if sys.stdin.buffer.read() != _IN_ORDER:
        end_marked(sys.argv[1])
