"""lm-evaluation-harness: the results file, and what it says of the samples beside it."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import Rejection
from . import Directed, FileBroken, Noted, Whole
from .lm_eval_metrics import UNSCORED, score_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from . import Item
    from .opened import ToolFile

TRIED: Final = "0.3 to 0.5.0.dev1"
KIND: Final = "lm-eval"
_TIME: Final = r"(?P<time>\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(?:\.\d+)?)"
_SAMPLES: Final = re.compile(rf"(?:.*?\W|.*?_)??samples_(?P<task>.+)_{_TIME}\.jsonl?")
_TIMED: Final = re.compile(rf".*{_TIME}\.jsonl?")
_SAYS_HOW: Final = frozenset({"configs", "versions", "config", "n-shot", "group_subtasks"})
_NO_METRICS: Final = frozenset({"alias", "name", "sample_len", "sample_count", "samples"})
_NO_SAMPLES: Final = (
    "no samples of them are there; run lm_eval with --log_samples for scores of single docs"
)
_MODEL_ARGUMENTS: Final = ("peft", "delta", "pretrained", "model", "path", "engine")
"""In the order in which the tool looks for the model's name."""
_MADE_UP: Final = re.compile(r"[a-z0-9]{8}")
_MOST_LOOKED_AT: Final = 50
"""Files of a folder that are opened to find the one that belongs to samples without a time."""


class _Counts(msgspec.Struct):
    effective: int | None = None


class Results(msgspec.Struct):
    """What a results file says, as far as it is read."""

    results: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]] = {}
    versions: dict[str, Any] = {}
    group_subtasks: dict[str, list[str]] = {}
    n_samples: dict[str, _Counts] = msgspec.field(name="n-samples", default_factory=dict)
    n_shot: dict[str, Any] = msgspec.field(name="n-shot", default_factory=dict)
    higher_is_better: dict[str, dict[str, bool | None]] = {}
    config: dict[str, Any] = {}
    date: float | None = None
    model_name: str | None = None
    model_source: str | None = None
    lm_eval_version: str | None = None
    git_hash: str | None = None
    samples: dict[str, int] = {}
    """How many each task has in the file itself, as `simple_evaluate` returns them."""

    def model(self) -> str | None:
        """Return the model's name; before 0.4.3 it stands in the arguments only.

        Where the arguments name none, the tool makes one up, of eight letters and digits, anew
        in each run: then it is what ran the model.
        """
        arguments = self.config.get("model_args")
        if isinstance(arguments, str):
            arguments = dict(each.partition("=")[::2] for each in arguments.split(","))
        said = arguments if isinstance(arguments, dict) else {}
        argued = next((str(said[name]) for name in _MODEL_ARGUMENTS if said.get(name)), None)
        if self.model_name and (argued or not _MADE_UP.fullmatch(self.model_name)):
            return self.model_name
        ran = self.config.get("model")
        return argued or (ran if isinstance(ran, str) and ran else self.model_name)

    def group(self, task: str) -> str:
        """Return the outermost group that a task was run in; the task itself if there is none."""
        outer = {part: group for group, parts in self.group_subtasks.items() for part in parts}
        for _ in range(len(outer)):
            if task not in outer:
                break
            task = outer[task]
        return task

    def filters(self, task: str) -> list[str]:
        """Return the names of a task's filters, in the order in which its samples are written."""
        found = self.configs.get(task, {}).get("filter_list")
        steps = found if isinstance(found, list) else []
        return [str(step.get("name")) for step in steps if isinstance(step, dict)]

    def aggregations(self, task: str) -> dict[str, str]:
        """Return how each metric of a task becomes one number, where the file says it."""
        found = self.configs.get(task, {}).get("metric_list")
        metrics = found if isinstance(found, list) else []
        return {
            str(metric.get("metric")): str(metric.get("aggregation", ""))
            for metric in metrics
            if isinstance(metric, dict)
        }


def is_results(file: ToolFile) -> bool:
    """Tell whether a file is a results file."""
    found = file.shown("results")
    if file.is_list or "results" not in file.keys:
        return False
    if found is None:  # longer than the head
        return file.keys == {"results"} and b"_stderr," in file.head
    return (
        bool(file.keys & _SAYS_HOW)
        and isinstance(found, dict)
        and bool(found)
        and all(isinstance(metrics, dict) for metrics in found.values())
        and any(_is_metric(name) for metrics in found.values() for name in metrics)
    )


def _is_metric(name: str) -> bool:
    return "," in name or name == "alias" or name.endswith("_stderr")


def read_results(file: ToolFile) -> Results:
    """Read a results file.

    Raises:
        FileBroken: it cannot be read, or is of a version that is written otherwise.

    """
    tasks = file.shown("results")
    names = {f"samples.{task}": task for task in (tasks if isinstance(tasks, dict) else ())}
    members, counts = file.outline(*names)
    inside = members.get("samples")
    if isinstance(inside, dict):
        members["samples"] = {
            task: counts.get(f"samples.{task}", 0) for task in inside if inside[task] is not None
        }
    try:
        return msgspec.convert(members, Results)
    except msgspec.ValidationError as error:
        version = members.get("lm_eval_version") or "a version that it does not tell"
        reason = (
            f"not as lm-evaluation-harness writes results: {error}; "
            f"the file is of {version}, tried are {TRIED}"
        )
        raise FileBroken(Rejection("unexpected_form", reason)) from None


def task_and_time(name: str) -> tuple[str | None, str | None]:
    """Return the task and the time that a file's name tells."""
    if found := _SAMPLES.fullmatch(name):
        return found["task"], found["time"]
    timed = _TIMED.fullmatch(name)
    return None, timed["time"] if timed else None


