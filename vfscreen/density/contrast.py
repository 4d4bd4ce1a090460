"""The contrast phase of a CT, from its pixels: blood beside the spine, and kidneys where they are in view.

Belongs here: finding blood and kidneys on the planes, the phase and its probability, what the header says. Does not
belong here: what a phase does to HU (corrections), the planes (planes).

Blood is the brightest even tissue in front of and beside the bodies: in a contrast study the aorta, on either side of
the spine, else whatever soft tissue lies there, about as bright as unenhanced blood. Each phase is a pair of normal
distributions (settings); the phase under which what is seen is most likely is given with its probability. The header
is not used: it is often empty or wrong. It is compared with the pixels afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.density.planes import Planes
from vfscreen.schema.names import ContrastPhase
from vfscreen.settings_density import ContrastSettings

Float = NDArray[np.float64]

AORTA_LEVELS = (*(f"T{n}" for n in range(6, 14)), *(f"L{n}" for n in range(1, 5)))
"""Where a large vessel runs along the column: below the arch, above the bifurcation."""
CHEST_LEVELS = AORTA_LEVELS[:5]
"""T6-T10: where the descending aorta lies beside the bodies, and no kidney does."""
KIDNEY_LEVELS = ("T12", "T13", "L1", "L2", "L3")
_IN_VIEW = 0.7
"""Share of the field in front of a body that must have been scanned to say anything of blood."""
_SOFT_HU = (0.0, 600.0)
_EVEN = 1.6
_EVEN_HU = 6.0
"""A disc is even if its sd is below 1.6 times that of the evenest soft tissue of the plane, plus 6 HU."""


@dataclass(frozen=True)
class Enhancement:
    """What was seen, HU: blood beside the spine, and the brightest even tissue where kidneys lie. None: not in view."""

    blood_hu: float | None
    kidney_hu: float | None


@dataclass(frozen=True)
class Phase:
    """Most likely phase and its probability; both None where no blood was in view."""

    phase: ContrastPhase | None
    probability: float | None


def enhancement(planes: Planes | None) -> Enhancement:
    """Blood and kidney attenuation on the planes of a column."""
    if planes is None:
        return Enhancement(None, None)
    u, v = np.abs(planes.u_mm)[None, :], planes.v_mm[:, None]
    blood, kidney = [], []
    for n, level in enumerate(planes.levels):
        front, depth = float(planes.front_mm[n]), float(planes.depth_mm[n])
        limit = _evenness(planes, n)
        if limit is None:
            continue
        if level in KIDNEY_LEVELS:
            zone = (u > 33.0) & (u < 78.0) & (v > front - 15.0) & (v < front + depth + 15.0)
            kidney.append(_brightest(planes, n, zone, limit))
        zone = (v < front - 9.0) & (v > front - 38.0) & (u < 36.0)
        if np.isfinite(planes.hu[n])[zone].mean() < _IN_VIEW:
            continue  # what is left of the picture need not hold a vessel
        if level in CHEST_LEVELS:
            zone |= (v >= front - 9.0) & (v < front + 0.5 * depth) & (u > 0.75 * depth + 9.0) & (u < 48.0)
        if level is None or level in AORTA_LEVELS:
            blood.append(_brightest(planes, n, zone, limit))
    seen = [b for b in blood if b is not None]
    kidneys = [k for k in kidney if k is not None]
    return Enhancement(
        blood_hu=float(np.median(seen)) if seen else None,
        kidney_hu=float(max(kidneys)) if kidneys else None,
    )


def contrast_phase(seen: Enhancement, settings: ContrastSettings) -> Phase:
    """The phase from what was seen: normal likelihoods of blood and kidney, equal priors. Without blood: none."""
    if seen.blood_hu is None:
        return Phase(None, None)
    score = []
    for tissue in settings.phases:
        pairs = [(seen.blood_hu, tissue.aorta_hu)]
        if seen.kidney_hu is not None:
            pairs.append((seen.kidney_hu, tissue.kidney_hu))
        score.append(sum(-0.5 * ((hu - mean) / sd) ** 2 - np.log(sd) for hu, (mean, sd) in pairs))
    likelihood = np.exp(np.asarray(score) - max(score))
    best = int(likelihood.argmax())
    return Phase(ContrastPhase(settings.phases[best].phase), float(likelihood[best] / likelihood.sum()))


def header_says_contrast(agent: str | None) -> bool:
    """Whether ContrastBolusAgent names an intravenous agent. An empty one, 'NONE' or an oral agent alone does not."""
    words = set(re.split(r"[^A-Z0-9]+", (agent or "").upper())) - {""}
    if not words or words & {"NONE", "NO", "NON", "WITHOUT", "WO", "NATIVE", "UNENHANCED"}:
        return False
    return not (words & {"ORAL", "PO", "RECTAL"} and not words & {"IV", "INTRAVENOUS"})


def header_disagrees(phase: ContrastPhase | None, agent: str | None) -> bool | None:
    """Whether header and pixels say different things; None where the pixels say nothing."""
    if phase is None:
        return None
    return header_says_contrast(agent) != (phase is not ContrastPhase.NON_CONTRAST)


def _evenness(planes: Planes, n: int) -> float | None:
    """Largest sd of a disc of one tissue on a plane, from the evenest soft tissue there: noise differs from scan to
    scan. None where there is no soft tissue."""
    mean, sd = planes.disc_mean[n], planes.disc_sd[n]
    soft = sd[(mean > _SOFT_HU[0]) & (mean < _SOFT_HU[1])]
    return _EVEN * float(np.percentile(soft, 10)) + _EVEN_HU if soft.size >= 20 else None


def _brightest(planes: Planes, n: int, zone: NDArray[np.bool_], limit: float) -> float | None:
    """Attenuation of the brightest even tissue within a zone; None where there is none.

    The median of the discs that noise alone could have made differ from the brightest one, which noise made bright.
    """
    mean, sd = planes.disc_mean[n], planes.disc_sd[n]
    even = zone & (mean > _SOFT_HU[0]) & (mean < _SOFT_HU[1]) & (sd <= limit)
    if not even.any():
        return None
    brightest = np.unravel_index(int(np.where(even, mean, -np.inf).argmax()), mean.shape)
    alike = even & (mean >= mean[brightest] - max(float(sd[brightest]), _EVEN_HU))
    return float(np.median(mean[alike]))
