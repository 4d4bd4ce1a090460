"""Comparison of findings with the truth: nothing is counted twice and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vfscreen.schema.names import KEYPOINTS
from vfscreen.synthesis.scoring import score
from vfscreen.synthesis.truth import DemoTruth

Row = dict[str, Any]


@pytest.fixture(scope="module")
def truth(demo: tuple[Path, DemoTruth]) -> DemoTruth:
    return demo[1]


def perfect(truth: DemoTruth) -> tuple[list[Row], list[Row]]:
    series = [
        {"SeriesInstanceUID": s.SeriesInstanceUID, "state": s.expected_state, "reason_code": s.expected_reason}
        for s in truth.series
    ]
    vertebrae = [
        {
            "SeriesInstanceUID": s.SeriesInstanceUID,
            "vertebra_index": n,
            "vertebra_level": v.vertebra_level,
            "modality": s.modality,
            "SOPInstanceUID": v.SOPInstanceUID,
            "centre_lps_mm": list(v.centre_lps_mm) or None,
            "centre_px": list(v.centre_px) or None,
            "genant_grade_raw": None if v.truncated else v.genant_grade_raw,
            **{f"{k}_lps_mm": list(v.keypoints_lps_mm.get(k, ())) or None for k in KEYPOINTS},
            **{f"{k}_px": list(v.keypoints_px.get(k, ())) or None for k in KEYPOINTS},
        }
        for s in truth.series
        for n, v in enumerate(s.vertebrae)
    ]
    return series, vertebrae


def test_a_perfect_reading_has_nothing_to_say(truth: DemoTruth) -> None:
    result = score(truth, *perfect(truth))
    assert (result.missed, list(result.extra), list(result.unexpected), result.level_errors) == ([], [], [], [])
    assert max(result.point_errors_mm) == 0
    confusion = np.array(result.grade_confusion)
    assert np.array_equal(confusion[:, :4], np.diag(np.diag(confusion)))
    assert confusion.sum() == len(result.whole) > 50


def test_nothing_found_is_all_missed(truth: DemoTruth) -> None:
    series, _ = perfect(truth)
    result = score(truth, series, [])
    assert len(result.missed) == len(result.whole) and not result.matched


@pytest.fixture(scope="module")
def scans(truth: DemoTruth) -> DemoTruth:
    """The truth of the CTs alone, whose positions are mm."""
    return replace(truth, series=tuple(s for s in truth.series if not s.films))


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_dropped_invented_and_shifted_findings_are_counted_as_such(scans: DemoTruth, data: st.DataObject) -> None:
    truth = scans
    series, rows = perfect(truth)
    order: Callable[[list[Row]], st.SearchStrategy[list[Row]]] = st.permutations
    rows = data.draw(order(rows))
    whole = {(s.SeriesInstanceUID, v.vertebra_level) for s in truth.series for v in s.vertebrae if not v.truncated}
    dropped = [r for r in rows[:5] if (r["SeriesInstanceUID"], r["vertebra_level"]) in whole]
    kept = rows[5:]
    kept[0] = {**kept[0], "vertebra_level": None}
    invented = {**kept[1], "vertebra_index": 99, "centre_lps_mm": [1e4, 0.0, 0.0]}
    shift = data.draw(st.floats(0.0, 3.0))
    step = np.array([0.0, shift, 0.0])
    moved = [{**r, **{f"{k}_lps_mm": (r[f"{k}_lps_mm"] + step).tolist() for k in KEYPOINTS}} for r in kept]
    result = score(truth, series, [*moved, invented])
    assert len(result.missed) == len(dropped)
    assert [r["vertebra_index"] for r in result.extra] == [99]
    named = (kept[0]["SeriesInstanceUID"], rows[5]["vertebra_level"]) in whole
    assert len(result.level_errors) == int(named)
    assert np.allclose(result.point_errors_mm, shift, atol=1e-6)


def test_films_are_matched_on_their_own_picture_at_their_own_scale(truth: DemoTruth) -> None:
    """Six points moved by ten pixels are so many millimetres off as the heights say; another film's are not taken."""
    films = replace(truth, series=tuple(s for s in truth.series if s.films))
    series, rows = perfect(films)
    step = np.array([0.0, 10.0])
    moved = [{**r, **{f"{k}_px": (np.array(r[f"{k}_px"]) + step).tolist() for k in KEYPOINTS}} for r in rows]
    found = score(films, series, moved)
    assert len(found.matched) == len(found.whole) > 20 and not found.extra
    spacing = {f.SOPInstanceUID: f.patient_spacing_mm for s in films.series for f in s.films}
    for pair in found.matched:
        if (mm := spacing[str(pair.truth.SOPInstanceUID)]) is not None:
            assert pair.point_error_mm == pytest.approx(10.0 * mm, rel=0.04)
    several = next(s for s in films.series if sum(f.expected_state == "screened" for f in s.films) > 1)
    other = [f.SOPInstanceUID for f in several.films]
    swapped = [
        {**r, "SOPInstanceUID": other[0] if r["SOPInstanceUID"] == other[1] else r["SOPInstanceUID"]} for r in rows
    ]
    missed = score(films, series, swapped).missed
    assert missed and {p.truth.SOPInstanceUID for p in missed} == {other[1]}
    assert len(found.of(["CT"]).pairs) == 0 and found.of(["CR", "DX"]).pairs == found.pairs


def test_films_that_end_otherwise_are_named(truth: DemoTruth) -> None:
    series, rows = perfect(truth)
    films = [
        {"SOPInstanceUID": f.SOPInstanceUID, "state": f.expected_state, "reason_code": f.expected_reason}
        for s in truth.series
        for f in s.films
    ]
    assert score(truth, series, rows, films).unexpected_films == ()
    films[0] = {**films[0], "state": "failed", "reason_code": "decode_failed"}
    result = score(truth, series, rows, films[:-1])
    assert [(state, reason) for _, state, reason in result.unexpected_films] == [
        ("failed", "decode_failed"),
        ("absent", None),
    ]
    assert sum(result.films_by_outcome.values()) == len(films)


def test_series_that_end_otherwise_are_named(truth: DemoTruth) -> None:
    series, rows = perfect(truth)
    series[0] = {**series[0], "state": "failed", "reason_code": "decode_failed"}
    result = score(truth, series[:-1], rows)
    assert [(s.SeriesInstanceUID, state, reason) for s, state, reason in result.unexpected] == [
        (truth.series[0].SeriesInstanceUID, "failed", "decode_failed"),
        (truth.series[-1].SeriesInstanceUID, "absent", None),
    ]
    assert score(replace(truth, series=()), [], []).pairs == ()
