"""`states`: every answer, whenever it is asked for, is of one state that existed."""

from __future__ import annotations

import difflib
import io
import json
import random
import re
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final, NamedTuple

from endurance_place import Child, build, outcome, rows, write_records
from endurance_replay import built

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from endurance_place import Place

_EXPERIMENTS: Final = ("one", "two")
_STATES: Final = 3
_READERS, _FEW_READERS, _FEW_BUILDS = 4, 2, 10
"""So many readers ask; with fewer builds, the few."""
_KILLED, _REFRESHED = 0.25, 0.1
_TIMES: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z|[+-]\d\d:?\d\d)?")
_LOADS: Final = re.compile(r"\bload \d+\b|\"load_id\": \d+")
_UNFINISHED: Final = "did not finish"
_DECISIONS: Final = "select to_jsonb(decision) from raw_evals.gate_decisions as decision"
# of a verdict: when and how often it was asked for, and whether it was the last word then
_OF_ASKING: Final = {
    "decision_id", "decided_at", "load_id", "looks", "looks_at_different_data", "warnings",
}  # fmt: skip


class Said(NamedTuple):
    """An answer to a question."""

    question: str
    code: int
    text: str
    errors: str

    @property
    def key(self) -> tuple[str, int, str]:
        """What has to be that of a state."""
        return self.question, self.code, self.text


