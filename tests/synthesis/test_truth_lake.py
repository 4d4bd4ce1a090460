"""The truth as a lake: complete, sound by the lake's own checks, and equal to the truth row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vfscreen.cohort.queries import run_sql
from vfscreen.lake.ledger import ledger, run_checks
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.scoring import score
from vfscreen.synthesis.truth import DemoTruth
from vfscreen.synthesis.truth_lake import TruthLake, write_truth_lake


def rows(lake: TruthLake, sql: str) -> list[dict[str, Any]]:
    return run_sql(lake.lake, sql).rows()


@pytest.fixture(scope="module")
def found(demo: tuple[Path, DemoTruth], tmp_path_factory: pytest.TempPathFactory) -> TruthLake:
    folder, truth = demo
    return write_truth_lake(truth, tmp_path_factory.mktemp("truth") / "lake", folder / "archive")


def test_it_accounts_for_everything_and_passes_every_check(found: TruthLake, demo: tuple[Path, DemoTruth]) -> None:
    truth = demo[1]
    account = ledger(found.lake)
    assert account.problems == ()
    assert (account.pending, account.failed) == (0, 0)
    assert account.files_seen == sum(truth.files.values())
    assert run_checks(found.lake) == []


def test_scored_against_its_own_truth_it_is_perfect(found: TruthLake, demo: tuple[Path, DemoTruth]) -> None:
    truth = demo[1]
    result = score(truth, rows(found, "FROM series"), rows(found, "FROM vertebrae"))
    assert not result.unexpected
    assert not result.extra
    assert not result.missed
    assert not result.level_errors
    assert max(result.point_errors_mm) < 1e-3
    assert all(n == 0 for i, line in enumerate(result.grade_confusion[:4]) for j, n in enumerate(line[:4]) if i != j)
    for pair in result.whole:
        assert pair.found is not None
        if pair.found["genant_grade"] is not None:
            assert pair.found["genant_grade"] == pair.found["genant_grade_raw"] == pair.truth.genant_grade_raw
            assert pair.found["deformity_type"] == pair.truth.deformity_type


def test_demographics_are_the_headers_and_what_is_missing_there_is_null(found: TruthLake) -> None:
    first = rows(found, f"FROM series WHERE patient_pseudonym = '{found.patient('SYNTH-003-0001')}'")
    assert {r["PatientAge_years"] for r in first if r["Modality"] == "CT"} == {74.0}
    assert {r["InstitutionName"] for r in first} == {"Synthetic General Hospital"}
    assert {r["KVP_kV"] for r in first if r["Modality"] == "SR"} == {None}
    assert {r["KVP_kV"] for r in first if r["Modality"] == "CT" and r["state"] == "screened"} == {120.0}


def test_empty_pixels_have_the_same_truth_and_the_same_headers(
    found: TruthLake, demo: tuple[Path, DemoTruth], tmp_path: Path
) -> None:
    truth = demo[1]
    empty = write_demo_archive(tmp_path, truth.seed, 2, pixel_factor=5.0, workers=1, rendered=False)
    assert {s.SeriesInstanceUID: s for s in empty.series}.items() <= {
        s.SeriesInstanceUID: s for s in truth.series
    }.items()
    lake = write_truth_lake(empty, tmp_path / "lake")  # without the archive: its headers are made again
    everything = (
        "SELECT * EXCLUDE (run_id, shard_id, content_fingerprint, row_spacing_mm, column_spacing_mm) FROM series"
    )
    full = {r["SeriesInstanceUID"]: r for r in rows(found, everything)}
    again = rows(lake, everything)
    assert len(again) == len(empty.series)
    assert all(full[r["SeriesInstanceUID"]] == r for r in again)


def test_another_archive_is_refused(demo: tuple[Path, DemoTruth], tmp_path: Path) -> None:
    folder, truth = demo
    other = [replace(s, expected_state="screened", expected_reason=None) for s in truth.series]
    with pytest.raises(ValueError, match="archive of this truth"):
        write_truth_lake(replace(truth, series=tuple(other)), tmp_path / "lake", folder / "archive")
