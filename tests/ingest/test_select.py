"""Selection within a study: the series for the spine, and why not the others; never by their order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.ingest.select import is_sharp, select_in_study
from vfscreen.settings import SelectSettings


def row(name: str, **values: Any) -> dict[str, Any]:
    base = {
        "SeriesInstanceUID": name,
        "selected": True,
        "slice_spacing_mm": 1.0,
        "coverage_mm": 400.0,
        "inferior_mm": -400.0,
        "superior_mm": 0.0,
        "ConvolutionKernel": "STANDARD",
        "orientation": "axial",
        "tilt_deg": 0.0,
        "SeriesNumber": 1,
        "FrameOfReferenceUID": "F",
        "BodyPartExamined": "CHEST",
    }
    if "inferior_mm" in values or "superior_mm" in values:
        low, high = values.get("inferior_mm", -400.0), values.get("superior_mm", 0.0)
        base["coverage_mm"] = high - low
    return base | values


def winners(*rows: dict[str, Any]) -> set[str]:
    return {r["SeriesInstanceUID"] for r in select_in_study(rows, SelectSettings()) if r["selected"]}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"slice_spacing_mm": 1.0}, {"slice_spacing_mm": 5.0}),
        ({"slice_spacing_mm": 1.0, "ConvolutionKernel": "BONE"}, {"slice_spacing_mm": 5.0}),
        ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}),
        ({"slice_spacing_mm": 1.25}, {"slice_spacing_mm": 0.6, "ConvolutionKernel": "LUNG"}),
        ({"orientation": "axial"}, {"orientation": "coronal"}),
        ({"slice_spacing_mm": 2.0}, {"slice_spacing_mm": 1.0, "inferior_mm": -50.0}),
        ({"coverage_mm": 400.0}, {"coverage_mm": 380.0}),
    ],
)
def test_preferences(better: dict[str, Any], worse: dict[str, Any]) -> None:
    good, bad = row("good", **better), row("bad", **worse)
    assert winners(good, bad) == winners(bad, good) == {"good"}


def test_thinner_than_enough_is_not_better() -> None:
    assert winners(row("a", slice_spacing_mm=1.0, SeriesNumber=2), row("b", slice_spacing_mm=0.5, SeriesNumber=3)) == {
        "a"
    }


def test_a_loser_names_the_winner_and_the_numbers() -> None:
    rows = select_in_study([row("a"), row("b", slice_spacing_mm=5.0)], SelectSettings())
    loser = rows[1]
    assert (loser["selected"], loser["stage"], loser["reason_code"]) == (False, "select", "not_best_series")
    assert "series a (every 1.00 mm" in loser["message"] and "every 5.00 mm" in loser["message"]


def test_another_part_of_the_body_is_taken_too() -> None:
    chest, pelvis = row("chest", inferior_mm=-300.0), row("pelvis", superior_mm=-250.0, inferior_mm=-600.0)
    assert winners(chest, pelvis) == {"chest", "pelvis"}
    assert winners(chest, row("nearly", superior_mm=-10.0, inferior_mm=-309.0)) == {"chest"}


def test_heights_of_other_body_parts_in_other_frames_do_not_compare() -> None:
    head = row("head", FrameOfReferenceUID="G", BodyPartExamined="HEAD", inferior_mm=-150.0)
    assert winners(row("chest"), head) == {"chest", "head"}
    again = row("again", FrameOfReferenceUID="G", SeriesNumber=9)
    assert winners(row("chest"), again) == {"chest"}


def test_rejected_series_stay_as_they_are() -> None:
    rejected = row("r", selected=False, reason_code="localizer", message="m", slice_spacing_mm=None, coverage_mm=None)
    rows = select_in_study([rejected, row("a")], SelectSettings())
    assert rows[0] == rejected and rows[1]["selected"]
    assert select_in_study([], SelectSettings()) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.5, 1.0, 2.5, 5.0]),
            st.sampled_from(["STANDARD", "BONE", None]),
            st.sampled_from([-600.0, -400.0, -300.0]),
            st.sampled_from([-200.0, 0.0, 100.0]),
            st.sampled_from(["F", "G", None]),
        ),
        min_size=1,
        max_size=7,
    ),
    st.integers(0, 10**6),
)
def test_order_does_not_matter_and_someone_always_wins(items: list[Any], seed: int) -> None:
    rows = [
        row(
            f"s{n}",
            slice_spacing_mm=spacing,
            ConvolutionKernel=kernel,
            inferior_mm=low,
            superior_mm=high,
            FrameOfReferenceUID=frame,
        )
        for n, (spacing, kernel, low, high, frame) in enumerate(items)
    ]
    settled = {r["SeriesInstanceUID"]: r for r in select_in_study(rows, SelectSettings())}
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert {r["SeriesInstanceUID"]: r for r in select_in_study(shuffled, SelectSettings())} == settled
    assert any(r["selected"] for r in settled.values())


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [
        ("B30f", False),
        ("B70f", True),
        ("Br64d\\3", True),
        ("Br40d\\3", False),
        ("I31f\\3", False),
        ("Bl57d", True),
        ("STANDARD", False),
        ("SOFT", False),
        ("LUNG", True),
        ("BONEPLUS", True),
        ("B", False),
        ("D", True),
        ("YA", True),
        ("FC08", False),
        ("FC18", False),
        ("FC30", True),
        ("FC52", True),
        (None, None),
    ],
)
def test_kernels(kernel: str | None, sharp: bool | None) -> None:
    assert is_sharp(kernel) is sharp
