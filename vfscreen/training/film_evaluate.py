"""Measure the film networks through the whole film chain: what was found, how far its points are off, what it grades.

Belongs here: matching a screened film with what is known of it, the numbers with their intervals. Does not belong here:
reading files (film_readings, film_cases), printing (film_commands).

Intervals are 95 % percentile bootstrap over films: vertebrae of a film err together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.matching import match_points
from vfscreen.morphometry.genant import BORDERS, MODERATE_LOSS
from vfscreen.schema.names import LEVELS
from vfscreen.screening.film_result import FilmVertebra
from vfscreen.training.film_readings import KEYPOINT_OF_CORNER
from vfscreen.training.vertebra_evaluate import Number, auc

Float = NDArray[np.float64]

MEASURED_LEVELS = LEVELS[LEVELS.index("T4") : LEVELS.index("L5") + 1]
MATCH_HEIGHTS = 0.5
"""A body is found where a centre is reported within this share of its film's median body height."""
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class KnownBody:
    """What is known of one body. corners_px: (4, 2) anterior superior, anterior inferior, posterior superior, posterior
    inferior; NaN where not. measured: counts for recall and distances. loss: true raw height loss, NaN if not known."""

    level: str
    corners_px: Float
    measured: bool
    loss: float = np.nan

    @property
    def heights_px(self) -> Float:
        """(2,) anterior, posterior."""
        return np.asarray(np.linalg.norm(self.corners_px[0::2] - self.corners_px[1::2], axis=1))


@dataclass(frozen=True, eq=False)
class FilmComparison:
    """One film: the measured bodies, each with what the chain reports there (None: missed), and false reports."""

    film: str
    bodies: tuple[tuple[KnownBody, FilmVertebra | None], ...]
    false: tuple[FilmVertebra, ...]


def compare_film(film: str, known: Sequence[KnownBody], vertebrae: Sequence[FilmVertebra]) -> FilmComparison:
    """Match reported vertebrae (cut ones apart) with known bodies, each once, nearest overall.

    A report of a thoracic or lumbar body, or of one without a level, is false where none lies: on nothing, on the
    sacrum, on a cervical body. Reports beyond the known bodies of a film that says nothing of what lies there must be
    taken out by the caller.
    """
    reported = [v for v in vertebrae if v.keypoints_px is not None]
    centres = np.array([np.nanmean(b.corners_px, axis=0) for b in known]).reshape(-1, 2)
    size = float(np.nanmedian([b.heights_px for b in known]))
    # the six points' mean and that of the corners are the same place but for the sag of the endplates
    places = np.array([reported_corners_px(v).mean(axis=0) for v in reported]).reshape(-1, 2)
    pairs = match_points(_flat(centres / size), _flat(places / size), MATCH_HEIGHTS)
    bodies = [(b, reported[pairs[i]] if i in pairs else None) for i, b in enumerate(known) if b.measured]
    on_body = {pairs[i]: known[i].level for i in pairs}
    false = [
        v
        for j, v in enumerate(reported)
        if (v.vertebra_level or "T")[0] in "TL" and (j not in on_body or on_body[j][0] in "CS")
    ]
    return FilmComparison(film, tuple(bodies), tuple(false))


def detection_numbers(films: Sequence[FilmComparison]) -> list[Number]:
    """Recall, precision, levels."""
    found = [[float(v is not None) for _, v in f.bodies] for f in films]
    precise = [[1.0] * sum(v is not None for _, v in f.bodies) + [0.0] * len(f.false) for f in films]
    right = [[float(v.vertebra_level == b.level) for b, v in f.bodies if v is not None] for f in films]
    certain = [
        [float(v.vertebra_level == b.level) for b, v in f.bodies if v is not None and v.level_certain] for f in films
    ]
    return [
        _number("vertebrae found (recall)", found, np.mean, ""),
        _number("reports that are vertebrae (precision)", precise, np.mean, ""),
        _number("levels right, of those found", right, np.mean, ""),
        _number("levels right, of those stated certain", certain, np.mean, ""),
    ]


def point_numbers(films: Sequence[FilmComparison]) -> list[Number]:
    """Corners and heights."""
    shares, ratios, heights, covered = [], [], [], []
    for film in films:
        pairs = [(b, v) for b, v in film.bodies if v is not None]
        distance = [corner_distances_px(b, v) / b.heights_px.mean() for b, v in pairs]
        shares.append([float(d) for row in distance for d in row])
        ratios.append([abs(_ratio(reported_heights_px(v)) - _ratio(b.heights_px)) for b, v in pairs])
        heights.append([float(e) for b, v in pairs for e in abs(reported_heights_px(v) / b.heights_px - 1.0)])
        covered.append([float(z <= 2.448) for b, v in pairs for z in _rayleigh(b, v)])
    return [
        _number("corner distance, share of the body's height, median", shares, np.median, ""),
        _number("corner distance, share of the body's height, 95th percentile", shares, _p95, ""),
        _number("anterior / posterior height ratio, mean absolute error", ratios, np.mean, ""),
        _number("heights, mean absolute relative error", heights, np.mean, ""),
        _number("corners within their 95 % region", covered, np.mean, ""),
    ]


