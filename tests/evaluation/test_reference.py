"""What several readers add up to, by each declared rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.readings import reading
from vfscreen.evaluation.reference import Reference, ReferenceVertebra, build_reference
from vfscreen.evaluation.reference_files import ReadingsFile, ReferenceStandardError


def built(*rows: dict[str, Any], rule: str | None = None, **options: Any) -> Reference:
    return build_reference([ReadingsFile("f", "0" * 64, rows)], rule, **options)


def of_readers(*grades: int | None, rule: str, **values: Any) -> ReferenceVertebra:
    rows = [reading(1, "T12", g, f"r{i}", **values) for i, g in enumerate(grades)]
    (vertebra,) = built(*rows, rule=rule).vertebrae
    return vertebra


@pytest.mark.parametrize(
    ("rule", "grades", "grade", "undecided"),
    [
        ("majority", (2, 2, 0), 2, None),
        ("majority", (2, 1, 0), None, "no_majority"),
        ("majority", (2, 2, None), 2, None),
        ("majority", (2, 0, None), None, "no_majority"),
        ("majority", (None, None, None), None, "not_evaluable"),
        ("median", (3, 1, 0), 1, None),
        ("median", (2, 1), None, "no_majority"),
        ("median", (2, 0), 1, None),
        ("reader:r1", (0, 3, 0), 3, None),
        ("reader:r1", (0, None, 0), None, "not_evaluable"),
    ],
)
def test_rules(rule: str, grades: tuple[int | None, ...], grade: int | None, undecided: str | None) -> None:
    found = of_readers(*grades, rule=rule)
    assert (found.grade, found.undecided) == (grade, undecided)
    assert [r.grade for r in found.readings] == list(grades)


@given(st.lists(st.integers(0, 3), min_size=3, max_size=7), st.randoms())
def test_majority_and_median_do_not_ask_who_comes_first(grades: list[int], random: Any) -> None:
    shuffled = random.sample(grades, len(grades))
    for rule in ("majority", "median"):
        assert of_readers(*grades, rule=rule).grade == of_readers(*shuffled, rule=rule).grade
    if len(set(grades)) == 1:
        assert of_readers(*grades, rule="majority").grade == grades[0]


def test_the_adjudicator_decides_and_silence_is_no_grade() -> None:
    rows = [reading(1, "T12", g, f"r{g}", adjudicated_sq_grade=a) for g, a in ((0, 3), (2, None))]
    rows.append(reading(1, "L1", 1, "r0"))
    t12, l1 = built(*rows, rule="adjudicated").vertebrae
    assert (t12.grade, l1.grade, l1.undecided) == (3, None, "not_adjudicated")
    rows[1]["adjudicated_sq_grade"] = 1
    with pytest.raises(ReferenceStandardError, match=r"adjudicated_sq_grade is \[1, 3\]"):
        built(*rows, rule="adjudicated")


def test_one_reader_needs_no_rule_and_several_do() -> None:
    assert built(reading(1, "T12", 1)).rule == "single"
    both = (reading(1, "T12", 1, "a"), reading(1, "T12", 1, "b"))
    with pytest.raises(ReferenceStandardError, match="declare one of"):
        built(*both)
    with pytest.raises(ReferenceStandardError, match="2 readers read"):
        built(*both, rule="single")
    with pytest.raises(ReferenceStandardError, match="not one of"):
        built(*both, rule="loudest")
    with pytest.raises(ReferenceStandardError, match="there is no such reader; there are: a, b"):
        built(*both, rule="reader:c")


def test_conditions_have_no_majority() -> None:
    rows = [reading(1, "T12", 1, r, condition=c) for r in "ab" for c in ("aided", "unaided")]
    with pytest.raises(ReferenceStandardError, match="adjudicated or reader"):
        built(*rows, rule="majority")
    assert built(*rows, reading(1, "T12", 2, "expert"), rule="reader:expert").vertebrae[0].grade == 2


def test_a_vertebra_read_twice_by_one_reader_is_refused() -> None:
    with pytest.raises(ReferenceStandardError, match="r1 read it more than once"):
        built(reading(1, "T12", 1), reading(1, "T12", 2))


def test_unsure_readings_are_not_evaluable_and_say_so() -> None:
    vertebra = of_readers(3, rule="single", confidence=0.2)
    assert (vertebra.grade, vertebra.undecided) == (None, "low_confidence")
    assert built(reading(1, "T12", 3, confidence=0.2), confidence_min=0.1).vertebrae[0].grade == 3


def test_measurements_are_means_of_who_measured() -> None:
    rows = [
        reading(1, "T12", 0, "a", anterior_height_mm=20.0, hu=100.0),
        reading(1, "T12", 0, "b", anterior_height_mm=22.0),
        reading(1, "T12", 0, "c"),
    ]
    (vertebra,) = built(*rows, rule="majority").vertebrae
    assert vertebra.heights_mm == (21.0, None, None)
    assert vertebra.hu == 100.0


def test_a_study_read_as_a_whole_joins_its_only_series() -> None:
    rows = [reading(1, "T12", 2, "a", SeriesInstanceUID="s"), reading(1, "T12", 2, "b")]
    (vertebra,) = built(*rows, rule="majority").vertebrae
    assert (vertebra.SeriesInstanceUID, len(vertebra.readings)) == ("s", 2)
    with pytest.raises(ReferenceStandardError, match="without saying on which"):
        built(*rows, reading(1, "L1", 0, "a", SeriesInstanceUID="t"), rule="majority")