def results_beside(file: ToolFile, task: str | None, time: str | None) -> ToolFile | None:
    """Find the results file that belongs to samples: of their time, or the folder's only one."""
    pattern = f"*{time}.json" if time else "*.json"
    found = [*file.beside(pattern), *file.beside(f"*/{pattern}")][:_MOST_LOOKED_AT]
    found = [each for each in found if is_results(each)]
    if time is None:
        found = [each for each in found if task is None or task in (each.shown("results") or {})]
        return found[0] if len(found) == 1 else None
    lead = file.name.partition("samples_")[0]
    return max(found, key=lambda each: each.name.startswith(lead), default=None)


def task_by_name(name: str, results: Results) -> str | None:
    """Return the task whose samples a file without a time has: 0.4.0 to 0.4.2 end on its name."""
    stem = name.rpartition(".")[0]
    ending = [task for task in results.results if stem == task or stem.endswith(f"_{task}")]
    only = list(results.results) if len(results.results) == 1 else []
    return max(ending or only, key=len, default=None)


def said_of(results: Results | None, task: str | None, time: str | None) -> dict[str, Any]:
    """Return the fields of a record that all samples of a file have."""
    record: dict[str, Any] = {"experiment_id": task or KIND}
    metadata: dict[str, Any] = {"category": task} if task else {}
    if results is None:
        record["recorded_at"] = iso_time(time)
        return record | {"metadata": metadata}
    at = results.date
    record["recorded_at"] = iso_time(time) if at is None else _iso_date(at)
    record["model_version"] = results.model()
    sha = results.config.get("model_sha")
    record["extension_version"] = str(sha) if sha else None
    config = results.configs.get(task or "", {})
    version = results.versions.get(task or "")
    record["dataset_version"] = None if version is None else str(version)
    metadata |= {
        "split": config.get("test_split") or config.get("validation_split"),
        "num_fewshot": results.n_shot.get(task or ""),
        "lm_eval_version": results.lm_eval_version,
        "git_hash": results.git_hash,
    }
    record["metadata"] = {name: value for name, value in metadata.items() if value is not None}
    return {name: value for name, value in record.items() if value is not None}


def names_of(
    file: ToolFile, results: Results | None, task: str | None, time: str | None
) -> dict[str, object]:
    """Return what `--map` may use of a file."""
    places = file.path.replace("\\", "/").split("/")[:-1]
    model = results.model() if results else None
    if model and len(places) > 1 and places[-1] == re.sub(r'["<>:/|\\?*\[\]]+', "__", model):
        places.pop()  # the tool makes a folder of the model's name inside the one it is given
    return {
        "model": model,
        "model_source": (results.model_source or results.config.get("model")) if results else None,
        "revision": (results.config.get("model_revision") or None) if results else None,
        "task": task,
        "group": results.group(task) if results and task else task,
        "time": time,
        "folder": places[-1] if places else None,
        "file": file.name,
    }


def whole_scores(
    results: Results,
    task: str,
    but: Collection[str],
    record: dict[str, Any],
    names: Mapping[str, object],
) -> Iterator[Whole]:
    """Yield what the file says of a task as a whole.

    Args:
        results: of the file.
        task: of it, or a group of tasks.
        but: keys that single runs have.
        record: the fields that say which arm it is.
        names: for `--map`.

    """
    found = results.results.get(task, {})
    count = results.n_samples.get(task, _Counts()).effective
    for name, value in found.items():
        metric, _, filtered = name.partition(",")
        key = score_key(metric, filtered)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if metric in _NO_METRICS or metric.endswith("_stderr") or metric in UNSCORED:
            continue
        if key in but or not is_number:
            continue
        error = found.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr")
        told = [f"standard error {error:.6g}"] if isinstance(error, int | float) else []
        told += [f"of {count:,} docs"] if count else []
        yield Whole(
            key, float(value), record, names, record.get("recorded_at"), ", ".join(told) or None
        )


def directions(
    results: Results,
    task: str,
    keys: Collection[str],
    record: dict[str, Any],
    names: Mapping[str, object],
) -> Iterator[Directed]:
    """Yield which way scores of a task are better; arguments as of `whole_scores`."""
    said = results.higher_is_better.get(task, {})
    for key in sorted(keys):
        is_higher = said.get(key.partition(",")[0])
        if is_higher is not None:
            yield Directed(key, is_higher, record, names)


def items_without_samples(
    file: ToolFile, results: Results, sampled: set[str] | None
) -> Iterator[Item]:
    """Yield the scores of whole arms, where a results file has no samples, nor beside it.

    Args:
        file: a results file.
        results: what is in it.
        sampled: tasks of which there are samples; None if there are none at all.

    """
    time = task_and_time(file.name)[1]
    if sampled is not None:
        groups = {group for group, parts in results.group_subtasks.items() if parts}
        left = [task for task in results.results if task not in sampled | groups]
        if left:
            yield Noted(f"its scores of {', '.join(left[:5])} are left out: {_NO_SAMPLES}")
        return
    for task in results.results:
        names = names_of(file, results, task, time)
        yield from whole_scores(results, task, (), said_of(results, task, time), names)
    yield Noted(_NO_SAMPLES)


def _iso_date(seconds: float) -> str | None:
    with suppress(OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    return None


def iso_time(time: str | None) -> str | None:
    """Write the time of a file's name as ISO 8601; it tells no zone."""
    if time is None:
        return None
    day, _, clock = time.partition("T")
    return f"{day}T{clock.replace('-', ':')}"
