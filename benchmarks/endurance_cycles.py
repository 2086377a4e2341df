"""`cycles`: a small ingest and a build, again and again; nothing grows but data.

What a cycle takes is told by the clock and in processor time of commands and server: the second
says whether it grows, whatever else the machine does.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from endurance_model import Run
from endurance_place import Child, build, outcome, rows, write_records
from measures import busy

from loader.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from endurance_place import Place

_RUNS, _WARM, _LAST = 30, 10, 8
_SLOWER, _LARGER, _MOST_BLOAT = 1.1, 1.2, 4.0
_LOGS: Final = 80e6
"""dbt turns its log over at 10 MB and keeps five."""
_SMALL_BYTES: Final = 400_000
"""So much may change in a relation or a folder without that it grows."""
_RELATIONS: Final = """
select
    relation.schemaname || '.' || relation.relname,
    pg_total_relation_size(relation.relid)
from pg_stat_user_tables as relation
"""
_COUNTS: Final = """
select schemaname || '.' || relname from pg_stat_user_tables
"""
_SERVER: Final = """
select
    (select count(*) from pg_stat_activity where datname = current_database()),
    (select count(*) from pg_locks where database = (
        select oid from pg_database where datname = current_database()
    )),
    (select count(*) from pg_namespace where nspname not like 'pg%%temp%%'),
    (select count(*) from pg_class)
"""


class Look(NamedTuple):
    """How large everything is at one time."""

    bytes: dict[str, int]
    """Of each relation with its indexes."""
    rows: dict[str, int]
    connections: int
    locks: int
    schemas: int
    relations: int
    """How many entries the catalogue has."""
    files: dict[str, int]
    """Bytes of each folder that commands write to."""
    memory: int
    """Resident bytes of the recorder that lives all along."""


def cycles(place: Place, url: str, count: int, seed: int) -> list[str]:
    """Load and build so often; return what grew that is no data."""
    del seed
    folder = place.directory / "cycles"
    folder.mkdir()
    recorder = Child(_recorder(folder, url), folder / "recorder.log")
    faults: list[str] = []
    seconds: list[float] = []
    work: list[float] = []
    first: Look | None = None
    warm = min(_WARM, max(count // 3, 1))
    for number in range(1, count + 1):
        began, worked = time.monotonic(), _worked(place)
        faults += _cycle(place, url, folder, number)
        seconds.append(time.monotonic() - began)
        work.append(_worked(place) - worked)
        if faults or recorder.is_over():
            return [*faults, *([f"the recorder: {recorder.wait()}"] if recorder.is_over() else [])]
        if number == warm:
            first = _look(url, recorder.pid)
        if number % 50 == 0:
            took = f"{seconds[-1]:.2f} s, {work[-1]:.2f} of processor"
            print(f"  {number} cycles, the last took {took}", flush=True)
    last = _look(url, recorder.pid)
    (folder / "stop").touch()
    recorder.wait()
    assert first is not None  # noqa: S101  there is a tenth cycle, or a first
    _compare(seconds, warm, "by the clock")
    return [*_grown(first, last, count - warm), *_slower(work, warm)]


def _worked(place: Place) -> float:
    """Return the processor seconds of the server and of all commands that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime + busy(place.server_pid)


def _cycle(place: Place, url: str, folder: Path, number: int) -> list[str]:
    """Load new runs of one experiment and corrections of the last, and build."""
    name = f"e{number % 5}"
    runs = [Run(name, f"f{n % 12}-{n % 2}", n % 12, ("baseline", "code-chef")[n % 2], "1.9.0")
            for n in range(_RUNS)]  # fmt: skip
    records = [run.record(number * _RUNS + place) for place, run in enumerate(runs[:24])]
    path = write_records(folder / "records.jsonl", records)
    (folder / "turn").write_text(str(number))
    words = ("ingest", "--file", str(path), "--database-url", url)
    loading = Child(lambda: outcome(*words), place.directory / "ingest.log").wait()
    building = Child(build(url), place.directory / "build.log").wait()
    return [f"a cycle ended with {ended}" for ended in (loading, building) if ended.code]


