"""The demo's reports: every fracture is planted one way or another, and the same truth gives the same files."""

from __future__ import annotations

import csv
from pathlib import Path

from vfscreen.synthesis.demo_reports import CODES, DXA, REPORTS, TREATMENTS, TRUTH, ReportTruth, write_demo_reports
from vfscreen.synthesis.truth import DemoTruth


def test_every_fracture_of_a_screened_series_is_planted(demo: tuple[Path, DemoTruth], tmp_path: Path) -> None:
    _, truth = demo
    planted = write_demo_reports(tmp_path, truth)
    there = {
        (s.StudyInstanceUID, v.vertebra_level)
        for s in truth.series
        for v in s.vertebrae
        if v.genant_grade_raw >= 2 and not v.truncated and v.vertebra_level not in ("L5", "L6")
    }
    assert {(f.StudyInstanceUID, f.vertebra_level) for f in planted.fractures} == there
    assert {f.said for f in planted.fractures} == {"affirmed", "historical", "hedged", "denied", "silent"}
    assert planted.not_reported and planted.mentions
    absent = {(m.StudyInstanceUID, m.vertebra_level) for m in planted.mentions}
    assert absent.isdisjoint(there)


def test_every_study_has_a_report_that_says_what_was_planted(demo: tuple[Path, DemoTruth], tmp_path: Path) -> None:
    planted = write_demo_reports(tmp_path, demo[1])
    with (tmp_path / REPORTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == planted.rows
    studies = {s.StudyInstanceUID for s in demo[1].series}
    matched = {r["accession"] for r in rows if r["accession"].startswith("A")}
    assert len(matched) == len(studies)
    text = " ".join(r["text"] for r in rows)
    assert "No acute compression fracture" in text and "cannot be excluded" in text


def test_the_same_truth_gives_the_same_files(demo: tuple[Path, DemoTruth], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = write_demo_reports(tmp_path / "a", demo[1])
    assert write_demo_reports(tmp_path / "b", demo[1]) == first == ReportTruth.read(tmp_path / "a" / TRUTH)
    for name in (REPORTS, CODES, TREATMENTS, DXA, TRUTH):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
