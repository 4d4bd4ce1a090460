"""Pictures in the page: small, whole, and never more than the budget."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

from tests.report.page.conftest import overlay
from vfscreen.lake.store import Lake
from vfscreen.report.page.pictures import WIDTH_PX, Album, shrink


def test_a_large_picture_is_scaled_and_compressed() -> None:
    data = overlay("patient", (2200, 1500))
    picture = shrink(data)
    assert (picture.width, picture.height) == (WIDTH_PX, 750)
    body = base64.b64decode(picture.uri.removeprefix("data:image/webp;base64,"))
    assert len(body) == picture.size_bytes < 40_000
    with Image.open(io.BytesIO(body)) as image:
        assert (image.format, image.size) == ("WEBP", (WIDTH_PX, 750))


def test_a_small_picture_keeps_its_size() -> None:
    assert shrink(overlay("p", (300, 200))).width == 300


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(UnidentifiedImageError):
        shrink(b"not a picture")


def test_an_album_says_why_there_is_no_picture(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    lake.write_bytes("overlays/r/good.png", overlay("p"))
    lake.write_bytes("overlays/r/bad.png", b"broken")
    album = Album(lake, budget_bytes=100)
    assert album.embed(None)[1].startswith("No picture was drawn")
    assert album.embed("overlays/r/gone.png")[1].startswith("The picture is gone")
    assert album.embed("overlays/r/bad.png")[1].startswith("The picture in the lake cannot be read")
    picture, note = album.embed("overlays/r/good.png")
    assert picture is not None and note == "" and album.taken_bytes == picture.size_bytes > 100
    again, note = album.embed("overlays/r/good.png")
    assert again is None and note.startswith("Not embedded")
