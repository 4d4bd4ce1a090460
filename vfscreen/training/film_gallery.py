"""A picture of films of synthetic patients, to be looked at and to be shown: no real anatomy is in it.

Belongs here: choosing the films and laying them side by side. Does not belong here: the films.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vfscreen.synthesis.beam_scenes import NO_OBJECTS, SceneRates
from vfscreen.synthesis.film_look import draw_film
from vfscreen.training.film_pool import draw_geometry, make_case
from vfscreen.training.film_sources import phantom_body

_SCENES = (
    NO_OBJECTS,
    SceneRates(screws=1.0),
    SceneRates(arms=1.0, shoulder=1.0, gas=1.0),
    SceneRates(cement=1.0, cage=0.5, small_metal=1.0),
)
HEIGHT_PX = 900
_GAP_PX = 6


def draw_gallery(path: Path, first_seed: int, count: int, exposures: int) -> Path:
    """A sheet of `count` synthetic patients side by side, each exposed `exposures` times below one another; JPEG."""
    columns = []
    for seed in range(first_seed, first_seed + count):
        rng = np.random.default_rng([23, seed])
        body = phantom_body(seed)
        case = make_case(f"phantom-{seed}", body, draw_geometry(body, "lateral", rng), rng)
        films = []
        for n in range(exposures):
            rates = _SCENES[(seed + n) % len(_SCENES)]
            film, _ = draw_film(case.soft, case.bone, case.pixel_mm, case.points.astype(np.float64), rng, rates)
            films.append(_sized(film[:, ::-1] if rng.random() < 0.5 else film))
        width = max(f.width for f in films)
        column = Image.new("L", (width, exposures * (HEIGHT_PX + _GAP_PX) - _GAP_PX))
        for n, picture in enumerate(films):
            column.paste(picture, ((width - picture.width) // 2, n * (HEIGHT_PX + _GAP_PX)))
        columns.append(column)
    sheet = Image.new("L", (sum(c.width + _GAP_PX for c in columns) - _GAP_PX, columns[0].height))
    left = 0
    for column in columns:
        sheet.paste(column, (left, 0))
        left += column.width + _GAP_PX
    sheet.save(path, "JPEG", quality=82)
    return path


def _sized(film: np.ndarray) -> Image.Image:
    picture = Image.fromarray(np.rint(film * 255.0).astype(np.uint8))
    return picture.resize((round(picture.width * HEIGHT_PX / picture.height), HEIGHT_PX), Image.Resampling.LANCZOS)
