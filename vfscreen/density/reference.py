"""The patient's one value: L1, or a declared fall-back, against the site's thresholds.

Belongs here: which vertebrae it is taken from, and the category. Does not belong here: thresholds and fall-back levels
(settings), the vertebrae's values (measure).

L1 after Pickhardt et al. (Ann Intern Med 2013;158:588). A category supports screening; it cannot be used to rule out
low bone density.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vfscreen.schema.names import DensityCategory
from vfscreen.settings_density import DensitySettings

REFERENCE_LEVEL = "L1"


def reference_value(sound_hu: Mapping[str, float], settings: DensitySettings) -> tuple[float | None, tuple[str, ...]]:
    """(HU, levels it is the mean of) from the soundly measured levels; (None, ()) where no declared level is among
    them."""
    for group in ((REFERENCE_LEVEL,), *settings.fallback_levels):
        levels = tuple(level for level in group if level in sound_hu)
        if levels:
            return float(np.mean([sound_hu[level] for level in levels])), levels
    return None, ()


def density_category(corrected_hu: float | None, settings: DensitySettings) -> DensityCategory | None:
    """The borders belong to the lower category; None without a value."""
    if corrected_hu is None:
        return None
    if corrected_hu <= settings.osteoporosis_max_hu:
        return DensityCategory.OSTEOPOROSIS_RANGE
    return DensityCategory.LOW if corrected_hu <= settings.low_max_hu else DensityCategory.NORMAL
