"""Which weights make a release, its name, and loading them as the chain's models.

Belongs here: `weights/releases.yaml`, release names, the order of loading. Not here: networks, back ends.
Nothing here imports torch until models are loaded: the flow's process only needs names.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from vfscreen.errors import WeightsError
from vfscreen.models.cards import WeightCard, read_card

if TYPE_CHECKING:
    from vfscreen.models.ports import ModelSet
    from vfscreen.settings import ScreeningSettings

WEIGHTS_DIR = Path(__file__).parent / "weights"

METHOD_VERSION = 6
"""Of everything between the pixels and the numbers that is code, not weights: raised by whoever changes a result (the
coarse grid, straightening, decoding, labelling, morphometry, density), so that old and new rows are told apart."""

KINDS = ("locator", "vertebra")
"""What a release must hold, one card each."""
OPTIONAL_KINDS = ("endplates", "ribs", "film_locator", "film_vertebra", "film_endplates", "film_view", "fresh")
"""What it may hold besides. Films are read where both film_locator and film_vertebra are there."""


def release_cards(release: str = "default") -> dict[str, Path]:
    """Paths of the cards of a release by kind.

    release: a name in weights/releases.yaml, or the path of a YAML file of the same shape for one's own weights
    (`{name: {locator: card, vertebra: card, endplates: card, ...}}` with one entry, those of OPTIONAL_KINDS optional;
    card paths relative to that file).
    Raises WeightsError for an unknown release or an incomplete one.
    """
    own = release.endswith((".yaml", ".yml"))
    listing = Path(release) if own else WEIGHTS_DIR / "releases.yaml"
    try:
        releases = yaml.safe_load(listing.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise WeightsError(f"list of releases {listing} cannot be read: {error}") from error
    if not isinstance(releases, dict) or (own and len(releases) != 1):
        raise WeightsError(f"{listing} must map {'one release' if own else 'releases'} to its cards")
    entry = next(iter(releases.values())) if own else releases.get(release)
    if not isinstance(entry, dict) or not set(KINDS) <= set(entry) <= {*KINDS, *OPTIONAL_KINDS}:
        known = ", ".join(sorted(map(str, releases)))
        raise WeightsError(f"release {release!r} does not name a card for each of {KINDS}; known releases: {known}")
    return {kind: listing.parent / f"{card}.yaml" for kind, card in entry.items()}


def read_release(release: str = "default") -> dict[str, WeightCard]:
    """The cards of a release by kind. Raises WeightsError."""
    cards = {kind: read_card(path) for kind, path in release_cards(release).items()}
    for kind, card in cards.items():
        if card.kind != kind:
            raise WeightsError(f"release {release!r}: card {card.name} is of kind {card.kind}, not {kind}")
    return cards


def release_name(release: str = "default", screening: ScreeningSettings | None = None) -> str:
    """Name with a content hash, for example `default-1f0c2a9b`; it goes into every row.

    The hash covers the weights, all that their cards say about reading them, METHOD_VERSION and, where given, the
    settings of the screening chain, since those change results too. Cheap: reads the cards, not the weights.
    """
    digest = hashlib.sha256(f"method {METHOD_VERSION}".encode())
    for kind, card in sorted(read_release(release).items()):
        if kind == "fresh" and not _fresh_wanted(screening):
            continue  # it changes no result while it is off
        fields = {"sha256", "preprocessing", "decode", "architecture", "hyperparameters", "labels"}
        # canonical: the order of keys in a YAML file is nobody's result
        content = json.dumps(card.model_dump(mode="json", include=fields), sort_keys=True)
        digest.update(kind.encode() + content.encode())
    if screening is not None:
        digest.update(screening.model_dump_json().encode())
    stem = Path(release).stem
    return f"{stem}-{digest.hexdigest()[:8]}"


def _fresh_wanted(screening: ScreeningSettings | None) -> bool:
    return screening is not None and screening.fresh_fracture.enabled


def load_models(
    release: str = "default",
    device: str = "auto",
    threads: int | None = None,
    screening: ScreeningSettings | None = None,
) -> ModelSet:
    """Load and verify every model of a release.

    device: see `backends.choose_backend`. threads: inference threads of this process. screening: as `release_name`.
    Raises WeightsError where weights and cards disagree, SettingsError where the device cannot be had.
    """
    from vfscreen.models.endplates import load_endplate_reader
    from vfscreen.models.film_release import load_film_models
    from vfscreen.models.locator import load_locator
    from vfscreen.models.ports import ModelSet
    from vfscreen.models.ribs import load_rib_reader
    from vfscreen.models.vertebra import load_vertebra_detector

    paths = release_cards(release)
    name = release_name(release, screening)
    return ModelSet(
        release=name,
        locator=load_locator(paths["locator"], device=device, threads=threads),
        detector=load_vertebra_detector(paths["vertebra"], device=device, threads=threads),
        endplates=load_endplate_reader(paths["endplates"], device=device, threads=threads)
        if "endplates" in paths
        else None,
        ribs=load_rib_reader(paths["ribs"], device=device, threads=threads) if "ribs" in paths else None,
        films=load_film_models(paths, device, threads, with_fresh=_fresh_wanted(screening)),
    )
