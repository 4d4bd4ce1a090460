"""A picture of a radiograph (PNG, JPEG, TIFF) -> a film: a scan, or what a viewer exported.

Belongs here: greys of any depth and colour, orientation, inverted scans, plain frames around the film. Does not belong
here: DICOM (`film`), what the film shows (models).

A picture has no header to trust: its resolution in dots per inch is the scanner's or a default and is not taken for
millimetres, and whether bone is bright is read from the pixels (`film_polarity`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vfscreen.errors import Failed, ReasonCode, Rejected, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.ingest.film_polarity import looks_like_attenuation
from vfscreen.ingest.film_series import size_problem
from vfscreen.ingest.film_shutters import plain_edges
from vfscreen.settings_films import FilmSettings

PICTURE_SUFFIXES: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "TIFF")
_FRAME_SHARE = 0.024
"""A frame's row may vary by this share of the range in a JPEG file: compression leaves noise in what was plain."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0

Float = NDArray[np.float32]


def is_picture(path: Path) -> bool:
    """Whether the name says PNG, JPEG or TIFF."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def read_picture(path: Path | str, settings: FilmSettings | None = None) -> Radiograph:
    """The film of a picture file, upright as its EXIF orientation says (positions count from that corner).

    Grey of 8, 16 or 32 bits or float; colour becomes luminance; what is transparent is not inside. A picture on which
    bone is clearly dark is turned round. Spacing is never known.

    Raises Rejected (decode) for a picture that is too small, too large, bilevel, of several pages or blank; Failed for
    a file that is absent, damaged or none of these formats.
    """
    path, settings = Path(path), settings or FilmSettings()
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            _check(picture, settings)
            white_is_zero, is_lossy = _is_white_zero(picture), picture.format == "JPEG"
            image, inside = _greys(_upright(picture))
    except FileNotFoundError as error:
        raise Failed(Stage.SCAN, ReasonCode.FILE_UNREADABLE, f"{path} does not exist") from error
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        why = f"{path.name} is no PNG, JPEG or TIFF picture that can be read: {error}"
        raise Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, why) from error
    except (OSError, SyntaxError, ValueError, MemoryError) as error:  # Pillow raises any of these for damaged files
        if isinstance(error, MemoryError):
            raise
        why = f"{path.name} is damaged: {type(error).__name__}: {error}"
        raise Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, why) from error
    low, high = float(image.min()), float(image.max())
    if white_is_zero:
        np.subtract(np.float32(low + high), image, out=image)
    if (frame := plain_edges(image, _FRAME_SHARE * (high - low) if is_lossy else 0.0)) is not None:
        inside &= frame
    if not inside.any() or np.ptp(image[inside]) == 0:
        raise Rejected(Stage.DECODE, ReasonCode.FILM_BLANK, f"{path.name}: nothing but one shade")
    if looks_like_attenuation(image, inside) is False:
        np.subtract(np.float32(low + high), image, out=image)
    image[~inside] = image[inside].min()
    return Radiograph(image, inside)


def _check(picture: Image.Image, settings: FilmSettings) -> None:
    """Raises Rejected; before any pixel is decoded."""
    columns, rows = picture.size
    if problem := size_problem(rows, columns, settings):
        raise Rejected(Stage.DECODE, *problem)
    if picture.mode == "1":
        raise Rejected(Stage.DECODE, ReasonCode.PIXEL_FORMAT_NOT_SUPPORTED, "black and white only, no greys")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise Rejected(Stage.DECODE, ReasonCode.FILM_SEVERAL_FRAMES, f"{frames} pages: give one film a file")


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()
    return ImageOps.exif_transpose(picture)


def _is_white_zero(picture: Image.Image) -> bool:
    """Whether a TIFF says that 0 is white and Pillow leaves it so (it turns 8 bits round, not 16)."""
    tags: Any = getattr(picture, "tag_v2", {})
    return tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO and picture.mode not in ("L", "LA")


def _greys(picture: Image.Image) -> tuple[Float, NDArray[np.bool_]]:
    """Grey values and what is not transparent, (rows, columns) each."""
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")
    elif picture.mode not in ("L", "LA", "RGB", "RGBA", "I", "F") and not picture.mode.startswith("I;16"):
        picture = picture.convert("RGB")
    values = np.asarray(picture)
    inside = np.ones(values.shape[:2], dtype=np.bool_)
    if picture.mode in ("LA", "RGBA"):
        inside = values[..., -1] > 0
        values = values[..., :-1]
    if values.ndim == 3:
        values = values[..., 0] if values.shape[2] == 1 else values.astype(np.float32) @ _LUMA
    image = np.array(values, dtype=np.float32)
    finite = np.isfinite(image)
    if not finite.all():
        inside &= finite
        image[~finite] = image[finite].min() if finite.any() else 0
    return image, inside
