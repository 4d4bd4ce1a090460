"""Small lakes for tests: an index written as the product writes one, and rows as the screening chain gives them.

Grades and losses agree with the heights, so that the data checks pass on what is built here, and a test that breaks
one number sees exactly one check fail.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from vfscreen.lake import paths
from vfscreen.lake.store import Lake
from vfscreen.lake.tables import encode
from vfscreen.schema.columns import Table
from vfscreen.schema.names import LEVELS
from vfscreen.schema.tables import FILES, MANIFEST

Row = dict[str, Any]
RELEASE = "test-1a2b"


def study_uid(study: int) -> str:
    return f"1.2.{study:06d}"


def series_uid(study: int, series: int) -> str:
    return f"1.2.{study:06d}.{series}"


def manifest_row(study: int, series: int = 0, *, fingerprint: str = "f0", **values: Any) -> Row:
    """A series of patient `P<study>`; series 0 is selected, others are left out as not_best_series."""
    selected = series == 0
    row: Row = {
        "StudyInstanceUID": study_uid(study),
        "SeriesInstanceUID": series_uid(study, series),
        "patient_pseudonym": f"P{study}",
        "content_fingerprint": fingerprint,
        "Modality": "CT",
        "StudyDate": "20240105",
        "PatientSex": "F",
        "PatientAge_years": 71.0,
        "instance_count": 2,
        "selected": selected,
        "stage": None if selected else "select",
        "reason_code": None if selected else "not_best_series",
    }
    return {**row, **values}


def file_rows(manifest: Iterable[Mapping[str, Any]]) -> list[Row]:
    """As many instances as the manifest says, and one file that is not DICOM."""
    rows: list[Row] = [
        {
            "path": f"{m['SeriesInstanceUID']}/{i}",
            "member": "",
            "size_bytes": 10,
            "modified": "1",
            "file_state": "instance",
            "SeriesInstanceUID": m["SeriesInstanceUID"],
            "StudyInstanceUID": m["StudyInstanceUID"],
            **{name: m.get(name) for name in ("PatientAge_years", "PatientSex", "KVP_kV")},
        }
        for m in manifest
        for i in range(m["instance_count"])
    ]
    stranger = {"path": "readme.txt", "member": "", "size_bytes": 3, "modified": "1"}
    return [*rows, {**stranger, "file_state": "not_dicom", "reason_code": "not_dicom"}]


def put_index(lake: Lake, manifest: Sequence[Row], files: Sequence[Row] | None = None, name: str = "0") -> None:
    """Make `manifest` (and its files) the lake's index."""
    files_part, series_part = paths.manifest_files_part(name), paths.manifest_series_part(name)
    lake.store.write_bytes(files_part, encode(FILES, file_rows(manifest) if files is None else files))
    lake.store.write_bytes(series_part, encode(MANIFEST, manifest))
    pointer = {"files": [files_part], "series": [series_part]}
    lake.store.write_bytes(paths.MANIFEST_POINTER, json.dumps(pointer).encode())


def grade_of(loss: float) -> int:
    return sum(loss >= border for border in (0.20, 0.25, 0.40))


