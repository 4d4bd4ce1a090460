"""The files of a shard's series, looked up a block of series at a time.

Belongs here: when the manifest is asked. Does not belong here: how it answers (lake.manifest), reading (ingest).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vfscreen.lake.manifest import files_of_series
from vfscreen.lake.store import Lake

Key = tuple[str, str]

BLOCK_SERIES = 32
"""Series a look-up: one query costs the same for one series as for many, and rows of this many are a few MB."""


class SeriesFiles:
    """FILES rows by (StudyInstanceUID, SeriesInstanceUID), for keys asked for in order."""

    def __init__(self, lake: Lake, keys: Sequence[Key]) -> None:
        self._lake = lake
        self._keys = list(keys)
        self._block: dict[Key, list[dict[str, Any]]] = {}

    def __getitem__(self, key: Key) -> list[dict[str, Any]]:
        """Rows of one series; an empty list where the manifest has none. KeyError for a key not announced."""
        block = self._block
        if key not in block:
            if key not in self._keys:
                raise KeyError(key)
            start = self._keys.index(key)
            block = files_of_series(self._lake, self._keys[start : start + BLOCK_SERIES])
            self._block = block
        return block[key]
