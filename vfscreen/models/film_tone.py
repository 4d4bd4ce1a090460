"""A film's values as a network takes them: free of exposure, tone curve, inversion of scale, and slow shading.

Belongs here: normalising, the same in training and at inference. Does not belong here: photometric inversion (ingest),
resampling (spine.film_strip, film_locator).

Detectors, plate readers, printing and scanning give films that differ by any monotone curve. Ranks within the picture
undo it; dividing by the local contrast then shows an endplate under the diaphragm like one before the lung.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from vfscreen.models.cards import FilmCard

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

KNOTS = 257
CLIP = 4.0
_SAMPLE = 40_000


def rank_values(image: Image, inside: Mask) -> Image:
    """Values -> share of the picture's pixels below them, 0..1; 0 outside. Ties share one rank."""
    values = image[inside]
    if values.size == 0:
        return np.zeros(image.shape, dtype=np.float32)
    step = max(values.size // _SAMPLE, 1)
    knots = np.quantile(values[::step], np.linspace(0.0, 1.0, KNOTS))
    rising, first = np.unique(knots, return_index=True)
    # a value that many pixels share takes the middle of its ranks
    last = np.append(first[1:], KNOTS) - 1
    share = (first + last) / (2.0 * (KNOTS - 1))
    ranked = np.interp(image.ravel(), rising, share).reshape(image.shape)
    return np.where(inside, ranked, 0.0).astype(np.float32)


def local_contrast(ranked: Image, inside: Mask, sigma_px: float, floor: float) -> Image:
    """(x - local mean) / local deviation over a neighbourhood of about `sigma_px`, clipped to +-CLIP; 0 outside."""
    weight = _smooth(inside.astype(np.float32), sigma_px)
    weight = np.maximum(weight, 1e-3)
    masked = np.where(inside, ranked, 0.0).astype(np.float32)
    mean = _smooth(masked, sigma_px) / weight
    variance = np.maximum(_smooth(masked * masked, sigma_px) / weight - mean * mean, 0.0)
    scaled = (ranked - mean) / np.sqrt(variance + floor * floor)
    return np.where(inside, np.clip(scaled, -CLIP, CLIP), 0.0).astype(np.float32)


def normalise(image: Image, inside: Mask, card: FilmCard) -> Image:
    """A film or a strip, at the network's own pixel size, as its card says: float32, same shape."""
    return local_contrast(rank_values(image, inside), inside, card.sigma_px, card.floor)


def _smooth(image: Image, sigma_px: float) -> Image:
    """Two running means: the deviation of a Gaussian at a fraction of its time."""
    size = max(round(sigma_px * np.sqrt(6.0)), 1)
    once = uniform_filter(image, size, mode="constant")
    return np.asarray(uniform_filter(once, size, mode="constant"), dtype=np.float32)
