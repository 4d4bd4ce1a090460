"""The weekly audit: what the lake found beside what the reports said.

Belongs here: the order of the steps, the verdict, artifacts. Does not belong here: any of the audit (vfscreen.audit).

Whether an audit was made is read from its files, hash by hash, not from what a task returned. A run that died is made
by running it again; one with the inputs of a complete audit changes nothing. Prefect is told counts only: no text, no
name, no identifier of a patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.audit import plan_audit_task, run_audit_task, verify_audit_task
from vfscreen.audit.run import AuditRequest
from vfscreen.settings import load_settings


@flow(name="vertebral-fracture-audit", persist_result=False)
def audit(
    lake: str,
    reports: list[str] | str,
    out: str,
    codes: str | None = None,
    treatments: str | None = None,
    dxa: str | None = None,
    settings_file: str | None = None,
    settings: dict[str, Any] | None = None,
    model_release: str | None = None,
    dry_run: bool = False,
) -> State[dict[str, Any]]:
    """Audit the reports of a lake's studies.

    lake: folder or URL. reports: one table or several, CSV or Parquet, folders or URLs. out: a local folder outside the
    lake that only this user may read. codes, treatments, dxa: tables of the site, where it has them; empty is none.
    settings_file, settings: a YAML file, and sections that replace its. dry_run: say what would be read, write nothing.

    Completed only where every file of the audit is there as its summary names it. Raises VfscreenError (settings,
    inputs, lake) before anything is written.
    """
    request = AuditRequest(
        lake=lake,
        reports=tuple(r for r in ([reports] if isinstance(reports, str) else reports) if r),
        out=Path(out),
        settings=load_settings(settings_file, **(settings or {})),
        codes=codes or None,
        treatments=treatments or None,
        dxa=dxa or None,
        model_release=model_release,
    )
    if dry_run:
        plan = plan_audit_task(request)
        return Completed(message=f"would read {plan['report_rows_to_read']} reports; nothing was written", data=plan)
    result = run_audit_task(request)
    summary = verify_audit_task(result.folder)
    message = verdict(summary, result.folder)
    if summary is not None:
        write_artifacts(summary)
    state = Failed if message else Completed
    return state(message=message or str(result.folder), data={"folder": str(result.folder), "reused": result.reused})


def verdict(summary: dict[str, Any] | None, folder: Path) -> str | None:
    """Why the audit was not made, or None. summary: as read back from the files."""
    if summary is None:
        return f"{folder} is not complete: run the same audit again"
    reports, studies = summary["reports"], summary["studies"]
    if reports["rows"] != sum(reports[k] for k in ("without_accession", "not_in_lake", "without_text", "read")):
        return f"the account of the reports in {folder} does not reconcile"
    if studies["all"] != sum(studies[k] for k in ("not_screened", "without_report", "not_evaluable", "audited")):
        return f"the account of the studies in {folder} does not reconcile"
    if not reports["rows"]:
        return "the tables of reports are empty"
    if not reports["read"]:
        return (
            f"none of {reports['rows']} reports belongs to a study of the lake: is the identity key the one of the "
            "sweep, and audit.columns.accession the right column?"
        )
    return None


def write_artifacts(summary: dict[str, Any]) -> None:
    """`audit-summary` (Markdown) and `audit-missed-rates` (table)."""
    create_markdown_artifact(markdown=_markdown(summary), key="audit-summary")
    create_table_artifact(table=_rates(summary["missed_rates"]), key="audit-missed-rates")


def _markdown(summary: dict[str, Any]) -> str:
    lines = [f"# {summary['audit_id']}", ""]
    for title, counts in (
        ("Reports", summary["reports"]),
        ("Studies", summary["studies"]),
        ("Found and reported", summary["found"]["reported"]),
        ("Found, not reported", summary["found"]["not_reported"]),
        ("Reported, not found", summary["reported_not_found"]),
    ):
        lines += [f"## {title}", "", "| | n |", "|---|---|", *(f"| {k} | {n} |" for k, n in counts.items()), ""]
    return "\n".join(lines)


def _rates(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = (
        "unit",
        "grouping",
        "group",
        "found_count",
        "not_reported_count",
        "missed_rate",
        "wilson_low",
        "wilson_high",
    )
    return [{name: round(v, 4) if isinstance(v := row[name], float) else v for name in names} for row in rows]
