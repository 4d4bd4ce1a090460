"""The slices of a stack -> one volume in HU and LPS mm.

Belongs here: the order of slices, rescale to HU, padding, and the proof that what is read is what was indexed. Does not
belong here: pixel decoders (`pixels`), whether a series may be screened (`series`).

The volume is allocated once and filled slice by slice; besides it only a few files are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import Failed, ReasonCode, Rejected, Stage
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.ingest.pixels import PixelFile, PixelFormat, parse
from vfscreen.ingest.sources import ByteSource, LocalFile, open_archive
from vfscreen.ingest.stacks import Slice, Stack, leading_stack, slices_of, without_copies

_HU_MAX = 32767
_SOFT_TISSUE_HU = (-200, 300)
_SOFT_TISSUE_SHARE_MIN = 0.005
_RANGE_HU_MIN = 150
_SAMPLES = 200_000

Places = Iterable[tuple[int, Slice]]
Int16 = NDArray[np.int16]


def read_volume(archive: str, file_rows: Sequence[Mapping[str, Any]]) -> Volume:
    """The volume of a series' leading stack.

    archive: folder or fsspec URL. file_rows: FILES rows of the series, or of its stack in use only (the result is the
    same), in any order. Returns int16 HU, slices along their normal; a gantry tilt is in the affine's third column.

    Raises Rejected where the rows make no stack, Failed (stage read or decode) where a file is gone, changed, damaged
    or of a transfer syntax nothing decodes, and where the pixels cannot be HU.
    """
    instances, _ = without_copies(file_rows)
    leading = leading_stack(slices_of(instances))
    if leading is None:
        raise Rejected(Stage.DECODE, ReasonCode.GEOMETRY_MISSING, "no slice has position, orientation and spacing")
    stack = leading.stack
    volume = np.empty((len(stack.slices), *stack.size), dtype=np.int16)
    _fill(volume, archive, stack)
    check_plausible(volume)
    return Volume(volume, stack.affine_lps)


def _fill(volume: Int16, archive: str, stack: Stack) -> None:
    places: dict[tuple[str, str], list[tuple[int, Slice]]] = {}
    for k, item in enumerate(stack.slices):
        places.setdefault((item.row["path"], item.row["member"]), []).append((k, item))
    sources = open_archive(archive).sources(list(places))
    for (name, where), source in zip(places.items(), sources, strict=True):
        label = "/".join(filter(None, name))
        if isinstance(source, OSError):
            raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, f"{label}: {source}") from source
        try:
            file = _proven(source, where[0][1].row, volume.shape[1:])
            _fill_from(volume, file, where)
        except OSError as error:
            raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, f"{label}: {error}") from error


def _proven(source: ByteSource, row: Mapping[str, Any], shape: tuple[int, ...]) -> PixelFile:
    """The parsed file, if it is still the instance that was indexed."""
    if source.size != row["size_bytes"]:
        raise _changed(row, f"{source.size} bytes where the index has {row['size_bytes']}")
    if isinstance(source, LocalFile) and str(source.modified_ns) != row["modified"]:
        raise _changed(row, "modified since")
    file = parse(source)
    if file.SOPInstanceUID != (row["SOPInstanceUID"] or ""):
        raise _changed(row, f"instance {file.SOPInstanceUID} where the index has {row['SOPInstanceUID']}")
    if (file.format.rows, file.format.columns) != shape:
        raise _changed(row, f"{file.format.rows} x {file.format.columns} pixels where the index has {shape}")
    return file


def _fill_from(volume: Int16, file: PixelFile, where: Places) -> None:
    where = list(where)
    decoded = iter(file.decoded_frames([item.frame for _, item in where])) if file.is_encapsulated else None
    for k, item in where:
        if item.slope is None or item.intercept is None:
            raise Rejected(
                Stage.DECODE, ReasonCode.RESCALE_MISSING, f"instance {file.SOPInstanceUID} has no rescale to HU"
            )
        stored = file.raw_frame(item.frame, volume[k]) if decoded is None else next(decoded)
        if stored.shape != volume.shape[1:]:
            raise Failed(
                Stage.DECODE,
                ReasonCode.DECODE_FAILED,
                f"instance {file.SOPInstanceUID} decodes to {stored.shape}, its header says {volume.shape[1:]}",
            )
        to_hu(stored, file.format, item.slope, item.intercept, volume[k])


def to_hu(stored: NDArray[Any], form: PixelFormat, slope: float, intercept: float, out: Int16) -> None:
    """Stored values -> HU in `out` (same shape, may share memory with `stored`): slope, intercept, padding, limits.

    Padding and everything below it becomes AIR_HU; values above int16 are held at its end. (DICOM PS3.3 C.11.1)
    """
    padded = None
    if form.padding is not None:
        low, high = form.padding
        padded = stored == low if low == high else (stored >= low) & (stored <= high)
        if not padded.any():
            padded = None
    values = _without_overlays(stored, form)
    whole = slope == 1.0 and intercept == int(intercept) and -16384 <= intercept <= 16384
    if whole and form.bits_allocated <= 16 and form.bits_stored + (not form.signed) <= 14:
        # at most 14 bits plus the intercept: no sum leaves int16, and none needs more room than the volume itself
        narrow = values.view(np.int16) if values.itemsize == 2 else values
        np.add(narrow, np.int16(intercept), out=out, casting="unsafe")
        np.maximum(out, AIR_HU, out=out)
    else:
        hu = np.multiply(values, slope, dtype=np.float32)
        hu += np.float32(intercept)
        np.rint(hu, out=hu)
        np.clip(hu, AIR_HU, _HU_MAX, out=hu)
        np.copyto(out, hu, casting="unsafe")
    if padded is not None:
        out[padded] = AIR_HU


def _without_overlays(stored: NDArray[Any], form: PixelFormat) -> NDArray[Any]:
    """Stored values without what lies in the bits outside BitsStored (old overlays), sign extended."""
    if form.bits_stored == form.bits_allocated:
        return stored
    low_bits = form.high_bit + 1 - form.bits_stored
    unused = form.bits_allocated - form.bits_stored
    if form.signed:
        above = unused - low_bits
        shifted = np.left_shift(stored, above) if above else stored
        return np.asarray(np.right_shift(shifted, unused))
    mask = (1 << form.bits_stored) - 1
    if low_bits:
        stored = np.right_shift(stored, low_bits)
    return np.asarray(np.bitwise_and(stored, mask, dtype=stored.dtype))


def check_plausible(hu: Int16) -> None:
    """Raises Failed where a sample of the voxels cannot be HU of a body: constant, or next to no soft tissue."""
    flat = hu.reshape(-1)
    # a stride with no small factors in common with the matrix, so that the sample spreads over columns
    sample = flat[:: max(1, flat.size // _SAMPLES) | 1]
    low, high = int(sample.min()), int(sample.max())
    inside = (sample >= _SOFT_TISSUE_HU[0]) & (sample <= _SOFT_TISSUE_HU[1])
    share = float(np.count_nonzero(inside)) / sample.size
    if high - low < _RANGE_HU_MIN or share < _SOFT_TISSUE_SHARE_MIN:
        raise Failed(
            Stage.DECODE,
            ReasonCode.HU_IMPLAUSIBLE,
            f"values from {low} to {high}, {share:.2%} of them soft tissue "
            f"({_SOFT_TISSUE_HU[0]}..{_SOFT_TISSUE_HU[1]} HU)",
        )


def _changed(row: Mapping[str, Any], what: str) -> Failed:
    return Failed(Stage.READ, ReasonCode.INPUT_CHANGED, f"{row['path']}: {what}; index the archive again")
