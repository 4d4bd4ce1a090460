"""How long named queries take on a large lake: `python -m benchmarks.cohort_queries [--vertebrae N] [--lake FOLDER]`.

Belongs here: timing and the JSON it prints. Does not belong here: the lake (`cohort_lake`) or its rows (`cohort_rows`).

A lake of N vertebra rows is drawn (or the one in FOLDER taken as it is), prepared as a sweep does at its end, and each
named query is asked on one open cohort, several times; reported are the first and the median by the clock, and the
smallest CPU time of all threads: on a machine that does other work, CPU seconds over cores say what a quiet one takes.
Opening and preparing are stated apart. `vertebrae`, which exports every column of every row, is not a question of speed
and is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.cohort_lake import write_lake
from vfscreen.cohort.filter import CohortFilter
from vfscreen.cohort.prepared import prepare
from vfscreen.cohort.queries import Cohort, open_cohort
from vfscreen.lake import paths
from vfscreen.lake.store import Lake
from vfscreen.schema.names import SDI_LEVELS

QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "prevalence": ("prevalence", {}),
    "prevalence by site and year": ("prevalence", {"by": ("site", "year")}),
    "prevalence, T4-L4, raw grade, certain levels": (
        "prevalence",
        {"grade": "raw", "level_certain": True, "levels": SDI_LEVELS},
    ),
    "levels": ("levels", {}),
    "grades": ("grades", {}),
    "sdi": ("sdi", {}),
    "incident": ("incident", {}),
    "incident by age and sex, any level": ("incident", {"by": ("age", "sex"), "level_certain": False}),
    "density": ("density", {}),
    "cohort: women 65-80, L1 < 110 HU or grade >= 2, no contrast, 2019-2024": (
        "cohort",
        {"sex": ("F",), "age_min": 65, "age_max": 80, "density_below_hu": 110.0, "l1_only": True, "grade_min": 2,
         "match": "any", "contrast": ("non_contrast",), "date_from": "2019-01-01", "date_to": "2024-12-31"},
    ),
    "cohort: everybody": ("cohort", {}),
    "worklist": ("worklist", {"grade_min": 2}),
    "flow": ("flow", {"age_min": 50}),
    "drift": ("drift", {}),
    "reasons": ("reasons", {}),
    "runs": ("runs", {}),
}  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of CPU, result."""
    started, worked = time.perf_counter(), time.process_time()
    result = work()
    return round(time.perf_counter() - started, 3), round(time.process_time() - worked, 3), result


def measure(cohort: Cohort, repeats: int) -> dict[str, dict[str, Any]]:
    found = {}
    for title, (name, values) in QUESTIONS.items():
        question = CohortFilter.of(**values)
        runs = [timed(partial(cohort.ask, name, question)) for _ in range(repeats)]
        found[title] = {
            "first_s": runs[0][0],
            "median_s": round(statistics.median(r[0] for r in runs), 3),
            "cpu_s": min(r[1] for r in runs),
            "rows": runs[-1][2].row_count,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vertebrae", type=int, default=10_000_000)
    parser.add_argument("--shard-studies", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lake", type=Path, help="Use this folder: drawn if it is not there, left as it is if it is.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vfscreen-bench-") as folder:
        url = arguments.lake or Path(folder, "lake")
        report: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "duckdb": duckdb.__version__}
        report["load_average_before"] = os.getloadavg()[0]
        if not Path(url, paths.LAKE_FILE).exists():
            report["drawn_s"], _, report["lake"] = timed(
                lambda: write_lake(url, arguments.vertebrae, arguments.shard_studies, arguments.seed)
            )
        lake = Lake.open(url)
        report["receipts"] = len(lake.store.list_files(paths.RECEIPTS))
        report["prepare_s"], report["prepare_cpu_s"], _ = timed(lambda: prepare(lake))
        report["prepared_mb"] = round(sum(f.size for f in lake.store.list_files(paths.PREPARED)) / 1e6, 1)
        context = open_cohort(lake, prepared=True)
        report["open_prepared_s"], report["open_prepared_cpu_s"], cohort = timed(context.__enter__)
        try:
            counts = cohort.ask("levels", CohortFilter(exams="all")).table["vertebrae"].to_numpy()
            report["vertebrae_each_once"] = int(counts.sum())
            report["queries"] = measure(cohort, arguments.repeats)
        finally:
            context.__exit__(None, None, None)
        report["slowest_median_s"] = max(q["median_s"] for q in report["queries"].values())
        report["slowest_cpu_s_over_cores"] = max(q["cpu_s"] for q in report["queries"].values()) / report["cores"]
        report["load_average_after"] = os.getloadavg()[0]
        print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
