"""`kills`: kill -9 over every command that writes, and over the server."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from endurance_model import Model, Run
from endurance_place import Child, Ended, build, command, rows, write_records
from endurance_replay import built, compare_with_sequential

from loader.recording import spool
from loader.recording.recorder import SOURCE, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from endurance_model import Item
    from endurance_place import Place

RUNNER: Final = "kills-run"
_EXPERIMENTS, _TASKS, _RUN_TASKS = 6, 12, 12
_WEIGHTS: Final = {
    "ingest": 30, "recorder": 30, "build": 12, "withdraw": 8, "purge": 6, "run": 6,
}  # fmt: skip
_SERVER_SHARE: Final = 0.12
_MOST_FAULTS: Final = 20
_DOCUMENTED: Final = {0, 3, 4}


def answer(prompt: str) -> str:
    """Answer a task, as what is evaluated would."""
    time.sleep(0.003)
    return prompt


class Kills:
    """Rounds of one command each, most of them killed."""

    def __init__(self, place: Place, url: str, seed: int) -> None:
        """Begin with an empty database."""
        self.place, self.url = place, url
        self.model = Model()
        self.killed: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311  the same rounds every time
        self._usual: dict[str, float] = {}
        self._value = 0
        self._sessions = 0
        self._ended = Ended(0, "")

    def go_on(self, count: int, check_every: int) -> None:
        """Kill so many processes; build and compare whenever so many more were."""
        names = list(_WEIGHTS)
        # each is seen undisturbed, then in danger; then as it comes
        first = iter(names * 2)
        checked = 0
        while (total := self.killed.total()) < count and len(self.model.faults) < _MOST_FAULTS:
            name = next(first, None) or self._chance.choices(names, list(_WEIGHTS.values()))[0]
            getattr(self, f"_{name}")()
            if total >= checked + check_every:
                checked = total
                self._check()
                print(f"  {total:,} killed, {len(self.model.faults)} faults", flush=True)
        self._check()

    def compare(self) -> list[str]:
        """Return how the marts differ from those of a clean run of the same."""
        return compare_with_sequential(
            self.place, self.url, self.model.replay_steps(), without=[RUNNER]
        )

    def _check(self) -> None:
        self.model.check_raw(self.url)
        self.model.faults += built(self.place, self.url)
        self.model.check_marts(self.url)

    def _ingest(self) -> None:
        items = self._items("f", self._chance.choice([5, 60, 400]), old=self._chance.random() < 0.3)
        path = self._write("records.jsonl", items)
        words = ("ingest", "--file", str(path), "--database-url", self.url)
        is_done = self._risk("ingest", command(*words))
        acknowledged = len(items) if is_done else 0
        self.model.adopt(self.url, "file", items, acknowledged, is_whole=True)

    def _recorder(self) -> None:
        items = self._items("r", self._chance.choice([20, 100, 600]), repeated=True)
        reading, writing = os.pipe()
        every = self._chance.choice([1, 7, 50])

        def work() -> int:
            os.close(reading)
            options = {"flush_seconds": 0.02, "flush_records": 40, "exit_seconds": 2.0}
            with Recorder(database_url=self.url, **options) as recorder:  # type: ignore[arg-type]
                for number, (run, value) in enumerate(items, start=1):
                    recorder.record(**run.record(value))
                    if number % every == 0:
                        recorder.flush(timeout=0.5)
                        os.write(writing, b"%d\n" % number)
            return 0

        is_done = self._risk("recorder", work, lambda: os.close(writing))
        with os.fdopen(reading) as said:
            acknowledged = max([0, *map(int, said.read().split())])
        self._empty_spool()
        acknowledged = len(items) if is_done else acknowledged
        self.model.adopt(self.url, SOURCE, items, acknowledged)

    def _build(self) -> None:
        # now and then the command itself, whose dbt goes on alone
        whole = command("build", "--database-url", self.url, "--quiet")
        self._risk("build", build(self.url) if self._chance.random() < 0.9 else whole)

    def _withdraw(self) -> None:
        standing = sorted({(self.model.runs[key].experiment, self.model.runs[key].task)
                           for key in self.model.standing()})  # fmt: skip
        if not standing:
            return
        experiment, task = self._chance.choice(standing)
        self._value += 1
        reason = f"reason {self._value}"
        words = ("--experiment", experiment, "--task", f"t{task:03}", "--reason", reason, "--yes")
        is_done = self._risk("withdraw", command("withdraw", *words, "--database-url", self.url))
        query = "select count(*) from raw_evals.withdrawals where reason = %s"
        [(count,)] = rows(self.url, query, [reason])
        if count != is_done and (is_done or count > 1):
            self.model.faults.append(f"{count} entries of one withdrawal, done: {is_done}")
        if count:
            self.model.note_withdrawal(experiment, task)

    def _purge(self) -> None:
        words = ("purge", "--older-than", "400", "--yes", "--no-build", "--database-url", self.url)
        is_done = self._risk("purge", command(*words))
        self.model.note_purge(self.url, is_done=is_done)

    def _run(self) -> None:
        self._sessions += 1
        experiment = f"{RUNNER}-{self._sessions}"
        tasks = [{"task_id": f"t{n}", "prompt": str(n), "expected_output": str(n)}
                 for n in range(_RUN_TASKS)]  # fmt: skip
        path = write_records(self.place.directory / "tasks.jsonl", tasks)
        words = (
            "run", "--tasks", str(path), "--experiment-id", experiment,
            "--experiment-group", "code-chef", "--extension-version", "1", "--agent", RUNNER,
            "--target", "endurance_kills:answer", "--evaluator", "loader.evaluators:exact_match",
            "--concurrency", "2", "--database-url", self.url,
        )  # fmt: skip
        if not self._risk("run", command(*words)):
            self._ended = Child(command(*words), self.place.directory / "run.log").wait(120)
            if self._ended.code:
                self.model.faults.append(f"run after a kill: {self._ended}")
        self._empty_spool()
        query = ("select count(*), count(distinct task_id) from raw_evals.evaluation_runs"
                 " where experiment_id = %s")  # fmt: skip
        [counts] = rows(self.url, query, [experiment])
        if counts != (_RUN_TASKS, _RUN_TASKS):
            self.model.faults.append(f"run: {counts} runs and tasks of {_RUN_TASKS}")

    def _empty_spool(self) -> None:
        """Load what was kept while the server was away, as the next command does."""
        deadline = time.monotonic() + 60
        while spool.waiting() and time.monotonic() < deadline:
            spool.replay_waiting(self.url)
        if spool.waiting():
            self.model.faults.append(f"not loaded from the spool: {spool.waiting()}")

    def _items(
        self, kind: str, count: int, *, old: bool = False, repeated: bool = False
    ) -> list[Item]:
        """Make records: new runs, and corrections of runs there are; each run once, or often."""
        chosen: list[Run] = []
        known = [run for run in self.model.runs.values() if run.name.startswith(kind)]
        corrected = self._chance.sample(known, min(len(known), count // 2))
        chosen += [run for run in corrected if not run.is_old]
        while len(chosen) < count:
            self._value += 1
            chosen.append(self._new_run(kind, is_old=old and self._chance.random() < 0.2))
        if repeated:
            chosen += self._chance.choices(chosen, k=count // 2)
        self._chance.shuffle(chosen)
        items = []
        for run in chosen:
            self._value += 1
            items.append((run, self._value))
        return items

    def _new_run(self, kind: str, *, is_old: bool) -> Run:
        return Run(
            f"e{self._chance.randrange(_EXPERIMENTS)}",
            f"{kind}{self._value}",
            self._chance.randrange(_TASKS),
            self._chance.choice(["baseline", "code-chef"]),
            self._chance.choice(["1.9.0", "1.10.0"]),
            is_old,
        )

    def _write(self, name: str, items: list[Item]) -> Path:
        records = [run.record(value) for run, value in items]
        return write_records(self.place.directory / name, records)

    def _risk(
        self, name: str, work: Callable[[], int | None], started: Callable[[], None] | None = None
    ) -> bool:
        """Do something and, most times, kill it or the server; return whether it got done."""
        began = time.monotonic()
        child = Child(work, self.place.directory / f"{name}.log")
        if started is not None:
            started()
        if name not in self._usual:  # nobody knows yet how long it takes
            self._ended = child.wait(120)
        else:
            # CPU is shared: a little longer than usual, so that its very end is met too
            pause = self._chance.uniform(0, 1.1 * self._usual[name])
            while time.monotonic() < began + pause and not child.is_over():
                time.sleep(0.001)
            if self._chance.random() < _SERVER_SHARE and not child.is_over():
                self.place.kill()
                self.killed[f"server during {name}"] += 1
                self.place.start()
                self._ended = child.wait(180)
                self._check_code(name)
                self.place.wait_for(self.url)
                return self._ended.code == 0
            self.killed[name] += child.kill()
            self._ended = child.wait()
        took = time.monotonic() - began
        if self._ended.code == 0:
            self._usual[name] = 0.8 * self._usual.get(name, took) + 0.2 * took
            return True
        if self._ended.code > 0:
            self._check_code(name)
        return False

    def _check_code(self, name: str) -> None:
        is_known = self._ended.code in _DOCUMENTED and "Traceback" not in self._ended.output
        if name != "build" and not is_known:
            self.model.faults.append(f"{name} ended with {self._ended}")


def kills(place: Place, url: str, count: int, seed: int, check_every: int = 100) -> list[str]:
    """Kill so many processes; return what was found to be wrong."""
    rounds = Kills(place, url, seed)
    rounds.go_on(count, check_every)
    for name, number in sorted(rounds.killed.items()):
        print(f"  {name:<24} {number:>6,} killed")
    stored = [len(values) for values in rounds.model.versions.values() if values]
    print(f"  {len(stored):,} runs, {sum(stored):,} versions", flush=True)
    return [*rounds.model.faults, *rounds.compare()]
