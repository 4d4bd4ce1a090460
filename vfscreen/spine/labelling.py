"""Name the vertebrae: the whole column at once, so that levels are always consecutive.

Belongs here: joining what the networks say of levels with what is known of columns (priors). Does not belong here: the
networks (models), what a level means for a height (morphometry).

A hidden Markov chain down the column. States are the levels and the sacrum; a step goes to the anatomical neighbour
(T13, L6, an absent T12 or L5 at their rarity) or past vertebrae the detector missed, and must fit the distance between
the two bodies for the patient's size, which is unknown and summed over. Forward-backward gives the posterior of each
level, Viterbi the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from vfscreen.schema.names import LEVELS
from vfscreen.spine.landmarks import (
    RibReading,
    clear_landmarks,
    kind_evidence,
    sacrum_end_evidence,
    sacrum_step_evidence,
)
from vfscreen.spine.priors import (
    CT_MISSES,
    P_SACRUM_DETECTED,
    SACRUM,
    STATES,
    Misses,
    first_level_log_prior,
    patient_size_log_sd,
    sacrum_top_distance_mm,
    steps,
)

Float = NDArray[np.float64]

GAP_LOG_SD = 0.08
"""Scatter of a distance about the expected one: 0.037 between expert centroids (VID), and detected centres, collapsed
bodies and scoliosis come on top."""
_GAP_OUTLIER = 0.02 * 0.5
"""Density of a distance that follows no rule (VID: 1.6 % beyond 4 sd), over about two units of log distance."""
EVIDENCE_FLOOR = 0.25
"""Share of a network's vote that is taken to be noise: however sure the votes of a column are, they do not outweigh
two landmarks that contradict them. Log loss hardly depends on it (0.02 to 0.25: within 0.004)."""
EVIDENCE_VERTEBRAE = 1.5
"""Votes of one network on one column err together (the same ribs are missed for all): a column counts as at most this
many independent votes. Chosen on 60 synthetic patients that no network was trained on: log loss is least between 1.5
and 2, labels wrong at more than 0.9 fewest at 1.5."""
SACRUM_TOP_SD_MM = 8.0
_SACRUM_TOP_WRONG = 0.02
SACRUM_MIN_MM = 15.0
"""The sacrum is seen where at least this much of the column's lower end is called sacrum."""
UNDECIDED_BELOW = 0.12
"""A level less probable than this is no label (three equally likely numberings give 0.33)."""

_SIZES = np.linspace(-3.0, 3.0, 13)


@dataclass(frozen=True, eq=False)
class SizePrior:
    """What is known of a column's size before its vertebrae are named.

    log_size: (k,) candidates for the logarithm of its distances over the typical patient's (level_spacing.yaml, mm).
    log_prior: (k,) of each, up to a constant.
    """

    log_size: Float
    log_prior: Float


def patient_sizes() -> SizePrior:
    """Where distances are in mm: how patients differ."""
    return SizePrior(_SIZES * patient_size_log_sd(), -0.5 * _SIZES**2)


@dataclass(frozen=True, eq=False)
class EndEvidence:
    """What the column's ends say where no rib and no sacrum is read: (len(STATES),) log-likelihoods of the level of the
    first and of the last detection."""

    first: Float
    last: Float


@dataclass(frozen=True, eq=False)
class LabelledColumn:
    """Labels of n detections, from superior to inferior.

    levels: STATES names ("S" for a sacrum detected as vertebra), None where nothing could be decided.
    probabilities: (n,) posterior of each label. posterior: (n, len(STATES)).
    landmarks: what in view fixes the numbering: any of "C7-T1", "T12-L1", "S" (see spine.landmarks); without a rib
    reader "S" at most. log_evidence: how well the column's story as a whole fits, to compare stories of one column.
    first: index of the first detection that is a vertebra; those before it are none (on films).
    """

    levels: tuple[str | None, ...]
    probabilities: Float
    posterior: Float
    landmarks: tuple[str, ...]
    log_evidence: float = 0.0
    first: int = 0


