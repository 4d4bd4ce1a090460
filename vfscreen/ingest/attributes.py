"""Values of a pydicom data set that may be anything. Belongs here: reading them without trusting them."""

from __future__ import annotations

import math
from typing import Any

from pydicom.dataset import Dataset


def attribute(dataset: Dataset, keyword: str) -> Any:
    """The value of an element, or None where it is absent, empty or cannot be read (pydicom converts at the access)."""
    try:
        value = dataset.get(keyword)
    except Exception:  # a broken value may raise anything, and is no value
        return None
    return None if value is None or (isinstance(value, str) and not value) else value


def number(dataset: Dataset, keyword: str) -> float | None:
    """A finite number, or None; of several the first."""
    found = numbers(dataset, keyword)
    return found[0] if found else None


def numbers(dataset: Dataset, keyword: str) -> list[float] | None:
    """Finite numbers, or None where one of them is none."""
    value = attribute(dataset, keyword)
    if value is None:
        return None
    try:
        found = [float(v) for v in (value if not isinstance(value, int | float | str) else [value])]
    except (TypeError, ValueError):
        return None
    return found if found and all(map(math.isfinite, found)) else None


def words(dataset: Dataset, keyword: str) -> list[str]:
    """Values of a code string in capitals, empty where there is none."""
    value = attribute(dataset, keyword)
    if value is None:
        return []
    return [str(v).strip().upper() for v in ([value] if isinstance(value, str) else value)]
