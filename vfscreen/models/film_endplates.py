"""The film endplate reader: patches of single vertebrae of a radiograph in, their six points out.

Belongs here: preprocessing of `EndplateNet` for one plane of a film. Decoding is that of CT (models.endplates), in
patch pixels. Does not belong here: the network, patches (spine.film_patches), what is done with the points
(screening.film_refine).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import FilmCard, load_into, read_card
from vfscreen.models.endplates import EndplateDecode, build_network, decode_patches
from vfscreen.models.film_tone import normalise
from vfscreen.models.ports import PatchReading
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.spine.film_patches import FilmPatchSpec

Float = NDArray[np.float64]


class FilmPatchReader:
    """`film_ports.FilmEndplateReader` on `EndplateNet` of one plane."""

    def __init__(self, backend: Backend, spec: FilmPatchSpec, tone: FilmCard, decode: EndplateDecode) -> None:
        self._backend = backend
        self._spec = spec
        self._tone = tone
        self._decode = decode

    @property
    def patch_spec(self) -> FilmPatchSpec:
        return self._spec

    @property
    def grade_calibration(self) -> GradeCalibration:
        return self._decode.grade_calibration

    def read(self, patches: NDArray[np.float32], inside: NDArray[np.bool_]) -> PatchReading:
        """See `film_ports.FilmEndplateReader`. Raises ValueError for patches of another shape than `patch_spec`."""
        expected = (self._spec.rows, self._spec.columns)
        if patches.ndim != 3 or patches.shape[1:] != expected or patches.shape != inside.shape:
            raise ValueError(f"patches of shape {patches.shape} are not (n, {expected[0]}, {expected[1]})")
        if not len(patches):
            return PatchReading(np.zeros((0, 6, 2)), np.zeros((0, 6, 2)))
        image = np.stack([normalise(patch, known, self._tone) for patch, known in zip(patches, inside, strict=True)])
        outputs = self._backend.run(image[:, None])
        return decode_patches(outputs["corners"], outputs["plates"], self._decode)

    def sd_px(self, spread_px: Float) -> Float:
        """Standard deviations, in patch pixels, of points whose distributions are `spread_px` wide."""
        # decoded with a pixel as the unit: the floor of the card is one of patch pixels
        return np.hypot(self._decode.sd_scale * spread_px, self._decode.sd_floor_mm)


def load_film_endplate_reader(card_path: Path, device: str = "auto", threads: int | None = None) -> FilmPatchReader:
    """The reader of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    patch, film = card.preprocessing.film_patch, card.preprocessing.film
    if patch is None or film is None:
        raise WeightsError(f"card {card.name} describes no patch of a film")
    network = build_network(card)
    load_into(network, card, card_path)
    spec = patch.spec()
    example = np.random.default_rng(0).normal(size=(1, 1, spec.rows, spec.columns)).astype(np.float32)
    return FilmPatchReader(choose_backend(network, example, device, threads), spec, film, EndplateDecode(**card.decode))
