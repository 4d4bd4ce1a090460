"""A walk over the data elements of one DICOM data set, without building any object for them.

Belongs here: the encoding rules of DICOM PS3.5 section 7 for the little-endian transfer syntaxes, as far as they are
needed to find some top-level elements and the pixel data. Does not belong here: what the elements mean
(`headers`), odd encodings (big endian, deflated, broken ones go to pydicom), pixels (`pixels`).

Why not a library: an archive has tens of millions of headers. pydicom reads about 800 a second and core, gdcm's
scanner is fast but reads only local files, gives no offsets and takes the process with it when it crashes
(docs/decoding.md).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from struct import Struct

_HEAD = Struct("<HH2sH")
_TAG = Struct("<HH")
_U16 = Struct("<H")
_U32 = Struct("<I")

_SHORT = frozenset(
    b.encode()
    for b in [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FL",
        "FD",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    ]
)
_LONG = frozenset(b.encode() for b in ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])

UNDEFINED = 0xFFFFFFFF
PIXEL_DATA_FIRST = 0x7FE00008
"""Stop tag of a walk to the pixel data; a retired group length (7FE0,0000) may stand before it."""
DATA_SET_FIRST = 0x00030000
"""Stop tag of a walk over the file meta information (group 0002)."""

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class NeedMore(Exception):
    """The walk needs the bytes up to `end`, which exist but were not given."""

    def __init__(self, end: int) -> None:
        self.end = end
        super().__init__(end)


class Unusual(Exception):
    """An encoding this walk leaves to pydicom."""


class Truncated(Exception):
    """The data set ends inside an element."""


@dataclass(frozen=True)
class Walked:
    """values: tag -> raw value bytes. position: where the walk stopped; tag: the element there, None at the end."""

    values: dict[int, bytes]
    position: int
    tag: int | None


def walk(data: bytes, position: int, *, explicit: bool, wanted: Container[int], stop: int, size: int) -> Walked:
    """Collect the raw values of `wanted` top-level elements from `position` up to the first tag >= `stop`.

    data: the file's first bytes. size: the whole file's length. Raises NeedMore, Unusual, Truncated.
    """
    values: dict[int, bytes] = {}
    available = len(data)
    previous = -1
    head_at, u32_at = _HEAD.unpack_from, _U32.unpack_from
    while True:
        if position + 12 > available:
            if available < size:
                raise NeedMore(position + 4096)
            if position == size:
                return Walked(values, position, None)
            if position + 8 > size:
                raise Truncated(f"{size - position} stray bytes after byte {position}")
        group, element, vr, length = head_at(data, position)
        tag = group << 16 | element
        if tag >= stop:
            return Walked(values, position, tag)
        if tag <= previous:
            raise Unusual(f"tag {tag:08X} out of order")
        previous = tag
        # this loop runs a hundred times a file: the common case first, no call for it
        start = position + 8
        if not explicit:
            length = u32_at(data, position + 4)[0]
        elif vr not in _SHORT:
            if vr not in _LONG:
                raise Unusual(f"no value representation at byte {position}")
            if position + 12 > available:
                raise Truncated(f"the header ends inside the element at byte {position}")
            length = u32_at(data, position + 8)[0]
            start = position + 12
        if length == UNDEFINED:
            position = _skip_undefined(data, position, start, explicit, size)
            continue
        end = start + length
        if end > size:
            raise Truncated(f"element ({group:04X},{element:04X}) at byte {position} ends {end - size} bytes too early")
        if tag in wanted:
            if end > available:
                raise NeedMore(end + 4096)
            values[tag] = data[start:end]
        position = end


def pixel_data_at(data: bytes, position: int, *, explicit: bool) -> tuple[int, int]:
    """(start of the value, length or UNDEFINED) of the element at `position`."""
    length, start = _length(data, position, explicit)
    return start, length


def _length(data: bytes, position: int, explicit: bool) -> tuple[int, int]:
    """(length, start of the value) of the element at `position`."""
    if not explicit:
        return _U32.unpack_from(data, position + 4)[0], position + 8
    vr = data[position + 4 : position + 6]
    if vr in _SHORT:
        return _U16.unpack_from(data, position + 6)[0], position + 8
    if vr in _LONG:
        if position + 12 > len(data):
            raise Truncated(f"the header ends inside the element at byte {position}")
        return _U32.unpack_from(data, position + 8)[0], position + 12
    raise Unusual(f"no value representation at byte {position}")


def _skip_undefined(data: bytes, at: int, position: int, explicit: bool, size: int) -> int:
    """End of the sequence of undefined length whose element is `at` and whose items start at `position`."""
    if explicit and data[at + 4 : at + 6] != b"SQ":
        raise Unusual("undefined length outside a sequence")
    while True:
        tag, length = _item(data, position, size)
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise Unusual(f"tag {tag:08X} between the items of a sequence")
        position = _skip_item(data, position, explicit, size) if length == UNDEFINED else position + length


def _skip_item(data: bytes, position: int, explicit: bool, size: int) -> int:
    """End of an item of undefined length."""
    while True:
        tag, _ = _item(data, position, size)
        if tag == _ITEM_END:
            return position + 8
        length, start = _length(data, position, explicit)
        is_undefined = length == UNDEFINED
        position = _skip_undefined(data, position, start, explicit, size) if is_undefined else start + length


def _item(data: bytes, position: int, size: int) -> tuple[int, int]:
    if position + 12 > len(data):
        if position + 8 > size:
            raise Truncated(f"a sequence ends early at byte {position}")
        if len(data) < size:
            raise NeedMore(position + 4096)
    group, element = _TAG.unpack_from(data, position)
    return group << 16 | element, _U32.unpack_from(data, position + 4)[0]
