"""`writers`: everybody at once, and the outcome is that of one after the other."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from endurance_marts import differences, texts
from endurance_model import Run
from endurance_place import Child, build, outcome, rows, write_records
from endurance_replay import built, load_records

from loader.ingest import withdrawals
from loader.ingest.load import load
from loader.recording.recorder import SOURCE, Recorder
from loader.records.checker import Defaults
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from endurance_place import Place

_WRITERS, _RECORDERS, _SMALL = 16, 4, 7
"""Of the writers, so many record, one withdraws, one purges and migrates, the others ingest."""
_FEW_BUILDS, _FEW_TURNS = 10, 8
"""With fewer builds each writer has so many turns: all of them are done again afterwards."""
_SHARED: Final = 40
_PAUSE: Final = 0.6
_RAW: Final = """
select experiment_id, source_run_id, run_version, metadata ->> 'value'
from raw_evals.evaluation_runs
order by 1, 2, 3
"""

_NOT_UNDONE: Final = """
select load_id
from raw_evals.withdrawals as entry
where
    undone_load_id is null
    and not exists (select from raw_evals.withdrawals where undone_load_id = entry.load_id)
"""
_OF_LOAD: Final = """
select (metadata ->> 'value')::bigint
from raw_evals.evaluation_runs
where load_id = %s
order by experiment_id, source_run_id, run_version
"""


def writers(place: Place, url: str, count: int, seed: int) -> list[str]:
    """Write from many processes until so many builds are complete; compare."""
    folder = place.directory / "writers"
    folder.mkdir()
    old = [Run(f"e{n % 4}", f"old{n}", 900 + n % 5, "baseline", "1.9.0", is_old=True).record(n + 1)
           for n in range(400)]  # fmt: skip
    _load(url, write_records(folder / "old.jsonl", old))
    is_small = count < _FEW_BUILDS
    number = _SMALL if is_small else _WRITERS
    turns = _FEW_TURNS if is_small else None
    work: list[Callable[[], int]] = [
        *(_recorder(folder, url, seed, n, turns) for n in range(2 if is_small else _RECORDERS)),
        _withdrawer(folder, url, seed, turns),
        _keeper(folder, url, turns),
    ]
    work += [_ingester(folder, url, seed, n, turns) for n in range(len(work), number)]
    children = [Child(one, folder / f"{n}.log") for n, one in enumerate(work)]
    faults: list[str] = []
    builds = 0
    # two builders: one of them waits for the other
    builders: list[Child | None] = [None, None]
    while builds < count and not faults:
        for n, child in enumerate(builders):
            if child is None and builds + len([*filter(None, builders)]) >= count:
                continue  # those under way are enough
            if child is None:
                builders[n] = Child(build(url), folder / f"build-{n}.log")
            elif child.is_over():
                builders[n] = None
                ended = child.wait()
                builds += ended.code == 0
                faults += [f"a build ended with {ended}"] if ended.code else []
        faults += [
            f"writer {n} ended early: {child.wait()}"
            for n, child in enumerate(children)
            if child.is_over() and (child.wait().code or not is_small)
        ]
        time.sleep(0.05)
    (folder / "stop").touch()
    for n, child in enumerate([*children, *filter(None, builders)]):
        ended = child.wait()
        faults += [f"process {n} ended with {ended}"] if ended.code else []
    ledger = rows(url, "select source from raw_evals.loads")
    print(f"  {number} writers, {builds} builds, entries of the ledger:"
          f" {dict(Counter(source for (source,) in ledger))}", flush=True)  # fmt: skip
    return faults or _compare(place, url, folder)


def _compare(place: Place, url: str, folder: Path) -> list[str]:
    """Do the same in the order of the ledger in another database; return what differs."""
    faults = [f"the last build failed: {fault}" for fault in built(place, url)]
    with place.database("sequential") as other:
        _replay(url, other, folder)
        raw, expected = rows(url, _RAW), rows(other, _RAW)
        if raw != expected:
            lost, more = set(expected) - set(raw), set(raw) - set(expected)
            faults.append(f"raw: {sorted(lost)[:5]} is missing, {sorted(more)[:5]} too many")
        faults += [f"the sequential build failed: {fault}" for fault in built(place, other)]
        return faults or differences(texts(url), texts(other))


def _replay(url: str, other: str, folder: Path) -> None:
    ledger = rows(
        url,
        "select loads.load_id, source, source_ref -> 'files' ->> 0, withdrawals.experiment_id,"
        " task_id, undone_load_id"
        " from raw_evals.loads left join raw_evals.withdrawals using (load_id) order by 1",
    )
    recorded = {
        record["metadata"]["value"]: record
        for path in folder.glob("recorded-*.jsonl")
        for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    }
    entries: dict[int, int] = {}
    for load_id, source, path, experiment, task, undone in ledger:
        if source == withdrawals.SOURCE:
            with connect(other) as connection:
                if undone is None:
                    meant = withdrawals.Slice(experiment=experiment, task=task)
                    [entry] = withdrawals.withdraw(connection, meant, "again", None)
                    entries[load_id] = entry.load_id
                else:
                    withdrawals.undo(connection, [entries[undone]], "again", None)
        elif source == SOURCE:
            # load by load: what is corrected within one was never believed
            load_records(other, (recorded[value] for (value,) in rows(url, _OF_LOAD, [load_id])))
        elif path is not None and not path.endswith("old.jsonl"):
            with connect(other) as connection:
                load(connection, FileSource([path]), read_vocabulary(), Defaults())


def _ingester(
    folder: Path, url: str, seed: int, number: int, turns: int | None
) -> Callable[[], int]:
    """Return a writer that loads files of its own runs and of everybody's, and some twice."""

    def work() -> int:
        chance = random.Random(seed * 1000 + number)  # noqa: S311  repeatable
        value = number
        files: list[Path] = []
        for _ in _turns(folder, turns):
            runs = [_shared(n) for n in chance.sample(range(_SHARED), 5)]
            runs += [_own(number, chance.randrange(400)) for _ in range(20)]
            records = []
            for run in dict.fromkeys(runs):
                value += _WRITERS
                records.append(run.record(value))
            files.append(write_records(folder / f"{number}-{len(files)}.jsonl", records))
            path = chance.choice(files) if chance.random() < 0.1 else files[-1]
            code = outcome("ingest", "--file", str(path), "--database-url", url)
            if code:
                return code
            time.sleep(chance.uniform(0, _PAUSE))
        return 0

    return work


