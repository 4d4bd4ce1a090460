"""The report of fresh-fracture classifiers: a folder of tables, ROC curves, saliency pictures and one page.

    evaluation.html      the page, by itself
    summary.json         headline numbers, caution, provenance
    predictions.csv      probabilities of every item and model
    tables/NAME.csv, tables/NAME.parquet
    figures/NAME.svg, figures/NAME.png

Belongs here: files and drawing. Does not belong here: any number (evaluation.fresh, training.fresh_predict).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vfscreen.evaluation.tables import parquet_bytes
from vfscreen.report.evaluation.figures import BLUE, DRAWING_SETTINGS, GREEN, GREY, PURPLE, VERMILLION, Drawing
from vfscreen.report.evaluation.folder import PAGE, SUMMARY, WrittenEvaluation, csv_bytes, write_files, written_whole
from vfscreen.report.evaluation.page import inline_svg, page_environment, table_section

Row = dict[str, Any]
Image = NDArray[np.float32]
SaliencyPicture = tuple[str, Image, Image]
"""Caption, image (S, S), heat (S, S) 0 to 1."""

CAUTION = (
    "Simulated fractures: a working pipeline, not a clinical claim. Nothing here says how these weights do on patients."
)

_LINES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PURPLE, ":"))
_SECTIONS = (
    ("summary", "Models compared", "Each with its 95 % interval; the threshold is the validation items'."),
    (
        "metrics",
        "Every metric",
        "Proportions with Wilson's interval and the bootstrap's over patients; DeLong's areas.",
    ),
    ("thresholds", "Thresholds", "Chosen on validation (Youden); sensitivity and specificity there are optimistic."),
    ("confusion", "Two-by-two tables", "At each model's threshold."),
    ("model_comparisons", "Models against each other", "DeLong of areas, exact McNemar of right calls."),
    ("readers", "Readers", "Each reader on the control items."),
    ("reader_comparisons", "Models and readers compared", "On control items that both called: McNemar and DeLong."),
)
_SHOWN = ("auc", "accuracy", "sensitivity", "specificity", "f1", "precision")


def write_fresh_evaluation(
    tables: Mapping[str, Sequence[Row]],
    predictions_csv: bytes,
    folder: str,
    provenance: Mapping[str, Any],
    simulated: bool,
    pictures: Sequence[SaliencyPicture] = (),
) -> WrittenEvaluation:
    """Write the report beside the place, then move it there.

    tables: of `evaluation.fresh.evaluate_fresh`. provenance: what was evaluated, by words. simulated: the page says so.
    Raises EvaluationError where `folder` holds other things, StorageFull where the disk is full.
    """
    shown = {"summary": summary_rows(tables), **tables}
    with matplotlib.rc_context(DRAWING_SETTINGS):
        drawings = draw_roc(tables)
        if pictures:
            drawings.append(draw_saliency(pictures))
    contents: dict[str, bytes] = {"predictions.csv": predictions_csv}
    for name, rows in shown.items():
        if rows:
            contents[f"tables/{name}.csv"] = csv_bytes(rows)
            contents[f"tables/{name}.parquet"] = parquet_bytes(rows)
    for drawing in drawings:
        for kind in ("svg", "png"):
            contents[f"figures/{drawing.key}.{kind}"] = drawing.encoded(kind)
    caution = CAUTION if simulated else ""
    environment, style = page_environment()
    page = environment.get_template("evaluation/fresh.html.j2").render(
        style=style,
        caution=caution,
        figures=[(d, inline_svg(d)) for d in drawings],
        sections=[section for place in _SECTIONS if (section := table_section(shown, *place)) is not None],
        provenance=[(name, str(value)) for name, value in provenance.items()],
    )
    contents[PAGE] = page.encode("utf-8")
    summary = {"caution": caution, "provenance": dict(provenance), "models": shown["summary"]}
    contents[SUMMARY] = (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode("utf-8")

    def write(made: Path) -> tuple[str, ...]:
        return write_files(made, contents)

    return WrittenEvaluation(*written_whole(folder, write))


def summary_rows(tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """One row a split and model: the paper's metrics in words, `0.861 (0.83 to 0.89)`, and how many items."""
    rows: dict[tuple[str, str], Row] = {}
    for metric in tables["metrics"]:
        if metric["name"] not in _SHOWN or metric["interval"] == "wilson":
            continue
        row = rows.setdefault((metric["split"], metric["model"]), {"split": metric["split"], "model": metric["model"]})
        row |= {"n": metric["n"], "patients": metric["clusters"]}
        row[metric["name"]] = words(metric)
    return [
        {name: row[name] for name in ("split", "model", "n", "patients", *_SHOWN) if name in row}
        for row in rows.values()
    ]


