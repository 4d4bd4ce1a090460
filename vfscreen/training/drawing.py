"""Processes that draw training batches into a short queue, so that one core makes samples and another learns.

Belongs here: the processes, their queue, their end. Does not belong here: what a batch is.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Full
from typing import Any, TypeVar

import torch

T = TypeVar("T")

QUEUE_LENGTH = 8
_WAIT_S = 600


@contextmanager
def drawn_batches(open_batches: Callable[[int], Iterator[T]], workers: int) -> Iterator[Iterator[T]]:
    """Batches from `workers` processes, for ever.

    open_batches: a picklable function from the worker's number to an endless iterator. What it raises ends the
    training with a RuntimeError that says so.
    """
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue(maxsize=QUEUE_LENGTH)
    processes = [context.Process(target=_work, args=(open_batches, n, queue), daemon=True) for n in range(workers)]
    for process in processes:
        process.start()
    try:
        yield _taken(queue)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _taken(queue: Any) -> Iterator[Any]:
    while True:
        item = queue.get(timeout=_WAIT_S)
        if isinstance(item, str):
            raise RuntimeError(f"a sample worker stopped: {item}")
        yield item


def _work(open_batches: Callable[[int], Iterator[T]], number: int, queue: Any) -> None:
    parent = os.getppid()
    os.setsid()  # an interrupt from the terminal is for the trainer, which saves and ends its workers
    try:
        torch.set_num_threads(1)
        for batch in open_batches(number):
            while os.getppid() == parent:  # a killed trainer leaves a full queue that nobody reads
                try:
                    queue.put(batch, timeout=5)
                    break
                except Full:
                    continue
            else:
                return
    except Exception as error:
        queue.put(f"{type(error).__name__}: {error}")
        raise
