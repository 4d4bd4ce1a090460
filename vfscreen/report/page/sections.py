"""The figures of each section: which query, which groups, which words.

Belongs here: rows of named queries -> shares, counts and means -> figures. Does not belong here: how a figure is drawn
(`figures`, `chart`), what a query counts (`vfscreen.cohort`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfscreen.report.page import text
from vfscreen.report.page.answers import Answers
from vfscreen.report.page.chart import BLUE, PALE_GREY, SEQUENCE, Chart
from vfscreen.report.page.figures import Count, Mean, Share, Words, count_figure, mean_figure, share_figure

Row = Mapping[str, Any]

_DRIFT_MAX = 400
_GRADES = ("grade 1 or more", "grade 2 or more")
_DENSITIES = {
    "osteoporosis range": SEQUENCE[3],
    "low": SEQUENCE[1],
    "normal": SEQUENCE[0],
    "below": SEQUENCE[3],
    "not below": SEQUENCE[0],
    text.UNKNOWN: PALE_GREY,
}
_SHAPES = {"wedge": BLUE, "biconcave": SEQUENCE[1], "crush": SEQUENCE[3], "none": SEQUENCE[0], text.UNKNOWN: PALE_GREY}
_INDICES = {
    "0": ("sdi_0", SEQUENCE[0]),
    "1 to 3": ("sdi_1_to_3", SEQUENCE[1]),
    "4 to 9": ("sdi_4_to_9", SEQUENCE[2]),
    "10 or more": ("sdi_10_or_more", SEQUENCE[3]),
}
_HIGHEST_HU = 3071.0
"""The highest attenuation of a CT: the query `density`, split there, has every known value on one side."""
_NONE: Row = {"patients": 0, "mean_density_hu": None, "sd_density_hu": None}
_SEXES = {"F": "women", "M": "men", "O": "other"}


def prevalence(answers: Answers) -> tuple[Chart, ...]:
    """By age band and sex, then by sex, site and year on their own."""
    by_age = [
        _share(row, row["age_band"], _sex(row), "fractured_patients", "patients", "prevalence")
        for row in answers.ask("prevalence", by=("age", "sex"))
    ]
    grade_min = answers.restricted.get("grade_min", 2)
    words = Words(
        key="prevalence-age",
        title=f"Patients with grade {grade_min} or more, by age and sex",
        caption="Points are shares, bars 95 % intervals of Wilson (1927). Below each age band: patients in it.",
        category="age band",
        group="sex",
        items="patients",
        order=("women", "men"),
        parted=True,
    )
    charts = [share_figure(words, by_age)]
    for group, column, title in (
        ("sex", "PatientSex", "sex"),
        ("site", "InstitutionName", "site"),
        ("year", "study_year", "year of the examination"),
    ):
        rows = answers.ask("prevalence", by=(group,))
        shares = [
            _share(
                row,
                _sex(row) if group == "sex" else row[column],
                name,
                f"patients_grade{g}",
                "patients",
                f"prevalence_grade{g}",
            )
            for row in rows
            for g, name in enumerate(_GRADES, start=1)
        ]
        words = Words(
            key=f"prevalence-{group}",
            title=f"Patients with a fracture, by {title}",
            caption="Points are shares, bars 95 % intervals of Wilson (1927).",
            category=title,
            group="highest grade",
            items="patients",
        )
        charts.append(share_figure(words, shares))
    return tuple(charts)


def findings(answers: Answers) -> tuple[Chart, ...]:
    """By level; by grade and shape; SDI."""
    by_level: list[Share] = []
    by_grade = [answers.ask("levels", grade_min=g) for g in (1, 2)]
    for rows in zip(*by_grade, strict=True):
        by_level += [
            _share(row, row["vertebra_level"], name, "fractured", "graded", "fractured_share")
            for row, name in zip(rows, _GRADES, strict=True)
        ]
    levels = Words(
        key="levels",
        title="Graded vertebrae that are fractured, by level",
        caption="Of the graded vertebrae of the level, one a patient; bars are 95 % intervals of Wilson (1927). "
        "Cervical vertebrae are measured, not graded.",
        category="level",
        group="grade",
        items="vertebrae",
    )
    return share_figure(levels, by_level), _shapes(answers), _indices(answers)


def density(answers: Answers) -> tuple[Chart, ...]:
    """Reference attenuation by age and sex; categories by age; fractures by category."""
    highest = answers.restricted.get("density_below_hu", _HIGHEST_HU)
    rows = answers.ask("density", by=("age", "sex"), density_below_hu=highest)
    means = []
    for band, sex in dict.fromkeys((row["age_band"], _sex(row)) for row in rows):
        of_class = {r["density_class"]: r for r in rows if (r["age_band"], _sex(r)) == (band, sex)}
        known, unknown = of_class.get("below", _NONE), of_class.get(text.UNKNOWN, _NONE)
        means.append(
            Mean(band, sex, known["patients"], unknown["patients"], known["mean_density_hu"], known["sd_density_hu"])
        )
    which = (
        "as measured"
        if answers.restricted.get("density_kind") == "raw"
        else "corrected for voltage, contrast and kernel"
    )
    hu = Words(
        key="density-age",
        title="Reference attenuation by age and sex",
        caption=f"Of L1, or the declared fall-back, {which}. Points are means, bars one standard deviation either way.",
        category="age band",
        group="sex",
        items="patients",
        order=("women", "men"),
        parted=True,
    )
    classes = [
        Count(row["age_band"], text.spaced(row["density_class"]), row["patients"])
        for row in answers.ask("density", by=("age",))
    ]
    words = Words(
        key="density-class",
        title="Density category by age",
        caption="The site's thresholds (settings) on the reference value. Without a valid reference: unknown.",
        category="age band",
        group="category",
        items="patients",
    )
    crossed = [
        _share(
            row, text.spaced(row["density_class"]), "fractured", "fractured_patients", "graded_patients", "prevalence"
        )
        for row in answers.ask("density", by=())
    ]
    cross = Words(
        key="density-fracture",
        title="Patients with a fracture, by density category",
        caption="Of the patients of the category with a graded vertebra; bars are 95 % intervals of Wilson (1927).",
        category="category",
        group="patients",
        items="patients",
    )
    return mean_figure(hu, means, "HU"), count_figure(words, classes, _DENSITIES), share_figure(cross, crossed)


def drift(answers: Answers) -> tuple[Chart, ...]:
    """Patients with a fracture by year and scanner."""
    shares = [
        _share(row, row["study_year"], row["scanner"], "fractured_patients", "patients", "prevalence")
        for row in answers.ask("prevalence", by=("year", "scanner"))
    ]
    words = Words(
        key="drift-scanner",
        title="Patients with a fracture, by year and scanner",
        caption="Points are shares, bars 95 % intervals of Wilson (1927). A step on one scanner alone is the "
        "machine's, the protocol's or ours before it is the patients'.",
        category="year",
        group="scanner",
        items="patients",
        parted=True,
    )
    return (share_figure(words, shares),)


DRIFT_HEADINGS = (
    "year", "scanner", "kernel", "series", "rejected", "failed", "exams", "graded vertebrae", "mean loss", "change",
    "grade 2 or more", "mean HU", "change (HU)", "mean P(detection)", "mean P(level)", "numbering certain",
)  # fmt: skip


def drift_rows(answers: Answers) -> tuple[tuple[tuple[str, ...], ...], str]:
    """What the model gave, by year, scanner and kernel, as the query `drift` has it; and what of it is not shown."""
    found, total = answers.first("drift", _DRIFT_MAX)
    rows = tuple(
        (
            row["study_year"],
            row["scanner"],
            row["ConvolutionKernel"],
            text.count(row["series"]),
            text.percent(row["rejected_share"]),
            text.percent(row["failed_share"]),
            text.count(row["exams"]),
            text.count(row["graded_vertebrae"]),
            text.percent(row["mean_loss"]),
            text.change(row["mean_loss_change"], percent=True),
            text.percent(row["grade2_share"]),
            text.decimal(row["mean_trabecular_hu"], 0),
            text.change(row["mean_trabecular_hu_change"]),
            text.probability(row["mean_detection_probability"]),
            text.probability(row["mean_level_probability"]),
            text.percent(row["certain_share"]),
        )
        for row in found
    )
    left = total - len(rows)
    return rows, f"{left:,} further rows: vfscreen query drift --lake LAKE --format csv" if left else ""


def _shapes(answers: Answers) -> Chart:
    found: dict[tuple[int, str], int] = {}
    for row in answers.ask("grades"):
        if row["genant_grade"] is not None:
            key = (row["genant_grade"], row["deformity_type"] or text.UNKNOWN)
            found[key] = found.get(key, 0) + row["vertebrae"]
    normal = sum(n for (grade, _), n in found.items() if grade == 0)
    words = Words(
        key="grades",
        title="Fractured vertebrae by grade and shape",
        caption="Headline grade (of the adjusted loss) and Genant's shape. Not drawn: "
        f"{normal:,} graded vertebrae of grade 0.",
        category="grade",
        group="shape",
        items="vertebrae",
    )
    counts = [Count(f"grade {grade}", shape, n) for (grade, shape), n in sorted(found.items()) if grade > 0]
    return count_figure(words, counts, _SHAPES)


def _indices(answers: Answers) -> Chart:
    words = Words(
        key="sdi",
        title="Spinal deformity index by age",
        caption="Sum of grades over the levels of T4-L4 that were graded; over few levels it is a lower bound.",
        category="age band",
        group="SDI",
        items="patients",
    )
    counts = [
        Count(row["age_band"], name, row[column])
        for row in answers.ask("sdi", by=("age",))
        for name, (column, _) in _INDICES.items()
    ]
    return count_figure(words, counts, {name: shade for name, (_, shade) in _INDICES.items()})


def _share(row: Row, category: str | None, group: str, k: str, n: str, share: str) -> Share:
    return Share(
        category=category or text.UNKNOWN,
        group=group,
        k=row[k],
        n=row[n],
        share=row[share],
        low=row[f"{share}_low"],
        high=row[f"{share}_high"],
    )


def _sex(row: Row) -> str:
    return _SEXES.get(row["PatientSex"], text.UNKNOWN)
