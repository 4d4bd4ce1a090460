"""`python -m tests.faults.sweep_process OPTIONS`: a sweep in a process of its own, to be killed by a test.

OPTIONS is a JSON object of arguments of flows.cli.run_sweep. Exits like `vfscreen sweep`: 0 only if all was done.
"""

from __future__ import annotations

import json
import sys

from flows.cli import run_sweep

if __name__ == "__main__":
    summary = run_sweep(**json.loads(sys.argv[1]))
    print(json.dumps(summary.as_json()))
    sys.exit(0 if summary.outcome == "completed" else 1)
