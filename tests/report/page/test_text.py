"""Words for numbers: nothing missing is written as a number, nothing rounded to what it is not."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfscreen.report.page import text


@pytest.mark.parametrize("words", [text.count, text.decimal, text.percent, text.probability, text.day, text.word])
def test_missing_is_unknown(words: object) -> None:
    assert words(None) == "unknown"
    assert text.measured(None, None, "mm") == "unknown"
    assert text.interval(None, None) == "no interval"
    assert text.change(None) == "-"


@given(st.floats(0, 1))
def test_a_probability_is_certain_only_where_it_is(p: float) -> None:
    said = text.probability(p)
    assert (said == "0.00") == (p == 0) and (said == "1.00") == (p == 1)


def test_forms() -> None:
    assert text.count(1234567) == "1,234,567"
    assert text.percent(0.1234) == "12.3 %"
    assert text.interval(0.181, 0.454) == "18.1 to 45.4 %"
    assert text.measured(15.74, 0.96, "mm") == "15.7 ± 1.0 mm"
    assert text.change(0.012, percent=True) == "+1.2 points" and text.change(-7.4) == "-7"
    assert text.day(date(2024, 1, 5)) == "2024-01-05"
    assert text.day(datetime(2024, 1, 5, 7, 30, tzinfo=UTC)) == "2024-01-05 07:30 UTC"
    assert text.word([]) == "none" and text.word(["L1", "L2"]) == "L1, L2" and text.word(True) == "yes"
    assert text.spaced("not_dicom") == "not DICOM" and text.spaced("dicomdir") == "DICOMDIR"
    assert text.short("0123456789abcdef") == "0123456789ab"
    assert text.short("study 1.2.840.10008.99") == "…840.10008.99"
