"""A window of a case, exposed as a film: what both film networks are trained on.

Belongs here: cutting the window that a sample needs and exposing it. Does not belong here: what a film looks like
(synthesis.exposure).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vfscreen.synthesis.exposure import draw_exposure, expose
from vfscreen.training.film_cases import FilmCase

Float = NDArray[np.float64]
PAD_PX = 12


def expose_window(
    case: FilmCase, at_px: Float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Float]:
    """Expose the part of a case under `at_px` (..., 2).

    Returns the film, where it holds a picture, and the (row, column) of its corner in the case.
    """
    size = np.array(case.soft.shape)
    low = np.clip(np.floor(at_px.reshape(-1, 2).min(axis=0)).astype(int) - PAD_PX, 0, size - 2)
    high = np.clip(np.ceil(at_px.reshape(-1, 2).max(axis=0)).astype(int) + PAD_PX + 1, low + 2, size)
    soft, bone = case.soft[low[0] : high[0], low[1] : high[1]], case.bone[low[0] : high[0], low[1] : high[1]]
    film = expose(soft, bone, case.pixel_mm, draw_exposure(rng))
    return film, np.ones(film.shape, dtype=bool), low.astype(np.float64)
