"""The reference standard: what a reader said of a vertebra, column by column.

Audits write such tables (re-read sheets that came back), evaluation reads them. Belongs here: names, types, limits.
Does not belong here: files (evaluation.reference_files), what several readers add up to (evaluation.reference).
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.schema.columns import Column, Table
from vfscreen.schema.names import KEYPOINTS, LEVELS, DeformityType

_STR = pa.string()
_F8 = pa.float64()
_I4 = pa.int32()

SEMIQUANTITATIVE, SIX_POINTS = "semiquantitative", "six_points"

READINGS = Table(
    "readings",
    "a vertebra as one reader read it",
    ("StudyInstanceUID", "SeriesInstanceUID", "reader", "condition", "vertebra_level"),
    (
        Column("StudyInstanceUID", _STR, "DICOM (0020,000D) of the study that was read.", nullable=False),
        Column("SeriesInstanceUID", _STR, "DICOM (0020,000E) of the series that was read; null: the study as a whole."),
        Column("reader", _STR, "Who read, as a pseudonym of the site's choice.", nullable=False),
        Column("condition", _STR, "How it was read where that differs ('unaided', 'aided'); null where it does not."),
        Column("vertebra_level", _STR, "Level by the reader; null only where points say which body.", values=LEVELS),
        Column("sq_grade_reader", _I4, "The reader's grade; null: not evaluable.", minimum=0, maximum=3),
        Column(
            "grade_basis",
            _STR,
            "Semi-quantitative by eye, or the height loss of the reader's own six points; null means by eye.",
            values=(SEMIQUANTITATIVE, SIX_POINTS),
        ),
        Column("adjudicated_sq_grade", _I4, "The adjudicator's grade of the vertebra.", minimum=0, maximum=3),
        Column("deformity_type", _STR, "Genant's shape by the reader.", values=tuple(d.value for d in DeformityType)),
        *(
            Column(f"{part}_height_mm", _F8, f"{part.capitalize()} height by the reader.", minimum=0, maximum=100)
            for part in ("anterior", "middle", "posterior")
        ),
        Column("hu", _F8, "Mean trabecular attenuation by the reader, HU."),
        Column("confidence", _F8, "The reader's confidence in this vertebra.", minimum=0, maximum=1),
        Column("stratum", _STR, "Stratum of the sample the study was drawn in; null where all studies were read."),
        Column("weight", _F8, "Studies of the population the study stands for; null where all were read.", minimum=0),
        Column("comment", _STR, "Free text."),
        *(Column(f"{n}_lps_mm", pa.list_(_F8, 3), f"Point {n.replace('_', ' ')} by the reader.") for n in KEYPOINTS),
    ),
)

REQUIRED = ("StudyInstanceUID", "reader", "vertebra_level", "sq_grade_reader")
"""Columns that every table of readings has; the others may be absent, which is the same as null."""
