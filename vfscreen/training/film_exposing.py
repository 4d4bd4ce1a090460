"""A window of a case, exposed as a film: what both film networks are trained on.

Belongs here: cutting the window that a sample needs and exposing it. Does not belong here: what a film looks like
(synthesis.film_look).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.film_look import draw_film
from vfscreen.training.film_cases import FilmCase

Float = NDArray[np.float64]
PAD_PX = 12


def expose_window(
    case: FilmCase, at_px: Float, rng: np.random.Generator, binned: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Float]:
    """Expose the part of a case under `at_px` (..., 2), on pixels `binned` times as large.

    Returns the film, where it holds a picture, and `at_px` on that film.
    """
    size = np.array(case.soft.shape)
    low = np.clip(np.floor(at_px.reshape(-1, 2).min(axis=0)).astype(int) - PAD_PX, 0, size - 2)
    high = np.clip(np.ceil(at_px.reshape(-1, 2).max(axis=0)).astype(int) + PAD_PX + 1, low + 2, size)
    window = slice(low[0], high[0]), slice(low[1], high[1])
    soft, bone = _binned(case.soft[window], binned), _binned(case.bone[window], binned)
    points = (np.asarray(case.points, dtype=np.float64) - low + 0.5) / binned - 0.5
    film, inside = draw_film(soft, bone, case.pixel_mm * binned, points, rng)
    return film, inside, (at_px - low + 0.5) / binned - 0.5


def _binned(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    rows, columns = (n // factor for n in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(1, 3)))
