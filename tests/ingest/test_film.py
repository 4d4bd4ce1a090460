"""Stored values of a film become attenuation, whatever way round, by whichever look-up table and transfer syntax."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.dicom_builder import SeriesSpec, write_film
from tests.ingest.helpers import scan
from vfscreen.errors import State
from vfscreen.ingest.film import FilmImage, iter_films, read_films
from vfscreen.schema.names import FilmView, PictureSide, SpacingSource
from vfscreen.schema.tables import FILMS
from vfscreen.settings_films import FilmSettings

SMALL = FilmSettings(side_min_px=16)
RNG = np.random.default_rng(5)
GREY = RNG.integers(200, 3500, (40, 56)).astype(np.uint16)
FULL = 4095


def read(folder: Path, stored: np.ndarray = GREY, spec: SeriesSpec | None = None, **header: Any) -> FilmImage:
    """The only film of a folder that holds `stored`."""
    write_film(folder / "film", stored, spec, **header)
    (image,) = read_films(str(folder), scan(folder), SMALL)
    keys = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint"), "x")
    FILMS.to_arrow([{**image.header, **keys, "SOPInstanceUID": image.sop_instance_uid, "state": "screened",
                     **dict.fromkeys(("model_release", "run_id", "shard_id"), "x")}])  # fmt: skip
    return image


def values(image: FilmImage) -> np.ndarray:
    assert image.error is None, image.error
    assert image.radiograph is not None and np.isfinite(image.radiograph.image).all()
    return image.radiograph.image


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda uid: uid.name,
)
def test_every_transfer_syntax_gives_the_same_film(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    image = read(tmp_path, spec=SeriesSpec(transfer_syntax=syntax), PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(values(image), FULL - GREY.astype(np.float32))
    assert image.radiograph is not None and image.radiograph.inside.all()


@pytest.mark.parametrize(("allocated", "stored", "kind"), [(8, 8, np.uint8), (16, 10, np.uint16), (32, 20, np.uint32)])
def test_every_depth(tmp_path: Path, allocated: int, stored: int, kind: Any) -> None:
    pixels = (GREY % 256).astype(kind) if allocated == 8 else (GREY.astype(kind) % (1 << stored))
    spec = SeriesSpec(bits_allocated=allocated, bits_stored=stored)
    assert np.array_equal(values(read(tmp_path, pixels, spec)), pixels.astype(np.float32))


def test_signed_pixels(tmp_path: Path) -> None:
    pixels = GREY.astype(np.int16) - 1800
    spec = SeriesSpec(signed=True)
    assert np.array_equal(values(read(tmp_path / "a", pixels, spec)), pixels.astype(np.float32))
    inverted = values(read(tmp_path / "b", -1 - pixels, spec, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted, pixels.astype(np.float32))


BOTH = [
    ({}, True),
    ({"PhotometricInterpretation": "MONOCHROME1"}, False),
    ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, False),
    ({"PresentationLUTShape": "IDENTITY"}, True),
    ({"PixelIntensityRelationshipSign": -1, "PixelIntensityRelationship": "LOG"}, True),
    ({"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": 1}, False),
    ({"RescaleSlope": "-1", "RescaleIntercept": "4095", "PhotometricInterpretation": "MONOCHROME2"}, False),
    ({"RescaleSlope": "-1", "RescaleIntercept": "4095", "PixelIntensityRelationshipSign": 1}, False),
    ({"RescaleSlope": "-1", "RescaleIntercept": "4095", "PhotometricInterpretation": "MONOCHROME1",
      "PixelIntensityRelationshipSign": -1}, True),
]  # fmt: skip


@pytest.mark.parametrize(("header", "as_stored"), BOTH)
def test_larger_is_more_attenuation(tmp_path: Path, header: dict[str, Any], as_stored: bool) -> None:
    """Bone is bright on the display, and the sign speaks of the beam: however it is said, one film comes out."""
    image = read(tmp_path, **header)
    assert np.array_equal(values(image), GREY if as_stored else FULL - GREY.astype(np.float32))
    assert image.remark is None


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 999),
    inverted=st.booleans(),
    slope=st.sampled_from([0.25, 1.0, 2.0]),
    intercept=st.integers(-2000, 2000),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless]),
)
def test_a_film_and_its_inverse_are_one(tmp_path_factory, seed, inverted, slope, intercept, syntax) -> None:
    stored = np.random.default_rng(seed).integers(0, FULL + 1, (17, 20)).astype(np.uint16)
    pixels = FULL - stored if inverted else stored
    header = {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept)}
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    spec = SeriesSpec(transfer_syntax=syntax)
    image = read(tmp_path_factory.mktemp("f"), pixels, spec, PhotometricInterpretation=photometric, **header)
    assert np.allclose(values(image), stored * slope + intercept, rtol=0, atol=1e-3)


def lut(data: np.ndarray, first: int = 0) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(data), first, 16])
    item.add_new("LUTData", "US", [int(v) for v in data])
    item.ModalityLUTType = "US"
    return item


def test_the_modality_lut_is_applied(tmp_path: Path) -> None:
    table = (np.sqrt(np.arange(4096)) * 500).astype(np.uint16)
    image = read(tmp_path / "a", ModalityLUTSequence=[lut(table)])
    assert np.array_equal(values(image), table[GREY].astype(np.float32))
    shifted = read(tmp_path / "b", ModalityLUTSequence=[lut(table[1000:2000], 1000)])
    assert np.array_equal(values(shifted), table[GREY.clip(1000, 1999)].astype(np.float32))


def test_a_falling_modality_lut_turns_the_sign_round(tmp_path: Path) -> None:
    """Stored values grow with the beam, the table makes attenuation of them: bright bone, nothing to invert."""
    table = np.arange(4095, -1, -1).astype(np.uint16)
    image = read(tmp_path, ModalityLUTSequence=[lut(table)], PixelIntensityRelationshipSign=1)
    assert np.array_equal(values(image), FULL - GREY.astype(np.float32)) and image.remark is None


def test_a_broken_modality_lut_fails_the_film(tmp_path: Path) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [3, 0, 16])
    image = read(tmp_path, ModalityLUTSequence=[item])
    assert image.error is not None and (image.error.state, image.error.reason) == (State.FAILED, "decode_failed")


def test_the_voi_lut_is_not_applied_but_a_falling_one_is_heeded(tmp_path: Path) -> None:
    plain = read(tmp_path / "a", WindowCenter="100", WindowWidth="10", VOILUTFunction="SIGMOID")
    assert np.array_equal(values(plain), GREY)
    rising = read(tmp_path / "b", VOILUTSequence=[lut(np.arange(4096))])
    assert np.array_equal(values(rising), GREY)
    falling = read(tmp_path / "c", VOILUTSequence=[lut(np.arange(4095, -1, -1))])
    assert np.array_equal(values(falling), FULL - GREY.astype(np.float32))


def lateral(bright_bone: bool) -> np.ndarray:
    """A body with thin bright cortex between dark air, 12 bits."""
    rows, columns = np.mgrid[:320, :256]
    inside = np.abs(columns - 128) < 90
    body = np.where(inside, 1800 + 400 * np.sin(rows / 40), 60)
    cortex = inside & (rows % 40 < 2) & (np.abs(columns - 128) < 30)
    picture = body + 1500 * cortex + np.random.default_rng(2).normal(0, 15, body.shape) * np.where(inside, 4, 1)
    picture = picture.clip(0, FULL).astype(np.uint16)
    return picture if bright_bone else FULL - picture


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize(
    "header",
    [
        {"PhotometricInterpretation": "MONOCHROME2", "PixelIntensityRelationshipSign": 1},
        {"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": -1},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        {"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_a_header_that_contradicts_itself_is_settled_by_the_pixels(
    tmp_path: Path, header: dict[str, Any], bright: bool
) -> None:
    image = read(tmp_path, lateral(bright), **header)
    assert np.array_equal(values(image), lateral(True).astype(np.float32))
    assert image.remark is not None and "contradicts itself" in image.remark


def test_raw_counts_become_attenuation(tmp_path: Path) -> None:
    """Beer-Lambert: counts fall exponentially with what is in the way; after the logarithm they are linear in it."""
    thickness = np.linspace(0, 3, 40 * 56).reshape(40, 56)
    counts = np.rint(4000 * np.exp(-thickness)).astype(np.uint16)
    image = read(
        tmp_path,
        counts,
        PresentationIntentType="FOR PROCESSING",
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
        PhotometricInterpretation="MONOCHROME1",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1.1",
    )
    found = values(image)
    assert np.allclose(found - found[0, 0], thickness, atol=0.01)
    assert "logarithm" in str(image.remark)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_not_inside(tmp_path: Path, photometric: str) -> None:
    pixels = GREY.copy()
    pixels[10:20, 5:9] = 4000
    pixels[30, 30] = 4050
    image = read(tmp_path, pixels, PixelPaddingValue=4000, PixelPaddingRangeLimit=FULL,
                 PhotometricInterpretation=photometric)  # fmt: skip
    assert image.radiograph is not None
    hidden = ~image.radiograph.inside
    assert hidden.sum() == 41 and hidden[30, 30] and hidden[10:20, 5:9].all()
    assert set(values(image)[hidden]) == {values(image)[~hidden].min()}


def test_shutters_hide(tmp_path: Path) -> None:
    image = read(tmp_path, ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge="11", ShutterRightVerticalEdge="30",
                 ShutterUpperHorizontalEdge="5", ShutterLowerHorizontalEdge="40")  # fmt: skip
    assert image.radiograph is not None
    expected = np.zeros(GREY.shape, bool)
    expected[4:40, 10:30] = True
    assert np.array_equal(image.radiograph.inside, expected)


def test_a_blank_film_is_rejected(tmp_path: Path) -> None:
    image = read(tmp_path, np.full((40, 56), 7, np.uint16))
    assert image.radiograph is None and image.error is not None
    assert (image.error.state, image.error.stage, image.error.reason) == ("rejected", "decode", "film_blank")


def test_spacing_and_whose_it_is(tmp_path: Path) -> None:
    both = read(tmp_path / "a", PixelSpacing=["0.12", "0.13"], ImagerPixelSpacing=["0.15", "0.16"])
    assert both.radiograph is not None and both.radiograph.pixel_spacing_mm == (0.12, 0.13)
    assert both.header["height_calibrated"] and both.header["spacing_source"] == SpacingSource.CALIBRATED
    assert (both.header["row_spacing_mm"], both.header["column_spacing_mm"]) == (0.12, 0.13)
    scanned = read(tmp_path / "b", NominalScannedPixelSpacing=["0.2", "0.2"])
    assert scanned.radiograph is not None and scanned.radiograph.spacing_source is SpacingSource.DETECTOR
    assert scanned.header["height_calibrated"] is False
    none = read(tmp_path / "c")
    assert none.header["row_spacing_mm"] is None and none.header["height_calibrated"] is False


def test_headers_are_copied_and_understood(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeMeaning = "left lateral"
    image = read(tmp_path, PatientOrientation=["P", "F"], ViewCodeSequence=[code], BodyPartExamined="TSPINE",
                 ImageLaterality="U", BurnedInAnnotation="YES")  # fmt: skip
    assert image.view is FilmView.LATERAL and image.anterior_side is PictureSide.LEFT and image.rotation_deg == 0
    expected = {
        "PatientOrientation": "P\\F", "BodyPartExamined": "TSPINE", "ImageLaterality": "U", "ViewPosition": None,
        "BurnedInAnnotation": "YES", "Modality": "DX", "InstanceNumber": 1, "Rows": 40, "Columns": 56,
        "PresentationIntentType": "FOR PRESENTATION",
    }  # fmt: skip
    assert {k: image.header[k] for k in expected} == expected


def test_every_film_of_a_series_has_a_result_in_order(tmp_path: Path) -> None:
    spec = SeriesSpec()
    write_film(tmp_path / "c", GREY, spec, 0)
    write_film(tmp_path / "b", GREY[:10], spec, 1)  # too small
    gone = write_film(tmp_path / "a", GREY, spec, 2)
    cut = write_film(tmp_path / "d", GREY, spec, 3)
    changed = write_film(tmp_path / "e", GREY, spec, 4)
    write_film(tmp_path / "copy", GREY, spec, 0)
    rows = scan(tmp_path)
    gone.unlink()
    changed.write_bytes(changed.read_bytes() + b"x")
    data = cut.read_bytes()[:-2000]
    cut.write_bytes(data)
    rows = [r if r["path"] != "d" else {**r, "size_bytes": len(data), "modified": str(cut.stat().st_mtime_ns)}
            for r in rows]  # fmt: skip
    images = list(iter_films(str(tmp_path), rows[::-1], SMALL))
    assert [i.header["InstanceNumber"] for i in images] == [1, 2, 3, 4, 5]
    reasons = [i.error and i.error.reason.value for i in images]
    assert reasons == [None, "film_too_small", "instance_unreadable", "pixel_data_truncated", "input_changed"]
    assert all(i.error is None or i.error.stage in ("read", "decode") for i in images)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless, JPEGLosslessSV1])
def test_damaged_streams_end_as_results(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    path = write_film(tmp_path / "film", GREY, SeriesSpec(transfer_syntax=syntax))
    data = bytearray(path.read_bytes())
    data[-400:-300] = bytes(100)
    path.write_bytes(bytes(data))
    (image,) = read_films(str(tmp_path), scan(tmp_path), SMALL)
    assert (image.radiograph is None) == (image.error is not None)


@pytest.mark.parametrize(
    "header",
    [
        {"RescaleSlope": "0"},
        {"ShutterShape": "RECTANGULAR"},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": ["1"], "RadiusOfCircularShutter": "5"},
        {"ShutterShape": "BITMAP"},
        {"CollimatorShape": "POLYGONAL", "VerticesOfThePolygonalCollimator": ["1", "2", "3"]},
        {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": "50", "ShutterRightVerticalEdge": "10",
         "ShutterUpperHorizontalEdge": "1", "ShutterLowerHorizontalEdge": "40"},
        {"PixelSpacing": ["0", "0"]},
    ],
)  # fmt: skip
def test_senseless_attributes_do_not_spoil_the_film(tmp_path: Path, header: dict[str, Any]) -> None:
    image = read(tmp_path, **header)
    assert np.array_equal(values(image), GREY) and image.radiograph is not None and image.radiograph.inside.all()
    assert ("is not applied" in str(image.remark)) == any("Shape" in name for name in header)


def test_a_real_film_of_another_program_is_read(shared_data: Path) -> None:
    """MONOCHROME1, 8 bits, 169 x 211."""
    folder = shared_data / "dicom" / "bad" / "ImagingDataCommons+highdicom" / "data" / "test_files"
    rows = [r for r in scan(folder) if r["path"] == "dx_image.dcm"]
    (image,) = read_films(str(folder), rows, SMALL)
    pixels = pydicom.dcmread(folder / "dx_image.dcm").pixel_array
    seen = image.radiograph.inside if image.radiograph is not None else np.zeros((0, 0), bool)
    assert seen.mean() > 0.5
    assert np.array_equal(values(image)[seen], 255 - pixels.astype(np.float32)[seen])


def test_files_without_preamble(tmp_path: Path) -> None:
    spec = replace(SeriesSpec(), preamble=False)
    assert np.array_equal(values(read(tmp_path, spec=spec)), GREY)
