"""Readers among themselves and against the lake, patients as cases.

McNemar's exact test (Psychometrika 12 (1947) 153-157) of sensitivities and specificities, DeLong's of areas, and
Obuchowski-Rockette of several readers. Patients are independent, vertebrae of one are not: all tests here are of
patients; kappas are of vertebrae with intervals over patients. A reader whose grades made the reference agrees with it
by construction, which every row says. Belongs here: which readings are compared. Does not belong here: the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar

from vfscreen.evaluation.agreement import kappa_metrics
from vfscreen.evaluation.binary import binary_metrics
from vfscreen.evaluation.metric import Bool, Float, source_of
from vfscreen.evaluation.mrmc import ConditionMean, delong_figures, model_against_readers, reader_study
from vfscreen.evaluation.pairing import PatientPair, VertebraPair
from vfscreen.evaluation.reference import Reference
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.roc import auc_metric, compare_auc

Row = dict[str, Any]
Who = tuple[str, str | None]
LAKE = "lake"


def mcnemar_test(first: Bool, second: Bool) -> Row:
    """Exact McNemar test of two calls (n,) of the same items: counts called by one only, two-sided p."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    table = [[int((first & second).sum()), only_first], [only_second, int((~first & ~second).sum())]]
    p_value = float(mcnemar(table, exact=True).pvalue) if only_first + only_second else 1.0
    return {"only_first": only_first, "only_second": only_second, "p_value": min(1.0, p_value), "n": int(first.size)}


def _who(patients: Sequence[PatientPair]) -> list[Who]:
    return sorted({who for p in patients for who in p.reader_grades}, key=lambda w: (w[0], w[1] or ""))


def reader_rows(
    reference: Reference, patients: Sequence[PatientPair], targets: Sequence[int], bootstrap: Bootstrap
) -> list[Row]:
    """Each reader's own accuracy, of the patients that reader graded."""
    rows: list[Row] = []
    for who in _who(patients):
        graded = [p for p in patients if p.reference_grade is not None and p.reader_grades.get(who) is not None]
        truth, grades = _arrays([p.reference_grade for p in graded]), _arrays([p.reader_grades[who] for p in graded])
        for target in targets:
            place = {
                "target": f"grade>={target}",
                "reader": who[0],
                "condition": who[1],
                "in_reference": who[0] in reference.rule_readers,
            }
            metrics = [
                m
                for m in binary_metrics(truth >= target, grades >= target, bootstrap=bootstrap)
                if m.interval in ("wilson", None)
            ]
            metrics.append(auc_metric(truth >= target, grades, confidence=bootstrap.confidence))
            rows += [{**place, **metric.row()} for metric in metrics]
    return rows


def comparison_rows(reference: Reference, patients: Sequence[PatientPair], targets: Sequence[int]) -> list[Row]:
    """The lake against each reader and readers against each other, on the patients both graded."""
    rows: list[Row] = []
    sides: list[Who] = [(LAKE, None), *_who(patients)]
    for first, second in combinations(sides, 2):
        both = [
            p
            for p in patients
            if p.reference_grade is not None and _grade(p, first) is not None and _grade(p, second) is not None
        ]
        truth = _arrays([p.reference_grade for p in both])
        a, b = (_arrays([_grade(p, who) for p in both]) for who in (first, second))
        for target in targets:
            positive = truth >= target
            place = {
                "target": f"grade>={target}",
                "first": first[0],
                "first_condition": first[1],
                "second": second[0],
                "second_condition": second[1],
                "in_reference": any(who[0] in reference.rule_readers for who in (first, second)),
            }
            for name, chosen, sign in (("sensitivity", positive, 1), ("specificity", ~positive, -1)):
                if not chosen.any():
                    continue
                right = [(grades[chosen] >= target) == (sign > 0) for grades in (a, b)]
                difference = float(right[0].mean() - right[1].mean())
                rows.append(
                    {**place, "quantity": name, "difference": difference, "test": "mcnemar_exact",
                     **mcnemar_test(*right), "source": source_of(mcnemar_test)}
                )  # fmt: skip
            rows += _areas(place, both, positive, first, second, target)
    return rows


def _areas(place: Row, both: Sequence[PatientPair], positive: Bool, first: Who, second: Who, target: int) -> list[Row]:
    a, b = (_scores(both, who, target) for who in (first, second))
    kept = np.isfinite(a) & np.isfinite(b)
    try:
        found = asdict(compare_auc(positive[kept], a[kept], b[kept]))
    except ValueError as error:
        return [{**place, "quantity": "auc", "test": "delong", "n": int(kept.sum()), "reason": str(error)}]
    found["z"] = found["z"] if np.isfinite(found["z"]) else None
    source = source_of(compare_auc)
    return [{**place, "quantity": "auc", "test": "delong", "n": int(kept.sum()), **found, "source": source}]


