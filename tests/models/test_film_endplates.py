"""The film endplate reader: points in patch pixels, whatever the scale of grey, and no patch of another shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.models.test_endplates import BODY, outputs_of
from vfscreen.errors import WeightsError
from vfscreen.models.backends import TorchBackend
from vfscreen.models.cards import FilmCard
from vfscreen.models.endplates import EndplateDecode
from vfscreen.models.film_endplates import FilmPatchReader, load_film_endplate_reader
from vfscreen.models.networks2d import EndplateNet
from vfscreen.models.registry import WEIGHTS_DIR
from vfscreen.spine.film_patches import FilmPatchSpec

SPEC = FilmPatchSpec()
TONE = FilmCard(long_side_px=None, sigma_px=40.0, floor=0.03)


class Says:
    name = "says"

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        assert image.shape == (2, 1, SPEC.rows, SPEC.columns)
        corners, plates = outputs_of(BODY)
        return {"corners": np.concatenate([corners] * 2), "plates": np.concatenate([plates] * 2)}


def test_points_and_deviations_are_in_patch_pixels() -> None:
    reader = FilmPatchReader(Says(), SPEC, TONE, EndplateDecode(sd_scale=2.0, sd_floor_mm=0.5))
    patches = np.random.default_rng(0).normal(size=(2, SPEC.rows, SPEC.columns)).astype(np.float32)
    reading = reader.read(patches, np.ones(patches.shape, dtype=bool))
    np.testing.assert_allclose(reading.points[1], BODY, atol=0.15)
    np.testing.assert_allclose(reader.sd_px(np.array([0.0, 3.0])), [0.5, np.hypot(6.0, 0.5)])


def test_the_exposure_is_no_matter() -> None:
    torch.manual_seed(0)
    reader = FilmPatchReader(TorchBackend(EndplateNet(planes=1)), SPEC, TONE, EndplateDecode())
    film = np.random.default_rng(1).normal(size=(1, SPEC.rows, SPEC.columns)).astype(np.float32)
    inside = np.ones(film.shape, dtype=bool)
    a, b = (reader.read(p.astype(np.float32), inside).points for p in (film, 40.0 + 900.0 * film))
    np.testing.assert_allclose(a, b, atol=1e-2)


def test_other_shapes_are_refused_and_none_is_none() -> None:
    reader = FilmPatchReader(Says(), SPEC, TONE, EndplateDecode())
    none = np.zeros((0, SPEC.rows, SPEC.columns), dtype=np.float32)
    assert reader.read(none, none.astype(bool)).points.shape == (0, 6, 2)
    for wrong in (np.zeros((2, 64, 64)), np.zeros((SPEC.rows, SPEC.columns))):
        with pytest.raises(ValueError, match="patches of shape"):
            reader.read(wrong.astype(np.float32), np.ones(wrong.shape, dtype=bool))


def test_a_card_of_another_kind_of_network_is_refused() -> None:
    with pytest.raises(WeightsError, match="describes no patch of a film"):
        load_film_endplate_reader(WEIGHTS_DIR / "endplates-v1.yaml", "cpu")
