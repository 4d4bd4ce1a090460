"""Volumes from generated series: every layout gives the same HU at the same place; every damage its own reason."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from scipy.spatial.transform import Rotation

from tests.dicom_builder import SeriesSpec, affine, body, instance, write, write_enhanced, write_series
from tests.ingest.helpers import series
from vfscreen.errors import ItemError, ReasonCode
from vfscreen.geometry.volume import AIR_HU, Volume
from vfscreen.ingest.decode import read_volume

LOSSLESS = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
)


def read(folder: Path) -> Volume:
    (rows,) = series(folder)
    return read_volume(str(folder), rows)


def assert_same(volume: Volume, hu: np.ndarray, matrix: np.ndarray, atol_mm: float = 1e-4) -> None:
    """Each voxel of `hu` is found in the volume at the position `matrix` gives it."""
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in hu.shape[::-1]), indexing="ij"), axis=-1).reshape(-1, 3)
    lps = indices @ matrix[:3, :3].T + matrix[:3, 3]
    found = volume.to_ijk(lps)
    assert np.abs(found - np.rint(found)).max() < 1e-3
    i, j, k = np.rint(found).astype(int).T
    np.testing.assert_array_equal(volume.hu[k, j, i], hu[indices[:, 2], indices[:, 1], indices[:, 0]])
    np.testing.assert_allclose(volume.to_lps(np.rint(found)), lps, atol=atol_mm)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: s.name)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_every_lossless_transfer_syntax_gives_the_same_volume(tmp_path: Path, syntax, signed) -> None:
    hu, matrix = body(), affine()
    spec = SeriesSpec(transfer_syntax=syntax, signed=signed, bits_stored=16, intercept=-1000.0 if signed else -1024.0)
    write_series(tmp_path, spec, hu, matrix)
    assert_same(read(tmp_path), hu, matrix)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless], ids=lambda s: s.name)
def test_enhanced_multi_frame(tmp_path: Path, syntax) -> None:
    hu, matrix = body(), affine()
    write_enhanced(tmp_path / "enhanced", SeriesSpec(transfer_syntax=syntax), hu, matrix)
    assert_same(read(tmp_path), hu, matrix)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(st.floats(0.4, 2.0), st.floats(0.4, 2.0), st.floats(0.5, 5.0)),
    mirrored=st.booleans(),
    tilt=st.floats(-30, 30),
    shape=st.tuples(st.integers(8, 10), st.integers(5, 9), st.integers(5, 9)),
    seed=st.integers(0, 999),
)
def test_any_orientation_order_and_spacing_keeps_every_voxel_in_its_place(
    tmp_path_factory, angles, spacing, mirrored, tilt, shape, seed
) -> None:
    folder = tmp_path_factory.mktemp("series")
    matrix = affine(spacing, rotation=Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), tilt_deg=tilt)
    if mirrored:
        matrix[:3, 2] *= -1  # stacked from the other end
    hu = body(shape, seed)
    write_series(folder, SeriesSpec(), hu, matrix)
    assert_same(read(folder), hu, matrix, atol_mm=1e-3)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless], ids=lambda s: s.name)
def test_a_retired_group_length_stands_before_the_pixels(tmp_path: Path, syntax) -> None:
    hu, spec = body(), SeriesSpec(transfer_syntax=syntax)
    for k in range(len(hu)):
        data = instance(spec, hu, affine(), k)
        data.add_new((0x7FE0, 0x0000), "UL", len(data.PixelData) + 12)
        write(spec, data, tmp_path / str(k))
    assert_same(read(tmp_path), hu, affine())


def test_gantry_tilt_is_shear_in_the_affine(tmp_path: Path) -> None:
    matrix = affine(tilt_deg=20.0)
    hu = body()
    write_series(tmp_path, SeriesSpec(), hu, matrix)
    volume = read(tmp_path)
    assert_same(volume, hu, matrix)
    cosine = volume.affine_lps[:3, 1] @ volume.affine_lps[:3, 2] / np.prod(volume.spacing_mm[1:])
    assert np.degrees(np.arcsin(abs(cosine))) == pytest.approx(20.0, abs=1e-3)


def test_rescale_differs_from_slice_to_slice(tmp_path: Path) -> None:
    hu, matrix = body() // 2 * 2, affine()
    base = SeriesSpec()
    for k in range(len(hu)):
        spec = replace(base, slope=1.0 + k % 2, intercept=-1024.0 - 10 * (k % 3))
        write(spec, instance(spec, hu, matrix, k), tmp_path / str(k))
    assert_same(read(tmp_path), hu, matrix)


def test_fractional_slope_is_rounded_to_the_nearest_hu(tmp_path: Path) -> None:
    hu = body()
    spec = SeriesSpec(slope=0.25, intercept=-1024.0, bits_stored=16)
    write_series(tmp_path, spec, hu, affine())
    assert_same(read(tmp_path), hu, affine())


def test_padding_becomes_air(tmp_path: Path) -> None:
    hu = body()
    spec = SeriesSpec(signed=True, bits_stored=16, intercept=-24.0, padding=-2000)
    padded = hu.copy()
    padded[:, 5:8, 5:8] = -2024
    write_series(tmp_path, spec, padded, affine())
    expected = padded.copy()
    expected[:, 5:8, 5:8] = AIR_HU
    assert_same(read(tmp_path), expected, affine())


def test_padding_range_in_the_middle_of_the_scale_becomes_air(tmp_path: Path) -> None:
    hu = body()
    spec = SeriesSpec(padding=3000, bits_stored=12).with_header(PixelPaddingRangeLimit=3010)
    hu[:, 5:8, 5:8] = 3005 - 1024
    write_series(tmp_path, spec, hu, affine())
    expected = hu.copy()
    expected[:, 5:8, 5:8] = AIR_HU
    assert_same(read(tmp_path), expected, affine())


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_are_not_pixels(tmp_path: Path, signed: bool) -> None:
    hu, matrix = body(), affine()
    spec = SeriesSpec(signed=signed, bits_stored=12, intercept=0.0 if signed else -1024.0)
    if signed:
        hu = np.clip(hu, -1000, 2000)
    for k in range(len(hu)):
        data = instance(spec, hu, matrix, k)
        pixels = np.frombuffer(data.PixelData, np.uint16).copy()
        pixels = (pixels & 0x0FFF) | 0x4000  # an old overlay plane
        data.PixelData = pixels.tobytes()
        write(spec, data, tmp_path / str(k))
    assert_same(read(tmp_path), hu, matrix)


@pytest.mark.parametrize("bits", [8, 32])
def test_other_widths(tmp_path: Path, bits: int) -> None:
    hu = (np.clip(body(), -500, 500) // 4 * 4).astype(np.int16)
    spec = SeriesSpec(bits_allocated=bits, bits_stored=bits, slope=4.0, intercept=-500.0)
    write_series(tmp_path, spec, hu, affine())
    assert_same(read(tmp_path), hu, affine())


def test_values_beyond_int16_are_held_at_its_end(tmp_path: Path) -> None:
    hu = body().astype(np.int64)
    hu[3, 10, 10] = 60000
    spec = SeriesSpec(bits_stored=16, intercept=-1024.0)
    write_series(tmp_path, spec, hu, affine())
    assert_same(read(tmp_path), np.minimum(hu, 32767), affine())


def test_zip_members_are_read(tmp_path: Path) -> None:
    import zipfile

    hu = body()
    files = write_series(tmp_path / "loose", SeriesSpec(), hu, affine())
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, f"deep/er/{file.name}")
            file.unlink()
    assert_same(read(tmp_path), hu, affine())


def test_files_of_a_remote_archive_are_read(tmp_path: Path) -> None:
    import fsspec

    hu = body()
    memory = fsspec.filesystem("memory")
    for file in write_series(tmp_path, SeriesSpec(), hu, affine()):
        memory.pipe_file(f"/bucket/ct/{file.name}", file.read_bytes())
    (rows,) = series("memory://bucket/ct")
    assert_same(read_volume("memory://bucket/ct", rows), hu, affine())


# damage


def damaged(folder: Path, damage, syntax=ExplicitVRLittleEndian) -> ItemError:
    """The error of a series of which one file was damaged after indexing, its size and time kept."""
    write_series(folder, SeriesSpec(transfer_syntax=syntax), body(), affine())
    (rows,) = series(folder)
    path = folder / rows[4]["path"]
    damage(path)
    if path.exists():
        os.utime(path, ns=(int(rows[4]["modified"]),) * 2)
        rows[4] = rows[4] | {"size_bytes": path.stat().st_size}
    with pytest.raises(ItemError) as caught:
        read_volume(str(folder), rows)
    return caught.value


def truncate(count: int):
    return lambda path: path.write_bytes(path.read_bytes()[:-count])


def test_missing_file(tmp_path: Path) -> None:
    assert damaged(tmp_path, Path.unlink).reason is ReasonCode.INSTANCE_UNREADABLE


def test_truncated_pixel_data(tmp_path: Path) -> None:
    error = damaged(tmp_path, truncate(100))
    assert error.reason is ReasonCode.PIXEL_DATA_TRUNCATED
    assert "3840 bytes" in error.message and "3740" in error.message


def test_truncated_header(tmp_path: Path) -> None:
    error = damaged(tmp_path, lambda p: p.write_bytes(p.read_bytes()[:700]))
    assert error.reason is ReasonCode.INSTANCE_UNREADABLE


@pytest.mark.parametrize(
    "syntax", [JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, RLELossless], ids=lambda s: s.name
)
def test_truncated_compressed_pixel_data(tmp_path: Path, syntax) -> None:
    error = damaged(tmp_path, truncate(300), syntax)
    assert error.reason in (ReasonCode.PIXEL_DATA_TRUNCATED, ReasonCode.DECODE_FAILED)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless], ids=lambda s: s.name)
def test_broken_code_stream(tmp_path: Path, syntax) -> None:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        start = data.index(b"\xff\xd8\xff" if syntax == JPEGLSLossless else b"\xff\x4f\xff\x51")
        data[start + 4 : start + 60] = b"\x55" * 56
        path.write_bytes(data)

    assert damaged(tmp_path, damage, syntax).reason is ReasonCode.DECODE_FAILED


def test_another_instance_under_the_same_name(tmp_path: Path) -> None:
    def damage(path: Path) -> None:
        data = pydicom.dcmread(path)
        data.SOPInstanceUID = data.SOPInstanceUID[:-1] + "7" if data.SOPInstanceUID[-1] != "7" else "1.2.3"
        data.save_as(path)

    assert damaged(tmp_path, damage).reason is ReasonCode.INPUT_CHANGED


def test_modified_file(tmp_path: Path) -> None:
    write_series(tmp_path, SeriesSpec(), body(), affine())
    (rows,) = series(tmp_path)
    os.utime(tmp_path / rows[2]["path"])
    with pytest.raises(ItemError) as caught:
        read_volume(str(tmp_path), rows)
    assert caught.value.reason is ReasonCode.INPUT_CHANGED


def test_unknown_transfer_syntax(tmp_path: Path) -> None:
    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.99"))

    assert damaged(tmp_path, damage, JPEGLSLossless).reason is ReasonCode.TRANSFER_SYNTAX_NOT_SUPPORTED


@pytest.mark.parametrize("value", [0, 3000])
def test_pixels_that_cannot_be_hu(tmp_path: Path, value: int) -> None:
    write_series(tmp_path, SeriesSpec(), np.full((12, 40, 48), value, np.int16), affine())
    (rows,) = series(tmp_path)
    with pytest.raises(ItemError) as caught:
        read_volume(str(tmp_path), rows)
    assert caught.value.reason is ReasonCode.HU_IMPLAUSIBLE
