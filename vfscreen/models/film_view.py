"""What a radiograph shows, from its pixels: the view, the part of the body, which way up, which way the patient faces.

Headers of films are often wrong or empty (SCIENCE of radiographs, section 4); whoever calls this records where they
disagree. Belongs here: the small network, its preprocessing and decoding, loading it from a card. Does not belong here:
training, what follows from a view (screening).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import expit, softmax
from torch import Tensor, nn

from vfscreen.errors import WeightsError
from vfscreen.models.backends import Backend, choose_backend
from vfscreen.models.cards import FilmCard, WeightCard, load_into, read_card
from vfscreen.models.film_ports import BODY_REGIONS, ROTATIONS_DEG, VIEWS, FilmView
from vfscreen.models.film_tone import normalise

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


STRIDE, GRID = 32, 2
"""Pixels a cell of the last maps; cells that are averaged into one of what is gathered."""


class FilmViewNet(nn.Module):
    """(N, 2, S, S) normalised film and where it is one -> dict of logits.

    view: (N, len(VIEWS)). region: (N, len(BODY_REGIONS)). rotation: (N, len(ROTATIONS_DEG)), counter-clockwise turns
    that put the head up. facing_right: (N, 4) of the picture after each of those turns.

    side: S, a multiple of 64. Blocks of 4 x 4 pixels become channels, then plain convolutions: about 0.24M numbers.
    """

    def __init__(self, side: int = 192, widths: tuple[int, ...] = (32, 40, 56, 72), hidden: int = 96) -> None:
        super().__init__()
        self.side, self.widths, self.hidden = side, widths, hidden
        layers: list[nn.Module] = [nn.PixelUnshuffle(4), _conv(32, widths[0])]
        for before, after in pairwise(widths):
            layers += [_conv(before, after, stride=2), _Residual(after)]
        # where on the film a thing lies matters: a coarse grid is gathered, not one mean
        cells = (side // STRIDE // GRID) ** 2
        self.trunk = nn.Sequential(*layers, nn.AvgPool2d(GRID), nn.Flatten(), nn.Dropout(0.2))
        self.mix = nn.Sequential(nn.Linear(cells * widths[-1], hidden), nn.ReLU(), nn.Dropout(0.2))
        self.view = nn.Linear(hidden, len(VIEWS))
        self.region = nn.Linear(hidden, len(BODY_REGIONS))
        self.rotation = nn.Linear(hidden, len(ROTATIONS_DEG))
        self.facing_right = nn.Linear(hidden, len(ROTATIONS_DEG))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features = self.mix(self.trunk(image))
        heads = {"view": self.view, "region": self.region, "rotation": self.rotation, "facing_right": self.facing_right}
        return {name: head(features) for name, head in heads.items()}


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.conv(x)
        return found


@dataclass(frozen=True)
class ViewDecode:
    """Numbers of a card's `decode`: what divides the logits of each head (calibration)."""

    view_temperature: float = 1.0
    region_temperature: float = 1.0
    rotation_temperature: float = 1.0
    facing_temperature: float = 1.0


class PixelFilmViewReader:
    """`film_ports.FilmViewReader` on `FilmViewNet`."""

    def __init__(self, backend: Backend, tone: FilmCard, decode: ViewDecode) -> None:
        self._backend = backend
        self._tone = tone
        self._decode = decode

    def read(self, image: Image, inside: Mask) -> FilmView:
        """See `FilmViewReader.read`; a picture of any size. Raises ValueError where the mask has another shape."""
        if image.ndim != 2 or inside.shape != image.shape:
            raise ValueError(f"a film of shape {image.shape} with a mask of shape {inside.shape}")
        outputs = self._backend.run(prepare_film(image, inside, self._tone)[None])
        rotation = softmax(outputs["rotation"][0].astype(np.float64) / self._decode.rotation_temperature)
        right = expit(outputs["facing_right"][0].astype(np.float64) / self._decode.facing_temperature)
        return FilmView(
            view=softmax(outputs["view"][0].astype(np.float64) / self._decode.view_temperature),
            body_region=softmax(outputs["region"][0].astype(np.float64) / self._decode.region_temperature),
            anterior_is_right_probability=float(right[int(rotation.argmax())]),
            rotation=rotation,
        )


def prepare_film(image: Image, inside: Mask, tone: FilmCard) -> Image:
    """A film as the network takes it: (2, S, S), the longer side S, centred, normalised; and where it is a film."""
    side = tone.long_side_px
    assert side is not None
    small, known = shrink(image, inside, side)
    return np.stack([normalise(small, known, tone), known.astype(np.float32)])


def shrink(image: Image, inside: Mask, side: int) -> tuple[Image, Mask]:
    """Any picture -> (side, side), its longer side filling the square, blurred as far as its pixels are lost."""
    scale = max(image.shape) / side
    step = max(int(scale // 2), 1)  # every second pixel of the result's is kept before the blur: the blur is cheap then
    values = np.where(inside, image, np.float32(image[inside].mean() if inside.any() else 0.0))
    if step > 1:
        rows, columns = (n // step * step for n in image.shape)
        cut = (slice(0, rows), slice(0, columns))
        blocks = (rows // step, step, columns // step, step)
        values = values[cut].reshape(blocks).mean(axis=(1, 3))
        inside = inside[cut].reshape(blocks).mean(axis=(1, 3)) > 0.5
        scale = max(values.shape) / side
    if scale > 1.0:
        values = gaussian_filter(values, 0.5 * np.sqrt(scale**2 - 1.0))
    offsets = (np.arange(side) - (side - 1) / 2) * scale
    axes = [offsets + (n - 1) / 2 for n in values.shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    small = map_coordinates(values, grid, order=1, mode="nearest", output=np.float32)
    row, column = (np.clip(np.rint(at), 0, n - 1).astype(np.intp) for at, n in zip(axes, values.shape, strict=True))
    there = [(at >= -0.5) & (at <= n - 0.5) for at, n in zip(axes, values.shape, strict=True)]
    known = inside[row[:, None], column] & there[0][:, None] & there[1]
    return np.where(known, small, np.float32(0.0)), known


def build_network(card: WeightCard) -> FilmViewNet:
    """An untrained network of the card's hyperparameters."""
    h = card.hyperparameters
    return FilmViewNet(int(h["side"]), tuple(h["widths"]), int(h["hidden"]))


def load_film_view_reader(card_path: Path, device: str = "auto", threads: int | None = None) -> PixelFilmViewReader:
    """The reader of a card, weights verified, on the back end chosen for this machine.

    Raises WeightsError (card, weights), SettingsError (device).
    """
    card = read_card(card_path)
    tone = card.preprocessing.film
    if tone is None or tone.long_side_px is None:
        raise WeightsError(f"card {card.name} describes no whole film; it is not a view network's")
    network = build_network(card)
    load_into(network, card, card_path)
    side = tone.long_side_px
    example = np.random.default_rng(0).normal(size=(1, 2, side, side)).astype(np.float32)
    backend = choose_backend(network, example, device, threads)
    return PixelFilmViewReader(backend, tone, ViewDecode(**card.decode))
