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

from vfscreen.cli.common import ExitStatus, print_error
from vfscreen.cohort.filter import PHASES, SEXES, CohortFilter, FilterError

_EXAMS, _FOUND = "Which exams", "What counts as a finding"
_DATE = ["%Y-%m-%d", "%Y%m%d"]
_MANY = "may be repeated"


def _exam(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_EXAMS, **more)


def _found(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_FOUND, **more)


def _filter(
    age_min: Annotated[int | None, _exam(help="Whole years, included.")] = None,
    age_max: Annotated[int | None, _exam(help="Whole years, included.")] = None,
    sex: Annotated[list[str] | None, _exam(help=f"{', '.join(SEXES)}; {_MANY}.")] = None,
    site: Annotated[list[str] | None, _exam(help=f"InstitutionName, or unknown; {_MANY}.")] = None,
    scanner: Annotated[list[str] | None, _exam(help=f"Manufacturer, model, or both; {_MANY}.")] = None,
    date_from: Annotated[datetime | None, _exam("--from", formats=_DATE, help="StudyDate, included.")] = None,
    date_to: Annotated[datetime | None, _exam("--to", formats=_DATE, help="StudyDate, included.")] = None,
    contrast: Annotated[list[str] | None, _exam(help=f"{', '.join(PHASES)}; {_MANY}.")] = None,
    modality: Annotated[list[str] | None, _exam(help=f"CT, CR, DX: of the exam's chosen series; {_MANY}.")] = None,
    exams: Annotated[str, _exam(help="latest, first or all of a patient's exams that pass.")] = "latest",
    grade_min: Annotated[
        int | None, _found(help="A fracture is of at least this grade; 2 where rates are counted.")
    ] = None,
    grade: Annotated[str, _found(help="adjusted to the level's normal shape, or raw.")] = "adjusted",
    level: Annotated[list[str] | None, _found(help=f"Only these levels; {_MANY}.")] = None,
    level_certain: Annotated[
        bool | None,
        _found(
            "--level-certain/--any-level",
            help="Only vertebrae whose numbering something in view fixes; incident does unless --any-level.",
        ),
    ] = None,
    density_below: Annotated[float | None, _found(help="HU of the reference (L1, else fall-back).")] = None,
    density: Annotated[str, _found(help="corrected or raw HU.")] = "corrected",
    l1_only: Annotated[bool, _found("--l1-only", help="Take no fall-back for L1.")] = False,
    match: Annotated[str, _found(help="cohort, worklist: all of grade and density, or any.")] = "all",
    days_max: Annotated[
        int | None, _found("--days-max", help="agreement: days between CT and radiograph, at most (365).")
    ] = None,
) -> CohortFilter:
    """A checked filter of the values that were given. FilterError naming the field."""
    return CohortFilter.of(
        age_min=age_min,
        age_max=age_max,
        sex=sex or (),
        site=site or (),
        scanner=scanner or (),
        date_from=date_from and date_from.date(),
        date_to=date_to and date_to.date(),
        contrast=contrast or (),
        modality=modality or (),
        exams=exams,
        grade_min=grade_min,
        grade=grade,
        levels=level or (),
        level_certain=level_certain,
        density_below_hu=density_below,
        density_kind=density,
        l1_only=l1_only,
        match=match,
        days_max=days_max,
    )


def takes_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of the filter; the command gets them as one checked `question`.

    `command` must have a parameter `question: CohortFilter`. A filter that cannot be meant ends the program with its
    message and the status of wrong usage.
    """
    options = inspect.signature(_filter, eval_str=True)
    own = inspect.signature(command, eval_str=True)
    kept = [p for name, p in own.parameters.items() if name != "question"]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        asked = {name: given.pop(name) for name in options.parameters}
        try:
            question = _filter(**asked)
        except FilterError as error:
            print_error(str(error))
            raise typer.Exit(ExitStatus.USAGE) from error
        command(question=question, **given)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*kept, *options.parameters.values())]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options
