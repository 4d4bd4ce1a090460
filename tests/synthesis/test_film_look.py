"""A film's look: the physics has the right signs, marks stay where they belong, everything is repeatable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vfscreen.synthesis.beam_objects import paint
from vfscreen.synthesis.beam_scenes import NO_OBJECTS, SceneRates
from vfscreen.synthesis.exposure import draw_exposure, expose, smooth
from vfscreen.synthesis.film_look import apply_look, draw_film, draw_look
from vfscreen.synthesis.film_marks import draw_marks, put_marks

SOFT = np.zeros((160, 140), dtype=np.float32)
SOFT[:, 20:120] = 180.0
BONE = np.zeros_like(SOFT)
BONE[40:80, 50:90] = 25.0

PLAIN = replace(
    draw_exposure(np.random.default_rng(0)),
    scatter=0.1,
    photons=1e6,
    grain=0.0,
    texture_mm=0.0,
    inverted=False,
    curve=0.0,
    gamma=1.0,
    black=0.0,
    white=100.0,
)


def test_bone_is_brighter_and_air_is_black() -> None:
    film = expose(SOFT, BONE, 0.6, PLAIN)
    assert film[60, 70] > film[120, 70] + 0.02
    assert film[:, :10].max() < 0.2 * film[120, 70]


def test_inverted_films_are_the_same_the_other_way_round() -> None:
    film, inverted = (expose(SOFT, BONE, 0.6, replace(PLAIN, inverted=i)) for i in (False, True))
    np.testing.assert_allclose(film + inverted, 1.0, atol=1e-6)


def test_fewer_photons_are_noisier_and_more_scatter_is_flatter() -> None:
    flat = np.full((200, 200), 200.0, dtype=np.float32)
    even = replace(PLAIN, sharp_gain=0.0, local_share=0.0, base_gain=1.0, detail_gain=1.0)
    noisy = expose(SOFT, BONE, 0.6, replace(even, photons=100.0))
    clean = expose(SOFT, BONE, 0.6, replace(even, photons=1e5))
    assert noisy[100:150, 50:90].std() > 3 * clean[100:150, 50:90].std()
    step = flat + np.where(np.arange(200) < 100, 10, 0).astype(np.float32)
    contrast = []
    for scatter in (0.0, 0.6):
        film = expose(step, 0 * step, 0.6, replace(even, scatter=scatter, photons=1e9))
        contrast.append(float(film[:, 80].mean() - film[:, 120].mean()))
    assert contrast[1] <= contrast[0] + 1e-3


def test_wide_blurs_agree_with_exact_ones() -> None:
    image = np.random.default_rng(0).random((150, 130)).astype(np.float32)
    image = gaussian_filter(image, 3.0)
    for sigma in (9.0, 12.0, 17.0):
        exact = gaussian_filter(image, sigma, mode="nearest", truncate=4.0)
        assert np.abs(smooth(image, sigma) - exact)[20:-20, 20:-20].max() < 0.12 * image.std()


@pytest.mark.parametrize("shape", [(2, 300), (300, 1), (3, 3)])
def test_a_sliver_of_a_film_is_blurred_too(shape: tuple[int, int]) -> None:
    assert np.allclose(smooth(np.full(shape, 7.0, dtype=np.float32), 60.0), 7.0, atol=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_any_look_gives_a_film_and_the_same_one_again(seed: int) -> None:
    points = np.array([[(60 + 30 * n + s * 10.0, 70 + a * 15.0) for a in (-1, 0, 1) for s in (-1, 1)] for n in (0, 1)])
    look = draw_look(np.random.default_rng(seed), SOFT.shape, 0.6, points)
    film, inside = apply_look(SOFT, BONE, 0.6, look)
    assert film.shape == inside.shape == SOFT.shape
    assert film.dtype == np.float32
    assert 0.0 <= film.min() <= film.max() <= 1.0
    again, _ = draw_film(SOFT, BONE, 0.6, points, np.random.default_rng(seed))
    np.testing.assert_array_equal(film, again)


def test_shutters_hide_the_patient_and_say_so() -> None:
    marks = replace(draw_marks(np.random.default_rng(0)), border=(0.1, 0.0, 0.2, 0.0), border_lean=0.0, letters=())
    marks = replace(marks, seams=(), grid_mm=0.0, scratches=0, light=(0.0, 0.0), quality=0, border_tone=0.0)
    film, inside = put_marks(np.full((100, 100), 0.5, dtype=np.float32), 0.6, marks)
    assert not inside[:8].any()
    assert not inside[:, :18].any()
    assert inside[13:, 23:].all()
    assert film[:4].max() == 0.0
    assert film[60, 60] == pytest.approx(0.5, abs=0.01)


def test_metal_is_the_brightest() -> None:
    rates = SceneRates(**{**vars(NO_OBJECTS), "screws": 1.0})
    points = np.array(
        [[(40 + 30 * n + s * 10.0, 70 + a * 15.0) for a in (-1, 0, 1) for s in (-1, 1)] for n in range(4)]
    )
    look = replace(draw_look(np.random.default_rng(4), SOFT.shape, 0.6, points, rates), exposure=PLAIN)
    marks = replace(look.marks, border=(0.0,) * 4, letters=(), seams=(), grid_mm=0.0, scratches=0, quality=0)
    film, _ = apply_look(SOFT, BONE, 0.6, replace(look, marks=marks))
    metal = paint(look.objects, SOFT.shape, 0.6)["metal"]
    tissue = (metal == 0) & (SOFT > 0)
    assert film[metal > 1.0].mean() > film[tissue].mean() + 0.15