def _recorder(
    folder: Path, url: str, seed: int, number: int, turns: int | None
) -> Callable[[], int]:
    """Return a writer that records and corrects runs of its own."""

    def work() -> int:
        chance = random.Random(seed * 1000 + number)  # noqa: S311  repeatable
        value = number
        path = folder / f"recorded-{number}.jsonl"
        with path.open("w") as kept, Recorder(database_url=url, exit_seconds=60) as recorder:
            for _ in _turns(folder, turns):
                for _ in range(chance.randrange(1, 30)):
                    value += _WRITERS
                    run = _own(number, chance.randrange(300), "r")
                    record: Any = run.record(value)
                    recorder.record(**record)
                    kept.write(json.dumps(record) + "\n")
                if chance.random() < 0.5:
                    recorder.flush()
                time.sleep(chance.uniform(0, _PAUSE))
        return 0

    return work


def _withdrawer(folder: Path, url: str, seed: int, turns: int | None) -> Callable[[], int]:
    """Return a writer that takes back what ingest loaded of a task, and lifts that at times."""

    def work() -> int:
        chance = random.Random(seed)  # noqa: S311  repeatable
        said = ("--reason", "a mistake", "--yes", "--database-url", url)
        for _ in _turns(folder, turns):
            meant = (f"e{chance.randrange(4)}", "--task", f"t{chance.randrange(6):03}")
            words = ("withdraw", "--experiment", *meant, *said)
            code = outcome(*words)
            if code not in {0, 2}:  # 2: nothing is left to withdraw
                return code
            entries = rows(url, _NOT_UNDONE)
            if entries and chance.random() < 0.4:
                [entry] = chance.choice(entries)
                if code := outcome("withdraw", "--undo", str(entry), *said):
                    return code
            time.sleep(chance.uniform(0, 3 * _PAUSE))
        return 0

    return work


def _keeper(folder: Path, url: str, turns: int | None) -> Callable[[], int]:
    """Return what removes runs past retention and migrates, again and again."""

    def work() -> int:
        for _ in _turns(folder, turns):
            purge = ("purge", "--older-than", "400", "--yes", "--no-build")
            for words in (purge, ("init",)):
                if code := outcome(*words, "--database-url", url):
                    return code
            time.sleep(2 * _PAUSE)
        return 0

    return work


def _turns(folder: Path, most: int | None) -> Iterator[int]:
    """Count the turns of a writer, until it is told to stop or has had the most."""
    for turn in itertools.count():
        if turn == most or (folder / "stop").exists():
            return
        yield turn


def _shared(number: int) -> Run:
    return Run(f"e{number % 4}", f"shared{number}", number % 12, _group(number), "1.10.0")


def _own(writer: int, number: int, kind: str = "f") -> Run:
    """Return a run of a writer, always the same for a number; recorders have their own tasks."""
    task = number % 12 + (20 if kind == "r" else 0)
    return Run(f"e{number % 4}", f"{kind}{writer}-{number}", task, _group(number // 4), "1.9.0")


def _group(number: int) -> str:
    return "code-chef" if number % 2 else "baseline"


def _load(url: str, path: Path) -> None:
    with connect(url) as connection:
        load(connection, FileSource([str(path)]), read_vocabulary(), Defaults())
