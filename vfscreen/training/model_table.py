"""The targets of a release's models, measured: one row a target, with n and a 95 % interval.

Belongs here: which number answers which target. Does not belong here: screening a volume (chain_evaluate), simulated
fractures (vertebra_simulate), worse volumes (degradations), printing (cli.evaluate_model).

Intervals of proportions are Wilson's, others bootstrapped over vertebrae. Vertebrae of one patient are not independent:
with few patients an interval is too narrow for the next scanner's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from vfscreen.models.ports import ModelSet
from vfscreen.morphometry.genant import MILD_LOSS, MODERATE_LOSS, raw_height_loss
from vfscreen.screening.result import Vertebra
from vfscreen.settings import ScreeningSettings
from vfscreen.training.chain_evaluate import Screened, knowing, screen_reading
from vfscreen.training.degradations import DEGRADATIONS
from vfscreen.training.vertebra_evaluate import Match, VolumeResult, auc, bootstrap_number
from vfscreen.training.vertebra_simulate import simulated_windows
from vfscreen.training.vertebra_sources import ReadSpine

Float = NDArray[np.float64]

CONFIDENCE_MIN = 0.5
THIN_MM = 2.0
LIKELY = "P(grade >= 2) at least 0.5"
"""The decision that knows how well each endplate was seen."""


@dataclass(frozen=True)
class TargetRow:
    """One measured number. target: in words; met: None where there is none, or nothing to measure it on."""

    group: str
    name: str
    value: float | None
    unit: str
    n: int
    ci95: tuple[float, float] | None
    target: str = ""
    met: bool | None = None


def real_rows(screened: Sequence[Screened]) -> list[TargetRow]:
    """Targets on real CT, the whole chain from the volume."""
    group = "real CT, whole chain"
    pairs = [p for s in screened for p in s.pairs if p[0].confidence >= CONFIDENCE_MIN]
    found = sum(f is not None for _, f in pairs)
    extra = sum(s.extra for s in screened)
    centreline = np.concatenate([s.centreline_mm for s in screened]) if screened else np.zeros(0)
    thin = [m for s in screened if s.spacing_mm <= THIN_MM for m in _measured(s)]
    every = [m for s in screened for m in _measured(s)]
    distances = _distances(thin)
    errors = _relative_height_errors(every)
    certain = [(t, f) for t, f in pairs if f is not None and f.level_certain]
    right = sum(f is not None and f.vertebra_level == t.level for t, f in certain)
    sound = [f for t, f in pairs if f is not None and f.genant_grade is not None and _is_sound(t.heights_mm)]
    false = sum(f.genant_grade is not None and f.genant_grade >= 2 for f in sound)
    return [
        value_row(group, "centreline distance, mean", centreline, np.mean, "mm", "<= 1.5", lambda v: v <= 1.5),
        value_row(group, "centreline distance, maximum", centreline, np.max, "mm", "<= 5", lambda v: v <= 5.0),
        share_row(group, "vertebrae found", found, len(pairs), ">= 0.98", lambda v: v >= 0.98),
        share_row(group, "of those found, real", found, found + extra, ">= 0.98", lambda v: v >= 0.98),
        value_row(
            group,
            f"key point distance, slices <= {THIN_MM:g} mm, median",
            distances,
            np.median,
            "mm",
            "<= 1.0",
            lambda v: v <= 1.0,
        ),
        value_row(
            group,
            f"key point distance, slices <= {THIN_MM:g} mm, 95th percentile",
            distances,
            _p95,
            "mm",
            "<= 3",
            lambda v: v <= 3.0,
        ),
        value_row(group, "key point distance, all, median", _distances(every), np.median, "mm"),
        value_row(group, "key point distance, all, 95th percentile", _distances(every), _p95, "mm"),
        value_row(group, "heights, mean absolute error", np.abs(errors), np.mean, "%", "<= 5", lambda v: v <= 5.0),
        value_row(group, "heights, bias", errors, np.mean, "%"),
        share_row(group, "levels right where certain", right, len(certain), ">= 0.95", lambda v: v >= 0.95),
        share_row(group, "levels right", sum(f is not None and f.vertebra_level == t.level for t, f in pairs), found),
        share_row(
            group,
            "volumes with consecutive levels",
            sum(s.consecutive for s in screened),
            len(screened),
            "all",
            lambda v: v == 1.0,
        ),
        share_row(group, "unfractured called grade >= 2", false, len(sound), "<= 0.01", lambda v: v <= 0.01),
        share_row(group, f"unfractured, {LIKELY}", sum((f.grade2_probability or 0) >= 0.5 for f in sound), len(sound)),
    ]


def deep_rows(group: str, results: Sequence[VolumeResult]) -> list[TargetRow]:
    """Targets on bodies that lost height: simulated or rendered."""
    found = [m for r in results for m in r.matches if m.points_lps_mm is not None]
    total = sum(len(r.matches) for r in results)
    if not found:
        return [share_row(group, "vertebrae found", 0, total)]
    measured = np.array([raw_height_loss(m.heights_mm) for m in found])
    true = np.array([raw_height_loss(m.truth.heights_mm) for m in found])
    deep = true >= MODERATE_LOSS
    error = 100 * (measured - true)
    called = measured >= MODERATE_LOSS
    return [
        share_row(group, "vertebrae found", len(found), total),
        value_row(group, "key point distance, median", _distances(found), np.median, "mm"),
        value_row(
            group, "loss where >= 0.25, bias", error[deep], np.mean, "points", "within +-2", lambda v: abs(v) <= 2.0
        ),
        value_row(
            group,
            "loss where >= 0.25, absolute error",
            np.abs(error[deep]),
            np.mean,
            "points",
            "<= 6",
            lambda v: v <= 6.0,
        ),
        value_row(
            group,
            "ROC AUC, grade >= 2, by its loss",
            np.stack([measured, deep], axis=1),
            auc,
            "",
            ">= 0.98",
            lambda v: v >= 0.98,
        ),
        value_row(
            group,
            "ROC AUC, any grade, by its loss",
            np.stack([measured, true >= MILD_LOSS], axis=1),
            auc,
            "",
            ">= 0.93",
            lambda v: v >= 0.93,
        ),
        share_row(
            group,
            "sensitivity for grade >= 2",
            int(called[deep].sum()),
            int(deep.sum()),
            ">= 0.92",
            lambda v: v >= 0.92,
        ),
        share_row(
            group,
            "specificity for grade >= 2",
            int((~called[~deep]).sum()),
            int((~deep).sum()),
            ">= 0.95",
            lambda v: v >= 0.95,
        ),
    ]


def published_rows(group: str, screened: Sequence[Screened]) -> list[TargetRow]:
    """Published grades >= 2 (VerSe) against the headline grade and the raw one of renderings of the masks."""
    graded = [
        (t.published_genant_grade, f) for s in screened for t, f in s.pairs if t.published_genant_grade is not None
    ]
    fractured = [f for grade, f in graded if grade is not None and grade >= 2]
    sound = [f for grade, f in graded if grade == 0]

    def called(found: Sequence[Vertebra | None], raw: bool) -> int:
        grades = [None if f is None else (f.genant_grade_raw if raw else f.genant_grade) for f in found]
        return sum(grade is not None and grade >= 2 for grade in grades)

    return [
        share_row(
            group,
            "published grade >= 2 found",
            called(fractured, False),
            len(fractured),
            "all",
            lambda v: v == 1.0,
        ),
        share_row(group, "published grade >= 2 found by the raw index", called(fractured, True), len(fractured)),
        share_row(group, "published grade 0 called >= 2", called(sound, False), len(sound)),
    ]


def degradation_rows(
    spines: Sequence[ReadSpine], models: ModelSet, settings: ScreeningSettings, seed: int = 0
) -> list[TargetRow]:
    """Each degradation of the same volumes: what is found, how far off, how unsure."""
    rows = []
    for name, degrade in DEGRADATIONS.items():
        screened = []
        for spine in spines:
            volume, vertebrae = degrade(spine.volume, spine.vertebrae, np.random.default_rng(seed))
            screened.append(screen_reading(spine.name, volume, vertebrae, models, settings))
        group = f"degraded: {name}"
        pairs = [p for s in screened for p in s.pairs if p[0].confidence >= CONFIDENCE_MIN]
        every = [m for s in screened for m in _measured(s)]
        sound = [f for t, f in pairs if f is not None and f.genant_grade is not None and _is_sound(t.heights_mm)]
        sd = np.concatenate([np.zeros(0), *(m.keypoint_sd_mm[:, 0] for m in every if m.keypoint_sd_mm is not None)])
        rows += [
            share_row(group, "vertebrae found", sum(f is not None for _, f in pairs), len(pairs)),
            value_row(group, "key point distance, median", _distances(every), np.median, "mm"),
            value_row(group, "heights, mean absolute error", np.abs(_relative_height_errors(every)), np.mean, "%"),
            share_row(
                group, "unfractured called grade >= 2", sum((f.genant_grade or 0) >= 2 for f in sound), len(sound)
            ),
            share_row(
                group, f"unfractured, {LIKELY}", sum((f.grade2_probability or 0) >= 0.5 for f in sound), len(sound)
            ),
            value_row(group, "stated standard deviation of a key point, mean", sd, np.mean, "mm"),
        ]
    return rows


def screen_all(spines: Iterable[ReadSpine], models: ModelSet, settings: ScreeningSettings) -> list[Screened]:
    """The whole chain on each spine's volume."""
    return [screen_reading(s.name, s.volume, s.vertebrae, models, settings) for s in spines]