def _recorder(folder: Path, url: str) -> Callable[[], int]:
    """Return a program that records a little in every cycle, and lives all along."""

    def work() -> int:
        turn = ""
        run = Run("lasting", "r", 1, "baseline", "1.9.0")
        with Recorder(database_url=url, flush_seconds=0.2) as recorder:
            while not (folder / "stop").exists():
                told = (folder / "turn").read_text() if (folder / "turn").exists() else ""
                if told != turn:
                    turn = told
                    fields: Any = run.record(int(turn or 0) + 10**6)
                    recorder.record(**fields)
                time.sleep(0.05)
        return 0

    return work


def _look(url: str, pid: int) -> Look:
    [(connections, locks, schemas, relations)] = rows(url, _SERVER)
    names = [name for (name,) in rows(url, _COUNTS)]
    counts = {name: rows(url, f"select count(*) from {name}")[0][0] for name in names}
    home = Path(os.environ["EVALMART_HOME"])
    logs = _size(home / "dbt" / "logs")
    files = {
        "dbt's logs": logs,
        "evalmart's folder": _size(home) - logs,
        "temporary files": _size(Path(os.environ["TMPDIR"])),
    }
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Look(
        dict(rows(url, _RELATIONS)), counts, connections, locks, schemas, relations, files,
        pages * os.sysconf("SC_PAGE_SIZE"),
    )  # fmt: skip


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder, some of which may go meanwhile."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(directory, name).lstat().st_size
    return total


def _grown(first: Look, last: Look, count: int) -> list[str]:
    """Return what grew and is no data."""
    faults = []
    for name, size in sorted(last.bytes.items()):
        before, rows_before = first.bytes.get(name, 0), max(first.rows.get(name, 0), 1)
        allowed = max(before, 8192) * max(last.rows[name] / rows_before, 1) * _LARGER
        if size > _MOST_BLOAT * allowed + _SMALL_BYTES:
            faults.append(
                f"{name}: from {before:,} to {size:,} bytes,"
                f" {first.rows.get(name, 0):,} to {last.rows[name]:,} rows"
            )
    for name, number in sorted(last.rows.items()):
        grew = number - first.rows.get(name, 0)
        if name.split(".")[0].endswith("_staging") and grew > 2 * count:
            faults.append(f"{name}: {grew:,} rows more in {count} cycles")
    for what in ("connections", "locks", "schemas", "relations"):
        before, after = getattr(first, what), getattr(last, what)
        if after > before + 5:
            faults.append(f"{what}: from {before} to {after}")
    for name, size in last.files.items():
        bound = _LOGS if name == "dbt's logs" else first.files[name] * _LARGER + _SMALL_BYTES
        if size > bound:
            faults.append(f"{name}: from {first.files[name]:,} to {size:,} bytes")
    if last.memory > first.memory * _LARGER:
        faults.append(f"memory of a recorder: from {first.memory:,} to {last.memory:,} bytes")
    sizes = [f"{sum(look.bytes.values()):,}" for look in (first, last)]
    print(f"  relations: from {' to '.join(sizes)} bytes; {last.connections} connections,"
          f" {last.locks} locks; folders: {last.files};"
          f" the recorder {last.memory / 1e6:.0f} MB", flush=True)  # fmt: skip
    return faults


def _slower(work: Sequence[float], warm: int) -> list[str]:
    """Compare the processor time of the last cycles with that of those around the tenth."""
    ratio = _compare(work, warm, "of processor")
    is_long = len(work) >= 5 * _WARM
    return [f"the last cycles took {ratio:.2f} times as much as the tenth"] * (
        is_long and ratio > _SLOWER
    )


def _compare(seconds: Sequence[float], warm: int, of_what: str) -> float:
    near = statistics.median(seconds[max(warm - 3, 1) : warm + 5] or seconds)
    last = statistics.median(seconds[-_LAST:])
    print(f"  a cycle took {near:.2f} s {of_what}, at last {last:.2f} ({last / near:.2f})",
          flush=True)  # fmt: skip
    return last / near
