"""From HU to mg/cm3: a scanner's curve where the site has one, else the patient's own tissues.

Belongs here: finding air, fat, muscle and blood on the planes, the line through them and its uncertainty. Does not
belong here: reference densities and curves (settings), the planes (planes).

Phantomless calibration after Eggermont et al. (PLoS One 2019;14:e0220564: air, fat, muscle) and Michalski et al. (Med
Eng Phys 2020;78:55: also blood): a line through what the tissues measure and what they are known to look like,
weighted by how well each is known. Internal and phantom calibration differed by 7.8 % root mean square in Kaesmacher et
al. (J Comput Assist Tomogr 2017;41:217).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.acquisition import Acquisition
from vfscreen.density.planes import Planes
from vfscreen.schema.names import CalibrationKind, ContrastPhase
from vfscreen.settings_density import CalibrationSettings

Float = NDArray[np.float64]

_AIR_HU = (-1023.5, -960.0)
_FAT_HU = (-140.0, -60.0)
_MUSCLE_HU = (20.0, 90.0)
_BLOOD_HU = (20.0, 75.0)
_PIXELS_MIN = 40
_SLOPE_TYPICAL = 0.8
"""mg/cm3 of hydroxyapatite a HU, near 120 kV: only to weigh a tissue's spread in HU against its reference in mg/cm3."""


@dataclass(frozen=True)
class Calibration:
    """density = slope * HU + intercept, mg/cm3. covariance: of (intercept, slope). kind says where it is from."""

    kind: CalibrationKind
    slope: float
    intercept: float
    covariance: tuple[tuple[float, float], tuple[float, float]]

    def density_mg_cm3(self, hu: float, hu_sd: float = 0.0) -> tuple[float, float]:
        """Density of an attenuation and its standard deviation; hu_sd: uncertainty of the attenuation itself."""
        (a, ab), (_, b) = self.covariance
        variance = a + 2.0 * ab * hu + b * hu * hu + (self.slope * hu_sd) ** 2
        return self.slope * hu + self.intercept, float(np.sqrt(max(variance, 0.0)))


def scanner_curve(acquisition: Acquisition, settings: CalibrationSettings) -> Calibration | None:
    """The first curve of the settings that matches the scanner and its voltage."""
    for curve in settings.scanner_curves:
        wanted = (curve.manufacturer, acquisition.manufacturer), (curve.model, acquisition.model)
        same = all(not name or name.casefold() in (found or "").casefold() for name, found in wanted)
        if same and acquisition.kvp_kV == curve.kvp_kV:
            covariance = ((curve.sd_mg_cm3**2, 0.0), (0.0, 0.0))
            return Calibration(
                CalibrationKind.SCANNER_CURVE, curve.slope_mg_cm3_per_hu, curve.intercept_mg_cm3, covariance
            )
    return None


def tissue_hu(
    planes: Planes | None, phase: ContrastPhase | None, settings: CalibrationSettings
) -> dict[str, tuple[float, float]]:
    """Tissue -> (HU, standard error of it) of those in view, as without contrast: blood is left out where it is
    enhanced, and what muscle gains is taken off."""
    if planes is None:
        return {}
    u, v = np.abs(planes.u_mm)[None, None, :], planes.v_mm[None, :, None]
    front, depth = planes.front_mm[:, None, None], planes.depth_mm[:, None, None]
    mean, sd = planes.disc_mean, planes.disc_sd
    soft = sd[(mean > _FAT_HU[0]) & (mean < _MUSCLE_HU[1])]
    if soft.size < _PIXELS_MIN:
        return {}
    even = sd <= 1.3 * float(np.percentile(soft, 10)) + 4.0
    behind = (v > front + depth + 12.0) & (u > 12.0) & (u < 66.0)
    fat = mean[even & _within(mean, _FAT_HU)]
    if fat.size < _PIXELS_MIN:  # a lean patient: fat everywhere, but nowhere as wide as a disc
        fat = planes.far_hu[_within(planes.far_hu, _FAT_HU)]
    found = {
        "air": planes.far_hu[_within(planes.far_hu, _AIR_HU)],
        "fat": fat,
        "muscle": mean[even & behind & _within(mean, _MUSCLE_HU)],
    }
    if phase is ContrastPhase.NON_CONTRAST:
        before = (v < front - 9.0) & (v > front - 38.0) & (u < 36.0)
        found["blood"] = mean[even & before & _within(mean, _BLOOD_HU)]
    tissues = {name: _location(values) for name, values in found.items() if values.size >= _PIXELS_MIN}
    if "muscle" in tissues and phase is not ContrastPhase.NON_CONTRAST:
        (hu, error), (gain, gain_sd) = tissues["muscle"], settings.muscle_enhancement_hu
        tissues["muscle"] = hu - gain, float(np.hypot(error, gain_sd))
    return tissues


def internal_calibration(
    tissues: Mapping[str, tuple[float, float]], settings: CalibrationSettings
) -> Calibration | None:
    """Weighted line through the tissues (name -> HU, its error) and their reference densities.

    None with fewer than `tissue_count_min`. Where the tissues do not lie on a line the uncertainty grows with their
    distance from it.
    """
    rows = [(*tissues[r.tissue], *r.density_mg_cm3) for r in settings.tissues if r.tissue in tissues]
    if len(rows) < settings.tissue_count_min:
        return None
    hu, hu_sd, density, density_sd = np.asarray(rows, dtype=np.float64).T
    weight = 1.0 / (density_sd**2 + (_SLOPE_TYPICAL * hu_sd) ** 2)
    design = np.stack([np.ones_like(hu), hu], axis=1)
    normal = design.T @ (weight[:, None] * design)
    # two tissues, or several of one attenuation, fix no line
    if np.linalg.cond(normal) > 1e12:
        return None
    covariance = np.linalg.inv(normal)
    intercept, slope = covariance @ (design.T @ (weight * density))
    residual = density - design @ np.array([intercept, slope])
    spread = float(weight @ residual**2) / max(len(rows) - 2, 1)
    (a, ab), (_, b) = covariance * max(1.0, spread)
    return Calibration(
        CalibrationKind.INTERNAL, float(slope), float(intercept), ((float(a), float(ab)), (float(ab), float(b)))
    )


def _within(values: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((values > limits[0]) & (values < limits[1]))


def _location(values: NDArray[np.float32]) -> tuple[float, float]:
    """Median and a robust standard error of it; squares overlap, so that a tenth of them count as independent."""
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return middle, spread / float(np.sqrt(values.size / 10.0))
