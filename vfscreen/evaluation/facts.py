"""What reporting checklists ask and an evaluation knows: one sentence a fact, from tables, lake, settings and cards.

Belongs here: the sentences. Does not belong here: the checklists' items (checklists/*.yaml), filling them (checklist).
What is not known has no sentence here; nothing is guessed. Each fact names where it comes from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vfscreen.evaluation.fact import OF_EVERY_EVALUATION, Fact
from vfscreen.evaluation.items import Items
from vfscreen.evaluation.study import Evaluation

Card = Mapping[str, Any]
_HEADLINE = ("sensitivity", "specificity", "auc")


def collect_facts(evaluation: Evaluation, cards: Sequence[Card] = ()) -> dict[str, Fact]:
    """Facts by name. cards: the weights' cards of the release that was evaluated, as plain values; empty if unknown."""
    found = {
        **OF_EVERY_EVALUATION,
        **_from_lake(evaluation),
        **_from_reference(evaluation),
        **_from_tables(evaluation),
        **_from_cards(evaluation, cards),
    }
    return {name: fact for name, fact in found.items() if fact is not None}


def _from_lake(evaluation: Evaluation) -> dict[str, Fact | None]:
    exams = list(evaluation.compared.findings.exams.values())
    seen = [e for e in exams if e["in_lake"]]
    dates = sorted(str(e["study_date"]) for e in seen if e["study_date"])
    undated = len(seen) - len(dates)
    sites = Counter(e["InstitutionName"] or "unknown" for e in seen)
    spacing = sorted(e["slice_spacing_mm"] for e in seen if e["slice_spacing_mm"])
    scanners = Counter(e["scanner"] or "unknown" for e in seen)
    query = "query evaluation/queries/exams.sql"
    accept = _accept(evaluation.compared.findings.runs)
    versions = sorted({str(run["vfscreen_version"]) for run in evaluation.compared.findings.runs})
    slices = f"slices {spacing[0]:g}-{spacing[-1]:g} mm apart ({len(spacing)} of {len(seen)} known)" if spacing else ""
    return {
        "data_source": Fact(f"{len(seen)} studies of one lake, of {len(exams)} that were read.", query),
        "dates": Fact(f"Examinations of {dates[0]} to {dates[-1]}; {undated} without a date.", query)
        if dates
        else None,
        "sites": Fact(_listed("site", sites), query),
        "acquisition": Fact("; ".join(t for t in (_listed("scanner", scanners), slices) if t), query),
        "eligibility": accept,
        "series_selection": Fact(
            "Of each study the series that shows the spine best, chosen from headers alone before any result; the "
            "others are recorded as not_best_series.",
            "docs/ARCHITECTURE.md",
        ),
        "software": Fact(
            f"vfscreen {', '.join(versions) or 'version unknown'} (sweep), {evaluation.provenance['vfscreen_version']} "
            f"(evaluation); model release {', '.join(evaluation.provenance['model_releases'])}.",
            "query evaluation/queries/runs.sql",
        ),
    }


def _accept(runs: Sequence[Mapping[str, Any]]) -> Fact | None:
    if not runs:
        return None
    settings = json.loads(runs[-1]["settings_json"]).get("accept", {})
    rules = ", ".join(f"{name} {value}" for name, value in settings.items())
    return Fact(f"CT series by their headers: {rules}. No exclusion by diagnosis.", "query evaluation/queries/runs.sql")


def _listed(what: str, counts: Counter[str], shown: int = 6) -> str:
    unknown = counts.pop("unknown", 0)
    named = ", ".join(f"{name} ({n})" for name, n in counts.most_common(shown))
    more = f" and {len(counts) - shown} more" if len(counts) > shown else ""
    return f"{len(counts)} {what}(s): {named or 'none named'}{more}; unknown in {unknown} studies"


