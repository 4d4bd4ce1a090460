"""Radiology reports, codes, treatments and DXA for a demo archive, with what was planted in them.

Belongs here: which fracture is reported how, and the words. Does not belong here: the archive (`demo_archive`), reading
reports (`vfscreen.audit`). Written by us; nobody in them exists.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vfscreen.errors import State
from vfscreen.synthesis.demo_archive import accession_number
from vfscreen.synthesis.truth import DemoTruth, SeriesTruth

Said = Literal["affirmed", "historical", "hedged", "denied", "silent"]

GRADE_MIN = 2
"""Fractures from this grade on are planted as reported or not; the audit's own default."""

_NATURALLY_WEDGED = ("L5", "L6")
"""Their raw loss reaches a grade without any fracture."""

REPORTS, CODES, TREATMENTS, DXA, TRUTH = "reports.csv", "codes.csv", "treatments.csv", "dxa.csv", "reports-truth.json"


@dataclass(frozen=True)
class PlantedFracture:
    """A fracture of at least GRADE_MIN that a screened series shows whole, and what the report says of it."""

    StudyInstanceUID: str
    vertebra_level: str
    genant_grade: int
    said: Said

    @property
    def is_reported(self) -> bool:
        return self.said in ("affirmed", "historical", "hedged")


@dataclass(frozen=True)
class PlantedMention:
    """A fracture that a report speaks of and that is not there, or is below GRADE_MIN."""

    StudyInstanceUID: str
    vertebra_level: str
    said: Said


@dataclass(frozen=True)
class ReportTruth:
    """fractures: all of them. mentions: reported though absent. rows: of reports.csv. unmatched_rows: of them those
    that belong to no study of the archive. unscreened_studies: with a report, without a screened series."""

    fractures: tuple[PlantedFracture, ...]
    mentions: tuple[PlantedMention, ...]
    rows: int
    unmatched_rows: int
    unscreened_studies: int

    @property
    def not_reported(self) -> set[tuple[str, str]]:
        """(StudyInstanceUID, level) of the fractures that no report mentions: what an audit must list."""
        return {(f.StudyInstanceUID, f.vertebra_level) for f in self.fractures if not f.is_reported}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ReportTruth:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            tuple(PlantedFracture(**f) for f in raw["fractures"]),
            tuple(PlantedMention(**m) for m in raw["mentions"]),
            raw["rows"],
            raw["unmatched_rows"],
            raw["unscreened_studies"],
        )


@dataclass(frozen=True)
class _Study:
    """A study of the archive. patient and visit count from 0. shown: level -> grade, of whole vertebrae; null: no
    screened series."""

    patient: int
    visit: int
    series: SeriesTruth
    shown: Mapping[str, int] | None

    @property
    def fractures(self) -> list[tuple[str, int]]:
        graded = (self.shown or {}).items()
        return [(level, grade) for level, grade in graded if grade >= GRADE_MIN and level not in _NATURALLY_WEDGED]


_CAST: dict[tuple[int, int], tuple[Mapping[str, Said], Mapping[str, Said]]] = {
    (0, 0): ({"T8": "silent", "L1": "historical"}, {}),
    (0, 1): ({"T8": "silent", "L1": "affirmed"}, {}),
    (1, 0): ({}, {"T9": "historical"}),
    (1, 1): ({}, {}),
    (1, 2): ({"T7": "silent", "T12": "silent"}, {}),
    (2, 0): ({"L2": "denied", "L4": "denied"}, {}),
    (2, 1): ({"L2": "affirmed", "L4": "silent"}, {}),
    (4, 1): ({}, {}),
    (4, 0): ({}, {"T6": "affirmed"}),
    (5, 0): ({"T11": "hedged", "T12": "affirmed"}, {}),
}
"""(patient, visit) -> what is said of each fracture, and of which absent one. T6 of the fifth patient is there, grade
1."""

_GROUPS = ("general", "musculoskeletal")


def write_demo_reports(out: Path, truth: DemoTruth) -> ReportTruth:
    """Write reports.csv, codes.csv, treatments.csv, dxa.csv and reports-truth.json to `out`, beside the archive.

    The same truth gives the same files. A row without a study, one without an accession number and an addendum are
    among the reports; the MR study and the hand, which are not screened, have one too.
    """
    rng = np.random.default_rng(truth.seed)
    fractures: list[PlantedFracture] = []
    mentions: list[PlantedMention] = []
    rows: list[dict[str, str]] = []
    unscreened = 0
    for study in _studies(truth):
        uid = study.series.StudyInstanceUID
        said, absent = _plan(study, rng)
        fractures += [PlantedFracture(uid, level, grade, said[level]) for level, grade in study.fractures]
        mentions += [PlantedMention(uid, level, words) for level, words in absent.items()]
        unscreened += study.shown is None
        row = _row(truth.seed, study)
        rows.append({**row, "text": _report(study, {**said, **absent})})
        if (study.patient, study.visit) == (5, 0):
            rows.append({**row, "text": "ADDENDUM: Discussed with the ward by telephone."})
    strangers = [
        {**rows[0], "accession": "Z0000000", "text": "Compression fracture of L1."},
        {**rows[0], "accession": "", "text": "Old wedge fracture of T12."},
    ]
    rows += strangers
    found = ReportTruth(tuple(fractures), tuple(mentions), len(rows), len(strangers), unscreened)
    _write_csv(out / REPORTS, rows)
    _write_care(out, truth)
    found.write(out / TRUTH)
    return found


