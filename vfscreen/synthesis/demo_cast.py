"""The cast of the demo archive: who is in it, what was scanned of whom.

Belongs here: patients, studies, series and films, distractors, as data. Does not belong here: what a plan can say
(`demo_plan`), rendering and writing (`demo_archive`).
"""

from __future__ import annotations

from vfscreen.errors import ReasonCode
from vfscreen.schema.names import ContrastPhase, DeformityType
from vfscreen.synthesis.anatomy import FractureSpec
from vfscreen.synthesis.demo_plan import FilmPlan, PatientPlan, SeriesPlan, StudyPlan
from vfscreen.synthesis.dicom_writer import JPEG_2000, JPEG_LS, RLE, UNCOMPRESSED

WEDGE, BICONCAVE, CRUSH = DeformityType.WEDGE, DeformityType.BICONCAVE, DeformityType.CRUSH


def soft_and_sharp(soft: SeriesPlan, **sharp: object) -> tuple[SeriesPlan, SeriesPlan]:
    """A series that is screened and one of a sharp kernel that is not, as scanners send both."""
    values: dict[str, object] = {
        "description": "sharp",
        "matrix": soft.matrix,
        "pixel_mm": soft.pixel_mm,
        "slice_mm": soft.slice_mm,
        "sharp": True,
        "transfer_syntax": JPEG_LS,
        "reason": ReasonCode.NOT_BEST_SERIES,
        **sharp,
    }
    return soft, SeriesPlan(**values)  # type: ignore[arg-type]  # by name


_LOCALIZER = SeriesPlan("localizer", "Topogram", reason=ReasonCode.LOCALIZER)
_DOSE = SeriesPlan("dose_report", "Dose Report", reason=ReasonCode.NOT_AN_IMAGE)

_INITIAL_LESIONS = (
    FractureSpec("T8", WEDGE, 0.32),
    FractureSpec("L1", CRUSH, 0.46),
    FractureSpec("L3", BICONCAVE, 0.225),
)

_NOT_LATERAL = ReasonCode.VIEW_NOT_LATERAL
_L2_L4 = (FractureSpec("L2", CRUSH, 0.50), FractureSpec("L4", BICONCAVE, 0.30))
_T6 = (FractureSpec("T6", WEDGE, 0.235),)
_AP_LUMBAR = FilmPlan("ap", "T12", "S", view_position="AP", body_part="LSPINE", reason=_NOT_LATERAL)


def _films(description: str, *films: FilmPlan, modality: str = "DX", syntax: str = UNCOMPRESSED) -> SeriesPlan:
    """A radiograph series; what none of its films shows is its own reason."""
    reasons = {film.reason for film in films}
    return SeriesPlan(
        "films",
        description,
        transfer_syntax=syntax,
        reason=None if None in reasons else films[0].reason,
        films=films,
        modality=modality,
    )


