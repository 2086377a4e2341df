"""How quick the files of other tools are read, and in how much memory.

    python benchmarks/importers.py [--kind KIND]... [--runs N] [--megabytes N]

Writes files of each tool in its shape, reads and checks them, and then the very same records as
JSON Lines, in one process and one after the other, so that the ratio holds on any machine. Then
a file of so many megabytes is read by a process of its own. Exits with 1 if a ratio is below its
floor or a process above the ceiling.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from measures import report

from loader.records.checker import Checker, Defaults
from loader.records.vocabulary import Vocabulary
from loader.sources.files import FileSource, single_rows
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import KINDS, importer_of
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loader.sources import SourceRow

REPOSITORY: Final = Path(__file__).resolve().parent.parent
SUPPORT: Final = REPOSITORY / "tests" / "support"
FLOOR: Final = 0.03
"""Of the rate of JSON Lines: what no format falls below."""
CEILING_MB: Final = 150
_PROBED: Final = 400
_BATCH: Final = 256
_GROUP: Final = "baseline"
_ARM: Final = {"experiment_group": _GROUP}


class Rates(NamedTuple):
    """Runs a second of one kind of files."""

    runs: int
    megabytes: float
    read: float
    checked: float
    lines_checked: float
    """Of the same records as JSON Lines."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=list(KINDS), action="append")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.append(str(SUPPORT))
    if given.child:
        kind, folder = given.child
        print(sum(1 for _ in _source(kind, _mains(kind, Path(folder))).rows()), peak_mb())
        return 0
    print("format            runs      MB    read/s  checked/s  JSONL/s  ratio    MB read in  runs")
    is_sound = True
    for kind in given.kind or KINDS:
        with tempfile.TemporaryDirectory(prefix="evalmart-") as name:
            rates = measure(kind, Path(name), given.runs)
            ratio = rates.checked / rates.lines_checked
            size, runs, memory = memory_of(kind, Path(name), given.megabytes)
        print(
            f"{kind:16}{rates.runs:7,}{rates.megabytes:8.1f}{rates.read:10,.0f}"
            f"{rates.checked:11,.0f}{rates.lines_checked:9,.0f}{ratio:7.2f}"
            f"{size:8.0f} in {memory:3.0f}{runs:10,}",
            flush=True,
        )
        is_sound &= report(f"{kind}, checked rate / that of JSONL", ratio, FLOOR, is_floor=True)
        is_sound &= report(f"{kind}, MB of memory for {size:.0f} MB of file", memory, CEILING_MB)
    return 0 if is_sound else 1


def measure(kind: str, folder: Path, count: int) -> Rates:
    """Read files of so many runs, and their records as JSON Lines."""
    paths = _written(kind, folder / "runs", count)
    source = _source(kind, _mains(kind, folder / "runs") or paths)
    started = time.perf_counter()
    runs = sum(row.rejection is None for row in source.rows())
    read = time.perf_counter() - started
    checked = _seconds_of_check(source.rows())
    lines = folder / "same.jsonl"
    with lines.open("wb") as file:
        file.writelines(row.original + b"\n" for row in source.rows() if row.rejection is None)
    of_lines = FileSource([str(lines)], "jsonl", supplied=_ARM.keys())
    seconds = _seconds_of_check(single_rows(of_lines.batches()))
    size = sum(path.stat().st_size for path in _files(folder / "runs")) / 1e6
    return Rates(runs, size, runs / read, runs / checked, runs / seconds)


def memory_of(kind: str, folder: Path, megabytes: int) -> tuple[float, int, float]:
    """Read a file of about so many megabytes in a new process.

    Returns:
        The size in MB, the runs, and the most memory that the process had, in MB.

    """
    _written(kind, folder / "probe", _PROBED)
    size = sum(path.stat().st_size for path in _files(folder / "probe")) / _PROBED
    large = folder / "large"
    _written(kind, large, int(megabytes * 1e6 / size))
    command = [sys.executable, __file__, "--child", kind, str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    runs, memory = done.stdout.split()
    return sum(path.stat().st_size for path in _files(large)) / 1e6, int(runs), float(memory)


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _written(kind: str, folder: Path, runs: int) -> Sequence[Path]:
    folder.mkdir(parents=True)
    paths: Sequence[Path] = import_module(f"tool_files.{KINDS[kind]}").write(folder, runs, seed=1)
    return paths


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _mains(kind: str, folder: Path) -> list[Path]:
    recognises = importer_of(kind).recognises
    return [path for path in _files(folder) if recognises(ToolFile(str(path)))]


def _source(kind: str, paths: Sequence[Path]) -> ToolSource:
    return ToolSource([ToolFile(str(path)) for path in paths], importer_of(kind), supplied=_ARM)


def _seconds_of_check(rows: Iterator[SourceRow]) -> float:
    """Return how long it takes to read rows and to check them, as a load does."""
    vocabulary = Vocabulary(frozenset({_GROUP}), {}, frozenset())
    checker = Checker(vocabulary, Defaults(experiment_group=_GROUP))
    started = time.perf_counter()
    while batch := list(islice(rows, _BATCH)):
        checker.admit_json([row.original for row in batch if row.rejection is None])
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
