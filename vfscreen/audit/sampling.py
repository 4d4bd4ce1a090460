"""Which studies are read again, blinded, and what that will be able to say.

Belongs here: strata, the seeded draw, blinded ids, precision and power, the empty sheets. Does not belong here: sheets
that come back (`reread`).

Strata are the four cells of found x reported, negatives included, because only then can the sheets say what the reports
missed, what the program missed, and what both did. The draw depends on the seed and on each study's own identifier
alone: a study that is added later changes who is drawn as little as can be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from scipy.stats import binom

from vfscreen.audit.compare import Compared
from vfscreen.audit.intervals import CONFIDENCE, half_width
from vfscreen.settings_audit import SamplingSettings

STRATA = ("found_only", "both", "reported_only", "neither")

PLAN_SCHEMA = pa.schema(
    [
        ("stratum", pa.string()),
        ("population_count", pa.int64()),
        ("sample_count", pa.int64()),
        ("weight", pa.float64()),
        ("half_width_at_half", pa.float64()),
        ("half_width_at_tenth", pa.float64()),
        ("rejected_from_count", pa.int64()),
        ("power", pa.float64()),
    ]
)
"""weight: studies of the population that one of the sample stands for. half_width_*: of the Wilson interval of a share
of 0.5 or 0.1 in this stratum. rejected_from_count, power: from so many confirmed studies on the share null_share is
rejected (exact, one-sided, 2.5 %), which happens with this probability where alternative_share is true."""

KEY_SCHEMA = pa.schema(
    [
        ("blinded_id", pa.string()),
        ("StudyInstanceUID", pa.string()),
        ("SeriesInstanceUID", pa.string()),
        ("patient_key", pa.string()),
        ("stratum", pa.string()),
        ("weight", pa.float64()),
    ]
)

SHEET_COLUMNS = (
    "reader",
    "blinded_id",
    "vertebra_level",
    "sq_grade_reader",
    "not_evaluable_reason",
    "deformity_type",
    "anterior_height_mm",
    "middle_height_mm",
    "posterior_height_mm",
    "hu",
    "comment",
)
"""What a reader fills in; of each row either sq_grade_reader or not_evaluable_reason."""


@dataclass(frozen=True)
class SamplePlan:
    """plan: rows of PLAN_SCHEMA. key: rows of KEY_SCHEMA in the sheets' order. sheets: reader -> empty rows."""

    plan: list[dict[str, Any]]
    key: list[dict[str, Any]]
    sheets: dict[str, list[dict[str, Any]]]


def plan_sample(compared: Sequence[Compared], settings: SamplingSettings) -> SamplePlan:
    """Draw studies that have a report and could be evaluated.

    Every stratum gets the same number; what a small one cannot use goes to the others. The same input gives the same
    plan, in whatever order the studies come.
    """
    cells = {s: [c for c in compared if c.stratum == s and c.study.evaluable] for s in STRATA}
    sizes = _allocated({s: len(items) for s, items in cells.items()}, settings.study_count)
    plan, key = [], []
    for stratum in STRATA:
        population, size = len(cells[stratum]), sizes[stratum]
        plan.append(_plan_row(stratum, population, size, settings))
        drawn = sorted(cells[stratum], key=lambda c: _number(settings.seed, "draw", c.study.study_uid))[:size]
        key += [
            {
                "blinded_id": blinded_id(settings.seed, c.study.study_uid),
                "StudyInstanceUID": c.study.study_uid,
                "SeriesInstanceUID": c.study.series_uid,
                "patient_key": c.study.patient_key,
                "stratum": stratum,
                "weight": population / size,
            }
            for c in drawn
        ]
    key.sort(key=lambda row: _number(settings.seed, "order", str(row["StudyInstanceUID"])))
    sheets = {
        reader: [
            {"reader": reader, "blinded_id": row["blinded_id"], "vertebra_level": level}
            for row in key
            for level in settings.levels
        ]
        for reader in settings.readers
    }
    return SamplePlan(plan, key, sheets)


def blinded_id(seed: int, study_uid: str) -> str:
    """Eight letters and digits that say nothing of the study to whoever has not the key."""
    number = _number(seed, "name", study_uid)
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that can be taken for another
    return "".join(alphabet[(number >> (5 * i)) & 31] for i in range(8))


def _number(seed: int, purpose: str, study_uid: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{purpose}|{study_uid}".encode()).digest()[:8])


def _allocated(available: dict[str, int], wanted: int) -> dict[str, int]:
    """Equal shares; strata that have fewer give up the rest of theirs. The order of STRATA decides about odd ones."""
    sizes = dict.fromkeys(available, 0)
    left = min(wanted, sum(available.values()))
    while left:
        for stratum in STRATA:
            if left and sizes[stratum] < available[stratum]:
                sizes[stratum] += 1
                left -= 1
    return sizes


def _plan_row(stratum: str, population: int, size: int, settings: SamplingSettings) -> dict[str, Any]:
    row: dict[str, Any] = {"stratum": stratum, "population_count": population, "sample_count": size}
    if size:
        limit = int(binom.isf((1 - CONFIDENCE) / 2, size, settings.null_share)) + 1
        row |= {
            "weight": population / size,
            "half_width_at_half": half_width(0.5, size),
            "half_width_at_tenth": half_width(0.1, size),
            "rejected_from_count": limit if limit <= size else None,
            "power": float(binom.sf(limit - 1, size, settings.alternative_share)),
        }
    return row


INSTRUCTIONS = """# Reading again, blinded

One row a vertebra. Open the study that belongs to `blinded_id` (whoever holds the key shows it to you, without its
report and without any program's result), and fill in of **every row exactly one** of

- `sq_grade_reader`: 0 normal, 1 mild (height loss about 20-25 %), 2 moderate (25-40 %), 3 severe (above 40 %), after
  Genant et al., J Bone Miner Res 1993: the shape as a whole decides, not the number alone. Congenital wedging,
  Schmorl's nodes, Scheuermann's disease and osteophytes are no fracture: 0, with a comment.
- `not_evaluable_reason`: `outside` (not on the scan), `cut` (only partly on it), `artefact` (metal, motion, noise),
  `other` (say which in `comment`). A vertebra treated with cement is `other`.

As you like: `deformity_type` (none, wedge, biconcave, crush), heights in mm (outer cortex to outer cortex, osteophytes
ignored), `hu` (mean of a region inside the body), `comment`. Leave `reader`, `blinded_id` and `vertebra_level` as they
are; add no rows and remove none. Count levels from a fixed one (the last rib, the sacrum) and say in `comment` where
the numbering is in doubt.

Save as CSV and hand it back: `vfscreen audit import-reread SHEET --key blinding-key.csv --out reference.parquet`.
"""
