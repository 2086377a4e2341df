"""Broken files: whatever is wrong with an input, every row of it is counted, and quickly.

    python benchmarks/mutations.py [--count 100000] [--seed 1] [--processes 1] [--keep FOLDER]

Breaks files of every format (`mutated_files.py`) at random, by their bytes, cells or values, and
loads them into a database of the embedded server: most through the library, many in one load,
every tenth load through the command, some of them file by file, and a few as a program of its
own. Exits with 1, and says which file, if

- read is not loaded + unchanged + rejected, in the summary or in the ledger,
- an input is not counted at all, or one whose rows are known has another count,
- anything but an error of the loader is raised, or the exit code is none of the contract's,
- a file takes more than five seconds, a program more than 200 MB, or this process 120 MB more.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.testing import CliRunner
from measures import report
from mutated_files import Broken, Seed, broken, seeds
from private_warehouse import REPOSITORY, warehouse

from loader.cli import cli
from loader.errors import LoaderError
from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.sources.chosen import file_sources
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.ingest.summary import LoadSummary
    from loader.sources import Source

FILES_A_LOAD: Final = 200
_LOOK_SECONDS: Final = 0.02
MOST_SECONDS: Final = 5.0
"""Of work for one file."""
MOST_WAITING: Final = 60.0
"""For a load, on a machine that others use too."""
MOST_BYTES: Final = 200_000_000
MOST_ADDED: Final = 120
CODES: Final = frozenset({0, 2, 3, 4})
"""Exit codes that `ingest` documents, 4 being the database's affair."""
DEFAULTS: Final = Defaults(experiment_id="e", experiment_group="baseline", extension_version="1")
ARM: Final = ("--experiment-id", "e", "--experiment-group", "baseline", "--extension-version", "1")
VOCABULARY: Final = read_vocabulary()


