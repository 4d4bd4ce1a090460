"""Heights, height loss and attenuation of the lake against the reader's, vertebra by vertebra.

Belongs here: which measurements are compared. Does not belong here: limits of agreement (bland_altman).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vfscreen.evaluation.bland_altman import limits_of_agreement
from vfscreen.evaluation.metric import source_of
from vfscreen.evaluation.pairing import VertebraPair
from vfscreen.evaluation.resampling import Bootstrap
from vfscreen.morphometry.genant import raw_height_loss

Row = dict[str, Any]
HEIGHTS = ("anterior_height_mm", "middle_height_mm", "posterior_height_mm")
MEASUREMENTS = (*HEIGHTS, "height_loss_ratio_raw", "trabecular_hu_mean")
"""Columns of the lake that are compared; the reader's `hu` goes with trabecular_hu_mean, both uncorrected."""


def measurement_pairs(pairs: Sequence[VertebraPair]) -> list[Row]:
    """One row a vertebra and measurement that both sides have."""
    rows = []
    for p in pairs:
        if p.found is None:
            continue
        read: dict[str, float | None] = {
            **dict(zip(HEIGHTS, p.reference.heights_mm, strict=True)),
            "height_loss_ratio_raw": _loss(p.reference.heights_mm),
            "trabecular_hu_mean": p.reference.hu,
        }
        rows += [
            {
                "measurement": name,
                "patient_key": p.patient_key,
                "StudyInstanceUID": p.reference.StudyInstanceUID,
                "vertebra_level": p.reference.vertebra_level,
                "lake": float(p.found[name]),
                "reference": value,
            }
            for name, value in read.items()
            if value is not None and p.found.get(name) is not None
        ]
    return rows


def _loss(heights_mm: Sequence[float | None]) -> float | None:
    known = [h for h in heights_mm if h is not None]
    return float(raw_height_loss(np.array(known))) if len(known) == len(HEIGHTS) else None


def agreement_rows(measured: Sequence[Row], bootstrap: Bootstrap) -> list[Row]:
    """Limits of agreement, lake minus reference, of each measurement; with a reason where there are too few."""
    rows: list[Row] = []
    for name in MEASUREMENTS:
        of = [row for row in measured if row["measurement"] == name]
        shared = {"measurement": name, "source": source_of(limits_of_agreement)}
        if len(of) < 2:
            rows.append({**shared, "n": len(of), "reason": "fewer than two vertebrae were measured by both"})
            continue
        found = asdict(
            limits_of_agreement(
                [r["lake"] for r in of], [r["reference"] for r in of], [r["patient_key"] for r in of], bootstrap
            )
        )
        for end in ("bias", "low", "high"):
            low, high = found.pop(f"{end}_interval") or (None, None)
            found |= {f"{end}_ci_low": low, f"{end}_ci_high": high}
        rows.append({**shared, **found, "reason": None})
    return rows
