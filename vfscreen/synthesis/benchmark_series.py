"""One large CT series of real size, for benchmarks: what a scanner sends of a whole trunk.

Belongs here: size and parallel writing. Does not belong here: timing (benchmarks/), what is in a demo (`demo_plan`).
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from vfscreen.synthesis.anatomy import Float, FractureSpec, draw_patient, vertebra_truth
from vfscreen.synthesis.dicom_writer import (
    UNCOMPRESSED,
    PatientHeader,
    SeriesHeader,
    StudyHeader,
    seeded_uid,
    write_series,
)
from vfscreen.synthesis.patient import PatientSpec, VertebraTruth
from vfscreen.synthesis.phantom import Scene, body_centres

_SLICES_A_JOB = 25
_FIELD_MM = 400.0
_SPACING_MM = 1.25


def write_benchmark_series(
    folder: Path,
    *,
    slices: int = 400,
    matrix: int = 512,
    transfer_syntax: str = UNCOMPRESSED,
    seed: int = 1,
    fractures: tuple[FractureSpec, ...] = (),
    workers: int | None = None,
) -> tuple[VertebraTruth, ...]:
    """`slices` axial files of `matrix` x `matrix` pixels, 1.25 mm apart, from the sacrum upward; returns the truth.

    The default is 210 MB uncompressed. The same arguments give the same bytes whatever the number of workers
    (processes, by default one a core).
    """
    spec = draw_patient(np.random.default_rng(seed), fractures, variant="none")
    centres = body_centres(spec)
    pixel = _FIELD_MM / matrix
    affine = np.diag([pixel, pixel, _SPACING_MM, 1.0])
    affine[:3, 3] = centres["T12"] + [-0.5 * _FIELD_MM, -0.62 * _FIELD_MM, 0.0]
    affine[2, 3] = centres["S"][2] - 20.0
    starts = range(0, slices, _SLICES_A_JOB)
    job = partial(_write_part, folder, spec, affine, matrix, slices, transfer_syntax, seed)
    count = workers or len(os.sched_getaffinity(0))
    if count > 1:
        with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(job, starts))
    else:
        for start in starts:
            job(start)
    return vertebra_truth(spec)


def _write_part(
    folder: Path,
    spec: PatientSpec,
    affine: Float,
    matrix: int,
    slices: int,
    transfer_syntax: str,
    seed: int,
    start: int,
) -> None:
    """Slices `start` to the next part; the noise of a part has a seed of its own."""
    part = affine.copy()
    part[:3, 3] += start * affine[:3, 2]
    count = min(_SLICES_A_JOB, slices - start)
    volume = Scene.of(spec).render(part, (matrix, matrix, count), np.random.default_rng([seed, start]))
    patient = PatientHeader(f"SYNTH-BENCH-{seed}", "Synthetic^Benchmark", spec.sex, "19500101")
    study = StudyHeader(patient, seeded_uid("benchmark", seed), "20240101", 74, "CT trunk", f"B{seed}")
    header = SeriesHeader(
        study,
        seeded_uid("benchmark", seed, slices, matrix, transfer_syntax),
        1,
        "Trunk soft 1.25",
        transfer_syntax=transfer_syntax,
    )
    write_series(folder, volume, header, first_number=start + 1)
