"""The truth of the demo archive counted in plain Python, from the cast and truth.json: no lake, no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from vfscreen.schema.names import GRADED_LEVELS, LEVELS, SDI_LEVELS
from vfscreen.synthesis.demo_cast import CAST
from vfscreen.synthesis.truth import DemoTruth, SeriesTruth, VisibleVertebra


@dataclass(frozen=True)
class Exam:
    """A screened exam."""

    PatientID: str
    StudyInstanceUID: str
    day: date
    age: int
    sex: str
    scanner: str
    kernel: str | None
    vertebrae: tuple[VisibleVertebra, ...]
    contrast_phase: str | None
    modality: str

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
    """By patient and date. A study with several screened series, or films, is one exam that shows each level once: as
    the picture has it that shows it whole."""
    by_study: dict[str, list[SeriesTruth]] = {}
    for series in truth.series:
        if series.expected_state == "screened":
            by_study.setdefault(series.StudyInstanceUID, []).append(series)
    found = []
    for members in by_study.values():
        series = members[0]
        plan = CAST[int(series.PatientID[-4:]) - 1]
        day = date.fromisoformat(series.StudyDate)
        age = plan.age_years + day.year - 2021  # the cast's first studies are of 2021
        is_ct = series.modality == "CT"
        scanner = f"{plan.manufacturer} {'Phantom 64' if is_ct else 'Phantom DR'}"
        uid = series.StudyInstanceUID
        found.append(
            Exam(
                series.PatientID,
                uid,
                day,
                age,
                plan.sex,
                scanner,
                plan.kernels[0] if is_ct else None,
                each_level_once(v for s in members for v in s.vertebrae),
                series.contrast_phase,
                series.modality,
            )
        )
    return sorted(found, key=lambda e: (e.PatientID, e.day))


def each_level_once(vertebrae: Iterable[VisibleVertebra]) -> tuple[VisibleVertebra, ...]:
    """From the head down."""
    best: dict[str, VisibleVertebra] = {}
    for v in vertebrae:
        if v.vertebra_level not in best or best[v.vertebra_level].truncated:
            best[v.vertebra_level] = v
    return tuple(sorted(best.values(), key=lambda v: LEVELS.index(v.vertebra_level)))


def latest(exams: Iterable[Exam]) -> list[Exam]:
    return list({e.PatientID: e for e in exams}.values())
