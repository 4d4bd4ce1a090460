"""A truth lake of a demo archive (no pixels), and the truth as a reader would have written it: each level of an exam
once, however many series and films show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.readings import Row, settings, write_csv
from vfscreen.cohort.queries import run_sql
from vfscreen.evaluation.study import Evaluation, evaluate
from vfscreen.lake.store import Lake
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.truth_lake import write_truth_lake

READ = """
SELECT StudyInstanceUID, SeriesInstanceUID, 'truth' AS reader, vertebra_level, genant_grade AS sq_grade_reader,
       deformity_type, anterior_height_mm, middle_height_mm, posterior_height_mm
FROM vertebrae SEMI JOIN exam_vertebrae USING (SeriesInstanceUID, vertebra_index) ORDER BY ALL
"""


@pytest.fixture(scope="session")
def truth_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    out = tmp_path_factory.mktemp("evaluated")
    truth = write_demo_archive(out, seed=5, patients=12, pixel_factor=8.0, workers=1, rendered=False)
    return write_truth_lake(truth, out / "lake", out / "archive").lake


@pytest.fixture(scope="session")
def truth_readings(truth_lake: Lake) -> list[Row]:
    """The lake's own grades and heights as readings."""
    return run_sql(truth_lake, READ).rows()


@pytest.fixture
def against(truth_lake: Lake, tmp_path: Path) -> Callable[..., Evaluation]:
    """Evaluate the truth lake against readings: against(rows, **settings)."""

    def run(rows: list[Row], **values: Any) -> Evaluation:
        return evaluate(truth_lake.url, [write_csv(tmp_path / "readings.csv", rows)], settings(**values))

    return run
