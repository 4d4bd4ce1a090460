"""Hands shards to Dask workers, a bounded number at a time, and says how each one came back.

Belongs here: what is in flight, and telling a dead worker from an error from a lost future. Does not belong here: what
an outcome means for the sweep (flows.sweep), what a shard does (vfscreen.screening), the state of the lake: a shard
that came back has landed only if its receipt says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import distributed
from distributed.scheduler import KilledWorker
from prefect.states import get_state_exception
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from flows.launch import RunningCluster
from vfscreen.errors import SiteError
from vfscreen.lake.plan import Shard

_POLL_S = 1.0
_GATHER_S = 60.0
_REPLACE_S = 120.0  # a nanny needs less to start its worker again


class Ending(Enum):
    """How a shard came back. Only a receipt says that it landed."""

    RETURNED = auto()
    RAISED = auto()
    WORKER_DIED = auto()
    LOST = auto()  # by the machinery (scheduler, Prefect, pickling): says nothing about the shard


@dataclass(frozen=True)
class Outcome:
    """What came back for a shard; `error` is the exception of RAISED, with its message in `detail`."""

    shard: Shard
    ending: Ending
    detail: str = ""
    error: BaseException | None = None


Submit = Callable[[Shard], "PrefectDaskFuture[Any]"]


def _outcome(shard: Shard, future: PrefectDaskFuture[Any]) -> Outcome | None:
    """The shard's outcome; None where the result has to be computed again because the worker that held it died."""
    try:
        state = future.wrapped_future.result(timeout=_GATHER_S)
    except distributed.TimeoutError:
        return None
    except KilledWorker as error:
        return Outcome(shard, Ending.WORKER_DIED, f"{error.allowed_failures + 1} worker processes died on it")
    except (CancelledError, Exception) as error:  # what the task itself raised comes as a state
        return Outcome(shard, Ending.LOST, f"{type(error).__name__}: {error}")
    if state.is_completed():
        return Outcome(shard, Ending.RETURNED)
    if not state.is_failed():
        return Outcome(shard, Ending.LOST, f"Prefect says {state.name}: {state.message}")
    raised = get_state_exception(state)
    return Outcome(shard, Ending.RAISED, f"{type(raised).__name__}: {raised}", raised)


class Dispatcher:
    """Submits shards through a task runner that is connected to `cluster`.

    With no worker at all for the cluster's `worker_wait_s`, SiteError is raised; a sweep never hangs silently.
    """

    def __init__(self, cluster: RunningCluster, runner: DaskTaskRunner, submit: Submit) -> None:
        self._cluster = cluster
        self._runner = runner
        self._submit = submit
        self._seen = self._complete = time.monotonic()
        self._running: dict[PrefectDaskFuture[Any], Shard] = {}

    def wait_for_workers(self) -> None:
        """Returns once a worker is there. SiteError without one in time, or where none declares the resources a shard
        takes: it would wait for ever."""
        client, wait, resources = self._runner.client, self._cluster.model.worker_wait_s, self._cluster.model.resources
        try:
            client.wait_for_workers(1, timeout=wait)
        except TimeoutError as error:
            raise SiteError(f"no Dask worker came within {wait:.0f} s") from error
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not any(all(w["resources"].get(k, 0) >= v for k, v in resources.items()) for w in workers):
            raise SiteError(f"no Dask worker declares the resources {resources} that the cluster file asks of a shard")

    def worker_count(self) -> int:
        """Workers that are connected now."""
        return len(self._runner.client.scheduler_info(n_workers=-1)["workers"])

    def run(self, shards: Iterable[Shard], in_flight: Callable[[], int]) -> Generator[Outcome, None, None]:
        """Yields the outcome of each shard as it comes back; never more than `in_flight()` are submitted at a time.

        Closing the iterator (or an error) cancels what has not started.
        """
        waiting = iter(shards)
        woken = threading.Event()
        self._seen = self._complete = time.monotonic()
        exhausted = False
        try:
            while True:
                while not exhausted and len(self._running) < in_flight():
                    shard = next(waiting, None)
                    if shard is None:
                        exhausted = True
                        break
                    future = self._submit(shard)
                    self._running[future] = shard
                    future.wrapped_future.add_done_callback(lambda _: woken.set())
                if not self._running:
                    return
                if not woken.wait(_POLL_S):
                    self._look_after_workers()
                woken.clear()
                # Statuses are looked at anew each time: a finished future goes back to pending when the worker that
                # held its result dies.
                for future in [f for f in self._running if f.wrapped_future.done()]:
                    outcome = _outcome(self._running[future], future)
                    if outcome is not None:
                        del self._running[future]
                        yield outcome
        finally:
            self.cancel()

    def _look_after_workers(self) -> None:
        """Replaces workers that are gone for good. SiteError with none at all for too long."""
        alive, now = self.worker_count(), time.monotonic()
        if alive:
            self._seen = now
        if self._cluster.workers is None or alive >= self._cluster.workers:
            self._complete = now
        elif now - self._complete > _REPLACE_S:
            self._cluster.replace_lost(alive)
            self._complete = now
        if now - self._seen > self._cluster.model.worker_wait_s:
            raise SiteError(f"no Dask worker for {now - self._seen:.0f} s; {len(self._running)} shards wait")

    def cancel(self) -> None:
        """Forget what is in flight; what a worker is in the middle of ends there."""
        if self._running:
            self._runner.client.cancel([f.wrapped_future for f in self._running], force=True)
            self._running.clear()
