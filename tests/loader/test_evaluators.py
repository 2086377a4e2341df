"""Evaluators under the old system's keys: what they read, and null where they cannot tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from loader import evaluators
from loader.evaluators import (
    agent_routing_accuracy,
    mcp_integration_quality,
    workflow_completeness,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ERRED = [{"name": "git", "error": "refused"}, "lint", {"name": "git"}, {"name": "ci", "error": "x"}]


@pytest.mark.parametrize(
    ("evaluator", "outputs", "reference", "metadata", "score"),
    [
        (agent_routing_accuracy, {"agent": "dev"}, {"agent": "dev"}, None, 1),
        (agent_routing_accuracy, {"agent": "docs"}, {"agent": "dev"}, None, 0),
        (agent_routing_accuracy, {"agents": ["dev", "qa"]}, {}, {"expected_agents": "qa"}, 1),
        (agent_routing_accuracy, {"agents": ["dev"]}, {"agents": ["dev", "qa"]}, {}, 0.5),
        (agent_routing_accuracy, None, {"agent": "dev"}, None, 0),
        (agent_routing_accuracy, {"agent": "dev"}, {"answer": "yes"}, {}, None),
        (workflow_completeness, {"steps": ["plan", "code"]}, {}, {"required_steps": ["plan"]}, 1),
        (workflow_completeness, {"steps": [{"name": "plan"}]}, {"steps": ["plan", "x"]}, {}, 0.5),
        (workflow_completeness, {"steps": "plan"}, None, None, None),
        (mcp_integration_quality, {"tool_calls": ERRED}, {}, {"required_tools": ["git"]}, 1),
        (mcp_integration_quality, {"tool_calls": ERRED}, {"tool_calls": ["ci", "lint"]}, {}, 0.5),
        (mcp_integration_quality, {}, {}, {"required_tools": ["git", "git"]}, 0),
        (mcp_integration_quality, {"tool_calls": ERRED}, {}, {}, None),
    ],
)
def test_a_share_of_what_is_asked_for(
    evaluator: Callable[..., dict[str, object]],
    outputs: object,
    reference: object,
    metadata: object,
    score: float | None,
) -> None:
    run = SimpleNamespace(outputs=outputs)
    found = evaluator(run, SimpleNamespace(outputs=reference, metadata=metadata))
    assert found["key"] == evaluator.__name__
    assert found["score"] == score
    assert (found["comment"] is None) == (score == 1)
    assert evaluator(run)["score"] is None, "no example, no score"


def test_what_the_package_offers_is_callable_by_name() -> None:
    assert all(callable(getattr(evaluators, name)) for name in evaluators.__all__)
