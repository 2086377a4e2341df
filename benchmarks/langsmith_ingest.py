"""Reading LangSmith: requests, own time and memory for a large experiment.

    python benchmarks/langsmith_ingest.py [RUNS] [FEEDBACK_PER_RUN]

Starts the tests' stand-in server as a process of its own, reads the experiment in another
one, and prints what the reading cost it: requests against the fewest possible, seconds of
its own processor time, the most memory it held. Exits with 1 if a limit is passed. Memory
may not grow with the experiment; the time is 5 s for 10,000 runs with 4 rows each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
STAND_IN = REPOSITORY / "tests" / "support" / "langsmith_server.py"
MEMORY_CEILING_MB = 200
SECONDS_PER_ROW = 5.0 / 50_000
SPARE_REQUESTS = 4
KEY = "lsv2_pt_0123456789abcdef_stand_in"

READ = """
import json, resource, sys, time
from loader.records.checker import Checker, Defaults
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes
from loader.warehouse.seeds import read_vocabulary

def seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

client = LangSmith()
started, begin = seconds(), time.monotonic()
source = LangSmithSource(client, "large", Wishes(Defaults(experiment_id="exp")))
checker = Checker(read_vocabulary(), accept_feedback=True)
runs = sum(checker.check(row.fields) is not None for row in source.rows())
print(json.dumps({
    "runs": runs, "feedback": source.reference()["feedback"], "requests": client.requests,
    "own_seconds": seconds() - started, "wall_seconds": time.monotonic() - begin,
    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?", default=10_000)
    parser.add_argument("feedback", type=int, nargs="?", default=4)
    options = parser.parse_args()
    found = measure(options.runs, options.feedback)
    rows = options.runs * options.feedback
    fewest = math.ceil(options.runs / 1000) + rows // 100 + 1
    checks = [
        ("requests", found["requests"], fewest + SPARE_REQUESTS),
        ("own seconds", round(found["own_seconds"], 2), (options.runs + rows) * SECONDS_PER_ROW),
        ("memory MB", round(found["memory_mb"]), MEMORY_CEILING_MB),
    ]
    print(f"{found['runs']:,} runs, {found['feedback']:,} feedback rows, "
          f"{found['wall_seconds']:.1f} s with the server's time")  # fmt: skip
    for name, value, limit in checks:
        print(f"{name:12} {value:>8}  limit {limit:>8}  {'ok' if value <= limit else 'MISSED'}")
    complete = found["runs"] == options.runs and found["feedback"] == rows
    return 0 if complete and all(value <= limit for _, value, limit in checks) else 1


def measure(runs: int, feedback: int) -> dict[str, Any]:
    """Read so many runs with so many feedback rows each; return what it cost."""
    server = subprocess.Popen(
        [sys.executable, str(STAND_IN), "--runs", str(runs), "--feedback", str(feedback)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None  # noqa: S101  it is a pipe
        address = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as home:
            environment = {
                **{k: v for k, v in os.environ.items() if not k.startswith("LANG")},
                "LANGSMITH_ENDPOINT": address,
                "LANGSMITH_API_KEY": KEY,
                "LANGSMITH_CONFIG_FILE": f"{home}/none.json",
                "NO_PROXY": "*",
            }
            output = subprocess.run(
                [sys.executable, "-c", READ],
                check=True,
                env=environment,
                cwd=REPOSITORY,
                stdout=subprocess.PIPE,
            ).stdout
    finally:
        server.kill()
        server.wait()
    found: dict[str, Any] = json.loads(output)
    return found


if __name__ == "__main__":
    sys.exit(main())
