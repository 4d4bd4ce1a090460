"""Headline numbers and the flow from files to patients, in words.

Belongs here: choosing and wording. Does not belong here: counting (`vfscreen.cohort`), layout (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfscreen.report.page import text
from vfscreen.report.page.answers import Answers

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Tile:
    """A headline number; notes say of what it is, how sure, and what is missing."""

    label: str
    value: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A box of the flow. apart: lines inside it. out: (reason, count) of what leaves here."""

    title: str
    value: str
    apart: tuple[str, ...] = ()
    out_title: str = ""
    out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Incident:
    """New fractures between examinations: a sentence and the table behind it."""

    text: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def flow(answers: Answers) -> tuple[Stage, ...]:
    """A box for each unit (files, series, exams, patients, vertebrae): all of it, what leaves, what is kept."""
    units: dict[str, list[Row]] = {}
    for row in answers.ask("flow"):
        units.setdefault(row["unit"], []).append(row)
    return tuple(_stage(rows) for rows in units.values())


def tiles(answers: Answers) -> tuple[Tile, ...]:
    """The headline numbers, each with its denominator, its interval where it has one, and what is unknown."""
    steps = {(r["unit"], r["kind"], r["step"]): r["item_count"] for r in answers.ask("flow") if r["reason"] is None}
    overall = next(iter(answers.ask("prevalence", by=())), None)
    sdi = next(iter(answers.ask("sdi", by=())), None)
    return (
        _analysed(steps, overall),
        _prevalence("Patients with grade 2 or more", overall, 2),
        _prevalence("Patients with grade 1 or more", overall, 1),
        _vertebrae(answers),
        _deformity(sdi),
        _density(answers),
        _new(answers.ask("incident", by=())),
        _missing(answers),
    )


def incident(answers: Answers) -> Incident:
    """New fractures by age band of the earlier exam."""
    rows = answers.ask("incident", by=("age",))
    if not rows:
        return Incident("No patient has two dated examinations that were screened.")
    headings = (
        "age band", "patients", "person-years", "new fractures (vertebrae)", "patients with one",
        "rate a 1,000 person-years", "95 % interval", "level pairs", "numbering not certain", "vanished",
    )  # fmt: skip
    cells = tuple(
        (
            row["age_band"],
            text.count(row["patients"]),
            text.decimal(row["person_years"]),
            text.count(row["incident_vertebrae"]),
            text.count(row["incident_patients"]),
            _rate(row),
            _limits(row["rate_low"], row["rate_high"]),
            text.count(row["vertebra_pairs"]),
            text.count(row["pairs_level_uncertain"]),
            text.count(row["vanished_vertebrae"]),
        )
        for row in rows
    )
    return Incident(
        "The same level graded on two consecutive examinations of a patient, without a fracture on the earlier and "
        "with one on the later. When in between it broke is unknown: the rate is of interval-censored times, with the "
        "95 % interval of the profile likelihood. Pairs whose numbering is not certain are left out and counted. "
        "Vanished fractures (on the earlier, not on the later) measure the error of the method.",
        headings,
        cells,
    )


def _stage(rows: Sequence[Row]) -> Stage:
    whole = next(row for row in rows if row["kind"] == "all")
    left = [row for row in rows if row["kind"] == "excluded" and row["item_count"]]
    inside = [row for row in rows if row["kind"] in ("kept", "of them")]
    out_count = sum(row["item_count"] for row in left)
    return Stage(
        title=whole["step"],
        value=text.count(whole["item_count"]),
        apart=tuple(f"{text.count(row['item_count'])} {row['step']}" for row in inside),
        out_title=f"Left out: {text.count(out_count)}" if left else "",
        out=tuple((_reason(row), text.count(row["item_count"])) for row in left),
    )


def _reason(row: Row) -> str:
    step = text.spaced(row["step"])
    return step if row["reason"] is None or row["reason"] == row["step"] else f"{step}: {text.spaced(row['reason'])}"


def _analysed(steps: Mapping[tuple[str, str, str], int], overall: Row | None) -> Tile:
    chosen = steps.get(("patients", "all", "patients with a chosen exam"), 0)
    not_graded = overall["patients_not_graded"] if overall else 0
    return Tile(
        "Patients analysed",
        text.count(overall["patients"] if overall else 0),
        (f"of {text.count(chosen)} with a screened examination", f"no graded vertebra: {text.count(not_graded)}"),
    )


