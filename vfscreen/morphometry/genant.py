"""Genant's quantitative grades and the raw height index of the CT method.

Genant et al., J Bone Miner Res 8 (1993) 1137-1148; the index min/max as in Zakharov et al., Medical Image Analysis 83
(2023). Belongs here: the definition. Does not belong here: level references (reference), probabilities (probability).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

MILD_LOSS = 0.20
MODERATE_LOSS = 0.25
SEVERE_LOSS = 0.40
BORDERS: tuple[float, ...] = (MILD_LOSS, MODERATE_LOSS, SEVERE_LOSS)
"""Height loss at which grade 1, 2 and 3 begin; the border itself belongs to the higher grade."""

BORDER_TOLERANCE = 1e-9
"""Losses this close below a border are on it. In binary floating point 1 - 16/20 is 0.19999999999999996 though
the loss is exactly 0.20; the noise of a loss computed from mm is below 1e-14, and no measurement resolves 1e-9. This
is not rounding: 0.1999 stays grade 0."""


def raw_height_loss(heights_mm: Float) -> Float:
    """Loss of height within one body, 1 - min/max of its three heights.

    heights_mm: (..., 3), >= 0. Returns (...,) in 0..1. A zero height counts: the loss is 1. A body
    all of whose heights are zero has collapsed, loss 1.
    Raises ValueError for negative or non-finite heights.
    """
    heights = np.asarray(heights_mm, dtype=np.float64)
    if heights.shape[-1:] != (3,):
        raise ValueError(f"three heights are needed, not {heights.shape}")
    if not np.isfinite(heights).all() or (heights < 0).any():
        raise ValueError("heights must be finite and not negative")
    low, high = heights.min(axis=-1), heights.max(axis=-1)
    return np.asarray(1.0 - low / np.where(high > 0, high, 1.0))


def genant_grade(height_loss_ratio: Float | float) -> NDArray[np.int64]:
    """Grade 0..3 of a height loss, (...,) -> (...,).

    Never round a loss before it comes here. Raises ValueError for a loss that is not a number: what was not measured
    has no grade.
    """
    loss = np.asarray(height_loss_ratio, dtype=np.float64)
    if np.isnan(loss).any():
        raise ValueError("a loss that was not measured has no grade")
    return np.asarray(sum((loss >= border - BORDER_TOLERANCE).astype(np.int64) for border in BORDERS))
