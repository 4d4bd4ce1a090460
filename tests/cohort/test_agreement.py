"""CT against radiographs on a drawn lake: pairs, kappa and limits as other implementations give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from vfscreen.cohort.filter import CohortFilter, FilterError
from vfscreen.cohort.queries import open_cohort, run_sql
from vfscreen.lake.store import Lake

Row = dict[str, Any]


@pytest.fixture(scope="module")
def pairs(drawn_lake: Lake) -> list[tuple[Row, Row, int]]:
    """(CT vertebra, film vertebra, days apart) of the same patient and level, of the nearest CT, in plain Python."""
    exams = [e for e in run_sql(drawn_lake, "FROM exams").rows() if e["study_date"] is not None]
    of_exam: dict[int, dict[str, Row]] = {}
    for v in run_sql(drawn_lake, "FROM exam_vertebrae").rows():
        of_exam.setdefault(v["exam_id"], {})[v["vertebra_level"]] = v
    found = []
    for film in (e for e in exams if e["modalities"] == ["DX"]):
        scans = [e for e in exams if e["modalities"] == ["CT"] and e["patient_key"] == film["patient_key"]]
        if not scans:
            continue
        ct = min(scans, key=lambda e: (abs((e["study_date"] - film["study_date"]).days), e["study_date"]))
        days = abs((ct["study_date"] - film["study_date"]).days)
        seen = of_exam[ct["exam_id"]]
        found += [(seen[level], v, days) for level, v in of_exam[film["exam_id"]].items() if level in seen]
    return found


def ask(lake: Lake, **values: Any) -> dict[str, Row]:
    with open_cohort(lake) as cohort:
        return {r["vertebra_level"]: r for r in cohort.ask("agreement", CohortFilter.of(**values)).rows()}


@pytest.mark.parametrize("days_max", [None, 1200])
@pytest.mark.parametrize("grade_min", [1, 2])
def test_it_is_what_other_implementations_say(
    drawn_lake: Lake, pairs: list[tuple[Row, Row, int]], days_max: int | None, grade_min: int
) -> None:
    row = ask(drawn_lake, days_max=days_max, grade_min=grade_min)["all"]
    near = [(a, b, d) for a, b, d in pairs if d <= (days_max or 365)]
    graded = [(a, b, d) for a, b, d in near if a["genant_grade"] is not None and b["genant_grade"] is not None]
    ct = np.array([a["genant_grade"] for a, _, _ in graded])
    film = np.array([b["genant_grade"] for _, b, _ in graded])
    assert len(graded) > 50 and {0} < set(ct) and {0} < set(film)
    assert (row["vertebra_pairs"], row["pairs_not_graded"]) == (len(graded), len(near) - len(graded))
    assert row["same_grade"] == int((ct == film).sum())
    assert (row["film_higher"], row["film_lower"]) == (int((film > ct).sum()), int((film < ct).sum()))
    low, high = proportion_confint(row["same_grade"], len(graded), method="wilson")
    assert (row["same_grade_share_low"], row["same_grade_share_high"]) == pytest.approx((low, high))
    assert row["kappa"] == pytest.approx(cohen_kappa_score(ct >= grade_min, film >= grade_min))
    assert row["kappa_low"] <= row["kappa"] <= row["kappa_high"]  # one where all agree
    assert row["weighted_kappa"] == pytest.approx(cohen_kappa_score(ct, film, weights="linear"))
    loss = np.array([b["height_loss_ratio_adjusted"] - a["height_loss_ratio_adjusted"] for a, b, _ in graded])
    assert row["mean_loss_difference"] == pytest.approx(loss.mean())
    assert row["sd_loss_difference"] == pytest.approx(loss.std(ddof=1))
    assert row["limit_high"] - row["limit_low"] == pytest.approx(2 * 1.96 * loss.std(ddof=1))
    days = [d for _, _, d in graded]
    assert (row["median_days_apart"], row["max_days_apart"]) == (float(np.median(days)), max(days))


def test_levels_add_up_to_all_and_uncertain_ones_can_be_left_out(drawn_lake: Lake) -> None:
    found = ask(drawn_lake)
    assert sum(r["vertebra_pairs"] for level, r in found.items() if level != "all") == found["all"]["vertebra_pairs"]
    certain = ask(drawn_lake, level_certain=True)["all"]
    uncertain = found["all"]["pairs_level_uncertain"]
    assert uncertain > 0 and certain["pairs_level_uncertain"] == 0
    assert certain["vertebra_pairs"] == found["all"]["vertebra_pairs"] - uncertain


def test_it_heeds_no_modality(drawn_lake: Lake) -> None:
    with pytest.raises(FilterError, match="modality"):
        ask(drawn_lake, modality=("CT",))
