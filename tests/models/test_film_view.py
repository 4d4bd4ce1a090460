"""The view network's adaptor: any picture in, probabilities of every vocabulary out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.backends import TorchBackend
from vfscreen.models.cards import FilmCard
from vfscreen.models.film_ports import BODY_REGIONS, ROTATIONS_DEG, VIEWS
from vfscreen.models.film_view import (
    FilmViewNet,
    PixelFilmViewReader,
    ViewDecode,
    load_film_view_reader,
    prepare_film,
    shrink,
)
from vfscreen.models.registry import WEIGHTS_DIR

TONE = FilmCard(long_side_px=64, sigma_px=8.0, floor=0.05)


def reader(seed: int = 0) -> tuple[PixelFilmViewReader, FilmViewNet]:
    torch.manual_seed(seed)
    network = FilmViewNet(side=64, widths=(8, 8, 8, 8), hidden=8)
    return PixelFilmViewReader(TorchBackend(network), TONE, ViewDecode()), network


def picture(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(rows, columns)).astype(np.float32).cumsum(axis=0)


def test_the_network_is_as_small_as_asked() -> None:
    assert sum(p.numel() for p in FilmViewNet().parameters()) <= 300_000


def test_probabilities_sum_to_one_and_facing_is_asked_of_the_likeliest_turn() -> None:
    view, network = reader()
    with torch.no_grad():
        network.rotation.bias[2] += 50.0
        network.facing_right.bias[:] = torch.tensor([-9.0, -9.0, 9.0, -9.0])
    found = view.read(picture(120, 90), np.ones((120, 90), dtype=bool))
    for probabilities, names in (
        (found.view, VIEWS),
        (found.body_region, BODY_REGIONS),
        (found.rotation, ROTATIONS_DEG),
    ):
        assert probabilities.shape == (len(names),)
        assert math.isclose(probabilities.sum(), 1.0, rel_tol=1e-9)
    assert found.rotation.argmax() == 2
    assert found.anterior_is_right_probability > 0.9


def test_exposure_and_scale_of_values_change_nothing() -> None:
    image, inside = picture(150, 100), np.ones((150, 100), dtype=bool)
    one = prepare_film(image, inside, TONE)
    other = prepare_film(image * 40.0 + 1000.0, inside, TONE)
    assert np.abs(one - other).max() < 0.02


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 400), st.integers(20, 400))
def test_a_picture_of_any_size_keeps_its_shape_within_the_square(rows: int, columns: int) -> None:
    ramp = np.linspace(0.0, 1.0, rows)[:, None] * np.ones(columns)
    small, known = shrink(ramp.astype(np.float32), np.ones((rows, columns), dtype=bool), 64)
    assert small.shape == known.shape == (64, 64)
    scale = max(rows, columns) / 64
    assert abs(known.any(axis=1).sum() - rows / scale) <= 3
    assert abs(known.any(axis=0).sum() - columns / scale) <= 3
    middle = small[:, 32][known[:, 32]]
    assert (np.diff(middle) >= -1e-6).all()


def test_what_is_hidden_is_not_seen() -> None:
    image, inside = picture(128, 128), np.ones((128, 128), dtype=bool)
    inside[:64] = False
    prepared = prepare_film(image, inside, TONE)
    assert (prepared[:, :31] == 0).all()
    changed = image.copy()
    changed[:60] = 1e6
    assert np.array_equal(prepare_film(changed, inside, TONE)[:, 36:], prepared[:, 36:])


def test_a_mask_of_another_shape_is_refused() -> None:
    view, _ = reader()
    with pytest.raises(ValueError, match="mask"):
        view.read(picture(50, 50), np.ones((50, 40), dtype=bool))


def test_a_card_of_another_kind_is_refused() -> None:
    with pytest.raises(WeightsError, match="not a view network's"):
        load_film_view_reader(Path(WEIGHTS_DIR / "ribs-v1.yaml"), device="cpu")
