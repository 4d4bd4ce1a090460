"""What the page asks the lake: named queries in, shares, counts and rows of words out.

Belongs here: which query answers which figure and what its columns are called here. Does not belong here: SQL
(`vfscreen.cohort`), what a figure looks like (`figures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfscreen.cohort.queries import named_queries, run_named
from vfscreen.lake.store import Lake
from vfscreen.report.page.figures import Count, Share

Row = Mapping[str, Any]


class Answers:
    """The lake's answers to named queries, each asked once.

    asked: names and descriptions of the queries asked so far.
    """

    def __init__(self, lake: Lake, model_release: str | None) -> None:
        self._lake = lake
        self._model_release = model_release
        self._kept: dict[str, list[dict[str, Any]]] = {}

    def rows(self, name: str) -> list[dict[str, Any]]:
        if name not in self._kept:
            self._kept[name] = run_named(self._lake, name, self._model_release).rows()
        return self._kept[name]

    @property
    def asked(self) -> dict[str, str]:
        known = named_queries()
        return {name: known[name].description for name in self._kept}

    def prevalence_by_age(self) -> list[Share]:
        return [
            Share(
                row["age_band"],
                row["PatientSex"],
                row["patients_grade2"],
                row["patients"],
                row["prevalence_grade2"],
                row["prevalence_grade2_low"],
                row["prevalence_grade2_high"],
            )
            for row in self.rows("prevalence")
        ]

    def grades(self) -> list[Count]:
        """Graded vertebrae by deformity type, by grade."""
        return [
            Count(f"grade {row['genant_grade']}", row["deformity_type"] or "unknown", row["vertebrae"])
            for row in self.rows("grades")
            if row["genant_grade"] is not None
        ]
