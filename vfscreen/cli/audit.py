"""`vfscreen audit`: reports beside findings, blinded sheets back as a reference standard, and the rules tried on a
text.

Belongs here: options and printing. Does not belong here: the audit (`vfscreen.audit`). A command of the library, since
by hand an audit needs no Prefect: it reads a lake, writes one folder, and may be repeated; flows.audit runs it every
week.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vfscreen.cli.common import print_json
from vfscreen.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from vfscreen.audit.run import AuditRequest

RUN_EPILOG = """
**Examples**

`vfscreen audit run --lake LAKE --reports reports.csv --out audits` writes `audits/audit-ID`; again, it changes nothing.

`vfscreen audit run --lake s3://results/lake --reports s3://ris/reports.parquet --codes codes.csv --out audits --json`

`vfscreen audit run --lake LAKE --reports reports.csv --out audits --dry-run` says how many reports would be read.
"""

IMPORT_EPILOG = """
**Examples**

`vfscreen audit import-reread reread-*.csv --key audits/audit-ID/blinding-key.csv --out reference.parquet`
"""

CORRECT_EPILOG = """
**Examples**

`vfscreen audit correct reference.parquet --audit audits/audit-ID` writes `corrected-rates` into the audit's folder.
"""

READ_EPILOG = """
**Examples**

`vfscreen audit read "No acute fracture. Chronic wedge deformity of T12."`

`vfscreen audit read --language de < befund.txt`
"""


def register(app: typer.Typer) -> None:
    """Add the command's group to the program."""
    group = typer.Typer(
        name="audit",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        help="Which found fractures did the reports miss? Lists, rates, and a blinded re-reading.",
    )
    _register_run(group)
    _register_import(group)
    _register_correct(group)
    _register_read(group)
    app.add_typer(group)


