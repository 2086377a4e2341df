"""`full-disk`: no room for the database, the spool or a file; then room, and the same again."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import random
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

from endurance_model import Run
from endurance_place import Child, Place, build, command, outcome, rows, write_records
from endurance_states import questions

from loader.errors import WarehouseUnavailable
from loader.recording import spool
from loader.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_SMALL_MB, _SERVER_MB = 8, 600
_FULL: Final = "No space left"
_NOWHERE: Final = "host=/nonexistent dbname=evals"
_ROOMS: Final = (0, 8_192, 65_536, 524_288, 4_194_304, 20_971_520)


def full_disk(place: Place, url: str, count: int, seed: int) -> list[str]:
    """Try every command that writes on a full disk; return what was wrong."""
    if os.geteuid():
        print("  skipped: only root can mount a small disk")
        return []
    logging.getLogger("loader").setLevel(logging.CRITICAL)  # what is refused is said by errors
    chance = random.Random(seed)  # noqa: S311  repeatable
    _fill_warehouse(place, url)
    return [
        *_files(place, url),
        *_spool(place),
        *_database(place, count, chance),
    ]


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of its own."""
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)],
                   check=True)  # fmt: skip
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@contextlib.contextmanager
def filled(disk: Path, room: int = 0) -> Iterator[None]:
    """Leave so many bytes free for a while."""
    ballast = disk / "ballast"
    fill(ballast, room)
    try:
        yield
    finally:
        ballast.unlink()


def fill(ballast: Path, room: int) -> None:
    """Write a file that leaves so many bytes of its disk free."""
    block = b"x" * 65_536
    with ballast.open("wb", buffering=0) as file:
        for piece in (block, block[:4096]):
            while (free := os.statvfs(ballast.parent).f_bavail * 4096 - room) > 0:
                try:
                    file.write(piece[: min(len(piece), free)])
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break


def _fill_warehouse(place: Place, url: str) -> None:
    runs = [Run("one", f"f{n}", n % 12, ("baseline", "code-chef")[n % 2], "1.9.0")
            for n in range(48)]  # fmt: skip
    records = [run.record(n + 1) for n, run in enumerate(runs)]
    path = write_records(place.directory / "records.jsonl", records)
    for work in (command("ingest", "--file", str(path), "--database-url", url), build(url)):
        ended = Child(work, place.directory / "fill.log").wait()
        if ended.code:
            raise RuntimeError(ended)


