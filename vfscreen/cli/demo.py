"""`vfscreen demo`: a synthetic archive, a sweep over it, and what came of it against the truth.

Belongs here: options, printing, the report folder. Does not belong here: the archive (`synthesis`), the sweep (flows,
reached through the entry-point group `vfscreen.functions`), matching (`synthesis.scoring`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vfscreen.cli.common import ExitStatus, load_function, print_error

if TYPE_CHECKING:
    from rich.console import Console

    from vfscreen.lake.store import Lake
    from vfscreen.synthesis.scoring import Pair, Score
    from vfscreen.synthesis.truth import DemoTruth


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    def demo(
        out: Annotated[Path, typer.Option("--out", help="Gets archive/, lake/, report/ ...")] = Path("vfscreen-demo"),
        seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other patients.")] = 1,
        patients: Annotated[int, typer.Option("--patients", min=1, help="Six show every kind of series.")] = 6,
        workers: Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes of the sweep.")] = None,
    ) -> None:
        """Make a synthetic archive, sweep it, and compare what was found with the truth.

        Nobody in it exists. A second call with the same seed reuses the archive, and the sweep finds nothing to do.

        Examples:

            vfscreen demo

            vfscreen demo --out /tmp/demo --patients 2

            vfscreen query worklist --lake vfscreen-demo/lake
        """
        from rich.console import Console

        from vfscreen.cohort.queries import run_named, run_sql
        from vfscreen.lake.store import Lake
        from vfscreen.synthesis.demo_archive import write_demo_archive
        from vfscreen.synthesis.scoring import score

        console = Console()
        run_sweep = load_function("run_sweep")
        console.print(f"Writing {patients} synthetic patients to {out / 'archive'} (about a minute the first time) ...")
        try:
            truth = write_demo_archive(out, seed, patients)
        except FileExistsError as error:
            print_error(str(error))
            raise typer.Exit(ExitStatus.USAGE) from error
        summary = run_sweep(str(out / "archive"), str(out / "lake"), workers=workers)
        if summary.outcome != "completed":
            print_error(summary.message or f"the sweep {summary.outcome}")
            raise typer.Exit(ExitStatus.FAILED)
        lake = Lake.open(str(out / "lake"))
        console.print("\n[bold]Cohort[/bold] (vfscreen query cohort)")
        cohort = run_named(lake, "cohort")
        _print_cohort(console, cohort.rows())
        result = score(truth, *(run_sql(lake, f"SELECT * FROM {t}").rows() for t in ("series", "vertebrae", "films")))
        files = run_sql(lake, "SELECT file_state, count(*) AS n FROM files GROUP BY 1").rows()
        report = out / "report"
        report.mkdir(parents=True, exist_ok=True)
        report.joinpath("cohort.csv").write_text(cohort.csv(), encoding="utf-8")
        _print_accounting(console, truth, {r["file_state"]: r["n"] for r in files}, result)
        for title, modalities in (("CT", ("CT",)), ("radiographs", ("CR", "DX"))):
            _print_vertebrae(console, result.of(modalities), title)
        _print_flagged(console, lake, result, report)
        report.joinpath("truth-vs-found.json").write_text(json.dumps(_summary(result), indent=1), encoding="utf-8")
        _audit(console, truth, lake.url, out)
        _write_page(console, lake, report / "report.html")
        console.print(f"\n{summary.seconds:.0f} s for the sweep. Everything is in {out}.")


def _print_cohort(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a patient; all columns are in report/cohort.csv."""
    from rich.table import Table

    table = Table(
        *("patient", "age", "sex", "exams", "graded", "max grade", "fractured", "SDI", "P(>= 2)"),
        box=None,
        header_style="bold",
    )
    for row in rows:
        probability = row["grade2_probability"]
        cells = [
            (row["patient_pseudonym"] or "unknown")[:8],
            *(row[name] for name in ("PatientAge_years", "PatientSex", "exam_count", "graded_vertebra_count")),
            *(row[name] for name in ("max_genant_grade", "fractured_levels", "sdi")),
            None if probability is None else f"{probability:.2f}",
        ]
        table.add_row(
            *("" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells)
        )
    console.print(table)


def _print_accounting(console: Console, truth: DemoTruth, files: dict[str, int], result: Score) -> None:
    console.print("\n[bold]Accounting against the truth[/bold]")
    for state in sorted({*truth.files, *files}):
        right = files.get(state, 0) == truth.files.get(state, 0)
        console.print(
            f"  files {state}: {files.get(state, 0)} of {truth.files.get(state, 0)}{'' if right else '  <- differs'}"
        )
    expected = Counter(s.expected_reason or s.expected_state for s in truth.series)
    differing = Counter(s.expected_reason or s.expected_state for s, _, _ in result.unexpected)
    for outcome, count in sorted(expected.items()):
        console.print(f"  series {outcome}: {count - differing[outcome]} of {count}")
    missing = Counter(f.expected_reason or f.expected_state for f, _, _ in result.unexpected_films)
    for outcome, count in sorted(result.films_by_outcome.items()):
        console.print(f"  films {outcome}: {count - missing[outcome]} of {count}")
    for series, state, reason in result.unexpected:
        wanted = series.expected_reason or series.expected_state
        console.print(f"  {series.SeriesDescription} ({series.PatientID}): {wanted} expected, {reason or state} found")


