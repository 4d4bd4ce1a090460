"""Whether larger values of a film mean more attenuation: what its header says, and what its pixels look like.

Belongs here: the two answers and which of them counts. Does not belong here: turning values round (`film`, `pictures`).

Headers decide where they agree with themselves. PixelIntensityRelationshipSign speaks of the beam; the photometric
interpretation, PresentationLUTShape and a falling VOI LUT speak of the display, on which bone is bright by convention.
Where they contradict each other, and for pictures, which have no header, the pixels are asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy import ndimage

from vfscreen.ingest.attributes import attribute, number, words

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIDE_PX = 512
_CLEAR = 0.3
"""Evidence below this is none; measured on real films in docs/decoding.md."""


def header_says_attenuation(dataset: Dataset, modality_falls: bool = False) -> tuple[bool, bool]:
    """Of values after the Modality LUT: (larger ones mean more attenuation, the header agrees with itself).

    modality_falls: whether the Modality LUT maps larger stored values to smaller ones. The sign speaks of stored
    values, the display of those after it.
    """
    votes = [words(dataset, "PhotometricInterpretation") != ["MONOCHROME1"]]
    shape = words(dataset, "PresentationLUTShape")
    if shape in (["IDENTITY"], ["INVERSE"]):
        votes.append(shape == ["IDENTITY"])
    if _voi_lut_falls(dataset):
        votes = [not vote for vote in votes]
    sign = number(dataset, "PixelIntensityRelationshipSign")
    if sign in (1, -1):
        votes.insert(0, (sign == -1) != modality_falls)
    return votes[0], len(set(votes)) == 1


def looks_like_attenuation(image: Float, inside: Mask) -> bool | None:
    """What the pixels of a radiograph say: True where larger looks like more attenuation, False where it looks like
    less, None where they do not tell. image, inside: as in `Radiograph`."""
    evidence = attenuation_evidence(image, inside)
    return None if abs(evidence) < _CLEAR else evidence > 0


def attenuation_evidence(image: Float, inside: Mask) -> float:
    """-1 .. 1, positive where larger values look like more attenuation; turns round with the values.

    Three signs: beside the patient there is air, so that the left and right borders are darker than the centre; what is
    thin and stands out is cortex, metal or a marker, so that fine detail is skewed to the bright side; and the patient
    has more detail than the air, so that bright parts are rougher than dark ones.
    """
    small, seen = _reduced(image, inside)
    if seen.sum() < 1000:
        return 0.0
    low, high = np.percentile(small[seen], [1, 99])
    if high <= low:
        return 0.0
    grey = np.clip((small - low) / (high - low), 0, 1)
    grey[~seen] = np.median(grey[seen])
    inner = ndimage.binary_erosion(seen, iterations=4)
    if not inner.any():
        return 0.0
    detail = (ndimage.gaussian_filter(grey, 1) - ndimage.gaussian_filter(grey, 2))[inner]
    signs = _border_contrast(grey, seen) / 0.2, _skewness(detail) / 0.5, _roughness_contrast(grey, inner) / 0.3
    return float(np.dot(np.tanh(signs), (0.5, 0.3, 0.2)))


def _border_contrast(grey: Float, seen: Mask) -> float:
    """Median of the centre minus that of the left and right borders."""
    rows, columns = grey.shape
    width = max(2, columns // 30)
    border = np.concatenate([grey[:, s][seen[:, s]] for s in (slice(None, width), slice(-width, None))])
    middle = slice(rows // 4, -(rows // 4) or None), slice(columns // 3, -(columns // 3) or None)
    centre = grey[middle][seen[middle]]
    return float(np.median(centre) - np.median(border)) if centre.size and border.size else 0.0


def _skewness(values: Float) -> float:
    spread = float(np.sqrt(np.mean(np.square(values))))
    return float(np.mean(values**3)) / spread**3 if spread > 0 else 0.0


def _roughness_contrast(grey: Float, inner: Mask) -> float:
    """(bright - dark) / (bright + dark) of the local standard deviation in the brightest and darkest tenth."""
    variance = ndimage.uniform_filter(grey * grey, 5) - np.square(ndimage.uniform_filter(grey, 5))
    rough, values = np.sqrt(np.maximum(variance[inner], 0)), grey[inner]
    low, high = np.quantile(values, [0.1, 0.9])
    dark, bright = float(np.median(rough[values <= low])), float(np.median(rough[values >= high]))
    return (bright - dark) / (bright + dark) if bright + dark > 0 else 0.0


def _reduced(image: Float, inside: Mask) -> tuple[Float, Mask]:
    """The picture within its visible part's bounds, averaged down to about `_SIDE_PX`."""
    box = ndimage.find_objects(inside.astype(np.uint8))
    if not box:
        return image[:0], inside[:0]
    image, inside = image[box[0]], inside[box[0]]
    step = max(1, -(-max(image.shape) // _SIDE_PX))
    rows, columns = (n // step * step for n in image.shape)
    blocks = (rows // step, step, columns // step, step)
    small = image[:rows, :columns].reshape(blocks).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(small), np.asarray(inside[:rows, :columns].reshape(blocks).all(axis=(1, 3)))


def _voi_lut_falls(dataset: Dataset) -> bool:
    """Whether the first VOI LUT maps larger values to darker ones."""
    sequence = attribute(dataset, "VOILUTSequence")
    return bool(sequence) and lut_falls(sequence[0])


def lut_falls(item: Dataset) -> bool:
    """Whether a look-up table (an item of a LUT sequence) ends lower than it begins."""
    data: Any = attribute(item, "LUTData")
    if isinstance(data, bytes):
        data = np.frombuffer(data[: len(data) // 2 * 2], "<u2")
    values = np.atleast_1d(np.asarray([] if data is None else data))
    return bool(values.size > 1 and values[-1] < values[0])
