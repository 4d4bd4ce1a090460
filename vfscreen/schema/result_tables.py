"""Tables of the results: what screening says of series, films and vertebrae.

Belongs here: SERIES, FILMS and VERTEBRAE. Does not belong here: what the headers say (`index_tables`), columns of films
alone (`film_columns`).
"""

from __future__ import annotations

import pyarrow as pa

from vfscreen.schema.columns import Column, Table
from vfscreen.schema.film_columns import FILM_COLUMNS, VERTEBRA_PX_COLUMNS
from vfscreen.schema.names import (
    KEYPOINTS,
    LEVELS,
    SCREENED_MODALITIES,
    CalibrationKind,
    ContrastPhase,
    DeformityType,
    DensityCategory,
    DensityReason,
    FocalLesion,
)
from vfscreen.schema.shared_columns import (
    BOOL,
    ENDS,
    F4,
    F8,
    FILM_COUNT,
    FINGERPRINT,
    HEADER_COLUMNS,
    I4,
    MESSAGE,
    PATIENT,
    REASON,
    REASONS,
    RELEASE,
    RUN,
    SERIES_UID,
    SHARD,
    STAGE,
    STR,
    STUDY_UID,
    VEC3,
)

SERIES = Table(
    "series",
    "a series that reached its end: screened, rejected or failed, by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release"),
    (
        SERIES_UID,
        STUDY_UID,
        PATIENT,
        FINGERPRINT,
        RELEASE,
        RUN,
        SHARD,
        Column(
            "state",
            STR,
            "Where the series ended.",
            nullable=False,
            values=ENDS,
        ),
        STAGE,
        REASON,
        MESSAGE,
        *HEADER_COLUMNS,
        Column("slice_count", I4, "Slices of the volume.", minimum=0),
        FILM_COUNT,
        Column("lateral_film_count", I4, "Of its films those seen as lateral; null on CT.", minimum=0),
        Column("slice_spacing_mm", F8, "Distance between slices.", minimum=0),
        Column("row_spacing_mm", F8, "Distance between rows.", minimum=0),
        Column("column_spacing_mm", F8, "Distance between columns.", minimum=0),
        Column("centreline_length_mm", F8, "Length of the spine centreline that was located.", minimum=0),
        Column("vertebra_count", I4, "Vertebrae found, truncated ones included.", minimum=0),
        Column("graded_vertebra_count", I4, "Vertebrae measured and graded.", minimum=0),
        Column("level_certain", BOOL, "Whether something in view fixes the numbering of the levels."),
        Column("max_genant_grade", I4, "Highest adjusted grade; null where none was graded.", minimum=0, maximum=3),
        Column(
            "sdi",
            I4,
            "Spinal deformity index over T4-L4; null where none of them was assessed.",
            minimum=0,
            maximum=39,
        ),
        Column("sdi_levels_assessed", pa.list_(STR), "Levels that went into the SDI."),
        Column("patient_fracture_probability", F8, "P(at least one vertebra of grade >= 1).", minimum=0, maximum=1),
        Column("patient_grade2_probability", F8, "P(at least one vertebra of grade >= 2).", minimum=0, maximum=1),
        Column(
            "contrast_phase",
            STR,
            "Intravenous contrast as the pixels show it; null where no vessel or kidney was seen.",
            values=tuple(p.value for p in ContrastPhase),
        ),
        Column("contrast_phase_probability", F8, "Probability of that phase.", minimum=0, maximum=1),
        Column(
            "contrast_header_disagrees",
            BOOL,
            "Whether ContrastBolusAgent says otherwise than the pixels (an agent without enhancement, enhancement "
            "without an agent); null where the pixels cannot tell.",
        ),
        Column(
            "density_reference_hu",
            F8,
            "Raw trabecular attenuation of L1, else the mean of the declared fall-back levels; null where none is "
            "soundly measured.",
        ),
        Column(
            "density_reference_hu_corrected",
            F8,
            "The same, corrected; null where a correction that is needed is unknown.",
        ),
        Column("density_reference_levels", pa.list_(STR), "['L1'], or the fall-back levels; empty where none."),
        Column(
            "density_category",
            STR,
            "Corrected reference against the site's thresholds; null without one. Cannot rule out low BMD.",
            values=tuple(c.value for c in DensityCategory),
        ),
        Column("calibration_kind", STR, "How HU became mg/cm3.", values=tuple(k.value for k in CalibrationKind)),
        Column("overlay_path", STR, "Overlay picture inside the lake; null where none was drawn."),
        Column("seconds_read", F8, "Reading and decoding time.", minimum=0),
        Column("seconds_inference", F8, "Time in the screening chain.", minimum=0),
    ),
)

FILMS = Table(
    "films",
    "an image of a radiograph series that reached its end, by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release", "SOPInstanceUID"),
    (
        Column("SOPInstanceUID", STR, "DICOM (0008,0018).", nullable=False),
        SERIES_UID,
        STUDY_UID,
        PATIENT,
        FINGERPRINT,
        RELEASE,
        RUN,
        SHARD,
        Column("state", STR, "Where the film ended.", nullable=False, values=ENDS),
        STAGE,
        REASON,
        MESSAGE,
        *FILM_COLUMNS,
    ),
)

