"""What the lake says of each study that an audit may ask about.

Belongs here: one query over the lake's views, as plain values. Does not belong here: reports, judgement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect


@dataclass(frozen=True)
class Vertebra:
    """A graded vertebra. level: null where the numbering could not decide. loss: adjusted height loss, a ratio.
    modality: of what it was seen on; overlay_path: the picture of that series or film."""

    series_uid: str
    level: str | None
    level_certain: bool
    grade: int
    loss: float | None
    deformity_type: str | None
    grade2_probability: float | None
    modality: str | None = None
    overlay_path: str | None = None


@dataclass(frozen=True)
class Study:
    """A study of the archive. screened: a series of it was. modalities: of the screened ones. vertebrae: graded ones,
    from the head down."""

    study_uid: str
    patient_key: str
    patient_pseudonym: str | None
    date: dt.date | None
    site: str | None
    age_years: float | None
    sex: str | None
    screened: bool
    series_uid: str | None
    overlay_path: str | None
    vertebrae: tuple[Vertebra, ...] = field(repr=False)
    modalities: tuple[str, ...] = ()

    @property
    def evaluable(self) -> bool:
        return bool(self.vertebrae)


@dataclass(frozen=True)
class LakeFindings:
    """studies: by StudyInstanceUID. by_accession: pseudonym of an AccessionNumber -> its studies. without_accession:
    studies that no report can be joined to. model_releases: of the rows that were read."""

    studies: Mapping[str, Study]
    by_accession: Mapping[str, Sequence[str]]
    without_accession: int
    model_releases: tuple[str, ...]


def read_findings(lake: Lake, model_release: str | None = None) -> LakeFindings:
    """Everything an audit needs of a lake; of one release only, if it is named.

    A level seen on several series of a study counts once, with its highest grade (view `exam_vertebrae`).
    """
    with connect(lake, model_release) as connection:  # one snapshot for all three
        vertebra_rows, study_rows, releases = (
            connection.execute(sql).to_arrow_table().to_pylist() for sql in (_VERTEBRAE, _STUDIES, _RELEASES)
        )
    vertebrae: dict[str, list[Vertebra]] = {}
    for row in vertebra_rows:
        vertebrae.setdefault(row["StudyInstanceUID"], []).append(
            Vertebra(
                row["SeriesInstanceUID"],
                row["vertebra_level"],
                row["level_certain"],
                row["genant_grade"],
                row["height_loss_ratio_adjusted"],
                row["deformity_type"],
                row["grade2_probability"],
                row["modality"],
                row["overlay_path"],
            )
        )
    studies: dict[str, Study] = {}
    by_accession: dict[str, list[str]] = {}
    without = 0
    for row in study_rows:
        uid = row["StudyInstanceUID"]
        studies[uid] = _study(row, vertebrae.get(uid, []))
        without += not row["accessions"]
        for accession in row["accessions"] or ():
            by_accession.setdefault(accession, []).append(uid)
    return LakeFindings(studies, by_accession, without, tuple(r["model_release"] for r in releases))


def _study(row: Mapping[str, Any], vertebrae: Sequence[Vertebra]) -> Study:
    return Study(
        study_uid=row["StudyInstanceUID"],
        patient_key=row["patient_key"],
        patient_pseudonym=row["patient_pseudonym"],
        date=row["study_date"],
        site=row["InstitutionName"],
        age_years=row["PatientAge_years"],
        sex=row["PatientSex"],
        screened=bool(row["screened_count"]),
        series_uid=vertebrae[0].series_uid if vertebrae else None,
        overlay_path=row["overlay_path"],
        vertebrae=tuple(vertebrae),
        modalities=tuple(row["modalities"] or ()),
    )


_RELEASES = "SELECT DISTINCT model_release FROM series ORDER BY 1"

_STUDIES = """
SELECT s.StudyInstanceUID, s.patient_key, s.patient_pseudonym, s.study_date, s.InstitutionName, s.PatientAge_years,
    s.PatientSex, s.screened_count, s.overlay_path, s.modalities,
    list(DISTINCT m.AccessionNumber ORDER BY m.AccessionNumber) FILTER (m.AccessionNumber IS NOT NULL) AS accessions
FROM studies AS s JOIN manifest AS m
    ON m.StudyInstanceUID = s.StudyInstanceUID AND m.patient_pseudonym IS NOT DISTINCT FROM s.patient_pseudonym
GROUP BY ALL
ORDER BY s.StudyInstanceUID, s.patient_key
"""

_VERTEBRAE = """
SELECT e.StudyInstanceUID, v.SeriesInstanceUID, v.vertebra_level, v.level_certain, v.genant_grade,
    v.height_loss_ratio_adjusted, v.deformity_type, v.grade2_probability, v.modality,
    coalesce(f.overlay_path, s.overlay_path) AS overlay_path
FROM exam_vertebrae AS v JOIN exams AS e USING (exam_id)
LEFT JOIN series AS s ON s.StudyInstanceUID = e.StudyInstanceUID AND s.SeriesInstanceUID = v.SeriesInstanceUID
LEFT JOIN films AS f ON f.StudyInstanceUID = e.StudyInstanceUID AND f.SeriesInstanceUID = v.SeriesInstanceUID
    AND f.SOPInstanceUID = v.SOPInstanceUID
WHERE v.genant_grade IS NOT NULL
ORDER BY e.StudyInstanceUID, v.SeriesInstanceUID, v.vertebra_index
"""
