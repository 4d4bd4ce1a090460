"""The instances of one series as FILES rows: each once, what they have in common, and what they look like as a whole.

Belongs here: what MANIFEST rows of CT and radiograph series share. Does not belong here: what makes either fit for
screening (`series`, `film_series`), geometry (`stacks`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vfscreen.errors import ReasonCode, Stage
from vfscreen.schema.tables import HEADER_COLUMNS

Row = Mapping[str, Any]
Problem = tuple[ReasonCode, str]


def common_columns(rows: Sequence[Row], instances: Sequence[Row], used: Sequence[Row]) -> dict[str, Any]:
    """Columns of MANIFEST that do not depend on the kind of series. rows: all files, instances: each SOPInstanceUID
    once, used: those that speak for the series; at least one each."""
    return {
        "SeriesInstanceUID": instances[0]["SeriesInstanceUID"],
        "StudyInstanceUID": instances[0]["StudyInstanceUID"] or "",
        "patient_pseudonym": common(used, "patient_pseudonym"),
        "content_fingerprint": fingerprint(rows),
        **{c.name: common(used, c.name) for c in HEADER_COLUMNS},
        "instance_count": len(rows),
        "duplicate_instance_count": len(rows) - len(instances),
    }


def settled(problem: Problem | None) -> dict[str, Any]:
    """Columns of MANIFEST that say whether the series goes into the chain, and why not."""
    if problem is None:
        return {"selected": True}
    reason, message = problem
    return {"selected": False, "stage": Stage.ACCEPT.value, "reason_code": reason.value, "message": message}


def fingerprint(rows: Sequence[Row]) -> str:
    """Hash over path, member, size and modification of all instances of a series."""
    digest = hashlib.sha256()
    for item in sorted((r["path"], r["member"], str(r["size_bytes"]), r["modified"]) for r in rows):
        digest.update("\x00".join(item).encode())
        digest.update(b"\x01")
    return digest.hexdigest()[:32]


def common(rows: Sequence[Row], name: str) -> Any:
    """The value most instances have; of equals the smallest. Null counts only where all are null."""
    counts = Counter(r[name] for r in rows if r[name] is not None)
    if not counts:
        return None
    return min(counts, key=lambda value: (-counts[value], value))
