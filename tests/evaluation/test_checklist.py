"""Checklists: complete, filled only from what is known, never invented."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.evaluation.readings import Row
from vfscreen.evaluation.checklist import OPEN, fill_checklists, load_checklists
from vfscreen.evaluation.fact import Fact
from vfscreen.evaluation.facts import collect_facts
from vfscreen.evaluation.study import Evaluation
from vfscreen.models.registry import read_release


def test_the_checklists_are_whole() -> None:
    """CLAIM 2024 has 44 items, STARD-AI 48 (40 with their parts), TRIPOD+AI 52 (27 with theirs), QUADAS-2 11 signalling
    questions."""
    counts = {c["name"]: len(c["items"]) for c in load_checklists()}
    assert counts == {"CLAIM": 44, "STARD-AI": 48, "TRIPOD+AI": 52, "QUADAS-2": 11}
    for checklist in load_checklists():
        ids = [item["id"] for item in checklist["items"]]
        assert len(set(ids)) == len(ids)
        assert checklist["citation"]
    for name, last in (("STARD-AI", 40), ("CLAIM", 44), ("TRIPOD+AI", 27)):
        checklist = next(c for c in load_checklists() if c["name"] == name)
        assert {item["id"].rstrip("abcdefg") for item in checklist["items"]} == {str(n) for n in range(1, last + 1)}


def test_nothing_known_leaves_everything_open() -> None:
    rows = fill_checklists({})
    assert {row["answer"] for row in rows} == {OPEN}
    assert {row["filled"] for row in rows} == {"no"}


def test_an_item_known_in_part_says_so() -> None:
    rows = fill_checklists({"sites": Fact("Two sites.", "query")})
    partly = next(r for r in rows if (r["checklist"], r["item"]) == ("STARD-AI", "9"))
    assert (partly["filled"], partly["source"]) == ("partly", "query")
    assert partly["answer"] == f"Two sites. The rest: {OPEN}."


@pytest.fixture
def evaluation(against: Callable[..., Evaluation], truth_readings: list[Row]) -> Evaluation:
    return against(truth_readings)


def test_facts_are_those_of_the_data_and_name_their_source(evaluation: Evaluation) -> None:
    facts = collect_facts(evaluation)
    assert all(fact.text and fact.source for fact in facts.values())
    assert "Synthetic General Hospital" in facts["sites"].text
    assert "slice_spacing_max_mm" in facts["eligibility"].text
    assert f"{len(evaluation.compared.findings.exams)} studies" in facts["data_source"].text
    assert "sensitivity (grade>=2, intention to screen) 1.00" in facts["performance"].text
    # of the weights, the readers' training or funding nothing is known here, so nothing is said
    assert not {"model", "training", "limitations", "external"} & facts.keys()
    rows = {(r["checklist"], r["item"]): r for r in fill_checklists(facts)}
    for item in (("CLAIM", "44"), ("CLAIM", "22"), ("CLAIM", "21"), ("STARD-AI", "17b"), ("QUADAS-2", "3.2")):
        assert rows[item]["answer"] == OPEN
    assert rows[("QUADAS-2", "2.1")]["filled"] == "yes"


def test_every_fact_an_item_asks_for_can_be_given(evaluation: Evaluation) -> None:
    """With cards and readers, only a reader's agreement and a threshold of others stay unknown here."""
    cards = [card.model_dump(mode="json") for card in read_release().values()]
    known = collect_facts(evaluation, cards).keys()
    asked = {name for c in load_checklists() for item in c["items"] for name in item["facts"]}
    assert asked - known <= {"reader_agreement", "partitions", "calibration"}
    assert known <= asked
