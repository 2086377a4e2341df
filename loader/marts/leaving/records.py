"""The runs of an experiment as records, which `ingest` reads back as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .runs import arms, runs

if TYPE_CHECKING:
    from typing import BinaryIO

    from ...warehouse.connection import Connection
    from .runs import Arm, Content

# What a record says beside its arm; texts of inputs, outputs and remarks stay where they are.
_FIELDS: Final = (
    "task_id", "source_run_id", "repetition", "agent_name", "dataset_version", "scores",
    "score_scales", "labels", "measurements", "evaluator_versions", "latency_ms", "tokens_used",
    "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost_usd",
    "success", "error_message", "metadata",
)  # fmt: skip


def write(connection: Connection, experiment_id: str, stream: BinaryIO) -> int:
    """Write a record a line; return how many. To be called while reading the marts.

    Args:
        connection: to the warehouse.
        experiment_id: whose runs, in their latest versions.
        stream: where to, JSON lines.

    Raises:
        ConfigurationError: there is no such experiment.

    """
    count = 0
    for arm in arms(connection, experiment_id):
        for content in runs(connection, arm):
            stream.write(msgspec.json.encode(_record(arm, content)) + b"\n")
            count += 1
    return count


def _record(arm: Arm, content: Content) -> dict[str, Any]:
    said = {name: getattr(content, name) for name in _FIELDS}
    return {
        **arm.key,
        **{name: value for name, value in said.items() if value not in (None, {})},
        "recorded_at": content.recorded_at,
    }
