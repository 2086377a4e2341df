"""Reading LangSmith: requests, own time and memory for a large experiment.

    python benchmarks/langsmith_ingest.py [RUNS] [FEEDBACK_PER_RUN] [OUTPUT_BYTES]

Starts the tests' stand-in server as a process of its own, reads the experiment in another
one, and prints what the reading cost it: requests against the fewest possible, seconds of
its own processor time, the most memory it held. Exits with 1 if a limit is passed. Memory
is the highest resident set of the whole process, some 60 MB of which are Python, the SDK
and what they import; it may not grow with the experiment. The time is 5 s for 10,000 runs
with 4 rows each. With OUTPUT_BYTES the runs are read with inputs and outputs, and each has
an output of that size: pages are smaller then, and not held to the fewest.

Without arguments: 20,000 runs with 5 rows each, then 2,000 with outputs of 200 kB.
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

from measures import report

REPOSITORY = Path(__file__).resolve().parent.parent
STAND_IN = REPOSITORY / "tests" / "support" / "langsmith_server.py"
MEMORY_MB = 100
MEMORY_WITH_OUTPUTS_MB = 150
SECONDS_PER_ROW = 5.0 / 50_000
# /info, /sessions, /feedback-configs, /examples/count, and the feedback page that ends it
SPARE_REQUESTS = 5
USUAL = ((20_000, 5, 0), (2_000, 1, 200_000))
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
wishes = Wishes(Defaults(experiment_id="exp"), with_io=sys.argv[1] == "with-io")
source = LangSmithSource(client, "large", wishes)
checker = Checker(read_vocabulary(), accept_feedback=True)
runs = sum(checker.check(row.fields) is not None for row in source.rows())
print(json.dumps({
    "runs": runs, "feedback": source.reference().get("feedback", 0), "requests": client.requests,
    "own_seconds": seconds() - started, "wall_seconds": time.monotonic() - begin,
    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="?")
    parser.add_argument("feedback", type=int, nargs="?", default=4)
    parser.add_argument("output_bytes", type=int, nargs="?", default=0)
    options = parser.parse_args()
    asked = (options.runs, options.feedback, options.output_bytes)
    return max(judge(*case) for case in ((asked,) if options.runs else USUAL))


def judge(runs: int, feedback: int, output_bytes: int) -> int:
    """Measure one experiment and print what it cost; return 1 if a limit is passed."""
    found = measure(runs, feedback, output_bytes)
    rows = runs * feedback
    most = math.ceil(runs / 1000) + rows // 100 + SPARE_REQUESTS
    checks = [
        ("own seconds", round(found["own_seconds"], 2), (runs + rows) * SECONDS_PER_ROW),
        ("memory MB", round(found["memory_mb"]), MEMORY_MB),
    ]
    if output_bytes:
        checks = [("memory MB", round(found["memory_mb"]), MEMORY_WITH_OUTPUTS_MB)]
    else:
        checks.append(("requests", found["requests"], most))
    outputs = f", outputs of {output_bytes:,} bytes" if output_bytes else ""
    print(f"{found['runs']:,} runs, {found['feedback']:,} feedback rows{outputs}: "
          f"{found['requests']:,} requests, "
          f"{found['wall_seconds']:.1f} s with the server's time")  # fmt: skip
    of_what = f"{runs:,} runs, {feedback} scores each{outputs}"
    held = [report(f"{of_what}: {name}", value, limit) for name, value, limit in checks]
    held.append(report(f"{of_what}: rows missing", rows - found["feedback"], 0))
    return 0 if all(held) and found["runs"] == runs else 1


def measure(runs: int, feedback: int, output_bytes: int) -> dict[str, Any]:
    """Read so many runs with so many feedback rows each; return what it cost."""
    sizes = {"--runs": runs, "--feedback": feedback, "--output-bytes": output_bytes}
    server = subprocess.Popen(
        [
            sys.executable,
            str(STAND_IN),
            *(str(word) for pair in sizes.items() for word in pair),
        ],
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
                [sys.executable, "-c", READ, "with-io" if output_bytes else "plain"],
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
