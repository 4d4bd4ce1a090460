"""Findings beside reports: levels are matched one to one, and every reason on a list is the right one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.audit.compare import Absence, Compared, Match, Silence, compare, match_levels
from vfscreen.audit.findings import Study, Vertebra
from vfscreen.audit.levels import COLUMN
from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.readings import Reading
from vfscreen.settings_audit import AuditSettings


def compared(reader: ReportReader, grades: dict[str | None, int], *texts: str, **settings: Any) -> Compared:
    """A study with vertebrae of these grades, and its reports."""
    vertebrae = tuple(Vertebra("1.2.3", level, True, g, 0.1 * g, None, None) for level, g in grades.items())
    study = Study("1.2", "patient", "patient", None, None, None, None, True, "1.2.3", None, vertebrae)
    readings = [
        Reading(place, "A1", None, None, None, None, tuple(reader.read(text))) for place, text in enumerate(texts)
    ]
    return compare(study, readings, AuditSettings(**settings))


@pytest.mark.parametrize(
    ("text", "silence"),
    [
        ("Lungs are clear.", Silence.SILENT),
        ("No vertebral fracture.", Silence.DENIED),
        ("No acute fracture.", Silence.DENIED_RECENT_ONLY),
        ("No acute fracture. Vertebral body heights are preserved.", Silence.DENIED),
        ("INDICATION: compression fracture?\n\nLungs are clear.", Silence.ONLY_ASKED),
        ("Compression fracture of L4.", Silence.OTHER_LEVEL),
        ("No fracture of L4.", Silence.SILENT),
        ("Fracture of the C6 vertebral body.", Silence.SILENT),
    ],
)
def test_what_the_report_says_instead(english: ReportReader, text: str, silence: Silence) -> None:
    (found,) = compared(english, {"T12": 2, "L4": 0}, text).found
    assert (found.match, found.silence) == (None, silence)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Compression fracture of T12.", Match.EXACT),
        ("Old wedge deformity of T12.", Match.EXACT),
        ("Possible fracture of T12.", Match.EXACT),
        ("Compression fracture of L1.", Match.NEIGHBOUR),
        ("Several vertebral fractures.", Match.NO_LEVEL_GIVEN),
        ("Status post kyphoplasty of T12.", Match.EXACT),
    ],
)
def test_how_a_finding_is_reported(english: ReportReader, text: str, match: Match) -> None:
    result = compared(english, {"T12": 2}, text)
    assert (result.found[0].match, result.found[0].silence) == (match, None)
    assert not result.not_found and result.stratum == "both"


def test_one_reported_level_answers_for_one_finding(english: ReportReader) -> None:
    result = compared(english, {"T11": 2, "T12": 3}, "Compression fracture of T12.")
    assert [f.match for f in result.found] == [None, Match.EXACT]
    assert result.found[0].silence is Silence.OTHER_LEVEL


def test_the_tolerance_is_a_setting(english: ReportReader) -> None:
    strict = compared(english, {"T12": 2}, "Compression fracture of L1.", level_tolerance=0)
    assert strict.found[0].match is None
    assert [n.level for n in strict.not_found] == ["L1"]


def test_an_unknown_level_is_reported_where_a_reported_one_is_left(english: ReportReader) -> None:
    assert compared(english, {None: 2}, "Fracture of T8.").found[0].match is Match.UNKNOWN_LEVEL
    taken = compared(english, {"T8": 2, None: 2}, "Fracture of T8.")
    assert [f.match for f in taken.found] == [Match.EXACT, None]


def test_why_a_reported_fracture_is_not_found(english: ReportReader) -> None:
    text = "Compression fractures of T8 and L3."
    result = compared(english, {"T8": 1, "T9": 0}, text)
    assert [(n.level, n.absence, n.grade) for n in result.not_found] == [
        ("T8", Absence.BELOW_GRADE, 1),
        ("L3", Absence.NOT_ASSESSED, None),
    ]
    assert {n.absence for n in compared(english, {}, text).not_found} == {Absence.STUDY_NOT_EVALUABLE}
    (unnamed,) = compared(english, {"T8": 0}, "Vertebral fracture.").not_found
    assert (unnamed.level, unnamed.absence) == (None, Absence.NO_LEVEL_GIVEN)
    assert compared(english, {"T8": 0}, "Vertebral fracture.").stratum == "reported_only"


def test_an_addendum_counts_as_part_of_the_report(english: ReportReader) -> None:
    result = compared(english, {"T12": 2}, "No fracture.", "ADDENDUM: Compression fracture of T12 after all.")
    assert result.found[0].match is Match.EXACT


LEVEL_SETS = st.lists(st.sampled_from(COLUMN), max_size=6, unique=True)


@given(LEVEL_SETS, LEVEL_SETS, st.integers(0, 2))
def test_matching_is_one_to_one_within_the_tolerance_and_exact_pairs_come_first(
    found: list[str], reported: list[str], tolerance: int
) -> None:
    pairs = match_levels(found, reported, tolerance)
    assert len(set(pairs.values())) == len(pairs)
    for i, j in pairs.items():
        assert abs(COLUMN.index(found[i]) - COLUMN.index(reported[j])) <= tolerance
    for level in set(found) & set(reported):
        assert pairs[found.index(level)] == reported.index(level)
    # no pair is left that could be made
    free = [f for i, f in enumerate(found) if i not in pairs]
    rest = [r for j, r in enumerate(reported) if j not in pairs.values()]
    assert all(abs(COLUMN.index(f) - COLUMN.index(r)) > tolerance for f in free for r in rest)
