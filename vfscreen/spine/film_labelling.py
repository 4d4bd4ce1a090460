"""Name the vertebrae of a film: the column's labelling, with what a film knows of its scale and of its column's ends.

Belongs here: how a film's pixels, its edges and its spacing become evidence for `labelling`. Does not belong here: the
labelling itself, or finding vertebrae (models).

A film has no millimetres of the patient and often no rib or sacrum that a network reads. What is left is the detector's
own vote at each vertebra, the proportions of the distances between them, and where the column stops though the picture
goes on: below the last lumbar vertebra lies the sacrum, above C2 nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from vfscreen.schema.names import LEVELS
from vfscreen.spine.labelling import EndEvidence, LabelledColumn, SizePrior, label_column
from vfscreen.spine.priors import SACRUM, STATES, Misses, neighbour_steps, patient_size_log_sd

Float = NDArray[np.float64]

MAGNIFICATION = 1.2
MAGNIFICATION_LOG_SD = 0.1
"""A film's spacing on the detector over that in the patient: the source stands 1 to 3 m away, the spine 15 to 35 cm in
front of the detector, which makes 1.05 to 1.5. Working values of ours, wide on purpose."""

END_SEEN_BODY_HEIGHTS = 2.0
"""So much picture beyond a last centre would hold the whole of one more vertebra (its centre is 1.3 body heights away):
the column ends there, or the detector missed one."""

_LAST = {"L5": 0.66, "L6": 0.02, "S": 0.14, "L4": 0.10, "L3": 0.02}
_FIRST = {"C2": 0.25, "C3": 0.03}
"""Levels of the last and of the first detection where the picture goes on: the detector takes a first sacral body for a
vertebra, or misses an L5 between the iliac crests. Shoulders hide the upper thoracic spine, so that most columns end
there, and little is said of the first. The rest is spread over all levels. Working values; the sacrum's was raised
after three of twenty unlabelled films showed one taken for an L5: an end in view alone makes no level certain."""

FILM_MISSES = Misses(first=0.06, further=0.6, longest=8)
"""What hides one vertebra on a film (a shoulder, a diaphragm, an implant) hides its neighbours: runs of missed ones are
no rarity. Working values."""

_NO_ATLAS = np.where(np.array(STATES) == "C1", np.log(1e-4), 0.0)
"""The atlas has no body: what looks like one above C2 is none, and a column that would begin there skipped a vertebra
further down."""

NECK_IN_VIEW = 16
_NECK_RARE = np.where([state.startswith("C") for state in STATES], np.log(0.05), 0.0)
"""Films of the thoracic or lumbar spine seldom begin in the neck; those of so many vertebrae do. Without it, votes that
say little let short lumbar columns pass for cervical ones, which are not graded."""

BOTH_ENDS = ("C2", "S")
"""Landmarks between which vertebrae can be counted. One end is not enough: of fourteen real films the last detection
was the L5 on ten, else an L4 or the sacrum, each time with votes to match."""

HEAD_MAX = 6
WHOLE_COLUMN = 21
_HEAD_SHARE = 0.25
_HEAD_LOG_LIKELIHOOD = float(np.log(0.5))
"""Where so many vertebrae are found as a column has from C4 down, the first may lie on the skull: how many at most, how
often one does, and the density of its distance to the next (any, over two units of log distance). Working values."""

_LOG_STEP = 0.07
"""Sizes are tried in steps finer than the scatter of one distance (labelling.GAP_LOG_SD)."""


def label_film_column(
    centres_px: Float,
    level_scores: Float,
    visible: tuple[float, float],
    mm_a_px: float | None = None,
    calibrated: bool = False,
) -> LabelledColumn:
    """Label a column.

    centres_px: (n, 2) body centres, superior first. level_scores: (n, len(LEVELS)) log-likelihoods, comparable within a
    row. visible: body heights of picture above the first centre and below the last, along the column. mm_a_px:
    millimetres a pixel of `centres_px`; of the patient where `calibrated`, else of the detector; None without.

    `landmarks` of the result: "S" where the column was seen to end in the lumbar spine, "C2" where in the neck.
    `first`: detections before it lie on the head; they have no level and are no vertebrae.
    """
    centres = np.asarray(centres_px, dtype=np.float64).reshape(-1, 2)
    n = len(centres)
    if n == 0:
        return label_column(np.zeros((0, 3)), level_scores)
    above, below = (v >= END_SEEN_BODY_HEIGHTS for v in visible)
    sizes = film_sizes(centres, mm_a_px, calibrated)
    stories = []
    for head in range(min(HEAD_MAX, n - NECK_IN_VIEW) + 1 if n >= WHOLE_COLUMN else 1):
        column = _label(centres[head:], level_scores[head:], above or head > 0, below, sizes)
        log_prior = head * (np.log(_HEAD_SHARE) + _HEAD_LOG_LIKELIHOOD) + np.log(1.0 - _HEAD_SHARE)
        stories.append((column.log_evidence + log_prior, head, column))
    weights = np.exp([w for w, _, _ in stories] - logsumexp([w for w, _, _ in stories]))
    _, head, best = stories[int(np.argmax(weights))]
    posterior = np.zeros((n, len(STATES)))
    for weight, (_, skipped, column) in zip(weights, stories, strict=True):
        posterior[skipped:] += weight * column.posterior
    levels = (None,) * head + best.levels
    probabilities = np.array([0.0 if v is None else posterior[i, STATES.index(v)] for i, v in enumerate(levels)])
    landmarks = ("C2",) * ((above or head > 0) and levels[head] in _FIRST)
    landmarks += ("S",) * ("S" in levels or (below and levels[-1] in ("L5", "L6")))
    return LabelledColumn(levels, np.clip(probabilities, 0.0, 1.0), posterior, landmarks, best.log_evidence, head)


def is_counted(column: LabelledColumn) -> bool:
    """Was the column seen from neck to sacrum without a vertebra missed between, and with the usual number of them?"""
    named = [level for level in column.levels[column.first :] if level != "S"]
    usual = [level for level in LEVELS if level not in ("T13", "L6")]
    if not named or named[0] not in usual or set(BOTH_ENDS) - set(column.landmarks):
        return False
    first = usual.index(named[0])
    return named == usual[first : first + len(named)]


def _label(centres: Float, level_scores: Float, above: bool, below: bool, sizes: SizePrior) -> LabelledColumn:
    """The column whose first detection is a vertebra. above, below: is the picture seen to go on beyond its ends?"""
    silent = np.zeros(len(STATES))
    first = (_end(_FIRST) if above else silent) + _NO_ATLAS + (_NECK_RARE if len(centres) < NECK_IN_VIEW else 0.0)
    ends = EndEvidence(first, _end(_LAST) if below else silent)
    flat = np.concatenate([centres, np.zeros((len(centres), 1))], axis=1)
    return label_column(flat, level_scores, sizes=sizes, ends=ends, misses=FILM_MISSES)


def film_sizes(centres_px: Float, mm_a_px: float | None, calibrated: bool) -> SizePrior:
    """How many pixels the typical patient's millimetre may be on this film. Without any spacing, whatever lets the
    distances seen be those of some pair of neighbours, all alike."""
    if mm_a_px is not None:
        sd = patient_size_log_sd() if calibrated else float(np.hypot(patient_size_log_sd(), MAGNIFICATION_LOG_SD))
        centre = -np.log(mm_a_px) + (0.0 if calibrated else np.log(MAGNIFICATION))
        deviations = np.linspace(-3.0, 3.0, max(13, int(np.ceil(6.0 * sd / _LOG_STEP))))
        return SizePrior(centre + deviations * sd, -0.5 * deviations**2)
    distances = [step.distance_mm for step in neighbour_steps()]
    gaps = np.linalg.norm(np.diff(centres_px, axis=0), axis=1)
    gap = float(np.median(gaps)) if len(gaps) else float(np.median(distances))
    low, high = np.log(gap / max(distances)) - 0.1, np.log(gap / min(distances)) + 0.1
    log_size = np.linspace(low, high, int(np.ceil((high - low) / _LOG_STEP)) + 1)
    return SizePrior(log_size, np.zeros_like(log_size))


def _end(shares: dict[str, float]) -> Float:
    """(len(STATES),) log-likelihood: the named shares, the rest of 1 spread over every vertebra level."""
    likelihood = np.full(len(STATES), (1.0 - sum(shares.values())) / SACRUM)
    likelihood[SACRUM] = 1e-6
    for level, share in shares.items():
        likelihood[STATES.index(level)] += share
    return np.asarray(np.log(likelihood))
