"""Evaluators to use as they are or to copy: `--evaluator evalmart.evaluators:exact_match`.

Each has LangSmith's signature `(run, example)`, so it works in `langsmith.evaluate()` as
well as at ingest. What an evaluator needs to know about a task stands in the example:
its reference outputs, or its metadata. Without it the score is null, never a guess.
"""

from __future__ import annotations

from datetime import timedelta

from .agents import (
    agent_routing_accuracy,
    mcp_integration_quality,
    workflow_completeness,
)
from .seen import Example, Result, Run
from .seen import mapping as _mapping

__all__ = [
    "agent_routing_accuracy",
    "completeness",
    "exact_match",
    "latency_threshold",
    "mcp_integration_quality",
    "token_efficiency",
    "workflow_completeness",
]


def exact_match(run: Run, example: Example | None = None) -> Result:
    """Score 1 when the outputs equal the reference outputs, else 0.

    Only the keys of the reference are compared; text without regard to blanks around it.
    """
    expected = _mapping(example.outputs if example else None)
    if not expected:
        return {"key": "exact_match", "score": None, "comment": "no reference outputs"}
    given = _mapping(run.outputs)
    wrong = [key for key, value in expected.items() if _trimmed(given.get(key)) != _trimmed(value)]
    return {
        "key": "exact_match",
        "score": 0 if wrong else 1,
        "comment": f"differs in {', '.join(sorted(wrong))}" if wrong else None,
    }


def latency_threshold(run: Run, example: Example | None = None) -> Result:
    """Score 1 when the run took at most `max_latency_ms` of the example's metadata, else 0."""
    limit = _setting(example, "max_latency_ms")
    if limit is None or run.end_time is None:
        return {"key": "latency_threshold", "score": None, "comment": "no max_latency_ms or no end"}
    taken = (run.end_time - run.start_time) / timedelta(milliseconds=1)
    return {
        "key": "latency_threshold",
        "score": 1 if taken <= limit else 0,
        "comment": f"{taken:.0f} ms of {limit:.0f} ms",
    }


def token_efficiency(run: Run, example: Example | None = None) -> Result:
    """Score 1 within `token_budget` of the example's metadata, and budget ÷ used beyond it."""
    budget = _setting(example, "token_budget")
    used = run.total_tokens
    if budget is None or used is None:
        return {"key": "token_efficiency", "score": None, "comment": "no token_budget or no tokens"}
    return {
        "key": "token_efficiency",
        "score": 1.0 if used <= budget else budget / used,
        "comment": f"{used} tokens of {budget:.0f}",
    }


def completeness(run: Run, example: Example | None = None) -> Result:
    """Score the share of required keys that the outputs hold and that are not empty.

    Required are `required_keys` of the example's metadata, else the keys of its
    reference outputs.
    """
    metadata = _mapping(example.metadata if example else None)
    required = metadata.get("required_keys") or list(_mapping(example.outputs if example else None))
    if not required:
        return {"key": "completeness", "score": None, "comment": "no required keys"}
    given = _mapping(run.outputs)
    # zero and false are answers; these are not
    absent = [key for key in required if given.get(key) in (None, "", [], {})]
    return {
        "key": "completeness",
        "score": 1 - len(absent) / len(required),
        "comment": f"absent: {', '.join(absent)}" if absent else None,
    }


def _setting(example: Example | None, name: str) -> float | None:
    """Read a number from the example's metadata; None when it has none."""
    value = _mapping(example.metadata if example else None).get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value
