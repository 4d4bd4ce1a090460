"""Measure a vertebra detector against readings: what was found, how far its points are off, its heights and grades.

Belongs here: matching, the numbers with their intervals. Does not belong here: where volumes come from (vertebra), the
whole chain's evaluation (evaluation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logit
from scipy.stats import rankdata

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.models.ports import Detection, EndplateReader, VertebraDetector
from vfscreen.morphometry.genant import BORDERS, MODERATE_LOSS, genant_grade, raw_height_loss
from vfscreen.morphometry.heights import body_heights_mm
from vfscreen.morphometry.probability import GradeCalibration, grade_probabilities, join_fracture_score
from vfscreen.screening.refine import read_points
from vfscreen.settings import ScreeningSettings
from vfscreen.spine.straighten import straighten
from vfscreen.spine.symmetry import mirror_planes
from vfscreen.training.readings import ReadVertebra

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Match:
    """A read vertebra and what was found there.

    truth: the reading. points_lps_mm: (6, 3) or None where it was missed. keypoint_sd_mm: (6, 2).
    """

    volume: str
    truth: ReadVertebra
    points_lps_mm: Float | None
    keypoint_sd_mm: Float | None
    fracture_score: float | None
    level_scores: Float | None

    @property
    def heights_mm(self) -> Float:
        """(3,): as measured. Only of a vertebra that was found."""
        assert self.points_lps_mm is not None
        return body_heights_mm(self.points_lps_mm)

    @property
    def distances_mm(self) -> Float:
        assert self.points_lps_mm is not None
        return np.asarray(np.linalg.norm(self.points_lps_mm - self.truth.keypoints_lps_mm, axis=1))


@dataclass(frozen=True, eq=False)
class VolumeResult:
    """matches: one a read vertebra. extra_scores: detections between the outermost read vertebrae that match none."""

    name: str
    matches: tuple[Match, ...]
    extra_scores: tuple[float, ...]


def evaluate_volume(
    name: str,
    volume: Volume,
    centreline: Centreline,
    vertebrae: Sequence[ReadVertebra],
    detector: VertebraDetector,
    reader: EndplateReader | None = None,
    centred: bool = True,
    threshold: float = 0.5,
) -> VolumeResult:
    """Run the detector along a centreline, and the endplate reader on what it finds, and match that to the reading.

    centred: the centreline runs in the mid-sagittal plane, as a reader's does; otherwise each vertebra's own is found.

    A detection belongs to the nearest read vertebra whose centre is within half its height. Detections beyond the first
    and last read vertebra, where nothing was read, count neither way; so do those with a point outside the volume
    (truncated).
    """
    slab = straighten(volume, centreline, detector.slab_spec)
    detections = [d for d in detector.detect(slab.hu) if d.score >= threshold]
    left = np.zeros(len(detections))
    if not centred and detections:
        left = mirror_planes(volume, centreline, slab.to_curve(np.stack([d.centre for d in detections])))
    read = read_points(volume, slab, detections, left, reader)
    points = [r.keypoints_lps_mm for r in read]
    refined = [replace(d, keypoint_sd_mm=r.sd_mm) for d, r in zip(detections, read, strict=True)]
    matches, taken = match_detections(name, vertebrae, refined, points)
    centres = [p.mean(axis=0) for p in points]
    z = [float(v.centre_lps_mm[2]) for v in vertebrae]
    extra = tuple(
        d.score
        for i, d in enumerate(detections)
        if i not in taken and min(z) < centres[i][2] < max(z) and bool(volume.contains(points[i]).all())
    )
    return VolumeResult(name, tuple(matches), extra)


def match_detections(
    name: str, vertebrae: Sequence[ReadVertebra], detections: Sequence[Detection], points: Sequence[Float]
) -> tuple[list[Match], set[int]]:
    """Each read vertebra with the nearest free detection within half its height; and which detections were taken.

    points: each detection's (6, 3) key points in the frame of the readings, mm.
    """
    taken: set[int] = set()
    matches = []
    for truth in vertebrae:
        reach = 0.5 * float(truth.heights_mm.max())
        distance = {
            i: float(np.linalg.norm(p.mean(axis=0) - truth.centre_lps_mm))
            for i, p in enumerate(points)
            if i not in taken
        }
        best = min(distance, key=lambda i: distance[i], default=-1)
        if best < 0 or distance[best] > reach:
            matches.append(Match(name, truth, None, None, None, None))
            continue
        taken.add(best)
        found = detections[best]
        matches.append(Match(name, truth, points[best], found.keypoint_sd_mm, found.fracture_score, found.level_scores))
    return matches, taken


@dataclass(frozen=True)
class Number:
    """One measured number with its 95 % bootstrap interval over vertebrae (not over patients: there are too few)."""

    name: str
    value: float
    unit: str
    n: int
    ci95: tuple[float, float] | None


def summarise(results: Sequence[VolumeResult], confidence_min: float = 0.5) -> list[Number]:
    """The table of a set of volumes. Heights and points of readings below `confidence_min` are not counted."""
    matches = [m for r in results for m in r.matches if m.truth.confidence >= confidence_min]
    found = [m for m in matches if m.points_lps_mm is not None]
    extra = sum(len(r.extra_scores) for r in results)
    all_found = sum(m.points_lps_mm is not None for r in results for m in r.matches)
    numbers = [
        bootstrap_number("recall", [float(m.points_lps_mm is not None) for m in matches], np.mean, ""),
        bootstrap_number("precision", [1.0] * all_found + [0.0] * extra, np.mean, ""),
    ]
    if not found:
        return numbers
    distances = np.array([m.distances_mm for m in found])
    predicted, true = _heights(found)
    relative = (predicted / true - 1) * 100
    loss, true_loss = raw_height_loss(predicted), raw_height_loss(true)
    error = (loss - true_loss) * 100
    numbers += [
        bootstrap_number("key point distance, median", distances, np.median, "mm"),
        bootstrap_number("key point distance, 95th percentile", distances, lambda x: float(np.percentile(x, 95)), "mm"),
        bootstrap_number("heights, mean absolute error", np.abs(relative), np.mean, "%"),
        bootstrap_number("heights, bias", relative, np.mean, "%"),
        bootstrap_number("height loss (raw), mean absolute error", np.abs(error), np.mean, "percentage points"),
    ]
    deep = true_loss >= MODERATE_LOSS
    if deep.any():
        numbers += [
            bootstrap_number("height loss where true loss >= 0.25, bias", error[deep], np.mean, "percentage points"),
            bootstrap_number(
                "height loss where true loss >= 0.25, mean absolute error",
                np.abs(error[deep]),
                np.mean,
                "percentage points",
            ),
            bootstrap_number(
                "sensitivity for grade >= 2 (raw)", (loss[deep] >= MODERATE_LOSS).astype(float), np.mean, ""
            ),
        ]
    if deep.any() and not deep.all():
        pairs = np.stack([loss, deep.astype(np.float64)], axis=1)
        numbers.append(bootstrap_number("ROC AUC of the measured raw loss for true loss >= 0.25", pairs, auc, ""))
    if (~deep).any():
        numbers.append(
            bootstrap_number(
                "specificity for grade >= 2 (raw)", (loss[~deep] < MODERATE_LOSS).astype(float), np.mean, ""
            )
        )
    grade, true_grade = genant_grade(loss), genant_grade(true_loss)
    numbers.append(bootstrap_number("grade (raw) exactly right", (grade == true_grade).astype(float), np.mean, ""))
    return numbers + coverage(results, confidence_min)


def coverage(results: Sequence[VolumeResult], confidence_min: float = 0.5) -> list[Number]:
    """How often the stated uncertainty holds: 68 and 95 % regions of points, 68 and 95 % intervals of heights."""
    found = [
        m
        for r in results
        for m in r.matches
        if m.points_lps_mm is not None and m.keypoint_sd_mm is not None and m.truth.confidence >= confidence_min
    ]
    if not found:
        return []
    distances = np.array([m.distances_mm for m in found])
    predicted, true = _heights(found)
    height_error_mm = predicted - true
    sd = np.array([m.keypoint_sd_mm for m in found if m.keypoint_sd_mm is not None])
    # distance in the plane over its standard deviation: nearly a Rayleigh variable, of scale 1 after this division
    z = distances / np.sqrt((sd**2).mean(axis=-1))
    height_z = np.abs(height_error_mm) / np.hypot(sd[:, 0::2, 0], sd[:, 1::2, 0])
    return [
        bootstrap_number(f"{what} within their {share} % {kind}", (values <= limit).astype(float), np.mean, "")
        for what, kind, values, limits in (
            ("key points", "region", z, (1.515, 2.448)),
            ("heights", "interval", height_z, (1.0, 1.96)),
        )
        for share, limit in zip((68, 95), limits, strict=True)
    ]


def probabilities(results: Sequence[VolumeResult]) -> tuple[Float, Float]:
    """P(grade >= 1..3) of every vertebra found, before calibration, joined as the chain does by default; and whether it
    is so: two arrays (n, 3). By the raw index: what is warped or rendered has no level."""
    weight = ScreeningSettings().fracture_score_weight
    found = [m for r in results for m in r.matches if m.points_lps_mm is not None and m.keypoint_sd_mm is not None]
    stated = []
    for m in found:
        assert m.keypoint_sd_mm is not None
        sd = np.hypot(m.keypoint_sd_mm[0::2, 0], m.keypoint_sd_mm[1::2, 0])
        measured = grade_probabilities(m.heights_mm, sd, None)
        stated.append(join_fracture_score(measured, 0.5 if m.fracture_score is None else m.fracture_score, weight))
    true = raw_height_loss(np.array([m.truth.heights_mm for m in found]).reshape(-1, 3))
    return np.array(stated).reshape(-1, 3), np.stack([true >= border for border in BORDERS], axis=-1).astype(np.float64)


def fit_calibration(stated: Float, true: Float) -> GradeCalibration:
    """The calibration of (n, 3) stated probabilities that makes (n, 3) outcomes likeliest.

    A weak prior holds it at doing nothing (as if ten vertebrae had been stated rightly), for a grade that few have.
    """
    fitted = []
    for p, y in zip(np.clip(stated, 1e-3, 1 - 1e-3).T, true.T, strict=True):
        odds = logit(p)

        def cost(ab: Float, odds: Float = odds, y: Float = y) -> float:
            predicted = ab[0] + ab[1] * odds
            return float(np.sum(np.logaddexp(0, predicted) - y * predicted) + 0.5 * ab[0] ** 2 + 5 * (ab[1] - 1) ** 2)

        fitted.append(minimize(cost, np.array([0.0, 1.0]), bounds=[(-4, 4), (0.2, 4)]).x)
    a, b = np.round(np.array(fitted).T, 3)
    return GradeCalibration((float(a[0]), float(a[1]), float(a[2])), (float(b[0]), float(b[1]), float(b[2])))


def sd_scale(results: Sequence[VolumeResult], current: float) -> float:
    """The `sd_scale` of the card that makes squared point errors and variances agree in the mean, given the one in use.

    results: of volumes never trained on. Errors beyond 6 mm count as 6: a point in the disc is a blunder, not noise.
    """
    found = [m for r in results for m in r.matches if m.points_lps_mm is not None and m.truth.confidence >= 0.5]
    errors = np.mean([np.minimum(m.distances_mm, 6.0) ** 2 for m in found])
    variances = np.mean([(m.keypoint_sd_mm**2).sum(axis=1) for m in found if m.keypoint_sd_mm is not None])
    return float(current * np.sqrt(errors / variances))


def _heights(found: Sequence[Match]) -> tuple[Float, Float]:
    return np.array([m.heights_mm for m in found]), np.array([m.truth.heights_mm for m in found])


def auc(pairs: Float) -> float:
    """Area under the ROC curve of (n, 2) score and class (0, 1); nan where a bootstrap draw has one class only."""
    scores, positive = pairs[:, 0], pairs[:, 1] > 0.5
    if positive.all() or not positive.any():
        return float("nan")
    ranks = rankdata(scores)
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def bootstrap_number(name: str, values: object, statistic: Callable[[Float], object], unit: str) -> Number:
    """A statistic of values with its 95 % bootstrap interval (1000 draws, fixed seed)."""
    data = np.asarray(values, dtype=np.float64)
    if not len(data):
        return Number(name, float("nan"), unit, 0, None)
    rng = np.random.default_rng(0)
    draws = [float(np.asarray(statistic(data[rng.integers(len(data), size=len(data))]))) for _ in range(1000)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Number(name, float(np.asarray(statistic(data))), unit, len(data), (float(low), float(high)))