def label_column(
    centres_lps_mm: Float,
    level_scores: Float,
    wide_log_likelihood: Float | None = None,
    sacrum_top_mm: float | None = None,
    ribs: RibReading | None = None,
    sizes: SizePrior | None = None,
    ends: EndEvidence | None = None,
    misses: Misses = CT_MISSES,
) -> LabelledColumn:
    """Label a column.

    centres_lps_mm: (n, 3) body centres from superior to inferior; with `sizes` of any length unit, since only distances
    count. level_scores: (n, len(LEVELS)) log-likelihoods from
    the detector, comparable within a row. wide_log_likelihood: (n, len(STATES)) the same from the wide view (ribs,
    pelvis) at each body, or None. sacrum_top_mm: how far below the lowest centre that is not sacrum the sacrum begins,
    where seen. ribs: what the bones around each vertebra say, from a release that has a rib reader. sizes:
    by default `patient_sizes`. ends: what is known of the column's ends; a sacrum may be among the detections then.
    misses: how often the detector leaves vertebrae out.
    """
    centres = np.asarray(centres_lps_mm, dtype=np.float64).reshape(-1, 3)
    n = len(centres)
    if n == 0:
        return LabelledColumn((), np.zeros(0), np.zeros((0, len(STATES))), ())
    emission = _emission(np.asarray(level_scores, dtype=np.float64), wide_log_likelihood)
    emission[:, SACRUM] += np.log(P_SACRUM_DETECTED)
    gaps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    size = patient_sizes() if sizes is None else sizes
    moves = _transitions(gaps, size.log_size, misses)
    last = _last_terms(sacrum_top_mm, size.log_size)
    if ends is not None:
        emission[0] += ends.first
        last = last + ends.last
    if ribs is not None:
        emission = emission + kind_evidence(ribs)
        moves = moves + sacrum_step_evidence(ribs)[None, :, None, :]
        last = last + sacrum_end_evidence(ribs)
    elif wide_log_likelihood is None and ends is None:
        emission[:, SACRUM] = -np.inf  # nobody has a word for it
    evidence, marginals = _forward_backward(emission, moves, last)
    paths, scores = _viterbi(emission, moves, last)
    evidence = evidence + size.log_prior
    total = float(logsumexp(evidence))
    weight = np.exp(evidence - total)
    posterior = np.einsum("s,snk->nk", weight, marginals)
    path = paths[int(np.argmax(scores + size.log_prior))]
    probabilities = np.clip(posterior[np.arange(n), path], 0.0, 1.0)
    levels = tuple(
        STATES[state] if p >= UNDECIDED_BELOW else None for state, p in zip(path, probabilities, strict=True)
    )
    if ribs is not None:
        return LabelledColumn(levels, probabilities, posterior, clear_landmarks(levels, ribs), total)
    sacrum_seen = sacrum_top_mm is not None or "S" in levels
    return LabelledColumn(levels, probabilities, posterior, ("S",) if sacrum_seen else (), total)


def wide_view_at(
    centres_s_mm: Float, candidates_s_mm: Float, level_log_likelihood: Float, reach_mm: float = 6.0
) -> Float:
    """What a locator says at each body: its rows within `reach_mm` averaged, the nearest one where none is.

    centres_s_mm: (n,) and candidates_s_mm: (M,) arc lengths along the centreline. level_log_likelihood: (M, K). -> (n,
    K).
    """
    votes = log_softmax(np.asarray(level_log_likelihood, dtype=np.float64), axis=1)
    distance = np.abs(np.asarray(centres_s_mm)[:, None] - np.asarray(candidates_s_mm)[None, :])
    near = distance <= np.maximum(reach_mm, distance.min(axis=1, keepdims=True))
    return np.asarray((near @ votes) / near.sum(axis=1, keepdims=True))


def sacrum_top_s_mm(candidates_s_mm: Float, level_log_likelihood: Float) -> float | None:
    """Arc length at which the sacrum begins, None where it is not in view.

    candidates_s_mm: (M,) arc lengths, ascending. level_log_likelihood: (M, len(STATES)).
    """
    s = np.asarray(candidates_s_mm, dtype=np.float64)
    if s.size < 2:
        return None
    votes = log_softmax(np.asarray(level_log_likelihood, dtype=np.float64), axis=1)
    is_sacrum = votes[:, SACRUM] > np.log(0.5)
    # the cut that leaves most sacrum below it and least above
    below = np.concatenate([np.cumsum(np.where(is_sacrum, 1, -1)[::-1])[::-1], [0]])
    cut = int(np.argmax(below))
    if below[cut] <= 0 or s[-1] - s[cut] < SACRUM_MIN_MM:
        return None
    return float(s[cut])


def _emission(level_scores: Float, wide: Float | None) -> Float:
    """Joined log-likelihoods (n, len(STATES))."""
    n = len(level_scores)
    share = min(1.0, EVIDENCE_VERTEBRAE / n)
    local = _variants_like_neighbours(_floored(level_scores))
    # the detector has no word for the sacrum and calls it a low lumbar level: no evidence between those
    lumbar = local[:, LEVELS.index("L5") :].max(axis=1, keepdims=True)
    emission = share * np.concatenate([local, lumbar], axis=1)
    if wide is None:
        return emission
    return np.asarray(emission + share * _variants_like_neighbours(_floored(np.asarray(wide, dtype=np.float64))))