def grade_numbers(films: Sequence[FilmComparison]) -> list[Number]:
    """Grade >= 2 by the raw index against the true loss, vertebra by vertebra and film by film."""
    judged = [
        [(b.loss >= MODERATE_LOSS, v) for b, v in f.bodies if v is not None and np.isfinite(b.loss)] for f in films
    ]
    by_probability = [[(v.grade2_probability or 0.0, float(y)) for y, v in f] for f in judged]
    by_loss = [[(v.height_loss_ratio_raw or 0.0, float(y)) for y, v in f] for f in judged]
    patients = [
        [(max(v.grade2_probability or 0.0 for _, v in f), float(any(y for y, _ in f)))] if f else [] for f in judged
    ]
    called = [[(float((v.genant_grade_raw or 0) >= 2), y) for y, v in f] for f in judged]
    headline = [[(float((v.genant_grade or 0) >= 2), y) for y, v in f] for f in judged]
    return [
        _number("ROC AUC of P(grade >= 2), vertebrae", by_probability, _auc, ""),
        _number("ROC AUC of the raw loss, vertebrae", by_loss, _auc, ""),
        _number("ROC AUC of the highest P(grade >= 2), films", patients, _auc, ""),
        _number("sensitivity, grade >= 2 (raw)", [[c for c, y in f if y] for f in called], np.mean, ""),
        _number("specificity, grade >= 2 (raw)", [[1 - c for c, y in f if not y] for f in called], np.mean, ""),
        _number("sensitivity, grade >= 2 (adjusted)", [[c for c, y in f if y] for f in headline], np.mean, ""),
        _number("specificity, grade >= 2 (adjusted)", [[1 - c for c, y in f if not y] for f in headline], np.mean, ""),
    ]


def stated_and_true(films: Sequence[FilmComparison]) -> tuple[Float, Float]:
    """P(grade >= 1..3) that the chain states of every graded vertebra of known loss, and whether it is so by the raw
    index: two arrays (n, 3)."""
    graded = [
        (b.loss, (v.fracture_probability, v.grade2_probability, v.grade3_probability))
        for f in films
        for b, v in f.bodies
        if v is not None and v.grade2_probability is not None and np.isfinite(b.loss)
    ]
    loss = np.array([n for n, _ in graded]).reshape(-1, 1)
    stated = np.array([p for _, p in graded], dtype=np.float64).reshape(-1, 3)
    return stated, (loss >= np.array(BORDERS)).astype(np.float64)


def corner_distances_px(body: KnownBody, reported: FilmVertebra) -> Float:
    """(4,)."""
    return np.asarray(np.linalg.norm(reported_corners_px(reported) - body.corners_px, axis=1), dtype=np.float64)


def reported_corners_px(reported: FilmVertebra) -> Float:
    """(4, 2). Only of a vertebra that is not cut."""
    assert reported.keypoints_px is not None
    return reported.keypoints_px[list(KEYPOINT_OF_CORNER)]


def reported_heights_px(reported: FilmVertebra) -> Float:
    """(2,) anterior, posterior."""
    assert reported.heights_px is not None
    return np.asarray(reported.heights_px[[0, 2]])


def _flat(points: Float) -> Float:
    return np.concatenate([points, np.zeros((len(points), 1))], axis=1)


def _ratio(heights: Float) -> float:
    return float(heights[0] / heights[1])


def _rayleigh(body: KnownBody, reported: FilmVertebra) -> Float:
    """(4,) distances over their standard deviation in one direction."""
    assert reported.keypoint_sd_px is not None
    return corner_distances_px(body, reported) / reported.keypoint_sd_px[list(KEYPOINT_OF_CORNER)]


def _p95(values: Float) -> float:
    return float(np.percentile(values, 95))


def _auc(pairs: Float) -> float:
    return auc(pairs)


def _number(name: str, by_film: Sequence[Sequence[object]], statistic: Callable[[Float], float], unit: str) -> Number:
    """The statistic of all films' items, and its interval over films."""
    films = [np.asarray(f, dtype=np.float64) for f in by_film if len(f)]
    if not films:
        return Number(name, np.nan, unit, 0, None)
    together = np.concatenate(films)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        with np.errstate(invalid="ignore"):
            drawn.append(statistic(np.concatenate([films[i] for i in rng.integers(len(films), size=len(films))])))
    interval = None
    if len(films) > 1 and np.isfinite(drawn).mean() > 0.5:
        low, high = np.nanpercentile(drawn, [2.5, 97.5])
        interval = (float(low), float(high))
    return Number(name, float(statistic(together)), unit, len(together), interval)
