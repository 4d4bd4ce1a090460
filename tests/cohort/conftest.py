"""Lakes the tests of this folder share: the demo's truth, and a drawn one in which any header may be missing."""

from __future__ import annotations

import pytest

from benchmarks.cohort_lake import write_lake
from tests.cohort.expected import Exam, exams_of
from vfscreen.lake.store import Lake
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.truth import DemoTruth
from vfscreen.synthesis.truth_lake import TruthLake, write_truth_lake


@pytest.fixture(scope="session")
def truth_lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[TruthLake, DemoTruth]:
    """The cast of the demo archive (headers only) and the lake of its truth."""
    out = tmp_path_factory.mktemp("truth")
    truth = write_demo_archive(out, seed=5, patients=6, pixel_factor=8.0, workers=1, rendered=False)
    return write_truth_lake(truth, out / "lake", out / "archive"), truth


@pytest.fixture(scope="session")
def expected(truth_lake: tuple[TruthLake, DemoTruth]) -> list[Exam]:
    """Every screened exam of the truth, worked out in Python alone."""
    return exams_of(truth_lake[1])


@pytest.fixture(scope="session")
def drawn_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """About 480 exams, of which some lack age, sex, site, date, tube voltage, contrast phase, density or PatientID;
    some have two screened series; some were screened by two releases."""
    url = tmp_path_factory.mktemp("drawn") / "lake"
    write_lake(url, 6_500, shard_studies=40, seed=13)
    return Lake.open(url)
