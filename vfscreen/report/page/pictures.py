"""Overlay pictures made small enough for a page that holds them.

Belongs here: reading a picture of the lake, scaling, compressing, the budget. Does not belong here: what the picture
shows (`vfscreen.report.overlay`), which patients are shown (`gallery`).
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from vfscreen.lake.store import Lake

WIDTH_PX = 1100
"""Wide enough that the smallest print of an overlay (12 px of 1,500) can still be read when the page is zoomed."""
_QUALITY = 62


@dataclass(frozen=True)
class Picture:
    """A compressed picture. uri: a data: URI. width, height: pixels. size_bytes: of the compressed picture."""

    uri: str
    width: int
    height: int
    size_bytes: int


class Album:
    """Embeds pictures until `budget_bytes` of them are in the page.

    taken_bytes: what is in so far.
    """

    def __init__(self, lake: Lake, budget_bytes: int) -> None:
        self._lake = lake
        self._budget_bytes = budget_bytes
        self.taken_bytes = 0

    def embed(self, path: str | None) -> tuple[Picture | None, str]:
        """(picture, "") or (None, why there is none). path: of the overlay inside the lake."""
        if path is None:
            return None, "No picture was drawn for this exam (setting overlay.draw)."
        if self.taken_bytes >= self._budget_bytes:
            return None, "Not embedded: the page holds as many pictures as it may. The full picture is in the lake."
        try:
            picture = shrink(self._lake.read_bytes(path))
        except FileNotFoundError:
            return None, "The picture is gone from the lake: sweep again to draw it."
        except (UnidentifiedImageError, OSError) as error:
            return None, f"The picture in the lake cannot be read: {error}"
        self.taken_bytes += picture.size_bytes
        return picture, ""


def shrink(data: bytes) -> Picture:
    """A picture of at most WIDTH_PX columns as WebP. UnidentifiedImageError or OSError where `data` is none."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    if image.width > WIDTH_PX:
        height = max(1, round(image.height * WIDTH_PX / image.width))
        image = image.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=4)
    body = stream.getvalue()
    uri = "data:image/webp;base64," + base64.b64encode(body).decode("ascii")
    return Picture(uri, image.width, image.height, len(body))
