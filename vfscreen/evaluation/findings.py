"""What the lake holds of the studies that were read.

Belongs here: asking the lake (queries/*.sql, one documented file a table). Does not belong here: pairing, numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from vfscreen.evaluation.metric import EvaluationError
from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect, head_comment, sql_files

Row = dict[str, Any]
_QUERIES = ("vfscreen.evaluation", "queries")


@dataclass(frozen=True, eq=False)
class Findings:
    """exams: one row a study that was read, by StudyInstanceUID. vertebrae: rows of the view `vertebrae`, by study.

    model_releases: whose rows they are. runs: the latest sweep of each release. queries: name -> what the query is, for
    the provenance of each number.
    """

    exams: dict[str, Row]
    vertebrae: dict[str, list[Row]]
    model_releases: tuple[str, ...]
    runs: tuple[Row, ...]
    queries: dict[str, str]


def fetch_findings(lake: Lake, studies: Sequence[str], model_release: str | None = None) -> Findings:
    """Rows of these studies. model_release: of this release only; else each series' newest.

    Raises EvaluationError where the lake holds none of the studies: then the reference is of another archive.
    """
    texts = dict(sql_files(*_QUERIES))
    with connect(lake, model_release) as connection:
        connection.register("reference_studies", pa.table({"StudyInstanceUID": pa.array(studies, pa.string())}))
        try:
            exams: list[Row] = connection.execute(texts["exams"]).to_arrow_table().to_pylist()
            runs: list[Row] = connection.execute(texts["runs"]).to_arrow_table().to_pylist()
            vertebrae: list[Row] = connection.execute(texts["findings"]).to_arrow_table().to_pylist()
        except duckdb.Error as error:
            raise EvaluationError(f"the lake {lake.url} cannot be asked: {error}") from error
    if not any(exam["in_lake"] for exam in exams):
        raise EvaluationError(
            f"none of the {len(exams)} studies that were read is in {lake.url}: compare StudyInstanceUID of the "
            "readings with `vfscreen query cohort`"
        )
    by_study: dict[str, list[Row]] = {study: [] for study in studies}
    for row in vertebrae:
        by_study[row["StudyInstanceUID"]].append(row)
    releases = tuple(sorted({row["model_release"] for row in vertebrae}))
    return Findings(
        exams={exam["StudyInstanceUID"]: exam for exam in exams},
        vertebrae=by_study,
        model_releases=releases,
        runs=tuple(run for run in runs if run["model_release"] in releases),
        queries={name: head_comment(text).split(": ", 1)[1] for name, text in texts.items()},
    )
