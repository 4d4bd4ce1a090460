"""Items of the fresh-fracture classifiers on disk: crops with room around them, and a table of what they are.

Belongs here: from films and a label table, or from the simulation, to WORK/items.csv and WORK/crops.npy. Does not
belong here: the label table (evaluation.fresh_tables), augmentation and batches (fresh_data).

A crop is kept with ROOM around it, so that augmentation can turn and move it without inventing pixels; 16 bits, of
which 0 is "no picture here".
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfscreen.errors import ItemError
from vfscreen.evaluation.fresh_tables import SPLITS, LabelRow, Split
from vfscreen.geometry.radiograph import Radiograph
from vfscreen.spine.film_crop import CropSpec, crop_box
from vfscreen.training.fresh_simulate import SimulatedCrop

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Stored = NDArray[np.uint16]

ROOM = 1.25


@dataclass(frozen=True)
class Item:
    """One crop. group: what a reader may want figures for (a level, a site); empty where nothing is known."""

    item_id: str
    patient_id: str
    split: Split
    fresh: bool
    group: str = ""


@dataclass(frozen=True, eq=False)
class ItemSet:
    """items and their stored crops (n, R, R), R = ROOM times the crop's pixels. spec: of the crops as networks see
    them."""

    items: tuple[Item, ...]
    crops: Stored
    spec: CropSpec

    def of(self, split: Split) -> ItemSet:
        """The items of one split."""
        index = [n for n, item in enumerate(self.items) if item.split == split]
        return ItemSet(tuple(self.items[n] for n in index), self.crops[index], self.spec)


def stored(image: Image, inside: Mask) -> Stored:
    """Film values and where they are a picture -> 16 bits, linear in the values; 0 where they are none."""
    if not inside.any():
        return np.zeros(image.shape, dtype=np.uint16)
    low, high = float(image[inside].min()), float(image[inside].max())
    scaled = 1.0 + (image - low) * (65534.0 / max(high - low, 1e-12))
    return np.where(inside, np.clip(np.rint(scaled), 1, 65535), 0).astype(np.uint16)


def from_labels(
    rows: Sequence[LabelRow], open_film: Callable[[str], Radiograph], spec: CropSpec, left_out: list[str]
) -> Iterable[tuple[Item, Stored]]:
    """Items of a label table, film by film.

    open_film: from a row's `name` to the film, called once a film; where it raises ItemError its items are left out
    and `left_out` gets a line.
    """
    by_film: dict[str, list[LabelRow]] = {}
    for row in rows:
        by_film.setdefault(row.name, []).append(row)
    for name, of_film in by_film.items():
        try:
            film = open_film(name)
        except ItemError as error:
            left_out.append(f"{name}: {error}")
            continue
        for row in of_film:
            assert row.split is not None
            yield Item(row.key, row.patient_id, row.split, row.label), _cut(film, row, spec)


def _cut(film: Radiograph, row: LabelRow, spec: CropSpec) -> Stored:
    if row.box is not None:
        return stored(*crop_box(film.image, film.inside, row.box, spec.widened(ROOM)))
    whole = stored(*crop_box(film.image, film.inside, None, spec))
    room = spec.widened(ROOM).pixels - spec.pixels
    return np.pad(whole, (room // 2, room - room // 2))


def from_simulation(
    crops: Iterable[SimulatedCrop], split_of: Callable[[str], Split], seed: int
) -> Iterable[tuple[Item, Stored]]:
    """Items of simulated crops; a patient is the body they were projected from."""
    for number, crop in enumerate(crops):
        name = f"simulated-{seed}-{number:05d}-{crop.source}-{crop.level}"
        yield Item(name, crop.source, split_of(crop.source), crop.fresh, crop.level), stored(crop.image, crop.inside)


def save_items(items: Iterable[tuple[Item, Stored]], spec: CropSpec, work: Path, add: bool = False) -> ItemSet:
    """Write WORK/items.csv, crops.npy and crop.json. add: to what is there.

    Raises ValueError where there is no item, or what is added has another size or names that are there already.
    """
    found = list(items)
    if not found:
        raise ValueError("no item to keep: check the label table and the folder of images")
    work.mkdir(parents=True, exist_ok=True)
    kept = ItemSet(tuple(item for item, _ in found), np.stack([crop for _, crop in found]), spec)
    if add:
        before = load_items(work)
        if before.spec != spec or {i.item_id for i in before.items} & {i.item_id for i in kept.items}:
            raise ValueError(f"{work} holds crops of another size, or these very items: take another folder or seed")
        kept = ItemSet((*before.items, *kept.items), np.concatenate([before.crops, kept.crops]), spec)
    np.save(work / "crops.npy", kept.crops)
    (work / "crop.json").write_text(json.dumps(asdict(spec)) + "\n", encoding="utf-8")
    with (work / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["item_id", "patient_id", "split", "fresh", "group"])
        writer.writerows([i.item_id, i.patient_id, i.split, int(i.fresh), i.group] for i in kept.items)
    return kept


def load_items(work: Path) -> ItemSet:
    """What `save_items` wrote; crops are mapped, not read. Raises FileNotFoundError before `prepare`."""
    with (work / "items.csv").open(newline="", encoding="utf-8") as stream:
        items = tuple(
            Item(r["item_id"], r["patient_id"], _split(r["split"]), r["fresh"] == "1", r["group"])
            for r in csv.DictReader(stream)
        )
    spec = CropSpec(**json.loads((work / "crop.json").read_text(encoding="utf-8")))
    return ItemSet(items, np.load(work / "crops.npy", mmap_mode="r"), spec)


def describe(items: ItemSet) -> str:
    """Counts by split, as they are printed after preparing."""
    lines = []
    for split in SPLITS:
        part = [i for i in items.items if i.split == split]
        patients = len({i.patient_id for i in part})
        lines.append(f"{split}: {len(part)} items of {patients} patients, {sum(i.fresh for i in part)} fresh")
    return "\n".join(lines)


def _split(name: str) -> Split:
    return next(s for s in SPLITS if s == name)
