"""Write the demo archive: the cast of `demo_cast` as DICOM files, with the truth beside it.

Belongs here: turning plans into files, in parallel, the same bytes for the same seed. Does not belong here: who is in
it (`demo_cast`, `demo_further`), attributes (`dicom_writer`, `film_writer`), pixels (`demo_volumes`, `demo_films`), how
studies are packed (`demo_packages`).

Layout: `OUT/archive/...` (what a sweep is pointed at) and `OUT/truth.json` (never inside the archive).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vfscreen.errors import State
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import FilmView, PictureSide
from vfscreen.synthesis.anatomy import Float, PatientSpec, draw_patient
from vfscreen.synthesis.demo_cast import CAST
from vfscreen.synthesis.demo_films import film_geometry, orientation_of, render_film, vertebrae_on
from vfscreen.synthesis.demo_further import further_patient
from vfscreen.synthesis.demo_packages import count_files, litter, package_studies
from vfscreen.synthesis.demo_plan import FilmPlan, PatientPlan, SeriesPlan, StudyPlan
from vfscreen.synthesis.demo_volumes import series_volume
from vfscreen.synthesis.dicom_writer import (
    PatientHeader,
    SeriesHeader,
    StudyHeader,
    seeded_uid,
    write_dose_report,
    write_secondary_capture,
    write_series,
)
from vfscreen.synthesis.film_writer import FilmHeader, write_film
from vfscreen.synthesis.grid import lps
from vfscreen.synthesis.norms import VOLTAGE_GAIN_HU
from vfscreen.synthesis.truth import (
    DemoTruth,
    FilmTruth,
    SeriesTruth,
    VisibleVertebra,
    vertebra_on_film,
    visible_vertebrae,
)

GENERATOR_VERSION = "3"
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
    pixel_factor: float
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
    package_studies({job.folder.parent: job.study.package for job in jobs})
    litter(part)
    truth = DemoTruth(seed, patients, wanted, count_files(part), tuple(series))
    # the truth first: an archive without it would be refused by the next call, never taken for something else
    truth.write(truth_path)
    part.rename(archive)
    return truth


def accession_number(seed: int, patient: int, visit: int) -> str:
    """AccessionNumber of a visit of a patient, both counted from 0."""
    return f"A{seed:03d}{patient:04d}{visit}"


def _complete(archive: Path, truth: DemoTruth) -> bool:
    return count_files(archive) == dict(truth.files)


def _jobs(folder: Path, seed: int, patients: int, pixel_factor: float) -> list[_Job]:
    rng = np.random.default_rng(seed)
    found = []
    for index in range(patients):
        plan = CAST[index] if index < len(CAST) else further_patient(rng)
        found += _patient_jobs(folder, plan, seed, index, int(rng.integers(2**62)), pixel_factor)
    # long ones first, so that no process is left alone with one at the end
    return sorted(found, key=lambda job: -_voxels(job.plan) * (10 if job.study.bottom == "S" else 7))


def _voxels(plan: SeriesPlan) -> float:
    if plan.kind == "films":  # about as long as a CT of a spine
        return 30_000.0 * len(plan.films)
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
        day = dt.date(_BASE_YEAR + study.years_later, 11, 1 + (3 * index) % 28) + dt.timedelta(study.days_later)
        date = f"{day:%Y%m%d}"
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
                    pixel_factor=pixel_factor,
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
        model_name="Phantom DR" if series.kind == "films" else "Phantom 64",
        patient_position=study.patient_position,
        image_type=image_type,
        modality={"mr": "MR", "dose_report": "SR"}.get(series.kind, series.modality),
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
    vertebrae: list[VisibleVertebra] = []
    films: list[FilmTruth] = []
    if plan.kind == "dose_report":
        write_dose_report(job.folder / "report.dcm", header, 412.5)
    elif plan.kind == "screenshot":
        rng = np.random.default_rng(job.noise_seed)
        write_secondary_capture(job.folder / "screen.dcm", header, rng.integers(0, 255, (120, 160), dtype=np.uint8))
    elif plan.kind == "films":
        for number, film in enumerate(plan.films, start=1):
            truth, shown = _write_film(job, film, number)
            films.append(truth)
            vertebrae += shown
        count = len(films)
    else:
        volume = series_volume(plan, job.study, job.spec, job.noise_seed if job.rendered else None)
        moved = volume.affine_lps.copy()
        moved[:3, 3] += job.shift_mm
        volume = Volume(volume.hu, moved)
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
        contrast_phase=job.study.contrast.value if vertebrae and not films else None,
        modality=header.modality,
        films=tuple(films),
    )


def _write_film(job: _Job, plan: FilmPlan, number: int) -> tuple[FilmTruth, list[VisibleVertebra]]:
    """One film of a series, and the vertebrae that a screened one shows."""
    geometry = film_geometry(plan, job.spec, job.pixel_factor)
    shape = geometry.rows, geometry.columns
    stored = np.zeros(shape, np.uint16)
    if job.rendered:
        stored = render_film(plan, job.spec, geometry, job.noise_seed + number)
    calibrated = plan.spacing == "calibrated"
    header = FilmHeader(
        number=number,
        body_part=plan.body_part,
        view_position=plan.view_position,
        orientation=orientation_of(plan),
        inverse=plan.inverse,
        detector_mm=None if plan.spacing == "none" else geometry.pixel_mm,
        patient_mm=geometry.axis_pixel_mm if calibrated else None,
        source_detector_mm=plan.source_detector_mm if calibrated else None,
        source_patient_mm=plan.source_axis_mm if calibrated else None,
    )
    uid = write_film(job.folder / f"{number:04d}{job.plan.suffix}", job.header, header, stored)
    lateral = plan.kind == "lateral"
    truth = FilmTruth(
        SOPInstanceUID=uid,
        view={"lateral": FilmView.LATERAL, "ap": FilmView.AP}.get(plan.kind, FilmView.OTHER).value,
        expected_state=(State.SCREENED if plan.reason is None else State.REJECTED).value,
        expected_reason=None if plan.reason is None else plan.reason.value,
        rows=shape[0],
        columns=shape[1],
        anterior_side=(PictureSide.RIGHT if plan.flipped else PictureSide.LEFT).value if lateral else None,
        patient_spacing_mm=geometry.axis_pixel_mm if calibrated else None,
    )
    if plan.reason is not None:
        return truth, []
    return truth, [
        vertebra_on_film(v, px, whole, uid, shape) for v, px, whole in vertebrae_on(plan, job.spec, geometry)
    ]
