"""Small drawing tools of the pictures: window, colours, fonts, marks.

Belongs here: what several pictures share. Does not belong here: what a picture shows (overlay).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

Float = NDArray[np.float64]
Colour = tuple[int, int, int]

BACKGROUND: Colour = (16, 18, 22)
TEXT: Colour = (235, 235, 235)
FAINT: Colour = (150, 155, 160)
CUT: Colour = (160, 160, 160)
GRADES: tuple[Colour, ...] = ((86, 180, 233), (240, 228, 66), (230, 159, 0), (255, 90, 30))
"""Grades 0-3 after Okabe and Ito's palette, told apart with any colour vision; the number always stands beside it."""

REGION: Colour = (0, 158, 115)
"""Border of the region of a density, and its HU."""

BONE_WINDOW_HU = (-250.0, 950.0)


@lru_cache(maxsize=8)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib ships it, so that every machine draws the same picture."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def grey_image(hu: NDArray[np.float32], inside: NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """(rows, columns) HU in the bone window -> RGB of `size` (width, height); what was not scanned is dark blue."""
    low, high = BONE_WINDOW_HU
    grey = np.clip((hu - low) / (high - low), 0.0, 1.0) * 255
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgb[~inside] = (20, 28, 48)
    return Image.fromarray(rgb.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def film_grey(image: NDArray[np.float32], inside: NDArray[np.bool_], detail_px: float) -> NDArray[np.uint8]:
    """(rows, columns) values of a film -> shades, bone bright, for looking only; what is no picture is dark.

    Half of what is wider than `detail_px` is taken away, so that a spine is seen behind lung and behind pelvis at once.
    """
    known = np.where(inside, image, np.median(image[inside]) if inside.any() else 0.0).astype(np.float32)
    local = known - 0.6 * gaussian_filter(known, detail_px, truncate=2.5)
    low, high = np.percentile(local[inside] if inside.any() else local, (0.5, 99.7))
    grey = np.clip((local - low) / max(float(high - low), 1e-9), 0.0, 1.0) * 235 + 10
    return np.asarray(np.where(inside, grey, 0)).astype(np.uint8)


def cross(draw: ImageDraw.ImageDraw, x: float, y: float, arm: float, colour: Colour) -> None:
    """A diagonal cross that leaves its centre visible."""
    for dx, dy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        draw.line((x + dx * 0.35 * arm, y + dy * 0.35 * arm, x + dx * arm, y + dy * arm), fill=colour, width=1)


def circle(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=1)
