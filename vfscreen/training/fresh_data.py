"""Batches for the fresh-fracture classifiers: drawn with a balance of classes, augmented, normalised.

Belongs here: sampling and augmentation of stored crops. Does not belong here: the crops (fresh_items), losses
(fresh_train).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor

from vfscreen.models.cards import FilmCard
from vfscreen.models.film_tone import normalise
from vfscreen.training.fresh_items import ItemSet, Stored

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

TONE = FilmCard(sigma_px=40.0, floor=0.05)
"""Contrast is evened out over a neighbourhood of half a crop: an exposure says nothing, a dense band does."""


@dataclass(frozen=True)
class Augmentation:
    """Standard deviations and chances. flip: of a mirror image, for crops whose front is on either side."""

    turn_deg: float = 6.0
    scale: float = 0.07
    shift: float = 0.03
    flip: float = 0.5
    noise: float = 0.06
    blur_px: float = 0.9
    erase: float = 0.25


NONE = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class FreshBatch:
    """image: (N, 1, S, S) normalised. fresh: (N,) 0 or 1."""

    image: Tensor
    fresh: Tensor


def view(crop: Stored, pixels: int, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """A stored crop (R, R) as a network sees it: (pixels, pixels), normalised, drawn anew each time."""
    angle = np.deg2rad(np.clip(rng.normal(0, 1), -2.5, 2.5) * augmentation.turn_deg)
    scale = float(np.exp(np.clip(rng.normal(0, 1), -2.5, 2.5) * augmentation.scale))
    shift = rng.normal(0, augmentation.shift, 2) * pixels
    mirror = -1.0 if rng.random() < augmentation.flip else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, mirror])
    matrix = turn / scale
    offset = (crop.shape[0] - 1) / 2 + shift - matrix @ np.full(2, (pixels - 1) / 2)
    known = crop > 0
    image = _sampled(crop.astype(np.float32), matrix, offset, pixels)
    inside = _sampled(known.astype(np.float32), matrix, offset, pixels) > 0.999
    if inside.any():
        image = _spoilt(image, inside, augmentation, rng)
    return _erased(normalise(image, inside, TONE), augmentation, rng)


def plain(items: ItemSet) -> Image:
    """(n, 1, S, S): every crop's middle, as the chain would cut it."""
    rng = np.random.default_rng(0)
    return np.stack([view(np.asarray(c), items.spec.pixels, NONE, rng) for c in items.crops])[:, None]


def _sampled(image: Image, matrix: Float, offset: Float, pixels: int) -> Image:
    shape = (pixels, pixels)
    return np.asarray(affine_transform(image, matrix, offset, shape, order=1, output=np.float32, prefilter=False))


def _spoilt(image: Image, inside: Mask, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    spread = float(image[inside].std())
    if augmentation.blur_px > 0 and rng.random() < 0.3:
        image = gaussian_filter(image, rng.uniform(0.0, augmentation.blur_px))
    if augmentation.noise > 0 and rng.random() < 0.5:
        grain = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + grain * np.float32(rng.uniform(0, augmentation.noise) * spread)
    return np.asarray(image, dtype=np.float32)


def _erased(image: Image, augmentation: Augmentation, rng: np.random.Generator) -> Image:
    """Sometimes a rectangle is grey: no single sign may be all that counts (Zhong et al., AAAI 2020)."""
    if rng.random() < augmentation.erase:
        size = rng.integers(image.shape[0] // 10, image.shape[0] // 4, 2)
        row, column = (int(rng.integers(0, n - s)) for n, s in zip(image.shape, size, strict=True))
        image[row : row + size[0], column : column + size[1]] = 0.0
    return image


def sampling_chances(items: ItemSet, balanced: bool) -> Float:
    """(n,) chance of each item: all alike, or so that fresh and old ones come equally often."""
    fresh = np.array([i.fresh for i in items.items], dtype=np.bool_)
    if balanced and fresh.any() and not fresh.all():
        return np.asarray(np.where(fresh, 0.5 / fresh.sum(), 0.5 / (~fresh).sum()))
    return np.full(fresh.size, 1.0 / fresh.size)


def batches(
    items: ItemSet, batch: int, balanced: bool, augmentation: Augmentation, seed: tuple[int, int], device: torch.device
) -> Iterator[FreshBatch]:
    """Batches for ever. seed: of the run and the step it starts at. Raises ValueError without items."""
    if not items.items:
        raise ValueError("no item is in the split 'train'")
    rng, chances = np.random.default_rng(seed), sampling_chances(items, balanced)
    fresh = np.array([i.fresh for i in items.items], dtype=np.float32)
    while True:
        chosen = rng.choice(len(chances), batch, p=chances)
        image = np.stack([view(np.asarray(items.crops[n]), items.spec.pixels, augmentation, rng) for n in chosen])
        yield FreshBatch(torch.from_numpy(image[:, None]).to(device), torch.from_numpy(fresh[chosen]).to(device))
