"""Harbor, and Terminal-Bench before it: attempts of an agent at tasks in containers.

A job is a folder: its own `result.json` and `config.json`, and a folder for each trial with a
`result.json` that says all of it. Trials are read each for itself; the job's says how many there
were to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import Rejection
from . import About, Companion, FileBroken, Importer, Planned, Run
from .opened import each
from .terminal_bench import (
    is_of_terminal_bench,
    milliseconds,
    runs_of_terminal_bench,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import Part, ToolFile

_TOLD_BY_TRIALS: Final = "the result.json of its trials"
_FULL: Final = 1.0
"""The reward of a task that is solved; some verifiers give parts of it."""


class _Model(msgspec.Struct):
    name: str | None = None
    provider: str | None = None


class _Agent(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    model_info: _Model | None = None


class _Used(msgspec.Struct):
    n_input_tokens: int | None = None
    n_cache_tokens: int | None = None
    n_output_tokens: int | None = None
    cost_usd: float | None = None


class _Verified(msgspec.Struct):
    rewards: dict[str, float | None] | None = None


class _Exception(msgspec.Struct):
    exception_type: str = "Exception"
    exception_message: str = ""


class _Span(msgspec.Struct):
    started_at: str | None = None
    finished_at: str | None = None


class _Task(msgspec.Struct):
    source: str | None = None
    git_commit_id: str | None = None
    ref: str | None = None


class _Config(msgspec.Struct):
    task: _Task = msgspec.field(default_factory=_Task)
    job_id: str | None = None


class _Trial(msgspec.Struct):
    """One attempt at one task."""

    task_name: str
    trial_name: str
    id: str | None = None
    source: str | None = None
    task_checksum: str | None = None
    config: _Config = msgspec.field(default_factory=_Config)
    agent_info: _Agent | None = None
    agent_result: _Used | None = None
    verifier_result: _Verified | None = None
    exception_info: _Exception | None = None
    started_at: str | None = None
    finished_at: str | None = None
    agent_execution: _Span | None = None

    @property
    def dataset(self) -> str | None:
        """What its task is of; None for a task that was named alone."""
        return self.source or self.config.task.source


class _Dataset(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    ref: str | None = None


class _Job(msgspec.Struct):
    """How a job was to be run."""

    n_attempts: int = 1
    agents: list[msgspec.Raw] = []
    datasets: list[_Dataset] = []


def _recognises(file: ToolFile) -> bool:
    return not file.is_list and (
        _is_trial(file) or _is_job(file) or _is_beside(file) or is_of_terminal_bench(file)
    )


def _is_trial(file: ToolFile) -> bool:
    told = file.keys & {"task_checksum", "agent_info", "trial_uri", "verifier_result", "config"}
    return file.keys >= {"task_name", "trial_name"} and len(told) > 1


def _is_job(file: ToolFile) -> bool:
    return file.keys >= {"n_total_trials", "stats"}


def _is_beside(file: ToolFile) -> bool:
    return (
        file.keys >= {"job_name", "jobs_dir"}
        or file.keys >= {"trial_name", "trials_dir"}
        or file.keys >= {"harbor", "trials"}
        or str(file.shown("schema_version")).startswith("ATIF-")
        or _is_within_trial(file)
    )


def _is_within_trial(file: ToolFile) -> bool:
    """Whether a file that could be taken for records is what a trial's verifier wrote."""
    if file.keys.isdisjoint({"results", "task_id"}):
        return False
    trial = file.near("../result.json")
    return trial is not None and _is_trial(trial)


def _runs(file: ToolFile) -> Iterator[Item]:
    if _is_trial(file):
        found = file.document(_Trial)
        job = _job(file.near("../config.json"))
        yield Run(1, _record(found, job), _names(found, file.name))
    elif _is_job(file):
        yield from _of_job(file)
    elif _is_beside(file):
        yield Companion(_TOLD_BY_TRIALS)
    else:
        yield from runs_of_terminal_bench(file)


def _of_job(file: ToolFile) -> Iterator[Item]:
    outline = file.outline("trial_results")
    job = _job(file.near("config.json"))
    total = outline.members.get("n_total_trials")
    first = next((each for each in file.beside("*/result.json") if _is_trial(each)), None)
    if first is not None:
        yield Companion(_TOLD_BY_TRIALS)
        if job is not None and len(job.agents) == 1 and len(job.datasets) <= 1:
            trial = first.document(_Trial)
            record, names = _record(trial, job), _names(trial, first.name)
            yield Planned(_tasks(total, job), job.n_attempts, record, names)
        return
    if not outline.counts.get("trial_results"):
        reason = (
            "the job's summary has no single trial, and no folder of a trial lies beside it; "
            "give the job's folder whole"
        )
        raise FileBroken(Rejection("no_results", reason))
    if job is not None:
        yield Planned(_tasks(total, job), job.n_attempts)

    def run(part: Part[_Trial]) -> Iterator[Run]:
        yield Run(part.number, _record(part.value, job), _names(part.value, file.name))

    yield from each(file.parts("trial_results", _Trial), run)