def _prevalence(label: str, overall: Row | None, grade: int) -> Tile:
    if overall is None or not overall["patients"]:
        return Tile(label, "no patients", ("0 patients with a graded vertebra",))
    name = f"prevalence_grade{grade}"
    k, n = text.count(overall[f"patients_grade{grade}"]), text.count(overall["patients"])
    interval = f"95 % CI {text.interval(overall[f'{name}_low'], overall[f'{name}_high'])}"
    return Tile(label, text.percent(overall[name]), (interval, f"{k} of {n} with a graded vertebra"))


def _vertebrae(answers: Answers) -> Tile:
    rows = answers.ask("grades")
    graded = [row for row in rows if row["genant_grade"] is not None]
    by_grade = {g: sum(r["vertebrae"] for r in graded if r["genant_grade"] == g) for g in range(4)}
    missing = sum(row["vertebrae"] for row in rows) - sum(by_grade.values())
    return Tile(
        "Vertebrae graded",
        text.count(sum(by_grade.values())),
        (
            ", ".join(f"grade {grade}: {text.count(by_grade[grade])}" for grade in (1, 2, 3)),
            f"seen but not graded: {text.count(missing)}",
        ),
    )


def _deformity(sdi: Row | None) -> Tile:
    label = "Mean spinal deformity index"
    if sdi is None or not sdi["patients"]:
        return Tile(label, "no patients", ("no level of T4-L4 was graded",))
    spread = "" if sdi["sd_sdi"] is None else f"SD {text.decimal(sdi['sd_sdi'], 2)}, "
    return Tile(
        label,
        text.decimal(sdi["mean_sdi"], 2),
        (
            f"{spread}highest {text.count(sdi['max_sdi'])}, {text.count(sdi['patients'])} patients",
            f"all 13 levels graded in {text.count(sdi['patients_all_levels'])}; not assessed: "
            f"{text.count(sdi['patients_not_assessed'])}",
        ),
    )


def _density(answers: Answers) -> Tile:
    rows = answers.ask("density", by=())
    known = [row for row in rows if row["density_class"] != text.UNKNOWN]
    unknown = sum(row["patients"] for row in rows) - sum(row["patients"] for row in known)
    if not known:
        return Tile("Bone density", text.UNKNOWN, (f"no valid reference in {text.count(unknown)} patients",))
    limit = answers.restricted.get("density_below_hu")
    wanted = "osteoporosis_range" if limit is None else "below"
    share = next((row["class_share"] for row in known if row["density_class"] == wanted), 0.0)
    said = ", ".join(f"{text.spaced(r['density_class'])} {text.count(r['patients'])}" for r in known)
    return Tile(
        "Density in the osteoporosis range" if limit is None else f"Density below {limit:g} HU",
        text.percent(share),
        (
            f"of {text.count(sum(r['patients'] for r in known))} with a reference: {said}",
            f"unknown: {text.count(unknown)}",
        ),
    )


def _new(rows: Sequence[Row]) -> Tile:
    label = "New fractures a 1,000 person-years"
    row = next(iter(rows), None)
    if row is None or not row["intervals"]:
        return Tile(label, text.UNKNOWN, ("no patient with two paired examinations",))
    followed = f"patients: {text.count(row['patients'])}, person-years: {text.decimal(row['person_years'])}"
    interval = f"95 % CI {_limits(row['rate_low'], row['rate_high'])}"
    return Tile(label, _rate(row), (interval, followed))


def _rate(row: Row) -> str:
    """Where every interval has an event, only a lower limit is known."""
    rate, low = row["rate_per_1000_person_years"], row["rate_low"]
    return f"at least {text.decimal(low)}" if rate is None and low is not None else text.decimal(rate)


def _limits(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "no interval"
    return f"{text.decimal(low)} to {'no upper limit' if high is None else text.decimal(high)}"


def _missing(answers: Answers) -> Tile:
    """How many patients lack an age or a sex; they are counted, in groups of their own."""
    lacking = {}
    for group, column in (("age", "age_band"), ("sex", "PatientSex")):
        rows = answers.ask("prevalence", by=(group,))
        lacking[group] = sum(r["patients"] + r["patients_not_graded"] for r in rows if r[column] == text.UNKNOWN)
    return Tile(
        "Patients without an age",
        text.count(lacking["age"]),
        (f"without a sex: {text.count(lacking['sex'])}", "counted as unknown, never guessed"),
    )
