"""Make a clean image look like other scanners' and other patients': contrast, blur, thick slices, noise, streaks.

Belongs here: intensity and resolution changes that leave geometry alone. Not here: geometry (vertebra_data).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, uniform_filter1d

Image = NDArray[np.float32]


def degrade(
    hu: Image, rng: np.random.Generator, hard: float = 1.0, pixel_mm: float = 1.0, slope_sd: float = 0.08
) -> Image:
    """hu: (planes, rows, columns) -> the same shape, degraded at random; `hard` scales it, 0 is off.

    pixel_mm: pixel size along rows and columns. slope_sd: how far from square to the columns slices may lie.
    """
    out = hu
    px = 1.0 / pixel_mm
    # bone density and contrast medium: what is denser than muscle is stretched
    gain = float(np.exp(rng.normal(0, 0.25 * hard)))
    out = np.where(out > 40.0, 40.0 + (out - 40.0) * gain, out)
    out = out + np.float32(rng.normal(0, 12.0 * hard))
    if rng.random() < 0.5 * hard:
        out = thick_slices(out, px * float(rng.uniform(1.0, 5.0)), float(rng.normal(0, slope_sd)), float(rng.random()))
    draw = rng.random()
    if draw < 0.4 * hard:
        out = gaussian_filter(out, (0.0, *([px * float(rng.uniform(0.2, 0.9))] * 2)))
    elif draw < 0.6 * hard:
        out = out + np.float32(rng.uniform(0.3, 1.2)) * (out - gaussian_filter(out, (0.0, px, px)))
    if rng.random() < 0.8 * hard:
        sd = float(np.exp(rng.uniform(np.log(4.0), np.log(70.0))))
        noise = rng.standard_normal(out.shape, dtype=np.float32)
        if rng.random() < 0.6:
            blur = px * float(rng.uniform(0.4, 0.9))
            noise = gaussian_filter(noise, (0.0, blur, blur))
            noise /= max(float(noise.std()), 1e-6)
        out = out + np.float32(sd) * noise
    if rng.random() < 0.1 * hard:
        streaks = gaussian_filter1d(
            rng.standard_normal((1, out.shape[1], 1)), px * float(rng.uniform(0.5, 2.0)), axis=1
        )
        out = out + np.asarray(streaks * rng.uniform(20, 120), dtype=np.float32)
    return np.asarray(out, dtype=np.float32)


def noisy_slices(hu: Image, rng: np.random.Generator, pixel_mm: float, slope_sd: float = 0.08) -> Image:
    """hu: (planes, rows, columns) -> the same shape, as slices of 1 to 6 mm show it that were noisy when they were cut.

    Noise belongs to a slice: it is interpolated between slices with the rest of the image and passes for edges there.
    Where little radiation came through (arms, shoulders, metal) it runs in streaks from left to right, alike in
    neighbouring sagittal planes. Other arguments as in `degrade`.
    """
    px = 1.0 / pixel_mm
    thickness = px * float(rng.uniform(1.0, 6.0))
    # an average over the slice leaves this share of it
    gain = np.float32(np.sqrt(max(round(thickness), 1)))
    out = hu + gain * np.float32(np.exp(rng.uniform(np.log(3.0), np.log(40.0)))) * _grain(hu.shape, px, rng)
    if rng.random() < 0.4:
        out = out + gain * np.float32(rng.uniform(10.0, 70.0)) * _grain((1, *hu.shape[1:]), px, rng)
    return thick_slices(out, thickness, float(rng.normal(0, slope_sd)), float(rng.random()))


def _grain(shape: tuple[int, ...], px: float, rng: np.random.Generator) -> Image:
    """White along planes and rows, smooth along columns (within a slice), of sd 1."""
    field = rng.standard_normal(shape, dtype=np.float32)
    field = gaussian_filter1d(field, px * float(rng.uniform(0.3, 1.2)), axis=2)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def thick_slices(hu: Image, thickness: float, slope: float, phase: float) -> Image:
    """Average over slices of `thickness` rows and interpolate between them again.

    slope: rows the slices' plane climbs a column (the column is not always square to the scanner's table).
    phase: 0..1, where the first slice lies.
    """
    rows, columns = hu.shape[1:]
    climb = np.rint(slope * (np.arange(columns) - columns / 2)).astype(int)
    index = np.clip(np.arange(rows)[:, None] + climb[None, :], 0, rows - 1)
    level = np.take_along_axis(hu, np.broadcast_to(index[None], hu.shape), axis=1)
    smooth = uniform_filter1d(level, max(round(thickness), 1), axis=1)
    slices = np.arange(phase * thickness, rows, thickness)
    at = np.clip((np.arange(rows) - slices[0]) / thickness, 0, slices.size - 1)
    low = np.minimum(at.astype(int), slices.size - 2)
    share = (at - low).astype(np.float32)[None, :, None]
    taken = smooth[:, np.clip(np.rint(slices).astype(int), 0, rows - 1)]
    thick = taken[:, low] * (1 - share) + taken[:, low + 1] * share
    back = np.clip(np.arange(rows)[:, None] - climb[None, :], 0, rows - 1)
    return np.ascontiguousarray(np.take_along_axis(thick, np.broadcast_to(back[None], hu.shape), axis=1))
