"""Rows as years of sweeps would leave them, of any number, for measuring queries: seeded; nobody in them exists.

Belongs here: exams drawn, and the SERIES and VERTEBRAE rows they would leave. Does not belong here: files, receipts and
the index (`cohort_lake`), timing (`cohort_queries`).

What it is like: patients with one to some exams over ten years; chest, abdomen or both; for each screened series two
that the index left out; 3 % of exams with a second screened series; one exam in five a radiograph, read with a little
more noise, half of them calibrated, without density, contrast or kernel.
Fractures follow age, sex and level and stay once there, so that incidence is what age makes of it. Age is missing in
1 %, sex in 0.5 %, site in 2 %, tube voltage in 3 %, PatientID in 1 %, a date in 0.2 %, contrast phase in 5 %, a
valid L1 in a quarter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vfscreen.schema.columns import Table
from vfscreen.schema.names import LEVELS, SDI_LEVELS
from vfscreen.schema.tables import SERIES, VERTEBRAE

Floats = NDArray[np.float64]
Columns = dict[str, Any]

COLUMN = [level for level in LEVELS[LEVELS.index("C7") :] if level not in ("T13", "L6")]
"""C7 to L5."""

_REGIONS = {"CHEST": ("C7", "L1"), "ABDOMEN": ("T10", "L5"), "TRUNK": ("C7", "L5")}
_WEIGHT = np.array([0.0] + [1.0 + 2.5 * np.exp(-((i - 7.5) ** 2) / 3) + 4 * np.exp(-((i - 12.3) ** 2) / 1.5)
                            for i in range(1, 13)] + [4.0, 2.2, 1.4, 1.0, 0.6])  # fmt: skip
_SITES = [f"Synthetic Hospital {c}" for c in "ABCDEFGH"]
_SCANNERS = [("SYNTHETIC SIEMENS-LIKE", "Alpha 64", "B30f"), ("SYNTHETIC SIEMENS-LIKE", "Beta 128", "I30f"),
             ("SYNTHETIC GE-LIKE", "Gamma", "STANDARD"), ("SYNTHETIC PHILIPS-LIKE", "Delta", "B"),
             ("SYNTHETIC TOSHIBA-LIKE", "Epsilon", "FC08"), ("SYNTHETIC TOSHIBA-LIKE", "Zeta", "FC18")]  # fmt: skip
_SECOND_SERIES = 0.03
_FILMS = 0.2
_FILM_LOSS_SD = 0.02
_FIRST_DAY = np.datetime64("2015-01-01")
_DAYS = 3650


@dataclass(frozen=True, eq=False)
class Exams:
    """One entry an exam, in the order of StudyInstanceUID. susceptibility: (patients, levels) 0..1, low breaks first.
    luck: (8, exams) 0..1, what is missing or uncertain in an exam."""

    patient: NDArray[np.int64]
    days: NDArray[np.int64]
    age: Floats
    female: NDArray[np.bool_]
    region: NDArray[np.int64]
    scanner: NDArray[np.int64]
    site: NDArray[np.int64]
    susceptibility: NDArray[np.float32]
    density: Floats
    luck: NDArray[np.float32]
    film: NDArray[np.bool_]


def draw_exams(rng: np.random.Generator, count: int) -> Exams:
    """`count` exams of about 0.6 * count patients."""
    patients = max(1, round(0.6 * count))
    patient = np.concatenate([np.arange(patients), rng.integers(0, patients, count - patients)])
    rng.shuffle(patient)
    born = np.clip(rng.normal(61, 12, patients), 35, 88)  # age on the first day
    female = rng.random(patients) < 0.55
    days = rng.integers(0, _DAYS, count)
    age = born[patient] + days / 365.25
    density = 235 - 2.1 * (age - 35) + rng.normal(0, 28, patients)[patient] + rng.normal(0, 6, count)
    return Exams(
        patient,
        days,
        age,
        female[patient],
        rng.choice(3, count, p=[0.55, 0.25, 0.2]),
        rng.integers(0, len(_SCANNERS), count),
        rng.integers(0, len(_SITES), count),
        rng.random((patients, len(COLUMN)), dtype=np.float32),
        density,
        rng.random((8, count), dtype=np.float32),
        np.random.default_rng(count).random(count) < _FILMS,
    )


def shard_rows(rng: np.random.Generator, exams: Exams, index: NDArray[np.int64]) -> tuple[pa.Table, pa.Table]:
    """SERIES and VERTEBRAE rows of some exams, without shard, run and release."""
    second = rng.random(index.size) < _SECOND_SERIES
    exam = np.concatenate([np.repeat(index, 3), index[second]])  # two left out, one or two screened
    kind = np.concatenate([np.tile([0, 1, 2], index.size), np.full(second.sum(), 3)])
    order = np.lexsort((kind, exam))
    exam, kind = exam[order], kind[order]
    screened = kind != 1
    screened &= kind != 2
    vertebrae, summary = _vertebrae(rng, exams, exam[screened])
    common = _headers(rng, exams, exam, kind)
    n = exam.size
    series: Columns = {
        **common,
        "state": np.where(screened, "screened", "rejected"),
        "stage": _where(screened, None, "select"),
        "reason_code": _where(screened, None, "not_best_series"),
    }
    for name, values in summary.items():
        full = np.full(n, None, dtype=object)
        full[screened] = values
        series[name] = full
    keys = ("SeriesInstanceUID", "StudyInstanceUID", "patient_pseudonym", "content_fingerprint")
    rows = np.flatnonzero(screened)[vertebrae.pop("row")]
    for name in keys:
        vertebrae[name] = np.asarray(common[name], dtype=object)[rows]
    return as_declared(SERIES, series, n), as_declared(VERTEBRAE, vertebrae, rows.size)


def _headers(rng: np.random.Generator, exams: Exams, exam: NDArray[np.int64], kind: NDArray[np.int64]) -> Columns:
    n = exam.size
    film = exams.film[exam]
    luck = exams.luck[:, exam]  # what is missing is missing on every series of the exam
    date = (_FIRST_DAY + exams.days[exam]).astype("datetime64[D]").astype(str)
    maker, model, kernel = (np.array(c, dtype=object)[exams.scanner[exam]] for c in zip(*_SCANNERS, strict=True))
    study = np.array([_uid("1", e) for e in exam], dtype=object)
    return {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": np.array([_uid("2", 8 * e + k) for e, k in zip(exam, kind, strict=True)], dtype=object),
        "patient_pseudonym": _where(luck[0] < 0.01, None, [_digest(p) for p in exams.patient[exam]]),
        "content_fingerprint": [_digest(8 * e + k) for e, k in zip(exam, kind, strict=True)],
        "AccessionNumber": [_digest(e) for e in exam],
        "SOPClassUID": np.where(film, "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.2"),
        "Modality": np.where(film, "DX", "CT"),
        "ImageType": ["ORIGINAL\\PRIMARY\\AXIAL"] * n,
        "StudyDate": _where(luck[1] < 0.002, None, np.char.replace(date, "-", "")),
        "BodyPartExamined": np.array(list(_REGIONS), dtype=object)[exams.region[exam]],
        "Manufacturer": maker,
        "ManufacturerModelName": model,
        "ConvolutionKernel": _where(film, None, np.where(kind == 1, "SHARP", kernel)),
        "InstitutionName": _where(luck[2] < 0.02, None, np.array(_SITES)[exams.site[exam]]),
        "PatientSex": _where(luck[3] < 0.005, None, np.where(exams.female[exam], "F", "M")),
        "PatientAge_years": _where(luck[4] < 0.01, None, np.floor(exams.age[exam])),
        "KVP_kV": _where(luck[5] < 0.03, None, np.where(exams.scanner[exam] % 3 == 0, 100.0, 120.0)),
        "SliceThickness_mm": np.full(n, 2.0),
        "slice_count": rng.integers(120, 400, n),
        "slice_spacing_mm": np.full(n, 2.0),
        "row_spacing_mm": np.full(n, 0.8),
        "column_spacing_mm": np.full(n, 0.8),
    }


def _vertebrae(rng: np.random.Generator, exams: Exams, exam: NDArray[np.int64]) -> tuple[Columns, Columns]:
    """VERTEBRAE columns (`row` says of which of `exam`) and the SERIES columns that sum them up."""
    bounds = np.array([[COLUMN.index(a), COLUMN.index(b)] for a, b in _REGIONS.values()])
    first, last = bounds[exams.region[exam]].T
    row = np.repeat(np.arange(exam.size), last - first + 1)
    position = np.arange(row.size) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1)
    level = first[row] + position
    truncated = (position == 0) | ((level == last[row]) & (rng.random(row.size) < 0.2))
    graded = ~truncated & (level > 0)
    e = exam[row]
    odds = 0.0035 * _WEIGHT[level] * np.exp(0.055 * (exams.age[e] - 65)) * np.where(exams.female[e], 1.2, 0.9)
    depth = exams.susceptibility[exams.patient[e], level] / np.clip(odds, 1e-6, 0.9)
    loss = np.where(depth < 1, 0.2 + 0.35 * np.clip(1 - depth, 0, 1) ** 1.5, np.abs(rng.normal(0.07, 0.035, row.size)))
    film = exams.film[e]
    noise = rng.normal(0, 1.0, row.size) * np.where(film, _FILM_LOSS_SD, 0.004)
    loss = np.round(np.clip(loss + noise, 0, 0.9), 4)
    grade = (loss >= 0.2).astype(int) + (loss >= 0.25) + (loss >= 0.4)
    p1, p2, p3 = (1 / (1 + np.exp(-(loss - b) / 0.02)) for b in (0.2, 0.25, 0.4))
    hu = np.round(exams.density[e] + rng.normal(0, 9, row.size), 1)
    valid = ~film & graded & (grade < 1) & (rng.random(row.size) < 0.9)
    posterior = np.round(20 + 0.5 * level + rng.normal(0, 1, row.size), 2)
    certain = exams.luck[6, e] < 0.8
    z = np.round(100.0 - 30.0 * level, 1)
    unread = truncated | film
    columns: Columns = {
        "row": row,
        "vertebra_index": position,
        "modality": np.where(film, "DX", "CT").astype(object),
        "height_calibrated": ~film | (e % 2 == 0),
        "SOPInstanceUID": _where(film, [_uid("3", i) for i in e], None),
        "vertebra_level": np.array(COLUMN, dtype=object)[level],
        "level_probability": np.round(rng.uniform(0.6, 1, row.size), 3),
        "level_certain": certain,
        "truncated": truncated,
        "detection_probability": np.round(rng.uniform(0.7, 1, row.size), 3),
        "reason_code": _where(graded, None, np.where(truncated, "truncated", "level_not_graded")),
        "centre_lps_mm": _points(rng, z, film),
        "height_loss_ratio_raw": _where(graded, loss, None),
        "height_loss_ratio_adjusted": _where(graded, loss, None),
        "genant_grade_raw": _where(graded, grade, None),
        "genant_grade": _where(graded, grade, None),
        "deformity_type": _where(
            graded, np.where(grade == 0, "none", np.where(level % 3 == 0, "crush", "wedge")), None
        ),
        "fracture_probability": _where(graded, p1, None),
        "grade2_probability": _where(graded, p2, None),
        "grade3_probability": _where(graded, p3, None),
        "fracture_score": np.round(rng.random(row.size), 3),
        "trabecular_hu_mean": _where(unread, None, hu),
        "trabecular_hu_median": _where(unread, None, hu - 1),
        "trabecular_hu_sd": _where(unread, None, np.full(row.size, 41.0)),
        "trabecular_volume_mm3": _where(unread, None, np.full(row.size, 5200.0)),
        "density_valid": _where(unread, None, valid),
        "density_reasons": pa.array(
            [None if f else [] if v else ["fractured"] for v, f in zip(valid, film, strict=True)], pa.list_(pa.string())
        ),
        "kvp_correction_hu": _where(unread, None, np.full(row.size, 2.0)),
        "contrast_correction_hu": _where(unread, None, np.zeros(row.size)),
        "trabecular_hu_corrected": _where(unread, None, hu + 2),
        "focal_lesion_flag": _where(unread, None, "none"),
    }
    for part, factor in (("anterior", 1 - loss), ("middle", np.ones(row.size)), ("posterior", np.ones(row.size))):
        columns[f"{part}_height_mm"] = _where(truncated, None, posterior * factor)
        columns[f"{part}_height_sd_mm"] = _where(truncated, None, np.full(row.size, 0.6))
    for name in (c.name for c in VERTEBRAE.columns if c.name.endswith(("ior_lps_mm",))):
        columns[name] = _points(rng, z, film)
        columns[name.replace("_lps_mm", "_sd_mm")] = np.full(row.size, 0.6)
    reference = np.full(exam.size, np.nan)
    at_l1 = valid & (level == COLUMN.index("L1"))
    reference[row[at_l1]] = hu[at_l1]
    return columns, _summary(exams, exam, row, level, graded, grade, p1, p2, certain, reference)


def _summary(exams: Exams, exam: NDArray[np.int64], row: NDArray[np.int64], level: NDArray[np.int64],
             graded: NDArray[np.bool_], grade: NDArray[np.int64], p1: Floats, p2: Floats,
             certain: NDArray[np.bool_], reference: Floats) -> Columns:  # fmt: skip
    n = exam.size
    in_sdi = graded & np.isin(np.array(COLUMN)[level], SDI_LEVELS)
    starts = np.flatnonzero(np.r_[True, np.diff(row) > 0])

    def of_graded(values: Floats) -> Floats:
        return np.asarray(np.multiply.reduceat(np.where(graded, 1 - values, 1.0), starts))

    luck = exams.luck[7, exam]
    known = ~np.isnan(reference)
    names = np.array(COLUMN)[level]
    levels = [list(names[a:b][in_sdi[a:b]]) for a, b in zip(starts, [*starts[1:], row.size], strict=True)]
    phases = np.array(["non_contrast", "portal_venous", "arterial", "delayed"], dtype=object)
    category = np.where(reference <= 108, "osteoporosis_range", np.where(reference <= 148, "low", "normal"))
    return {
        "centreline_length_mm": np.full(n, 400.0),
        "vertebra_count": np.bincount(row, minlength=n),
        "graded_vertebra_count": np.bincount(row, graded, n).astype(int),
        "level_certain": np.logical_and.reduceat(certain, starts),
        "max_genant_grade": np.maximum.reduceat(np.where(graded, grade, 0), starts),
        "sdi": np.bincount(row, np.where(in_sdi, grade, 0), n).astype(int),
        "sdi_levels_assessed": pa.array(levels, pa.list_(pa.string())).to_numpy(zero_copy_only=False),
        "patient_fracture_probability": 1 - of_graded(p1),
        "patient_grade2_probability": 1 - of_graded(p2),
        "overlay_path": _where(
            np.maximum.reduceat(grade, starts) > 0, [f"overlays/b/{_digest(e)}.png" for e in exam], None
        ),
        "seconds_read": np.full(n, 1.5),
        "seconds_inference": np.full(n, 0.9),
        "film_count": _where(exams.film[exam], 1, None),
        "lateral_film_count": _where(exams.film[exam], 1, None),
        "contrast_phase": _where((luck < 0.05) | exams.film[exam], None, phases[np.minimum((luck * 7).astype(int), 3)]),
        "contrast_phase_probability": _where(exams.film[exam], None, 0.9),
        "density_reference_hu": _where(known, reference, None),
        "density_reference_hu_corrected": _where(known, reference + 2, None),
        "density_reference_levels": pa.array([["L1"] if k else [] for k in known]).to_numpy(zero_copy_only=False),
        "density_category": _where(known, category, None),
        "calibration_kind": _where(exams.film[exam], None, "none"),
    }


def _points(rng: np.random.Generator, z: Floats, absent: NDArray[np.bool_]) -> pa.Array:
    xyz = np.stack([np.round(rng.normal(0, 8, z.size), 1), np.round(rng.normal(-20, 8, z.size), 1), z], axis=1)
    return pa.FixedSizeListArray.from_arrays(pa.array(xyz.ravel()), 3, mask=pa.array(absent))


def _where(condition: Any, yes: Any, no: Any) -> NDArray[Any]:
    """np.where that keeps None as null."""
    return np.where(condition, np.asarray(yes, dtype=object), np.asarray(no, dtype=object))


def _uid(root: str, number: int) -> str:
    """64 characters, as long as UIDs get; sorted as their numbers are."""
    return f"1.2.826.0.1.3680043.8.498.{root}{number:037d}"


def _digest(number: int) -> str:
    return hashlib.blake2b(int(number).to_bytes(8, "little"), digest_size=16).hexdigest()


def as_declared(table: Table, columns: Columns, rows: int) -> pa.Table:
    """Columns as the schema declares them; those not given are null."""
    arrays = []
    for c in table.columns:
        values = columns.get(c.name)
        if values is None and not c.nullable:
            arrays.append(pa.array([""] * rows, c.type))  # run, shard and release: filled in at the landing
        elif isinstance(values, pa.Array):
            arrays.append(values.cast(c.type))
        else:
            arrays.append(pa.nulls(rows, c.type) if values is None else pa.array(values, c.type, from_pandas=True))
    return pa.Table.from_arrays(arrays, schema=table.arrow_schema)
