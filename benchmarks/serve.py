"""How fast `evalmart serve` answers at a million results. Prints a table; fails above a ceiling.

    python benchmarks/serve.py [--results 1000000]

On a private embedded server: a fifth of the results is one experiment of 100,000 tasks, the rest
are experiments of 500 tasks in two arms. Every page is asked of the running command over one
connection. What is held against a ceiling is the processor time that command and database spend
on a page, which is what it takes on a machine that has nothing else to do; beside it stands the
time on the clock. Memory is the most that the command ever held.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import re
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from measures import busy, report
from private_warehouse import REPOSITORY, warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from private_warehouse import Warehouse

ROUNDS: Final = 10
MAXIMUM_MS: Final = 200.0
MAXIMUM_LARGE_MS: Final = 1000.0
"""Of a list of 100,000 tasks, which may be filtered and sorted by anything."""
MAXIMUM_PAINT_MS: Final = 1000.0
MAXIMUM_MB: Final = 200.0
MAXIMUM_RATIO: Final = 40.0
"""Times the page of one load."""
PER_EXPERIMENT: Final = 1_000
LARGE: Final = "large-00000"
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_PLAIN: Final = "/load?id=1"
_RESULTS: Final = Path(__file__).with_name("serve_results.sql").read_text("utf-8")


class Cost(NamedTuple):
    """What a page costs, in milliseconds."""

    clock: float
    processor: float
    """Of the command and of the database together."""


class Asked(NamedTuple):
    """A page to ask for."""

    address: str
    most: float
    """Milliseconds."""


def main() -> int:
    """Return 1 when a ceiling is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=1_000_000)
    results = parser.parse_args().results
    with warehouse() as run:
        experiments = fill(run, results)
        return 0 if measured(run.url, run.directory / "postgres", experiments) else 1


