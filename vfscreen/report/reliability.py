"""The reliability plot of a release: stated probabilities against what was so.

Belongs here: drawing. Does not belong here: the numbers (training.model_calibration).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

GREY, BLUE = "#595959", "#0072B2"


class Bin(Protocol):
    """Items of one bin: how many, their mean stated probability, the share that was so, and its 95 % interval."""

    @property
    def n(self) -> int: ...
    @property
    def mean_probability(self) -> float | None: ...
    @property
    def observed(self) -> float | None: ...
    @property
    def observed_low(self) -> float | None: ...
    @property
    def observed_high(self) -> float | None: ...


def reliability_png(curves: Sequence[tuple[str, Sequence[Bin]]], title: str) -> bytes:
    """A PNG with one panel a curve (name, bins): points on the diagonal are right; the number of items stands beside
    each. Empty bins are left out. Raises ValueError without a curve."""
    if not curves:
        raise ValueError("there is no curve to draw")
    figure = Figure(figsize=(3.1 * len(curves), 3.5), layout="constrained")
    for axis, (name, bins) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        for b in bins:
            if b.mean_probability is None or b.observed is None:
                continue
            low, high = b.observed_low or 0.0, 1.0 if b.observed_high is None else b.observed_high
            axis.plot([b.mean_probability] * 2, [low, high], color=BLUE, linewidth=1)
            axis.plot(b.mean_probability, b.observed, "o", color=BLUE, markersize=5)
            axis.annotate(
                str(b.n), (b.mean_probability, b.observed), xytext=(5, 2), textcoords="offset points", fontsize=7
            )
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xlabel="stated", ylabel="observed share")
        axis.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=9)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=110, metadata={"Software": None})
    return sink.getvalue()
