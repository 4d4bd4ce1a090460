"""Films of a folder by the names that a label table gives them: a path below the folder, or a SOPInstanceUID.

Belongs here: from a name to a film. Does not belong here: reading pixels (ingest), cropping (fresh_items).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from vfscreen.errors import Failed, FileState, ReasonCode, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.ingest.film import FilmImage, read_films
from vfscreen.ingest.scan import file_rows
from vfscreen.ingest.single import SingleFilms, read_any
from vfscreen.ingest.sources import Archive
from vfscreen.schema.tables import FILES

Row = dict[str, Any]


def film_opener(images: Path) -> Callable[[str], Radiograph]:
    """From a name to the film. The folder's headers are read once, at the first SOPInstanceUID that is asked for.

    What it returns raises ItemError: a file that is absent or no film, an unknown SOPInstanceUID, pixels that cannot
    be read.
    """

    @cache
    def by_uid() -> tuple[Archive, dict[str, list[Row]]]:
        archive = Archive(str(images))
        found: dict[str, list[Row]] = {}
        for entry in archive.list():
            for row in file_rows(archive, entry, None):
                if row["file_state"] == FileState.INSTANCE:
                    found.setdefault(row["SOPInstanceUID"], []).append(dict.fromkeys(FILES.by_name) | row)
        return archive, found

    def open_film(name: str) -> Radiograph:
        if (images / name).is_file():
            single = read_any(images / name)
            if not isinstance(single, SingleFilms):
                raise Failed(Stage.READ, ReasonCode.MODALITY_NOT_SUPPORTED, f"{name} is a volume, not a film")
            return _film(single.films[0])
        archive, rows = by_uid()
        if name not in rows:
            raise Failed(Stage.SCAN, ReasonCode.FILE_UNREADABLE, f"{name} is neither a file nor an instance there")
        return _film(read_films(archive.url, rows[name])[0])

    return open_film


def _film(film: FilmImage) -> Radiograph:
    if film.error is not None:
        raise film.error
    assert film.radiograph is not None
    return film.radiograph
