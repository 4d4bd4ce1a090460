"""The instances of a radiograph series -> films: attenuation in float, what of it is in view, and its scale.

Belongs here: stored values to attenuation, and one result for each instance, sound or not. Does not belong here: which
instances are films (`film_series`), decoders (`pixels`), pictures without DICOM (`pictures`), what a film shows.

The Modality LUT (a table or a rescale) is applied; the VOI LUT is not: window, sigmoid and table are one reader's
choice of contrast, cut what lies outside and differ between the films of one patient, while the models normalise by
rank. All it is asked is whether it falls (`film_polarity`). Counts of a raw detector (FOR PROCESSING, linear in the
beam) are taken to their negative logarithm, which is what every other film has been through.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from vfscreen.errors import Failed, ItemError, ReasonCode, Rejected, Stage
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.ingest.attributes import attribute, number, numbers, words
from vfscreen.ingest.film_headers import film_spacing, header_anterior_side, header_rotation_deg, header_view
from vfscreen.ingest.film_polarity import header_says_attenuation, looks_like_attenuation, lut_falls
from vfscreen.ingest.film_series import film_problem, films_of
from vfscreen.ingest.film_shutters import plain_edges, shutter_mask
from vfscreen.ingest.pixels import PixelFile
from vfscreen.ingest.proof import proven
from vfscreen.ingest.sources import ByteSource, open_archive
from vfscreen.ingest.stacks import without_copies
from vfscreen.ingest.stored import padded_pixels, without_overlays
from vfscreen.schema.film_columns import FILM_HEADERS
from vfscreen.schema.names import FilmView, PictureSide
from vfscreen.settings_films import FilmSettings

Row = Mapping[str, Any]
Float = NDArray[np.float32]

_COPIED = (
    "Modality",
    "InstanceNumber",
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "BodyPartExamined",
    *(column.name for column in FILM_HEADERS),
)


@dataclass(frozen=True, eq=False)
class FilmImage:
    """One instance of a radiograph series: a film, or why it could not be read.

    header: columns of FILMS that the header gives, by name: what was found, the spacing and whose it is; missing ones
    null. radiograph: None where `error` says why. view, anterior_side, rotation_deg: what the header says of them, None
    where it does not. remark: what a reader should know of how it was read.
    """

    sop_instance_uid: str
    header: dict[str, Any]
    radiograph: Radiograph | None
    error: ItemError | None
    view: FilmView | None = None
    anterior_side: PictureSide | None = None
    rotation_deg: int | None = None
    remark: str | None = None


def read_films(archive: str, file_rows: Sequence[Row], settings: FilmSettings | None = None) -> list[FilmImage]:
    """All of `iter_films` at once."""
    return list(iter_films(archive, file_rows, settings))


def iter_films(archive: str, file_rows: Sequence[Row], settings: FilmSettings | None = None) -> Iterator[FilmImage]:
    """A result for each film of a series, in the order in which vertebrae are counted over them.

    archive: folder or fsspec URL. file_rows: FILES rows of the series in any order; each SOPInstanceUID is read once.
    One film is held at a time. Never raises for what a film holds: Failed and Rejected are in the results, of stage
    read or decode, also for those that the header alone rules out.
    """
    settings = settings or FilmSettings()
    instances, _ = without_copies(file_rows)
    films = films_of(instances)
    problems = [film_problem(film, settings) for film in films]
    wanted = [(film["path"], film["member"]) for film, problem in zip(films, problems, strict=True) if problem is None]
    sources = open_archive(archive).sources(wanted)
    for film, problem in zip(films, problems, strict=True):
        if problem is not None:
            yield unread_film(film, Rejected(Stage.READ, *problem))
            continue
        source = next(sources)
        try:
            if isinstance(source, OSError):
                raise source
            yield _read(source, film)
        except ItemError as error:
            yield unread_film(film, error)
        except OSError as error:
            label = "/".join(filter(None, (film["path"], film["member"])))
            yield unread_film(film, Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, f"{label}: {error}"))


def _read(source: ByteSource, film: Row) -> FilmImage:
    file = proven(source, film, (film["Rows"], film["Columns"]))
    dataset = _dataset(source, file)
    radiograph, remarks = to_radiograph(_stored(file), file, dataset)
    spacing = radiograph.pixel_spacing_mm or (None, None)
    header = _header(film) | {
        "row_spacing_mm": spacing[0],
        "column_spacing_mm": spacing[1],
        "spacing_source": None if radiograph.spacing_source is None else radiograph.spacing_source.value,
        "height_calibrated": radiograph.height_calibrated,
    }
    orientation = header["PatientOrientation"]
    return FilmImage(
        film["SOPInstanceUID"],
        header,
        radiograph,
        None,
        header_view(header["ViewPosition"], orientation, _view_meaning(dataset)),
        header_anterior_side(orientation),
        header_rotation_deg(orientation),
        "; ".join(remarks) or None,
    )


def unread_film(film: Row, error: ItemError) -> FilmImage:
    """A film of which only its FILES row is known, and why."""
    return FilmImage(film["SOPInstanceUID"], _header(film), None, error)


def _header(film: Row) -> dict[str, Any]:
    unknown = dict.fromkeys(("row_spacing_mm", "column_spacing_mm", "spacing_source", "height_calibrated"))
    return {name: film.get(name) for name in _COPIED} | unknown


def _dataset(source: ByteSource, file: PixelFile) -> Dataset:
    """Every element before the pixel data."""
    # where the walk of `pixels` gave up, pydicom has found the pixels, and finds the rest the same way
    end = file.start if file.source is source else source.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(io.BytesIO(source.read(0, end)), stop_before_pixels=True, force=True)
        except OSError:
            raise
        except Exception as error:
            why = f"the header cannot be parsed: {type(error).__name__}: {error}"
            raise Failed(Stage.READ, ReasonCode.INSTANCE_UNREADABLE, why) from error


def _stored(file: PixelFile) -> NDArray[Any]:
    form = file.format
    if file.is_encapsulated:
        stored = next(iter(file.decoded_frames([0])))
    else:
        stored = file.raw_frame(0, np.empty((form.rows, form.columns), dtype=np.int16))
    if stored.shape != (form.rows, form.columns):
        raise Failed(
            Stage.DECODE,
            ReasonCode.DECODE_FAILED,
            f"instance {file.SOPInstanceUID} decodes to {stored.shape}, its header says {form.rows} x {form.columns}",
        )
    return stored


def to_radiograph(stored: NDArray[Any], file: PixelFile, dataset: Dataset) -> tuple[Radiograph, list[str]]:
    """Stored values (rows, columns) -> the film, and remarks on its header.

    Raises Rejected (decode, film_blank) where nothing is in view but one shade; Failed for a look-up table that cannot
    be applied.
    """
    padded = padded_pixels(stored, file.format)
    image, ends, falls = _modality_values(without_overlays(stored, file.format), file, dataset)
    inside = np.ones(image.shape, dtype=np.bool_) if padded is None else ~padded
    shutter, remarks = shutter_mask(dataset, inside.shape)
    for mask in (shutter, plain_edges(image)):
        if mask is not None:
            inside &= mask
    seen = image[inside]
    if not seen.size or seen.min() == seen.max():
        raise Rejected(Stage.DECODE, ReasonCode.FILM_BLANK, f"{seen.size} of {image.size} pixels in view, all alike")
    if _is_raw(dataset):
        np.maximum(image, 0, out=image)
        np.log1p(image, out=image)
        np.subtract(np.float32(np.log1p(max(*ends, 0.0))), image, out=image)
        remarks.append("raw detector counts: negative logarithm taken")
    else:
        attenuation, agrees = header_says_attenuation(dataset, falls)
        if not agrees:
            seen_as = looks_like_attenuation(image, inside)
            told = "larger is more attenuation" if attenuation else "larger is less attenuation"
            if seen_as is None or seen_as == attenuation:
                remarks.append(f"the header contradicts itself on its grey scale; taken as {told}")
            else:
                attenuation = seen_as
                remarks.append("the header contradicts itself on its grey scale; the pixels decided against the first")
        if not attenuation:
            np.subtract(np.float32(sum(ends)), image, out=image)
    image[~inside] = image[inside].min()
    spacing, source = film_spacing(
        numbers(dataset, "PixelSpacing"),
        numbers(dataset, "ImagerPixelSpacing") or numbers(dataset, "NominalScannedPixelSpacing"),
        next(iter(words(dataset, "PixelSpacingCalibrationType")), None),
    )
    return Radiograph(image, inside, spacing, source), remarks


def _modality_values(
    values: NDArray[Any], file: PixelFile, dataset: Dataset
) -> tuple[Float, tuple[float, float], bool]:
    """Values after the Modality LUT (float32, new memory), the ends of its range, and whether it falls."""
    table = attribute(dataset, "ModalityLUTSequence")
    if table:
        try:
            image = np.asarray(apply_modality_lut(values, dataset), dtype=np.float32)
            falls = lut_falls(table[0])
        except Exception as error:  # pydicom meets a table of any kind here
            why = f"the Modality LUT of instance {file.SOPInstanceUID} cannot be applied: {error}"
            raise Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, why) from error
        return image, (float(image.min()), float(image.max())), falls
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    image = np.multiply(values, slope, dtype=np.float32)
    image += np.float32(intercept)
    form = file.format
    low = -(1 << (form.bits_stored - 1)) if form.signed else 0
    high = low + (1 << form.bits_stored) - 1
    return image, (slope * low + intercept, slope * high + intercept), slope < 0


def _is_raw(dataset: Dataset) -> bool:
    return (
        words(dataset, "PresentationIntentType") == ["FOR PROCESSING"]
        and words(dataset, "PixelIntensityRelationship") == ["LIN"]
        and number(dataset, "PixelIntensityRelationshipSign") == 1
    )


def _view_meaning(dataset: Dataset) -> str | None:
    sequence = attribute(dataset, "ViewCodeSequence")
    meaning = attribute(sequence[0], "CodeMeaning") if sequence else None
    return None if meaning is None else str(meaning)
