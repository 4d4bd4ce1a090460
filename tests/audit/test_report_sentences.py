"""The labelled sentences are read as well as is documented (benchmarks/report_sentences/README.md)."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.rules import load_rules

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "report_sentences.py"
FOLDER = BENCHMARK.with_suffix("")


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARK), run_name="benchmark")


def counts(benchmark: dict[str, Any], language: str, name: str) -> dict[str, list[int]]:
    sentences = list(benchmark["read_labelled"](FOLDER / name))
    found, _ = benchmark["measure"](ReportReader(load_rules(language)), sentences)
    return found


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "development.txt"),
        ("en", "first_held_out.txt"),
        ("en", "second_held_out.txt"),
        ("de", "german.txt"),
    ],
)
def test_development_sentences_are_read_as_labelled(benchmark: dict[str, Any], language: str, name: str) -> None:
    for true, wrong, missed in counts(benchmark, language, name).values():
        assert true >= 0.96 * (true + wrong) and true >= 0.95 * (true + missed)


def test_held_out_sentences_are_read_as_documented(benchmark: dict[str, Any]) -> None:
    """Exact: a change of the rules or of a library that changes a reading has to be measured and written down anew."""
    assert counts(benchmark, "en", "held_out.txt") == {
        "reported": [41, 3, 3],
        "affirmed": [24, 6, 2],
        "historical": [11, 0, 2],
        "hedged": [3, 2, 3],
        "negated": [22, 0, 2],
        "question": [2, 0, 2],
        "levels": [36, 5, 9],
    }


def test_there_are_enough_sentences_in_several_styles_and_none_twice(benchmark: dict[str, Any]) -> None:
    sentences = [s for path in FOLDER.glob("*.txt") for s in benchmark["read_labelled"](path)]
    assert len(sentences) >= 500
    assert len({s.style for s in sentences}) >= 8
    texts = {s.text for s in benchmark["read_labelled"](FOLDER / "held_out.txt")}
    others = [s.text for p in FOLDER.glob("*.txt") if p.name != "held_out.txt" for s in benchmark["read_labelled"](p)]
    assert texts.isdisjoint(others)


def test_a_line_that_is_not_labelled_is_named(benchmark: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("structured | negated | No fracture.\nstructured | perhaps | A fracture.\n")
    with pytest.raises(ValueError, match="line 2"):
        list(benchmark["read_labelled"](path))
