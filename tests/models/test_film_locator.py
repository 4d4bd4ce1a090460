"""The film locator finds the line its maps hold, in the film's own pixels, at any size of film."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.cards import FilmCard
from vfscreen.models.film_locator import CELL, FilmLocatorDecode, WholeFilmLocator, best_line, decode_column, shrink
from vfscreen.models.networks2d import FILM_HEIGHT_PX

CARD = FilmCard(long_side_px=256, sigma_px=20.0, floor=0.03)


class Painted:
    """A back end that says the line runs where the film is brightest, twice the usual height, facing right."""

    name = "painted"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        cells = image.reshape(1, 1, image.shape[2] // CELL, CELL, image.shape[3] // CELL, CELL).mean(axis=(3, 5))
        column = np.where(cells > 1.0, 4.0, -6.0).astype(np.float32)
        ones = np.ones_like(column)
        return {"column": column, "height": np.log(2.0) * ones, "facing": 3.0 * ones}


@pytest.mark.parametrize("scale", [0.7, 1.0, 3.0])
def test_a_bright_line_comes_back_in_the_film_s_pixels(scale: float) -> None:
    rows, columns = (round(n * scale) for n in (400, 240))
    film = np.zeros((rows, columns), dtype=np.float32)
    r = np.arange(rows)
    centre = columns / 2 + 0.15 * columns * np.sin(3 * r / rows)
    film[np.abs(np.arange(columns)[None, :] - centre[:, None]) < 8 * scale] = 1.0
    film += np.random.default_rng(0).normal(0, 0.02, film.shape).astype(np.float32)
    located = WholeFilmLocator(Painted(), CARD, FilmLocatorDecode()).locate(film, np.ones(film.shape, dtype=bool))
    assert len(located.points_px) > 40
    assert (np.diff(located.points_px[:, 0]) > 0).all()
    expected = np.interp(located.points_px[:, 0], r, centre)
    assert np.abs(located.points_px[:, 1] - expected).max() < 5 * scale
    assert located.body_height_px == pytest.approx(np.full(len(located.points_px), 2 * FILM_HEIGHT_PX * rows / 256))
    assert located.anterior_is_right_probability > 0.9


def test_nothing_on_a_film_is_an_empty_result() -> None:
    film = np.zeros((300, 200), dtype=np.float32)
    locator = WholeFilmLocator(Painted(), CARD, FilmLocatorDecode())
    for inside in (np.ones(film.shape, dtype=bool), np.zeros(film.shape, dtype=bool)):
        located = locator.locate(film, inside)
        assert located.points_px.shape == (0, 2) and located.presence.size == located.body_height_px.size == 0
    with pytest.raises(ValueError, match="rows, columns"):
        locator.locate(film, np.ones((3, 3), dtype=bool))
    with pytest.raises(WeightsError, match="long side"):
        WholeFilmLocator(Painted(), FilmCard(long_side_px=None, sigma_px=1.0, floor=0.1), FilmLocatorDecode())


def test_the_best_line_bridges_a_gap_and_passes_a_bright_stray_by() -> None:
    log_odds = np.full((40, 30), -5.0)
    log_odds[np.arange(40), 10 + np.arange(40) // 8] = 3.0
    log_odds[15:20] = -5.0
    log_odds[30, 28] = 9.0
    path = best_line(log_odds, FilmLocatorDecode())
    assert np.abs(path - (10 + np.arange(40) // 8)).max() <= 1


def test_rows_without_a_column_are_left_out() -> None:
    log_odds = np.full((40, 30), -8.0)
    log_odds[10:30, 12] = 4.0
    zero = np.zeros_like(log_odds)
    located = decode_column(log_odds, zero, zero, 1.0, FilmLocatorDecode())
    assert located.points_px[:, 0] == pytest.approx(np.arange(10, 30) * CELL + (CELL - 1) / 2)
    assert located.anterior_is_right_probability == pytest.approx(0.5)


def test_shrinking_keeps_places() -> None:
    film = np.zeros((1000, 500), dtype=np.float32)
    film[620:660, 200:240] = 1.0
    small, known, zoom = shrink(film, np.ones(film.shape, dtype=bool), 250)
    assert small.shape == (250, 125) and known.all()
    weight = small / small.sum()
    at = [(weight.sum(axis=1 - a) * np.arange(small.shape[a])).sum() for a in (0, 1)]
    assert (np.array(at) + 0.5) / zoom - 0.5 == pytest.approx([639.5, 219.5], abs=0.5)
