"""The demo archive and its truth agree, file by file and voxel by voxel."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import map_coordinates

from vfscreen.errors import ReasonCode
from vfscreen.geometry.volume import Volume
from vfscreen.schema.names import KEYPOINTS
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.truth import DemoTruth

Demo = tuple[Path, DemoTruth]


def contents(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Every file and zip member."""
    for path in sorted(p for p in archive.rglob("*") if p.is_file()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as members:
                for name in members.namelist():
                    yield f"{path.relative_to(archive)}:{name}", members.read(name)
        else:
            yield str(path.relative_to(archive)), path.read_bytes()


def slices_by_series(archive: Path) -> dict[str, list[pydicom.Dataset]]:
    found: dict[str, list[pydicom.Dataset]] = {}
    for name, data in contents(archive):
        if data[128:132] != b"DICM" or "lost+found" in name or name.endswith("DICOMDIR"):
            continue
        ds = pydicom.dcmread(io.BytesIO(data))
        found.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
    return found


@pytest.fixture(scope="module")
def series(demo: Demo) -> dict[str, list[pydicom.Dataset]]:
    return slices_by_series(demo[0] / "archive")


def test_the_truth_counts_every_file(demo: Demo, series: dict[str, list[pydicom.Dataset]]) -> None:
    out, truth = demo
    states: Counter[str] = Counter()
    for path in (p for p in (out / "archive").rglob("*") if p.is_file()):
        states["container"] += zipfile.is_zipfile(path)
        states["dicomdir"] += path.name == "DICOMDIR"
    states["instance"] = sum(len(s) for s in series.values())
    names = [n for n, _ in contents(out / "archive")]
    states["unreadable"] = sum("lost+found" in n for n in names)
    states["not_dicom"] = sum(n.endswith((".txt", ".log")) for n in names)
    assert dict(states) == dict(truth.files)
    assert {s.SeriesInstanceUID: s.instance_count for s in truth.series} == {u: len(s) for u, s in series.items()}
    assert not (out / "archive" / "truth.json").exists()


def test_the_truth_names_patients_and_studies_as_the_headers_do(
    demo: Demo, series: dict[str, list[pydicom.Dataset]]
) -> None:
    for item in demo[1].series:
        ds = series[item.SeriesInstanceUID][0]
        assert (item.PatientID, item.StudyInstanceUID) == (ds.PatientID, ds.StudyInstanceUID)
        assert (item.StudyDate, item.SeriesDescription) == (ds.StudyDate, ds.SeriesDescription)


def test_every_distractor_is_there(demo: Demo) -> None:
    reasons = {s.expected_reason for s in demo[1].series}
    assert reasons == {
        None,
        ReasonCode.LOCALIZER,
        ReasonCode.NOT_AN_IMAGE,
        ReasonCode.ORIENTATION_NOT_AXIAL,
        ReasonCode.SLICES_TOO_THICK,
        ReasonCode.MISSING_SLICES,
        ReasonCode.MODALITY_NOT_SUPPORTED,
        ReasonCode.DERIVED_IMAGE,
        ReasonCode.NOT_BEST_SERIES,
        ReasonCode.VIEW_NOT_LATERAL,
    }
    assert len({s.PatientID for s in demo[1].series}) == 6
    visits = {(s.PatientID, s.StudyInstanceUID) for s in demo[1].series}
    assert len(visits) > 6


def test_grades_of_all_kinds_are_in_it_and_normal_vertebrae_are_normal(demo: Demo) -> None:
    whole = [v for s in demo[1].series for v in s.vertebrae if not v.truncated]
    assert {v.genant_grade_raw for v in whole} == {0, 1, 2, 3}
    assert {v.deformity_type for v in whole} == {"none", "wedge", "biconcave", "crush"}
    for v in whole:
        if v.deformity_type == "none" and v.vertebra_level not in ("L5", "L6"):
            assert v.height_loss_ratio_raw < 0.20
        elif v.deformity_type != "none":
            assert v.genant_grade_raw >= 1
    assert any(v.truncated for s in demo[1].series for v in s.vertebrae)


def test_a_follow_up_shows_an_incident_fracture(demo: Demo) -> None:
    by_patient: dict[str, dict[str, set[str]]] = {}
    for s in demo[1].series:
        if s.vertebrae and s.modality == "CT":
            levels = {v.vertebra_level for v in s.vertebrae if v.genant_grade_raw and v.vertebra_level != "L5"}
            by_patient.setdefault(s.PatientID, {})[s.StudyDate] = levels
    followed = [visits for visits in by_patient.values() if len(visits) > 1]
    assert followed
    for visits in followed:
        first, last = (visits[d] for d in sorted(visits))
        assert first < last


def test_the_true_points_lie_on_bone_in_the_written_pixels(
    demo: Demo, series: dict[str, list[pydicom.Dataset]]
) -> None:
    """Read back with nothing of ours: spongy bone at the centres, the canal behind them darker, in every stack."""
    for item in demo[1].series:
        whole = [v for v in item.vertebrae if not v.truncated and v.vertebra_level[0] != "C"]
        if not whole or item.films:
            continue
        volume = stacked(series[item.SeriesInstanceUID])
        centres, canals = [], []
        for v in whole:
            points = np.array([v.keypoints_lps_mm[n] for n in KEYPOINTS])
            posterior = points[4:].mean(axis=0) - points[:2].mean(axis=0)
            centres.append(hu_at(volume, points.mean(axis=0)))
            canals.append(hu_at(volume, points[4:].mean(axis=0) + 9.0 * posterior / np.linalg.norm(posterior)))
        assert min(centres) > 40 and max(centres) < 500, item.SeriesDescription
        assert np.mean(centres) - np.mean(canals) > 25, item.SeriesDescription


def stacked(slices: list[pydicom.Dataset]) -> Volume:
    ordered = sorted(slices, key=lambda s: float(s.ImagePositionPatient[2]))
    first, last = (np.array(s.ImagePositionPatient, dtype=float) for s in (ordered[0], ordered[-1]))
    affine = np.eye(4)
    axes = np.array(ordered[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    affine[:3, 0], affine[:3, 1] = axes[0] * ordered[0].PixelSpacing[1], axes[1] * ordered[0].PixelSpacing[0]
    affine[:3, 2] = (last - first) / (len(ordered) - 1)
    affine[:3, 3] = first
    hu = [s.pixel_array.astype(np.int16) * int(s.RescaleSlope) + int(s.RescaleIntercept) for s in ordered]
    return Volume(np.stack(hu).astype(np.int16), affine)


def hu_at(volume: Volume, lps: np.ndarray) -> float:
    ijk = volume.to_ijk(lps)
    return float(map_coordinates(volume.hu.astype(float), ijk[::-1, None], order=1, mode="nearest")[0])


def test_the_same_seed_writes_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    digests = []
    for name, workers in (("a", 1), ("b", 2)):
        write_demo_archive(tmp_path / name, seed=8, patients=1, pixel_factor=8.0, workers=workers)
        digests.append({n: hashlib.sha256(d).hexdigest() for n, d in contents(tmp_path / name / "archive")})
        digests.append({"truth": hashlib.sha256((tmp_path / name / "truth.json").read_bytes()).hexdigest()})
    assert digests[0] == digests[2] and digests[1] == digests[3]


def test_an_archive_is_reused_remade_or_refused(tmp_path: Path) -> None:
    first = write_demo_archive(tmp_path, seed=8, patients=1, pixel_factor=10.0, workers=1)
    some = next((tmp_path / "archive").rglob("*.dcm"))
    before = some.stat().st_mtime_ns
    assert write_demo_archive(tmp_path, seed=8, patients=1, pixel_factor=10.0, workers=1) == first
    assert some.stat().st_mtime_ns == before
    some.unlink()
    assert write_demo_archive(tmp_path, seed=8, patients=1, pixel_factor=10.0, workers=1) == first
    assert some.exists() and some.stat().st_mtime_ns != before
    (tmp_path / "truth.json").unlink()
    with pytest.raises(FileExistsError, match="not a demo archive"):
        write_demo_archive(tmp_path, seed=8, patients=1, pixel_factor=10.0, workers=1)
    assert some.exists()


def test_truth_survives_its_json(demo: Demo) -> None:
    out, truth = demo
    assert DemoTruth.read(out / "truth.json") == truth
    (out / "broken.json").write_text('{"seed": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match="truth file"):
        DemoTruth.read(out / "broken.json")


def test_contrast_and_voltage_are_in_the_headers_or_wrongly_missing(
    demo: Demo, series: dict[str, list[pydicom.Dataset]]
) -> None:
    """An agent named where it was given, one not named, one voltage missing: all of them in the truth."""
    screened = [s for s in demo[1].series if s.expected_reason is None and s.modality == "CT"]
    headers = {s.SeriesInstanceUID: series[s.SeriesInstanceUID][0] for s in screened}
    told = {(s.contrast_phase, bool(headers[s.SeriesInstanceUID].get("ContrastBolusAgent", ""))) for s in screened}
    assert told == {("non_contrast", False), ("portal_venous", True), ("portal_venous", False)}
    voltages = {headers[s.SeriesInstanceUID].get("KVP") for s in screened}
    assert {None, 100.0, 120.0} == voltages


def test_the_truth_knows_what_spongy_bone_measures(demo: Demo, series: dict[str, list[pydicom.Dataset]]) -> None:
    """In the written pixels, and as it would be at 120 kV without contrast; older patients have less."""
    added = {"non_contrast": 0.0, "portal_venous": 15.0}
    native = {}
    for item in demo[1].series:
        whole = [
            v for v in item.vertebrae if not v.truncated and v.genant_grade_raw == 0 and v.vertebra_level[0] == "L"
        ]
        if not whole or item.films:
            continue
        volume = stacked(series[item.SeriesInstanceUID])
        differences = []
        for v in whole:
            assert v.trabecular_hu is not None and v.trabecular_hu_native is not None
            voltage = series[item.SeriesInstanceUID][0].KVP
            gain = added[str(item.contrast_phase)] + (7.0 if voltage == 100 else 0.0)
            assert v.trabecular_hu - v.trabecular_hu_native == pytest.approx(gain, abs=1e-3)
            points = np.array([v.keypoints_lps_mm[n] for n in KEYPOINTS])
            middle = 0.5 * (points[:2].mean(axis=0) + points.mean(axis=0))
            differences.append(hu_at(volume, middle) - v.trabecular_hu)
        assert abs(np.mean(differences)) < 40.0
        native[item.PatientID] = np.mean([float(v.trabecular_hu_native or 0.0) for v in whole])
    assert len(native) >= 3 and max(native.values()) - min(native.values()) > 15.0
