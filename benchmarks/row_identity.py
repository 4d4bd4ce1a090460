"""Does the way the work is cut change a single row? Sweeps one archive several ways and compares the lakes.

    python benchmarks/row_identity.py ARCHIVE [--kills 20] [--seed 1]

Sweeps with one worker, two workers, and shards of one, three and all studies; then once more with the whole process
group killed (SIGKILL) at random moments, `--kills` times, and resumed. Every lake's series and vertebrae must equal the
first one's in all columns but those that say when and by what run a row was made. Ends with status 1 if one does not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vfscreen.lake.store import Lake
from vfscreen.lake.views import connect

VOLATILE = ("run_id", "shard_id", "seconds_read", "seconds_inference")
WAYS = {
    "1 worker": ["--workers", "1"],
    "2 workers": ["--workers", "2"],
    "shards of 1 study": ["--workers", "2", "--shard-studies", "1"],
    "shards of 3 studies": ["--workers", "2", "--shard-studies", "3"],
    "one shard": ["--workers", "1", "--shard-studies", "100000"],
}


def sweep_command(archive: str, lake: Path, options: list[str]) -> list[str]:
    program = Path(sys.executable).with_name("vfscreen")
    return [str(program), "sweep", archive, "--lake", str(lake), *options]


def rows(lake: Path) -> dict[str, list[tuple[object, ...]]]:
    """Both tables, sorted, without the volatile columns."""
    with connect(Lake.open(str(lake))) as connection:
        return {
            table: connection.execute(f"SELECT * EXCLUDE ({', '.join(names)}) FROM {table} ORDER BY ALL").fetchall()
            for table, names in (("series", VOLATILE), ("vertebrae", VOLATILE[:2]))
        }


def killed_and_resumed(command: list[str], environment: dict[str, str], kills: int, generator: random.Random) -> int:
    """Kill the sweep's process group `kills` times at random moments, then let it end; returns the kills that hit."""
    hits = 0
    for _ in range(kills):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + generator.uniform(2.0, 40.0)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            hits += 1
        process.wait()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    arguments = parser.parse_args()
    same = True
    with tempfile.TemporaryDirectory(prefix="vfscreen-identity-") as folder:
        environment = {**os.environ, "VFSCREEN_IDENTITY_KEY": "row identity benchmark, not a secret"}
        reference: dict[str, list[tuple[object, ...]]] | None = None
        for number, way in enumerate(arguments.ways):
            lake = Path(folder) / f"lake{number}"
            started = time.monotonic()
            command = sweep_command(arguments.archive, lake, WAYS[way])
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            found = rows(lake)
            reference = reference or found
            same &= report(way, found, reference, time.monotonic() - started)
        if arguments.kills and reference is not None:
            lake = Path(folder) / "killed"
            command = sweep_command(arguments.archive, lake, ["--workers", "2", "--shard-studies", "3"])
            started = time.monotonic()
            hits = killed_and_resumed(command, environment, arguments.kills, random.Random(arguments.seed))
            same &= report(f"{hits} kills", rows(lake), reference, time.monotonic() - started)
    sys.exit(0 if same else 1)


def report(
    way: str,
    found: dict[str, list[tuple[object, ...]]],
    reference: dict[str, list[tuple[object, ...]]],
    seconds: float,
) -> bool:
    same = found == reference
    counts = ", ".join(f"{len(rows)} {table} rows" for table, rows in found.items())
    print(f"{way:<20} {counts}: {'identical' if same else 'DIFFERENT'}   ({seconds:.0f} s)", flush=True)
    return same


if __name__ == "__main__":
    main()
