"""Does it work for everyone: patients by age, sex, site, scanner, slice thickness and contrast.

What is not known is a group of its own, `unknown`; nobody is left out and nothing is guessed. Belongs here: which group
a patient is in, counts and rates of each group. Does not belong here: tests between groups, which these samples are too
small for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vfscreen.evaluation.binary import binary_metrics
from vfscreen.evaluation.items import Items, scenario
from vfscreen.evaluation.metric import Metric, source_of
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.roc import auc_metric

UNKNOWN = "unknown"
Row = dict[str, Any]
_SHOWN = ("sensitivity", "specificity", "ppv", "npv")


def band(value: float | None, edges: Sequence[float], unit: str) -> str:
    """Name of the band [edge, next edge) a value is in; `unknown` for none."""
    if value is None:
        return UNKNOWN
    below = [edge for edge in edges if value >= edge]
    if not below:
        return f"< {edges[0]:g} {unit}"
    if len(below) == len(edges):
        return f">= {edges[-1]:g} {unit}"
    return f"{below[-1]:g} to < {edges[len(below)]:g} {unit}"


def contrast_of(exam: Mapping[str, Any]) -> str:
    """The phase found in the pixels; else whether the header names an agent; `unknown` where neither says anything.

    An absent ContrastBolusAgent is no evidence of a scan without contrast: the attribute is often left out.
    """
    if exam["contrast_phase"]:
        return str(exam["contrast_phase"])
    return "agent named in header" if exam["ContrastBolusAgent"] else UNKNOWN


def groupings(
    age_edges_years: Sequence[float], thickness_edges_mm: Sequence[float]
) -> dict[str, Callable[[Mapping[str, Any]], str]]:
    """Name of a grouping -> group of an exam (a row of queries/exams.sql)."""
    return {
        "age": lambda e: band(e["PatientAge_years"], age_edges_years, "years"),
        "sex": lambda e: e["PatientSex"] or UNKNOWN,
        "site": lambda e: e["InstitutionName"] or UNKNOWN,
        "scanner": lambda e: e["scanner"] or UNKNOWN,
        "slice_thickness": lambda e: band(e["SliceThickness_mm"] or e["slice_spacing_mm"], thickness_edges_mm, "mm"),
        "contrast": contrast_of,
    }


def subgroup_rows(
    items: Items,
    exams: Mapping[str, Mapping[str, Any]],
    by: Mapping[str, Callable[[Mapping[str, Any]], str]],
    targets: Sequence[int],
    patients_min: int,
    bootstrap: Bootstrap,
) -> list[Row]:
    """Per protocol and intention to screen, each group of each grouping.

    exams: patient -> the exam that stands for it. Groups of fewer than `patients_min` patients carry a reason instead.
    """
    rows: list[Row] = []
    for name, group_of in by.items():
        groups = np.array([group_of(exams[patient]) for patient in items.clusters], dtype=object)
        for group in sorted(set(groups), key=lambda g: (g == UNKNOWN, str(g))):
            inside = items.subset(np.asarray(groups == group))
            patients = len(set(inside.clusters))
            for target in targets:
                place = {"level": items.level, "target": f"grade>={target}", "grouping": name, "group": group}
                rows += _group(inside, target, place, patients, patients_min, bootstrap)
    return rows


def _group(items: Items, target: int, place: Row, patients: int, patients_min: int, bootstrap: Bootstrap) -> list[Row]:
    rows: list[Row] = []
    for analysis in ("per_protocol", "intention_to_screen"):
        s = scenario(items, target, analysis)
        shared = {
            **place,
            "analysis": analysis,
            "patients": patients,
            "items": int(s.truth.size),
            "positives": int(s.truth.sum()),
            "unevaluable": s.unevaluable,
        }
        if patients < patients_min:
            reason = f"fewer than {patients_min} patients"
            rows.append({**shared, **Metric("sensitivity", None, reason=reason, source=source_of(subgroup_rows)).row()})
            continue
        wanted = "wilson" if items.level == "patient" else "cluster_bootstrap"
        metrics = [
            m
            for m in binary_metrics(s.truth, s.call, s.clusters, bootstrap)
            if m.name in _SHOWN and m.interval in (wanted, None)
        ]
        clusters = None if s.clusters is None else [c for c, k in zip(s.clusters, s.scored, strict=True) if k]
        metrics.append(auc_metric(s.truth[s.scored], s.score[s.scored], clusters, bootstrap.confidence))
        rows += [{**shared, **metric.row()} for metric in metrics]
    return rows
