"""The film vertebra detector: a straightened strip of a radiograph in, vertebrae with six points out.

Belongs here: preprocessing of `VertebraNet` for one plane of a film. Decoding is that of CT (models.vertebra), in strip
pixels, then scores in the context of the column (film_context). Does not belong here: the network, the strip
(spine.film_strip), levels of the whole column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import FilmCard, load_into, read_card
from vfscreen.models.film_context import ContextParameters, in_context
from vfscreen.models.film_tone import normalise
from vfscreen.models.networks2d import PADDING
from vfscreen.models.ports import Detection
from vfscreen.models.vertebra import DecodeParameters, build_network, decode
from vfscreen.morphometry.probability import GradeCalibration
from vfscreen.spine.film_strip import StripSpec

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


class StripVertebraDetector:
    """`film_ports.FilmVertebraDetector` on `VertebraNet` of one plane."""

    def __init__(
        self,
        backend: Backend,
        spec: StripSpec,
        tone: FilmCard,
        decode: DecodeParameters,
        grade_calibration: GradeCalibration,
        context: ContextParameters | None = None,
    ) -> None:
        self._backend = backend
        self._spec = spec
        self._tone = tone
        self._decode = decode
        self._context = context or ContextParameters()
        self.grade_calibration = grade_calibration

    @property
    def strip_spec(self) -> StripSpec:
        return self._spec

    @property
    def decode_parameters(self) -> DecodeParameters:
        return self._decode

    def detect(self, strip: Image, inside: Mask) -> list[Detection]:
        """See `film_ports.FilmVertebraDetector`. Raises ValueError for another number of columns than `strip_spec`."""
        if strip.ndim != 2 or strip.shape != inside.shape or strip.shape[1] != self._spec.columns:
            raise ValueError(
                f"strip of shape {strip.shape} and mask {inside.shape}: {self._spec.columns} columns wanted"
            )
        rows, columns = strip.shape
        if rows == 0 or not inside.any():
            return []
        pad = ((0, -rows % PADDING), (0, -columns % PADDING))
        image = np.pad(normalise(strip, inside, self._tone), pad)
        # decoded with a pixel as the unit: deviations come out in strip pixels
        found = decode(self._backend.run(image[None, None]), self._decode, 1.0, rows)
        return in_context(found, self._spec.pixels_a_body_height, self._context)


def load_film_vertebra_detector(
    card_path: Path, device: str = "auto", threads: int | None = None
) -> StripVertebraDetector:
    """The detector of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    network = build_network(card)
    load_into(network, card, card_path)
    strip, film = card.preprocessing.strip, card.preprocessing.film
    if strip is None or film is None:
        raise WeightsError(f"card {card.name} describes no strip of a film")
    spec = strip.spec()
    columns = spec.columns + (-spec.columns % PADDING)
    example = np.random.default_rng(0).normal(size=(1, 1, 8 * PADDING, columns)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    settings = dict(card.decode)
    calibration = GradeCalibration(
        tuple(settings.pop("grade_offset", (0.0, 0.0, 0.0))), tuple(settings.pop("grade_slope", (1.0, 1.0, 1.0)))
    )
    context = ContextParameters(**settings.pop("context", {}))
    return StripVertebraDetector(backend, spec, film, DecodeParameters(**settings), calibration, context)
