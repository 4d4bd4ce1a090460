"""Bodies to be projected: a fine volume around the column, a coarse one of the whole body, and the vertebrae's points.

Belongs here: putting the two volumes of a reading together, adding what the reader did not read. Does not belong here:
fractures (film_fractures), geometry and films (film_pool).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.geometry.curve import Centreline
from vfscreen.geometry.volume import Volume
from vfscreen.ingest.single import read_single
from vfscreen.models.ports import ModelSet
from vfscreen.screening.chain import screen_volume
from vfscreen.settings import ScreeningSettings
from vfscreen.synthesis.projection import Part
from vfscreen.training.readings import Reading, ReadVertebra, load_reading
from vfscreen.training.rib_cases import MATCH_MM, counted_levels

Float = NDArray[np.float64]

CHAIN_CONFIDENCE = 0.3
"""Points that our own CT chain found where nobody read: good enough to look for, not to measure by."""
_BLEND_MM = 9.0
_COARSE_BIN = 2


@dataclass(frozen=True, eq=False)
class FilmBody:
    """fine: native resolution around the column. coarse: the whole body, or None. vertebrae: superior to inferior, with
    points in LPS mm. wrapped: the fine volume is all there is, and a body has to be made up around it. sacrum_lps_mm:
    (2, 3) anterior and posterior corner of the S1 endplate, or None."""

    name: str
    fine: Volume
    coarse: Volume | None
    centreline: Centreline
    vertebrae: tuple[ReadVertebra, ...]
    wrapped: bool = False
    sacrum_lps_mm: Float | None = None

    def parts(self) -> list[Part]:
        """Fine voxels inside the crop, coarse ones outside, one fading into the other over `_BLEND_MM`."""
        own = Part(self.fine, _crop_weight(self.fine, self.fine))
        if self.coarse is None:
            return [own]
        return [
            own,
            Part(self.coarse, 1.0 - _crop_weight(self.fine, self.coarse), _COARSE_BIN),
        ]


def _crop_weight(crop: Volume, at: Volume) -> NDArray[np.float32]:
    """(K, J, I) weight of the crop at the voxels of `at` (axes along the crop's): 1 inside, 0 from its faces on."""
    ramps = []
    for axis in range(3):
        n = np.arange(at.shape_ijk[axis], dtype=np.float64)
        ijk = np.tile((np.array(at.shape_ijk) - 1) / 2, (n.size, 1))
        ijk[:, axis] = n
        place = crop.to_ijk(at.to_lps(ijk))
        own = int(np.argmax(np.abs(np.ptp(place, axis=0)))) if n.size > 1 else axis
        inside = np.minimum(place[:, own], crop.shape_ijk[own] - 1 - place[:, own]) * crop.spacing_mm[own]
        ramps.append(np.clip(inside / _BLEND_MM, 0.0, 1.0).astype(np.float32))
    i, j, k = ramps
    return np.asarray(k[:, None, None] * j[None, :, None] * i[None, None, :], dtype=np.float32)


def read_body(
    data: Path, name: str, models: ModelSet | None, settings: ScreeningSettings, volume: Path | None = None
) -> FilmBody:
    """The body of reading `name` below `data`. With `models`, vertebrae that the reader left out are added.

    volume: the reading's volume, where it does not lie beside it; it is cropped to the column. Raises FileNotFoundError
    where the reading or its volume is missing.
    """
    found = sorted(data.rglob(f"{name}_six_points.json"))
    if not found:
        raise FileNotFoundError(f"no {name}_six_points.json below {data}")
    beside = [p for end in ("_spine", "_ct", "") if (p := found[0].with_name(f"{name}{end}.nii.gz")).exists()]
    coarse_path = found[0].with_name(f"{name}_3mm.nii.gz")
    source = volume or (beside[0] if beside else None)
    if source is None:
        raise FileNotFoundError(f"no volume beside {found[0]}")
    reading = load_reading(found[0])
    fine = read_single(source).volume
    if volume is not None:
        fine = _around(fine, reading.rough_centreline_lps_mm)
    coarse = read_single(coarse_path).volume if coarse_path.exists() else None
    vertebrae: Sequence[ReadVertebra] = reading.vertebrae
    if models is not None:
        vertebrae = _completed(reading, fine, models, settings)
    return FilmBody(name, fine, coarse, reading.centreline(), tuple(vertebrae), wrapped=coarse is None)


def _around(volume: Volume, path_lps_mm: Float) -> Volume:
    """The part of an axis-aligned volume that lies around a column's path, all its slices."""
    reach = np.array([45.0, 80.0, 1e4])
    ijk = volume.to_ijk(np.stack([path_lps_mm.min(axis=0) - reach, path_lps_mm.max(axis=0) + reach]))
    low = np.maximum(np.floor(ijk.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(ijk.max(axis=0)) + 1, volume.shape_ijk).astype(int)
    affine = volume.affine_lps.copy()
    affine[:3, 3] = volume.to_lps(low.astype(np.float64))
    return Volume(np.ascontiguousarray(volume.hu[low[2] : high[2], low[1] : high[1], low[0] : high[0]]), affine)


def _completed(reading: Reading, volume: Volume, models: ModelSet, settings: ScreeningSettings) -> list[ReadVertebra]:
    """The reading's vertebrae and those of the chain that are none of them."""
    result = screen_volume(volume, models, settings)
    whole = [v for v in result.vertebrae if v.keypoints_lps_mm is not None and not v.truncated]
    centres = np.stack([v.centre_lps_mm for v in whole])
    levels = counted_levels(centres, reading)
    read = np.stack([v.centre_lps_mm for v in reading.vertebrae])
    found = list(reading.vertebrae)
    for vertebra, level in zip(whole, levels, strict=True):
        if np.linalg.norm(read - vertebra.centre_lps_mm, axis=1).min() > MATCH_MM:
            found.append(ReadVertebra(level, False, CHAIN_CONFIDENCE, np.asarray(vertebra.keypoints_lps_mm)))
    return sorted(found, key=lambda v: -float(v.centre_lps_mm[2]))
