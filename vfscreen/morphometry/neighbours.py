"""The patient's own reference height: what the other vertebrae of the column let expect at a level.

Belongs here: the robust size of a patient. Does not belong here: what a level's normal shape is (reference).

Robust because a fractured neighbour must not set the reference, and T12 and L1 breaking side by side
must not hide each other: vertebrae deformed in themselves do not vote, the others vote by their median,
so that crushed ones (whose own shape looks sound) would have to be the majority.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vfscreen.morphometry.genant import MILD_LOSS
from vfscreen.morphometry.reference import adjusted_height_loss, level_shape, normalised_heights_mm
from vfscreen.schema.names import LEVELS

Float = NDArray[np.float64]

REACH_LEVELS = 4
"""A vertebra is compared with those at most this many levels away: the normal height curve is good locally."""

VOTES_MIN = 3
"""With fewer sound neighbours nothing is expected: two cannot outvote one crushed."""


def expected_posterior_heights_mm(
    heights_mm: Sequence[Float | None], levels: Sequence[str | None]
) -> list[float | None]:
    """For each vertebra the posterior height expected from the others, mm; None where too few can say.

    heights_mm: (3,) each, None where not measured; levels: None where unknown. Equal lengths.
    """
    votes: list[tuple[int, float] | None] = []
    for heights, level in zip(heights_mm, levels, strict=True):
        shape = level_shape(level)
        if heights is None or level is None or shape is None or adjusted_height_loss(heights, level) >= MILD_LOSS:
            votes.append(None)
            continue
        size = float(normalised_heights_mm(heights, level).max()) / shape.relative_height
        votes.append((LEVELS.index(level), size))
    expected: list[float | None] = []
    for position, level in enumerate(levels):
        shape = level_shape(level)
        if level is None or shape is None:
            expected.append(None)
            continue
        here = LEVELS.index(level)
        near = [v[1] for p, v in enumerate(votes) if v and p != position and abs(v[0] - here) <= REACH_LEVELS]
        expected.append(float(np.median(near)) * shape.relative_height if len(near) >= VOTES_MIN else None)
    return expected