@dataclass
class Tally:
    """What was found."""

    inputs: int = 0
    rows: int = 0
    most_bytes: int = 0
    """Of a program of its own."""
    added_bytes: int = 0
    """What breaking and loading files in this process came to, above what it had before."""
    ways: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take up what another process found."""
        self.inputs += other.inputs
        self.rows += other.rows
        self.most_bytes = max(self.most_bytes, other.most_bytes)
        self.added_bytes = max(self.added_bytes, other.added_bytes)
        self.ways += other.ways
        self.faults += other.faults


class Mutator:
    """Breaks files and loads them."""

    def __init__(self, url: str, seed: int, folder: Path, keep: Path | None) -> None:
        """Break nothing yet; files that show a fault are copied to `keep`."""
        self._url = url
        self._chance = random.Random(seed)  # noqa: S311  the same files every time
        self._folder = folder
        self._seeds = seeds(folder)
        self._keep = keep
        self.tally = Tally()

    def run(self, count: int) -> Tally:
        """Break and load so many files."""
        number, before = 0, peak_bytes()
        # every kind of file comes, however few are asked for
        a_load = max(1, min(FILES_A_LOAD, count // (2 * len(self._seeds))))
        while self.tally.inputs < count:
            seed = self._seeds[number % len(self._seeds)]
            most = min(a_load, count - self.tally.inputs)
            files = [broken(seed, self._chance) for _ in range(most)]
            turn = number // len(self._seeds) + number % len(self._seeds)
            if turn % 50 == 49:
                # a program of its own costs as much as hundreds of files
                self._each(seed, files[:3], self._program, "program")
            elif turn % 50 == 25:
                self._each(seed, files[:15], self._command, "command, one file")
            elif turn % 10 == 5:
                self._together(seed, files, self._command, "command")
            else:
                self._together(seed, files, self._library, "library")
            number += 1
        self.tally.added_bytes = peak_bytes() - before
        return self.tally

    def _together(
        self,
        seed: Seed,
        files: Sequence[Broken],
        way: Callable[[Seed, Sequence[Path]], tuple[int, str]],
        name: str,
    ) -> None:
        """Load files in one load; each alone where something is wrong, to find which it is."""
        paths = self._write(files)
        started = time.monotonic()
        read, fault = way(seed, paths)
        is_slow = time.monotonic() - started > MOST_WAITING
        known = sum(file.least for file in files)
        if not fault and not is_slow and read >= known:
            self.tally.inputs += len(files)
            self.tally.rows += read
            self.tally.ways[name] += len(files)
            return
        before = len(self.tally.faults)
        self._each(seed, files, way, name)
        if len(self.tally.faults) == before and fault and fault != "refused":
            self.tally.faults.append(f"{seed.name}, {len(files)} files together: {fault}")

    def _each(
        self,
        seed: Seed,
        files: Sequence[Broken],
        way: Callable[[Seed, Sequence[Path]], tuple[int, str]],
        name: str,
    ) -> None:
        """Load files one by one."""
        for file, path in zip(files, self._write(files), strict=True):
            started, worked = time.monotonic(), time.process_time()
            read, fault = way(seed, [path])
            seconds = time.process_time() - worked
            waited = time.monotonic() - started
            if seconds > MOST_SECONDS or waited > MOST_WAITING:
                fault = f"{seconds:.1f} s of work in {waited:.0f} s"
            elif fault == "refused":
                fault = ""
            elif not fault and (read < file.least or read > (file.rows or read)):
                fault = f"{read} rows read of {file.rows or f'at least {file.least}'}"
            if fault:
                self._note(seed, path, fault)
            self.tally.inputs += 1
            self.tally.rows += read
            self.tally.ways[name] += 1

    def _write(self, files: Sequence[Broken]) -> list[Path]:
        return [file.write(self._folder, number) for number, file in enumerate(files)]

    def _note(self, seed: Seed, path: Path, fault: str) -> None:
        kept = ""
        if self._keep is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            target = self._keep / f"{os.getpid()}-{len(self.tally.faults)}-{path.name}"
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target)
            kept = f" ({target})"
        self.tally.faults.append(f"{seed.name}: {fault}{kept}")

    def _library(self, seed: Seed, paths: Sequence[Path]) -> tuple[int, str]:
        """Load files; return the rows read, and what is wrong."""
        read, faults = 0, ""
        try:
            for source in self._sources(seed, [str(path) for path in paths]):
                with connect(self._url) as connection:
                    summary = load(connection, source, VOCABULARY, DEFAULTS)
                    read += summary.read
                    faults = faults or self._miscounted(summary)
        except LoaderError:
            return read, faults or "refused"
        except BaseException as error:  # noqa: BLE001  what is looked for
            return read, f"{type(error).__name__}: {error}"
        return read, faults

    def _sources(self, seed: Seed, paths: Sequence[str]) -> Sequence[Source]:
        given = DEFAULTS.given()
        if not seed.is_folder:
            return [
                FileSource(
                    paths, seed.format, groups=VOCABULARY.groups, supplied=given.keys(),
                    mapping=seed.mapping,
                )
            ]  # fmt: skip
        return file_sources(
            paths, None, groups=VOCABULARY.groups, supplied=given, mapping=seed.mapping,
            scratch=lambda: str(self._folder),
        ).sources  # fmt: skip

    def _miscounted(self, summary: LoadSummary) -> str:
        with connect(self._url) as connection:
            ledger = connection.execute(
                "select rows_read, rows_loaded, rows_unchanged, rows_rejected, rejects_left_out, "
                "(select count(*) from raw_evals.rejected_rows where load_id = loads.load_id), "
                "(select count(*) from raw_evals.evaluation_runs where load_id = loads.load_id) "
                "from raw_evals.loads where load_id = %s",
                [summary.load_id],
            ).fetchone()
        told = (summary.read, summary.loaded, summary.unchanged, summary.rejected)
        left_out = summary.rejects_left_out
        stored = (left_out, summary.rejected - left_out, summary.loaded)
        is_sum = summary.read == summary.loaded + summary.unchanged + summary.rejected
        is_stated = summary.rejected == sum(reason.count for reason in summary.reasons)
        return "" if is_sum and is_stated and ledger == (*told, *stored) else f"{summary} {ledger}"

    def _arguments(self, seed: Seed, paths: Sequence[Path]) -> list[str]:
        return [
            "ingest", *map(str, paths), *seed.options, *ARM, "--summary-format", "json",
            "--database-url", self._url,
        ]  # fmt: skip

    def _command(self, seed: Seed, paths: Sequence[Path]) -> tuple[int, str]:
        result = CliRunner().invoke(cli, self._arguments(seed, paths))
        is_raised = result.exception and not isinstance(result.exception, SystemExit)
        if is_raised:
            return 0, f"{type(result.exception).__name__}: {result.exception}"
        return _checked(result.exit_code, result.stdout, result.stderr)

    def _program(self, seed: Seed, paths: Sequence[Path]) -> tuple[int, str]:
        command = [sys.executable, "-m", "loader", *self._arguments(seed, paths)]
        with subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as program:
            most = 0
            for _ in range(int(60 / _LOOK_SECONDS)):
                # what the system sums up of children counts the memory of who started them
                most = max(most, peak_bytes(program.pid))
                with suppress(subprocess.TimeoutExpired):
                    told = program.communicate(timeout=_LOOK_SECONDS)
                    break
            else:
                program.kill()
                return 0, "it does not end"
        self.tally.most_bytes = max(self.tally.most_bytes, most)
        if most > MOST_BYTES:
            return 0, f"{most / 1e6:.0f} MB"
        output, errors = (one.decode(errors="replace") for one in told)
        return _checked(program.returncode, output, errors)


def peak_bytes(process: int | str = "self") -> int:
    """Return the most memory that a process has had; 0 of one that is over."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    said = status.partition("VmHWM:")[2].split()
    return int(said[0]) * 1024 if said else 0