def _register_run(group: typer.Typer) -> None:
    @group.command("run", epilog=RUN_EPILOG)
    def run(
        lake: Annotated[str, typer.Option("--lake", help="Folder or s3:// URL of the lake.")],
        reports: Annotated[
            list[str], typer.Option("--reports", help="CSV or Parquet: accession, date, text. May be repeated.")
        ],
        out: Annotated[Path, typer.Option("--out", help="Local folder outside the lake; only you may read it.")],
        codes: Annotated[str | None, typer.Option("--codes", help="Diagnosis codes: patient_id, date, code.")] = None,
        treatments: Annotated[
            str | None, typer.Option("--treatments", help="Treatments: patient_id, date, treatment.")
        ] = None,
        dxa: Annotated[str | None, typer.Option("--dxa", help="DXA results: patient_id, date, t_score.")] = None,
        settings_file: Annotated[Path | None, typer.Option("--settings", help="YAML file of settings.")] = None,
        model_release: Annotated[
            str | None, typer.Option("--model-release", help="Rows of this release; default: each series' newest.")
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read; write nothing.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        """Join reports to the lake's findings; write lists, missed rates, a sampling plan and re-read sheets.

        What is written holds report text: it goes to a folder that only you can read, never into the lake. The summary
        holds none. docs/audit.md says what each list means, and what a missed rate is not.
        """
        from rich.console import Console

        from vfscreen.audit.run import AuditRequest, plan_audit, run_audit

        request = AuditRequest(
            lake, tuple(reports), out, load_settings(settings_file), codes, treatments, dxa, model_release
        )
        if dry_run:
            plan = plan_audit(request)
            print_json(plan) if as_json else typer.echo(plan_text(plan))
            return
        result = run_audit(request)
        if as_json:
            print_json({"folder": str(result.folder), "reused": result.reused, **result.summary})
        else:
            print_summary(Console(), result.summary, result.folder, reused=result.reused)


def _register_import(group: typer.Typer) -> None:
    @group.command("import-reread", epilog=IMPORT_EPILOG)
    def import_reread(
        sheets: Annotated[list[Path], typer.Argument(help="Sheets that came back, one or more readers'.")],
        key: Annotated[Path, typer.Option("--key", help="blinding-key.csv of the audit the sheets are of.")],
        out: Annotated[Path, typer.Option("--out", help="Reference standard, .parquet or .csv.")],
        partial: Annotated[bool, typer.Option("--partial", help="Leave out rows that are not filled in yet.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    ) -> None:
        """Take the blinding off re-read sheets and check them, row by row: a reference standard for `vfscreen
        evaluate`.

        Nothing is written if a single row is wrong; every problem is named with its line.
        """
        from vfscreen.audit.reread import read_sheets, write_reference

        rows, empty = read_sheets(sheets, key, partial=partial)
        write_reference(out, rows)
        readers = sorted({r["reader"] for r in rows})
        counts = {
            "out": str(out),
            "rows": len(rows),
            "studies": len({r["StudyInstanceUID"] for r in rows}),
            "readers": readers,
            "not_evaluable": sum(r["sq_grade_reader"] is None for r in rows),
            "not_filled_in": empty,
        }
        if as_json:
            print_json(counts)
        else:
            typer.echo(
                f"{counts['rows']} readings of {counts['studies']} studies by {', '.join(readers)} in {out}; "
                f"{counts['not_evaluable']} not evaluable, {empty} not filled in and left out"
            )


def _register_correct(group: typer.Typer) -> None:
    @group.command("correct", epilog=CORRECT_EPILOG)
    def correct(
        reference: Annotated[Path, typer.Argument(help="What import-reread wrote: .parquet or .csv.")],
        audit: Annotated[Path, typer.Option("--audit", help="Folder of the audit whose sheets were read.")],
        as_json: Annotated[bool, typer.Option("--json", help="Print the rates as JSON.")] = False,
    ) -> None:
        """Correct the missed rates by what readers saw, over all studies that were audited, with intervals.

        docs/audit.md says what each rate is of. Nothing of the audit itself changes.
        """
        from vfscreen.audit.corrected import MEASURES, correct_audit
        from vfscreen.audit.inputs import AuditInputError
        from vfscreen.audit.run import read_summary

        summary = read_summary(audit)
        if summary is None:
            raise AuditInputError(f"{audit} holds no complete audit: name the folder of one, audits/audit-ID")
        made = correct_audit(audit, summary, reference)
        if as_json:
            print_json(made)
            return
        typer.echo(f"{made['read_studies']} of {made['drawn_studies']} studies read by {made['readers']} reader(s)")
        for row in made["rates"]:
            if (row["unit"], row["grouping"]) == ("vertebra", "all"):
                value = "-" if row["share"] is None else f"{row['share']:.2f}"
                why = f" ({row['reason']})" if row["reason"] else ""
                typer.echo(f"{value} ({_interval(row['low'], row['high'])}){why}: {MEASURES[row['measure']]}")


def _register_read(group: typer.Typer) -> None:
    @group.command("read", epilog=READ_EPILOG)
    def read(
        text: Annotated[str | None, typer.Argument(help="A report, or a sentence; stdin if left out.")] = None,
        language: Annotated[str, typer.Option("--language", help="en, de, or a rule file.")] = "en",
        as_json: Annotated[bool, typer.Option("--json", help="Print the mentions as JSON.")] = False,
    ) -> None:
        """Show what the rules read in a text: each mention of a vertebral fracture and the words that decided."""
        from vfscreen.audit.mentions import ReportReader
        from vfscreen.audit.rules import load_rules

        mentions = ReportReader(load_rules(language)).read(sys.stdin.read() if text is None else text)
        if as_json:
            print_json([asdict(m) for m in mentions])
            return
        for m in mentions:
            details = [f"levels {', '.join(m.levels)}" if m.levels else "no level", f"'{m.target}'"]
            details += [f"because of '{m.cue}'"] if m.cue else []
            details += ["new ones only"] if m.recent_only else []
            details += [f"grade {m.grade}"] if m.grade is not None else []
            typer.echo(f"{m.status.value}: {'; '.join(details)}")
        if not mentions:
            typer.echo("no vertebral fracture is mentioned")


def plan_text(plan: Mapping[str, Any]) -> str:
    """A dry run for a person."""
    made = "is complete already and would be left as it is" if plan["made_already"] else "would be written"
    return (
        f"would read {plan['report_rows_to_read']} of {plan['report_rows']} reports with rules {plan['rules']} for "
        f"{plan['screened_studies']} screened studies; {plan['folder']} {made}; nothing was written"
    )


def print_summary(console: Console, summary: Mapping[str, Any], folder: Path, *, reused: bool = False) -> None:
    """The audit's account and its overall rates."""
    from rich.table import Table

    reports, studies, found = summary["reports"], summary["studies"], summary["found"]
    console.print(
        f"{reports['rows']} reports: {reports['read']} read, {reports['not_in_lake']} of no study of the lake, "
        f"{reports['without_accession']} without accession number, {reports['without_text']} without text"
    )
    console.print(
        f"{studies['all']} studies: {studies['audited']} audited, {studies['without_report']} without report, "
        f"{studies['not_evaluable']} without a graded vertebra, {studies['not_screened']} not screened"
    )
    table = Table(
        "missed", "found", "not reported", "rate", "95 % interval", "by patients", box=None, header_style="bold"
    )
    for row in summary["missed_rates"]:
        if row["grouping"] == "all":
            table.add_row(
                row["unit"],
                str(row["found_count"]),
                str(row["not_reported_count"]),
                "-" if row["missed_rate"] is None else f"{row['missed_rate']:.2f}",
                _interval(row["wilson_low"], row["wilson_high"]),
                _interval(row["clustered_low"], row["clustered_high"]),
            )
    console.print(table)
    for title, counts in (
        ("found, not reported", found["not_reported"]),
        ("reported, not found", summary["reported_not_found"]),
    ):
        words = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()) or "none"
        console.print(f"{title}: {words}")
    console.print(f"{'Made before: ' if reused else ''}{folder}", soft_wrap=True)


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f}-{high:.2f}"


def request_of(lake: str, folder: Path, out: Path) -> AuditRequest:
    """The audit of a demo: its reports and tables lie in `folder`."""
    from vfscreen.audit.run import AuditRequest

    return AuditRequest(
        lake,
        (str(folder / "reports.csv"),),
        out,
        codes=str(folder / "codes.csv"),
        treatments=str(folder / "treatments.csv"),
        dxa=str(folder / "dxa.csv"),
    )
