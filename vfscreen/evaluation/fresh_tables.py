"""Tables a site gives for the fresh-fracture classifiers: labelled films or crops, and readers' calls. CSV or Parquet.

Belongs here: formats, checks, splits by patient. Does not belong here: pixels (training.fresh_items), statistics
(fresh). A table that cannot be read whole is refused with the line and the remedy.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vfscreen.evaluation.metric import EvaluationError

Split = Literal["train", "validation", "control"]
SPLITS: tuple[Split, ...] = ("train", "validation", "control")
"""Training; choosing epochs and thresholds; the control set, on which models and readers are compared."""

SHARES = (0.8, 0.15, 0.05)
"""Of patients, where the table gives no split: about those of Li et al., Spine 2024 (2,388, 482 and 155 cases)."""

_FRESH = {"fresh": True, "acute": True, "1": True, "true": True, "old": False, "not fresh": False, "chronic": False}
_FRESH |= {"0": False, "false": False}


def _as_fresh(value: Any) -> Any:
    return _FRESH.get(str(value).strip().lower(), value)


def _empty_as_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Fresh = Annotated[bool, BeforeValidator(_as_fresh)]
Pixel = Annotated[float | None, BeforeValidator(_empty_as_none)]


class LabelRow(BaseModel):
    """A film or a crop of one. Its name is `image` (a path below the folder of images) or `SOPInstanceUID`.

    patient_id: items of one patient never part. label: fresh (acute, 1) or old (chronic, 0). split: of SPLITS, given
    for all or none. left, top, right, bottom: the box of one vertebra in the film's pixels; without it the whole film.
    item_id: to tell several boxes of a film apart; by default the film's name, with the box where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, coerce_numbers_to_str=True)

    image: Annotated[str | None, BeforeValidator(_empty_as_none)] = None
    SOPInstanceUID: Annotated[str | None, BeforeValidator(_empty_as_none)] = None
    patient_id: str = Field(min_length=1)
    label: Fresh
    split: Annotated[Split | None, BeforeValidator(_empty_as_none)] = None
    left: Pixel = None
    top: Pixel = None
    right: Pixel = None
    bottom: Pixel = None
    item_id: Annotated[str, BeforeValidator(lambda v: "" if v is None else v)] = ""

    @model_validator(mode="after")
    def _whole(self) -> LabelRow:
        if (self.image is None) == (self.SOPInstanceUID is None):
            raise ValueError("give image or SOPInstanceUID, one of the two")
        if self.box is None and any(v is not None for v in (self.left, self.top, self.right, self.bottom)):
            raise ValueError("a box needs left < right and top < bottom, all four")
        return self

    @property
    def name(self) -> str:
        return self.image or self.SOPInstanceUID or ""

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """left, top, right, bottom, or None."""
        if self.left is None or self.top is None or self.right is None or self.bottom is None:
            return None
        good = self.left < self.right and self.top < self.bottom
        return (self.left, self.top, self.right, self.bottom) if good else None

    @property
    def key(self) -> str:
        """What the item is called in every table that follows."""
        if self.item_id:
            return self.item_id
        return self.name if self.box is None else self.name + "@" + ",".join(f"{v:g}" for v in self.box)


class ReaderRow(BaseModel):
    """One reader's call of one item, and a rating (any scale, larger = fresher) where the reader gave one."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, coerce_numbers_to_str=True)

    item_id: str = Field(min_length=1)
    reader: str = Field(min_length=1)
    call: Fresh
    rating: Pixel = None


Model = TypeVar("Model", bound=BaseModel)


def read_labels(path: Path) -> list[LabelRow]:
    """Rows of a label table in its order, each with a split that keeps patients together (`with_splits`).

    Raises EvaluationError where a row is wrong, an item occurs twice or a patient is in two splits.
    """
    rows = _rows(path, LabelRow)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if row.key in seen:
            raise EvaluationError(f"{path}, row {number}: {row.key!r} occurs twice; give item_id to tell boxes apart")
        seen.add(row.key)
    return with_splits(rows, str(path))


def read_reader_calls(path: Path, items: Iterable[str]) -> list[ReaderRow]:
    """Rows of a reader table. Raises EvaluationError for an unknown item, or one that a reader called twice."""
    rows, known = _rows(path, ReaderRow), set(items)
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=1):
        if row.item_id not in known:
            raise EvaluationError(f"{path}, row {number}: item {row.item_id!r} is not among the predictions")
        if (row.reader, row.item_id) in seen:
            raise EvaluationError(f"{path}, row {number}: {row.reader} called {row.item_id!r} twice")
        seen.add((row.reader, row.item_id))
    return rows


def with_splits(rows: Sequence[LabelRow], place: str = "labels") -> list[LabelRow]:
    """Rows that all have a split. Where none has, patients are dealt out by SHARES, fresh and other ones apart.

    Deterministic, and independent of the order of rows: patients are ordered by a hash of their identifier.
    Raises EvaluationError where a patient is in two splits, or only some rows have one.
    """
    given = {row.split for row in rows}
    if None in given and len(given) > 1:
        raise EvaluationError(f"{place}: give a split for every row or for none")
    splits: dict[str, Split] = {}
    if None not in given:
        for row in rows:
            assert row.split is not None
            if splits.setdefault(row.patient_id, row.split) != row.split:
                raise EvaluationError(f"{place}: patient {row.patient_id!r} is in two splits; keep patients together")
        return list(rows)
    fresh = {row.patient_id for row in rows if row.label}
    for group in (fresh, {row.patient_id for row in rows} - fresh):
        ordered = sorted(group, key=lambda patient: hashlib.sha256(patient.encode()).hexdigest())
        ends = [round(len(ordered) * sum(SHARES[: n + 1])) for n in range(len(SHARES))]
        for number, patient in enumerate(ordered):
            splits[patient] = next(s for s, end in zip(SPLITS, ends, strict=True) if number < end)
    return [row.model_copy(update={"split": splits[row.patient_id]}) for row in rows]


def _rows(path: Path, model: type[Model]) -> list[Model]:
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise EvaluationError(f"{path} cannot be read as {path.suffix or 'CSV'}: {error}") from error
    if not table:
        raise EvaluationError(f"{path} has no rows")
    found = []
    for number, row in enumerate(table, start=1):
        try:
            found.append(model.model_validate(row))
        except ValidationError as error:
            lines = [f"{'.'.join(str(p) for p in e['loc']) or 'row'}: {e['msg']}" for e in error.errors()]
            raise EvaluationError(f"{path}, row {number}: " + "; ".join(lines)) from error
    return found


def _parquet(path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def _csv(path: Path) -> list[Mapping[str, Any]]:
    text = path.read_bytes().decode("utf-8-sig")
    rows: list[Mapping[Any, Any]] = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise csv.Error(f"row {number} has not as many cells as the header has columns")
    return rows
