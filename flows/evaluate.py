"""The evaluation: a lake against readers, monthly or whenever readings come back.

Belongs here: the order of the steps, artifacts, the verdict. Does not belong here: any number (vfscreen.evaluation),
the folder's files (vfscreen.report.evaluation). Success is judged by the files that lie in the folder afterwards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.evaluate import evaluate_task, write_evaluation_task
from vfscreen.evaluation.study import Compared, compare
from vfscreen.models.registry import read_release, release_name
from vfscreen.report.evaluation.folder import PAGE, SUMMARY, WrittenEvaluation
from vfscreen.settings import Settings, load_settings

SHOWN = ("sensitivity", "specificity", "ppv", "npv", "auc")


@flow(name="vertebral-fracture-evaluation", persist_result=False)
def evaluation(
    lake: str,
    reference: list[str],
    out: str,
    settings_file: str | None = None,
    settings: dict[str, Any] | None = None,
    consensus: str | None = None,
    series_map: str | None = None,
    tuning_reference: list[str] | None = None,
    model_release: str | None = None,
) -> State[dict[str, Any]]:
    """Compare `lake` with the readers' files or folders in `reference` and write the report to the folder `out`.

    settings_file, settings: a YAML file, and sections that replace its. consensus: replaces the settings' rule.
    series_map: CSV with the series of six-point files. tuning_reference: readings of other patients, for a threshold.
    model_release: rows of this release only.

    Returns a Completed or Failed state whose data is the report's summary with `folder` and `files`. Raises
    EvaluationError, SettingsError and LakeError where nothing could be compared.
    """
    checked = evaluation_settings(settings_file, settings, consensus)
    found = evaluate_task(lake, reference, checked.evaluation, series_map, model_release, tuple(tuning_reference or ()))
    written = write_evaluation_task(found, out, release_cards_of(found.provenance["model_releases"], checked))
    summary = {**read_summary(written), "folder": written.folder, "files": list(written.files)}
    message = problem(written)
    _artifacts(summary)
    get_run_logger().info("evaluation of %d patients in %s", summary["patients"], written.folder)
    state = Failed if message else Completed
    return state(message=message or "completed", data=summary)


def evaluation_settings(settings_file: str | None, settings: dict[str, Any] | None, consensus: str | None) -> Settings:
    """A site's settings, with another consensus rule where one is given. Raises SettingsError."""
    replaced = dict(settings or {})
    if consensus is not None:
        replaced["evaluation"] = {**replaced.get("evaluation", {}), "consensus": consensus}
    return load_settings(settings_file, **replaced)


def release_cards_of(releases: list[str], settings: Settings) -> list[dict[str, Any]]:
    """The cards of the installed weights, if these made the lake's rows; of others nothing is known."""
    if releases != [release_name(screening=settings.screening)]:
        return []
    return [card.model_dump(mode="json") for card in read_release().values()]


def read_summary(written: WrittenEvaluation) -> dict[str, Any]:
    """The summary as it lies in the folder."""
    found: dict[str, Any] = json.loads(Path(written.folder, SUMMARY).read_text(encoding="utf-8"))
    return found


def problem(written: WrittenEvaluation) -> str | None:
    """Why the report is not whole, or None."""
    missing = [name for name in (*written.files, PAGE, SUMMARY) if not Path(written.folder, name).is_file()]
    return f"{len(missing)} file(s) of the report are missing in {written.folder}: {missing[0]}" if missing else None


def plan(
    lake: str,
    reference: list[str],
    settings: Settings,
    series_map: str | None = None,
    tuning_reference: list[str] | None = None,
    model_release: str | None = None,
) -> dict[str, Any]:
    """What an evaluation would compare; reads everything, writes nothing. Raises EvaluationError."""

    def counts(compared: Compared) -> dict[str, Any]:
        exams = compared.findings.exams.values()
        return {
            "readings": compared.reference.reading_count,
            "readers": list(compared.reference.readers),
            "rule": compared.reference.rule,
            "studies": len(compared.findings.exams),
            "studies_in_lake": sum(e["in_lake"] for e in exams),
            "studies_screened": sum(e["state"] == "screened" for e in exams),
            "patients": len(compared.pairs.patients),
            "vertebrae_with_reference": int(compared.vertebrae.reference.size),
            "vertebrae_evaluable": int(compared.vertebrae.evaluable.sum()),
            "extra_vertebrae": len(compared.pairs.extra),
        }

    made = {"lake": lake, **counts(compare(lake, reference, settings.evaluation, series_map, model_release))}
    if tuning_reference:
        made["tuning"] = counts(compare(lake, tuning_reference, settings.evaluation, series_map, model_release))
    return made


def _artifacts(summary: dict[str, Any]) -> None:
    """The patients' headline numbers as a table and where the report lies, in Prefect's UI."""
    rows = [
        {key: row[key] for key in ("target", "analysis", "name", "estimate", "low", "high", "n")}
        for row in summary["metrics"]
        if row["level"] == "patient" and row["name"] in SHOWN
    ]
    create_table_artifact(rows, key="evaluation-metrics", description="Patients, against the readers")
    lines = [
        "# Evaluation against readers",
        f"{summary['patients']} patients, {summary['vertebrae_with_reference']} vertebrae with a reference grade; "
        f"{summary['patients_evaluable']} and {summary['vertebrae_evaluable']} of them evaluable.",
        f"Report: `{summary['folder']}/{PAGE}`",
        *(f"- {note}" for note in summary["notes"]),
    ]
    create_markdown_artifact("\n\n".join(lines), key="evaluation-summary", description="Evaluation against readers")
