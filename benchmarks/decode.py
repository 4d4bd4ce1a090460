"""Reading a CT series into a volume: ours against the plain readers, for each transfer syntax.

    python benchmarks/decode.py [--slices 100] [--syntax "JPEG-LS Lossless Image Compression"]

Writes a series of 512 x 512 slices (smooth anatomy with scanner noise, so that compression has real work), reads it
from cache with `read_volume`, with pydicom into a preallocated array, and with SimpleITK's series reader. Times are
processor seconds, which a busy machine blurs less; the last column is ours relative to pydicom's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813  # its usual name
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from scipy.ndimage import gaussian_filter

from tests.dicom_builder import SeriesSpec, affine, write_series
from vfscreen.ingest.decode import read_volume
from vfscreen.ingest.scan import read_entries
from vfscreen.ingest.sources import Archive

SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)


def anatomy(slices: int) -> np.ndarray:
    """int16 HU (K, 512, 512): a body of smooth tissue in air with noise of 12 HU."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    inside = (x / 0.8) ** 2 + (y / 0.6) ** 2 < 1
    hu = np.empty((slices, 512, 512), np.int16)
    for k in range(slices):
        tissue = gaussian_filter(rng.normal(0, 900, (512, 512)), 8) + rng.normal(0, 12, (512, 512))
        hu[k] = np.where(inside, tissue + 40, -1000 + rng.normal(0, 4, (512, 512)))
    return hu


def with_pydicom(paths: list[Path], out: np.ndarray) -> None:
    for k, path in enumerate(paths):
        data = pydicom.dcmread(path)
        np.add(data.pixel_array.astype(np.int16), np.int16(data.RescaleIntercept), out=out[k], casting="unsafe")


def with_simpleitk(paths: list[Path]) -> None:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(p) for p in paths])
    reader.Execute()


def cpu_seconds(work: Callable[[], object], repeat: int = 3) -> float:
    best = float("inf")
    for _ in range(repeat):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--syntax", help="One transfer syntax by name; all by default.")
    options = parser.parse_args()
    hu = anatomy(options.slices)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # names without an order make ITK's reader complain
    print(f"{'transfer syntax':62} {'ours':>8} {'pydicom':>8} {'ITK':>8}  slices/(cpu s)   ours / pydicom")
    for syntax in SYNTAXES:
        if options.syntax in (None, syntax.name):
            measure(UID(syntax), hu)


def measure(syntax: UID, hu: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as name:
        spec = SeriesSpec(transfer_syntax=syntax, signed=False, bits_stored=12)
        hu = np.clip(hu, -1024, 3071)
        paths = sorted(write_series(Path(name), spec, hu, affine((0.7, 0.7, 1.0))))
        rows = [r for b in read_entries(name, Archive(name).list(), None, 0) for r in b.table.to_pylist()]
        np.testing.assert_array_equal(read_volume(name, rows).hu, hu)
        out = np.empty_like(hu)
        ours = cpu_seconds(lambda: read_volume(name, rows))
        plain = cpu_seconds(lambda: with_pydicom(paths, out))
        itk = cpu_seconds(lambda: with_simpleitk(paths))
    n = len(hu)
    print(
        f"{syntax.name[:62]:62} {n / ours:8.0f} {n / plain:8.0f} {n / itk:8.0f} {'':16} {ours / plain:5.2f}", flush=True
    )


if __name__ == "__main__":
    main()
