"""Figures against the named queries they come from, and what is said of what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

import pytest

from tests.report.page.conftest import density
from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.queries import Cohort, open_cohort
from vfscreen.lake.store import Lake
from vfscreen.report.page import sections, text
from vfscreen.report.page.answers import Answers


@pytest.fixture(scope="module")
def cohort(found_lake: Lake) -> Iterator[Cohort]:
    with open_cohort(found_lake) as opened:
        yield opened


@pytest.fixture
def answers(cohort: Cohort) -> Answers:
    return Answers(cohort, CohortFilter())


def test_prevalence_tables_are_the_query_row_by_row(answers: Answers, cohort: Cohort) -> None:
    by_age, by_sex, by_site, by_year = sections.prevalence(answers)
    found = cohort.ask("prevalence", CohortFilter(by=("age", "sex"))).rows()
    assert len(by_age.rows) == len(found)
    for cells, row in zip(by_age.rows, found, strict=True):
        assert cells[2] == text.percent(row["prevalence"])
        assert cells[4:] == (str(row["fractured_patients"]), str(row["patients"]))
    assert sum(int(cells[5]) for cells in by_age.rows) == 40
    for chart in (by_sex, by_site, by_year):
        assert sum(int(cells[5]) for cells in chart.rows if cells[1] == "grade 2 or more") == 40
        assert any(cells[0] == "unknown" for cells in chart.rows)
        assert chart.svg and "unknown" in chart.svg


def test_levels_have_both_thresholds_with_their_own_counts(answers: Answers) -> None:
    levels = sections.findings(answers)[0]
    assert [cells[0] for cells in levels.rows] == ["T4", "T4", "T5", "T5", "T6", "T6"]
    assert [cells[4] for cells in levels.rows if cells[0] == "T5"] == ["12", "12"]


def test_density_is_the_mean_of_those_who_have_one(answers: Answers) -> None:
    by_age, by_class, crossed = sections.density(answers)
    with_value = [n for n in range(40) if density(n)]
    assert sum(int(cells[4]) for cells in by_age.rows) == len(with_value) == 20
    assert sum(int(cells[5]) for cells in by_age.rows) == 20  # without a value, counted
    women_of_40s = [n for n in with_value if n % 3 == 0 and n % 11 != 10 and 40 <= 45 + n % 50 < 50]
    expected = mean(190.0 - n for n in women_of_40s)
    assert next(cells[2] for cells in by_age.rows if cells[:2] == ("40-49", "women")) == f"{expected:.1f}"
    assert sum(int(cells[2]) for cells in by_class.rows) == 40
    assert {cells[0] for cells in crossed.rows} == {"low", "normal", "unknown"}


def test_a_density_limit_restricts_the_density_figures_too(cohort: Cohort) -> None:
    by_age, by_class, _ = sections.density(Answers(cohort, CohortFilter(density_below_hu=170.0)))
    assert sum(int(cells[4]) for cells in by_age.rows) == sum(1 for n in range(40) if density(n) and 190.0 - n < 170)
    assert {cells[1] for cells in by_class.rows} == {"below", "not below", "unknown"}


def test_drift_names_year_scanner_and_kernel(answers: Answers) -> None:
    (chart,) = sections.drift(answers)
    assert {cells[1] for cells in chart.rows} == {"ACME Scan 0", "ACME Scan 1"}
    rows, rest = sections.drift_rows(answers)
    assert rest == "" and len(rows) == 12
    assert len({len(row) for row in rows}) == 1 and len(rows[0]) == len(sections.DRIFT_HEADINGS)
    assert {row[2] for row in rows} == {"unknown"}


def test_women_and_men_keep_their_marks_whoever_comes_first(cohort: Cohort) -> None:
    """The colour of a sex does not depend on which rows there are."""
    both = sections.prevalence(Answers(cohort, CohortFilter()))[0].svg
    men = sections.prevalence(Answers(cohort, CohortFilter(sex=("M",))))[0].svg
    assert "#D55E00" in both and "#D55E00" in men


def test_what_a_query_cannot_heed_is_named(cohort: Cohort) -> None:
    answers = Answers(cohort, CohortFilter(grade_min=3, sex=("F",)))
    answers.ask("grades")
    answers.ask("levels")
    assert answers.restricted == {"grade_min": 3, "sex": ("F",)}
    assert answers.not_heeded == {"grades": ["grade_min"]}
    assert set(answers.asked) == {"grades", "levels"} and all(answers.asked.values())
