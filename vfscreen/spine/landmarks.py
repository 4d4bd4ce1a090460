"""Ribs and sacrum as evidence of levels: what a radiologist counts from.

Belongs here: what a reading of ribs says of each level, and which landmarks are clear enough to fix a numbering. Does
not belong here: reading them (models.ribs), the whole column (labelling), how often variants occur (priors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from vfscreen.spine.priors import (
    SACRUM,
    STATES,
    VERTEBRA_KINDS,
    kind_share,
    last_share,
    neighbour_steps,
)

Float = NDArray[np.float64]

READING_FLOOR = 0.02
"""Share of a reading that is taken to be noise: a single vertebra read wrongly with full conviction must not rule a
numbering out. One of 145 real vertebrae was, leaving volumes out in turn."""
DECISIVE_LOG_ODDS = float(np.log(20.0))

_JUNCTIONS = (("cervical", "rib_bearing", "C7-T1"), ("rib_bearing", "lumbar", "T12-L1"))


@dataclass(frozen=True, eq=False)
class RibReading:
    """What the bones around n vertebrae say of them. kind_log_likelihood: (n, len(VERTEBRA_KINDS)), comparable within
    a row. sacrum_below_log_likelihood: (n, 2) of the sacrum not following, following right below."""

    kind_log_likelihood: Float
    sacrum_below_log_likelihood: Float

    def kinds(self) -> Float:
        """(n, len(VERTEBRA_KINDS)) likelihoods, noise allowed for; rows sum to 1."""
        return _floored(self.kind_log_likelihood)

    def sacrum_below(self) -> Float:
        """(n, 2) likelihoods, noise allowed for; rows sum to 1."""
        return _floored(self.sacrum_below_log_likelihood)


def kind_evidence(reading: RibReading) -> Float:
    """(n, len(STATES)) log-likelihood of each level from what the vertebra carries."""
    return np.asarray(np.log(reading.kinds() @ kind_share().T))


def sacrum_step_evidence(reading: RibReading) -> Float:
    """(n - 1, len(STATES)) log-likelihood of what the next detection is: the sacrum, or not."""
    follows = reading.sacrum_below()[:-1]
    evidence = np.repeat(np.log(follows[:, :1]), len(STATES), axis=1)
    evidence[:, SACRUM] = np.log(follows[:, 1])
    return evidence


def sacrum_end_evidence(reading: RibReading) -> Float:
    """(len(STATES),) log-likelihood of the last detection's level from whether the sacrum follows it."""
    missing, following = reading.sacrum_below()[-1]
    share = last_share()[:SACRUM]
    evidence = np.zeros(len(STATES))
    evidence[:SACRUM] = np.log(share * following + (1.0 - share) * missing)
    return evidence


def clear_landmarks(levels: Sequence[str | None], reading: RibReading) -> tuple[str, ...]:
    """Which of "C7-T1", "T12-L1", "S" are in view and clear, for the labels chosen.

    A junction is clear where the vertebrae on both its sides are, by DECISIVE_LOG_ODDS, of their kind rather than of
    the other; the sacrum, where it follows the last vertebra by the same measure or was detected as one.
    """
    kinds = np.log(reading.kinds())
    neighbours = {(STATES[s.upper], STATES[s.lower]) for s in neighbour_steps()}
    found = []
    for upper, lower, name in _JUNCTIONS:
        up, low = VERTEBRA_KINDS.index(upper), VERTEBRA_KINDS.index(lower)
        for i, (a, b) in enumerate(pairwise(levels)):
            if (a, b) not in neighbours or not a or not b or (a[0], b[0]) != (name[0], name.split("-")[1][0]):
                continue
            if min(kinds[i, up] - kinds[i, low], kinds[i + 1, low] - kinds[i + 1, up]) >= DECISIVE_LOG_ODDS:
                found.append(name)
    return (*found, "S") if _sacrum_is_clear(levels, reading) else tuple(found)


def _sacrum_is_clear(levels: Sequence[str | None], reading: RibReading) -> bool:
    sacral, lumbar = VERTEBRA_KINDS.index("sacrum"), VERTEBRA_KINDS.index("lumbar")
    kinds, below = np.log(reading.kinds()), np.log(reading.sacrum_below())
    for i, level in enumerate(levels):
        if level == "S":
            return bool(kinds[i, sacral] - kinds[i, lumbar] >= DECISIVE_LOG_ODDS)
        if i == len(levels) - 1 and level in ("L4", "L5", "L6"):
            return bool(below[i, 1] - below[i, 0] >= DECISIVE_LOG_ODDS)
    return False


def _floored(log_likelihood: Float) -> Float:
    p = np.exp(log_softmax(np.asarray(log_likelihood, dtype=np.float64), axis=1))
    return np.asarray((1.0 - READING_FLOOR) * p + READING_FLOOR / p.shape[1])
