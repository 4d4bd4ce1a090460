"""The options by which commands take a `CohortFilter`: the same names, help and checks wherever a question is asked.

Belongs here: options and their translation. Does not belong here: what a field means (`vfscreen.cohort.filter`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from vfscreen.cohort.filter import PHASES, SEXES, CohortFilter

_DATE = ["%Y-%m-%d"]


def _options(
    age_min: Annotated[int | None, typer.Option(help="Whole years, included.")] = None,
    age_max: Annotated[int | None, typer.Option(help="Whole years, included.")] = None,
    sex: Annotated[list[str] | None, typer.Option(help=f"Any of {', '.join(SEXES)}; may be repeated.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="InstitutionName or 'unknown'; may be repeated.")] = None,
    scanner: Annotated[list[str] | None, typer.Option(help="Manufacturer, model, or both; may be repeated.")] = None,
    date_from: Annotated[
        datetime | None, typer.Option("--from", formats=_DATE, help="First StudyDate, included.")
    ] = None,
    date_to: Annotated[datetime | None, typer.Option("--to", formats=_DATE, help="Last StudyDate, included.")] = None,
    contrast: Annotated[list[str] | None, typer.Option(help=f"Any of {', '.join(PHASES)}; may be repeated.")] = None,
    modality: Annotated[list[str] | None, typer.Option(help="CT, DX ...; may be repeated.")] = None,
    exams: Annotated[str, typer.Option(help="Which of a patient's exams counts: latest, first or all.")] = "latest",
    levels: Annotated[list[str] | None, typer.Option("--level", help="Only this vertebra; may be repeated.")] = None,
    level_certain: Annotated[
        bool | None, typer.Option("--certain-levels/--any-level", help="Only vertebrae whose numbering is fixed.")
    ] = None,
    grade: Annotated[str, typer.Option(help="Of the loss 'adjusted' to the level, or of the 'raw' loss.")] = "adjusted",
    grade_min: Annotated[int | None, typer.Option(help="A fracture is a vertebra of at least this grade.")] = None,
    density_below_hu: Annotated[float | None, typer.Option(help="Reference attenuation below this, in HU.")] = None,
    density_kind: Annotated[str, typer.Option(help="'corrected' or 'raw' attenuation.")] = "corrected",
    l1_only: Annotated[bool, typer.Option("--l1-only", help="No fall-back where L1 is not valid.")] = False,
    match: Annotated[str, typer.Option(help="Meet 'all' or 'any' of --grade-min and --density-below-hu.")] = "all",
) -> CohortFilter:
    """A checked filter of the values that were given. FilterError naming the field."""
    values: dict[str, Any] = dict(locals())
    for name in ("date_from", "date_to"):
        values[name] = values[name].date() if values[name] else None
    return CohortFilter.of(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items() if v is not None})


def takes_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of the filter; the command gets them as one checked `question`.

    `command` must have a keyword parameter `question: CohortFilter`.
    """
    options = inspect.signature(_options, eval_str=True)
    own = inspect.signature(command, eval_str=True)
    kept = [p for name, p in own.parameters.items() if name != "question"]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        asked = {name: given.pop(name) for name in options.parameters}
        command(question=_options(**asked), **given)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*kept, *options.parameters.values())]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options
