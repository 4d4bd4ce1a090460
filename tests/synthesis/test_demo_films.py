"""The demo's films: what their headers say, what their pixels show, and that the truth lies on the bones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import map_coordinates

from vfscreen.schema.names import KEYPOINTS
from vfscreen.synthesis.truth import DemoTruth, FilmTruth, SeriesTruth

Demo = tuple[Path, DemoTruth]


def films_of(truth: DemoTruth) -> Iterator[tuple[SeriesTruth, FilmTruth]]:
    return ((s, f) for s in truth.series for f in s.films)


@pytest.fixture(scope="module")
def written(demo: Demo) -> dict[str, pydicom.Dataset]:
    """Every CR and DX instance of the archive by SOPInstanceUID."""
    found: dict[str, pydicom.Dataset] = {}
    for path in sorted(p for p in (demo[0] / "archive").rglob("*") if p.is_file() and not zipfile.is_zipfile(p)):
        data = path.read_bytes()
        if data[128:132] == b"DICM" and path.parent.name != "lost+found" and path.name != "DICOMDIR":
            ds = pydicom.dcmread(io.BytesIO(data))
            if ds.Modality in ("CR", "DX"):
                found[str(ds.SOPInstanceUID)] = ds
    return found


def bone_bright(ds: pydicom.Dataset) -> np.ndarray:
    grey = ds.pixel_array.astype(np.float64)
    return 4095.0 - grey if ds.PhotometricInterpretation == "MONOCHROME1" else grey


def test_every_film_is_there_once_and_of_its_size(demo: Demo, written: dict[str, pydicom.Dataset]) -> None:
    truth = {f.SOPInstanceUID: f for _, f in films_of(demo[1])}
    assert truth.keys() == written.keys() and len(truth) == 9
    for uid, film in truth.items():
        assert (written[uid].Rows, written[uid].Columns) == (film.rows, film.columns) == written[uid].pixel_array.shape
        assert min(film.rows, film.columns) >= 256


def test_every_kind_of_film_is_among_them(demo: Demo, written: dict[str, pydicom.Dataset]) -> None:
    assert {f.view for _, f in films_of(demo[1])} == {"lateral", "ap", "other"}
    assert {f.anterior_side for _, f in films_of(demo[1])} == {"left", "right", None}
    assert {ds.PhotometricInterpretation for ds in written.values()} == {"MONOCHROME1", "MONOCHROME2"}
    assert {ds.Modality for ds in written.values()} == {"CR", "DX"}
    spacings = {("PixelSpacing" in ds, "ImagerPixelSpacing" in ds) for ds in written.values()}
    assert spacings == {(True, True), (False, True), (False, False)}  # calibrated, the detector's, none
    assert any(len(s.films) == 3 for s in demo[1].series)
    # some patients have a CT on another day, with the same fractures
    dates = {(s.PatientID, s.modality): s.StudyDate for s in demo[1].series if s.vertebrae}
    both = [p for p, m in dates if m == "CT" and any((p, film) in dates for film in ("CR", "DX"))]
    assert len(both) == 4


def test_calibrated_spacing_gives_the_true_heights(demo: Demo, written: dict[str, pydicom.Dataset]) -> None:
    checked = 0
    for series, film in films_of(demo[1]):
        if film.patient_spacing_mm is None or film.view != "lateral":
            continue
        row_mm, _ = (float(x) for x in written[film.SOPInstanceUID].PixelSpacing)
        assert row_mm == pytest.approx(film.patient_spacing_mm, abs=1e-5)
        for v in (v for v in series.vertebrae if not v.truncated):
            points = np.array([v.keypoints_px[n] for n in KEYPOINTS])
            heights = np.linalg.norm(points[0::2] - points[1::2], axis=1)
            # nearer to or farther from the detector than the film's middle by the column's scoliosis
            assert heights * row_mm == pytest.approx(np.array(v.heights_mm), rel=0.04)
            assert abs((1 - heights.min() / heights.max()) - v.height_loss_ratio_raw) < 0.01
            checked += 1
    assert checked > 15


def test_bodies_are_denser_than_what_lies_before_them_on_lumbar_films(
    demo: Demo, written: dict[str, pydicom.Dataset]
) -> None:
    """Endplates, as the truth has them, are brighter than the discs between: pixels and truth are of one picture."""
    seen = 0
    for series, film in films_of(demo[1]):
        shown = [v for v in series.vertebrae if v.SOPInstanceUID == film.SOPInstanceUID and not v.truncated]
        lumbar = [v for v in shown if v.vertebra_level in ("T12", "L1", "L2", "L3", "L4", "L5")]
        if len(lumbar) < 5:
            continue
        picture = bone_bright(written[film.SOPInstanceUID])
        for upper, lower in pairwise(lumbar):
            plate, disc = upper.keypoints_px["middle_inferior"], lower.keypoints_px["middle_superior"]
            middle = (np.array(plate) + np.array(disc)) / 2
            at = np.array([plate, disc, middle])[:, ::-1].T
            first, last, between = map_coordinates(picture, at, order=1)
            seen += 1
            assert between < max(first, last)
    assert seen >= 12


def test_a_film_without_rendering_has_the_same_truth(demo: Demo, tmp_path: Path) -> None:
    from vfscreen.synthesis.demo_archive import write_demo_archive

    truth = demo[1]
    empty = write_demo_archive(tmp_path, truth.seed, 1, pixel_factor=5.0, workers=1, rendered=False)
    assert len(list(films_of(empty))) == 3
    assert {s.SeriesInstanceUID: s for s in empty.series}.items() <= {
        s.SeriesInstanceUID: s for s in truth.series
    }.items()
