"""What a shard reads: a whole CT series at a time, and a radiograph series film by film.

Belongs here: cutting selected series into what is read and held as one. Does not belong here: reading ahead (reading),
files of a series (series_files), decoding (ingest), screening (shard, film_item).

A film of a long series is not held while another one is read: memory does not grow with the number of its films.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vfscreen.errors import ReasonCode, Rejected, Stage
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.decode import read_volume
from vfscreen.ingest.film import FilmImage, read_films, unread_film
from vfscreen.ingest.film_series import films_of
from vfscreen.ingest.stacks import without_copies
from vfscreen.settings_films import FilmSettings

Row = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, eq=False)
class ReadItem:
    """manifest_row: of the series. file_rows: FILES rows of all its instances, or of the one film. is_last: whether it
    is the series' last one."""

    manifest_row: Row
    file_rows: Sequence[Row]
    is_film: bool
    is_last: bool = True


class FilesOf(Protocol):
    """FILES rows of a series (screening.series_files)."""

    def __getitem__(self, key: Key, /) -> list[Row]: ...


def is_radiographs(manifest_row: Mapping[str, Any]) -> bool:
    """Whether a series is one of radiographs: the index counts films of such only."""
    return manifest_row.get("film_count") is not None


def read_items(selected: Sequence[Row], files: FilesOf) -> Iterator[ReadItem]:
    """The series of a shard in their order, the films of one in theirs; looked up as they are asked for."""
    for row in selected:
        instances = files[(row["StudyInstanceUID"], row["SeriesInstanceUID"])]
        if not is_radiographs(row):
            yield ReadItem(row, instances, is_film=False)
            continue
        films = films_of(without_copies(instances)[0])
        for n, film in enumerate(films, start=1):
            yield ReadItem(row, [dict(film)], is_film=True, is_last=n == len(films))


def read_item(archive: str, item: ReadItem, films: FilmSettings, has_film_models: bool) -> Volume | FilmImage:
    """Raises ItemError for a volume; a film carries its own. A release without film networks reads none."""
    if not item.is_film:
        return read_volume(archive, item.file_rows)
    if not has_film_models:
        return unread_film(item.file_rows[0], Rejected(Stage.READ, ReasonCode.FILM_MODELS_MISSING))
    (image,) = read_films(archive, item.file_rows, films)
    return image
