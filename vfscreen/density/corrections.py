"""What to add to a raw attenuation to compare it with others: for tube voltage, contrast and kernel.

Belongs here: the three corrections of a series and why one cannot be had. Does not belong here: their tables
(settings), the phase (contrast). The raw value is never changed: corrections stand beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from vfscreen.density.acquisition import Acquisition
from vfscreen.density.contrast import Phase
from vfscreen.schema.names import ContrastPhase, DensityReason
from vfscreen.settings_density import CorrectionSettings


@dataclass(frozen=True)
class Corrections:
    """HU to add; None where unknown. reasons: why the corrected value cannot be had; empty where it can."""

    kvp_hu: float | None
    contrast_hu: float | None
    kernel_hu: float | None
    reasons: tuple[DensityReason, ...]

    def apply(self, raw_hu: float) -> float | None:
        """The corrected value; None where a correction that is needed is unknown."""
        if self.reasons:
            return None
        return raw_hu + sum(c for c in (self.kvp_hu, self.contrast_hu, self.kernel_hu) if c is not None)


def corrections(
    acquisition: Acquisition, phase: Phase, settings: CorrectionSettings, phase_probability_min: float
) -> Corrections:
    """The corrections of a series, the same for all its vertebrae."""
    kvp = kvp_correction_hu(acquisition.kvp_kV, settings)
    contrast = contrast_correction_hu(phase, settings, phase_probability_min)
    kernel = kernel_correction_hu(acquisition.kernel, settings)
    reasons = []
    if kvp is None:
        reasons.append(DensityReason.KVP_MISSING if acquisition.kvp_kV is None else DensityReason.KVP_UNKNOWN)
    if contrast is None:
        reasons.append(DensityReason.CONTRAST_UNKNOWN)
    if kernel is None and settings.kernel_required:
        reasons.append(DensityReason.KERNEL_UNKNOWN)
    return Corrections(kvp, contrast, kernel, tuple(reasons))


def kvp_correction_hu(kvp_kV: float | None, settings: CorrectionSettings) -> float | None:
    """Mean at the reference voltage less the mean at this one; between voltages of the table linear, beyond unknown."""
    if kvp_kV is None:
        return None
    voltages = [m.kvp_kV for m in settings.kvp_means]
    means = [m.mean_hu for m in settings.kvp_means]
    if not voltages[0] <= kvp_kV <= voltages[-1]:
        return None
    here, reference = np.interp([kvp_kV, settings.kvp_reference_kV], voltages, means)
    return float(reference - here)


def contrast_correction_hu(phase: Phase, settings: CorrectionSettings, probability_min: float) -> float | None:
    """Less what the phase adds; 0 without contrast; None where the phase is not sure or not in the table."""
    if phase.phase is None or phase.probability is None or phase.probability < probability_min:
        return None
    if phase.phase is ContrastPhase.NON_CONTRAST:
        return 0.0
    return next((-a.added_hu for a in settings.contrast_added if a.phase == phase.phase.value), None)


def kernel_correction_hu(kernel: str | None, settings: CorrectionSettings) -> float | None:
    """Of the first pattern that matches; None where the kernel is missing or none does."""
    if kernel is None:
        return None
    return next((k.add_hu for k in settings.kernels if fnmatchcase(kernel, k.pattern)), None)
