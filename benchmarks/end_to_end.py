"""Seconds a CT from DICOM files to rows in the lake, as a ratio to the time it takes merely to decode the same files.

    python benchmarks/end_to_end.py --series 4 --repeats 3 [--workers 2] [--threads 2] [--syntax raw jpegls]

Data: synthetic trunk CTs of 400 slices of 512 x 512 (`vfscreen.synthesis.benchmark_series`), different patients,
written to a temporary folder and read once beforehand, so from the page cache. Everything runs side by side on this
machine: `pydicom` decodes every file into a preallocated int16 array, one thread; `ours` is `read_volume`; `end to end`
is `run_shard`, the code a worker runs: read, decode, screen, draw the overlay, write the lake. With `--workers` that
many processes share the CTs and the threads, as a sweep's workers do; they start together once their models are
loaded, and the seconds are those of the last to end. Peak memory is the largest resident set of one of them, models
included. Ratios with a 95 % confidence interval over the repeats (Student's t).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless
from scipy.stats import t as student

SYNTAXES = {"raw": str(ExplicitVRLittleEndian), "jpegls": str(JPEGLSLossless)}
TARGETS = {"raw": 2.5, "jpegls": 1.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=4, help="CTs an archive")
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes that share the CTs")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch and OpenVINO, of all workers together")
    parser.add_argument("--syntax", nargs="+", choices=sorted(SYNTAXES), default=["raw", "jpegls"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {}
    for syntax in arguments.syntax:
        with tempfile.TemporaryDirectory(prefix="vfscreen-bench-") as folder:
            results[syntax] = measure(Path(folder), syntax, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def measure(folder: Path, syntax: str, arguments: argparse.Namespace) -> dict[str, Any]:
    from vfscreen.screening.indexing import index_archive
    from vfscreen.settings import load_settings
    from vfscreen.synthesis.benchmark_series import write_benchmark_series

    archive, lake = folder / "archive", folder / "lake"
    for seed in range(1, arguments.series + 1):
        write_benchmark_series(
            archive / f"ct{seed}", slices=arguments.slices, transfer_syntax=SYNTAXES[syntax], seed=seed
        )
    settings = load_settings(identity={"key_file": str(folder / "key")})
    index_archive(str(archive), str(lake), settings)
    files = sorted(p for p in archive.rglob("*") if p.is_file())
    for path in files:
        path.read_bytes()

    readings: dict[str, list[float]] = {"pydicom": [], "ours": [], "end_to_end": []}
    peaks, found = [], 0
    for repeat in range(arguments.repeats):
        readings["pydicom"].append(_timed(lambda: decode_with_pydicom(archive)) / arguments.series)
        readings["ours"].append(_timed(lambda: decode_with_ours(archive, lake)) / arguments.series)
        seconds, peak, found = _in_fresh_processes(str(archive), str(lake), f"bench-{repeat}", arguments, folder)
        readings["end_to_end"].append(seconds / arguments.series)
        peaks.append(peak)

    print(
        f"\n{syntax}: {arguments.series} synthetic CTs of {arguments.slices} slices 512 x 512, {found} vertebrae found,"
    )
    print(f"  {arguments.repeats} repeats, {arguments.workers} workers, {arguments.threads} inference threads in all")
    for name, values in readings.items():
        print(f"  {name:<11} {statistics.mean(values):7.2f} s a CT   ({', '.join(f'{v:.2f}' for v in values)})")
    ratios = {}
    for reader in ("pydicom", "ours"):
        ratio = [e / d for e, d in zip(readings["end_to_end"], readings[reader], strict=True)]
        mean, half = _interval(ratio)
        ratios[reader] = {"mean": mean, "ci95": [mean - half, mean + half], "values": ratio}
        print(
            f"  end to end / {reader:<8} {mean:5.2f}  95 % CI {mean - half:.2f} to {mean + half:.2f}"
            f"  n={len(ratio)} (target <= {TARGETS[syntax]})"
        )
    print(f"  peak memory of the worker {max(peaks) / 2**30:.2f} GiB (target <= 2)")
    return {"seconds_a_ct": readings, "ratios": ratios, "peak_bytes": max(peaks), "vertebrae": found}


def decode_with_pydicom(archive: Path) -> None:
    """Every file of each series into one preallocated volume: what a plain reader does."""
    for series in sorted(p for p in archive.iterdir() if p.is_dir()):
        files = sorted(p for p in series.rglob("*") if p.is_file())
        first = dcmread(files[0])
        volume = np.empty((len(files), first.Rows, first.Columns), np.int16)
        for k, path in enumerate(files):
            volume[k] = dcmread(path).pixel_array


def decode_with_ours(archive: Path, lake: Path) -> None:
    from vfscreen.ingest.decode import read_volume
    from vfscreen.lake.manifest import files_of_series
    from vfscreen.lake.store import Lake

    opened = Lake.open(str(lake))
    for key in _keys(opened):
        read_volume(str(archive), files_of_series(opened, [key])[key])


def _keys(lake: Any) -> list[tuple[str, str]]:
    from vfscreen.lake.views import connect

    with connect(lake) as connection:
        return list(
            connection.execute("SELECT StudyInstanceUID, SeriesInstanceUID FROM manifest WHERE selected").fetchall()
        )


def _in_fresh_processes(
    archive: str, lake: str, release: str, arguments: argparse.Namespace, folder: Path
) -> tuple[float, int, int]:
    """Seconds, peak bytes of the largest worker and vertebrae of one pass over every study, in new processes."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(arguments.workers)
    studies = -(-arguments.series // arguments.workers)
    jobs = [
        (archive, lake, release, part, studies, max(1, arguments.threads // arguments.workers), str(folder / "key"))
        for part in range(-(-arguments.series // studies))
    ]
    if len(jobs) != arguments.workers:
        raise SystemExit(f"{arguments.series} CTs cannot be shared evenly among {arguments.workers} workers")
    with context.Pool(arguments.workers, initializer=_meet_at, initargs=(together,)) as pool:
        began, ended, peaks, found = zip(*pool.starmap(_work, jobs, chunksize=1), strict=True)
    return max(ended) - min(began), max(peaks), sum(found)


_together: Any = None


def _meet_at(barrier: Any) -> None:
    global _together
    _together = barrier


def _work(
    archive: str, lake: str, release: str, part: int, studies: int, threads: int, key_file: str
) -> tuple[float, float, int, int]:
    """When one worker began and ended its shard (system clock), its peak bytes, and the vertebrae it found."""
    import torch

    from vfscreen.lake.plan import iter_shards
    from vfscreen.lake.store import Lake
    from vfscreen.models.registry import load_models
    from vfscreen.screening.shard import run_shard
    from vfscreen.settings import load_settings

    torch.set_num_threads(threads)
    settings = load_settings(identity={"key_file": key_file})
    loaded = load_models(threads=threads, screening=settings.screening)
    models = replace(loaded, release=release)  # a name of its own, so that the work is done anew
    shard = list(iter_shards(Lake.open(lake), release, shard_studies=studies))[part]
    _together.wait()
    began = time.time()
    summary = run_shard(archive, lake, shard, settings, release, models)
    ended = time.time()
    if summary.screened_count != len(shard.studies):
        raise SystemExit(f"only {summary.screened_count} of {len(shard.studies)} CTs were screened")
    return began, ended, _peak_bytes(), summary.vertebra_count


def _peak_bytes() -> int:
    """Largest resident set of this process. Not ru_maxrss: a new process starts with its parent's."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _interval(values: list[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % confidence interval."""
    if len(values) < 2:
        return values[0], float("nan")
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), half


if __name__ == "__main__":
    main()
