"""Terminal-Bench's harness of before Harbor: `results.json`, and `run_metadata.json` beside it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import Companion, FileBroken, Noted, Planned, Run
from .opened import each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import Part, ToolFile

_ATTEMPT: Final = re.compile(r"\.(\d+)-of-\d+(?:\.|$)")
_ATTEMPTED: Final = {"trial_name", "task_id", "is_resolved"}
_OF_ATTEMPT: Final = {"failure_mode", "parser_results", "recording_path"}
_SOUND: Final = {None, "unset", "none"}
"""Values of failure_mode that are no failure."""


class _Trial(msgspec.Struct):
    """One attempt at one task."""

    task_id: str
    trial_name: str = ""
    id: str | None = None
    uuid: str | None = None
    instruction: str | None = None
    is_resolved: bool | None = None
    failure_mode: str | None = None
    parser_results: dict[str, str] | None = None
    recording_path: str | None = None
    total_input_tokens: int | None = None
    total_output_tokens: int | None = None
    trial_started_at: str | None = None
    trial_ended_at: str | None = None
    agent_started_at: str | None = None
    agent_ended_at: str | None = None


class _Metadata(msgspec.Struct):
    """What holds of all attempts of a run."""

    run_id: str | None = None
    uuid: str | None = None
    agent_name: str | None = None
    model_name: str | None = None
    dataset_name: str | None = None
    dataset_version: str | None = None
    dataset_path: str | None = None
    dataset_size: int | None = None
    task_ids: list[str] | None = None
    n_attempts: int | None = None
    commit_hash: str | None = None


def is_of_terminal_bench(file: ToolFile) -> bool:
    """Whether a file is results, of a run or of one attempt, or says what holds of a run."""
    if file.is_list:
        return False
    keys = file.keys
    is_attempt = keys >= _ATTEMPTED and not keys.isdisjoint(_OF_ATTEMPT)
    return _is_run(file) or is_attempt or keys >= {"run_id", "agent_name", "no_rebuild"}


def runs_of_terminal_bench(file: ToolFile) -> Iterator[Item]:
    """Yield what is in a file; raises FileBroken where it cannot be read."""
    if file.keys >= {"run_id", "agent_name", "no_rebuild"}:
        yield Companion("results.json")
    elif _is_run(file):
        outline = file.outline("results", "resolved_ids", "unresolved_ids")
        metadata = _metadata(file.near("run_metadata.json"))
        if metadata is None:
            yield Noted(
                "no run_metadata.json lies beside it: agent, model and dataset are not told"
            )
        else:
            tasks = metadata.dataset_size or len(metadata.task_ids or ()) or None
            yield Planned(tasks, metadata.n_attempts)
        mark = str((metadata and metadata.uuid) or outline.members.get("id") or file.name)
        yield from _trials(file, metadata, mark)
    elif file.keys >= _ATTEMPTED and _has_run(file):
        yield Companion("../../results.json")
    else:
        metadata = _metadata(file.near("../../run_metadata.json"))
        found = file.document(_Trial)
        shared, names = _shared(metadata, file.name)
        yield Run(1, {**shared, **_record(found, str(metadata and metadata.uuid))}, names)


def _is_run(file: ToolFile) -> bool:
    return "results" in file.keys and (
        (b'"trial_name"' in file.head and b'"is_resolved"' in file.head)
        or file.keys >= {"n_resolved", "resolved_ids", "accuracy"}
    )


def _has_run(file: ToolFile) -> bool:
    """Whether the run that the file of an attempt is of lies where it belongs."""
    whole = file.near("../../results.json")
    return whole is not None and _is_run(whole)


def _metadata(file: ToolFile | None) -> _Metadata | None:
    try:
        return None if file is None else file.document(_Metadata)
    except FileBroken as broken:
        reason = f"run_metadata.json beside it: {broken.rejection.reason}"
        raise FileBroken(broken.rejection._replace(reason=reason)) from None


def _trials(file: ToolFile, metadata: _Metadata | None, mark: str) -> Iterator[Item]:
    shared, names = _shared(metadata, file.name)

    def run(part: Part[_Trial]) -> Iterator[Run]:
        yield Run(part.number, {**shared, **_record(part.value, mark)}, names)

    yield from each(file.parts("results", _Trial), run)


def _shared(metadata: _Metadata | None, file: str) -> tuple[dict[str, Any], Mapping[str, object]]:
    if metadata is None:
        return {"experiment_id": "terminal-bench"}, {"file": file}
    dataset = metadata.dataset_name or PurePath(metadata.dataset_path or "terminal-bench").name
    commit = None if metadata.commit_hash in {None, "", "unknown"} else metadata.commit_hash
    shared: dict[str, Any] = {"experiment_id": dataset, "agent_name": metadata.agent_name}
    if metadata.model_name:
        shared["model_version"] = metadata.model_name
    if metadata.dataset_version:
        shared["dataset_version"] = metadata.dataset_version
    if commit:
        shared["evaluator_versions"] = {"resolved": commit}
    return shared, {
        "agent": metadata.agent_name,
        "model": metadata.model_name,
        "dataset": dataset,
        "run_id": metadata.run_id,
        "commit": commit,
        "file": file,
    }


def _record(found: _Trial, mark: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "task_id": found.task_id,
        "source_run_id": found.id or found.uuid or f"{mark}/{found.trial_name}",
        # what is null is among the file's unresolved_ids, and its accuracy counts it
        "scores": {"resolved": float(found.is_resolved is True)},
        "inputs": found.instruction,
        "recorded_at": found.trial_ended_at or found.trial_started_at,
    }
    if attempt := _ATTEMPT.search(found.trial_name):
        record["repetition"] = int(attempt[1])
    if found.failure_mode not in _SOUND:
        record["labels"] = {"failure_mode": found.failure_mode}
    if found.is_resolved is None:
        record["error_message"] = found.failure_mode or "it ended without a result"
    else:
        record["success"] = found.is_resolved
    took = milliseconds(found.agent_started_at, found.agent_ended_at)
    if took is None:
        took = milliseconds(found.trial_started_at, found.trial_ended_at)
    record["latency_ms"] = took
    if found.total_input_tokens or found.total_output_tokens:  # agents that do not count say 0
        record["prompt_tokens"] = found.total_input_tokens
        record["completion_tokens"] = found.total_output_tokens
    if found.parser_results:
        passed = sum(status == "passed" for status in found.parser_results.values())
        failed = len(found.parser_results) - passed
        record["measurements"] = {"tests_passed": passed, "tests_failed": failed}
    if found.recording_path:
        record["metadata"] = {"recording": found.recording_path}
    return record


def milliseconds(start: str | None, end: str | None) -> float | None:
    """Return how long it is from one time to the other; None if one is missing or is none."""
    if not start or not end:
        return None
    try:
        took = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (TypeError, ValueError):
        return None
    return max(took.total_seconds() * 1000, 0.0)
