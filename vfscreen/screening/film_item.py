"""One film of a shard: screened, its picture kept, its pixels let go.

Belongs here: what happens to a film between being read and being a row. Does not belong here: reading it (items), the
chain (film_chain), rows (film_rows).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from vfscreen.errors import Stage
from vfscreen.ingest.film import FilmImage, unread_film
from vfscreen.lake.store import Lake
from vfscreen.models.film_ports import FilmModels
from vfscreen.report.film_overlay import draw_film_overlay
from vfscreen.screening.film_chain import screen_film
from vfscreen.screening.film_rows import EndedFilm
from vfscreen.screening.items import ReadItem
from vfscreen.screening.pictures import keep_overlay, overlay_path, picture_title
from vfscreen.screening.reading import Readout, as_item_error
from vfscreen.settings import Settings


def end_film(
    readout: Readout[ReadItem, FilmImage],
    models: FilmModels | None,
    release: str,
    settings: Settings,
    lake: Lake,
    checkpoint: Callable[[], None],
) -> EndedFilm:
    """Whatever becomes of a film that was read, or was not. Raises SiteError only."""
    manifest_row, image = readout.item.manifest_row, readout.value
    readout.value = None  # so that its memory is free before the next film is asked for
    if image is None:
        assert readout.error is not None
        image = unread_film(readout.item.file_rows[0], readout.error)
    film = image.radiograph
    ended = EndedFilm(replace(image, radiograph=None), None, image.error, seconds_read=readout.seconds)
    if film is None or models is None:
        return ended
    started = time.monotonic()
    try:
        result = screen_film(film, models, settings.screening, checkpoint)
        ended = replace(ended, message=result.picture.problem, seconds_inference=time.monotonic() - started)
        if result.rejected is None:
            path = overlay_path(manifest_row, release, image.sop_instance_uid)
            title, grade_min = picture_title(manifest_row, path, release), settings.overlay.flagged_grade_min
            kept, undrawn = keep_overlay(
                path,
                result.patient,
                lambda: draw_film_overlay(film, result, title, grade_min),
                settings.overlay,
                lake,
            )
            ended = replace(ended, overlay_path=kept, message=ended.message or undrawn)
        return replace(ended, result=replace(result, strip=None))  # the strip is a picture too: it goes with the film
    except Exception as error:
        return replace(ended, error=as_item_error(error, Stage.MEASURE), seconds_inference=time.monotonic() - started)
