"""Which detections on a strip make one column: the most believable chain of bodies at a spine's distances.

Belongs here: what may follow what. Does not belong here: finding bodies (models), cutting the strip anew along the
chain (screening.film_look), names (film_labelling).

A strip that leaves the column shows a skull, an arm or a pelvis, and a network finds a body here and there on it. In a
chain such finds cost more than they bring: they lie too near, too far, aside, or are of another size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

STEP_BODY_HEIGHTS = 1.28
"""Distance of neighbouring centres over the mean height of their bodies: body and disc, neck to sacrum 1.2 to 1.4."""
STEP_LOG_SD = 0.16
"""Scatter of the log of such a distance, of levels, discs and collapsed bodies together."""
ASIDE_SD = 0.30
"""Body heights that a centre may lie beside its neighbour, a step apart, where the strip's course is wrong."""
SIZE_LOG_SD = 0.28
"""Scatter of the log of two neighbours' heights, a collapsed one beside a sound one included."""
COLLAPSED = 2.0
"""More than so many standard deviations (squared) no size costs: a collapsed body is what is looked for."""
MISSED_MAX = 4
"""More bodies than this without a detection between them part the column."""
MISSED_COST = 0.35
"""What each body without a detection costs, in detections of score 1."""
BELIEVED = 0.35
"""A detection of this score neither strengthens a chain nor weakens it."""
_COST = 0.08
"""What one standard deviation (squared) of distance, side or size costs, in detections of score 1."""


def column_run(centres: Float, heights: Float, scores: Float) -> tuple[NDArray[np.intp], float]:
    """Indices of the detections that make the column, superior first, empty for none; and what speaks for it.

    centres: (n, 2) course coordinates (u, v) in local body heights, sorted by u. heights: (n,) in the same unit, > 0.
    scores: (n,) 0..1. The chain of the highest total of scores above BELIEVED, less what its steps cost;
    that total is what speaks for it.
    """
    total = np.asarray(scores, dtype=np.float64) - BELIEVED
    best, before = total.copy(), np.full(len(total), -1, dtype=np.intp)
    for i in range(1, len(total)):
        cost = _step_cost(centres[:i], heights[:i], centres[i], float(heights[i]))
        options = best[:i] - cost
        chosen = int(options.argmax())
        if options[chosen] > 0.0:
            best[i] += options[chosen]
            before[i] = chosen
    run: list[int] = []
    if len(total) and best.max() > 0.0:
        at = int(best.argmax())
        while at >= 0:
            run.append(at)
            at = int(before[at])
    return np.array(run[::-1], dtype=np.intp), max(float(best.max(initial=0.0)), 0.0)


def _step_cost(centres: Float, heights: Float, centre: Float, height: float) -> Float:
    """(n,) cost of the step from each earlier detection to this one; inf where none can follow it."""
    size = np.sqrt(heights * height)
    ratio = np.maximum(np.linalg.norm(centre - centres, axis=1) / size, 1e-6) / STEP_BODY_HEIGHTS
    steps = np.maximum(np.rint(ratio), 1.0)
    aside = np.abs(centre[1] - centres[:, 1]) / size
    deviations = (
        (np.log(ratio / steps) * np.sqrt(steps) / STEP_LOG_SD) ** 2
        + (aside / (ASIDE_SD * steps)) ** 2
        + np.minimum((np.log(height / heights) / SIZE_LOG_SD) ** 2, COLLAPSED)
    )
    cost = _COST * deviations + MISSED_COST * (steps - 1.0)
    return np.where(steps <= MISSED_MAX + 1.0, cost, np.inf)