def vertebra_row(series: Mapping[str, Any], index: int, loss: float = 0.1, **values: Any) -> Row:
    """Vertebra `index` of a column that starts at T4, its anterior height lower than the others by `loss`."""
    heights = {"anterior_height_mm": 25.0 * (1 - loss), "middle_height_mm": 25.0, "posterior_height_mm": 25.0}
    measured = 1 - heights["anterior_height_mm"] / 25.0
    thoracolumbar = [level for level in LEVELS[LEVELS.index("T4") :] if level not in ("T13", "L6")]
    row: Row = {
        **{k: series[k] for k in ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint")},
        "patient_pseudonym": series.get("patient_pseudonym"),
        "vertebra_index": index,
        "modality": series.get("Modality"),
        "height_calibrated": True,
        "vertebra_level": thoracolumbar[index],
        "level_probability": 0.97,
        "level_certain": True,
        "truncated": False,
        "detection_probability": 0.99,
        "centre_lps_mm": [0.5, -20.25, 100.0 - 30 * index],
        **heights,
        "height_loss_ratio_raw": measured,
        "height_loss_ratio_adjusted": measured,
        "genant_grade_raw": grade_of(measured),
        "genant_grade": grade_of(measured),
        "deformity_type": "wedge" if measured >= 0.2 else "none",
        "fracture_probability": 0.9 * measured,
        "grade2_probability": 0.6 * measured,
        "grade3_probability": 0.3 * measured,
        "fracture_score": 0.25,
    }
    return {**row, **values}


def ended(manifest: Mapping[str, Any], losses: Sequence[float] = (0.1, 0.3), **values: Any) -> tuple[Row, list[Row]]:
    """The SERIES row and VERTEBRAE rows with which a manifest row ends: screened where selected, else rejected."""
    copied = ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "patient_pseudonym")
    headers = ("Modality", "StudyDate", "PatientSex", "PatientAge_years", "InstitutionName", "Manufacturer", "KVP_kV")
    row: Row = {k: manifest.get(k) for k in (*copied, *headers)}
    state = values.get("state", "screened" if manifest["selected"] else "rejected")
    if state != "screened":
        reasons = {"state": state, "stage": manifest["stage"], "reason_code": manifest["reason_code"]}
        return {**row, **reasons, **values}, []
    vertebrae = [vertebra_row(row, i, loss) for i, loss in enumerate(losses)]
    worst = max((v["genant_grade"] for v in vertebrae), default=None)
    summary = {
        "state": "screened",
        "vertebra_count": len(vertebrae),
        "graded_vertebra_count": len(vertebrae),
        "level_certain": True,
        "max_genant_grade": worst,
        "sdi": sum(v["genant_grade"] for v in vertebrae) if vertebrae else None,
        "sdi_levels_assessed": [v["vertebra_level"] for v in vertebrae],
        "patient_fracture_probability": max((v["fracture_probability"] for v in vertebrae), default=None),
        "patient_grade2_probability": max((v["grade2_probability"] for v in vertebrae), default=None),
    }
    return {**row, **summary, **values}, vertebrae


def film_uid(series: Mapping[str, Any], film: int) -> str:
    return f"{series['SeriesInstanceUID']}.{film}"


def film_row(series: Mapping[str, Any], film: int, **values: Any) -> Row:
    """Film `film` of a series: lateral, uncalibrated, screened with a vertebra."""
    row: Row = {
        **{k: series[k] for k in ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint")},
        "patient_pseudonym": series.get("patient_pseudonym"),
        "SOPInstanceUID": film_uid(series, film),
        "Modality": series.get("Modality"),
        "state": "screened",
        "InstanceNumber": film,
        "height_calibrated": False,
        "view": "lateral",
        "view_probability": 0.99,
        "vertebra_count": 1,
    }
    return {**row, **values}


def film_vertebra_row(series: Mapping[str, Any], index: int, film: int, loss: float = 0.1, **values: Any) -> Row:
    """`vertebra_row` as a film without calibration shows it."""
    row = vertebra_row(series, index, loss)
    row |= {"height_calibrated": False, "SOPInstanceUID": film_uid(series, film), "centre_lps_mm": None}
    row |= {f"{part}_height_px": 5 * row.pop(f"{part}_height_mm") for part in ("anterior", "middle", "posterior")}
    return {**row, "centre_px": [412.5, 160.25 + 140 * index], **values}


def film_ended(manifest: Mapping[str, Any], losses: Sequence[float] = (0.1, 0.3)) -> tuple[Row, list[Row], list[Row]]:
    """SERIES, VERTEBRAE and FILMS rows of a screened radiograph series.

    It has a lateral film for each loss, with one vertebra on it, then a frontal one.
    """
    series, _ = ended(manifest, losses)
    series |= {"film_count": len(losses) + 1, "lateral_film_count": len(losses)}
    rejected = {"state": "rejected", "stage": "locate", "reason_code": "view_not_lateral", "view": "ap"}
    films = [film_row(series, i) for i in range(len(losses))]
    films.append(film_row(series, len(losses), vertebra_count=0, **rejected))
    return series, [film_vertebra_row(series, i, i, loss) for i, loss in enumerate(losses)], films


def land(
    lake: Lake,
    shard_id: str,
    ends: Iterable[tuple[Row, list[Row]] | tuple[Row, list[Row], list[Row]]],
    run_id: str = "run-1",
    release: str = RELEASE,
) -> Row:
    """Land a shard of what `ended` and `film_ended` gave."""
    ends = list(ends)
    vertebrae = [row for end in ends for row in end[1]]
    films = [row for end in ends if len(end) == 3 for row in end[2]]
    return lake.write_shard(shard_id, run_id, release, [end[0] for end in ends], vertebrae, films)


def table_rows(table: Table, data: bytes) -> list[Row]:
    """Rows of a Parquet file, whose schema must be the declared one."""
    found = pq.read_table(io.BytesIO(data))
    assert found.schema.equals(table.arrow_schema)
    return found.to_pylist()
