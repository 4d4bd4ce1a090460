"""A DICOM archive of bead patients, and the shard function that screens it with models that know them.

Everything is real but the networks: files, index, decoding, the chain, the lake. Several copies of one patient, so that
what a damaged copy does to its neighbours shows.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless

from tests.dicom_builder import SeriesSpec, write_series
from tests.screening.beads import Patient, affine_around, make_patient, oracle_models, render
from vfscreen.lake.plan import Shard
from vfscreen.screening.shard import ShardSummary, run_shard
from vfscreen.settings import Settings

HERE = "tests.faults.bead_archive"
RELEASE = "oracle"


@cache
def patient() -> Patient:
    return make_patient()


def screen_beads(archive: str, lake_url: str, shard: Shard, settings: Settings, run_id: str) -> ShardSummary:
    """`run_shard` with the oracle."""
    return run_shard(archive, lake_url, shard, settings, run_id, models=oracle_models(patient()))


def write_study(folder: Path, name: str, number: int, transfer_syntax: UID = ExplicitVRLittleEndian) -> list[Path]:
    """One study of one series of the patient; its files by position."""
    affine, shape = affine_around(patient(), spacing_mm=(2.0, 2.0, 2.5))
    spec = SeriesSpec(
        study_uid=f"1.2.3.{number}",
        series_uid=f"1.2.3.{number}.1",
        frame_of_reference_uid=f"1.2.3.{number}.2",
        transfer_syntax=transfer_syntax,
        header={"PatientID": name},
    )
    return write_series(folder / name, spec, render(patient(), affine, shape).hu, affine)


def write_archive(folder: Path) -> dict[str, list[Path]]:
    """Three uncompressed studies and two of JPEG-LS."""
    kinds = {"intact": ExplicitVRLittleEndian, "cut": ExplicitVRLittleEndian, "headers": ExplicitVRLittleEndian,
             "flipped": JPEGLSLossless, "compressed": JPEGLSLossless}  # fmt: skip
    return {name: write_study(folder, name, number, kind) for number, (name, kind) in enumerate(kinds.items(), 1)}


def flip_bits(path: Path, chance: random.Random, first: int, last: int, bits: int) -> None:
    """Flip `bits` random bits of the bytes [first, last) of a file."""
    data = bytearray(path.read_bytes())
    for _ in range(bits):
        data[chance.randrange(first, min(last, len(data)))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
