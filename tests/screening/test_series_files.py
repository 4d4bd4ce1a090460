"""A shard's files come from few look-ups and are the same as one by one."""

from __future__ import annotations

from typing import Any

import pytest

from vfscreen.screening import series_files
from vfscreen.screening.series_files import SeriesFiles


def test_blocks_give_what_single_look_ups_give(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def look_up(lake: Any, keys: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
        asked.append(len(keys))
        return {key: [{"path": "/".join(key)}] for key in keys}

    monkeypatch.setattr(series_files, "files_of_series", look_up)
    keys = [(f"study{i // 3}", f"series{i}") for i in range(70)]
    files = SeriesFiles(None, keys)
    assert [files[key] for key in keys] == [[{"path": "/".join(key)}] for key in keys]
    assert asked == [32, 32, 6]
    with pytest.raises(KeyError):
        files["another", "series"]