CAST: tuple[PatientPlan, ...] = (
    PatientPlan(
        "F",
        74,
        (
            StudyPlan(
                0,
                "CT whole spine",
                "C5",
                "S",
                (
                    _LOCALIZER,
                    *soft_and_sharp(
                        SeriesPlan(description="Spine soft 2.0", matrix=(336, 336), pixel_mm=(1.0, 1.0), slice_mm=2.0),
                        slice_mm=3.0,
                    ),
                    SeriesPlan("coronal", "Spine coronal", slice_mm=4.0, reason=ReasonCode.ORIENTATION_NOT_AXIAL),
                    _DOSE,
                ),
                _INITIAL_LESIONS,
            ),
            StudyPlan(
                1,
                "XR thoracic and lumbar spine",
                "T1",
                "S",
                (
                    _films("T spine lateral", FilmPlan("lateral", "T1", "L1", body_part="TSPINE", yaw_deg=2.0)),
                    _films("L spine lateral", FilmPlan("lateral", "T11", "S", pitch_deg=1.0), syntax=JPEG_LS),
                    _films("L spine AP", _AP_LUMBAR),
                ),
                _INITIAL_LESIONS,
            ),
        ),
    ),
    PatientPlan(
        "M",
        66,
        (
            StudyPlan(
                0,
                "CT chest",
                "C7",
                "L1",
                soft_and_sharp(
                    SeriesPlan(description="Chest soft 2.5", transfer_syntax=RLE, suffix=""),
                    description="Lung",
                    slice_mm=2.5,
                ),
                body_part="CHEST",
                contrast=ContrastPhase.PORTAL_VENOUS,
                agent="IOMEPROL 400",
            ),
            StudyPlan(
                1,
                "XR chest lateral",
                "C7",
                "L1",
                (
                    _films(
                        "Chest lateral",
                        FilmPlan(
                            "lateral", "C7", "L1", body_part="CHEST", width_mm=360.0, flipped=True, spacing="detector"
                        ),
                    ),
                ),
                body_part="CHEST",
            ),
            StudyPlan(
                2,
                "CT chest follow-up",
                "C7",
                "L2",
                (
                    _LOCALIZER,
                    *soft_and_sharp(
                        SeriesPlan(description="Chest soft 2.0", transfer_syntax=JPEG_LS, slice_mm=2.0),
                        description="Lung",
                        slice_mm=3.0,
                    ),
                    _DOSE,
                ),
                (FractureSpec("T7", WEDGE, 0.27), FractureSpec("T12", WEDGE, 0.36)),
                body_part="CHEST",
            ),
        ),
        manufacturer="SYNTHETIC GE-LIKE",
        kernels=("STANDARD", "LUNG"),
    ),
    PatientPlan(
        "F",
        81,
        (
            StudyPlan(
                0,
                "CT abdomen and pelvis",
                "T10",
                "S",
                soft_and_sharp(
                    SeriesPlan(
                        description="Abdomen soft 2.5",
                        matrix=(360, 300),
                        pixel_mm=(1.05, 1.05),
                        transfer_syntax=RLE,
                        signed=True,
                        descending=True,
                    ),
                    description="Abdomen bone",
                    slice_mm=2.5,
                ),
                _L2_L4,
                "FFS",
                "ABDOMEN",
                contrast=ContrastPhase.PORTAL_VENOUS,
                kvp_kV=100.0,
            ),
            StudyPlan(
                0,
                "XR lumbar spine lateral",
                "T11",
                "S",
                (
                    _films(
                        "LWS seitlich",
                        FilmPlan(
                            "lateral", "T11", "S", inverse=True, spacing="none", view_position=None, collimated=True
                        ),
                        modality="CR",
                    ),
                ),
                _L2_L4,
                days_later=40,
            ),
        ),
        manufacturer="SYNTHETIC PHILIPS-LIKE",
        kernels=("B", "YC"),
    ),
    PatientPlan(
        "M",
        55,
        (
            StudyPlan(
                0,
                "CT abdomen",
                "T11",
                "L5",
                (
                    SeriesPlan(
                        description="Abdomen soft 3.0",
                        slice_mm=3.0,
                        transfer_syntax=JPEG_2000,
                        reversed_numbers=True,
                    ),
                    SeriesPlan(description="Abdomen thick 7.5", slice_mm=7.5, reason=ReasonCode.SLICES_TOO_THICK),
                    SeriesPlan("screenshot", "Screen save", reason=ReasonCode.DERIVED_IMAGE),
                ),
                body_part="ABDOMEN",
                package="media",
            ),
            StudyPlan(
                1,
                "MR lumbar spine",
                "T11",
                "S",
                (SeriesPlan("mr", "T2 sagittal", reason=ReasonCode.MODALITY_NOT_SUPPORTED),),
            ),
            StudyPlan(
                1,
                "XR hand",
                "T11",
                "S",
                (
                    _films(
                        "Hand PA",
                        FilmPlan("hand", "T11", "S", view_position="PA", body_part="HAND", reason=_NOT_LATERAL),
                    ),
                ),
                body_part="HAND",
                days_later=12,
            ),
        ),
    ),
    PatientPlan(
        "F",
        69,
        (
            StudyPlan(
                0,
                "CT chest",
                "T1",
                "L1",
                (
                    SeriesPlan(description="Chest tilted 2.5", tilt_deg=12.0),
                    SeriesPlan(
                        description="Chest with a gap",
                        slice_mm=2.5,
                        leave_out=(40, 41, 42),
                        reason=ReasonCode.MISSING_SLICES,
                    ),
                ),
                _T6,
                body_part="CHEST",
                header_kvp=False,
            ),
            StudyPlan(
                0,
                "XR spine",
                "T2",
                "S",
                (
                    _films(
                        "Spine",
                        FilmPlan("lateral", "T2", "L1", body_part="TSPINE", spacing="detector", view_position=None),
                        FilmPlan("lateral", "T11", "S", spacing="detector", yaw_deg=-2.0),
                        _AP_LUMBAR,
                        modality="CR",
                    ),
                ),
                _T6,
                days_later=9,
            ),
        ),
        manufacturer="SYNTHETIC TOSHIBA-LIKE",
        kernels=("FC08", "FC52"),
    ),
    PatientPlan(
        "F",
        77,
        (
            StudyPlan(
                0,
                "CT thoracolumbar spine",
                "T6",
                "L4",
                (
                    SeriesPlan(
                        description="Spine 1.25",
                        matrix=(288, 320),
                        pixel_mm=(0.625, 0.625),
                        slice_mm=1.25,
                        transfer_syntax=JPEG_LS,
                    ),
                ),
                (FractureSpec("T11", WEDGE, 0.34), FractureSpec("T12", CRUSH, 0.44)),
                package="zip",
                kvp_kV=100.0,
            ),
        ),
        scoliosis_deg=9.0,
    ),
)
"""Six invented patients; each shows something that an archive holds and a sweep must get right."""