def questions(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the commands that are asked, by name; files go to this folder."""
    asked: dict[str, tuple[str, ...]] = {
        "experiments": ("experiments", "--format", "json"),
        "trend": ("trend", "--agent", "asked", "--metric", "accuracy", "--format", "json"),
        "metrics": ("metrics", "--textfile", str(folder / "metrics.prom")),
        "recent": ("recent", "--format", "json"),
    }
    for name in _EXPERIMENTS:
        asked |= {
            f"summary {name}": ("summary", "--experiment", name, "--format", "json"),
            f"page {name}": ("summary", "--experiment", name),
            f"compare {name}": ("compare", "--experiment", name, "--format", "json"),
            f"gate {name}": ("gate", "--experiment", name, "--format", "json"),
            f"report {name}": ("report", "--experiment", name, "-o", "-"),
        }
    return asked


def states(place: Place, url: str, count: int, seed: int) -> list[str]:
    """Build so often, killing some builds, while readers ask; check every answer."""
    folder = place.directory / "states"
    folder.mkdir()
    files = [write_records(folder / f"{state}.jsonl", _records(state)) for state in range(_STATES)]
    # with few builds not every state is met, and none twice
    met = range(count) if count <= _STATES else (*range(_STATES), 0)
    expected, decisions = _states_that_exist(place, [files[state] for state in met], folder)
    chance = random.Random(seed)  # noqa: S311  repeatable
    faults = _next_state(place, url, files[0])
    number = _FEW_READERS if count < _FEW_BUILDS else _READERS
    readers = [Child(_reader(folder, url, n), folder / f"{n}.log") for n in range(number)]
    built_count, killed = 1, 0
    while built_count < count and not faults:
        faults += _load(place, url, files[built_count % _STATES])
        arguments = ("--full-refresh",) if chance.random() < _REFRESHED else ()
        child = Child(build(url, *arguments), place.directory / "build.log")
        if chance.random() < _KILLED:
            time.sleep(chance.uniform(0.1, 8))
            killed += child.kill()
            time.sleep(chance.uniform(0, 2))  # what is left is read, too
            faults += built(place, url)
        elif child.wait().code:
            faults.append(f"a build ended with {child.wait()}")
        built_count += 1
    (folder / "stop").touch()
    faults += [
        f"a reader ended with {ended}" for ended in (c.wait() for c in readers) if ended.code
    ]
    said = [Said(*json.loads(line)) for path in sorted(folder.glob("said-*"))
            for line in path.read_text(encoding="utf-8").splitlines()]  # fmt: skip
    counts = Counter(_kind(one, expected) for one in said)
    print(
        f"  {built_count} builds, {killed} killed, {len(said):,} answers: {dict(counts)}",
        flush=True,
    )
    faults += _wrong(said, expected)
    recorded = _verdicts(url) - decisions
    faults += [f"a verdict of no state was recorded: {_nearest(text, decisions)}"
               for text in sorted(recorded)[:3]]  # fmt: skip
    return faults


def _states_that_exist(
    place: Place, files: list[Path], folder: Path
) -> tuple[set[tuple[str, int, str]], set[str]]:
    """Return what is answered when each file is built, and recorded, one after the other."""
    expected = set()
    with place.database("clean") as url:
        for path in files:
            faults = _next_state(place, url, path)
            if faults:
                raise RuntimeError(faults)
            said = folder / "expected"
            expected |= {said_in_child(said, name, words, url).key
                         for name, words in questions(folder).items()}  # fmt: skip
        return expected, _verdicts(url)


def said_in_child(path: Path, name: str, words: tuple[str, ...], url: str) -> Said:
    """Ask in a process of its own, as readers do."""

    def work() -> int:
        path.write_text(json.dumps(ask(name, words, url)))
        return 0

    Child(work, path.with_suffix(".log")).wait()
    return Said(*json.loads(path.read_text()))


def ask(name: str, words: tuple[str, ...], url: str) -> Said:
    """Run a command in this process; return what it says, without times and load ids."""
    out, err = _Stream(), _Stream()
    with redirect_stdout(out), redirect_stderr(err):
        code = outcome(*words, "--database-url", url)
    text = out.value()
    if name == "metrics":
        with open(words[-1], encoding="utf-8") as file:  # noqa: PTH123  a word, no path
            text = "".join(line for line in file if not re.search("second|time|load|row", line))
    elif text and name.startswith("gate"):
        text = json.dumps(_without(json.loads(text), _OF_ASKING), indent=1)
    return Said(name, code, _LOADS.sub("LOAD", _TIMES.sub("TIME", text)), err.value())


class _Stream(io.TextIOWrapper):
    """Standard output that is kept; commands may also write bytes to it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def value(self) -> str:
        self.seek(0)
        return self.read()


def _reader(folder: Path, url: str, number: int) -> Callable[[], int]:
    def work() -> int:
        chance = random.Random(number)  # noqa: S311  repeatable
        own = folder / str(number)
        own.mkdir()
        asked = list(questions(own).items())
        with (folder / f"said-{number}").open("w", encoding="utf-8") as said:
            while not (folder / "stop").exists():
                said.write(json.dumps(ask(*chance.choice(asked), url)) + "\n")
                time.sleep(0.05)
        return 0

    return work


def _records(state: int) -> list[dict[str, object]]:
    """Make every value of every run another one in each state, and the verdict too."""
    better = (0.2, -0.2, 0.0)[state]
    return [
        {
            "experiment_id": experiment,
            "task_id": f"t{task}",
            "experiment_group": group,
            "extension_version": "1.0.0" if experiment == "one" else "1.1.0",
            "agent_name": "asked",
            "source_run_id": f"{group} {task}",
            "recorded_at": f"2026-01-0{1 + state}T00:00:00Z",
            "scores": {
                "accuracy": round(
                    0.4 + task / 100 + state / 1000 + better * (group == "code-chef"), 4
                )
            },
            "latency_ms": 100.0 + task + 7 * state,
            "tokens_used": 1000 + task + 10 * state,
            "cost_usd": (100 + task + state) / 1e4,
            "success": (task + state) % 5 > 0,
            "metadata": {"category": f"c{task % 2}"},
        }
        for experiment in _EXPERIMENTS
        for task in range(12)
        for group in ("baseline", "code-chef")
    ]


def _next_state(place: Place, url: str, path: Path) -> list[str]:
    return _load(place, url, path) or built(place, url)


def _load(place: Place, url: str, path: Path) -> list[str]:
    # what was loaded before is loaded again: it was corrected in between
    words = ("ingest", "--file", str(path), "--database-url", url)
    ended = Child(lambda: outcome(*words), place.directory / "ingest.log").wait()
    return [f"ingest ended with {ended}"] if ended.code else []


def _kind(one: Said, expected: set[tuple[str, int, str]]) -> str:
    if one.key in expected:
        return "of a state"
    return "unfinished" if one.code == 4 and _UNFINISHED in one.errors else "of none"


def _wrong(said: list[Said], expected: set[tuple[str, int, str]]) -> list[str]:
    """Return a line for each kind of question with an answer of no state."""
    lines: dict[tuple[str, int, str], str] = {}
    for one in said:
        kind = (one.question, one.code, one.errors[:40])
        if kind not in lines and _kind(one, expected) == "of none":
            texts = {text for question, _, text in expected if question == one.question}
            lines[kind] = (
                f"{one.question}: exit code {one.code}, {one.errors.strip()[-300:]!r},"
                f" an answer of no state: {_nearest(one.text, texts)}"
            )
    return list(lines.values())


def _verdicts(url: str) -> set[str]:
    """Return the verdicts that were recorded, but for when and how often."""
    found = (_without(entry, _OF_ASKING) for (entry,) in rows(url, _DECISIONS))
    return {json.dumps(entry, indent=1, sort_keys=True) for entry in found}


def _without(value: object, names: set[str]) -> object:
    """Return a JSON value without what has one of these names."""
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def _nearest(text: str, others: set[str]) -> str:
    """Return how a text differs from the one that it resembles most, in a few lines."""
    lines = [
        list(difflib.unified_diff(other.splitlines(), text.splitlines(), n=0))[2:]
        for other in others
    ]
    return "\n    ".join(["", *min(lines, key=len, default=[text])[:8]])[:1200]
