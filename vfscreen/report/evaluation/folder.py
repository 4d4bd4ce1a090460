"""An evaluation as a folder: tables (Parquet and CSV), figures (SVG and PNG), checklists, summary, page.

    evaluation.html      the page, by itself
    summary.json         headline numbers, provenance, notes
    tables/NAME.parquet, tables/NAME.csv
    figures/NAME.svg, figures/NAME.png
    checklists.csv       CLAIM, STARD-AI, TRIPOD+AI, QUADAS-2, filled where known

Belongs here: which files there are and writing them. Does not belong here: their content.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfscreen.errors import StorageFull
from vfscreen.evaluation.checklist import fill_checklists
from vfscreen.evaluation.facts import collect_facts
from vfscreen.evaluation.metric import EvaluationError
from vfscreen.evaluation.study import Evaluation
from vfscreen.evaluation.tables import parquet_bytes
from vfscreen.report.evaluation.figures import draw_all
from vfscreen.report.evaluation.page import render_page

Row = dict[str, Any]
PAGE = "evaluation.html"
SUMMARY = "summary.json"
_MARK = "summary.json"


@dataclass(frozen=True)
class WrittenEvaluation:
    """Where an evaluation lies and its files, relative to the folder."""

    folder: str
    files: tuple[str, ...]


def write_evaluation(evaluation: Evaluation, folder: str, cards: Sequence[Mapping[str, Any]] = ()) -> WrittenEvaluation:
    """Write everything beside the place, then move it there: a reader sees the old folder or the new one, whole.

    cards: weight cards of the evaluated release as plain values, for the checklists; empty where they are not known.
    Raises EvaluationError where `folder` holds anything but a former evaluation, StorageFull where the disk is full.
    """
    return WrittenEvaluation(*written_whole(folder, lambda made: _write(evaluation, made, cards)))


def written_whole(folder: str, write: Callable[[Path], tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """Let `write` fill a new folder beside the place, then move it there; the folder and the names of its files.

    Raises EvaluationError where `folder` holds anything but a former evaluation, StorageFull where the disk is full.
    """
    target = Path(folder).expanduser().absolute()
    if target.exists() and not (target / _MARK).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise EvaluationError(f"{target} holds other things than an evaluation: name a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
            made = Path(temporary, "evaluation")
            files = write(made)
            if target.exists():
                target.rename(Path(temporary, "former"))
            made.rename(target)
    except OSError as error:
        raise StorageFull(f"the evaluation cannot be written to {target}: {error}") from error
    return str(target), files


def write_files(folder: Path, contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write files below a folder; their names in order."""
    for name, data in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tuple(sorted(contents))


def _write(evaluation: Evaluation, folder: Path, cards: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    checklist = fill_checklists(collect_facts(evaluation, cards))
    drawings = draw_all(evaluation.tables)
    contents: dict[str, bytes] = {"checklists.csv": csv_bytes(checklist)}
    for name, rows in evaluation.tables.items():
        contents[f"tables/{name}.csv"] = csv_bytes(rows)
        contents[f"tables/{name}.parquet"] = parquet_bytes(rows)
    for drawing in drawings:
        for kind in ("svg", "png"):
            contents[f"figures/{drawing.key}.{kind}"] = drawing.encoded(kind)
    contents[PAGE] = render_page(evaluation, drawings, checklist).encode("utf-8")
    contents[SUMMARY] = (json.dumps(summary(evaluation, checklist), indent=2, allow_nan=False) + "\n").encode("utf-8")
    return write_files(folder, contents)


def summary(evaluation: Evaluation, checklist: Sequence[Row] = ()) -> Row:
    """What `vfscreen evaluate --json` prints: counts, the metrics of patients, provenance, notes."""
    compared = evaluation.compared
    keys = ("level", "target", "analysis", "name", "estimate", "low", "high", "interval", "n", "reason")
    shown = [
        {k: row[k] for k in keys} for row in evaluation.tables["metrics"] if row["interval"] != "cluster_bootstrap"
    ]
    return {
        "patients": len(compared.pairs.patients),
        "patients_with_reference": int(compared.patients.reference.size),
        "patients_evaluable": int(compared.patients.evaluable.sum()),
        "vertebrae_with_reference": int(compared.vertebrae.reference.size),
        "vertebrae_evaluable": int(compared.vertebrae.evaluable.sum()),
        "extra_vertebrae": len(compared.pairs.extra),
        "metrics": shown,
        "checklist_items_filled": sum(row["filled"] != "no" for row in checklist),
        "checklist_items": len(checklist),
        "provenance": evaluation.provenance,
        "notes": list(evaluation.notes),
    }


def csv_bytes(rows: Sequence[Row]) -> bytes:
    """Rows as CSV with a header of every name that occurs; null is an empty cell."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")
