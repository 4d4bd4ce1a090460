"""Where every reading, study, vertebra and patient of an evaluation went: the counts of its flow diagram.

Belongs here: counting. Does not belong here: metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from vfscreen.evaluation.findings import Findings
from vfscreen.evaluation.metric import Metric, source_of
from vfscreen.evaluation.pairing import Extra, Pairs
from vfscreen.evaluation.reference import Reference
from vfscreen.evaluation.resampling import Bootstrap, bootstrap_sums

Row = dict[str, Any]


def flow_rows(reference: Reference, findings: Findings, pairs: Pairs, target: int) -> list[Row]:
    """Rows of (of_what, step, detail, n); within a step the details add up to what the step before kept."""
    rows: list[Row] = []

    def add(of_what: str, step: str, details: Iterable[str | None]) -> None:
        counted = Counter(detail or "" for detail in details)
        rows.extend(
            {"of_what": of_what, "step": step, "detail": detail, "n": n, "source": source_of(flow_rows)}
            for detail, n in sorted(counted.items())
        )

    exams = list(findings.exams.values())
    add("reading", "read", [f"by {reference.rule}"] * reference.reading_count)
    add("study", "read", ["in the lake" if e["in_lake"] else "not in the lake" for e in exams])
    add("study", "screened", [_state(e) for e in exams])
    add(
        "vertebra",
        "read",
        ["with a reference grade" if v.grade is not None else v.undecided for v in reference.vertebrae],
    )
    known = [p for p in pairs.vertebrae if p.reference.grade is not None]
    add("vertebra", "found", [f"matched by {p.matched_by}" if p.matched_by else p.reason for p in known])
    add("vertebra", "evaluable", ["graded by both" if p.reason is None else p.reason for p in known])
    placed = [p for p in pairs.vertebrae if p.matched_by == "position" and p.reference.vertebra_level and p.found]
    add("vertebra", "named, of those matched by position", [_naming(p) for p in placed])
    add("extra vertebra", "found and not read", [f"{x.where}{_flag(x, target)}" for x in pairs.extra])
    add(
        "patient",
        "read",
        ["with a reference grade" if p.reference_grade is not None else "no vertebra decided" for p in pairs.patients],
    )
    graded = [p for p in pairs.patients if p.reference_grade is not None]
    add("patient", "evaluable", ["graded by both" if p.reason is None else p.reason for p in graded])
    add("patient", "exams", [f"{p.exam_count} read" for p in pairs.patients])
    return rows


def _state(exam: Row) -> str:
    return f"{exam['state']}: {exam['reason_code']}" if exam["reason_code"] else str(exam["state"])


def _naming(pair: Any) -> str:
    found = pair.found["vertebra_level"]
    if found is None:
        return "not named"
    right = "as the reader" if found == pair.reference.vertebra_level else "otherwise"
    return f"{right}, {'certain' if pair.found['level_certain'] else 'uncertain'}"


def _flag(extra: Extra, target: int) -> str:
    grade = extra.found["genant_grade"]
    return f", flagged (grade >= {target})" if grade is not None and grade >= target else ", not flagged"


def false_positives_per_patient(pairs: Pairs, targets: Iterable[int], bootstrap: Bootstrap) -> list[Row]:
    """Vertebrae flagged wrongly, per patient with a screened exam: read ones that are below the target, and extra ones
    between the outermost that were read."""
    patients = sorted({p.patient_key for p in pairs.vertebrae if p.found is not None})
    place = {patient: index for index, patient in enumerate(patients)}
    rows: list[Row] = []
    for target in targets:
        counts = np.zeros((len(patients), 2))
        counts[:, 1] = 1
        for p in pairs.vertebrae:
            known = p.reference.grade is not None and p.grade is not None
            if known and (p.reference.grade or 0) < target <= (p.grade or 0):
                counts[place[p.patient_key], 0] += 1
        for x in pairs.extra:
            grade = x.found["genant_grade"]
            if x.where == "between" and grade is not None and grade >= target and x.patient_key in place:
                counts[place[x.patient_key], 0] += 1
        shared: dict[str, Any] = {
            "n": len(patients),
            "clusters": len(patients),
            "source": source_of(false_positives_per_patient),
        }
        name = "false_positives_per_patient"
        if not patients:
            metric = Metric(name, None, reason="no patient has a vertebra matched", **shared)
        else:
            ends = bootstrap_sums(counts, lambda t: np.asarray(t[:, 0] / t[:, 1]), bootstrap)
            low, high = ends or (None, None)
            total = int(counts[:, 0].sum())
            metric = Metric(name, total / len(patients), low, high, "cluster_bootstrap", total, len(patients), **shared)
        rows.append({"level": "vertebra", "target": f"grade>={target}", "analysis": "per_protocol", **metric.row()})
    return rows