def kappa_rows(pairs: Sequence[VertebraPair], bootstrap: Bootstrap) -> list[Row]:
    """Kappas of grades, vertebra by vertebra: the lake with each reader, readers with each other."""
    rows: list[Row] = []
    grades = [
        ({(r.reader, r.condition): r.grade for r in p.reference.readings} | {(LAKE, None): p.grade}) for p in pairs
    ]
    sides = sorted({who for g in grades for who in g}, key=lambda w: (w[0] != LAKE, w[0], w[1] or ""))
    for first, second in combinations(sides, 2):
        both = [i for i, g in enumerate(grades) if g.get(first) is not None and g.get(second) is not None]
        place = {
            "first": first[0], "first_condition": first[1], "second": second[0], "second_condition": second[1],
        }  # fmt: skip
        for weights in ("linear", "quadratic"):
            metrics = kappa_metrics(
                [grades[i][first] for i in both],
                [grades[i][second] for i in both],
                weights,
                [pairs[i].patient_key for i in both],
                bootstrap,
            )
            rows += [{**place, **metric.row()} for metric in metrics]
    return rows


def reader_study_rows(reference: Reference, patients: Sequence[PatientPair], targets: Sequence[int]) -> list[Row]:
    """Obuchowski-Rockette on the worst grade each reader gave a patient, of patients that all of them graded.

    One condition: the readers' mean and the lake against it. Several: the difference of each two. Empty for one reader.
    """
    who = _who(patients)
    readers = sorted({reader for reader, _ in who if not _is_reference_reader(reference, reader)})
    conditions = sorted({condition for reader, condition in who if reader in readers}, key=lambda c: c or "")
    if len(readers) < 2:
        return []
    cells: list[Who] = [(reader, condition) for condition in conditions for reader in readers]
    known = [p for p in patients if p.reference_grade is not None]
    complete = [p for p in known if all(p.reader_grades.get(cell) is not None for cell in cells)]
    truth = _arrays([p.reference_grade for p in complete])
    ratings = np.array([[p.reader_grades[cell] for p in complete] for cell in cells], dtype=np.float64)
    ratings = ratings.reshape(len(conditions), len(readers), len(complete))
    rows: list[Row] = []
    for target in targets:
        place = {
            "target": f"grade>={target}",
            "readers": len(readers),
            "patients": len(complete),
            "left_out": len(known) - len(complete),
            "in_reference": any(reader in reference.rule_readers for reader in readers),
        }
        try:
            rows += _study(place, truth >= target, ratings, conditions, complete, target)
        except ValueError as error:
            rows.append({**place, "quantity": "auc", "reason": str(error), "source": source_of(reader_study)})
    return rows


def _is_reference_reader(reference: Reference, reader: str) -> bool:
    """Under reader:NAME that one is the truth, not one of those who are measured."""
    return reference.rule == f"reader:{reader}"


def _study(
    place: Row,
    truth: Bool,
    ratings: Float,
    conditions: Sequence[str | None],
    patients: Sequence[PatientPair],
    target: int,
) -> list[Row]:
    study = reader_study(*delong_figures(truth, ratings))
    place = {**place, "source": source_of(reader_study)}
    rows: list[Row] = [
        {**place, "quantity": "mean_auc", "first": conditions[m.condition], **_finite(m)} for m in study.means
    ]
    for d in study.differences:
        found = {k: v for k, v in asdict(d).items() if k not in ("first", "second", "difference")}
        rows.append(
            {**place, "quantity": "auc_difference", "first": conditions[d.first], "second": conditions[d.second],
             "estimate": d.difference, **{k: v if np.isfinite(v) else None for k, v in found.items()}}
        )  # fmt: skip
    rows.append({**place, "quantity": "covariances", **asdict(study.covariances)})
    scores = _scores(patients, (LAKE, None), target)
    if np.isfinite(scores).all():
        for index, condition in enumerate(conditions):
            against = model_against_readers(truth, ratings[index], scores)
            rows.append(
                {**place, "quantity": "readers_minus_lake_auc", "first": condition, "second": LAKE, **_finite(against),
                 "source": source_of(model_against_readers)}
            )  # fmt: skip
    return rows


def _finite(mean: ConditionMean) -> Row:
    values = {k: v if np.isfinite(v) else None for k, v in asdict(mean).items() if k not in ("condition", "mean")}
    return {"estimate": mean.mean, **values}


def _grade(patient: PatientPair, who: Who) -> int | None:
    return patient.grade if who == (LAKE, None) else patient.reader_grades.get(who)


def _scores(patients: Sequence[PatientPair], who: Who, target: int) -> Float:
    """The lake's probability where it has one for the target, else its grade; a reader's grade."""
    if who != (LAKE, None):
        return _arrays([p.reader_grades.get(who) for p in patients])
    name = {1: "fracture_probability", 2: "grade2_probability"}.get(target, "grade")
    return _arrays([getattr(p, name) for p in patients])


def _arrays(values: Sequence[Any]) -> Float:
    return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