def _from_reference(evaluation: Evaluation) -> dict[str, Fact | None]:
    reference = evaluation.compared.reference
    bases = ", ".join(f"{n} {name.replace('_', '-')}" for name, n in sorted(reference.grade_bases.items()))
    undecided = sum(v.grade is None for v in reference.vertebrae)
    kappas = [
        f"{r['first']} and {r['second']} {r['estimate']:.2f}"
        for r in evaluation.tables["reader_kappa"]
        if r["name"] == "linear_weighted_kappa" and r["interval"] == "cluster_bootstrap" and r["first"] != "lake"
    ]
    source = "readers' files"
    return {
        "reference_standard": Fact(
            f"{reference.reading_count} readings of {len(reference.vertebrae)} vertebrae in {len(reference.studies)} "
            f"studies ({bases}); put together by the rule '{reference.rule}'; {undecided} vertebrae without a grade.",
            source,
        ),
        "readers": Fact(f"{len(reference.readers)} reader(s).", source),
        "reference_positivity": Fact(
            "Genant grades of the readers; targets " + ", ".join(f"grade >= {t}" for t in _targets(evaluation)) + ".",
            "settings.evaluation.grade_targets",
        ),
        "reference_flow": Fact(
            f"{undecided} of {len(reference.vertebrae)} vertebrae have no reference grade.", "table flow"
        ),
        "reference_sameness": Fact(f"One rule for all: '{reference.rule}'; readings by basis: {bases}.", source),
        "reader_agreement": Fact("Linear weighted kappa: " + "; ".join(kappas) + ".", "table reader_kappa")
        if kappas
        else None,
    }


def _targets(evaluation: Evaluation) -> list[int]:
    return list(evaluation.provenance["settings"]["grade_targets"])


def _from_tables(evaluation: Evaluation) -> dict[str, Fact | None]:
    compared, tables = evaluation.compared, evaluation.tables
    patients = compared.patients
    grades = Counter(patients.reference.tolist())
    exams = [p.exam for p in compared.pairs.patients]
    ages = [e["PatientAge_years"] for e in exams if e["PatientAge_years"] is not None]
    sexes = Counter(e["PatientSex"] or "unknown" for e in exams)
    age = f"mean age {sum(ages) / len(ages):.1f} years" if ages else "no age known"
    positive = int((patients.reference >= 2).sum())
    wrong = [p for p in compared.pairs.vertebrae if p.reason is None and p.grade != p.reference.grade is not None]
    chosen = bool(tables["threshold"])
    threshold = " A probability threshold was chosen on other patients (table threshold)." if chosen else ""
    calibration = [
        f"{r['name'].removeprefix('calibration_')} {_number(r)}"
        for r in tables["metrics"]
        if (r["level"], r["target"], r["analysis"]) == ("patient", _lead(evaluation), "per_protocol")
        and r["name"] in ("calibration_intercept", "calibration_slope", "expected_calibration_error", "brier")
        and r["estimate"] is not None
    ]
    return {
        "positivity": Fact(
            "Called positive from the same grades on, Genant's borders of height loss (20, 25, 40 %), fixed "
            "before this "
            f"evaluation.{threshold}",
            "vfscreen.morphometry.genant",
        ),
        "partitions": Fact(
            "Threshold chosen and applied on different patients, disjoint by patient_key.", "table threshold"
        )
        if chosen
        else None,
        "unevaluable": Fact(
            f"{_absent(patients)} patients and {_absent(compared.vertebrae)} vertebrae with a reference grade "
            f"have no call; "
            "per protocol leaves them out, intention to screen counts them as not flagged, worst case as wrong.",
            "table flow",
        ),
        "flow": Fact(
            f"{len(evaluation.compared.reference.studies)} studies read, {len(compared.pairs.patients)} patients; "
            f"{patients.reference.size} patients and {compared.vertebrae.reference.size} vertebrae with a "
            f"reference grade.",
            "table flow",
        ),
        "demographics": Fact(
            f"{age} ({len(exams) - len(ages)} unknown); sex "
            + ", ".join(f"{s} {n}" for s, n in sorted(sexes.items()))
            + ".",
            "tables subgroups, patient_pairs",
        ),
        "severity": Fact(
            "Worst reference grade of a patient: " + ", ".join(f"grade {g}: {grades[g]}" for g in sorted(grades)) + ".",
            "table patient_pairs",
        ),
        "prevalence": Fact(f"{positive} of {patients.reference.size} patients have grade 2 or more.", "table metrics"),
        "cross_tabulation": Fact("Two-by-two and grade tables of every analysis.", "tables confusion, grades"),
        "performance": Fact("; ".join(_headlines(evaluation)) + ".", "table metrics"),
        "calibration": Fact("Of patients: " + ", ".join(calibration) + ".", "table metrics") if calibration else None,
        "fairness": Fact(
            "By age, sex, site, scanner, slice thickness and contrast; unknown is a group.", "table subgroups"
        ),
        "robustness": Fact(
            "Per protocol, intention to screen and worst case side by side; subgroups by acquisition.",
            "tables metrics, subgroups",
        ),
        "failures": Fact(
            f"{len(wrong)} vertebrae were graded otherwise than by the reference; each with its series and points "
            f"in the "
            "lake.",
            "tables vertebra_pairs, extra_vertebrae",
        ),
    }


