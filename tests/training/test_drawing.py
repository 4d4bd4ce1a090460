"""Batches come from other processes, for ever, and a worker that fails says why."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from vfscreen.training.drawing import drawn_batches


def counting(number: int) -> Iterator[tuple[int, int]]:
    return ((os.getpid(), n) for n in itertools.count(10 * number))


def failing(number: int) -> Iterator[int]:
    yield 1
    raise ValueError("no such case")


def test_batches_of_another_process_in_order() -> None:
    with drawn_batches(counting, 1) as batches:
        taken = list(itertools.islice(batches, 20))
    assert [n for _, n in taken] == list(range(20))
    assert {pid for pid, _ in taken}.isdisjoint({os.getpid()})


def test_a_worker_s_failure_is_told() -> None:
    with drawn_batches(failing, 1) as batches:
        assert next(batches) == 1
        with pytest.raises(RuntimeError, match="ValueError: no such case"):
            next(batches)
