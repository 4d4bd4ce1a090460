"""The pixel data of one DICOM file -> stored values, frame by frame.

Belongs here: finding the pixel data, the uncompressed fast path, the decoders of compressed transfer syntaxes and
their errors. Does not belong here: HU and volumes (`decode`), headers for the manifest (`headers`).

Uncompressed pixels are a view of the file's bytes. Compressed frames go to pydicom's decoder plug-ins in the order of
`_PLUGINS` (docs/decoding.md says why).
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from vfscreen.errors import Failed, ReasonCode, Stage
from vfscreen.ingest import elements
from vfscreen.ingest.elements import NeedMore, Truncated, Unusual
from vfscreen.ingest.headers import longer
from vfscreen.ingest.sources import ByteSource, LocalFile, Memory
from vfscreen.ingest.stored import PixelFormat

_LITTLE = {ImplicitVRLittleEndian: False, ExplicitVRLittleEndian: True}
_META_SYNTAX = 0x00020010
_INSTANCE = 0x00080018
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_UNSIGNED = (_SAMPLES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _HIGH_BIT, _SIGNED)
_WANTED = frozenset({_INSTANCE, _PHOTOMETRIC, _FRAMES, _PADDING, _PADDING_LIMIT, *_UNSIGNED})

_FIRST_BYTES = 1 << 14
_ITEM = b"\xfe\xff\x00\xe0"
_PLUGINS = ("pyjpegls", "pylibjpeg", "gdcm")


@dataclass(frozen=True, eq=False)
class PixelFile:
    """A file whose header is parsed. The pixel data's value is at [start, start + length) of `source`; length is
    UNDEFINED where the frames are encapsulated."""

    SOPInstanceUID: str
    transfer_syntax: str
    format: PixelFormat
    source: ByteSource
    start: int
    length: int

    @property
    def is_encapsulated(self) -> bool:
        return self.length == elements.UNDEFINED

    def raw_frame(self, number: int, out: NDArray[np.int16]) -> NDArray[Any]:
        """Stored values (Rows, Columns) of an uncompressed frame, counted from 0; 16-bit ones lie in `out`'s memory.

        out: C-contiguous (Rows, Columns). Raises Failed.
        """
        form = self.format
        count = form.rows * form.columns
        size = count * form.dtype.itemsize
        start = self.start + number * size
        end = min(self.start + self.length, self.source.size)
        if start + size > end:
            raise Failed(
                Stage.DECODE,
                ReasonCode.PIXEL_DATA_TRUNCATED,
                f"frame {number + 1} of instance {self.SOPInstanceUID} needs {size} bytes, "
                f"{max(0, end - start)} are there",
            )
        if isinstance(self.source, LocalFile) and form.dtype.itemsize == out.itemsize:
            # straight from the file into the volume: no second copy of the pixels
            self.source.read_into(start, out)
            return out.view(form.dtype)
        return np.frombuffer(self.source.read(start, start + size), form.dtype, count).reshape(form.rows, form.columns)

    def decoded_frames(self, wanted: Sequence[int]) -> Iterator[NDArray[Any]]:
        """Stored values (Rows, Columns) of compressed frames, counted from 0, in the order asked. Raises Failed."""
        return _decode(self, wanted)


def parse(source: ByteSource) -> PixelFile:
    """The header around the pixel data of a DICOM file. Raises Failed; OSError where the bytes cannot be had."""
    size = source.size
    data = source.read(0, min(size, _FIRST_BYTES))
    try:
        while True:
            try:
                return _walk(source, data)
            except NeedMore as more:
                data = longer(source, data, more)
    except Truncated as error:
        raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, f"the file ends early: {error}") from error
    except Unusual:
        return _parse_with_pydicom(source.read(0, size))


def _walk(source: ByteSource, data: bytes) -> PixelFile:
    if data[128:132] != b"DICM":
        raise Unusual("no preamble")
    size = source.size
    meta = elements.walk(data, 132, explicit=True, wanted={_META_SYNTAX}, stop=elements.DATA_SET_FIRST, size=size)
    syntax = meta.values.get(_META_SYNTAX, b"").strip(b" \x00").decode("ascii", "replace")
    if syntax in ("", ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        raise Unusual("transfer syntax")
    explicit = _LITTLE.get(UID(syntax), True)
    at = meta.position
    if not explicit and data[at + 4 : at + 6].isalpha() and data[at + 4 : at + 6].isupper():
        raise Unusual("says implicit, looks explicit")
    body = elements.walk(data, at, explicit=explicit, wanted=_WANTED, stop=elements.PIXEL_DATA_FIRST, size=size)
    if body.tag != 0x7FE00010:
        raise _missing()
    start, length = elements.pixel_data_at(data, body.position, explicit=explicit)
    values = body.values

    def number(tag: int, default: int | None = None) -> int:
        raw = values.get(tag)
        if not raw:
            if default is None:
                raise Unusual(f"no {tag:08X}")
            return default
        return int.from_bytes(raw[:2], "little")

    signed = bool(number(_SIGNED, 0))
    allocated = number(_ALLOCATED)
    stored = number(_STORED, allocated)
    form = PixelFormat(
        number(_ROWS),
        number(_COLUMNS),
        int(values.get(_FRAMES, b"1").strip(b" \x00") or 1),
        allocated,
        stored,
        number(_HIGH_BIT, stored - 1),
        signed,
        values.get(_PHOTOMETRIC, b"MONOCHROME2").strip(b" \x00").decode("ascii", "replace"),
        _padding(values.get(_PADDING), values.get(_PADDING_LIMIT), signed),
    )
    uid = values.get(_INSTANCE, b"").strip(b" \x00").decode("ascii", "replace")
    _check(form, number(_SAMPLES, 1))
    return PixelFile(uid, syntax, form, source, start, length)


def _parse_with_pydicom(data: bytes) -> PixelFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            value = dataset.get("PixelData")
            if value is None:
                raise _missing()
            implicit, little = dataset.original_encoding
            syntax = dataset.file_meta.get("TransferSyntaxUID") or (
                ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            )
            stored = int(dataset.get("BitsStored") or dataset.BitsAllocated)
            signed = bool(dataset.get("PixelRepresentation", 0))
            low, high = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
            form = PixelFormat(
                int(dataset.Rows),
                int(dataset.Columns),
                int(dataset.get("NumberOfFrames") or 1),
                int(dataset.BitsAllocated),
                stored,
                int(dataset.get("HighBit", stored - 1)),
                signed,
                str(dataset.get("PhotometricInterpretation", "MONOCHROME2")),
                None if low is None else _ordered(int(low), int(low if high is None else high)),
            )
            samples, uid = int(dataset.get("SamplesPerPixel", 1)), str(dataset.get("SOPInstanceUID", ""))
        except Failed:
            raise
        except Exception as error:
            why = f"the header cannot be parsed: {type(error).__name__}: {error}"
            raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, why) from error
    _check(form, samples)
    if not little and form.bits_allocated > 8:
        width = form.bits_allocated // 8
        value = np.frombuffer(value[: len(value) // width * width], f">u{width}").astype(f"<u{width}").tobytes()
    encapsulated = UID(syntax).is_transfer_syntax and UID(syntax).is_encapsulated
    return PixelFile(uid, str(syntax), form, Memory(value), 0, elements.UNDEFINED if encapsulated else len(value))


def _decode(file: PixelFile, wanted: Sequence[int]) -> Iterator[NDArray[Any]]:
    form = file.format
    try:
        decoder = get_decoder(UID(file.transfer_syntax))
    except NotImplementedError as error:
        raise _not_supported(file) from error
    available = set(decoder.available_plugins)
    plugin = next((p for p in _PLUGINS if p in available), None)
    if plugin is None:
        raise _not_supported(file)
    options: dict[str, Any] = {
        "rows": form.rows,
        "columns": form.columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": form.photometric,
        "bits_allocated": form.bits_allocated,
        "bits_stored": form.bits_stored,
        "pixel_representation": int(form.signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    for number, code in zip(wanted, _encoded_frames(file, wanted), strict=True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image, _ = decoder.as_array(_encapsulated(code), raw=True, decoding_plugin=plugin, **options)
        except BaseException as error:  # a plug-in may raise anything for a damaged stream; a Rust one panics
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise Failed(
                Stage.DECODE,
                ReasonCode.DECODE_FAILED,
                f"frame {number + 1} of {file.SOPInstanceUID} ({file.transfer_syntax}, {plugin}): "
                f"{type(error).__name__}: {str(error).strip()[:300]}",
            ) from error
        yield image


def _encoded_frames(file: PixelFile, wanted: Sequence[int]) -> list[bytes]:
    value = file.source.read(file.start, file.source.size)
    frames: dict[int, bytes] = {}
    _check_fragments(file, value)
    try:
        for number, code in enumerate(generate_frames(value, number_of_frames=file.format.frames)):
            if number in wanted:
                frames[number] = code
            if len(frames) == len(set(wanted)):
                break
    except (ValueError, EOFError, IndexError, struct.error) as error:
        raise _truncated_frames(file, str(error)) from error
    if short := [n for n in wanted if n not in frames]:
        raise _truncated_frames(file, f"{len(short)} of {len(wanted)} frames are not there")
    return [frames[n] for n in wanted]


def _check_fragments(file: PixelFile, value: bytes) -> None:
    """Raises Failed where a fragment reaches beyond the file: decoders make up what is missing, without a word."""
    position = 0
    while position + 8 <= len(value) and value[position : position + 4] == _ITEM:
        end = position + 8 + int.from_bytes(value[position + 4 : position + 8], "little")
        if end > len(value):
            raise _truncated_frames(file, f"a fragment lacks its last {end - len(value)} bytes")
        position = end


def _truncated_frames(file: PixelFile, why: str) -> Failed:
    return Failed(
        Stage.DECODE,
        ReasonCode.PIXEL_DATA_TRUNCATED,
        f"the compressed frames of instance {file.SOPInstanceUID} end early: {why}",
    )


def _encapsulated(code: bytes) -> bytes:
    """One frame as an encapsulated pixel data value: an empty offset table and one item."""
    code = code + b"\x00" if len(code) % 2 else code
    return b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0" + len(code).to_bytes(4, "little") + code


def _check(form: PixelFormat, samples: int) -> None:
    if (
        samples != 1
        or form.bits_allocated not in (8, 16, 32)
        or not 1 <= form.bits_stored <= form.bits_allocated
        or not form.bits_stored - 1 <= form.high_bit < form.bits_allocated
    ):
        raise Failed(
            Stage.DECODE,
            ReasonCode.PIXEL_FORMAT_NOT_SUPPORTED,
            f"{samples} samples, {form.bits_allocated} bits allocated, {form.bits_stored} stored, "
            f"high bit {form.high_bit}",
        )


def _padding(low: bytes | None, high: bytes | None, signed: bool) -> tuple[int, int] | None:
    if not low:
        return None
    first = int.from_bytes(low[:2], "little", signed=signed)
    return _ordered(first, int.from_bytes(high[:2], "little", signed=signed) if high else first)


def _ordered(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)


def _missing() -> Failed:
    return Failed(Stage.READ, ReasonCode.PIXEL_DATA_MISSING, "the instance carries no pixel data any more")


def _not_supported(file: PixelFile) -> Failed:
    return Failed(
        Stage.DECODE,
        ReasonCode.TRANSFER_SYNTAX_NOT_SUPPORTED,
        f"transfer syntax {file.transfer_syntax} of instance {file.SOPInstanceUID}",
    )
