"""The lake as its writers see it: open or create one, land a shard, a run, a picture; ask which shards landed.

Belongs here: the order of writes that makes a shard whole or absent, and receipts. Does not belong here: how bytes
reach the storage (`lake.atomic`), what is pending (`lake.plan`), questions over many shards (`lake.views`).

A shard lands as a series file, a vertebrae file, a films file where it has radiographs, then a receipt that names them
with their hashes. Readers follow receipts only. Data files carry their hash in the name and the receipt is created only
if absent, so any number of writers of one shard, dying at any moment, leave exactly one receipt whose files match it.
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
from vfscreen.schema.columns import Table
from vfscreen.schema.tables import FILMS, RECEIPTS, RUNS, SERIES, VERTEBRAE

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
        film_rows: Iterable[Mapping[str, Any]] = (),
    ) -> Row:
        """Land a shard; returns its receipt row. Landing a shard that is there already changes nothing.

        series_rows: SERIES rows, exactly one for each series of the shard. vertebra_rows: VERTEBRAE rows of those
        series that were screened. film_rows: FILMS rows, one for each image of the radiograph series that went into the
        chain. `run_id`, `shard_id` and `model_release` are filled in where a row lacks them.

        ValueError for rows that contradict each other or the schema; StorageFull where the storage takes no more.
        """
        if receipt := self.receipt(shard_id):
            return receipt
        common = {"shard_id": shard_id, "run_id": run_id, "model_release": model_release}
        series = [_filled(row, common) for row in series_rows]
        vertebrae = [_filled(row, common) for row in vertebra_rows]
        films = [_filled(row, common) for row in film_rows]
        _check_shard(series, vertebrae)
        _check_films(series, vertebrae, films)
        series_data, vertebrae_data = encode(SERIES, series), encode(VERTEBRAE, vertebrae)
        series_hash, vertebrae_hash = sha256(series_data), sha256(vertebrae_data)
        films_data = encode(FILMS, films) if films else None
        films_hash = sha256(films_data) if films_data else None
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
            "film_count": len(films),
            "films_path": paths.films_file(shard_id, films_hash) if films_hash else None,
            "films_sha256": films_hash,
            "films_schema": schema_hash(FILMS) if films else None,
        }
        self.store.write_bytes(receipt["series_path"], series_data)
        self.store.write_bytes(receipt["vertebrae_path"], vertebrae_data)
        if films_data:
            self.store.write_bytes(receipt["films_path"], films_data)
        self._land(receipt)
        landed = self.receipt(shard_id)
        if landed is None:
            raise LakeError(f"files of shard {shard_id} vanished while it was written: is something else tidying up?")
        for name in set(data_paths(receipt)) - set(data_paths(landed)):
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
        return row if all(self.store.exists(path) for path in data_paths(row)) else None

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
        folders = ("", paths.RECEIPTS, paths.RUNS, *paths.SHARD_FOLDERS)
        removed = sum(self.store.remove_left_overs(folder) for folder in folders)
        old = [
            info.path
            for folder in paths.SHARD_FOLDERS
            for info in self.store.list_files(folder)
            if older_than(info, _ORPHAN_AGE_S)
        ]
        if old:
            named = {path for row in self.receipts() for path in data_paths(row)}
            for path in set(old) - named:
                self.store.remove(path)
                removed += 1
        return removed


SHARD_TABLES: tuple[tuple[Table, str], ...] = (
    (SERIES, "series_count"),
    (VERTEBRAE, "vertebra_count"),
    (FILMS, "film_count"),
)
"""Tables of which a shard has a file, each with the receipt's column that counts its rows."""


def data_paths(receipt: Mapping[str, Any]) -> list[str]:
    """Every data file that a receipt names. A shard without radiographs has no films file, as older ones never had."""
    found = (receipt.get(f"{table.name}_path") for table, _ in SHARD_TABLES)
    return [path for path in found if path is not None]


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
        key = _content(row)[:2]
        if key in seen:
            raise ValueError(f"series {key[1]} of study {key[0]} has more than one row in its shard")
        seen.add(key)
        if row.get("state") == State.SCREENED.value:
            screened[_content(row)] = row
        elif not row.get("reason_code"):
            raise ValueError(f"series {key[1]} is {row.get('state')} without a reason_code")
    found = Counter(_content(row) for row in vertebrae)
    if strangers := found.keys() - screened.keys():
        raise ValueError(f"vertebrae of series {sorted(map(str, strangers))[0]}, which the shard has not screened")
    for series_key, row in screened.items():
        said = row.get("vertebra_count")
        if said is not None and said != found[series_key]:
            raise ValueError(f"series {series_key[1]} says {said} vertebrae, {found[series_key]} rows came")


def _check_films(series: list[Row], vertebrae: list[Row], films: list[Row]) -> None:
    """Films only of the shard's radiograph series, as many as a series says; vertebrae as many as their films say."""
    own = {_content(row): row for row in series}
    rows = Counter(_content(film) for film in films)
    for key, count in rows.items():
        said = own.get(key, {}).get("film_count")
        if said is None:
            raise ValueError(f"films of series {key[1]}, which is none of the shard's radiograph series")
        if said != count:
            raise ValueError(f"series {key[1]} says {said} films, {count} rows came")
    for key, row in own.items():
        if row.get("state") == State.SCREENED.value and row.get("film_count") and not rows[key]:
            raise ValueError(f"series {key[1]} is screened radiographs without a film row")
    found = Counter((*_content(row), row.get("SOPInstanceUID")) for row in vertebrae)
    said_films = {(*_content(film), film.get("SOPInstanceUID")): film.get("vertebra_count") or 0 for film in films}
    for key, row in own.items():
        if row.get("film_count") is None:
            found.pop((*key, None), None)  # of a volume, not of a film
    for film_key in found.keys() | said_films.keys():
        if found[film_key] != said_films.get(film_key, 0):
            raise ValueError(
                f"film {film_key[-1]} of series {film_key[1]} says {said_films.get(film_key)} vertebrae, "
                f"{found[film_key]} rows came"
            )


def _content(row: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return row.get("StudyInstanceUID"), row.get("SeriesInstanceUID"), row.get("content_fingerprint")
