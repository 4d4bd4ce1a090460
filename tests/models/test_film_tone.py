"""Exposure and tone curve leave no trace in what a film network sees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from vfscreen.models.cards import FilmCard
from vfscreen.models.film_tone import CLIP, local_contrast, normalise, rank_values

CARD = FilmCard(long_side_px=None, sigma_px=12.0, floor=0.03)
FILM = gaussian_filter(np.random.default_rng(1).normal(size=(120, 90)), 3.0).astype(np.float32)
WHOLE = np.ones(FILM.shape, dtype=bool)


@settings(max_examples=30)
@given(st.floats(0.3, 3.0), st.floats(0.1, 500.0), st.floats(-1e3, 1e3))
def test_any_rising_curve_gives_the_same_picture(gamma: float, gain: float, offset: float) -> None:
    share = (FILM - FILM.min()) / np.ptp(FILM)
    developed = (share.astype(np.float64) ** gamma * gain + offset).astype(np.float32)
    difference = np.abs(normalise(developed, WHOLE, CARD) - normalise(FILM, WHOLE, CARD))
    assert np.percentile(difference, 99) < 0.1


def test_slow_shading_leaves_the_bodies_as_they_are() -> None:
    rows = np.linspace(0, 1, FILM.shape[0], dtype=np.float32)[:, None]
    shaded = normalise(FILM + 0.8 * np.ptp(FILM) * rows, WHOLE, CARD)
    assert np.corrcoef(shaded.ravel(), normalise(FILM, WHOLE, CARD).ravel())[0, 1] > 0.9


def test_what_is_hidden_neither_shows_nor_counts() -> None:
    inside = WHOLE.copy()
    inside[:, :30] = False
    other = FILM.copy()
    other[:, :30] = 1e6
    shown = normalise(other, inside, CARD)
    assert (shown[:, :30] == 0).all()
    np.testing.assert_array_equal(shown, normalise(FILM, inside, CARD))


@pytest.mark.parametrize("film", [np.zeros((40, 30), np.float32), np.full((40, 30), 7.0, np.float32)])
def test_an_even_film_is_even_and_finite(film: np.ndarray) -> None:
    inside = np.ones(film.shape, dtype=bool)
    out = normalise(film, inside, CARD)
    assert np.isfinite(out).all() and np.ptp(out) < 0.1
    assert (normalise(film, ~inside, CARD) == 0).all()


def test_ranks_are_shares_and_contrast_is_bounded() -> None:
    ranked = rank_values(FILM, WHOLE)
    assert np.abs(np.quantile(ranked, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.02
    spike = ranked.copy()
    spike[60, 45] = 50.0
    assert np.abs(local_contrast(spike, WHOLE, 12.0, 0.03)).max() <= CLIP
