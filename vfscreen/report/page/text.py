"""Numbers and names as a reader sees them. Belongs here: formatting only. Does not belong here: any arithmetic.

A missing value is written "unknown", never left out and never a zero.
"""

from __future__ import annotations

import re
from datetime import date, datetime

UNKNOWN = "unknown"
_DICOM = re.compile(r"\bdicom(dir)?\b")


def count(number: int | None) -> str:
    """1234567 -> 1,234,567."""
    return UNKNOWN if number is None else f"{int(number):,}"


def decimal(number: float | None, places: int = 1) -> str:
    """A measured number with a fixed count of decimals."""
    return UNKNOWN if number is None else f"{number:,.{places}f}"


def percent(share: float | None, places: int = 1) -> str:
    """0.1234 -> 12.3 %. For reading: nothing is compared with a rounded number."""
    return UNKNOWN if share is None else f"{100 * share:.{places}f} %"


def interval(low: float | None, high: float | None) -> str:
    """Limits of a 95 % interval of a share."""
    return "no interval" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def probability(value: float | None) -> str:
    """Two decimals; what rounds to 0 or 1 without being it says so."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.005:
        return "< 0.01"
    if 0.995 < value < 1:
        return "> 0.99"
    return f"{value:.2f}"


def measured(value: float | None, sd: float | None, unit: str) -> str:
    """A measurement with its standard deviation, for example 15.7 ± 1.0 mm."""
    if value is None:
        return UNKNOWN
    spread = "" if sd is None else f" ± {sd:.1f}"
    return f"{value:.1f}{spread} {unit}"


def change(value: float | None, percent: bool = False) -> str:
    """A difference to the year before, with its sign; a dash where there is no year before."""
    if value is None:
        return "-"
    return f"{100 * value:+.1f} points" if percent else f"{value:+.0f}"


def day(value: date | datetime | None) -> str:
    """ISO 8601 date, or with time (UTC) for a moment."""
    if value is None:
        return UNKNOWN
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value.isoformat()


def word(value: object) -> str:
    """Any other value."""
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(word(v) for v in value) or "none"
    if isinstance(value, date):
        return day(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def spaced(name: str | None) -> str:
    """A code as words: `not_best_series` -> not best series."""
    return UNKNOWN if name is None else _DICOM.sub(lambda m: m.group().upper(), name.replace("_", " "))


def headed(words: str) -> str:
    """With a capital letter."""
    return words[:1].upper() + words[1:]


def short(key: str | None) -> str:
    """The first twelve characters of a pseudonym or UID, as the overlay pictures print them; the end of a UID."""
    if key is None:
        return UNKNOWN
    return f"…{key[-12:]}" if "." in key else key[:12]
