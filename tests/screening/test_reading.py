"""Reading ahead: in order, bounded, and nothing that goes wrong is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vfscreen.errors import Failed, ReasonCode, Rejected, Stage, StorageFull
from vfscreen.geometry.volume import Volume
from vfscreen.screening.reading import as_item_error, read_ahead

ROWS = [{"n": n} for n in range(6)]


def volume(row: dict[str, Any]) -> Volume:
    return Volume(np.full((1, 1, 1), row["n"], np.int16), np.eye(4))


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_in_order(ahead: int) -> None:
    got = [r.value.hu.item() for r in read_ahead(ROWS, volume, ahead, 10) if r.value is not None]
    assert got == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_never_more_than_ahead_volumes_in_advance(ahead: int) -> None:
    started = 0
    lock = threading.Lock()

    def read(row: dict[str, Any]) -> Volume:
        nonlocal started
        with lock:
            started += 1
        return volume(row)

    for consumed, _ in enumerate(read_ahead(ROWS, read, ahead, 10), start=1):
        time.sleep(0.05)  # time to run ahead, if it could
        assert started <= consumed + ahead
    assert started == len(ROWS)


def test_reading_overlaps_with_the_consumer() -> None:
    def read(row: dict[str, Any]) -> Volume:
        time.sleep(0.1)
        return volume(row)

    began = time.monotonic()
    for _ in read_ahead(ROWS, read, 1, 10):
        time.sleep(0.1)
    assert time.monotonic() - began < 1.1  # 12 tenths one after the other, 7 overlapped


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_is_its_series_own(ahead: int) -> None:
    def read(row: dict[str, Any]) -> Volume:
        if row["n"] == 1:
            raise ValueError("bad")
        if row["n"] == 2:
            raise Rejected(Stage.ACCEPT, ReasonCode.GEOMETRY_MISSING)
        return volume(row)

    found = list(read_ahead(ROWS, read, ahead, 10))
    assert [f.error.reason if f.error else None for f in found[:4]] == [
        None,
        ReasonCode.INTERNAL_ERROR,
        ReasonCode.GEOMETRY_MISSING,
        None,
    ]


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("error", [StorageFull("full"), KeyboardInterrupt()])
def test_what_is_not_an_items_ends_the_iteration(ahead: int, error: BaseException) -> None:
    def read(row: dict[str, Any]) -> Volume:
        raise error

    with pytest.raises(type(error)):
        list(read_ahead(ROWS, read, ahead, 10))


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_reader_that_hangs_is_left_and_the_next_one_read(ahead: int) -> None:
    released = threading.Event()

    def read(row: dict[str, Any]) -> Volume:
        if row["n"] == 1:
            released.wait(10)
        return volume(row)

    found = list(read_ahead(ROWS, read, ahead, 0.2))
    released.set()
    assert found[1].error is not None and found[1].error.reason is ReasonCode.TIMED_OUT
    assert [f.error for i, f in enumerate(found) if i != 1] == [None] * 5


@pytest.mark.parametrize("ahead", [0, 1])
def test_items_may_be_looked_up_as_they_are_read(ahead: int) -> None:
    """They are asked for one at a time, and what their source raises is the consumer's."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from ROWS[:2]
        raise StorageFull("full")

    seen: list[dict[str, Any]] = []
    with pytest.raises(StorageFull):
        seen.extend(readout.item for readout in read_ahead(rows(), volume, ahead, 10))
    assert seen == ROWS[:2]


def test_a_consumer_that_leaves_stops_the_reader() -> None:
    readouts = read_ahead(ROWS, volume, 1, 10)
    next(readouts)
    readouts.close()
    deadline = time.monotonic() + 3
    while any(t.name == "read-ahead" for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_typed_errors_keep_their_type() -> None:
    failed = Failed(Stage.READ, ReasonCode.DECODE_FAILED, "x")
    assert as_item_error(failed, Stage.MEASURE) is failed
    assert as_item_error(MemoryError("m"), Stage.READ).reason is ReasonCode.OUT_OF_MEMORY
    with pytest.raises(StorageFull):
        as_item_error(StorageFull("full"), Stage.READ)