def words(metric: Mapping[str, Any]) -> str:
    """A number with its interval, or why it has none."""
    if metric["estimate"] is None:
        return str(metric["reason"])
    if metric["low"] is None:
        return f"{metric['estimate']:.3f}"
    return f"{metric['estimate']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"


def draw_roc(tables: Mapping[str, Sequence[Row]]) -> list[Drawing]:
    """A panel a split, a line a model; readers are points on the control set's panel."""
    splits = list(dict.fromkeys(row["split"] for row in tables["roc"]))
    if not splits:
        return []
    figure = Figure(figsize=(3.8 * len(splits), 3.6), layout="constrained")
    panels = figure.subplots(1, len(splits), squeeze=False)[0]
    for axis, split in zip(panels, splits, strict=True):
        models = list(dict.fromkeys(row["model"] for row in tables["roc"] if row["split"] == split))
        for n, model in enumerate(models):
            line = [r for r in tables["roc"] if (r["split"], r["model"]) == (split, model)]
            colour, style = _LINES[n % len(_LINES)]
            x, y = [r["false_positive_rate"] for r in line], [r["sensitivity"] for r in line]
            axis.plot(x, y, style, color=colour, label=f"{model} {_area(tables, split, model)}")
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        if split == "control":
            _reader_points(axis, tables.get("readers", ()))
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=split)
        axis.set(xlabel="1 - specificity", ylabel="sensitivity")
        axis.legend(fontsize=7, loc="lower right")
    areas = [f"{r['split']} {r['model']} {words(r)}" for r in tables["metrics"] if r["name"] == "auc"]
    alt = "Areas under the curves: " + ", ".join(areas)
    return [Drawing("roc", "ROC curves", alt, ("roc", "metrics"), figure)]


def _area(tables: Mapping[str, Sequence[Row]], split: str, model: str) -> str:
    wanted = ("auc", split, model)
    found = [r["estimate"] for r in tables["metrics"] if (r["name"], r["split"], r["model"]) == wanted]
    return f"{found[0]:.3f}" if found and found[0] is not None else ""


def _reader_points(axis: Axes, rows: Sequence[Row]) -> None:
    for reader in dict.fromkeys(row["reader"] for row in rows):
        of_reader = {r["name"]: r["estimate"] for r in rows if r["reader"] == reader}
        if of_reader.get("sensitivity") is not None and of_reader.get("specificity") is not None:
            axis.plot([1 - of_reader["specificity"]], [of_reader["sensitivity"]], "kD", markersize=5)
            axis.annotate(reader, (1 - of_reader["specificity"], of_reader["sensitivity"]), fontsize=7)


def draw_saliency(pictures: Sequence[SaliencyPicture], columns: int = 4) -> Drawing:
    """Each crop beside itself under its heat map."""
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(3.2 * columns, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in panels:
        axis.set_axis_off()
    for axis, (caption, image, heat) in zip(panels, pictures, strict=False):
        side = image.shape[1]
        both, glow = np.hstack([image, image]), np.hstack([np.full_like(heat, np.nan), heat])
        axis.imshow(both, cmap="gray", vmin=-3, vmax=3)
        axis.imshow(glow, cmap="inferno", alpha=0.45, vmin=0, vmax=1)
        axis.axvline(side - 0.5, color="white", linewidth=1)
        axis.set_title(caption, fontsize=7)
    alt = f"{len(pictures)} crops, each beside itself with the heat map of what spoke for a fresh fracture (Grad-CAM)."
    return Drawing("saliency", "Where the evidence lies", alt, ("summary",), figure)
