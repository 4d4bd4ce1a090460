"""The film locator: a whole film at low resolution in, the course of the vertebral column out.

Belongs here: preprocessing and decoding of `FilmLocatorNet`. Does not belong here: the network (networks2d), the curve
through what is found (spine.film_course).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import FilmCard, WeightCard, load_into, read_card
from vfscreen.models.film_ports import LocatedFilmColumn
from vfscreen.models.film_tone import normalise
from vfscreen.models.networks2d import FILM_HEIGHT_PX, PADDING, FilmLocatorNet
from vfscreen.spine.film_strip import sample_film

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

CELL = 4
"""Pixels a cell of the network's maps."""


@dataclass(frozen=True)
class FilmLocatorDecode:
    """How the network's maps are read; `decode` of the card.

    step_max: cells the line may move sideways a row of cells. step_cost: log-odds a squared cell of such a step.
    window: half-width in cells over which the line's place in a row is averaged. presence_min: rows below are left out.
    """

    step_max: int = 3
    step_cost: float = 0.15
    window: int = 2
    presence_min: float = 0.2


class WholeFilmLocator:
    """`film_ports.FilmLocator` on `FilmLocatorNet`."""

    def __init__(self, backend: Backend, card: FilmCard, decode: FilmLocatorDecode) -> None:
        if card.long_side_px is None:
            raise WeightsError("the card of a film locator must say the long side of its image")
        self._backend = backend
        self._card = card
        self._long_side = card.long_side_px
        self._decode = decode

    def locate(self, image: Image, inside: Mask) -> LocatedFilmColumn:
        """See `film_ports.FilmLocator`. Raises ValueError for an image that is not (rows, columns)."""
        if image.ndim != 2 or image.shape != inside.shape:
            raise ValueError(f"a film and its mask must be (rows, columns), not {image.shape} and {inside.shape}")
        if not inside.any():
            return _nothing()
        small, known, zoom = shrink(image, inside, self._long_side)
        rows, columns = small.shape
        pad = ((0, -rows % PADDING), (0, -columns % PADDING))
        ready = np.pad(normalise(small, known, self._card), pad)
        maps = self._backend.run(ready[None, None])
        column, height, facing = (
            maps[name][0, 0, : -(-rows // CELL), : -(-columns // CELL)].astype(np.float64)
            for name in ("column", "height", "facing")
        )
        return decode_column(column, height, facing, zoom, self._decode)


def shrink(image: Image, inside: Mask, long_side_px: int) -> tuple[Image, Mask, float]:
    """The film at the size the network takes, blurred first, its mask, and small pixels a film pixel."""
    zoom = long_side_px / max(image.shape)
    shape = tuple(max(round(n * zoom), 1) for n in image.shape)
    # pixel areas fall on pixel areas, not centres on centres
    at = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) / zoom - 0.5
    small, known = sample_film(image, inside, np.clip(at, 0, np.array(image.shape) - 1.0), 1.0 / zoom)
    return small, known, zoom


def decode_column(
    column: Float, height: Float, facing: Float, zoom: float, parameters: FilmLocatorDecode
) -> LocatedFilmColumn:
    """The line of highest total log-odds down the maps (h, w); zoom: map's image pixels a film pixel."""
    path = best_line(column, parameters)
    probability = 1.0 / (1.0 + np.exp(-np.clip(column, -30.0, 30.0)))
    rows = np.arange(len(path))
    presence = probability[rows, path]
    offsets = np.arange(-parameters.window, parameters.window + 1)
    near = np.clip(path[:, None] + offsets, 0, column.shape[1] - 1)
    weight = probability[rows[:, None], near] ** 2
    place = (weight * near).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    local = (weight * height[rows[:, None], near]).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    keep = presence >= parameters.presence_min
    if not keep.any():
        return _nothing()
    points = np.stack([rows, place], axis=1)[keep]
    share = presence[keep] / presence[keep].sum()
    right = float(share @ facing[rows[keep], path[keep]])
    return LocatedFilmColumn(
        points_px=(points * CELL + (CELL - 1) / 2 + 0.5) / zoom - 0.5,
        presence=presence[keep],
        body_height_px=FILM_HEIGHT_PX * np.exp(local[keep]) / zoom,
        anterior_is_right_probability=float(1.0 / (1.0 + np.exp(-np.clip(right, -30.0, 30.0)))),
    )


def best_line(log_odds: Float, parameters: FilmLocatorDecode) -> NDArray[np.intp]:
    """(h,) column of the best line, one cell a row, by dynamic programming."""
    height, width = log_odds.shape
    gain = np.maximum(log_odds, -6.0)  # a row where nothing is seen says nothing of where
    best = np.empty((height, width))
    origin = np.zeros((height, width), dtype=np.intp)
    best[0] = gain[0]
    steps = np.arange(-parameters.step_max, parameters.step_max + 1)
    for r in range(1, height):
        padded = np.pad(best[r - 1], parameters.step_max, constant_values=-np.inf)
        options = np.stack([padded[s + parameters.step_max :][:width] for s in steps])
        options -= parameters.step_cost * (steps**2)[:, None]
        chosen = options.argmax(axis=0)
        origin[r] = np.arange(width) + steps[chosen]
        best[r] = gain[r] + options[chosen, np.arange(width)]
    path = np.empty(height, dtype=np.intp)
    path[-1] = int(best[-1].argmax())
    for r in range(height - 1, 0, -1):
        path[r - 1] = origin[r, path[r]]
    return path


def _nothing() -> LocatedFilmColumn:
    return LocatedFilmColumn(np.zeros((0, 2)), np.zeros(0), np.zeros(0), 0.5)


def build_network(card: WeightCard) -> FilmLocatorNet:
    """An untrained network of the card's architecture and hyperparameters."""
    return FilmLocatorNet(planes=int(card.hyperparameters["planes"]), widths=tuple(card.hyperparameters["widths"]))


def load_film_locator(card_path: Path, device: str = "auto", threads: int | None = None) -> WholeFilmLocator:
    """The locator of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    network = build_network(card)
    load_into(network, card, card_path)
    if card.preprocessing.film is None:
        raise WeightsError(f"card {card.name} does not say how a film is normalised")
    example = np.random.default_rng(0).normal(size=(1, 1, 8 * PADDING, 4 * PADDING)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return WholeFilmLocator(backend, card.preprocessing.film, FilmLocatorDecode(**card.decode))
