"""Write a radiograph as a CR or DX instance.

Belongs here: DICOM attributes of films. Does not belong here: CT and MR (`dicom_writer`), pixels (`demo_films`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation

from vfscreen.synthesis.dicom_writer import SeriesHeader, decimal, new_dataset, save_dataset, set_grey_pixels

_BITS = 12


@dataclass(frozen=True)
class FilmHeader:
    """What the header of one film says. Nulls are left out.

    detector_mm: pixels of the detector. patient_mm: the same, corrected to the patient. orientation: what
    PatientOrientation says, along a row and down a column. source_detector_mm, source_patient_mm: distances.
    """

    number: int
    body_part: str
    view_position: str | None
    orientation: tuple[str, str] | None
    inverse: bool = False
    detector_mm: float | None = None
    patient_mm: float | None = None
    source_detector_mm: float | None = None
    source_patient_mm: float | None = None


def write_film(path: Path, header: SeriesHeader, film: FilmHeader, stored: NDArray[np.uint16]) -> str:
    """One file; returns its SOPInstanceUID. stored: (rows, columns) of 12 bits, as the photometric interpretation of
    `film` has them."""
    storage = DigitalXRayImageStorageForPresentation if header.modality == "DX" else ComputedRadiographyImageStorage
    ds = new_dataset(header, storage, film.number)
    ds.StationName = "SYNXR01"
    ds.ImageType = ["DERIVED" if header.modality == "DX" else "ORIGINAL", "PRIMARY"]
    ds.AcquisitionDate = ds.ContentDate = header.study.date
    ds.AcquisitionTime = ds.ContentTime = f"1202{film.number:02d}"
    ds.BodyPartExamined = film.body_part
    ds.KVP = "75"
    ds.BurnedInAnnotation = "NO"
    if film.view_position is not None:
        ds.ViewPosition = film.view_position
    if film.orientation is not None:
        ds.PatientOrientation = list(film.orientation)
    if film.detector_mm is not None:
        ds.ImagerPixelSpacing = [decimal(film.detector_mm)] * 2
    if film.patient_mm is not None:
        ds.PixelSpacing = [decimal(film.patient_mm)] * 2
        ds.PixelSpacingCalibrationType = "GEOMETRY"
    if film.source_detector_mm is not None and film.source_patient_mm is not None:
        ds.DistanceSourceToDetector = decimal(film.source_detector_mm)
        ds.DistanceSourceToPatient = decimal(film.source_patient_mm)
        ds.EstimatedRadiographicMagnificationFactor = decimal(film.source_detector_mm / film.source_patient_mm)
    if header.modality == "DX":
        ds.PresentationIntentType = "FOR PRESENTATION"
        ds.PresentationLUTShape = "INVERSE" if film.inverse else "IDENTITY"
        ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1 if film.inverse else 1
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    set_grey_pixels(ds, stored, _BITS, signed=False)
    ds.PhotometricInterpretation = "MONOCHROME1" if film.inverse else "MONOCHROME2"
    ds.WindowCenter, ds.WindowWidth = 2 ** (_BITS - 1), 2**_BITS
    save_dataset(ds, path, header.transfer_syntax)
    return str(ds.SOPInstanceUID)
