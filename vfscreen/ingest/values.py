"""Raw values of DICOM elements -> Python values of the schema's columns. A value that cannot be one is None.

Belongs here: conversions by value representation, dates and ages. Does not belong here: which elements are read
(`headers`), how they are found (`elements`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from struct import unpack
from typing import Any

import pydicom.charset

_INT32 = 2**31


class TextDecoder:
    """Decodes text in the character sets of one data set (DICOM PS3.5 section 6.1).

    specific: raw value of SpecificCharacterSet (0008,0005), None where absent.
    """

    def __init__(self, specific: bytes | None) -> None:
        self._specific = specific

    def __call__(self, raw: bytes) -> str | None:
        """Text without padding; None for an empty value."""
        if raw.isascii() and b"\x1b" not in raw:
            return _stripped(raw.decode("ascii")) or None
        names = [n.strip() for n in (self._specific or b"").decode("ascii", "replace").split("\\")]
        encodings = pydicom.charset.convert_encodings(names or [""])
        text = pydicom.charset.decode_bytes(raw, encodings, {0x5C, 0x0D, 0x0A, 0x09, 0x0C})
        # Parquet text is UTF-8, which has no lone surrogates
        return _stripped(text).encode("utf-8", "replace").decode("utf-8") or None


def _stripped(text: str) -> str:
    """Text without the padding of each of its values."""
    text = text.strip(" \x00\t\r\n")
    return "\\".join(part.strip(" \x00") for part in text.split("\\")) if "\\" in text else text


def to_float(raw: bytes) -> float | None:
    """DS: the first value."""
    try:
        value = float(raw.split(b"\\", 1)[0].strip(b" \x00"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def to_floats(count: int) -> Callable[[bytes], list[float] | None]:
    """DS with exactly `count` values."""

    def convert(raw: bytes) -> list[float] | None:
        try:
            values = [float(part.strip(b" \x00")) for part in raw.split(b"\\")]
        except ValueError:
            return None
        return values if len(values) == count and all(map(math.isfinite, values)) else None

    return convert


def to_int(raw: bytes) -> int | None:
    """IS: the first value, if it fits 32 bits."""
    value = to_float(raw)
    return int(value) if value is not None and value == int(value) and -_INT32 <= value < _INT32 else None


def to_unsigned(raw: bytes, little_endian: bool = True) -> int | None:
    """US: the first value."""
    return int(unpack("<H" if little_endian else ">H", raw[:2])[0]) if len(raw) >= 2 else None


def finite_list(values: Any, count: int) -> list[float] | None:
    """`values` as `count` finite floats, or None."""
    if values is None or not isinstance(values, Sequence) or len(values) != count:
        return None
    floats = [float(v) for v in values]
    return floats if all(map(math.isfinite, floats)) else None


def to_date(text: str | None) -> date | None:
    """DA: YYYYMMDD (or the old YYYY.MM.DD)."""
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", text or "")
    if not match:
        return None
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        return None


_AGE_UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def age_years(patient_age: str | None, birth_date: str | None, study_date: str | None) -> float | None:
    """PatientAge (AS, for example 067Y) in years, else from the dates; None where neither gives 0..150."""
    age: float | None = None
    match = re.fullmatch(r"(\d{1,3})([YMWD]?)", patient_age or "")
    if match:
        age = int(match[1]) * _AGE_UNITS[match[2] or "Y"]
    # 000Y stands for "unknown" on many scanners; the birth date decides
    if not age:
        born, studied = to_date(birth_date), to_date(study_date)
        if born and studied:
            age = (studied - born).days / 365.25
    return age if age is not None and 0 <= age <= 150 and not (age == 0 and match) else None
