"""The lake as its writers see it: open or create one, land a shard, a run, a picture; ask which shards landed.

Belongs here: the order of writes that makes a shard whole or absent, and receipts. Does not belong here: how bytes
reach the storage (`lake.atomic`), what is pending (`lake.plan`), questions over many shards (`lake.views`).

A shard lands as a series file, a vertebrae file, then a receipt that names both with their hashes. Readers follow
receipts only. Data files carry their hash in the name and the receipt is created only if absent, so any number of
writers of one shard, dying at any moment, leave exactly one receipt whose files match it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from vfscreen.errors import LakeError, State
from vfscreen.lake import paths
from vfscreen.lake.atomic import Store, older_than
from vfscreen.lake.tables import decode, encode, schema_hash, sha256
from vfscreen.schema.tables import RECEIPTS, RUNS, SERIES, VERTEBRAE

Row = dict[str, Any]
_ORPHAN_AGE_S = 86_400.0


class Lake:
    """A lake that exists. Make one with `Lake.create` or `Lake.open`. Picklable; safe to use from several processes."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def url(self) -> str:
        return self.store.url

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Lake:
        """An existing lake. LakeError where there is none or its layout is another one."""
        store = Store(url)
        try:
            text = store.read_bytes(paths.LAKE_FILE)
        except FileNotFoundError as error:
            raise LakeError(f"{store.url} is not a lake: make one with `vfscreen index ARCHIVE --lake LAKE`") from error
        try:
            layout = json.loads(text)["layout_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{paths.LAKE_FILE} of {store.url} is damaged: restore it from a backup") from error
        if layout != paths.LAYOUT_VERSION:
            raise LakeError(
                f"{store.url} has layout {layout}, this program reads layout {paths.LAYOUT_VERSION}: "
                "use the release that wrote it, or sweep into a new lake"
            )
        return cls(store)

    @classmethod
    def create(cls, url: str | os.PathLike[str]) -> Lake:
        """The lake at `url`, made if it is not there yet. Also clears what writers that died long ago left behind.

        LakeError where a folder holds other things, or a lake of another layout.
        """
        store = Store(url)
        if not store.exists(paths.LAKE_FILE):
            if strangers := [f.path for f in store.list_files("") if f.path != paths.LAKE_FILE]:
                raise LakeError(f"{store.url} holds other files ({strangers[0]}): give an empty or a new folder")
            body = {"layout_version": paths.LAYOUT_VERSION}
            store.create_bytes(paths.LAKE_FILE, json.dumps(body).encode())
        lake = cls.open(url)
        lake.remove_left_overs()
        return lake

    # shards

    def write_shard(
        self,
        shard_id: str,
        run_id: str,
        model_release: str,
        series_rows: Iterable[Mapping[str, Any]],
        vertebra_rows: Iterable[Mapping[str, Any]],
    ) -> Row:
        """Land a shard; returns its receipt row. Landing a shard that is there already changes nothing.

        series_rows: SERIES rows, exactly one for each series of the shard. vertebra_rows: VERTEBRAE rows of those
        series that were screened. `run_id`, `shard_id` and `model_release` are filled in where a row lacks them.

        ValueError for rows that contradict each other or the schema; StorageFull where the storage takes no more.
        """
        if receipt := self.receipt(shard_id):
            return receipt
        common = {"shard_id": shard_id, "run_id": run_id, "model_release": model_release}
        series = [_filled(row, common) for row in series_rows]
        vertebrae = [_filled(row, common) for row in vertebra_rows]
        _check_shard(series, vertebrae)
        series_data, vertebrae_data = encode(SERIES, series), encode(VERTEBRAE, vertebrae)
        series_hash, vertebrae_hash = sha256(series_data), sha256(vertebrae_data)
        states = Counter(row["state"] for row in series)
        receipt = {
            **common,
            "finished_at": datetime.now(UTC),
            "series_count": len(series),
            "screened_count": states[State.SCREENED.value],
            "rejected_count": states[State.REJECTED.value],
            "failed_count": states[State.FAILED.value],
            "vertebra_count": len(vertebrae),
            "series_path": paths.series_file(shard_id, series_hash),
            "series_sha256": series_hash,
            "series_schema": schema_hash(SERIES),
            "vertebrae_path": paths.vertebrae_file(shard_id, vertebrae_hash),
            "vertebrae_sha256": vertebrae_hash,
            "vertebrae_schema": schema_hash(VERTEBRAE),
        }
        self.store.write_bytes(receipt["series_path"], series_data)
        self.store.write_bytes(receipt["vertebrae_path"], vertebrae_data)
        self._land(receipt)
        landed = self.receipt(shard_id)
        if landed is None:
            raise LakeError(f"files of shard {shard_id} vanished while it was written: is something else tidying up?")
        for name in {receipt["series_path"], receipt["vertebrae_path"]} - {landed[p] for p in _PATH_COLUMNS}:
            self.store.remove(name)  # another writer of this shard was first
        return landed

    def _land(self, receipt: Row) -> None:
        path, data = paths.receipt_file(receipt["shard_id"]), encode(RECEIPTS, [receipt])
        if not self.store.create_bytes(path, data) and self.receipt(receipt["shard_id"]) is None:
            # A receipt is there but files it names are not (removed by hand): ours are, so ours counts.
            self.store.write_bytes(path, data)

    def receipt(self, shard_id: str) -> Row | None:
        """The shard's receipt, or None where it has not landed or a file that the receipt names is gone."""
        try:
            row = decode(self.store.read_bytes(paths.receipt_file(shard_id)))[0]
        except FileNotFoundError:
            return None
        return row if all(self.store.exists(row[name]) for name in _PATH_COLUMNS) else None

    def receipts(self) -> list[Row]:
        """Every receipt, by shard_id. Their files are not looked at; `lake.ledger` does that."""
        names = [f.path for f in self.store.list_files(paths.RECEIPTS)]
        return [decode(data)[0] for data in self.store.read_many(names)]

    # other things

    def write_run(self, row: Mapping[str, Any]) -> None:
        """Put (or replace) the RUNS row of a run."""
        self.store.write_bytes(paths.run_file(row["run_id"]), encode(RUNS, [row]))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Put `data` at `path`, which must lie under overlays/, atomically."""
        if not path.startswith(f"{paths.OVERLAYS}/"):
            raise ValueError(f"{path!r}: only files under {paths.OVERLAYS}/ are written by name")
        self.store.write_bytes(path, data)

    def read_bytes(self, path: str) -> bytes:
        return self.store.read_bytes(path)

    def remove_left_overs(self) -> int:
        """Remove what dead writers left: temporary files, and day-old data files that no receipt names."""
        folders = ("", paths.RECEIPTS, paths.RUNS, paths.SERIES, paths.VERTEBRAE)
        removed = sum(self.store.remove_left_overs(folder) for folder in folders)
        old = [
            info.path
            for folder in (paths.SERIES, paths.VERTEBRAE)
            for info in self.store.list_files(folder)
            if older_than(info, _ORPHAN_AGE_S)
        ]
        if old:
            named = {row[name] for row in self.receipts() for name in _PATH_COLUMNS}
            for path in set(old) - named:
                self.store.remove(path)
                removed += 1
        return removed


_PATH_COLUMNS = ("series_path", "vertebrae_path")


def _filled(row: Mapping[str, Any], common: Mapping[str, str]) -> Row:
    for name, value in common.items():
        if row.get(name, value) != value:
            raise ValueError(f"a row of shard {common['shard_id']} has {name}={row[name]!r}, not {value!r}")
    return {**row, **common}


def _check_shard(series: list[Row], vertebrae: list[Row]) -> None:
    """One row a series; vertebrae only of screened series; the counts the series give are the rows there are."""
    screened = {}
    seen = set()
    for row in series:
        key = (row.get("StudyInstanceUID"), row.get("SeriesInstanceUID"))
        if key in seen:
            raise ValueError(f"series {key[1]} of study {key[0]} has more than one row in its shard")
        seen.add(key)
        if row.get("state") == State.SCREENED.value:
            screened[(*key, row.get("content_fingerprint"))] = row
        elif not row.get("reason_code"):
            raise ValueError(f"series {key[1]} is {row.get('state')} without a reason_code")
    found = Counter(
        (r.get("StudyInstanceUID"), r.get("SeriesInstanceUID"), r.get("content_fingerprint")) for r in vertebrae
    )
    if strangers := found.keys() - screened.keys():
        raise ValueError(f"vertebrae of series {sorted(map(str, strangers))[0]}, which the shard has not screened")
    for series_key, row in screened.items():
        said = row.get("vertebra_count")
        if said is not None and said != found[series_key]:
            raise ValueError(f"series {series_key[1]} says {said} vertebrae, {found[series_key]} rows came")
