"""The truth of the demo archive counted in plain Python, from the cast and truth.json: no lake, no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from vfscreen.schema.names import GRADED_LEVELS, SDI_LEVELS
from vfscreen.synthesis.demo_plan import CAST
from vfscreen.synthesis.truth import DemoTruth, VisibleVertebra


@dataclass(frozen=True)
class Exam:
    """A screened exam."""

    PatientID: str
    StudyInstanceUID: str
    day: date
    age: int
    sex: str
    scanner: str
    kernel: str
    vertebrae: tuple[VisibleVertebra, ...]
    contrast_phase: str | None

    @property
    def graded(self) -> list[VisibleVertebra]:
        return [v for v in self.vertebrae if is_graded(v)]

    @property
    def worst(self) -> int:
        return max(v.genant_grade_raw for v in self.graded)

    @property
    def sdi(self) -> int:
        return sum(v.genant_grade_raw for v in self.graded if v.vertebra_level in SDI_LEVELS)

    @property
    def band(self) -> str:
        return f"{self.age // 10 * 10}-{self.age // 10 * 10 + 9}"

    @property
    def density_hu(self) -> float | None:
        """Of L1 if it is whole and not deformed, without contrast at 120 kV."""
        return next(
            (v.trabecular_hu_native for v in self.graded if (v.vertebra_level, v.genant_grade_raw) == ("L1", 0)), None
        )

    def grade_of(self, level: str) -> int | None:
        return next((v.genant_grade_raw for v in self.graded if v.vertebra_level == level), None)


def is_graded(v: VisibleVertebra) -> bool:
    return not v.truncated and v.vertebra_level in GRADED_LEVELS


def exams_of(truth: DemoTruth) -> list[Exam]:
    """By patient and date."""
    found = []
    for series in truth.series:
        if series.expected_state != "screened":
            continue
        plan = CAST[int(series.PatientID[-4:]) - 1]
        day = date.fromisoformat(series.StudyDate)
        age = plan.age_years + day.year - 2021  # the cast's first studies are of 2021
        scanner = f"{plan.manufacturer} Phantom 64"
        uid = series.StudyInstanceUID
        found.append(
            Exam(
                series.PatientID,
                uid,
                day,
                age,
                plan.sex,
                scanner,
                plan.kernels[0],
                series.vertebrae,
                series.contrast_phase,
            )
        )
    return sorted(found, key=lambda e: (e.PatientID, e.day))


def latest(exams: Iterable[Exam]) -> list[Exam]:
    return list({e.PatientID: e for e in exams}.values())
