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
            "centre_lps_mm": list(v.centre_lps_mm),
            "genant_grade_raw": None if v.truncated else v.genant_grade_raw,
            **{f"{k}_lps_mm": list(v.keypoints_lps_mm[k]) for k in KEYPOINTS},
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


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_dropped_invented_and_shifted_findings_are_counted_as_such(truth: DemoTruth, data: st.DataObject) -> None:
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


def test_series_that_end_otherwise_are_named(truth: DemoTruth) -> None:
    series, rows = perfect(truth)
    series[0] = {**series[0], "state": "failed", "reason_code": "decode_failed"}
    result = score(truth, series[:-1], rows)
    assert [(s.SeriesInstanceUID, state, reason) for s, state, reason in result.unexpected] == [
        (truth.series[0].SeriesInstanceUID, "failed", "decode_failed"),
        (truth.series[-1].SeriesInstanceUID, "absent", None),
    ]
    assert score(replace(truth, series=()), [], []).pairs == ()
