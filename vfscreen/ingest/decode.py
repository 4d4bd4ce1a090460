"""The slices of a stack -> one volume in HU and LPS mm.

Belongs here: the order of slices, rescale to HU, padding. Does not belong here: pixel decoders (`pixels`), whether a
file is what was indexed (`proof`), whether a series may be screened (`series`), radiographs (`film`).

The volume is allocated once and filled slice by slice; besides it only a few files are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import Failed, ReasonCode, Rejected, Stage
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.ingest.pixels import PixelFile
from vfscreen.ingest.proof import proven
from vfscreen.ingest.sources import open_archive
from vfscreen.ingest.stacks import Slice, Stack, leading_stack, slices_of, without_copies
from vfscreen.ingest.stored import PixelFormat, padded_pixels, without_overlays

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
            file = proven(source, where[0][1].row, volume.shape[1:])
            _fill_from(volume, file, where)
        except OSError as error:
            raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, f"{label}: {error}") from error


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
    padded = padded_pixels(stored, form)
    values = without_overlays(stored, form)
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
