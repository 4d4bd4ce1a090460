"""Weight cards: the papers every weight file travels with, and the check that the two belong together.

Belongs here: the card's fields, reading and writing it, verifying and loading the tensors it names. Does not belong
here: building a network from a card (the adaptor's module does), choosing which card is in a release (registry).

A card `NAME.yaml` lies beside its `NAME.safetensors`. Reading a card is cheap: torch is imported only when tensors are
asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vfscreen.errors import WeightsError
from vfscreen.spine.film_crop import CropSpec
from vfscreen.spine.film_patches import FilmPatchSpec
from vfscreen.spine.film_strip import StripSpec
from vfscreen.spine.patches import PatchSpec
from vfscreen.spine.straighten import SlabSpec

if TYPE_CHECKING:
    import torch


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IntensityWindow(_Part):
    """HU are clipped to [lower_hu, upper_hu], then (hu - centre_hu) / scale_hu goes into the network."""

    lower_hu: float
    upper_hu: float
    centre_hu: float
    scale_hu: float = Field(gt=0)


class SlabCard(_Part):
    """The straightened slab a network was trained on; the fields of `SlabSpec`."""

    pixel_mm: float = Field(gt=0)
    anterior_mm: float = Field(gt=0)
    posterior_mm: float = Field(gt=0)
    margin_mm: float = Field(ge=0)
    plane_offsets_mm: tuple[float, ...] = Field(min_length=1)

    @classmethod
    def of(cls, spec: SlabSpec) -> SlabCard:
        return cls(
            pixel_mm=spec.pixel_mm,
            anterior_mm=spec.anterior_mm,
            posterior_mm=spec.posterior_mm,
            margin_mm=spec.margin_mm,
            plane_offsets_mm=spec.plane_offsets_mm,
        )

    def spec(self) -> SlabSpec:
        return SlabSpec(self.pixel_mm, self.anterior_mm, self.posterior_mm, self.margin_mm, self.plane_offsets_mm)


class PatchCard(_Part):
    """The patches a network was trained on; the fields of `PatchSpec`."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    body_depth_px: float = Field(gt=0)
    pixel_min_mm: float = Field(gt=0)
    pixel_max_mm: float = Field(gt=0)
    plane_offsets_mm: tuple[float, ...] = Field(min_length=1)

    @classmethod
    def of(cls, spec: PatchSpec) -> PatchCard:
        return cls(**asdict(spec))

    def spec(self) -> PatchSpec:
        return PatchSpec(**self.model_dump())


class StripCard(_Part):
    """The straightened strip of a film a network was trained on; the fields of `StripSpec`."""

    pixels_a_body_height: float = Field(gt=0)
    anterior: float = Field(gt=0)
    posterior: float = Field(gt=0)
    margin: float = Field(ge=0)

    @classmethod
    def of(cls, spec: StripSpec) -> StripCard:
        return cls(**asdict(spec))

    def spec(self) -> StripSpec:
        return StripSpec(**self.model_dump())


class FilmPatchCard(_Part):
    """The patches of films a network was trained on; the fields of `FilmPatchSpec`."""

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    body_depth_px: float = Field(gt=0)

    @classmethod
    def of(cls, spec: FilmPatchSpec) -> FilmPatchCard:
        return cls(**asdict(spec))

    def spec(self) -> FilmPatchSpec:
        return FilmPatchSpec(**self.model_dump())


class FilmCard(_Part):
    """How a film's values become a network's input (models.film_tone): ranks within the picture, then local contrast.

    long_side_px: the whole film is resized to it; null for a network on strips. sigma_px: radius of the
    neighbourhood in the network's own pixels. floor: contrast, in ranks, that counts as flat.
    """

    long_side_px: int | None = Field(None, gt=0)
    sigma_px: float = Field(gt=0)
    floor: float = Field(gt=0)


class CropCard(_Part):
    """The square crops of films a network was trained on; the fields of `CropSpec`."""

    pixels: int = Field(gt=0)
    body_depths: float = Field(gt=0)
    box_sides: float = Field(gt=0)

    @classmethod
    def of(cls, spec: CropSpec) -> CropCard:
        return cls(**asdict(spec))

    def spec(self) -> CropSpec:
        return CropSpec(**self.model_dump())