def _variants_like_neighbours(votes: Float) -> Float:
    """(n, K) votes in which a T13 is as likely as its neighbours, an L6 as an L5.

    Networks saw such vertebrae on synthetic patients only; what tells them is the count between the landmarks.
    """
    votes = votes.copy()
    for variant, alike in (("T13", ("T12", "L1")), ("L6", ("L5",))):
        columns = [LEVELS.index(level) for level in (variant, *alike)]
        votes[:, columns[0]] = votes[:, columns].max(axis=1)
    return votes


def _floored(votes: Float) -> Float:
    p = np.exp(log_softmax(votes, axis=1))
    return np.asarray(np.log((1.0 - EVIDENCE_FLOOR) * p + EVIDENCE_FLOOR / votes.shape[1]))


@cache
def _step_arrays(misses: Misses) -> tuple[Float, Float, NDArray[np.intp], NDArray[np.intp]]:
    """Of N ways down, those that join the same pair of states together: log prior (N,), log distance (N,), where each
    pair's ways begin (pairs,), and the pair as an index into the flattened K x K table (pairs,)."""
    every = sorted(steps(misses), key=lambda s: (s.upper, s.lower))
    pair = np.array([s.upper * len(STATES) + s.lower for s in every])
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    return np.array([s.log_prior for s in every]), np.log([s.distance_mm for s in every]), first, pair[first]


def _transitions(gaps_mm: Float, log_sizes: Float, misses: Misses) -> Float:
    """(sizes, gaps, K, K) log probability of a step between states, times the density of its distance."""
    log_prior, log_distance, first, pair = _step_arrays(misses)
    seen = np.log(np.maximum(gaps_mm, 1.0))
    deviation = (seen[None, :, None] - log_distance - log_sizes[:, None, None]) / GAP_LOG_SD
    density = np.exp(-0.5 * deviation**2) / (GAP_LOG_SD * np.sqrt(2 * np.pi)) + _GAP_OUTLIER
    table = np.full((len(log_sizes), len(gaps_mm), len(STATES) ** 2), -np.inf)  # steps that do not exist
    table[:, :, pair] = np.log(np.add.reduceat(np.exp(log_prior) * density, first, axis=2))
    return table.reshape(len(log_sizes), len(gaps_mm), len(STATES), len(STATES))


def _last_terms(sacrum_top_mm: float | None, log_sizes: Float) -> Float:
    """(sizes, K) how well a sacrum that begins so far below the lowest vertebra fits its level."""
    terms = np.zeros((len(log_sizes), len(STATES)))
    if sacrum_top_mm is None:
        return terms
    expected = sacrum_top_distance_mm()[:SACRUM] * np.exp(log_sizes)[:, None]
    sd = SACRUM_TOP_SD_MM + GAP_LOG_SD * expected
    # the L5 -> sacrum distance holds for an L6, or a last L4, too; those columns are the rare ones
    terms[:, :SACRUM] = np.logaddexp(-0.5 * ((sacrum_top_mm - expected) / sd) ** 2, np.log(_SACRUM_TOP_WRONG))
    return terms


def _forward_backward(emission: Float, moves: Float, last: Float) -> tuple[Float, Float]:
    """emission (n, K), moves (sizes, n - 1, K, K), last (sizes, K) -> evidence (sizes,), marginals (sizes, n, K)."""
    n, states = emission.shape
    forward = np.empty((len(moves), n, states))
    backward = np.empty_like(forward)
    forward[:, 0] = first_level_log_prior() + emission[0]
    for i in range(1, n):
        forward[:, i] = emission[i] + logsumexp(forward[:, i - 1, :, None] + moves[:, i - 1], axis=1)
    backward[:, -1] = last
    for i in range(n - 2, -1, -1):
        backward[:, i] = logsumexp(moves[:, i] + (emission[i + 1] + backward[:, i + 1])[:, None, :], axis=2)
    total = np.asarray(logsumexp(forward[:, -1] + last, axis=1))
    return total, np.asarray(np.exp(forward + backward - total[:, None, None]))


def _viterbi(emission: Float, moves: Float, last: Float) -> tuple[NDArray[np.intp], Float]:
    """Arguments as _forward_backward -> best paths (sizes, n) and their log probabilities (sizes,)."""
    sizes, n = np.arange(len(moves)), len(emission)
    best = np.broadcast_to(first_level_log_prior() + emission[0], last.shape)
    origin = np.zeros((len(moves), n, emission.shape[1]), dtype=np.intp)
    for i in range(1, n):
        options = best[:, :, None] + moves[:, i - 1]
        origin[:, i] = options.argmax(axis=1)
        best = emission[i] + options.max(axis=1)
    best = best + last
    paths = np.zeros((len(moves), n), dtype=np.intp)
    paths[:, -1] = best.argmax(axis=1)
    for i in range(n - 1, 0, -1):
        paths[:, i - 1] = origin[sizes, i, paths[:, i]]
    return paths, best.max(axis=1)
