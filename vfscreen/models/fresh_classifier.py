"""The fresh-fracture classifier: crops of fractured vertebrae on lateral films -> probability of a fresh fracture.

Belongs here: preprocessing and decoding of `FreshNet`, loading it from a card. Does not belong here: the network
(fresh_network), cutting crops (spine.film_crop), training. For research: see the cards' limitations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import FilmCard, WeightCard, load_into, read_card
from vfscreen.models.film_tone import normalise
from vfscreen.models.fresh_network import FreshNet
from vfscreen.spine.film_crop import CropSpec

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FreshDecode:
    """How the logit is read; `decode` of the card. P = expit(logit / temperature); a crop is called fresh from
    `threshold` up, which was chosen on the validation items."""

    temperature: float = 1.0
    threshold: float = 0.5


class CropFreshClassifier:
    """`film_ports.FreshClassifier` on `FreshNet`."""

    def __init__(self, backend: Backend, spec: CropSpec, tone: FilmCard, decode: FreshDecode) -> None:
        self._backend = backend
        self._spec = spec
        self._tone = tone
        self._decode = decode

    @property
    def crop_spec(self) -> CropSpec:
        return self._spec

    @property
    def decode_parameters(self) -> FreshDecode:
        return self._decode

    def read(self, crops: Image, inside: Mask) -> Float:
        """See `FreshClassifier.read`. Raises ValueError for crops of another size than `crop_spec` says."""
        expected = (self._spec.pixels, self._spec.pixels)
        if crops.ndim != 3 or crops.shape[1:] != expected or inside.shape != crops.shape:
            raise ValueError(
                f"crops of shape {crops.shape} and {inside.shape} are not (n, {expected[0]}, {expected[1]})"
            )
        if not len(crops):
            return np.zeros(0)
        logit = self._backend.run(prepare_crops(crops, inside, self._tone))["fresh"][:, 0]
        return np.asarray(expit(logit.astype(np.float64) / self._decode.temperature))


def prepare_crops(crops: Image, inside: Mask, tone: FilmCard) -> Image:
    """(n, S, S) film values -> (n, 1, S, S) as the network takes them."""
    return np.stack([normalise(c, i, tone) for c, i in zip(crops, inside, strict=True)])[:, None]


def build_network(card: WeightCard) -> FreshNet:
    """An untrained network of the card's hyperparameters."""
    return FreshNet(str(card.hyperparameters["architecture"]), float(card.hyperparameters["dropout"]))


def load_fresh_classifier(card_path: Path, device: str = "auto", threads: int | None = None) -> CropFreshClassifier:
    """The classifier of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    crop, film = card.preprocessing.crop, card.preprocessing.film
    if crop is None or film is None:
        raise WeightsError(f"card {card.name} describes no crop of a film; it is not a fresh-fracture classifier's")
    network = build_network(card)
    load_into(network, card, card_path)
    example = np.random.default_rng(0).normal(size=(1, 1, crop.pixels, crop.pixels)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return CropFreshClassifier(backend, crop.spec(), film, FreshDecode(**card.decode))
