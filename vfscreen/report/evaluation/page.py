"""The evaluation's page: one HTML file that holds its figures and shows its tables, each number with its source.

Belongs here: which table is shown how. Does not belong here: drawing (figures), files (folder), numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from vfscreen.evaluation.study import Evaluation
from vfscreen.report.evaluation.figures import Drawing

Row = dict[str, Any]

_HIDDEN = ("StudyInstanceUID", "SeriesInstanceUID")
_SECTIONS: tuple[tuple[str, str, str], ...] = (
    ("flow", "Flow", "Where every reading, study, vertebra and patient went."),
    ("metrics", "Accuracy and calibration", "By patient and by vertebra, each analysis, with both kinds of interval."),
    ("weighted_metrics", "Rates in the population", "Readings weighted as the sample was drawn."),
    ("confusion", "Two-by-two tables", "Counts behind the rates."),
    ("grades", "Grades", "Reference grade against the lake's; an empty lake grade is an item without a call."),
    ("kappa", "Agreement on grades", "Of items that both graded."),
    (
        "bland_altman",
        "Measurements",
        "Lake minus reference. With several vertebrae of a patient after Bland and Altman 2007.",
    ),
    ("subgroups", "Subgroups", "Missing values are a group of their own. Small groups are counted, not measured."),
    ("readers", "Readers", "Each reader against the reference, patients."),
    ("reader_comparisons", "Lake and readers compared", "On patients that both graded."),
    ("reader_kappa", "Kappa between readers and lake", "Of vertebrae, intervals over patients."),
    ("reader_study", "Several readers", "Obuchowski-Rockette, random readers and cases, DeLong covariances."),
    ("threshold", "Threshold of another set", "Chosen on the tuning patients, applied to these."),
)
"""(table, heading, what it is), in the order of the page. The other tables are files beside it."""


@dataclass(frozen=True)
class Section:
    """A table of the page. rows: cells as words; headings: their columns."""

    key: str
    heading: str
    text: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render_page(evaluation: Evaluation, drawings: Sequence[Drawing], checklist: Sequence[Row]) -> str:
    """The whole page. It loads nothing: style and figures are inside."""
    environment, style = page_environment()
    tables = evaluation.tables
    return environment.get_template("evaluation/evaluation.html.j2").render(
        style=style,
        evaluation=evaluation,
        headline=_headline(tables["metrics"]),
        figures=[(d, inline_svg(d)) for d in drawings],
        sections=[section for place in _SECTIONS if (section := table_section(tables, *place)) is not None],
        checklists=_checklists(checklist),
        provenance=[(name, _words(value)) for name, value in evaluation.provenance.items() if name != "queries"],
        queries=evaluation.provenance["queries"],
    )


def page_environment() -> tuple[Environment, Markup]:
    """Templates of the evaluation's pages and of the lake's page, and the style they share."""
    environment = Environment(
        loader=PrefixLoader(
            {
                "evaluation": PackageLoader("vfscreen.report.evaluation", "templates"),
                "page": PackageLoader("vfscreen.report.page", "templates"),
            }
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None
    return environment, Markup(loader.get_source(environment, "page/style.css")[0])


def inline_svg(drawing: Drawing) -> Markup:
    """A figure as part of a page."""
    svg = drawing.encoded("svg").decode("utf-8")
    svg = svg[svg.index("<svg") :]
    # ids of several drawings in one page must not meet
    for before in ('id="', "url(#", 'href="#'):
        svg = svg.replace(before, f"{before}{drawing.key}-")
    return Markup(svg)


def table_section(tables: Mapping[str, Sequence[Row]], key: str, heading: str, text: str) -> Section | None:
    """A table of the page; None where it has no rows."""
    rows = tables.get(key, [])
    if not rows:
        return None
    names = [n for n in dict.fromkeys(name for row in rows for name in row) if n not in _HIDDEN]
    names = [n for n in names if any(row.get(n) not in (None, "") for row in rows)]
    cells = tuple(tuple(_words(row.get(name)) for name in names) for row in rows)
    return Section(key, heading, text, tuple(n.replace("_", " ") for n in names), cells)


def _headline(metrics: Sequence[Row]) -> list[Row]:
    """What is shown large: patients at the first target, intention to screen."""
    lead = metrics[0]["target"]
    wanted = ("sensitivity", "specificity", "ppv", "npv", "auc")
    return [
        row | {"shown": "not defined" if row["estimate"] is None else f"{row['estimate']:.3f}"}
        for row in metrics
        if (row["level"], row["target"], row["analysis"]) == ("patient", lead, "intention_to_screen")
        and row["name"] in wanted
        and row["interval"] in ("wilson", "delong", None)
    ]


def _checklists(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["checklist"], []).append(row)
    return found


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "; ".join(f"{name} {_words(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(v) for v in value)
    return str(value)