def _tasks(total: object, job: _Job) -> int | None:
    trials = max(job.n_attempts, 1) * max(len(job.agents), 1)
    return total // trials if isinstance(total, int) else None


def _job(file: ToolFile | None) -> _Job | None:
    try:
        return file.document(_Job) if file is not None and _is_beside(file) else None
    except FileBroken:
        return None  # it only adds the version of a dataset, and a plan


def _names(found: _Trial, file: str) -> Mapping[str, object]:
    agent = found.agent_info or _Agent()
    return {
        "agent": agent.name,
        "agent_version": agent.version,
        "model": _model(agent),
        "dataset": found.dataset,
        "job_id": found.config.job_id,
        "file": file,
    }


def _model(agent: _Agent) -> str | None:
    model = agent.model_info
    if model is None or not model.name:
        return None
    return f"{model.provider}/{model.name}" if model.provider else model.name


def _record(found: _Trial, job: _Job | None) -> dict[str, Any]:
    agent = found.agent_info or _Agent()
    record: dict[str, Any] = {
        "experiment_id": found.dataset or "harbor",
        "task_id": found.task_name,
        "source_run_id": found.id or f"{found.config.job_id}/{found.trial_name}",
        "agent_name": agent.name,
        "recorded_at": found.finished_at or found.started_at,
        "metadata": {"task_checksum": found.task_checksum} if found.task_checksum else {},
        **_result(found),
    }
    if model := _model(agent):
        record["model_version"] = model
    if agent.version and agent.version != "unknown":
        record["extension_version"] = agent.version
    if version := _dataset_version(found, job):
        record["dataset_version"] = version
    span = found.agent_execution or _Span()
    took = milliseconds(span.started_at, span.finished_at)
    if took is None:
        took = milliseconds(found.started_at, found.finished_at)
    record["latency_ms"] = took
    if (used := found.agent_result) is not None:
        record |= {
            "prompt_tokens": used.n_input_tokens,
            "cached_tokens": used.n_cache_tokens,
            "completion_tokens": used.n_output_tokens,
            "cost_usd": used.cost_usd,
        }
    return record


def _dataset_version(found: _Trial, job: _Job | None) -> str | None:
    for dataset in job.datasets if job else ():
        if dataset.name and dataset.name == found.dataset:
            return dataset.version or dataset.ref
    return found.config.task.ref or found.config.task.git_commit_id


def _result(found: _Trial) -> dict[str, Any]:
    """Return rewards as scores, and why it failed; a trial without rewards has no score."""
    result: dict[str, Any] = {}
    rewards = {
        name: reward
        for name, reward in ((found.verifier_result or _Verified()).rewards or {}).items()
        if reward is not None
    }
    decisive = rewards.get("reward", next(iter(rewards.values()), None))
    is_solved = None if decisive is None else decisive >= _FULL
    if rewards:
        result["scores"] = rewards
    if (failed := found.exception_info) is not None:
        result["labels"] = {"exception": failed.exception_type}
        if not is_solved:
            told = f"{failed.exception_type}: {failed.exception_message}"
            return {**result, "error_message": told.removesuffix(": ")}
    if is_solved is not None:
        result["success"] = is_solved
    elif failed is None:
        result["error_message"] = "the verifier gave no reward"
    return result


IMPORTER: Final = Importer(
    About(
        kind="harbor",
        tool="Harbor, Terminal-Bench",
        files="a job's folder, or single result.json; Terminal-Bench's results.json",
        versions="Harbor of November 2025 to 0.18, Terminal-Bench 0.1 and 0.2",
        kept=(
            "rewards, or resolved, as scores (Terminal-Bench counts what ended without a result as "
            "unresolved, so its accuracy is the mean); full reward as success; exceptions and "
            "failure modes, tokens, cost, time of the agent; the dataset as experiment, the "
            "agent's version; attempts and tasks planned"
        ),
        left_out="trajectories, logs, recordings (their path is kept), which attempt of Harbor",
        names={
            "agent": "name of the agent",
            "agent_version": "its version; of Harbor",
            "model": "the agent's model",
            "dataset": "what the tasks are of",
            "job_id": "the job; of Harbor",
            "run_id": "the run; of Terminal-Bench",
            "commit": "of the harness; of Terminal-Bench",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