def _absent(items: Items) -> int:
    return int((~items.evaluable).sum())


def _lead(evaluation: Evaluation) -> str:
    return f"grade>={_targets(evaluation)[0]}"


def _headlines(evaluation: Evaluation) -> Iterable[str]:
    for row in evaluation.tables["metrics"]:
        place = (row["level"], row["target"], row["analysis"])
        if place == ("patient", _lead(evaluation), "intention_to_screen") and row["name"] in _HEADLINE:
            if row["interval"] in ("wilson", "delong"):
                yield f"patient {row['name']} ({row['target']}, intention to screen) {_number(row)}"
            elif row["estimate"] is None:
                yield f"patient {row['name']} not defined: {row['reason']}"


def _number(row: Mapping[str, Any]) -> str:
    interval = "" if row["low"] is None else f" ({row['low']:.2f}-{row['high']:.2f})"
    return f"{row['estimate']:.2f}{interval}"


def _from_cards(evaluation: Evaluation, cards: Sequence[Card]) -> dict[str, Fact | None]:
    if not cards:
        return {}
    names = ", ".join(str(card["name"]) for card in cards)
    source = f"weight cards {names}"
    sources = sorted(
        {(s["name"], s["licence"]) for card in cards for s in card["training_data"] if s["use"] == "train"}
    )
    limits = [str(text) for card in cards for text in card["limitations"]]
    metrics = [
        f"{m['name']} {m['value']:g} {m['unit']} (n = {m['n']}, {m['data']})" for c in cards for m in c["metrics"]
    ]
    trained = ", ".join(f"{name} ({licence})" for name, licence in sources)
    return {
        "model": Fact(" ".join(f"{c['name']}: {c['description']} ({c['architecture']})" for c in cards), source),
        "training": Fact(
            f"Trained on {trained}. Commands: " + "; ".join(str(c["training_command"]) for c in cards), source
        ),
        "preprocessing": Fact("; ".join(f"{c['name']}: {_preprocessing(c)}" for c in cards), source),
        "card_metrics": Fact("; ".join(metrics), source) if metrics else None,
        "limitations": Fact(" ".join(limits), source) if limits else None,
        "external": Fact(
            f"The weights name these training sources: {trained}. Whether patients of this evaluation are among "
            f"them is "
            "for the site to say.",
            source,
        ),
    }


def _preprocessing(card: Card) -> str:
    window = card["preprocessing"]["window"]
    if window is None:
        return "ranks of a radiograph's pixels, less their local mean, over their local deviation"
    return f"window {window['lower_hu']:g} to {window['upper_hu']:g} HU"