def _studies(truth: DemoTruth) -> list[_Study]:
    by_study: dict[tuple[str, str, str], list[SeriesTruth]] = {}
    for series in truth.series:
        by_study.setdefault((series.PatientID, series.StudyDate, series.StudyInstanceUID), []).append(series)
    visits: dict[str, int] = {}
    found = []
    for (patient, _, _), members in sorted(by_study.items()):
        visit = visits.get(patient, 0)
        visits[patient] = visit + 1
        screened = [s for s in members if s.expected_state == State.SCREENED.value]
        # a level on two films of a study counts once
        shown = {v.vertebra_level: v.genant_grade_raw for s in screened for v in s.vertebrae if not v.truncated}
        found.append(
            _Study(int(patient.rsplit("-", 1)[1]) - 1, visit, (screened or members)[0], shown if screened else None)
        )
    return found


def _plan(study: _Study, rng: np.random.Generator) -> tuple[dict[str, Said], dict[str, Said]]:
    """(level -> what is said of the fracture there, level -> what is said of an absent one)."""
    planned = _CAST.get((study.patient, study.visit))
    ways: Sequence[Said] = ("affirmed", "historical", "hedged", "silent", "denied")
    drawn = str(rng.choice(ways))  # drawn for every study, so that one patient's report does not depend on another's
    if planned is not None:
        said, absent = planned
        # a scan of the cast may cut a vertebra; what is not shown whole is not planted
        return {level: said[level] for level, _ in study.fractures}, dict(absent)
    whole: Said = next(w for w in ways if w == drawn)
    return {level: whole for level, _ in study.fractures}, {}


def _row(seed: int, study: _Study) -> dict[str, str]:
    group = _GROUPS[study.patient % 2]
    date = study.series.StudyDate
    return {
        "accession": accession_number(seed, study.patient, study.visit),
        "date": f"{date[:4]}-{date[4:6]}-{date[6:]}",
        "text": "",
        "reader": f"{group}-{1 + study.patient % 3}",
        "reader_group": group,
        "site": "Synthetic General Hospital",
    }


def _report(study: _Study, said: Mapping[str, Said]) -> str:
    lines = [
        "CLINICAL INFORMATION: Follow-up. Vertebral fracture?" if study.patient % 3 == 2 else "INDICATION: Follow-up.",
        "",
        "FINDINGS:",
        "No pleural effusion. No lymphadenopathy. Liver, spleen and kidneys are unremarkable.",
        "Degenerative changes of the facet joints. Old fracture of the left seventh rib.",
    ]
    words: dict[Said, list[str]] = {}
    for level, way in said.items():
        words.setdefault(way, []).append(level)
    for way, sentence in _SENTENCES.items():
        if way in words:
            lines.append(sentence.format(" and ".join(words[way])))
    if not said and study.shown is not None and study.patient % 2:
        lines.append("Vertebral body heights are maintained.")
    lines += ["", "IMPRESSION:", "1. No acute cardiopulmonary abnormality."]
    if "affirmed" in words:
        lines.append(f"2. Vertebral fracture {', '.join(words['affirmed'])}.")
    return "\n".join(lines)


_SENTENCES: dict[Said, str] = {
    "affirmed": "There is a compression fracture of {} with loss of height.",
    "historical": "Chronic wedge deformity of {}, unchanged compared with the previous examination.",
    "hedged": "Slight wedging of {}, a fracture cannot be excluded.",
    "denied": "No acute compression fracture.",
}


def _write_care(out: Path, truth: DemoTruth) -> None:
    """Small tables: the first patient is coded, treated and measured, the third nothing of it, others unrelated
    things."""
    patients = sorted({s.PatientID for s in truth.series})
    first = {p: min(s.StudyDate for s in truth.series if s.PatientID == p) for p in patients}

    def rows(column: str, values: Mapping[int, str]) -> list[dict[str, str]]:
        return [
            {"patient_id": patients[i], "issuer": "SYNTHETIC", "date": first[patients[i]], column: value}
            for i, value in values.items()
            if i < len(patients)
        ]

    _write_csv(out / CODES, rows("code", {0: "M80.08", 3: "I10", 5: "S22.00"}), "code")
    _write_csv(out / TREATMENTS, rows("treatment", {0: "alendronate"}), "treatment")
    _write_csv(out / DXA, rows("t_score", {0: "-2.7", 3: "-0.9"}), "t_score")


def _write_csv(path: Path, rows: Iterable[Mapping[str, str]], value_column: str | None = None) -> None:
    rows = list(rows)
    names = list(rows[0]) if rows else ["patient_id", "issuer", "date", str(value_column)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
