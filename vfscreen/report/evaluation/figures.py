"""Figures of an evaluation, drawn from its tables.

Belongs here: drawing. Does not belong here: computing: every number in a figure stands in the table it is drawn from.
Colours are Okabe and Ito's; line styles and markers say the same as the colours.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfscreen.evaluation.accuracy import Tables

Row = dict[str, Any]
BLUE, VERMILLION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#595959"
_STYLES = ((BLUE, "-", "o"), (VERMILLION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D"))
DRAWING_SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "path",  # the same picture on every machine
    "svg.hashsalt": "vfscreen",  # ... and the same bytes
    "legend.frameon": False,
}
_UNITS = {"height_loss_ratio_raw": "ratio", "trabecular_hu_mean": "HU"}


@dataclass(frozen=True)
class Drawing:
    """key: its file name. alt: the figure in a sentence. tables: what it was drawn from."""

    key: str
    title: str
    alt: str
    tables: tuple[str, ...]
    figure: Figure

    def encoded(self, kind: str) -> bytes:
        """As "svg" or "png"."""
        sink = io.BytesIO()
        with matplotlib.rc_context(DRAWING_SETTINGS):
            # without a date the same tables give the same bytes
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            self.figure.savefig(sink, format=kind, bbox_inches="tight", metadata=metadata)
        return sink.getvalue()


def draw_all(tables: Tables) -> list[Drawing]:
    """Every figure whose table has rows."""
    with matplotlib.rc_context(DRAWING_SETTINGS):
        drawings = [make(tables) for make in (_roc, _pr, _reliability, _decision, _grades, _subgroups)]
        return [d for d in [*drawings, *_bland_altman(tables)] if d is not None]


def _by(rows: Sequence[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def _panels(count: int, width: float = 3.4, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * count, height), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)
    return figure, list(axes[0])


def _lead(rows: Sequence[Row], analysis: str) -> list[Row]:
    """Rows of one analysis; the others stand in the tables."""
    return [row for row in rows if row["analysis"] == analysis]


def _curves(
    rows: Sequence[Row], draw: Callable[[Axes, list[Row], str, int], None], titles: tuple[str, str]
) -> Figure | None:
    """A panel a level, a line a target."""
    levels = _by(rows, "level")
    if not levels:
        return None
    figure, axes = _panels(len(levels))
    for axis, ((level,), of_level) in zip(axes, levels.items(), strict=True):
        for index, ((target,), line) in enumerate(_by(of_level, "target").items()):
            draw(axis, line, str(target), index % len(_STYLES))
        axis.set(title=f"by {level}", xlabel=titles[0], ylabel=titles[1])
        axis.legend(fontsize=8)
    return figure


def _stepped(
    x: str, y: str, where: Literal["line", "pre", "post", "mid"]
) -> Callable[[Axes, list[Row], str, int], None]:
    def draw(axis: Axes, rows: list[Row], target: str, index: int) -> None:
        colour, style, _ = _STYLES[index]
        xs, ys = [r[x] for r in rows], [r[y] for r in rows]
        if where == "line":
            axis.plot(xs, ys, style, color=colour, label=target)
        else:
            axis.step(xs, ys, style, where=where, color=colour, label=target)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")

    return draw


def _roc(tables: Tables) -> Drawing | None:
    rows = _lead(tables["roc"], "per_protocol")
    names = ("1 - specificity", "sensitivity")
    figure = _curves(rows, _stepped("false_positive_rate", "sensitivity", "line"), names)
    if figure is None:
        return None
    for axis in figure.axes:
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    areas = [
        f"{r['level']} {r['target']} {r['estimate']:.3f}"
        for r in _lead(tables["metrics"], "per_protocol")
        if r["name"] == "auc" and r["estimate"] is not None
    ]
    return Drawing("roc", "ROC curves, per protocol", "Areas: " + ", ".join(areas), ("roc", "metrics"), figure)


def _pr(tables: Tables) -> Drawing | None:
    rows = _lead(tables["pr"], "per_protocol")
    draw = _stepped("recall", "precision", "post")
    figure = _curves(rows, draw, ("recall (sensitivity)", "precision (PPV)"))
    if figure is None:
        return None
    alt = "Precision against recall; the height of chance is the prevalence."
    return Drawing("precision_recall", "Precision-recall curves, per protocol", alt, ("pr",), figure)


def _reliability(tables: Tables) -> Drawing | None:
    def draw(axis: Axes, rows: list[Row], target: str, index: int) -> None:
        colour, _, marker = _STYLES[index]
        full = [r for r in rows if r["n"]]
        x, y = [r["mean_probability"] for r in full], [r["observed"] for r in full]
        below = [max(0.0, r["observed"] - r["observed_low"]) for r in full]
        above = [max(0.0, r["observed_high"] - r["observed"]) for r in full]
        axis.errorbar(x, y, [below, above], fmt=marker, color=colour, label=target, capsize=2, linewidth=1)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")

    figure = _curves(tables["reliability"], draw, ("mean probability", "observed share"))
    if figure is None:
        return None
    for axis in figure.axes:
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    alt = (
        "Observed share of positives in each bin of probability, with Wilson's intervals; on the diagonal all is well."
    )
    return Drawing("reliability", "Calibration, per protocol", alt, ("reliability",), figure)


def _decision(tables: Tables) -> Drawing | None:
    def draw(axis: Axes, rows: list[Row], target: str, index: int) -> None:
        colour, style, _ = _STYLES[index]
        x = [r["threshold"] for r in rows]
        axis.plot(x, [r["model"] for r in rows], style, color=colour, label=f"{target}: model")
        if all(r["low"] is not None for r in rows):
            axis.fill_between(x, [r["low"] for r in rows], [r["high"] for r in rows], color=colour, alpha=0.15, lw=0)
        axis.plot(
            x, [r["all"] for r in rows], style, color=colour, alpha=0.5, linewidth=0.8, label=f"{target}: flag all"
        )
        axis.axhline(0, color=GREY, linewidth=0.8)
        top = max(r["model"] for r in rows)
        axis.set_ylim(-0.05 - 0.2 * abs(top), 1.15 * max(top, 0.05))

    figure = _curves(tables["decision_curve"], draw, ("threshold probability", "net benefit"))
    if figure is None:
        return None
    alt = "Net benefit of acting on the probability, against acting on all and on none (zero)."
    return Drawing("decision_curve", "Decision curves, intention to screen", alt, ("decision_curve",), figure)


def _grades(tables: Tables) -> Drawing | None:
    levels = _by(tables["grades"], "level")
    figure, axes = _panels(len(levels), 3.6)
    for axis, ((level,), rows) in zip(axes, levels.items(), strict=True):
        columns = [0, 1, 2, 3, None]
        cells = [[0] * 5 for _ in range(4)]
        for row in rows:
            cells[row["reference_grade"]][columns.index(row["lake_grade"])] = row["n"]
        top = max(max(line) for line in cells) or 1
        # rectangles, not a picture: sharp in print and without a raster inside the page
        axis.pcolormesh(cells, cmap="cividis_r", vmin=0, vmax=top, edgecolors="white", linewidth=1)
        axis.invert_yaxis()
        for y, line in enumerate(cells):
            for x, n in enumerate(line):
                axis.text(x + 0.5, y + 0.5, str(n), ha="center", va="center", color="white" if n > top / 2 else "black")
        axis.set(title=f"by {level}", xlabel="grade of the lake", ylabel="grade of the reference")
        axis.set_xticks([x + 0.5 for x in range(5)], ["0", "1", "2", "3", "none"])
        axis.set_yticks([y + 0.5 for y in range(4)], ["0", "1", "2", "3"])
    alt = "Counts of reference grade against the lake's grade, 'none' where the lake has no grade."
    return Drawing("grades", "Grades", alt, ("grades",), figure)


def _subgroups(tables: Tables) -> Drawing | None:
    rows = [
        r
        for r in tables["subgroups"]
        if r["level"] == "patient"
        and r["analysis"] == "intention_to_screen"
        and r["name"] in ("sensitivity", "specificity")
    ]
    if not rows:
        return None
    lead = rows[0]["target"]
    rows = [r for r in rows if r["target"] == lead]
    places = list(dict.fromkeys((r["grouping"], r["group"], r["patients"]) for r in rows))
    figure = Figure(figsize=(7.0, 0.9 + 0.24 * len(places)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, name, (colour, _, marker) in zip(axes, ("sensitivity", "specificity"), _STYLES, strict=False):
        for row in (r for r in rows if r["name"] == name and r["estimate"] is not None):
            y = places.index((row["grouping"], row["group"], row["patients"]))
            ends = [[max(0.0, row["estimate"] - row["low"])], [max(0.0, row["high"] - row["estimate"])]]
            axis.errorbar([row["estimate"]], [y], xerr=ends, fmt=marker, color=colour, capsize=2, linewidth=1)
        axis.set(title=name, xlim=(-0.03, 1.03))
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(places)), [f"{grouping.replace('_', ' ')}: {g} (n={n})" for grouping, g, n in places])
    axes[0].set_ylim(len(places) - 0.4, -0.6)
    title = f"Patients by subgroup, {lead}, intention to screen"
    alt = "Sensitivity and specificity with Wilson's intervals; groups without a point are too small or have one class."
    return Drawing("subgroups", title, alt, ("subgroups",), figure)


def _bland_altman(tables: Tables) -> list[Drawing]:
    limits = {r["measurement"]: r for r in tables["bland_altman"] if not r.get("reason")}
    drawings = []
    for name, row in limits.items():
        points = [m for m in tables["measurements"] if m["measurement"] == name]
        figure, (axis,) = _panels(1, 4.2)
        mean = [(m["lake"] + m["reference"]) / 2 for m in points]
        difference = [m["lake"] - m["reference"] for m in points]
        if not any(difference):
            axis.set_ylim(-1, 1)  # a range of nothing would show the rounding of zero
        axis.plot(mean, difference, "o", color=BLUE, markersize=3, alpha=0.6)
        for key, style in (("bias", "-"), ("low", "--"), ("high", "--")):
            axis.axhline(row[key], color=VERMILLION, linestyle=style, linewidth=1)
            low, high = row[f"{key}_ci_low"], row[f"{key}_ci_high"]
            if low is not None:
                axis.axhspan(low, high, color=VERMILLION, alpha=0.12, linewidth=0)
        unit = _UNITS.get(name, "mm")
        words = name.removesuffix("_mm").replace("_", " ")
        axis.set(title=words, xlabel=f"mean of both ({unit})", ylabel=f"lake - reference ({unit})")
        alt = (
            f"Bias {row['bias']:.3g} {unit}, limits of agreement {row['low']:.3g} to {row['high']:.3g}, n = {row['n']} "
            f"vertebrae of {row['patients']} patients."
        )
        title = f"Agreement of {words}"
        drawings.append(Drawing(f"bland_altman_{name}", title, alt, ("bland_altman", "measurements"), figure))
    return drawings
