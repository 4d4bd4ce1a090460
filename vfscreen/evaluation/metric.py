"""One number of an evaluation, with its interval, what it was counted over and which function it came from.

Belongs here: the record. Does not belong here: computing any number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import VfscreenError

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Int = NDArray[np.int64]

CONFIDENCE = 0.95
"""Level of every interval unless a caller says otherwise."""


class EvaluationError(VfscreenError):
    """The evaluation cannot be made as asked; the message names the remedy."""


@dataclass(frozen=True)
class Metric:
    """estimate: null where it is not defined, with the reason. low, high: the interval, null where it has none.

    interval: how it was made (`wilson`, `cluster_bootstrap`, `delong`, ...). numerator, denominator: of a proportion.
    n: items (vertebrae or patients) that went in; clusters: patients among them. source: the function that gave it.
    note: what a reader must know beside the number.
    """

    name: str
    estimate: float | None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    numerator: int | None = None
    denominator: int | None = None
    n: int = 0
    clusters: int | None = None
    reason: str | None = None
    note: str | None = None
    source: str = ""

    def __post_init__(self) -> None:
        values = (self.estimate, self.low, self.high)
        if not all(value is None or math.isfinite(value) for value in values):
            raise ValueError(f"{self.name} of {self.source} is {values}: what is not defined is null with a reason")

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        return asdict(self)

    def renamed(self, name: str) -> Metric:
        return replace(self, name=name)


def source_of(function: Callable[..., Any]) -> str:
    """Dotted name of the function a number came from, as it stands beside the number in every table."""
    return f"{function.__module__}.{function.__qualname__}"


def checked_truth(truth: Any, *others: Any) -> tuple[Bool, list[Float]]:
    """Truth (n,) as booleans and further arrays whose last axis must be as long. Raises ValueError otherwise.

    Missing values are the caller's to leave out and count: a number that is not finite is refused.
    """
    flags = np.asarray(truth)
    if flags.ndim != 1:
        raise ValueError(f"truth must be one-dimensional, not {flags.shape}")
    if flags.dtype != np.bool_ and not np.isin(flags, (0, 1)).all():
        raise ValueError("truth must be true or false")
    arrays = [np.asarray(other, dtype=np.float64) for other in others]
    for array in arrays:
        if array.shape[-1:] != flags.shape:
            raise ValueError(f"{array.shape} values do not go with {flags.size} items")
        if not np.isfinite(array).all():
            raise ValueError("values must be finite: leave out what is missing and count it")
    return flags.astype(np.bool_), arrays