def _print_vertebrae(console: Console, result: Score, title: str) -> None:
    from rich.table import Table

    errors = result.point_errors_mm
    if not result.pairs:
        return
    console.print(f"\n[bold]Vertebrae against the truth: {title}[/bold]")
    mean = f", six points off by {sum(errors) / len(errors):.2f} mm on average" if errors else ""
    console.print(
        f"  {len(result.whole)} whole vertebrae: {len(result.matched)} matched, {len(result.missed)} missed, "
        f"{len(result.extra)} extra, {len(result.level_errors)} with another level{mean}"
    )
    table = Table("true grade (raw)", "found 0", "found 1", "found 2", "found 3", "not graded", box=None)
    for grade, counts in enumerate(result.grade_confusion):
        table.add_row(str(grade), *(str(c) for c in counts))
    console.print(table)
    for pair in result.whole:
        if pair.truth.genant_grade_raw > 0:
            console.print(f"  {_line(pair)}")


def _line(pair: Pair) -> str:
    true = pair.truth
    text = (
        f"{pair.series.PatientID} {pair.series.StudyDate} {pair.series.modality} "
        f"{true.vertebra_level} {true.deformity_type} "
        f"grade {true.genant_grade_raw} (loss {true.height_loss_ratio_raw:.2f}): "
    )
    if pair.found is None:
        return text + "missed"
    loss, raw, grade = (pair.found[n] for n in ("height_loss_ratio_raw", "genant_grade_raw", "genant_grade"))
    if loss is None:
        return text + f"found, not graded ({pair.found['reason_code']})"
    return (
        text
        + f"{pair.found['vertebra_level']} {pair.found['deformity_type']} grade {grade} (raw {raw}, loss {loss:.2f})"
    )


def _print_flagged(console: Console, lake: Lake, result: Score, report: Path) -> None:
    """Copy the overlay pictures out of the lake; one line a flagged vertebra."""
    from vfscreen.cohort.queries import run_sql

    rows = run_sql(lake, _FLAGGED).rows()
    console.print(f"\n[bold]Flagged vertebrae[/bold] ({len(rows)}) and their pictures")
    copied: dict[str, Path] = {}
    for row in rows:
        inside = row["overlay_path"]
        if inside is None:
            console.print(f"  {row['vertebra_level'] or '?'} grade {row['genant_grade']}: no picture was drawn")
            continue
        if inside not in copied:
            copied[inside] = report / Path(inside).name
            copied[inside].write_bytes(lake.read_bytes(inside))
        console.print(
            f"  {row['vertebra_level'] or '?'} grade {row['genant_grade']} ({row['modality']} {row['study_date']}): "
            f"{copied[inside]}",
            soft_wrap=True,
        )


_FLAGGED = """
SELECT v.vertebra_level, v.genant_grade, v.modality, s.StudyDate AS study_date,
    coalesce(f.overlay_path, s.overlay_path) AS overlay_path
FROM vertebrae AS v
JOIN series AS s USING (StudyInstanceUID, SeriesInstanceUID)
LEFT JOIN films AS f USING (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID)
WHERE v.genant_grade >= 1
ORDER BY s.patient_pseudonym, s.StudyDate, v.SeriesInstanceUID, v.vertebra_index
"""


def _audit(console: Console, truth: DemoTruth, lake: str, out: Path) -> None:
    """Write the archive's reports, audit them, and say how many of the planted unreported fractures are listed."""
    from vfscreen.audit.run import run_audit
    from vfscreen.cli.audit import print_summary, request_of
    from vfscreen.synthesis.demo_reports import write_demo_reports

    planted = write_demo_reports(out, truth)
    made = run_audit(request_of(lake, out, out / "audit"))
    console.print("\n[bold]Audit of the reports[/bold] (vfscreen audit run)")
    print_summary(console, made.summary, made.folder)
    listed = sum(made.summary["found"]["not_reported"].values())
    console.print(f"{len(planted.not_reported)} unreported fractures were planted; {listed} are listed as not reported")


def _write_page(console: Console, lake: Lake, page: Path) -> None:
    """The page of `vfscreen report` about the demo's lake."""
    from vfscreen.report.page.build import ReportOptions, build_report

    made = build_report(lake, page, ReportOptions(note="Synthetic data: nobody in it exists."))
    page.write_text(made.html, encoding="utf-8")
    console.print(f"\n[bold]Report[/bold] (vfscreen report): {page}, {made.size_bytes / 1e6:.1f} MB", soft_wrap=True)


def _summary(result: Score) -> dict[str, Any]:
    """The comparison as plain values for report/truth-vs-found.json."""
    counts = {
        name: {"whole": len(part.whole), "matched": len(part.matched), "missed": len(part.missed),
               "extra": len(part.extra), "level_errors": len(part.level_errors)}
        for name, part in (("CT", result.of(("CT",))), ("films", result.of(("CR", "DX"))))
    }  # fmt: skip
    return {
        "by_modality": counts,
        "unexpected_films": [
            {"SOPInstanceUID": f.SOPInstanceUID, "expected": f.expected_reason, "state": state, "reason": reason}
            for f, state, reason in result.unexpected_films
        ],
        "whole_vertebrae": len(result.whole),
        "matched": len(result.matched),
        "missed": [f"{p.series.SeriesInstanceUID} {p.truth.vertebra_level}" for p in result.missed],
        "extra": [f"{r['SeriesInstanceUID']} {r['vertebra_index']}" for r in result.extra],
        "level_errors": len(result.level_errors),
        "point_errors_mm": [round(e, 3) for e in result.point_errors_mm],
        "grade_confusion": result.grade_confusion,
        "unexpected_series": [
            {"SeriesInstanceUID": s.SeriesInstanceUID, "expected": s.expected_reason, "state": state, "reason": reason}
            for s, state, reason in result.unexpected
        ],
    }
