"""Header indexing: files a second from cache, against the readers it could have used.

    python benchmarks/header_index.py [--files 4000] [--processes 2]

Writes a folder of CT slices (small pixels, headers of a real scanner's length with private elements and sequences),
then times from cache: our reader (headers to checked Arrow rows, with pseudonyms), the whole index into a lake, and
pydicom and gdcm.Scanner on the same elements.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from vfscreen.ingest import headers
from vfscreen.ingest.identity import Pseudonymiser
from vfscreen.ingest.scan import read_entries
from vfscreen.ingest.sources import Archive
from vfscreen.screening.indexing import index_archive
from vfscreen.settings import Settings

KEY = b"benchmark key, 16+ bytes"
SLICES = 200


def slice_of(study: str, series: str, k: int) -> FileDataset:
    """A CT slice of 32 x 32 pixels with about 130 elements."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(k)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.update(
        {
            "SOPClassUID": meta.MediaStorageSOPClassUID,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "StudyInstanceUID": study,
            "SeriesInstanceUID": series,
            "FrameOfReferenceUID": study + ".9",
        }
    )
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.PatientID, data.PatientName, data.PatientSex, data.PatientAge = "4711", "A^B", "F", "067Y"
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = "20200301"
    data.Manufacturer, data.ManufacturerModelName, data.InstitutionName = "Maker", "Model 64", "Hospital"
    data.SeriesDescription, data.StudyDescription, data.BodyPartExamined = "THIN", "CHEST", "CHEST"
    data.KVP, data.ConvolutionKernel, data.SliceThickness, data.PatientPosition = "120", "STANDARD", "1.25", "HFS"
    data.ImageOrientationPatient, data.PixelSpacing = [1, 0, 0, 0, 1, 0], ["0.7", "0.7"]
    data.ImagePositionPatient, data.InstanceNumber, data.SeriesNumber = [-180, -170, -1.25 * k], k + 1, 3
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "-1024", "HU"
    for number in range(60):
        data.add_new((0x0019, 0x1002 + number), "DS", f"{number * 1.5:.4f}")
    data.add_new((0x0019, 0x0010), "LO", "VENDOR_01")
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D3000", "SRT", "Chest"
    data.ProcedureCodeSequence = [item]
    data.RequestAttributesSequence = [Dataset()]
    data["ProcedureCodeSequence"].is_undefined_length = True
    data.Rows = data.Columns = 32
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelData = np.full((32, 32), 1000 + k % 50, np.uint16).tobytes()
    return data


def write_archive(folder: Path, files: int) -> None:
    for number in range(files):
        study = number // SLICES
        path = folder / f"{study:05d}" / f"{number % SLICES:05d}"
        path.parent.mkdir(exist_ok=True)
        slice_of(f"1.2.{study}", f"1.2.{study}.1", number % SLICES).save_as(path, enforce_file_format=True)


def read_with_pydicom(paths: list[str]) -> int:
    tags = sorted(headers.WANTED)
    for path in paths:
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        for element in data:
            _ = element.value
    return len(paths)


def read_with_gdcm(paths: list[str]) -> int:
    scanner = gdcm.Scanner()
    for tag in headers.WANTED:
        scanner.AddTag(gdcm.Tag(tag >> 16, tag & 0xFFFF))
    names = gdcm.FilenamesType()
    for path in paths:
        names.append(path)
    if not scanner.Scan(names):
        raise RuntimeError("gdcm.Scanner failed")
    return sum(scanner.IsKey(p) for p in paths)


def rate(label: str, files: int, work: Callable[[], object], alone: bool = False, repeat: int = 2) -> None:
    """Prints files a second of wall time, and of this process' processor time where it does all the work itself (which
    a busy machine blurs less)."""
    runs = [_seconds(work) for _ in range(repeat)]
    wall, cpu = min(r[0] for r in runs), min(r[1] for r in runs)
    per_cpu = f"{files / cpu:9.0f} files/(cpu s)" if alone else ""
    print(f"{label:50} {files / wall:9.0f} files/s {per_cpu}", flush=True)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    started, before = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    return time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=4000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    os.environ["VFSCREEN_IDENTITY_KEY"] = KEY.decode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "archive"
        folder.mkdir()
        write_archive(folder, options.files)
        paths = [str(p) for p in sorted(folder.rglob("*")) if p.is_file()]
        size = sum(Path(p).stat().st_size for p in paths) / len(paths)
        print(f"{len(paths)} files of {size:.0f} bytes, {options.processes} processes, best of 2, from cache")
        url, who = str(folder), Pseudonymiser(KEY)

        def ours(processes: int) -> None:
            rows = sum(b.table.num_rows for b in read_entries(url, Archive(url).list(), who, processes))
            assert rows == len(paths)

        def whole() -> None:
            with tempfile.TemporaryDirectory() as lake:
                summary = index_archive(url, f"{lake}/lake", Settings(), processes=options.processes)
            assert summary.instances == len(paths)

        def in_processes(reader: Callable[[list[str]], int]) -> None:
            with ProcessPoolExecutor(options.processes) as pool:
                parts = [paths[n :: options.processes] for n in range(options.processes)]
                assert sum(pool.map(reader, parts)) == len(paths)

        rate("ours, rows checked, one process", len(paths), lambda: ours(0), alone=True)
        rate(f"ours, rows checked, {options.processes} processes", len(paths), lambda: ours(options.processes))
        rate("ours, whole index into a lake", len(paths), whole)
        rate("pydicom, same elements, one process", len(paths), lambda: read_with_pydicom(paths), alone=True)
        rate("gdcm.Scanner, same elements, one process", len(paths), lambda: read_with_gdcm(paths), alone=True)
        for name, reader in (("pydicom", read_with_pydicom), ("gdcm.Scanner", read_with_gdcm)):
            label = f"{name}, same elements, {options.processes} processes"
            rate(label, len(paths), lambda reader=reader: in_processes(reader))


if __name__ == "__main__":
    main()
