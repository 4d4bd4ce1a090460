"""Pictures of films: depths, colour, orientation, frames, inverted scans, and everything that is no picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.ingest.test_film import lateral
from vfscreen.errors import Failed, ItemError, Rejected
from vfscreen.ingest.pictures import is_picture, read_picture
from vfscreen.ingest.single import SingleFilms, SingleSeries, read_any, read_single
from vfscreen.settings_films import FilmSettings

SMALL = FilmSettings(side_min_px=16)
FILM8 = (lateral(True) // 16).astype(np.uint8)
FILM16 = lateral(True)


def save(path: Path, values: np.ndarray, **options: object) -> Path:
    Image.fromarray(values).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["f.png", "f.tif", "F.TIFF"])
@pytest.mark.parametrize("values", [FILM8, FILM16], ids=["8 bit", "16 bit"])
def test_grey_pictures_keep_their_values(tmp_path: Path, name: str, values: np.ndarray) -> None:
    film = read_picture(save(tmp_path / name, values))
    assert np.array_equal(film.image, values.astype(np.float32)) and film.inside.all()
    assert film.pixel_spacing_mm is None and film.spacing_source is None


def test_float_tiff(tmp_path: Path) -> None:
    values = lateral(True).astype(np.float32) / 7
    values[5, 5] = np.nan
    film = read_picture(save(tmp_path / "f.tif", values))
    assert not film.inside[5, 5] and np.isfinite(film.image).all()
    assert np.array_equal(film.image[film.inside], values[film.inside])


def test_jpeg(tmp_path: Path) -> None:
    film = read_picture(save(tmp_path / "f.jpg", FILM8, quality=95))
    assert np.abs(film.image - FILM8).mean() < 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_colour_becomes_grey(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(FILM8).convert(mode)
    path = tmp_path / ("f.tif" if mode == "CMYK" else "f.png")
    picture.save(path)
    film = read_picture(path)
    assert np.abs(film.image - FILM8).max() <= 2 and film.inside.all()


def test_what_is_transparent_is_not_inside(tmp_path: Path) -> None:
    alpha = np.full(FILM8.shape, 255, np.uint8)
    alpha[:, :20] = 0
    film = read_picture(save(tmp_path / "f.png", np.stack([FILM8, alpha], axis=-1)))
    assert np.array_equal(film.inside, alpha > 0)


@pytest.mark.parametrize("values", [FILM8, FILM16], ids=["8 bit", "16 bit"])
def test_an_inverted_scan_is_turned_round(tmp_path: Path, values: np.ndarray) -> None:
    inverted = values.max() + values.min() - values
    film = read_picture(save(tmp_path / "f.png", inverted))
    assert np.array_equal(film.image, values.astype(np.float32))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_puts_it_upright(tmp_path: Path, orientation: int) -> None:
    """The stored picture is turned away by the inverse of what its EXIF asks for."""
    away = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
            6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(np.transpose(a), 2),
            8: lambda a: np.rot90(a, -1)}[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "f.png"
    Image.fromarray(np.ascontiguousarray(away(FILM8))).save(path, exif=exif)
    assert np.array_equal(read_picture(path).image, FILM8.astype(np.float32))


def test_a_plain_frame_is_outside(tmp_path: Path) -> None:
    framed = np.zeros((360, 336), np.uint8)
    framed[20:340, 40:296] = FILM8
    film = read_picture(save(tmp_path / "f.jpg", framed, quality=90))
    assert not film.inside[:12].any() and not film.inside[:, :32].any() and film.inside[40:320, 60:280].all()


def test_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "f.tif"
    Image.fromarray(FILM16).save(path, tiffinfo={262: 0})
    with Image.open(path) as stored:
        assert stored.tag_v2[262] == 0
    assert np.array_equal(read_picture(path).image, FILM16.astype(np.float32))


def test_what_is_no_film_is_rejected(tmp_path: Path) -> None:
    pages = [Image.fromarray(FILM8), Image.fromarray(FILM8)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(FILM8).convert("1").save(tmp_path / "fax.tif")
    save(tmp_path / "blank.png", np.full((300, 300), 9, np.uint8))
    save(tmp_path / "thumb.png", FILM8[:100, :100])
    expected = {
        "pages.tif": "film_several_frames", "fax.tif": "pixel_format_not_supported", "blank.png": "film_blank",
        "thumb.png": "film_too_small",
    }  # fmt: skip
    for name, reason in expected.items():
        with pytest.raises(Rejected) as caught:
            read_picture(tmp_path / name)
        assert caught.value.reason == reason


def test_a_picture_larger_than_the_settings_is_not_decoded(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        read_picture(save(tmp_path / "f.png", np.zeros((1200, 1000), np.uint8)), FilmSettings(pixels_max=1_000_000))
    assert caught.value.reason == "film_too_large"


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"not a picture", "cut", "scrambled"])
def test_damaged_files_fail_in_words(tmp_path: Path, content: bytes | str) -> None:
    path = save(tmp_path / "f.png", FILM8)
    whole = path.read_bytes()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_bytes(whole[:3000] if content == "cut" else whole[:200] + bytes(2000) + whole[2200:])
    with pytest.raises(Failed) as caught:
        read_picture(path)
    assert caught.value.reason == "decode_failed" and "f.png" in caught.value.message


def test_an_absent_picture(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="does not exist"):
        read_picture(tmp_path / "none.png")


def test_names_of_pictures() -> None:
    assert is_picture(Path("a.PNG")) and is_picture(Path("b.jpeg")) and not is_picture(Path("c.dcm"))


def test_a_picture_is_a_single_film(tmp_path: Path) -> None:
    found = read_any(save(tmp_path / "f.png", FILM8))
    assert isinstance(found, SingleFilms)
    (film,) = found.films
    assert film.radiograph is not None and film.error is None and film.header["height_calibrated"] is False
    assert (found.header["Rows"], found.header["film_count"], found.header["Modality"]) == (320, 1, None)


def test_dicom_films_and_ct_are_told_apart(tmp_path: Path) -> None:
    from tests.dicom_builder import SeriesSpec, affine, body, write_film, write_series

    spec = SeriesSpec()
    for n in range(2):
        write_film(tmp_path / "films" / str(n), FILM16, spec, n)
    found = read_any(tmp_path / "films")
    assert isinstance(found, SingleFilms) and len(found.films) == 2 and found.header["Modality"] == "DX"
    assert isinstance(read_any(tmp_path / "films" / "0"), SingleFilms)
    with pytest.raises(ItemError, match="radiographs"):
        read_single(tmp_path / "films")
    write_series(tmp_path / "ct", SeriesSpec(), body(), affine())
    assert isinstance(read_any(tmp_path), SingleSeries), "CT comes first"


def test_real_films_are_bright_as_they_are_and_turned_round_when_inverted(shared_data: Path) -> None:
    """None of 34 real films may be inverted; most inverted ones are recognised."""
    from vfscreen.ingest.film_polarity import looks_like_attenuation

    verdicts, turned = [], []
    for path in sorted((shared_data / "films").rglob("*.jpg")):
        film = read_picture(path)
        with Image.open(path) as picture:
            pixels = np.asarray(picture, dtype=np.float32)
        assert np.array_equal(film.image[film.inside], pixels[film.inside]), path.name
        verdicts.append(looks_like_attenuation(film.image, film.inside))
        turned.append(looks_like_attenuation(255 - film.image, film.inside))
    assert len(verdicts) == 34 and verdicts.count(False) == 0
    assert turned.count(False) >= 30
