"""Volumes and films of a shard, read and decoded ahead of their screening.

Belongs here: overlapping reading with inference in bounded memory, and turning what goes wrong in reading into the
typed error of its item. Does not belong here: how a volume or a film is read (ingest), what follows (shard).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from vfscreen.errors import Failed, ItemError, ReasonCode, SiteError, Stage

_POLL_S = 0.2

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(eq=False)
class Readout(Generic[Item, Value]):
    """What reading one item (a series, or one film of one) gave: a value or an error. The consumer may drop `value` to
    free its memory."""

    item: Item
    value: Value | None
    error: ItemError | None
    seconds: float


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Value], ahead: int, timeout_s: float
) -> Iterator[Readout[Item, Value]]:
    """Read each item, in order, up to `ahead` values in advance of the one the consumer works on.

    ahead: 0 reads when asked. At any time at most `ahead` + 1 values are held, the consumer's among them, if it drops
    one before asking for the next. timeout_s: an item that takes longer to read ends as timed_out; its thread is left
    to its fate (a dead file server cannot be interrupted).
    SiteError and what is no Exception end the iteration; all else is an error of its item. What `items` itself raises
    ends the iteration, too.
    """
    if ahead == 0:
        for item in items:
            yield _readout(item, read, timeout_s)
        return
    permits = threading.Semaphore(ahead)
    done: queue.SimpleQueue[Readout[Item, Value] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                while not permits.acquire(timeout=_POLL_S):
                    if stop.is_set():
                        return
                if stop.is_set():
                    return
                done.put(_readout(item, read, timeout_s))
            done.put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            done.put(error)

    producer = threading.Thread(target=produce, name="read-ahead", daemon=True)
    producer.start()
    try:
        while (readout := done.get()) is not None:
            if isinstance(readout, BaseException):
                raise readout
            permits.release()
            yield readout
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


def _readout(item: Item, read: Callable[[Item], Value], timeout_s: float) -> Readout[Item, Value]:
    started = time.monotonic()
    outcome: list[tuple[Value, None] | tuple[None, BaseException]] = []

    def work() -> None:
        try:
            outcome.append((read(item), None))
        except BaseException as error:  # raised again below, in the thread that waits
            outcome.append((None, error))

    reader = threading.Thread(target=work, name="read-series", daemon=True)
    reader.start()
    reader.join(timeout_s)
    seconds = time.monotonic() - started
    if not outcome:
        late = Failed(Stage.READ, ReasonCode.TIMED_OUT, f"reading took longer than {timeout_s:.0f} s")
        return Readout(item, None, late, seconds)
    value, raised = outcome.pop()
    if raised is None:
        return Readout(item, value, None, seconds)
    if not isinstance(raised, Exception):
        raise raised
    return Readout(item, None, as_item_error(raised, Stage.READ), seconds)
