"""The installed decoders checked against one another: lossless means the same pixels from each (docs/decoding.md)."""

from __future__ import annotations

import warnings
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  # its usual name
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom_builder import SeriesSpec, affine, body, instance, write
from vfscreen.ingest.decoders import SYNTAXES, available_decoders
from vfscreen.ingest.pixels import parse
from vfscreen.ingest.sources import LocalFile

LOSSLESS = (RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)


def by_plugins(path: Path) -> dict[str, np.ndarray]:
    """Stored values by each plug-in of pydicom that takes the file's transfer syntax."""
    data = pydicom.dcmread(path)
    decoder = get_decoder(data.file_meta.TransferSyntaxUID)
    found: dict[str, np.ndarray] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for plugin in decoder.available_plugins:
            try:
                found[plugin], _ = decoder.as_array(data, raw=True, decoding_plugin=plugin)
            except RuntimeError as error:
                if "does not support" not in str(error):  # GDCM and 12-bit JPEG extended
                    raise
    return found


def by_gdcm(path: Path) -> np.ndarray:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    image = reader.GetImage()
    raw = image.GetBuffer().encode("utf-8", "surrogateescape")
    data = pydicom.dcmread(path, stop_before_pixels=True)
    kind = f"<{'i' if data.PixelRepresentation else 'u'}{data.BitsAllocated // 8}"
    return np.frombuffer(raw, kind).reshape(data.Rows, data.Columns)


def by_simpleitk(path: Path) -> np.ndarray:
    """Stored values from ITK's HU (slope 1)."""
    data = pydicom.dcmread(path, stop_before_pixels=True)
    hu = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))[0]
    return hu.astype(np.int64) - int(data.RescaleIntercept)


def by_us(path: Path) -> np.ndarray:
    with LocalFile(str(path)) as source:
        (image,) = parse(source).decoded_frames([0])
        return image


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda s: s.name)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("shape", [(40, 48), (65, 33)], ids=str)
def test_lossless_decoders_agree_with_what_was_written(tmp_path: Path, syntax: UID, signed: bool, shape) -> None:
    hu = body((1, *shape))
    spec = SeriesSpec(transfer_syntax=syntax, signed=signed, bits_stored=16, intercept=-24.0 if signed else -1024.0)
    path = write(spec, instance(spec, hu, affine(), 0), tmp_path / "x")
    expected = spec.stored(hu[0])
    found = by_plugins(path) | {"ours": by_us(path), "gdcm.ImageReader": by_gdcm(path), "ITK": by_simpleitk(path)}
    assert len(found) >= 4
    for name, image in found.items():
        np.testing.assert_array_equal(image, expected, err_msg=name)


def test_every_compressed_syntax_of_the_list_has_a_decoder() -> None:
    found = available_decoders()
    assert len(found) == len(SYNTAXES) and all(found.values())


LOSSY_DIFFERENCE = 2
"""Decoders of lossy streams may round differently by this many stored values."""


def test_decoders_agree_on_real_ct(shared_data: Path) -> None:
    """Of each series the first slice; every lossless one must be pixel-identical in every decoder that takes it."""
    compared: set[str] = set()
    for path in [
        *sorted((shared_data / "dicom" / "chest_ct").iterdir())[:3],
        *sorted((shared_data / "dicom" / "abdomen_ct").iterdir())[:3],
        *sorted((shared_data / "dicom" / "bad").rglob("CT*")),
    ]:
        if not path.is_file():
            continue
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True)
            syntax = data.file_meta.TransferSyntaxUID
        except (pydicom.errors.InvalidDicomError, AttributeError):
            continue
        if not syntax.is_encapsulated or data.get("SamplesPerPixel") != 1 or int(data.get("NumberOfFrames") or 1) > 1:
            continue
        if syntax not in SYNTAXES:
            continue
        images = by_plugins(path)
        ours = by_us(path)
        lossless = syntax in (*LOSSLESS, pydicom.uid.HTJ2KLossless)
        for name, image in images.items():
            difference = np.abs(image.astype(np.int64) - ours.astype(np.int64)).max()
            assert difference <= (0 if lossless else LOSSY_DIFFERENCE), (path.name, name, difference)
        compared.add(syntax.name)
    assert len(compared) >= 5, compared