def fill(run: Warehouse, results: int) -> int:
    """Load and build so many results; return how many small experiments there are."""
    tasks = results // 10
    experiments = (results - 2 * tasks) // PER_EXPERIMENT
    small = {"name": "small", "first": 0, "last": experiments - 1, "tasks": PER_EXPERIMENT // 2}
    run.load(_RESULTS, small)
    run.load(_RESULTS, {"name": "large", "first": 0, "last": 0, "tasks": tasks})
    print(f"first build of {results:,} results: {run.build().execution:.0f} s")
    run.settle()
    return experiments


def measured(database_url: str, data: Path, experiments: int) -> bool:
    """Print what every page takes; return whether all ceilings hold."""
    pages = asked(experiments)
    with serving(database_url) as (url, process):
        postmaster = int((data / "postmaster.pid").read_text("utf-8").split()[0])
        spent = timed(url, [process.pid, postmaster], [*pages, Asked(_PLAIN, MAXIMUM_MS)])
        print(f"{'page':<70} by the clock  of processor, ms")
        for address, cost in spent.items():
            print(f"{address[:70]:<70} {cost.clock:12.0f} {cost.processor:13.0f}")
        is_met = True
        for page in pages:
            is_met &= report(f"{page.address}, ms", spent[page.address].processor, page.most)
        plain = spent[_PLAIN]
        most = max(spent[page.address].clock for page in pages if page.most == MAXIMUM_MS)
        is_met &= report(
            "the slowest by the clock, times the page of one load",
            most / plain.clock,
            MAXIMUM_RATIO,
        )
        paint = first_paint(f"{url}/tasks?{urlencode({'experiment': LARGE})}")
        if paint is None:
            print("first paint: skipped, there is no Chromium")
        else:
            is_met &= report("first paint of the large list, by the clock, ms", paint,
                             MAXIMUM_PAINT_MS)  # fmt: skip
        return is_met & report("memory of the server, MB", megabytes(process.pid), MAXIMUM_MB)


def asked(experiments: int) -> list[Asked]:
    """Return every page, and the lists in the ways in which people filter and sort them."""
    one, other = (f"small-{experiments // 2 - step:05}" for step in (0, 1))
    large = {"experiment": LARGE}
    of = {"experiment": one}
    small = [
        ("/experiments", {}),
        ("/experiments", {"agent": "agent-1"}),
        ("/experiments", {"q": "0040", "sort": "-improvement_pct"}),
        ("/experiments", {"verdict": "reject", "since": "2026-01-10"}),
        ("/experiment", {"id": one}),
        ("/experiment/beside", {"id": one}),
        ("/tasks", of),
        ("/tasks", {**of, "show": "flipped"}),
        ("/tasks", {**of, "segment": "category:area-3"}),
        ("/tasks", {**of, "q": "0001", "sort": "-candidate_cost_usd"}),
        ("/task", {**of, "task": "task-000007"}),
        ("/task/history", {**of, "task": "task-000007"}),
        ("/agents", {}),
        ("/agent", {"name": "agent-1"}),
        ("/alerts", {}),
        ("/compare", {}),
        ("/compare", {"a": one, "b": other}),
        ("/decisions", {}),
        ("/loads", {}),
        ("/metrics", {}),
        ("/metrics", {"experiment": one}),
    ]
    of_many = [
        ("/experiment", {"id": LARGE}),
        ("/tasks", large),
        ("/tasks", {**large, "after": '[0.01,"task-050000"]'}),
        ("/tasks", {**large, "show": "flipped"}),
        ("/tasks", {**large, "show": "worse"}),
        ("/tasks", {**large, "segment": "category:area-3"}),
        ("/tasks", {**large, "segment": "agent:agent-3"}),
        ("/tasks", {**large, "sort": "-candidate_cost_usd"}),
        ("/tasks", {**large, "q": "9999"}),
        ("/task", {**large, "task": "task-000007"}),
    ]
    return [
        *(Asked(_address(*page), MAXIMUM_MS) for page in small),
        *(Asked(_address(*page), MAXIMUM_LARGE_MS) for page in of_many),
    ]


def _address(path: str, parameters: dict[str, str]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


@contextmanager
def serving(database_url: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the command on a free port; give its address and its process."""
    command = [
        sys.executable, "-P", "-m", "loader", "serve", "--port", "0", "--database-url",
        database_url,
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline() if process.stderr else ""
        if not line.startswith("serving http://"):
            raise SystemExit(line + (process.stderr.read() if process.stderr else ""))
        yield line.split()[1].rstrip("/"), process
    finally:
        process.terminate()
        process.wait(30)
        if process.stderr:
            process.stderr.close()


def timed(url: str, processes: list[int], pages: list[Asked]) -> dict[str, Cost]:
    """Return what every page costs once it is warm."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

    def ask(address: str) -> float:
        began = time.perf_counter()
        connection.request("GET", address)
        answer = connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise SystemExit(f"{address}: {answer.status} {body.decode()[-300:]}")
        return 1000 * took

    costs = {}
    try:
        for page in pages:
            ask(page.address)
            before = sum(map(busy, processes))
            clock = statistics.median(ask(page.address) for _ in range(ROUNDS))
            busy_for = 1000 * (sum(map(busy, processes)) - before) / ROUNDS
            costs[page.address] = Cost(clock, busy_for)
    finally:
        connection.close()
    return costs


def first_paint(address: str) -> float | None:
    """Return the median milliseconds to the first contents in Chromium; None without one."""
    if not any(map(shutil.which, _CHROMIUM)):
        return None
    sys.path.append(str(REPOSITORY / "tests" / "support"))
    browser = importlib.import_module("browser")
    times = []
    with browser.chromium() as viewer:
        for _ in range(ROUNDS):
            with viewer.tab() as tab:
                tab.goto(address)
                times.append(_painted(tab))
    return statistics.median(times)


def _painted(tab: Any) -> float:  # noqa: ANN401  a page of Playwright's, which is imported late
    """Return the milliseconds to the first contents, as soon as the page tells them."""
    while True:  # no wait_for_function, whose eval the page's policy forbids
        found = tab.evaluate(_PAINT)
        if found is not None:
            return float(found)
        tab.wait_for_timeout(20)


def megabytes(pid: int) -> float:
    """Return the most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return float(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
