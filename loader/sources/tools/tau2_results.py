"""Results of τ²-bench: a document, or a folder with one file for each simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import Rejection
from . import Companion, FileBroken, Planned, Rejected, Run
from .opened import Part, each

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import ToolFile

SOLVED: Final = 1 - 1e-6
"""From this reward on a run is solved, as the tools tell it: rewards are products."""
_SINGLE: Final = {"id", "task_id", "termination_reason", "start_time"}
_OF_SINGLE: Final = {"reward_info", "messages", "agent_cost", "duration"}
_MOST_HELD: Final = 16 * 1024 * 1024
"""Bytes of tasks that are held for the inputs of runs."""
_NEVER_RAN: Final = "infrastructure_error"


class _Message(msgspec.Struct, omit_defaults=True):
    role: str = ""
    content: Any = None
    tool_calls: Any = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Spoken(msgspec.Struct):
    """A message with what it took."""

    role: str = ""
    content: Any = None
    tool_calls: Any = None
    usage: _Usage | None = None


class _ActionCheck(msgspec.Struct):
    action_match: bool = False


class _Assertion(msgspec.Struct):
    nl_assertion: str = ""
    met: bool = True
    justification: str = ""


class _Reward(msgspec.Struct):
    reward: float | None = None
    reward_breakdown: dict[str, float | None] | None = None
    action_checks: list[_ActionCheck] | None = None
    nl_assertions: list[_Assertion] | None = None


class _Simulation(msgspec.Struct):
    id: str
    task_id: int | str
    trial: int | None = None
    seed: int | None = None
    timestamp: str | None = None
    end_time: str | None = None
    duration: float | None = None
    termination_reason: str | None = None
    agent_cost: float | None = None
    user_cost: float | None = None
    reward_info: _Reward | None = None
    messages: list[_Spoken] | None = None
    info: dict[str, Any] | None = None


class _Task(msgspec.Struct):
    id: int | str
    user_scenario: msgspec.Raw = msgspec.Raw(b"null")
    evaluation_criteria: msgspec.Raw = msgspec.Raw(b"null")


class _Indexed(msgspec.Struct):
    """A simulation that has a file of its own."""

    id: str


class _Party(msgspec.Struct):
    """The agent, or the simulated user."""

    implementation: str | None = None
    llm: str | None = None


class _Environment(msgspec.Struct):
    domain_name: str | None = None


class _Voice(msgspec.Struct):
    model: str | None = None


class _Info(msgspec.Struct):
    """What holds of all simulations."""

    git_commit: str | None = None
    num_trials: int | None = None
    agent_info: _Party = msgspec.field(default_factory=_Party)
    user_info: _Party = msgspec.field(default_factory=_Party)
    environment_info: _Environment = msgspec.field(default_factory=_Environment)
    audio_native_config: _Voice | None = None


def is_of_tau2(file: ToolFile) -> bool:
    """Tell whether a file is a document of τ², or one simulation of a folder of its."""
    # tasks and simulations may stand behind what the head shows; `info` stands before them
    return (file.keys >= _SINGLE and not file.keys.isdisjoint(_OF_SINGLE)) or (
        "info" in file.keys
        and all(
            name in file.head for name in (b'"agent_info"', b'"user_info"', b'"environment_info"')
        )
    )


def runs_of_tau2(file: ToolFile) -> Iterator[Item]:
    """Yield what is in a file of τ²; raises FileBroken where it is none, or breaks off."""
    if file.keys >= _SINGLE:
        whole = file.near("../results.json")
        if whole is not None and is_of_tau2(whole):
            yield Companion("../results.json")
            return
        reason = (
            "a simulation alone does not say its domain and model; give the folder's "
            "results.json, with simulations/ beside it"
        )
        raise FileBroken(Rejection("no_results", reason))
    outline = file.outline("tasks", "simulations", "simulation_index")
    try:
        info = msgspec.convert(outline.members.get("info"), _Info)
    except msgspec.ValidationError as error:
        reason = f"info is not as τ² writes it: {error}; tried are its versions 0.1 to 1.0.1"
        raise FileBroken(Rejection("unexpected_form", reason)) from None
    shared, names = _shared(info, file.name)
    tasks = _held_tasks(file)

    def run(part: Part[_Simulation]) -> Iterator[Run]:
        found = part.value
        record = {**shared, **_told(found), **_result(found)}
        task = tasks.get(str(found.task_id))
        if task is not None:
            record |= {"inputs": task.user_scenario, "reference_outputs": task.evaluation_criteria}
        yield Run(part.number, record, names)

    if outline.counts.get("tasks") or info.num_trials:
        yield Planned(outline.counts.get("tasks") or None, info.num_trials)
    if outline.counts.get("simulations"):
        yield from each(file.parts("simulations", _Simulation), run)
    else:
        yield from each(_in_folder(file), run)


def _shared(info: _Info, file: str) -> tuple[dict[str, Any], Mapping[str, object]]:
    domain = info.environment_info.domain_name
    voice = info.audio_native_config.model if info.audio_native_config else None
    model = info.agent_info.llm or voice
    shared: dict[str, Any] = {"experiment_id": f"tau2-bench-{domain}" if domain else "tau2-bench"}
    shared |= {"agent_name": info.agent_info.implementation}
    if model:
        shared["model_version"] = model
    if info.git_commit:
        shared["evaluator_versions"] = {"reward": info.git_commit}
    shared["metadata"] = {"user_model": info.user_info.llm} if info.user_info.llm else {}
    names = {
        "model": model,
        "agent": info.agent_info.implementation,
        "user_model": info.user_info.llm,
        "domain": domain,
        "git_commit": info.git_commit,
        "file": file,
    }
    return shared, names


def _held_tasks(file: ToolFile) -> dict[str, _Task]:
    """Return the tasks by id, as many as may be held."""
    held: dict[str, _Task] = {}
    size = 0
    for part in file.parts("tasks", _Task):
        if isinstance(part, Rejected):
            continue
        task = part.value
        size += len(bytes(task.user_scenario)) + len(bytes(task.evaluation_criteria))
        if size > _MOST_HELD:
            break
        task.user_scenario = task.user_scenario.copy()
        task.evaluation_criteria = task.evaluation_criteria.copy()
        held[str(task.id)] = task
    return held


def _in_folder(file: ToolFile) -> Iterator[Part[_Simulation] | Rejected]:
    """Yield the simulations that the index of a folder names, each of its own file."""
    for part in file.parts("simulation_index", _Indexed):
        if isinstance(part, Rejected):
            yield part
            continue
        name = f"simulations/{part.value.id}.json"
        single = file.near(name) if "/" not in part.value.id else None
        if single is None:
            rejection = Rejection("missing_file", f"there is no {name}; copy the folder whole")
            yield Rejected(part.number, part.text, rejection)
            continue
        try:
            yield Part(part.number, single.document(_Simulation), part.text)
        except FileBroken as broken:
            yield Rejected(part.number, part.text, broken.rejection)


def _told(found: _Simulation) -> dict[str, Any]:
    """Return the fields that say which run it is and what it took."""
    record: dict[str, Any] = {"task_id": str(found.task_id), "source_run_id": found.id}
    if found.trial is not None:
        record["repetition"] = found.trial + 1
    record["recorded_at"] = found.timestamp or found.end_time
    if found.duration is not None:
        record["latency_ms"] = found.duration * 1000
    record["cost_usd"] = found.agent_cost
    measured: dict[str, float] = {}
    if found.user_cost is not None:
        measured["user_cost_usd"] = found.user_cost
    if found.messages is not None:
        measured["messages"] = len(found.messages)
        used = [said.usage for said in found.messages if said.role == "assistant" and said.usage]
        for name in ("prompt_tokens", "completion_tokens"):
            counts = [getattr(usage, name) for usage in used]
            if any(count is not None for count in counts):
                record[name] = sum(count or 0 for count in counts)
        record["outputs"] = [
            _Message(said.role, said.content, said.tool_calls) for said in found.messages
        ]
    if found.reward_info is not None and (checks := found.reward_info.action_checks):
        measured["actions_expected"] = len(checks)
        measured["actions_matched"] = sum(check.action_match for check in checks)
    if measured:
        record["measurements"] = measured
    return record


def _result(found: _Simulation) -> dict[str, Any]:
    """Return what came of it: what never ran has an error and no score."""
    record: dict[str, Any] = {}
    reason = found.termination_reason
    if reason:
        record["labels"] = {"termination_reason": reason}
    reward = found.reward_info
    if reason == _NEVER_RAN or reward is None or reward.reward is None:
        why = (found.info or {}).get("error")
        told = f"ended by {reason or 'nothing that is told'}, without a reward"
        return {**record, "error_message": f"{told}: {why}" if why else told}
    scores: dict[str, float | None] = {"reward": reward.reward}
    for basis, value in (reward.reward_breakdown or {}).items():
        scores[f"reward_{basis.lower()}"] = value
    record |= {"scores": scores, "success": reward.reward >= SOLVED}
    unmet = [check for check in reward.nl_assertions or () if not check.met]
    if unmet:
        said = "; ".join(f"{check.nl_assertion}: {check.justification}" for check in unmet)
        record["comments"] = {"reward": f"not met: {said}"}
    return record