def _checked(code: int, output: str, errors: str) -> tuple[int, str]:
    """Look at what the command said; return the rows read, and what is wrong."""
    if code not in CODES or "Traceback" in output + errors:
        return 0, f"exit code {code}: {errors[-300:]}"
    if not output.startswith("{"):
        return 0, "refused" if code == 2 and errors else f"exit code {code} says nothing"
    # one line a load: files of several tools are several
    told = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    is_sum = all(one["read"] == one["loaded"] + one["unchanged"] + one["rejected"] for one in told)
    return sum(one["read"] for one in told), "" if is_sum else output


def _work(url: str, seed: int, count: int, keep: Path | None) -> Tally:
    with tempfile.TemporaryDirectory() as name:
        return Mutator(url, seed, Path(name), keep).run(count)


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="copy files that show a fault there")
    given = parser.parse_args()
    found, started = Tally(), time.monotonic()
    share = -(-given.count // given.processes)
    with warehouse() as private:
        with connect(private.url, autocommit=True) as connection:
            # nothing is killed here: to wait for the disk would be half of it
            connection.execute("alter system set synchronous_commit = off")
            connection.execute("select pg_reload_conf()")
        work = [
            (private.url, given.seed * 1000 + number, share, given.keep)
            for number in range(given.processes)
        ]
        if given.processes == 1:
            found.add(_work(*work[0]))
        else:
            with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
                for tally in pool.starmap(_work, work):
                    found.add(tally)
    seconds = time.monotonic() - started
    ways = ", ".join(f"{count:,} by {way}" for way, count in found.ways.most_common())
    print(f"{found.inputs:,} inputs ({ways}), {found.rows:,} rows")
    print(f"{seconds:.0f} s, {found.inputs / seconds:.0f} inputs a second")
    for fault in found.faults[:20]:
        print(fault)
    is_sound = report("inputs that broke a promise", len(found.faults), 0)
    is_small = report("MB of a program at most", found.most_bytes / 1e6, MOST_BYTES / 1e6)
    is_small &= report("MB that loads add to a process", found.added_bytes / 1e6, MOST_ADDED)
    return 0 if is_sound and is_small else 1


if __name__ == "__main__":
    sys.exit(main())
