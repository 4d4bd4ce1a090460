"""Settings of the density measurement, with the sources of their defaults: `screening.density` of the settings.

Belongs here: names, types, limits, defaults. Does not belong here: what a setting does (density).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, field_validator, model_validator

from vfscreen.schema.names import LEVELS
from vfscreen.settings_section import Section


def _known_level(level: str) -> str:
    if level not in LEVELS:
        raise ValueError(f"{level!r} is no vertebra level")
    return level


VertebraLevel = Annotated[str, AfterValidator(_known_level)]


class RegionSettings(Section):
    """The region of spongy bone inside a vertebral body, placed from its six key points."""

    depth_share: float = Field(
        0.62,
        ge=0.5,
        le=0.67,
        description="The region ends at this share of the body's depth, from its front: the front half to two thirds "
        "hold no basivertebral vein (oval of Pickhardt et al., Ann Intern Med 2013).",
    )
    half_width_share: float = Field(
        0.36, gt=0, le=0.5, description="Half width of the region as a share of the depth; bodies are wider than deep."
    )
    cortex_margin_mm: float = Field(3.0, ge=1, description="From the anterior wall, besides half a voxel.")
    endplate_margin_mm: float = Field(3.5, ge=1, description="From both endplates, besides half a voxel.")
    volume_min_mm3: float = Field(300.0, gt=0, description="A smaller region is too_small.")
    voxel_count_min: int = Field(60, ge=10, description="Fewer voxels are too_small.")
    slice_thickness_max_mm: float = Field(5.0, gt=0, description="Thicker slices, or wider spacing: thick_slices.")
    fractured_grade_min: int = Field(1, ge=1, le=3, description="Vertebrae from this headline grade on: fractured.")
    metal_hu: float = Field(
        1500.0,
        gt=800,
        description="Twenty voxels of the interior above this: metal or cement.",
    )
    skew_max_hu: float = Field(
        25.0, gt=0, description="A mean farther above the median holds dense bone (bridging osteophytes): sclerotic."
    )
    plausible_hu: tuple[float, float] = Field(
        (-60.0, 500.0), description="A region whose mean lies outside is not_bone (gas, fluid, beside the body)."
    )


class KvpMean(Section):
    """Mean L1 attenuation at a tube voltage, in one population."""

    kvp_kV: float = Field(gt=0)
    mean_hu: float


class PhaseAddition(Section):
    """How much a contrast phase adds to spongy bone."""

    phase: Literal["arterial", "portal_venous", "delayed"]
    added_hu: float


class KernelAddition(Section):
    """What to add for kernels whose name matches a shell pattern ('B7*'), values of several joined by a backslash."""

    pattern: str
    add_hu: float


class CorrectionSettings(Section):
    """What is added to the raw value to give the corrected one; the raw value always stays beside it."""

    kvp_reference_kV: float = Field(120.0, gt=0, description="Voltage that values are corrected to.")
    kvp_means: tuple[KvpMean, ...] = Field(
        (
            KvpMean(kvp_kV=100.0, mean_hu=148.0),
            KvpMean(kvp_kV=120.0, mean_hu=141.0),
            KvpMean(kvp_kV=140.0, mean_hu=131.0),
        ),
        min_length=2,
        description="Mean L1 HU by tube voltage in 16,747 scans; linear between, unknown beyond.",
    )
    contrast_added: tuple[PhaseAddition, ...] = Field(
        (
            PhaseAddition(phase="arterial", added_hu=20.0),
            PhaseAddition(phase="portal_venous", added_hu=15.0),
        ),
        description="HU that intravenous contrast adds, to be taken off. Pompe et al. (Eur Radiol 2015) measured +13.5 "
        "and +18.2 in 99 patients: set what your protocols give. A phase that is not listed leaves no corrected value.",
    )
    kernels: tuple[KernelAddition, ...] = Field(
        (), description="First match counts. None by default: no table holds for every scanner."
    )
    kernel_required: bool = Field(
        False, description="Whether a kernel without a match leaves no corrected value (kernel_unknown)."
    )

    @field_validator("kvp_means")
    @classmethod
    def _ascending(cls, means: tuple[KvpMean, ...]) -> tuple[KvpMean, ...]:
        voltages = [m.kvp_kV for m in means]
        if voltages != sorted(set(voltages)):
            raise ValueError("voltages must ascend, each once")
        return means

    @model_validator(mode="after")
    def _reference_within(self) -> CorrectionSettings:
        if not self.kvp_means[0].kvp_kV <= self.kvp_reference_kV <= self.kvp_means[-1].kvp_kV:
            raise ValueError("kvp_reference_kV must lie within kvp_means")
        return self


class PhaseTissue(Section):
    """Attenuation of blood in the aorta and of the brightest tissue where kidneys lie, in one phase (mean, sd; HU)."""

    phase: Literal["non_contrast", "arterial", "portal_venous", "delayed"]
    aorta_hu: tuple[float, PositiveFloat]
    kidney_hu: tuple[float, PositiveFloat]


class ContrastSettings(Section):
    """Phase from the pixels: the phase under which aorta and kidneys, as measured, are most likely."""

    phases: tuple[PhaseTissue, ...] = Field(
        (
            PhaseTissue(phase="non_contrast", aorta_hu=(48.0, 11.0), kidney_hu=(52.0, 14.0)),
            PhaseTissue(phase="arterial", aorta_hu=(290.0, 60.0), kidney_hu=(165.0, 45.0)),
            PhaseTissue(phase="portal_venous", aorta_hu=(155.0, 32.0), kidney_hu=(175.0, 35.0)),
            PhaseTissue(phase="delayed", aorta_hu=(98.0, 14.0), kidney_hu=(140.0, 30.0)),
        ),
        min_length=2,
        description="Our values for routine protocols (enhancement as reviewed by Bae, Radiology 2010;256:32; "
        "not copied from a table), wide enough for 100-140 kV. Where kidneys lie unenhanced muscle and liver are "
        "the brightest.",
    )
    probability_min: float = Field(
        0.8, gt=0, lt=1, description="Below this the phase is reported but corrects nothing: contrast_unknown."
    )


class TissueReference(Section):
    """Density that a tissue looks like (mean, sd; mg/cm3 of hydroxyapatite)."""

    tissue: Literal["air", "fat", "muscle", "blood"]
    density_mg_cm3: tuple[float, PositiveFloat]


class ScannerCurve(Section):
    """A calibration of one scanner: density = slope * HU + intercept. Empty names match every scanner."""

    manufacturer: str = ""
    model: str = ""
    kvp_kV: float = Field(gt=0)
    slope_mg_cm3_per_hu: PositiveFloat
    intercept_mg_cm3: float
    sd_mg_cm3: PositiveFloat


class CalibrationSettings(Section):
    """From HU to mg/cm3."""

    internal: bool = Field(True, description="Calibrate on the patient's own tissues where no scanner curve matches.")
    tissues: tuple[TissueReference, ...] = Field(
        (
            TissueReference(tissue="air", density_mg_cm3=(-840.0, 20.0)),
            TissueReference(tissue="fat", density_mg_cm3=(-80.0, 10.0)),
            TissueReference(tissue="muscle", density_mg_cm3=(30.0, 10.0)),
            TissueReference(tissue="blood", density_mg_cm3=(25.0, 10.0)),
        ),
        description="Working values for 120 kV in the manner of Eggermont et al. (PLoS One 2019;14:e0220564), not "
        "yet checked against that paper's table; blood and the deviations are our estimates. Check against a phantom "
        "before mg/cm3 are used.",
    )
    muscle_enhancement_hu: tuple[float, PositiveFloat] = Field(
        (10.0, 6.0), description="What muscle gains with contrast (mean, sd), to be taken off: our estimate."
    )
    tissue_count_min: int = Field(3, ge=2, le=4, description="Fewer tissues in view give no calibration.")
    scanner_curves: tuple[ScannerCurve, ...] = Field((), description="Measured with a phantom; first match counts.")


class LesionSettings(Section):
    """When a vertebra stands out from the patient's own: a flag for review."""

    vertebra_count_min: int = Field(5, ge=3, description="With fewer to compare nothing is assessed.")
    outlier_z: float = Field(5.0, gt=0, description="Robust deviations (1.4826 MAD) from the patient's median.")
    lytic_difference_hu: float = Field(70.0, gt=0, description="The darkest 6 mm are at least so much darker.")
    sclerotic_difference_hu: float = Field(150.0, gt=0, description="The brightest 6 mm are at least so much brighter.")
    sclerotic_mean_difference_hu: float = Field(
        80.0, gt=0, description="A region so much denser than the patient's median is sclerotic: not a density."
    )


class DensitySettings(Section):
    """Opportunistic bone density. Thresholds transfer poorly between sites (169 and 104 HU in one UK cohort)."""

    osteoporosis_max_hu: float = Field(
        110.0, description="Up to here osteoporosis_range: more than 90 % specific (Pickhardt 2013)."
    )
    low_max_hu: float = Field(160.0, description="Up to here low: 90 % sensitive (Pickhardt 2013); above it normal.")
    fallback_levels: tuple[tuple[VertebraLevel, ...], ...] = Field(
        (("T12", "L2"), ("T11", "L3"), ("T10", "L4"), ("T9",), ("T8",)),
        description="Where L1 is not sound: mean of the first group's sound ones, else of the next group's.",
    )
    region: RegionSettings = RegionSettings()
    corrections: CorrectionSettings = CorrectionSettings()
    contrast: ContrastSettings = ContrastSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    lesions: LesionSettings = LesionSettings()

    @model_validator(mode="after")
    def _thresholds_ascend(self) -> DensitySettings:
        if self.low_max_hu <= self.osteoporosis_max_hu:
            raise ValueError("low_max_hu must lie above osteoporosis_max_hu")
        return self
