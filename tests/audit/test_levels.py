"""Levels in words: ranges, lists, other spellings, and what only looks like a level."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.audit.levels import COLUMN, LevelReader
from vfscreen.audit.rules import load_rules

ENGLISH, GERMAN = LevelReader(load_rules("en").levels), LevelReader(load_rules("de").levels)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("fracture of T12", ["T12"]),
        ("T11, T12 and L1", ["T11", "T12", "L1"]),
        ("T11-L1", ["T11", "T12", "L1"]),
        ("T7/8", ["T7", "T8"]),
        ("L1 through L3", ["L1", "L2", "L3"]),
        ("from T4 down to T6", ["T4", "T5", "T6"]),
        ("D 12 and th11", ["T12", "T11"]),
        ("first lumbar vertebra", ["L1"]),
        ("the 12th thoracic vertebra", ["T12"]),
        ("T13 and L6", ["T13", "L6"]),
        ("L1, 5 mm retropulsion", ["L1"]),
        ("L1 and 30% loss", ["L1"]),
        ("L4-L5 disc bulge", []),
        ("L5-S1", []),
        ("T2-weighted images", []),
        ("T2 signal", []),
        ("T19 and C9", []),
        ("HLA B27, L3.5", []),
    ],
)
def test_english(text: str, levels: list[str]) -> None:
    assert [level for group in ENGLISH.find(text) for level in group.levels] == levels


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("BWK 6 bis 8", ["T6", "T7", "T8"]),
        ("Brustwirbelkörper 11 und 12", ["T11", "T12"]),
        ("LWK1", ["L1"]),
        ("12. Brustwirbel", ["T12"]),
    ],
)
def test_german(text: str, levels: list[str]) -> None:
    assert [level for group in GERMAN.find(text) for level in group.levels] == levels


@given(st.sampled_from(COLUMN), st.sampled_from(COLUMN), st.sampled_from(["-", " to ", " through "]))
def test_a_range_names_every_level_of_the_column_between(first: str, last: str, word: str) -> None:
    (group,) = ENGLISH.find(f"fractures {first}{word}{last}.")
    low, high = COLUMN.index(first), COLUMN.index(last)
    wanted = COLUMN[low : high + 1] if low < high else tuple(dict.fromkeys((first, last)))
    assert group.levels == wanted
    assert (group.start, group.end) == (10, 10 + len(f"{first}{word}{last}"))


@given(st.lists(st.sampled_from(COLUMN), min_size=1, max_size=5, unique=True))
def test_a_list_names_what_it_names(levels: list[str]) -> None:
    (group,) = ENGLISH.find("in " + ", ".join(levels))
    assert list(group.levels) == levels
