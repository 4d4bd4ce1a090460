"""A run's numbers lie in log.csv, and as TensorBoard scalars where a writer is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vfscreen.training.run_log import open_log


def test_rows_go_on_where_they_stopped(tmp_path: Path) -> None:
    for first in (10, 30):
        with open_log(tmp_path / "log.csv", ("total", "points")) as log:
            for step in (first, first + 10):
                log.write(step, {"total": step / 3, "points": 1.0})
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "step,total,points",
        *(f"{step},{round(step / 3, 4)},1.0" for step in (10, 20, 30, 40)),
    ]


def test_event_files_hold_the_scalars(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="the extra 'training' is not installed")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    with open_log(tmp_path / "log.csv", ("total",)) as log:
        log.write(7, {"total": 0.25})
    (path,) = tmp_path.glob("events.out.tfevents.*")
    data, scalars, at = path.read_bytes(), [], 0
    while at < len(data):  # a record: length, its checksum, the event, its checksum
        size = int.from_bytes(data[at : at + 8], "little")
        body = data[at + 12 : at + 12 + size]
        assert int.from_bytes(data[at + 12 + size : at + 16 + size], "little") == masked_crc32c(body)
        event = Event.FromString(body)
        scalars += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
        at += 16 + size
    assert scalars == [(7, "total", 0.25)]


def test_without_a_writer_there_is_the_csv_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with open_log(tmp_path / "log.csv", ("total",)) as log:
        log.write(1, {"total": 1.0})
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]