def _files(place: Place, url: str) -> list[str]:
    """Write every kind of file, without room and with it."""
    faults, log = [], place.directory / "try.log"
    with small_disk(place.directory / "small", _SMALL_MB) as disk:
        for words in (
            ("report", "--experiment", "one", "-o", str(disk / "report.html")),
            ("report", "--experiment", "one", "-o", str(disk / "report.md")),
            ("export", str(disk / "results.csv")),
            ("export", str(disk / "results.csv.gz")),
            ("export", str(disk / "results.parquet")),
            questions(disk)["metrics"],
            ("sample", str(disk / "sample")),
        ):
            for room in (0, 4096):
                with filled(disk, room):
                    faults += _try(log, command(*words, *_on(url, words)), words, {0, 4})
                    left = [path.name for path in disk.glob(".*")]
                    faults += [f"{words[0]} leaves {left}"] if left else []
            faults += _try(log, command(*words, *_on(url, words)), words, {0})
            for path in sorted(disk.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    return faults


def _on(url: str, words: Sequence[str]) -> tuple[str, ...]:
    return () if words[0] == "sample" else ("--database-url", url)


def _spool(place: Place) -> list[str]:
    """Record without a database and without room; then with room; then with a database."""
    faults = []
    run = Run("spooled", "r", 1, "baseline", "1.9.0")
    with small_disk(place.directory / "home", _SMALL_MB) as disk:
        before = os.environ["EVALMART_HOME"]
        os.environ["EVALMART_HOME"] = str(disk)
        try:
            recorder = Recorder(database_url=_NOWHERE, queue_records=5, exit_seconds=0.2)
            with filled(disk):
                faults += _refused(recorder, run, 50)
                empty = [path.name for path in disk.rglob("*.spool") if not path.stat().st_size]
                faults += [f"{len(empty)} empty files of the spool"] if len(empty) > 1 else []
            fields: Any = run.record(10**6)
            recorder.record(**fields)
            recorder.flush(timeout=0.2)
            recorder.close()
            if not any(path.stat().st_size for path in spool.waiting()):
                faults.append("nothing is in the spool, though there is room")
        finally:
            os.environ["EVALMART_HOME"] = before
        faults += _loaded(disk)
    return faults


def _refused(recorder: Recorder, run: Run, count: int) -> list[str]:
    """Record more than memory takes; each is kept or refused in a sentence."""
    refused = 0
    for number in range(count):
        try:
            fields: Any = run.record(number)
            recorder.record(**fields)
        except WarehouseUnavailable as error:
            refused += 1
            if _FULL not in str(error):
                return [f"a refusal does not say that the disk is full: {error}"]
    return [] if refused else ["nothing was refused, though neither takes it"]


def _loaded(disk: Path) -> list[str]:
    """Look into the spool for what was acknowledged."""
    texts = [spool.unframed(line) for path in (disk / "spool").glob("*.spool")
             for line in path.read_bytes().splitlines(keepends=True)]  # fmt: skip
    is_there = any(text is not None and b'"value":1000000' in text.replace(b" ", b"")
                   for text in texts)  # fmt: skip
    return [] if is_there else ["the record that was acknowledged is not in the spool"]


def _database(place: Place, count: int, chance: random.Random) -> list[str]:
    """Fill the disk of a database at any moment; the same command completes when there is room."""
    faults: list[str] = []
    with small_disk(place.directory / "disk", _SERVER_MB) as disk:
        (disk / "server").mkdir(mode=0o755)
        small = Place(disk / "server", place.version)
        try:
            with small.database("small") as url:
                for number in range(count):
                    faults += _without_room(small, url, disk, number, chance)
        finally:
            small.close()
    return faults


def _without_room(
    small: Place, url: str, disk: Path, number: int, chance: random.Random
) -> list[str]:
    log = disk.parent / "try.log"
    name, work = _work(disk.parent, url, number)
    room = chance.choice(_ROOMS)
    with filled(disk, room):
        faults = _try(log, work, (name, f"with {room:,} bytes left"), {0, 4})
    small.start()  # a server that could not write its log has ended
    deadline = time.monotonic() + 60
    while spool.waiting() and time.monotonic() < deadline:
        spool.replay_waiting(url)
    faults += _try(log, work, (name, "with room"), {0})
    if name == "ingest":
        query = "select count(*) from raw_evals.evaluation_runs where experiment_id = %s"
        [(found,)] = rows(url, query, [f"e{number}"])
        faults += [f"{found} runs of 3,000 after a full disk"] * (found != 3000)
    return faults


def _work(folder: Path, url: str, number: int) -> tuple[str, Callable[[], int | None]]:
    """Return the next thing to do; the loads are large enough to need room."""
    if number % 3 == 2:
        return "build", command("build", "--database-url", url, "--quiet")
    runs = [Run(f"e{number}", f"f{n}", n % 300, ("baseline", "code-chef")[n % 2], "1.9.0")
            for n in range(3000)]  # fmt: skip
    records = [run.record(number * 3000 + n) for n, run in enumerate(runs)]
    path = write_records(folder / "many.jsonl", records)
    if number % 3 == 1:
        return "ingest", command("ingest", "--file", str(path), "--database-url", url)

    def record() -> int:
        with Recorder(database_url=url, exit_seconds=5) as recorder:
            for fields in records[:500]:
                recorder.record(**fields)
        return outcome("withdraw", "--list", "--database-url", url)

    return "recorder", record


def _try(
    log: Path, work: Callable[[], int | None], words: Sequence[str], codes: set[int]
) -> list[str]:
    ended = Child(work, log).wait(300)
    said = f"{' '.join(words)}: exit code {ended.code}, {ended.output.strip()[-400:]!r}"
    print(f"  {' '.join(words)[-70:]:<70} {ended.code}", flush=True)
    is_sentence = "Traceback" not in ended.output and (ended.code == 0 or ended.output.strip())
    return [] if ended.code in codes and is_sentence else [said]
