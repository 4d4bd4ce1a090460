"""Agreement of two ordinal gradings: Cohen's kappa, plain and weighted.

Cohen, Psychol Bull 70 (1968) 213-220; standard errors of Fleiss, Cohen and Everitt, Psychol Bull 72 (1969) 323-327, as
statsmodels has them; the second interval draws patients. Belongs here: two gradings of the same items. Does not belong
here: which items are compared (pairing), accuracy against a truth (binary).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.metrics import confusion_matrix
from statsmodels.stats.inter_rater import cohens_kappa

from vfscreen.evaluation.metric import Float, Int, Metric, source_of
from vfscreen.evaluation.resampling import Bootstrap, bootstrap_sums, cluster_codes, cluster_sums

Weights = Literal["none", "linear", "quadratic"]
WEIGHTS: tuple[Weights, ...] = ("none", "linear", "quadratic")
GRADES = (0, 1, 2, 3)


def agreement_table(first: Any, second: Any, categories: Sequence[int] = GRADES) -> Int:
    """(c, c) counts: rows the first grading, columns the second. ValueError for a grade outside `categories`."""
    rows, columns = np.asarray(first), np.asarray(second)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ValueError(f"{rows.shape} and {columns.shape} are not gradings of the same items")
    if not (np.isin(rows, categories).all() and np.isin(columns, categories).all()):
        raise ValueError(f"a grade is not one of {tuple(categories)}")
    if not rows.size:
        return np.zeros((len(categories), len(categories)), dtype=np.int64)
    return np.asarray(confusion_matrix(rows, columns, labels=list(categories)), dtype=np.int64)


def disagreement_weights(size: int, weights: Weights) -> Float:
    """(size, size): 0 for equal grades, 1 for the farthest apart, between them linear or squared; "none": all 1."""
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    if weights == "none":
        return (apart > 0).astype(np.float64)
    return np.asarray((apart / (size - 1)) ** (1 if weights == "linear" else 2))


def kappa_of_tables(tables: Float, weights: Weights) -> Float:
    """(..., c, c) tables -> (...,) kappa, NaN where chance alone agrees always (one grade only)."""
    counts = np.asarray(tables, dtype=np.float64)
    total = counts.sum(axis=(-2, -1))
    weight = disagreement_weights(counts.shape[-1], weights)
    expected = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        observed_disagreement = (weight * counts).sum(axis=(-2, -1)) / total
        chance_disagreement = (weight * expected).sum(axis=(-2, -1)) / total**2
        return np.asarray(1.0 - observed_disagreement / chance_disagreement)


def kappa_metrics(
    first: Any,
    second: Any,
    weights: Weights,
    clusters: Sequence[Any] | None = None,
    bootstrap: Bootstrap | None = None,
    categories: Sequence[int] = GRADES,
) -> list[Metric]:
    """Kappa with its asymptotic interval and with the bootstrap's over patients."""
    bootstrap = bootstrap or Bootstrap()
    table = agreement_table(first, second, categories)
    n = int(table.sum())
    codes, patients = cluster_codes(clusters, n)
    name = "kappa" if weights == "none" else f"{weights}_weighted_kappa"
    shared: dict[str, Any] = {"n": n, "clusters": patients, "source": source_of(kappa_metrics)}
    estimate = float(kappa_of_tables(table.astype(np.float64), weights))
    if not np.isfinite(estimate):
        return [Metric(name, None, reason="both gradings hold one and the same grade only", **shared)]
    with warnings.catch_warnings():
        # grades that nobody gave make statsmodels divide by zero in figures that are not used here
        warnings.simplefilter("ignore", RuntimeWarning)
        result = cohens_kappa(table, wt=None if weights == "none" else weights)
    asymptotic = (float(result.kappa_low), float(result.kappa_upp))
    per_item = np.zeros((n, len(categories), len(categories)))
    place = {grade: index for index, grade in enumerate(categories)}
    rows, columns = ([place[int(g)] for g in grading] for grading in (first, second))
    per_item[np.arange(n), rows, columns] = 1
    drawn = bootstrap_sums(
        cluster_sums(per_item, codes, patients), lambda tables: kappa_of_tables(tables, weights), bootstrap
    )
    low, high = drawn or (None, None)
    return [
        Metric(name, estimate, max(-1.0, asymptotic[0]), min(1.0, asymptotic[1]), "asymptotic", **shared),
        Metric(name, estimate, low, high, "cluster_bootstrap", **shared),
    ]
