"""Write the demo archive: the cast of `demo_plan` as DICOM files, with the truth beside it.

Belongs here: turning plans into files, in parallel, the same bytes for the same seed. Does not belong here: who is in
it (`demo_plan`), attributes (`dicom_writer`), pixels (`phantom`).

Layout: `OUT/archive/...` (what a sweep is pointed at) and `OUT/truth.json` (never inside the archive).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import zipfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.fileset import FileSet

from vfscreen.errors import FileState, State
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.synthesis.anatomy import Float, PatientSpec, draw_patient
from vfscreen.synthesis.demo_plan import CAST, PatientPlan, SeriesPlan, StudyPlan, further_patient
from vfscreen.synthesis.dicom_writer import (
    PatientHeader,
    SeriesHeader,
    StudyHeader,
    seeded_uid,
    write_dose_report,
    write_secondary_capture,
    write_series,
)
from vfscreen.synthesis.grid import lps
from vfscreen.synthesis.norms import VOLTAGE_GAIN_HU
from vfscreen.synthesis.phantom import Scene, body_centres
from vfscreen.synthesis.surroundings import trunk_profile
from vfscreen.synthesis.truth import DemoTruth, SeriesTruth, visible_vertebrae

GENERATOR_VERSION = "2"
"""Raised with every change of what the archive holds; an archive of another version is made anew."""

_BASE_YEAR = 2021
_STUDY_SPREAD_MM = 40.0


@dataclass(frozen=True, eq=False)
class _Job:
    """One series to render and write; everything a worker process needs."""

    plan: SeriesPlan
    study: StudyPlan
    spec: PatientSpec
    header: SeriesHeader
    shift_mm: Float
    folder: Path
    noise_seed: int
    rendered: bool = True


def fingerprint(seed: int, patients: int, pixel_factor: float = 1.0, rendered: bool = True) -> str:
    """Identifies what `write_demo_archive` would write."""
    text = f"{GENERATOR_VERSION}|{seed}|{patients}|{pixel_factor}|{CAST!r}{'' if rendered else '|air'}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_demo_archive(
    out: Path,
    seed: int = 1,
    patients: int = 6,
    *,
    pixel_factor: float = 1.0,
    workers: int | None = None,
    rendered: bool = True,
) -> DemoTruth:
    """Write `out/archive` and `out/truth.json`; an archive of the same fingerprint is left as it is.

    patients: the cast first, then drawn ones. pixel_factor: coarser pixels (and smaller files) for tests. workers:
    processes, by default one a core. rendered: False leaves every pixel air, in a fraction of the time: the headers,
    the geometry and the truth are those of the rendered archive, for tests of what needs no pixels.
    An `out/archive` without our truth beside it is refused with FileExistsError.
    """
    archive, truth_path = out / "archive", out / "truth.json"
    wanted = fingerprint(seed, patients, pixel_factor, rendered)
    if archive.exists():
        try:
            there = DemoTruth.read(truth_path)
        except (OSError, ValueError) as error:
            raise FileExistsError(f"{archive} exists and is not a demo archive; choose another folder") from error
        if there.fingerprint == wanted and _complete(archive, there):
            return there
        shutil.rmtree(archive)
    out.mkdir(parents=True, exist_ok=True)
    part = out / "archive.part"
    shutil.rmtree(part, ignore_errors=True)
    jobs = [replace(job, rendered=rendered) for job in _jobs(part, seed, patients, pixel_factor)]
    count = workers or len(os.sched_getaffinity(0))
    if count > 1:
        with ProcessPoolExecutor(min(count, len(jobs)), multiprocessing.get_context("spawn")) as pool:
            series = list(pool.map(_write, jobs))
    else:
        series = [_write(job) for job in jobs]
    _package(part, jobs)
    _litter(part)
    truth = DemoTruth(seed, patients, wanted, _count_files(part), tuple(series))
    # the truth first: an archive without it would be refused by the next call, never taken for something else
    truth.write(truth_path)
    part.rename(archive)
    return truth


def accession_number(seed: int, patient: int, visit: int) -> str:
    """AccessionNumber of a visit of a patient, both counted from 0."""
    return f"A{seed:03d}{patient:04d}{visit}"


def _complete(archive: Path, truth: DemoTruth) -> bool:
    return _count_files(archive) == dict(truth.files)


def _jobs(folder: Path, seed: int, patients: int, pixel_factor: float) -> list[_Job]:
    rng = np.random.default_rng(seed)
    found = []
    for index in range(patients):
        plan = CAST[index] if index < len(CAST) else further_patient(rng)
        found += _patient_jobs(folder, plan, seed, index, int(rng.integers(2**62)), pixel_factor)
    # long ones first, so that no process is left alone with one at the end
    return sorted(found, key=lambda job: -_voxels(job.plan) * (10 if job.study.bottom == "S" else 7))


def _voxels(plan: SeriesPlan) -> float:
    return plan.matrix[0] * plan.matrix[1] / plan.slice_mm if plan.kind == "stack" else 0.0


def _patient_jobs(
    folder: Path, plan: PatientPlan, seed: int, index: int, patient_seed: int, pixel_factor: float
) -> list[_Job]:
    year = _BASE_YEAR - plan.age_years
    patient = PatientHeader(
        f"SYNTH-{seed:03d}-{index + 1:04d}", f"Synthetic^Patient {index + 1}", plan.sex, f"{year}0{1 + index % 9}15"
    )
    rng = np.random.default_rng(patient_seed)
    found = []
    for visit, study in enumerate(plan.studies):
        spec = draw_patient(
            np.random.default_rng(patient_seed + 1),
            study.fractures,
            sex=plan.sex,
            age_years=plan.age_years,
            variant=plan.variant,
            scoliosis_deg=plan.scoliosis_deg,
            contrast=study.contrast,
        )
        spec = replace(spec, added_hu=spec.added_hu + VOLTAGE_GAIN_HU[study.kvp_kV])
        study_uid = seeded_uid(seed, index, visit)
        date = f"{_BASE_YEAR + study.years_later}11{1 + (3 * index) % 28:02d}"
        header = StudyHeader(
            patient,
            study_uid,
            date,
            plan.age_years + study.years_later,
            study.description,
            accession_number(seed, index, visit),
        )
        shift = rng.uniform(-_STUDY_SPREAD_MM, _STUDY_SPREAD_MM, 3) + lps(0, 0, rng.uniform(-900, 300))
        for number, series in enumerate(study.series, start=1):
            found.append(
                _Job(
                    plan=_coarser(series, pixel_factor),
                    study=study,
                    spec=spec,
                    header=_series_header(plan, study, series, header, number),
                    shift_mm=np.round(shift, 3),
                    folder=folder / patient.patient_id / date / f"S{number:02d}",
                    noise_seed=int(rng.integers(2**62)),
                )
            )
    return found


def _coarser(plan: SeriesPlan, factor: float) -> SeriesPlan:
    columns, rows = (max(16, round(n / factor)) for n in plan.matrix)
    return replace(plan, matrix=(columns, rows), pixel_mm=(plan.pixel_mm[0] * factor, plan.pixel_mm[1] * factor))


def _series_header(
    plan: PatientPlan, study: StudyPlan, series: SeriesPlan, header: StudyHeader, number: int
) -> SeriesHeader:
    image_type = {
        "localizer": ("ORIGINAL", "PRIMARY", "LOCALIZER"),
        "coronal": ("DERIVED", "SECONDARY", "REFORMATTED"),
        "screenshot": ("DERIVED", "SECONDARY", "SCREEN SAVE"),
    }.get(series.kind, ("ORIGINAL", "PRIMARY", "AXIAL"))
    return SeriesHeader(
        study=header,
        series_uid=seeded_uid(header.study_uid, number),
        number=number,
        description=series.description,
        kernel=plan.kernels[int(series.sharp)],
        kvp_kv=study.kvp_kV if study.header_kvp else None,
        contrast=study.agent,
        manufacturer=plan.manufacturer,
        patient_position=study.patient_position,
        image_type=image_type,
        modality={"mr": "MR", "dose_report": "SR"}.get(series.kind, "CT"),
        body_part=study.body_part,
        gantry_tilt_deg=series.tilt_deg,
        transfer_syntax=series.transfer_syntax,
        signed=series.signed,
        reversed_numbers=series.reversed_numbers,
    )


def _write(job: _Job) -> SeriesTruth:
    """Render and write one series, in a worker process."""
    plan, header = job.plan, job.header
    count = 1
    vertebrae = []
    if plan.kind == "dose_report":
        write_dose_report(job.folder / "report.dcm", header, 412.5)
    elif plan.kind == "screenshot":
        rng = np.random.default_rng(job.noise_seed)
        write_secondary_capture(job.folder / "screen.dcm", header, rng.integers(0, 255, (120, 160), dtype=np.uint8))
    else:
        volume = _volume(job)
        count = len(write_series(job.folder, volume, header, suffix=plan.suffix, leave_out=plan.leave_out))
        if plan.reason is None:
            vertebrae = visible_vertebrae(job.spec, volume, job.shift_mm)
    return SeriesTruth(
        PatientID=header.study.patient.patient_id,
        StudyInstanceUID=header.study.study_uid,
        SeriesInstanceUID=header.series_uid,
        StudyDate=header.study.date,
        SeriesDescription=header.description,
        instance_count=count,
        expected_state=(State.SCREENED if plan.reason is None else State.REJECTED).value,
        expected_reason=None if plan.reason is None else plan.reason.value,
        vertebrae=tuple(vertebrae),
        contrast_phase=job.study.contrast.value if vertebrae else None,
    )


def _volume(job: _Job) -> Volume:
    """Pixels of an image series in the coordinates of its study."""
    affine, shape = _grid(job)
    empty = 0 if job.plan.kind == "mr" else AIR_HU
    hu = _pixels(job, affine, shape) if job.rendered else np.full(shape[::-1], empty, np.int16)
    moved = affine.copy()
    moved[:3, 3] += job.shift_mm
    return Volume(hu, moved)


def _pixels(job: _Job, affine: Float, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """(slices, rows, columns) of the patient on a grid."""
    plan = job.plan
    spec = replace(job.spec, blur_mm=0.35, noise_hu=2.2 * job.spec.noise_hu) if plan.sharp else job.spec
    scene = Scene.of(spec)
    if plan.kind == "localizer":
        return _projection(scene, affine, shape)
    hu = scene.render(affine, shape, np.random.default_rng(job.noise_seed), table=plan.kind != "mr").hu
    if plan.kind == "mr":
        # fat and fluid bright, bone and air dark: enough to be no CT
        return np.asarray(np.clip(600 - 1.2 * np.abs(hu.astype(np.float32)), 0, 4095), dtype=np.int16)
    return hu


def _grid(job: _Job) -> tuple[Float, tuple[int, int, int]]:
    """Affine in patient coordinates and (columns, rows, slices)."""
    plan = job.plan
    centres = body_centres(job.spec)
    top, bottom = centres[job.study.top], centres[job.study.bottom]
    names = [v.level for v in job.spec.vertebrae] + ["S"]
    inside = np.stack([centres[n] for n in names[names.index(job.study.top) : names.index(job.study.bottom) + 1]])
    low = bottom[2] - (60.0 if job.study.bottom == "S" else 4.0)
    length = top[2] + 4.0 - low
    columns, rows = plan.matrix
    sx, sy = plan.pixel_mm
    small = columns * sx < 250
    # whole bodies are centred on the trunk, small fields on the column
    x, y = inside[:, 0].mean(), inside[:, 1].mean() + 20.0
    if not small:
        _, back, _, depth = trunk_profile(job.spec).at(inside[:, 2].astype(np.float32))
        y = float((back - depth).mean()) + 10.0
    if plan.kind == "localizer":
        return _affine((2, 0, 0), (0, 0, -2), (0, 1, 0), (x - 200, y, low + length)), (200, round(length / 2), 1)
    if plan.kind == "coronal":
        count = 24
        corner = (x - 160, inside[:, 1].min() - 40.0, low + length)
        return _affine((1.25, 0, 0), (0, 0, -1.25), (0, plan.slice_mm, 0), corner), (256, round(length / 1.25), count)
    if plan.kind == "mr":
        corner = (x - 36, inside[:, 1].mean() - 150, low + length)
        return _affine((0, 1, 0), (0, 0, -1), (4.0, 0, 0), corner), (256, round(length), 19)
    slices = int(length // plan.slice_mm) + 1
    tilt = np.radians(plan.tilt_deg)
    row_step = np.array([0.0, np.cos(tilt), np.sin(tilt)]) * sy
    start = np.array([x - 0.5 * columns * sx, y, low]) - 0.5 * rows * row_step
    step, first = plan.slice_mm, start
    if plan.descending:
        first, step = start + lps(0, 0, (slices - 1) * step), -step
    return _affine((sx, 0, 0), row_step, (0, 0, step), first), (columns, rows, slices)


def _affine(i: object, j: object, k: object, origin: object) -> Float:
    affine = np.eye(4)
    for column, value in enumerate((i, j, k, origin)):
        affine[:3, column] = np.asarray(value, dtype=np.float64)
    return affine


def _projection(scene: Scene, affine: Float, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """A scout: the mean HU along the beam, coarse."""
    deep = affine.copy()
    deep[:3, 2] = [0.0, 10.0, 0.0]
    deep[1, 3] -= 200.0
    body = scene.render(deep, (shape[0], shape[1], 40), None)
    mean = body.hu.astype(np.float32).mean(axis=0, keepdims=True)
    return np.asarray(np.clip(mean * 1.5 + 500, -1024, 3071), dtype=np.int16)


def _package(folder: Path, jobs: list[_Job]) -> None:
    """Some studies come as a zip file, some as media with a DICOMDIR and file names without extension."""
    by_study = {job.folder.parent: job.study.package for job in jobs}
    for study, package in by_study.items():
        files = sorted(p for p in study.rglob("*") if p.is_file())
        if package == "zip":
            target = study.with_name(f"{study.name}.zip")
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
                for path in files:
                    # a fixed date: the same seed gives the same bytes
                    archive.writestr(zipfile.ZipInfo(str(path.relative_to(study))), path.read_bytes())
            shutil.rmtree(study)
        elif package == "media":
            media = FileSet()
            for path in files:
                media.add(dcmread(path))
            media.write(study.with_name(f"{study.name}_media"))
            shutil.rmtree(study)


def _litter(folder: Path) -> None:
    """What lies around in archives besides images."""
    folder.joinpath("README.txt").write_text("A synthetic archive; nobody in it exists.\n", encoding="utf-8")
    folder.joinpath("export.log").write_text("exported by vfscreen demo\n", encoding="utf-8")
    lost = folder / "lost+found"
    lost.mkdir()
    whole = next(p for p in sorted(folder.rglob("*.dcm")) if p.stat().st_size > 4096)
    lost.joinpath("truncated.dcm").write_bytes(whole.read_bytes()[:300])
    lost.joinpath("empty.dcm").write_bytes(b"")


def _count_files(folder: Path) -> dict[str, int]:
    """File states as a scan must find them, members of zip files one by one."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if path.suffix == ".zip":
            found[FileState.CONTAINER.value] += 1
            with zipfile.ZipFile(path) as archive:
                found[FileState.INSTANCE.value] += len(archive.namelist())
        elif path.name == "DICOMDIR":
            found[FileState.DICOMDIR.value] += 1
        elif path.parent.name == "lost+found":
            found[FileState.UNREADABLE.value] += 1
        elif path.suffix in (".txt", ".log"):
            found[FileState.NOT_DICOM.value] += 1
        else:
            found[FileState.INSTANCE.value] += 1
    return dict(sorted(found.items()))
