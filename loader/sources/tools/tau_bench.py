"""tau-bench and τ²-bench: the simulations of an agent that serves a simulated user.

tau-bench writes a list of simulations, which names neither its domain nor a model: the domain is
read of the tools that its tasks expect, the model of the file's name where that is whole in the
form that the tool gives it. τ² writes a document that says all of it: `tau2_results`.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import About, FileBroken, Importer, Noted, Rejected, Run
from .opened import each
from .tau2_results import SOLVED, is_of_tau2, runs_of_tau2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Item
    from .opened import Part, ToolFile

_NAMED: Final = re.compile(
    r"(?P<strategy>tool-calling|act|react|few-shot)-(?P<model>.+)-(?P<temperature>\d+(?:\.\d+)?)"
    r"_range_-?\d+--?\d+_user-(?P<user_model>.+)-(?:llm|react|verify|reflection|human)_\d{10}\.json"
)
_TELLING: Final = {"airline": ("reservation", "flight", "airport"), "retail": ("order", "product")}
"""Words in the names of tools that only this domain has."""


class _Simulation(msgspec.Struct):
    """One trial of one task."""

    task_id: int | str
    reward: float | None = None
    trial: int = 0
    info: dict[str, Any] | str | None = None
    traj: list[msgspec.Raw] | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What is said of it; empty where that is a text or nothing."""
        return self.info if isinstance(self.info, dict) else {}

    @property
    def error(self) -> str | None:
        """Why it ended before it could be scored; its reward of 0 then is none."""
        said = self.details.get("error") or self.details.get("traceback")
        if said is not None or "error" in self.details:
            return str(said or "it failed, and does not say why")
        return self.info if isinstance(self.info, str) and not self.traj else None


def _recognises(file: ToolFile) -> bool:
    if file.is_list:
        return file.keys >= {"task_id", "reward", "info"} and bool(file.keys & {"traj", "trial"})
    return is_of_tau2(file)


def _runs(file: ToolFile) -> Iterator[Item]:
    return _simulations(file) if file.is_list else runs_of_tau2(file)


def _simulations(file: ToolFile) -> Iterator[Item]:
    domain, mark = _looked_through(file)
    names: dict[str, object] = {"file": file.name, "domain": domain}
    shared: dict[str, Any] = {"experiment_id": f"tau-bench-{domain}" if domain else "tau-bench"}
    metadata: dict[str, Any] = {}
    if named := _NAMED.fullmatch(file.name):
        model, strategy, user_model = named["model"], named["strategy"], named["user_model"]
        names |= {"model": model, "agent": strategy, "user_model": user_model}
        shared |= {"model_version": model, "agent_name": strategy}
        metadata |= {"user_model": user_model, "temperature": named["temperature"]}
        yield Noted(f"model {model} and agent {strategy} are as its name has them")

    def run(part: Part[_Simulation]) -> Iterator[Run]:
        found = part.value
        own = _digest(found.traj) if found.traj else mark
        record: dict[str, Any] = {
            **shared,
            "task_id": str(found.task_id),
            "source_run_id": f"{found.task_id}/{found.trial}/{own}",
            "repetition": found.trial + 1,
            "metadata": {**metadata, **_user(found)},
            "measurements": _measured(found),
            "outputs": found.traj or None,
            **_bodies(found),
            **_result(found),
        }
        yield Run(part.number, record, names)

    yield from each(file.parts("", _Simulation), run)


def _looked_through(file: ToolFile) -> tuple[str | None, str]:
    """Return the domain of a list, if its tasks tell it, and a mark that tells it from others.

    The mark is the least digest of what was said in the first trial: the same while trials are
    added, wherever the file is moved and however it is scored. Only runs of which nothing is left
    but an error are named by it; a file without a word is marked by its name.

    Raises:
        FileBroken: the list breaks off.

    """
    domain: str | None = None
    marks: dict[int, str] = {}
    for part in file.parts("", _Simulation):
        if isinstance(part, Rejected):
            if not part.original:
                raise FileBroken(part.rejection)
            continue  # told when it is read as a run
        found = part.value
        domain = domain or _domain_of(found)
        if found.traj:
            mark = _digest(found.traj)
            marks[found.trial] = min(mark, marks.get(found.trial, mark))
    return domain, marks[min(marks)] if marks else file.name


def _domain_of(found: _Simulation) -> str | None:
    task = found.details.get("task")
    actions = task.get("actions") if isinstance(task, dict) else None
    for action in actions if isinstance(actions, list) else ():
        called = str(action.get("name")) if isinstance(action, dict) else ""
        for domain, words in _TELLING.items():
            if any(word in called for word in words):
                return domain
    return None


def _digest(messages: list[msgspec.Raw]) -> str:
    told = msgspec.json.format(b"[" + b",".join(map(bytes, messages)) + b"]", indent=-1)
    return hashlib.sha256(told).hexdigest()[:16]


def _result(found: _Simulation) -> dict[str, Any]:
    error = found.error
    if error is not None:
        return {"error_message": error}
    if found.reward is None:
        return {}
    reward = found.details.get("reward_info")
    said = reward.get("info") if isinstance(reward, dict) else None
    parts = said if isinstance(said, dict) else {}
    # `reward` has to come before them: where nothing is declared, the first score decides
    made_of = {f"reward_{kind}": parts.get(f"r_{kind}") for kind in ("actions", "outputs")}
    scores = {name: value for name, value in made_of.items() if value is not None}
    return {"scores": {"reward": found.reward, **scores}, "success": found.reward >= SOLVED}


def _bodies(found: _Simulation) -> dict[str, Any]:
    task = found.details.get("task")
    if not isinstance(task, dict):
        return {}
    wanted = {name: task[name] for name in ("actions", "outputs") if task.get(name)}
    return {"inputs": task.get("instruction"), "reference_outputs": wanted or None}


def _measured(found: _Simulation) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    if found.traj:
        measured["messages"] = len(found.traj)
    cost = found.details.get("user_cost")
    if isinstance(cost, int | float):
        measured["user_cost_usd"] = cost
    return measured


def _user(found: _Simulation) -> dict[str, Any]:
    task = found.details.get("task")
    user = task.get("user_id") if isinstance(task, dict) else None
    kept = {} if user is None else {"user_id": user}
    return {**kept, "info": found.info} if isinstance(found.info, str) else kept


IMPORTER: Final = Importer(
    About(
        kind="tau-bench",
        tool="tau-bench, τ²-bench",
        files="results of `run.py` and of `tau2 run` (JSON; τ² as one file or as a folder)",
        versions="tau-bench of 2024, τ² 0.1 to 1.0.1",
        kept=(
            "reward and what it is made of as scores, success as the tool tells it (pass^k equals "
            "its), trial as repetition; an error has no score; of τ² cost, tokens of the agent's "
            "messages, duration, termination as label, tasks and trials planned; the domain makes "
            "the experiment"
        ),
        left_out="policies, seeds of voices, ticks of voice runs, reviews",
        names={
            "model": "the agent's model; of tau-bench as the file's name has it",
            "agent": "strategy or implementation of the agent",
            "user_model": "model of the simulated user",
            "domain": "airline, retail, telecom, …",
            "git_commit": "of τ², with the agents in it",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
