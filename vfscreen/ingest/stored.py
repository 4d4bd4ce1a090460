"""How pixels are stored, and what of a stored value is the pixel.

Belongs here: the format of DICOM PS3.3 C.7.6.3, bits that are no pixel, padding. Does not belong here: finding and
decoding pixels (`pixels`), what they mean (`decode`, `film`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelFormat:
    """How pixels are stored (DICOM PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    padding: tuple[int, int] | None  # lowest and highest stored value of padding

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.bits_allocated // 8}")


def without_overlays(stored: NDArray[Any], form: PixelFormat) -> NDArray[Any]:
    """Stored values without what lies in the bits outside BitsStored (old overlays), sign extended."""
    if form.bits_stored == form.bits_allocated:
        return stored
    low_bits = form.high_bit + 1 - form.bits_stored
    unused = form.bits_allocated - form.bits_stored
    if form.signed:
        above = unused - low_bits
        shifted = np.left_shift(stored, above) if above else stored
        return np.asarray(np.right_shift(shifted, unused))
    mask = (1 << form.bits_stored) - 1
    if low_bits:
        stored = np.right_shift(stored, low_bits)
    return np.asarray(np.bitwise_and(stored, mask, dtype=stored.dtype))


def padded_pixels(stored: NDArray[Any], form: PixelFormat) -> NDArray[np.bool_] | None:
    """Where stored values are padding, or None where none is (DICOM PS3.3 C.7.5.1.1.2)."""
    if form.padding is None:
        return None
    low, high = form.padding
    padded = stored == low if low == high else (stored >= low) & (stored <= high)
    return padded if padded.any() else None
