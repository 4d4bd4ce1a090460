"""Which compressed transfer syntaxes this installation can decode. Belongs here: that list; decoding is `pixels`."""

from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

SYNTAXES: tuple[UID, ...] = (
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    HTJ2KLossless,
)
"""Those CT archives hold; uncompressed ones need no decoder."""


def available_decoders() -> dict[str, tuple[str, ...]]:
    """Name of each transfer syntax -> the plug-ins that decode it here; empty where none does."""
    return {uid.name: tuple(get_decoder(uid).available_plugins) for uid in SYNTAXES}
