"""An evaluation from end to end: a lake, readers' files, settings in; tables out.

Belongs here: the order of the steps. Does not belong here: any number (the modules it calls), files and figures
(report.evaluation), orchestration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfscreen import __version__
from vfscreen.evaluation.accuracy import Tables, accuracy_tables, grade_tables, weighted_rows
from vfscreen.evaluation.binary import binary_metrics
from vfscreen.evaluation.findings import Findings, fetch_findings
from vfscreen.evaluation.flow import false_positives_per_patient, flow_rows
from vfscreen.evaluation.items import Items, patient_items, scenario, vertebra_items
from vfscreen.evaluation.measurements import agreement_rows, measurement_pairs
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.pairing import Pairs, pair
from vfscreen.evaluation.readers import comparison_rows, kappa_rows, reader_rows, reader_study_rows
from vfscreen.evaluation.reference import Reference, build_reference
from vfscreen.evaluation.reference_files import load_readings, load_series_map
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.evaluation.subgroups import groupings, subgroup_rows
from vfscreen.evaluation.thresholds import apply_threshold, choose_threshold
from vfscreen.lake.store import Lake
from vfscreen.settings_evaluation import EvaluationSettings

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Compared:
    """A reference beside a lake, before any number."""

    reference: Reference
    findings: Findings
    pairs: Pairs
    vertebrae: Items
    patients: Items


@dataclass(frozen=True, eq=False)
class Evaluation:
    """tables: name -> rows; a row with a number has `source`, the function it came from. provenance: what was compared
    with what. notes: what must be known before the numbers."""

    tables: Tables
    provenance: Row
    notes: tuple[str, ...]
    compared: Compared


def compare(
    lake_url: str,
    reference: Sequence[str],
    settings: EvaluationSettings,
    series_map: str | None = None,
    model_release: str | None = None,
) -> Compared:
    """Read the readers' files, ask the lake for those studies, pair them. Raises EvaluationError, LakeError."""
    readings = load_readings(reference, load_series_map(series_map) if series_map else None)
    built = build_reference(readings, settings.consensus, settings.confidence_min)
    findings = fetch_findings(Lake.open(lake_url), built.studies, model_release)
    pairs = pair(built, findings, settings.match_mm)
    return Compared(built, findings, pairs, vertebra_items(pairs.vertebrae), patient_items(pairs.patients))


def evaluate(
    lake_url: str,
    reference: Sequence[str],
    settings: EvaluationSettings,
    series_map: str | None = None,
    model_release: str | None = None,
    tuning_reference: Sequence[str] = (),
) -> Evaluation:
    """Every table of an evaluation.

    reference: readers' files or folders. series_map: CSV naming the series of six-point files. model_release: rows of
    this release; else each series' newest. tuning_reference: readings of other patients, on which a probability
    threshold is chosen that is then applied to these.
    Raises EvaluationError where files, rule or lake do not fit, or nothing has a reference grade.
    """
    compared = compare(lake_url, reference, settings, series_map, model_release)
    if not compared.vertebrae.reference.size:
        raise EvaluationError(
            f"no vertebra has a reference grade by the rule {compared.reference.rule}: nothing can be compared"
        )
    bootstrap = Bootstrap(settings.bootstrap_resamples, settings.bootstrap_seed)
    targets = settings.grade_targets
    pairs, found = compared.pairs, compared.reference
    tables: Tables = {"flow": flow_rows(found, compared.findings, pairs, targets[0])}
    for items in (compared.patients, compared.vertebrae):
        for part in (
            accuracy_tables(items, targets, bootstrap, settings.calibration_bins),
            grade_tables(items, bootstrap),
        ):
            for name, rows in part.items():
                tables.setdefault(name, []).extend(rows)
    tables["weighted_metrics"] = [
        row for items in (compared.patients, compared.vertebrae) for row in weighted_rows(items, targets, bootstrap)
    ]
    tables["metrics"] += false_positives_per_patient(pairs, targets, bootstrap)
    by = groupings(settings.age_edges_years, settings.thickness_edges_mm)
    exams = {p.patient_key: p.exam for p in pairs.patients}
    tables["subgroups"] = [
        row
        for items in (compared.patients, compared.vertebrae)
        for row in subgroup_rows(items, exams, by, targets, settings.subgroup_patients_min, bootstrap)
    ]
    measured = measurement_pairs(pairs.vertebrae)
    tables["measurements"] = measured
    tables["bland_altman"] = agreement_rows(measured, bootstrap)
    tables["readers"] = reader_rows(found, pairs.patients, targets, bootstrap)
    tables["reader_comparisons"] = comparison_rows(found, pairs.patients, targets)
    tables["reader_kappa"] = kappa_rows(pairs.vertebrae, bootstrap)
    tables["reader_study"] = reader_study_rows(found, pairs.patients, targets)
    tuning = compare(lake_url, tuning_reference, settings, series_map, model_release) if tuning_reference else None
    tables["threshold"] = threshold_rows(tuning, compared, settings, bootstrap) if tuning else []
    tables["vertebra_pairs"] = [_pair_row(p) for p in pairs.vertebrae]
    tables["patient_pairs"] = [_patient_row(p) for p in pairs.patients]
    tables["extra_vertebrae"] = [_extra_row(x) for x in pairs.extra]
    return Evaluation(tables, _provenance(lake_url, compared, settings), _notes(compared), compared)


