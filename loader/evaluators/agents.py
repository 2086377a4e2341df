"""Evaluators of agents that route, follow steps and call tools, under the old system's keys.

Their code is new: what the old ones read of a run is not known here. These read what a run
says it did (`agents`, `steps`, `tool_calls` in its outputs) and what the example asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .seen import mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .seen import Example, Result, Run


def agent_routing_accuracy(run: Run, example: Example | None = None) -> Result:
    """Score the share of expected agents that the task was given to: 0 or 1 for one agent.

    Expected are `expected_agents` of the example's metadata (a name, or a list), else `agents`
    or `agent` of its reference outputs; used are `agents` or `agent` of the outputs.
    """
    return _share(
        "agent_routing_accuracy",
        _asked(example, "expected_agents", ("agents", "agent")),
        _first(mapping(run.outputs), ("agents", "agent")),
        "no expected agent",
    )


def workflow_completeness(run: Run, example: Example | None = None) -> Result:
    """Score the share of required steps that were done.

    Required are `required_steps` of the example's metadata, else `steps` of its reference
    outputs; done are `steps` of the outputs.
    """
    return _share(
        "workflow_completeness",
        _asked(example, "required_steps", ("steps",)),
        _first(mapping(run.outputs), ("steps",)),
        "no required step",
    )


def mcp_integration_quality(run: Run, example: Example | None = None) -> Result:
    """Score the share of required tools whose last call ended without an error.

    Required are `required_tools` of the example's metadata, else `tool_calls` of its reference
    outputs; called are `tool_calls` of the outputs: names, or `{"name": …, "error": …}`.
    """
    calls = mapping(run.outputs).get("tool_calls")
    ended = {
        name: not mapping(call).get("error")
        for call in (calls if isinstance(calls, list) else [])
        for name in _names([call])
    }
    return _share(
        "mcp_integration_quality",
        _asked(example, "required_tools", ("tool_calls",)),
        [name for name, is_well in ended.items() if is_well],
        "no required tool",
    )


def _share(key: str, asked: Sequence[str], given: Sequence[str], nothing: str) -> Result:
    if not asked:
        return {"key": key, "score": None, "comment": nothing}
    absent = [name for name in asked if name not in given]
    return {
        "key": key,
        "score": 1 - len(absent) / len(asked),
        "comment": f"absent: {', '.join(absent)}" if absent else None,
    }


def _asked(example: Example | None, setting: str, names: Sequence[str]) -> list[str]:
    """Return what the example asks for, each once: by its metadata, else by its reference."""
    metadata = mapping(example.metadata if example else None)
    found = _first(metadata, (setting,)) or _first(
        mapping(example.outputs if example else None), names
    )
    return list(dict.fromkeys(found))


def _first(values: dict[str, object], names: Sequence[str]) -> list[str]:
    """Return the names under the first key that has any."""
    return next((found for name in names if (found := _names(values.get(name)))), [])


def _names(value: object) -> list[str]:
    """Read a name, or a list of names or of objects with one."""
    many = value if isinstance(value, list) else [value]
    named = [each.get("name") if isinstance(each, dict) else each for each in many]
    return [each for each in named if isinstance(each, str) and each]
