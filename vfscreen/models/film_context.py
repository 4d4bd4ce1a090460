"""Detections in the context of their column: a faint body where the column calls for one is no chance.

Belongs here: raising scores by what stands above and below. Does not belong here: the network's output
(models.vertebra), levels (spine).

Behind shoulders, iliac crests or metal a body is seen faintly; but bodies follow one another at even distances, so that
a faint one in a gap, or next after the last, is likelier than its own picture says.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vfscreen.models.ports import Detection
from vfscreen.schema.names import LEVELS

Float = NDArray[np.float64]

USUAL_PITCH = 1.25
"""Body heights from one centre to the next where too few bodies are seen to tell."""
_EVEN = (0.72, 1.36)
"""Of the expected distance: what a next body may be off by."""
_CLIP = 1e-4
_LUMBAR = float(LEVELS.index("L2"))
"""From here down the names that the network gives tell a vertebra from what is none."""


@dataclass(frozen=True)
class ContextParameters:
    """Part of `decode` of the card.

    sure: score from which a detection stands on its own. gap_odds, above_odds, below_odds: log-odds that a place in a
    gap, above the first or below the last sure body adds. beyond_odds: those that what follows a lumbar body without
    being named further down the spine loses, and all below it: the sacrum and the pelvis are no vertebrae. It must be
    named further by name_share of the distance, but for name_slack levels.
    """

    sure: float = 0.5
    gap_odds: float = 2.2
    above_odds: float = 0.8
    below_odds: float = 0.9
    beyond_odds: float = -3.0
    name_share: float = 0.4
    name_slack: float = 0.8


def in_context(
    detections: Sequence[Detection], pixels_a_body_height: float, parameters: ContextParameters
) -> list[Detection]:
    """The same detections, superior first: those that the column calls for with a raised score, those beyond its end
    with a lowered one."""
    ordered = sorted(detections, key=lambda d: float(d.centre[0]))
    stands = [d.score >= parameters.sure for d in ordered]
    if not any(stands):
        return ordered
    rows = np.array([float(d.centre[0]) for d in ordered])
    scores = [d.score for d in ordered]
    pitch = _pitch(rows[stands], pixels_a_body_height)

    def raise_to(i: int, odds: float) -> bool:
        raised = _raised(ordered[i].score, odds)
        scores[i] = max(scores[i], raised)
        stands[i] = stands[i] or raised >= parameters.sure
        return raised >= parameters.sure

    named = [_expected_level(d) for d in ordered]

    def goes_on(upper: int, lower: int) -> bool:
        distance = (rows[lower] - rows[upper]) / pitch
        further = named[lower] - named[upper]
        return named[upper] < _LUMBAR or further >= parameters.name_share * distance - parameters.name_slack

    known = [i for i, s in enumerate(stands) if s]
    breaks = [n + 1 for n, pair in enumerate(itertools.pairwise(known)) if not goes_on(*pair)]
    runs = [known[a:b] for a, b in itertools.pairwise([0, *breaks, len(known)])]
    spine = max(range(len(runs)), key=lambda n: sum(scores[i] for i in runs[n]))
    if spine + 1 < len(runs):
        for i in range(runs[spine + 1][0], len(ordered)):
            scores[i], stands[i] = _raised(scores[i], parameters.beyond_odds), False
    known = [i for run in runs[: spine + 1] for i in run]
    for upper, lower in itertools.pairwise(known):
        for i in _called_for(rows, scores, upper, lower, pitch):
            raise_to(i, parameters.gap_odds)
    for last, step, odds in ((known[0], -1, parameters.above_odds), (known[-1], 1, parameters.below_odds)):
        at = last
        while (following := _next(rows, scores, at, step, pitch)) is not None:
            if not goes_on(*sorted((at, following))) or not raise_to(following, odds):
                break
            at = following
    return [replace(d, score=float(s)) for d, s in zip(ordered, scores, strict=True)]


def _expected_level(detection: Detection) -> float:
    """Index in LEVELS of the level by the network's own votes, their median: a stray vote far off moves it little."""
    votes = np.exp(detection.level_scores - detection.level_scores.max())
    share = np.cumsum(votes) / votes.sum()
    at = int(np.searchsorted(share, 0.5))
    before = share[at - 1] if at else 0.0
    return float(at - 0.5 + (0.5 - before) / max(share[at] - before, _CLIP))


def _pitch(rows: Float, pixels_a_body_height: float) -> float:
    """Distance between neighbours: the median of those that can be neighbours."""
    gaps = np.diff(rows) / pixels_a_body_height
    near = gaps[(gaps > _EVEN[0] * USUAL_PITCH) & (gaps < _EVEN[1] * USUAL_PITCH)]
    return float((np.median(near) if near.size >= 3 else USUAL_PITCH) * pixels_a_body_height)


def _called_for(rows: Float, scores: list[float], upper: int, lower: int, pitch: float) -> list[int]:
    """Which detections between two fill the gap evenly: for each place that is free the best of those near it."""
    gap = rows[lower] - rows[upper]
    missing = round(gap / pitch) - 1
    if missing < 1:
        return []
    spacing = gap / (missing + 1)
    chosen = []
    for n in range(1, missing + 1):
        place = rows[upper] + n * spacing
        near = [i for i in range(upper + 1, lower) if abs(rows[i] - place) < 0.36 * spacing]
        if near:
            chosen.append(max(near, key=lambda i: scores[i]))
    return chosen


def _next(rows: Float, scores: list[float], at: int, step: int, pitch: float) -> int | None:
    """The best detection a usual distance beyond the one `at`."""
    away = (rows - rows[at]) * step / pitch
    near = [i for i in range(len(rows)) if _EVEN[0] < away[i] < _EVEN[1]]
    return max(near, key=lambda i: scores[i]) if near else None


def _raised(score: float, odds: float) -> float:
    p = min(max(score, _CLIP), 1.0 - _CLIP)
    return float(1.0 / (1.0 + (1.0 - p) / p * np.exp(-odds)))