class Preprocessing(_Part):
    """What is done to the image before the network sees it.

    window: for a network on CT. slab: for a network on straightened slabs. patch: for one on single vertebrae.
    spacing_mm: for a network on a resampled volume, the voxel size along x, y, z. film: for a network on radiographs;
    strip: for one on their straightened strips; film_patch: for one on single vertebrae of them; crop: for one on
    square crops of them.
    """

    window: IntensityWindow | None = None
    slab: SlabCard | None = None
    patch: PatchCard | None = None
    spacing_mm: tuple[float, float, float] | None = None
    film: FilmCard | None = None
    strip: StripCard | None = None
    film_patch: FilmPatchCard | None = None
    crop: CropCard | None = None

    def hu_window(self) -> IntensityWindow:
        """Of a network on CT. Raises WeightsError where the card has none."""
        if self.window is None:
            raise WeightsError("the card describes no window of HU; it is not one of a network on CT")
        return self.window


class TrainingSource(_Part):
    """One source of training, calibration or test data."""

    name: str
    origin: str
    licence: str
    use: Literal["train", "calibrate", "test"]
    description: str = ""


class Metric(_Part):
    """One measured number. `ci95` is null only where `n` allows none; `command` reproduces it."""

    name: str
    value: float
    unit: str
    ci95: tuple[float, float] | None = None
    n: int = Field(ge=0)
    data: str
    command: str


class WeightCard(_Part):
    """The card of one weight file.

    labels: vocabularies in the order of the network's output channels, for example `levels` and `keypoints`.
    decode: numbers the adaptor needs to read the network's output (thresholds, calibration), by name.
    research_only: nothing of patients may rest on these weights; off by default wherever they are used.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str
    kind: Literal[
        "vertebra",
        "locator",
        "endplates",
        "ribs",
        "film_locator",
        "film_vertebra",
        "film_endplates",
        "film_view",
        "fresh",
    ]
    description: str
    architecture: str
    hyperparameters: dict[str, Any]
    preprocessing: Preprocessing
    labels: dict[str, tuple[str, ...]]
    decode: dict[str, Any] = Field(default_factory=dict)
    training_data: tuple[TrainingSource, ...] = Field(min_length=1)
    training_command: str
    metrics: tuple[Metric, ...]
    limitations: tuple[str, ...] = ()
    research_only: bool = False
    licence: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def read_card(path: Path) -> WeightCard:
    """The card in a YAML file. Raises WeightsError naming the field that is wrong."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise WeightsError(f"weight card {path} cannot be read: {error}; reinstall vfscreen or the weights") from error
    try:
        return WeightCard.model_validate(loaded)
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise WeightsError(f"weight card {path} is not valid: " + "; ".join(lines)) from error


def write_card(card: WeightCard, path: Path) -> None:
    """Write a card as YAML, fields in the order they are declared."""
    text = yaml.safe_dump(card.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    path.write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_tensors(card: WeightCard, card_path: Path) -> dict[str, torch.Tensor]:
    """The tensors beside `card_path`, float32, after their SHA-256 was found to be the card's.

    Storage may be float16 to keep the package small. Raises WeightsError where the file is missing, is another one
    than the card describes, or is not safetensors.
    """
    path = card_path.with_suffix(".safetensors")
    if not path.is_file():
        raise WeightsError(f"weights {path} are missing beside their card; reinstall vfscreen or fetch them again")
    found = file_sha256(path)
    if found != card.sha256:
        raise WeightsError(
            f"weights {path} do not match their card (sha256 {found[:12]}..., the card says {card.sha256[:12]}...): "
            "restore the file that belongs to the card"
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"weights {path} are not a safetensors file: {error}") from error
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> str:
    """Write tensors as safetensors, floating ones as float16; returns the file's SHA-256."""
    from safetensors.torch import save_file

    stored = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in tensors.items()
    }
    save_file(stored, path)
    path.chmod(0o644)  # safetensors writes for its owner only; an installed package is for everyone
    return file_sha256(path)


def load_into(module: torch.nn.Module, card: WeightCard, card_path: Path) -> None:
    """Load the card's tensors into a module built from the card; every name and shape must fit.

    Raises WeightsError where the file and the architecture disagree.
    """
    try:
        module.load_state_dict(load_tensors(card, card_path), strict=True)
    except RuntimeError as error:
        raise WeightsError(f"weights of {card.name} do not fit architecture {card.architecture}: {error}") from error