def threshold_rows(
    tuning: Compared, compared: Compared, settings: EvaluationSettings, bootstrap: Bootstrap
) -> list[Row]:
    """A threshold of the probability chosen on the tuning patients, and what comes of it on the others.

    Raises EvaluationError where a patient is in both sets.
    """
    both = {p.patient_key for p in tuning.pairs.patients} & {p.patient_key for p in compared.pairs.patients}
    if both:
        raise EvaluationError(
            f"{len(both)} patient(s) are in the tuning readings and in those that are evaluated: a threshold must be "
            "chosen on others"
        )
    rows: list[Row] = []
    for chosen_on, applied_to in ((tuning.patients, compared.patients), (tuning.vertebrae, compared.vertebrae)):
        for target in settings.grade_targets:
            place = {"level": applied_to.level, "target": f"grade>={target}"}
            on = scenario(chosen_on, target, "per_protocol")
            try:
                chosen = choose_threshold(
                    on.truth[on.scored], on.score[on.scored], settings.threshold_rule, settings.threshold_at_least
                )
            except EvaluationError as error:
                rows.append({**place, "reason": str(error)})
                continue
            shared = {**place, "threshold": chosen.threshold, "rule": chosen.rule, "chosen_on": chosen.n}
            shared |= {"tuning_sensitivity": chosen.sensitivity, "tuning_specificity": chosen.specificity}
            for analysis in ("per_protocol", "intention_to_screen"):
                s = scenario(applied_to, target, analysis)
                # an item without a probability is never above a threshold
                call = s.scored & apply_threshold(s.score, chosen)
                metrics = binary_metrics(s.truth, call, s.clusters, bootstrap)
                rows += [{**shared, "analysis": analysis, **metric.row()} for metric in metrics]
    return rows


def _provenance(lake_url: str, compared: Compared, settings: EvaluationSettings) -> Row:
    return {
        "lake": lake_url,
        "model_releases": list(compared.findings.model_releases),
        "runs": [run["run_id"] for run in compared.findings.runs],
        "reference_files": [{"file": file, "sha256": digest} for file, digest in compared.reference.files],
        "ignored_columns": list(compared.reference.ignored_columns),
        "rule": compared.reference.rule,
        "readers": list(compared.reference.readers),
        "grade_bases": dict(compared.reference.grade_bases),
        "vfscreen_version": __version__,
        "settings": json.loads(settings.model_dump_json()),
        "queries": compared.findings.queries,
    }


def _notes(compared: Compared) -> tuple[str, ...]:
    reference, findings = compared.reference, compared.findings
    notes = ["Screening support for research and audits. Not a medical device; no finding is a diagnosis."]
    if reference.grade_bases.get("six_points"):
        notes.append(
            f"{reference.grade_bases['six_points']} of {reference.reading_count} readings carry a grade computed from "
            "the reader's own six points, not one given by eye: they test measuring, not judging."
        )
    if reference.rule in ("majority", "median") and len(reference.readers) > 1:
        notes.append("The reference is made of the readers' own grades: what it says of these readers is optimistic.")
    if len(findings.model_releases) > 1:
        releases = ", ".join(findings.model_releases)
        notes.append(f"Rows of several releases are compared ({releases}); name one to compare one.")
    patients = compared.patients
    if patients.reference.size < 100 or (patients.reference >= 2).sum() < 20:
        notes.append("Small sample: fewer than 100 patients or 20 of them with grade 2 or more; read the intervals.")
    weights = {v.weight for v in reference.vertebrae}
    if weights - {None}:
        notes.append(
            "The readings are a sample drawn by strata: table weighted_metrics is of the population, every other "
            "table of the sample, in which findings may be enriched."
            if None not in weights
            else "Some studies carry a sampling weight and some do not: no number here stands for the population."
        )
    if reference.ignored_columns:
        notes.append(f"Columns of the readers' files that were not used: {', '.join(reference.ignored_columns)}.")
    return tuple(notes)


def _pair_row(p: Any) -> Row:
    found: Mapping[str, Any] = p.found or {}
    names = ("vertebra_index", "genant_grade_raw", "fracture_probability", "grade2_probability", "level_certain")
    return {
        "patient_key": p.patient_key,
        "StudyInstanceUID": p.reference.StudyInstanceUID,
        "SeriesInstanceUID": found.get("SeriesInstanceUID", p.reference.SeriesInstanceUID),
        "reference_level": p.reference.vertebra_level,
        "lake_level": found.get("vertebra_level"),
        "matched_by": p.matched_by,
        "reference_grade": p.reference.grade,
        "undecided": p.reference.undecided,
        "lake_grade": p.grade,
        "reason": p.reason,
        "reference_deformity_type": p.reference.deformity_type,
        "lake_deformity_type": found.get("deformity_type"),
        **{name: found.get(name) for name in names},
    }


def _patient_row(p: Any) -> Row:
    return {
        "patient_key": p.patient_key,
        "reference_grade": p.reference_grade,
        "lake_grade": p.grade,
        "fracture_probability": p.fracture_probability,
        "grade2_probability": p.grade2_probability,
        "reason": p.reason,
        "exam_count": p.exam_count,
        "overlay_path": p.exam["overlay_path"],
    }


def _extra_row(x: Any) -> Row:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "vertebra_index", "vertebra_level", "genant_grade", "reason_code")
    return {"patient_key": x.patient_key, "where": x.where, **{name: x.found[name] for name in names}}
