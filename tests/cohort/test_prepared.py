"""Prepared tables answer as the shards they were made from, and are never read for another state of the lake."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.lake.builders import ended, land, manifest_row, put_index
from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.prepared import connect_prepared, prepare
from vfscreen.cohort.queries import QueryError, named_queries, open_cohort
from vfscreen.lake import paths
from vfscreen.lake.store import Lake

QUESTIONS: list[dict[str, Any]] = [
    {},
    {"levels": ("T7", "T12", "L1"), "grade": "raw", "grade_min": 1},
    {"level_certain": True, "exams": "first", "sex": ("F", "unknown"), "age_min": 60},
    {"by": ("site", "year"), "density_below_hu": 140.0, "contrast": ("non_contrast", "unknown")},
]


def _same(a: Any, b: Any) -> bool:
    """Sums of floating-point numbers may be added in another order."""
    return math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) and isinstance(b, float) else a == b


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_answers_do_not_depend_on_whether_a_lake_is_prepared(drawn_lake: Lake, name: str) -> None:
    prepare(drawn_lake)
    takes = named_queries()[name].takes
    with open_cohort(drawn_lake, prepared=True) as prepared, open_cohort(drawn_lake, prepared=False) as direct:
        assert (prepared.is_prepared, direct.is_prepared) == (True, False)
        for values in QUESTIONS:
            question = CohortFilter.of(**{k: v for k, v in values.items() if k in takes})
            ours, theirs = prepared.ask(name, question).rows(), direct.ask(name, question).rows()
            assert len(ours) == len(theirs)
            for a, b in zip(ours, theirs, strict=True):
                assert a.keys() == b.keys()
                assert all(_same(a[k], b[k]) for k in a), (a, b)


def test_the_drawn_lake_lacks_something_of_everything(drawn_lake: Lake) -> None:
    """What the comparison above relies on."""
    with open_cohort(drawn_lake, prepared=False) as cohort:
        found = cohort.ask("cohort", CohortFilter(exams="all")).table
        for name in ("PatientAge_years", "InstitutionName", "KVP_kV", "contrast_phase", "density_reference_hu"):
            assert 0 < found.column(name).null_count < found.num_rows, name
        assert cohort.ask("incident").rows()[0]["intervals"] > 10


def test_what_lands_later_makes_prepared_tables_stale(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    put_index(lake, [manifest_row(1), manifest_row(2)])
    land(lake, "a", [ended(manifest_row(1))])
    assert connect_prepared(lake) is None
    with pytest.raises(QueryError, match="--prepare"), open_cohort(lake, prepared=True):
        pass
    first = prepare(lake)
    assert prepare(lake) == first
    land(lake, "b", [ended(manifest_row(2))])
    assert connect_prepared(lake) is None
    with open_cohort(lake) as cohort:  # falls back on the shards
        assert not cohort.is_prepared
        assert cohort.ask("cohort").row_count == 2
    assert prepare(lake) != first
    with open_cohort(lake) as cohort:
        assert cohort.is_prepared
        assert cohort.ask("cohort").row_count == 2
    put_index(lake, [manifest_row(1)], name="1")
    with open_cohort(lake) as cohort:
        assert cohort.ask("cohort").row_count == 1


def test_half_prepared_tables_are_not_read(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    put_index(lake, [manifest_row(1)])
    land(lake, "a", [ended(manifest_row(1))])
    name = prepare(lake)
    lake.store.remove(f"{paths.PREPARED}/{name}.json")  # as where the preparer died before its last file
    assert connect_prepared(lake) is None
    assert prepare(lake) == name
    found = connect_prepared(lake)
    assert found is not None
    found.close()


def test_an_empty_lake_can_be_prepared(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    prepare(lake)
    with open_cohort(lake, prepared=True) as cohort:
        for name in named_queries():
            assert cohort.ask(name) is not None
