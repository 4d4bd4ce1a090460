"""The benchmark's series is one consistent stack, the same whatever wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

from vfscreen.synthesis.benchmark_series import write_benchmark_series


def test_parts_join_to_one_evenly_spaced_series(tmp_path: Path) -> None:
    truth = write_benchmark_series(tmp_path / "a", slices=60, matrix=48, workers=2)
    slices = [dcmread(p) for p in sorted((tmp_path / "a").iterdir())]
    assert [s.InstanceNumber for s in slices] == list(range(1, 61))
    assert len({s.SeriesInstanceUID for s in slices}) == 1 and len({s.SOPInstanceUID for s in slices}) == 60
    positions = np.array([s.ImagePositionPatient for s in slices], dtype=float)
    assert np.allclose(np.diff(positions, axis=0), [0, 0, 1.25], atol=1e-5)
    l5 = next(t for t in truth if t.level == "L5").centre_lps_mm
    nearest = slices[int(np.abs(positions[:, 2] - l5[2]).argmin())]
    column, row = (l5[:2] - positions[0, :2]) / np.array(nearest.PixelSpacing, dtype=float)[::-1]
    hu = int(nearest.pixel_array[round(row), round(column)]) + int(nearest.RescaleIntercept)
    assert 40 < hu < 500


def test_workers_do_not_change_the_bytes(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        write_benchmark_series(tmp_path / name, slices=30, matrix=32, transfer_syntax=JPEGLSLossless, workers=workers)
    one, two = ([p.read_bytes() for p in sorted((tmp_path / n).iterdir())] for n in ("one", "two"))
    assert one == two and len(one) == 30
