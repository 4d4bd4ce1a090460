"""What a training run writes while it runs: `log.csv` always, TensorBoard's event files where a writer is installed.

Belongs here: files of numbers by step. Does not belong here: which numbers (loop), checkpoints.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class RunLog:
    """Rows of one run; use through `open_log`."""

    def __init__(self, rows: Any, flush: Any, names: Sequence[str], events: Any) -> None:
        self._rows, self._flush, self._names, self._events = rows, flush, names, events

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """A row of log.csv, and each value as a scalar of the event file."""
        self._rows.writerow([step, *(round(values[name], 4) for name in self._names)])
        self._flush()
        for name, value in values.items():
            self.note(step, name, value)

    def note(self, step: int, name: str, value: float) -> None:
        """One scalar of the event file alone, such as a validation measure."""
        if self._events is not None:
            self._events.add_scalar(name, value, step)


@contextmanager
def open_log(path: Path, names: Sequence[str]) -> Iterator[RunLog]:
    """Go on with `path` (CSV: step, *names). Event files lie beside it: `tensorboard --logdir RUN`. They need
    tensorboardX, which the extra `training` installs; without it there is the CSV alone."""
    fresh = not path.exists()
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        events: Any = None
    else:
        events = SummaryWriter(str(path.parent), flush_secs=30)
    try:
        with path.open("a", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            if fresh:
                rows.writerow(["step", *names])
            yield RunLog(rows, stream.flush, names, events)
    finally:
        if events is not None:
            events.close()
