"""Seconds a film from its DICOM file to rows, models loaded, beside the time it takes merely to decode the same file.

    python benchmarks/film_speed.py FILM [FILM ...] [--repeats 10] [--threads 2] [--json out.json]

FILM: DICOM files, or pictures, which are written as DX instances to a temporary folder first. Everything runs side by
side in this process, from the page cache: `pydicom` reads and decodes the file; `ours` reads it into a radiograph;
`rows` is what a worker does with a film: read, decode, view, locate, straighten, detect, label, measure, rows.
`picture` draws the overlay, which a sweep does for flagged films only. Medians over films of each film's median over
the repeats; the ratio with a 95 % interval over the films (Student's t).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from scipy.stats import t as student

from vfscreen.models.film_ports import FilmModels

TARGET_S = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2, help="threads of the networks")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory(prefix="vfscreen-bench-") as folder:
        results = measure(arguments.films, Path(folder), arguments.repeats, arguments.threads)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def measure(films: list[Path], folder: Path, repeats: int, threads: int) -> dict[str, Any]:
    from vfscreen.ingest.pictures import is_picture
    from vfscreen.models.film_release import load_film_models
    from vfscreen.models.registry import release_cards

    models = load_film_models(release_cards(), threads=threads)
    if models is None:
        raise SystemExit("this release has no film networks")
    of_each = []
    for n, film in enumerate(films):
        path = as_dicom(film, folder / f"{n}.dcm") if is_picture(film) else film.absolute()
        subject = Subject(path, models)
        subject.rows()
        steps = (subject.pydicom, subject.ours, subject.rows, subject.picture)
        seconds = {step.__name__: statistics.median(timed(step) for _ in range(repeats)) for step in steps}
        found = {"film": film.name, "shape": subject.film.shape, "vertebrae": len(subject.result.vertebrae)}
        of_each.append(seconds | found)
        print(f"{film.name}: {found['shape']}, {found['vertebrae']} vertebrae, {report(seconds)}", flush=True)
    middle = {name: statistics.median(f[name] for f in of_each) for name in ("pydicom", "ours", "rows", "picture")}
    slowest = max(f["rows"] for f in of_each)
    load = os.getloadavg()[0]
    print(f"\n{len(films)} films, {repeats} repeats, {threads} threads, load {load:.1f}: {report(middle)}")
    ratio = interval([f["rows"] / f["pydicom"] for f in of_each])
    print(f"slowest {slowest:.3f} s; target {TARGET_S} s; rows / pydicom {ratio}")
    return {"films": of_each, "median": middle, "slowest": slowest}


class Subject:
    """One film, and what is timed on it."""

    def __init__(self, path: Path, models: FilmModels) -> None:
        from vfscreen.ingest.scan import file_rows
        from vfscreen.ingest.series import describe_series
        from vfscreen.ingest.sources import Archive, Entry
        from vfscreen.schema.tables import FILES, MANIFEST
        from vfscreen.settings import Settings

        info = path.stat()
        self.path, self.archive, self.models, self.settings = path, str(path.parent), models, Settings()
        entry = Entry(path.name, info.st_size, str(info.st_mtime_ns))
        self.row = dict.fromkeys(FILES.by_name) | next(iter(file_rows(Archive(self.archive), entry, None)))
        described = describe_series([self.row], self.settings.accept, self.settings.films)
        self.manifest = dict.fromkeys(MANIFEST.by_name) | described
        self.ours()

    def pydicom(self) -> None:
        dcmread(self.path).pixel_array  # noqa: B018  # decoding is what is timed

    def ours(self) -> None:
        from vfscreen.ingest.film import read_films

        (self.image,) = read_films(self.archive, [self.row], self.settings.films)
        if self.image.radiograph is None:
            raise SystemExit(f"{self.path}: {self.image.error}")
        self.film = self.image.radiograph

    def rows(self) -> None:
        from vfscreen.screening.film_chain import screen_film
        from vfscreen.screening.film_rows import EndedFilm, film_series_rows

        self.ours()
        self.result = screen_film(self.film, self.models, self.settings.screening)
        film_series_rows(self.manifest, [EndedFilm(self.image, self.result)])

    def picture(self) -> None:
        from vfscreen.report.film_overlay import draw_film_overlay

        if self.result.rejected is None:
            draw_film_overlay(self.film, self.result, "x")


def as_dicom(picture: Path, path: Path) -> Path:
    """A picture's film as an uncompressed DX instance of 12 bits."""
    from vfscreen.ingest.pictures import read_picture

    image = read_picture(picture).image
    data = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    data.SOPClassUID, data.Modality = DigitalXRayImageStorageForPresentation, "DX"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = (generate_uid() for _ in range(3))
    data.Rows, data.Columns = image.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.rint((image - image.min()) / np.ptp(image) * 4095).astype("<u2").tobytes()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID,
        data.SOPInstanceUID,
    )
    data.save_as(path, enforce_file_format=True)
    return path


def timed(step: Callable[[], Any]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def report(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())


def interval(values: list[float]) -> str:
    """Mean and 95 % interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.1f} (95 % CI {mean - half:.1f} to {mean + half:.1f}, n={len(values)})"


if __name__ == "__main__":
    main()
