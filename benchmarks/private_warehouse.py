"""What every benchmark of the marts needs: a warehouse of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loader.warehouse import embedded as server
from loader.warehouse.connection import connect, environment
from loader.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loader.warehouse.connection import Connection

REPOSITORY = Path(__file__).resolve().parent.parent
MAXIMUM_QUERY_MS = 50.0

# A load whole: its runs, its experiments and its line in the ledger.
_LOAD = """
with runs as (
    {runs}
    returning load_id, experiment_id
),

announced as (
    insert into raw_evals.load_experiments (load_id, experiment_id)
    select distinct load_id, experiment_id
    from runs
)

insert into raw_evals.loads (
    load_id, source, loader_version, started_at, finished_at,
    rows_read, rows_loaded, rows_unchanged, rows_rejected
)
select %(load_id)s, 'file', 'bench', now(), now(), count(*), count(*), 0, 0
from runs
"""


class Build(NamedTuple):
    """What a run of dbt took."""

    execution: float
    """Seconds from dbt's first statement to its last."""
    startup: float
    """Seconds that dbt took to start and end."""
    nodes: dict[str, float]
    """Seconds of each model, test and seed, by its name."""

    def slowest(self, count: int = 5) -> list[str]:
        """Return a line for each of the slowest nodes."""
        ordered = sorted(self.nodes.items(), key=lambda node: -node[1])
        return [f"    {seconds:6.2f} s  {name}" for name, seconds in ordered[:count]]


class Warehouse:
    """A private server, empty but for raw tables."""

    def __init__(self, directory: Path) -> None:
        """Start the server in this directory."""
        self.directory = directory
        self.url = server.start(directory / "postgres")
        self.loads = 0
        shutil.copyfile(REPOSITORY / "profiles.yml.example", directory / "profiles.yml")
        with connect(self.url) as connection:
            migrate(connection)

    def load(self, runs: str, values: Mapping[str, object]) -> None:
        """Load the runs that an insert generates; it finds its `load_id` beside the values."""
        self.loads += 1
        with connect(self.url) as connection, connection.transaction():
            connection.execute("select setseed(0.42)")
            connection.execute(_LOAD.format(runs=runs).encode(), {**values, "load_id": self.loads})

    def build(self) -> Build:
        """Run `dbt build` as CI does; unit tests do not touch what is there."""
        return self.dbt("build", "--exclude-resource-type", "unit_test")

    def dbt(self, *arguments: str) -> Build:
        """Run dbt in a new process."""
        began = time.monotonic()
        subprocess.run(
            [
                *(str(Path(sys.executable).with_name("dbt")), "--quiet", *arguments),
                *("--project-dir", str(REPOSITORY), "--profiles-dir", str(self.directory)),
            ],
            env={
                **os.environ,
                **environment(self.url),
                "DBT_TARGET_PATH": str(self.directory / "target"),
                "DBT_LOG_PATH": str(self.directory / "logs"),
            },
            check=True,
        )
        elapsed = time.monotonic() - began
        found = json.loads((self.directory / "target" / "run_results.json").read_text())
        nodes = {
            node["unique_id"].rpartition(".")[2]: node["execution_time"]
            for node in found["results"]
        }
        return Build(found["elapsed_time"], elapsed - found["elapsed_time"], nodes)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask the marts."""
        with connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def settle(self) -> None:
        """Do autovacuum's work, so as not to wait for it."""
        with connect(self.url, autocommit=True) as connection:
            connection.execute("vacuum analyze")


@contextlib.contextmanager
def warehouse() -> Iterator[Warehouse]:
    """Yield a warehouse; stop its server and remove its files at the end."""
    with tempfile.TemporaryDirectory(prefix="evalmart-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # the server may run as another user
        try:
            yield Warehouse(directory)
        finally:
            server.stop(directory / "postgres")


def milliseconds(connection: Connection, ask: Callable[[Connection], object]) -> float:
    """Return the median time of a question, its rows fetched, after one to warm up."""
    times = []
    for _ in range(8):
        began = time.perf_counter()
        ask(connection)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])
