"""Volumes of a shard, read and decoded ahead of their screening.

Belongs here: overlapping reading with inference in bounded memory, and turning what goes wrong in reading into the
typed error of its item. Does not belong here: how a volume is read (ingest.decode), what follows (shard).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vfscreen.errors import Failed, ItemError, ReasonCode, SiteError, Stage
from vfscreen.geometry.volume import Volume

Row = dict[str, Any]
Read = Callable[[Row], Volume]
_POLL_S = 0.2


@dataclass(eq=False)
class Readout:
    """What reading one series gave: a volume or an error. The consumer may drop `volume` to free its memory."""

    manifest_row: Row
    volume: Volume | None
    error: ItemError | None
    seconds: float


def read_ahead(rows: Sequence[Row], read: Read, ahead: int, timeout_s: float) -> Iterator[Readout]:
    """Read each series, in order, up to `ahead` volumes in advance of the one the consumer works on.

    ahead: 0 reads when asked. At any time at most `ahead` + 1 volumes are held, the consumer's among them, if it drops
    one before asking for the next. timeout_s: a series that takes longer to read ends as timed_out; its thread is left
    to its fate (a dead file server cannot be interrupted).
    SiteError and what is no Exception end the iteration; all else is an error of its series.
    """
    if ahead == 0:
        for row in rows:
            yield _readout(row, read, timeout_s)
        return
    permits = threading.Semaphore(ahead)
    done: queue.SimpleQueue[Readout | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    def produce() -> None:
        try:
            for row in rows:
                while not permits.acquire(timeout=_POLL_S):
                    if stop.is_set():
                        return
                if stop.is_set():
                    return
                done.put(_readout(row, read, timeout_s))
        except BaseException as error:  # handed to the consumer, who raises it
            done.put(error)

    producer = threading.Thread(target=produce, name="read-ahead", daemon=True)
    producer.start()
    try:
        for _ in rows:
            item = done.get()
            if isinstance(item, BaseException):
                raise item
            permits.release()
            yield item
    finally:
        stop.set()


def as_item_error(error: Exception, stage: Stage) -> ItemError:
    """The typed error of an item for whatever was raised; SiteError is raised again: it is not the item's."""
    if isinstance(error, SiteError):
        raise error
    if isinstance(error, ItemError):
        return error
    if isinstance(error, MemoryError):
        return Failed(stage, ReasonCode.OUT_OF_MEMORY, f"MemoryError: {error}")
    return Failed(stage, ReasonCode.INTERNAL_ERROR, f"{type(error).__name__}: {error}")


def _readout(row: Row, read: Read, timeout_s: float) -> Readout:
    started = time.monotonic()
    outcome: list[Volume | BaseException] = []

    def work() -> None:
        try:
            outcome.append(read(row))
        except BaseException as error:  # raised again below, in the thread that waits
            outcome.append(error)

    reader = threading.Thread(target=work, name="read-series", daemon=True)
    reader.start()
    reader.join(timeout_s)
    seconds = time.monotonic() - started
    if not outcome:
        late = Failed(Stage.READ, ReasonCode.TIMED_OUT, f"reading took longer than {timeout_s:.0f} s")
        return Readout(row, None, late, seconds)
    result = outcome.pop()
    if isinstance(result, Volume):
        return Readout(row, result, None, seconds)
    if not isinstance(result, Exception):
        raise result
    return Readout(row, None, as_item_error(result, Stage.READ), seconds)