VERTEBRAE = Table(
    "vertebrae",
    "a vertebra found on a series by one model release",
    ("StudyInstanceUID", "SeriesInstanceUID", "content_fingerprint", "model_release", "vertebra_index"),
    (
        SERIES_UID,
        STUDY_UID,
        PATIENT,
        FINGERPRINT,
        RELEASE,
        RUN,
        SHARD,
        Column(
            "vertebra_index",
            I4,
            "Position in the column, 0 at the top; runs on over the films of a series.",
            False,
            minimum=0,
        ),
        Column("modality", STR, "Modality of its series.", False, values=SCREENED_MODALITIES),
        Column(
            "height_calibrated",
            BOOL,
            "Whether heights are known in mm; on a film without calibrated spacing they are not, ratios are.",
            False,
        ),
        Column("vertebra_level", STR, "Anatomical level; null where the labelling could not decide.", values=LEVELS),
        Column("level_probability", F8, "Probability of that level given the whole column.", minimum=0, maximum=1),
        Column("level_certain", BOOL, "Whether something in view fixes the numbering.", False),
        Column("truncated", BOOL, "Cut by the edge of the volume or film: not measured, not graded.", False),
        Column("detection_probability", F8, "Confidence that this is a vertebra.", minimum=0, maximum=1),
        Column("reason_code", STR, "Why heights and grades are null; null where they are not.", values=REASONS),
        Column("centre_lps_mm", VEC3, "Centre of the body, LPS mm; null on films."),
        *(Column(f"{n}_lps_mm", VEC3, f"Key point {n.replace('_', ' ')}, LPS mm; null on films.") for n in KEYPOINTS),
        *(
            Column(f"{n}_sd_mm", F8, f"Standard deviation of key point {n.replace('_', ' ')}.", minimum=0)
            for n in KEYPOINTS
        ),
        *(
            column
            for part in ("anterior", "middle", "posterior")
            for column in (
                Column(
                    f"{part}_height_mm", F8, f"{part.capitalize()} body height, a 3D distance.", minimum=0, maximum=100
                ),
                Column(f"{part}_height_sd_mm", F8, f"Standard deviation of the {part} height.", minimum=0),
            )
        ),
        *VERTEBRA_PX_COLUMNS,
        Column("height_loss_ratio_raw", F8, "1 - min/max of the three heights (Zakharov 2023).", minimum=0, maximum=1),
        Column(
            "height_loss_ratio_adjusted", F8, "Loss against the heights expected at that level.", minimum=0, maximum=1
        ),
        Column("genant_grade_raw", I4, "Grade of the raw loss.", minimum=0, maximum=3),
        Column("genant_grade", I4, "Headline grade: of the adjusted loss.", minimum=0, maximum=3),
        Column("deformity_type", STR, "Genant's shape.", values=tuple(d.value for d in DeformityType)),
        Column("fracture_probability", F8, "P(grade >= 1).", minimum=0, maximum=1),
        Column("grade2_probability", F8, "P(grade >= 2).", minimum=0, maximum=1),
        Column("grade3_probability", F8, "P(grade >= 3).", minimum=0, maximum=1),
        Column("fracture_score", F4, "The network's own fracture score, uncalibrated.", minimum=0, maximum=1),
        Column("trabecular_hu_mean", F8, "Mean HU of the trabecular region, raw, as measured."),
        Column("trabecular_hu_median", F8, "Median HU of the region."),
        Column("trabecular_hu_sd", F8, "Standard deviation of the region's voxels, HU: texture and noise.", minimum=0),
        Column("trabecular_volume_mm3", F8, "Volume of the region.", minimum=0),
        Column(
            "density_valid",
            BOOL,
            "Whether the value may be relied on: no reason against it. Null where no region was measured.",
        ),
        Column(
            "density_reasons",
            pa.list_(STR),
            "Why not; empty where nothing speaks against it.",
            values=tuple(r.value for r in DensityReason),
        ),
        Column("kvp_correction_hu", F8, "What to add for the tube voltage; null where unknown."),
        Column("contrast_correction_hu", F8, "What to add for intravenous contrast; null where unknown."),
        Column("kernel_correction_hu", F8, "What to add for the kernel; null where unknown."),
        Column(
            "trabecular_hu_corrected",
            F8,
            "Mean with the corrections added; null where one that is needed is unknown.",
        ),
        Column("bmd_mg_cm3", F8, "Calibrated density of the region; null without calibration."),
        Column("bmd_sd_mg_cm3", F8, "Its standard deviation, from calibration and sampling.", minimum=0),
        Column(
            "focal_lesion_flag",
            STR,
            "Stands out from the patient's own vertebrae: for review, not a diagnosis. Null where not assessed.",
            values=tuple(f.value for f in FocalLesion),
        ),
    ),
)