def screen_rendered(spines: Iterable[ReadSpine], models: ModelSet, settings: ScreeningSettings) -> list[Screened]:
    """The chain on rendered masks, their course known: a locator has seen no body without its surroundings."""
    return [
        screen_reading(s.name, s.volume, s.vertebrae, knowing(models, s.centreline.points_lps_mm), settings)
        for s in spines
    ]


def simulate(spines: Iterable[ReadSpine], models: ModelSet, windows: int) -> list[VolumeResult]:
    """Simulated fractures on the anatomy of each spine, one result a window."""
    return [r for s in spines for r in simulated_windows(s.case(), models.detector, windows, models.endplates)]


def _measured(screened: Screened) -> list[Match]:
    return [
        m
        for m in screened.as_volume_result().matches
        if m.points_lps_mm is not None and m.truth.confidence >= CONFIDENCE_MIN
    ]


def _distances(matches: Sequence[Match]) -> Float:
    return np.concatenate([np.zeros(0), *(m.distances_mm for m in matches)])


def _relative_height_errors(matches: Sequence[Match]) -> Float:
    """Percent, three a vertebra."""
    return np.concatenate([np.zeros(0), *(100 * (m.heights_mm / m.truth.heights_mm - 1) for m in matches)])


def _is_sound(heights_mm: Float) -> bool:
    return float(raw_height_loss(heights_mm)) < MILD_LOSS


def _p95(values: Float) -> float:
    return float(np.percentile(values, 95))


def value_row(
    group: str,
    name: str,
    values: Float,
    statistic: Callable[[Float], object],
    unit: str,
    target: str = "",
    met: Callable[[float], bool] | None = None,
) -> TargetRow:
    """A statistic of values with its bootstrap interval; nothing to measure it on is no number."""
    if not len(values):
        return TargetRow(group, name, None, unit, 0, None, target)
    number = bootstrap_number(name, values, statistic, unit)
    known = np.isfinite(number.value)
    return TargetRow(
        group,
        name,
        number.value if known else None,
        unit,
        number.n,
        number.ci95 if known else None,
        target,
        met(number.value) if met is not None and known else None,
    )


def share_row(
    group: str, name: str, count: int, total: int, target: str = "", met: Callable[[float], bool] | None = None
) -> TargetRow:
    """A proportion with Wilson's interval."""
    if not total:
        return TargetRow(group, name, None, "", 0, None, target)
    interval = binomtest(count, total).proportion_ci(method="wilson")
    value = count / total
    return TargetRow(
        group,
        name,
        value,
        "",
        total,
        (float(interval.low), float(interval.high)),
        target,
        met(value) if met is not None else None,
    )
