"""The sample of a re-reading: stratified, seeded, blinded, with the precision and power it says."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from scipy.stats import binomtest

from vfscreen.audit.compare import Compared
from vfscreen.audit.findings import Study, Vertebra
from vfscreen.audit.sampling import SHEET_COLUMNS, STRATA, SamplePlan, blinded_id, plan_sample
from vfscreen.settings_audit import SamplingSettings


class _Cell:
    """What the sampling needs of a compared study: its cell, and who it is."""

    def __init__(self, number: int, stratum: str, evaluable: bool = True) -> None:
        vertebrae = (Vertebra(f"1.9.{number}", "T8", True, 0, 0.0, None, None),) if evaluable else ()
        self.study = Study(
            f"1.2.{number}", f"p{number // 2}", None, None, None, None, None, True, f"1.9.{number}", None, vertebrae
        )
        self.stratum = stratum


def cells(**counts: int) -> list[Compared]:
    found: list[Any] = []
    for stratum, count in counts.items():
        found += [_Cell(len(found) + i, stratum) for i in range(count)]
    return cast("list[Compared]", found)


def plan(found: list[Compared], **settings: Any) -> SamplePlan:
    return plan_sample(found, SamplingSettings(**settings))


def test_every_stratum_has_its_share_and_small_ones_give_theirs_up() -> None:
    found = cells(found_only=40, both=3, reported_only=0, neither=500)
    sizes = {r["stratum"]: r["sample_count"] for r in plan(found, study_count=50).plan}
    assert sizes == {"found_only": 24, "both": 3, "reported_only": 0, "neither": 23}
    everything = plan(found, study_count=10_000)
    assert len(everything.key) == len(found)


def test_weights_stand_for_the_population() -> None:
    sample = plan(cells(found_only=40, both=10, reported_only=8, neither=500), study_count=60)
    for row in sample.plan:
        weights = [k["weight"] for k in sample.key if k["stratum"] == row["stratum"]]
        assert len(weights) == row["sample_count"]
        assert sum(weights) == pytest.approx(row["population_count"])


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    found = cells(found_only=40, both=40, neither=40)
    shuffled = random.Random(1).sample(found, len(found))
    assert plan(found, study_count=30) == plan(shuffled, study_count=30)
    other = plan(found, study_count=30, seed=2)
    assert {k["StudyInstanceUID"] for k in other.key} != {
        k["StudyInstanceUID"] for k in plan(found, study_count=30).key
    }


def test_a_study_more_changes_one_place_at_most() -> None:
    found = cells(found_only=200)
    before = {k["StudyInstanceUID"] for k in plan(found[:-1], study_count=50).key}
    after = {k["StudyInstanceUID"] for k in plan(found, study_count=50).key}
    assert len(before - after) <= 1


def test_sheets_betray_nothing() -> None:
    found = cells(found_only=20, both=20, reported_only=20, neither=20)
    sample = plan(found, study_count=40, readers=("anna", "ben"), levels=("T8", "L1"))
    assert set(sample.sheets) == {"anna", "ben"}
    for reader, rows in sample.sheets.items():
        assert len(rows) == 2 * 40
        assert all(set(row) <= set(SHEET_COLUMNS) and row["reader"] == reader for row in rows)
    # strata are mixed: of the first ten studies not all are of one
    assert len({k["stratum"] for k in sample.key[:10]}) > 1
    assert len({k["blinded_id"] for k in sample.key}) == 40
    assert blinded_id(1, "1.2.3") != blinded_id(2, "1.2.3")


def test_studies_that_cannot_be_evaluated_are_not_drawn() -> None:
    found = cast("list[Compared]", [_Cell(i, "neither", evaluable=i % 2 == 0) for i in range(10)])
    assert plan(found, study_count=100).plan[STRATA.index("neither")]["population_count"] == 5


def test_power_is_that_of_the_exact_test() -> None:
    (row,) = [r for r in plan(cells(found_only=100), study_count=50).plan if r["stratum"] == "found_only"]
    limit = row["rejected_from_count"]
    assert binomtest(limit, 50, 0.5, alternative="greater").pvalue <= 0.025
    assert binomtest(limit - 1, 50, 0.5, alternative="greater").pvalue > 0.025
    assert 0.7 < row["power"] < 0.9
    low, high = binomtest(25, 50).proportion_ci(method="wilson")
    assert row["half_width_at_half"] == pytest.approx((high - low) / 2)
