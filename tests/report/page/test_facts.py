"""Headline numbers and the flow: sums that agree, and words where there is no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.queries import open_cohort
from vfscreen.lake.store import Lake
from vfscreen.report.page import facts
from vfscreen.report.page.answers import Answers


def ask(lake: Lake, what: Any, **filter_: Any) -> Any:
    with open_cohort(lake) as cohort:
        return what(Answers(cohort, CohortFilter(**filter_)))


def test_every_box_of_the_flow_adds_up(found_lake: Lake) -> None:
    for restricted in ({}, {"sex": ("F",)}, {"age_min": 60}, {"density_below_hu": 170.0}):
        for stage in ask(found_lake, facts.flow, **restricted):
            out = sum(int(n.replace(",", "")) for _, n in stage.out)
            kept = int(stage.apart[0].split(" ")[0].replace(",", ""))
            assert int(stage.value.replace(",", "")) == kept + out, stage
            assert stage.out_title == (f"Left out: {out}" if out else "")


def test_exams_without_an_age_leave_for_a_reason_of_their_own(found_lake: Lake) -> None:
    exams = ask(found_lake, facts.flow, age_min=60)[2]
    assert ("age: missing", "3") in exams.out


def test_tiles_of_an_empty_lake_say_unknown_not_zero(empty_lake: Lake) -> None:
    tiles = {t.label: t for t in ask(empty_lake, facts.tiles)}
    assert tiles["Patients with grade 2 or more"].value == "no patients"
    assert tiles["Mean spinal deformity index"].value == "no patients"
    assert tiles["Bone density"].value == "unknown"
    assert tiles["New fractures a 1,000 person-years"].value == "unknown"
    assert "No patient has two dated examinations" in ask(empty_lake, facts.incident).text


@pytest.fixture
def followed_lake(tmp_path: Path) -> Lake:
    """P0 twice, ten years apart: T5 whole, then a grade 2. P1 twice, whole both times."""
    lake = Lake.create(tmp_path / "lake")
    manifest = [
        manifest_row(n, patient_pseudonym=f"P{n % 2}", StudyDate="20100101" if n < 2 else "20200101") for n in range(4)
    ]
    put_index(lake, manifest)
    land(lake, "s", [ended(row, (0.1, 0.3 if n == 2 else 0.05)) for n, row in enumerate(manifest)])
    return lake


def test_a_new_fracture_is_a_rate_with_its_interval(followed_lake: Lake) -> None:
    tile = next(t for t in ask(followed_lake, facts.tiles) if t.label.startswith("New fractures"))
    # constant hazard r, ten years each: log L = log(1 - exp(-10 r)) - 10 r, highest at r = log(2) / 10
    assert tile.value == "69.3"
    assert tile.notes[1] == "patients: 2, person-years: 20.0"
    incident = ask(followed_lake, facts.incident)
    assert incident.rows[0][3:6] == ("1", "1", "69.3")


def test_a_density_limit_is_what_the_tile_counts(found_lake: Lake) -> None:
    tile = next(t for t in ask(found_lake, facts.tiles, density_below_hu=170.0) if "Density" in t.label)
    assert tile.label == "Density below 170 HU"
    assert tile.value == "45.0 %" and tile.notes[0].startswith("of 20 with a reference")  # patients 22, 24 ... 38
