"""One audit from beginning to end: read, compare, count, write. The same inputs give the same files.

Belongs here: the order of the steps, the account, what makes an audit complete. Does not belong here: any of the steps.

An audit lies in `OUT/audit-ID`, where ID names its inputs: the lake's rows, the tables' bytes, the settings, the rules.
`audit.json` is written last and names every other file with its hash: an audit without it does not exist, and one that
is complete is not made again. Where something changed only the texts that no audit before had read are read (`cache`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from vfscreen.audit import care as care_module
from vfscreen.audit import lists, rates, sampling
from vfscreen.audit.cache import CACHE_FILE, CachedReader
from vfscreen.audit.care import CareTable, read_care
from vfscreen.audit.compare import Compared, compare
from vfscreen.audit.findings import LakeFindings, read_findings
from vfscreen.audit.inputs import AuditInputError, InputTable, code_table, dxa_table, report_table, treatment_table
from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.private import as_csv, as_json, as_parquet, private_folder, write_private
from vfscreen.audit.readings import read_reports, report_rows
from vfscreen.audit.rules import load_rules
from vfscreen.audit.sampling import SamplePlan
from vfscreen.ingest.identity import Pseudonymiser, load_pseudonymiser
from vfscreen.lake.store import Lake
from vfscreen.lake.views import snapshot
from vfscreen.settings import Settings

AUDIT_VERSION = 2
"""Raise it when the same inputs come to give other files, or the same text another reading."""

SUMMARY_FILE = "audit.json"
LATEST_FILE = "latest.json"


@dataclass(frozen=True)
class AuditRequest:
    """What an audit is asked to do. reports: files or URLs. codes, treatments, dxa: the same, where the site has them.

    out: a local folder outside the lake, readable by its owner only.
    """

    lake: str
    reports: tuple[str, ...]
    out: Path
    settings: Settings = field(default_factory=Settings)
    codes: str | None = None
    treatments: str | None = None
    dxa: str | None = None
    model_release: str | None = None

    def __post_init__(self) -> None:
        # an empty name, as of an unset variable of a deployment, would be the current folder
        if not any(self.reports):
            raise AuditInputError("an audit needs at least one table of reports")
        if self.out == Path():
            raise AuditInputError("say which folder the audit goes to; it holds report text")

    def report_tables(self) -> tuple[InputTable, ...]:
        return tuple(report_table(url, self.settings.audit) for url in self.reports)

    def care_tables(self) -> dict[str, InputTable]:
        """kind -> table, of those that are given."""
        given = {"coded": (self.codes, code_table), "treated": (self.treatments, treatment_table)}
        given["dxa"] = (self.dxa, dxa_table)
        return {kind: make(url, self.settings.audit) for kind, (url, make) in given.items() if url}


@dataclass(frozen=True)
class _Counted:
    missed_rates: list[dict[str, Any]]
    care: list[dict[str, Any]]
    sample: SamplePlan


@dataclass(frozen=True)
class AuditResult:
    """folder: of the audit. reused: it was complete already. summary: what audit.json holds; no text, no identifier.
    read_anew: texts that no audit before had read by these rules."""

    folder: Path
    reused: bool
    summary: dict[str, Any]
    read_anew: int = 0


def run_audit(request: AuditRequest) -> AuditResult:
    """Make the audit, or find it made. Raises VfscreenError where an input, the lake or the folder is wrong."""
    out = private_folder(request.out, request.lake)
    lake = Lake.open(request.lake)
    pseudonymiser = load_pseudonymiser(request.settings.identity, request.lake)
    reader = ReportReader(load_rules(request.settings.audit.language))
    inputs = _inputs(request, lake, pseudonymiser, reader)
    folder = private_folder(out / f"audit-{_digest(inputs)[:12]}", request.lake)
    made = read_summary(folder)
    if made is not None:
        _point_to(out, folder)
        return AuditResult(folder, True, made)
    findings = read_findings(lake, request.model_release)
    tables = request.report_tables()
    with CachedReader(reader, out / CACHE_FILE, f"{AUDIT_VERSION}|{reader.rules.release}") as cached:
        readings, account = read_reports(tables, findings.by_accession, pseudonymiser, cached)
    compared = [
        compare(findings.studies[uid], readings[uid], request.settings.audit)
        for uid in sorted(readings)
        if findings.studies[uid].screened
    ]
    care = _care(request, findings, pseudonymiser)
    window = request.settings.audit.window_days
    counted = _Counted(
        rates.missed_rates(compared),
        care_module.care_rows(compared, care, window),
        sampling.plan_sample(compared, request.settings.audit.sampling),
    )
    texts = report_rows(tables, lists.listed_places(compared))
    files = _write(
        folder,
        {
            "found-not-reported": (
                lists.FOUND_NOT_REPORTED,
                list(lists.found_not_reported(compared, texts, care, window)),
            ),
            "reported-not-found": (lists.REPORTED_NOT_FOUND, list(lists.reported_not_found(compared, texts))),
            "studies": (lists.STUDIES, list(lists.study_rows(compared))),
            "missed-rates": (rates.SCHEMA, counted.missed_rates),
            "care": (care_module.SCHEMA, counted.care),
            "sampling-plan": (sampling.PLAN_SCHEMA, counted.sample.plan),
        },
        counted.sample,
    )
    summary = {
        "audit_id": folder.name,
        "inputs": inputs,
        "reports": account.as_json(),
        "studies": _study_account(findings, readings, compared),
        **_counts(compared),
        "missed_rates": counted.missed_rates,
        "care": counted.care,
        "care_tables": {table.kind: vars(table.account) for table in care},
        "sampling": counted.sample.plan,
        "files": files,
    }
    write_private(folder / SUMMARY_FILE, as_json(summary))
    _point_to(out, folder)
    return AuditResult(folder, False, json.loads(as_json(summary)), cached.read_count)


def plan_audit(request: AuditRequest) -> dict[str, Any]:
    """What `run_audit` would do: reads the lake and the tables' headers and accession numbers, no text; writes
    nothing."""
    lake = Lake.open(request.lake)
    pseudonymiser = load_pseudonymiser(request.settings.identity, request.lake)
    reader = ReportReader(load_rules(request.settings.audit.language))
    inputs = _inputs(request, lake, pseudonymiser, reader)
    findings = read_findings(lake, request.model_release)
    accessions = [pseudonymiser.accession(row["accession"]) for t in request.report_tables() for row in t.rows()]
    folder = request.out.expanduser().absolute() / f"audit-{_digest(inputs)[:12]}"
    return {
        "folder": str(folder),
        "made_already": read_summary(folder) is not None,
        "report_rows": len(accessions),
        "report_rows_to_read": sum(a in findings.by_accession for a in accessions if a),
        "screened_studies": sum(s.screened for s in findings.studies.values()),
        "rules": reader.rules.release,
    }


def read_summary(folder: Path) -> dict[str, Any] | None:
    """audit.json of a complete audit; None where it is absent or a file it names is gone or was altered."""
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
        named = summary["files"].items()
        whole = all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == made["sha256"] for name, made in named)
    except (OSError, ValueError, KeyError):
        return None
    return summary if whole else None


def _inputs(request: AuditRequest, lake: Lake, pseudonymiser: Pseudonymiser, reader: ReportReader) -> dict[str, Any]:
    """Everything that decides what an audit says."""
    seen = snapshot(lake, request.model_release)
    rows = sorted((r["series_sha256"], r["vertebrae_sha256"]) for r in seen.receipts)
    return {
        "audit_version": AUDIT_VERSION,
        "lake": _digest([rows, seen.manifest_series]),
        "model_release": request.model_release,
        "reports": [table.sha256() for table in request.report_tables()],
        **{kind: table.sha256() for kind, table in request.care_tables().items()},
        "settings": request.settings.audit.model_dump(mode="json"),
        "rules": reader.rules.release,
        # another key joins other rows; the pseudonym of a fixed word tells keys apart and betrays neither
        "identity": pseudonymiser.accession("vfscreen audit"),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _care(request: AuditRequest, findings: LakeFindings, pseudonymiser: Pseudonymiser) -> list[CareTable]:
    patients = frozenset(s.patient_pseudonym for s in findings.studies.values() if s.patient_pseudonym)
    return [
        read_care(kind, table, patients, pseudonymiser, request.settings.audit)
        for kind, table in request.care_tables().items()
    ]


def _study_account(
    findings: LakeFindings, readings: Mapping[str, object], compared: Sequence[Compared]
) -> dict[str, int]:
    """Where every study of the lake went: all = not_screened + without_report + audited + not_evaluable."""
    studies = findings.studies.values()
    screened = [s for s in studies if s.screened]
    return {
        "all": len(studies),
        "not_screened": len(studies) - len(screened),
        "without_report": sum(s.study_uid not in readings for s in screened),
        "not_evaluable": sum(not c.study.evaluable for c in compared),
        "audited": sum(c.study.evaluable for c in compared),
        "without_accession": findings.without_accession,
    }


def _counts(compared: Sequence[Compared]) -> dict[str, Any]:
    found = [f for c in compared for f in c.found]
    return {
        "found": {
            "vertebrae": len(found),
            "reported": dict(sorted(Counter(f.match.value for f in found if f.match).items())),
            "not_reported": dict(sorted(Counter(f.silence.value for f in found if f.silence).items())),
        },
        "reported_not_found": dict(sorted(Counter(n.absence.value for c in compared for n in c.not_found).items())),
        "strata": dict(sorted(Counter(c.stratum for c in compared if c.study.evaluable).items())),
    }


def _write(
    folder: Path, tables: Mapping[str, tuple[pa.Schema, Sequence[Mapping[str, Any]]]], sample: SamplePlan
) -> dict[str, dict[str, Any]]:
    """Every file but the summary: name -> rows and hash."""
    files: dict[str, dict[str, Any]] = {}

    def put(name: str, data: bytes, rows: int | None) -> None:
        files[name] = {"rows": rows, "sha256": write_private(folder / name, data)}

    for name, (schema, rows) in tables.items():
        put(f"{name}.parquet", as_parquet(schema, rows), len(rows))
        put(f"{name}.csv", as_csv(schema.names, rows), len(rows))
    put("blinding-key.csv", as_csv(sampling.KEY_SCHEMA.names, sample.key), len(sample.key))
    put("reread-instructions.md", sampling.INSTRUCTIONS.encode(), None)
    for reader, sheet in sample.sheets.items():
        put(f"reread-{reader}.csv", as_csv(sampling.SHEET_COLUMNS, sheet), len(sheet))
    return files


def _point_to(out: Path, folder: Path) -> None:
    """latest.json names the audit that was asked for last."""
    write_private(out / LATEST_FILE, as_json({"audit": folder.name}))
