"""The report of an evaluation on disk and as a page."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from markupsafe import escape

from tests.evaluation.readings import readings_of, settings, small_lake, write_csv
from vfscreen.evaluation.checklist import load_checklists
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.study import Evaluation, evaluate
from vfscreen.report.evaluation.folder import write_evaluation


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Sixteen patients with two vertebrae, three readers, some errors, heights; one site's name needs escaping."""
    folder = tmp_path_factory.mktemp("evaluated")
    losses = {n: (0.3 + n / 50 if n % 3 == 0 else 0.02 * n / 4, 0.05) for n in range(16)}
    lake = small_lake(folder / "lake", losses, InstitutionName=("<b>A&B</b>",) * 16)
    grades = {n: (2 if n % 3 == 0 or n == 4 else 0, 0) for n in range(16)}
    rows = [row for name in "abc" for row in readings_of(grades, name, anterior_height_mm=20.0)]
    return evaluate(lake.url, [write_csv(folder / "r.csv", rows)], settings(consensus="majority"))


@pytest.fixture(scope="module")
def folder(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_evaluation(evaluation, str(tmp_path_factory.mktemp("report") / "out")).folder)


def test_every_table_lies_there_twice_with_the_same_rows(evaluation: Evaluation, folder: Path) -> None:
    for name, rows in evaluation.tables.items():
        parquet = pq.read_table(folder / "tables" / f"{name}.parquet")
        with (folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            text = list(csv.DictReader(file))
        assert parquet.num_rows == len(text) == len(rows)
        if rows:
            assert set(parquet.column_names) == set(text[0])


def test_figures_are_svg_and_png(folder: Path) -> None:
    names = {p.stem for p in (folder / "figures").iterdir()}
    assert {"roc", "precision_recall", "reliability", "decision_curve", "grades", "subgroups"} <= names
    assert "bland_altman_anterior_height_mm" in names
    for path in (folder / "figures").iterdir():
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG") if path.suffix == ".png" else b"<svg" in data


def test_the_page_loads_nothing_and_shows_what_was_computed(evaluation: Evaluation, folder: Path) -> None:
    page = (folder / "evaluation.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "@import" not in page and "url(http" not in page
    assert "&lt;b&gt;A&amp;B&lt;/b&gt;" in page and "<b>A&B" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    for row in evaluation.tables["metrics"]:
        place = (row["level"], row["target"], row["analysis"], row["name"])
        if place == ("patient", "grade>=2", "intention_to_screen", "sensitivity"):
            assert f"{row['estimate']:.3f}" in page
    assert "to be filled by the site" in page
    assert "vfscreen.evaluation.binary.binary_metrics" in page
    for note in evaluation.notes:
        assert str(escape(note)) in page


def test_the_same_evaluation_gives_the_same_bytes(evaluation: Evaluation, folder: Path, tmp_path: Path) -> None:
    again = Path(write_evaluation(evaluation, str(tmp_path / "again")).folder)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes(), path.name


def test_a_former_report_is_replaced_and_nothing_else_is(evaluation: Evaluation, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_evaluation(evaluation, str(target))
    (target / "tables" / "left_over.csv").write_text("old")
    write_evaluation(evaluation, str(target))
    assert not (target / "tables" / "left_over.csv").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    with pytest.raises(EvaluationError, match="other things"):
        write_evaluation(evaluation, str(precious))
    assert (precious / "thesis.txt").read_text() == "mine"
    assert {p.name for p in tmp_path.iterdir()} == {"out", "precious"}


def test_the_summary_is_json_with_the_counts(evaluation: Evaluation, folder: Path) -> None:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert (summary["patients"], summary["patients_evaluable"], summary["vertebrae_with_reference"]) == (16, 16, 32)
    assert summary["provenance"]["rule"] == "majority"
    items = sum(len(checklist["items"]) for checklist in load_checklists())
    assert summary["checklist_items"] == items > 100
    assert 0 < summary["checklist_items_filled"] < items
    rows = list(csv.DictReader(io.StringIO((folder / "checklists.csv").read_text(encoding="utf-8"))))
    assert len(rows) == items
