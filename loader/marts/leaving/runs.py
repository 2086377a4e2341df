"""What leaves: the arms of an experiment, their runs one by one, and what people said of them.

To be called while reading the marts. Scores are those that count, what people said included,
from 0 to 1.
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003  msgspec resolves it
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from psycopg import sql

from ..names import check_experiment
from ..reading import statement, typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...warehouse.connection import Connection

_AT_ONCE: Final = 500
_LONGEST_NAME: Final = 60
_ODD: Final = re.compile(r"[^A-Za-z0-9._=-]+")


class Metric(msgspec.Struct):
    """One score of an arm."""

    metric: str
    direction: str
    """`higher`, `lower` or `unknown`: which way is better."""
    score: float
    """Mean of the tasks' means."""
    run_score: float
    """Mean of the runs."""
    tasks: int
    runs: int
    is_binary: bool
    """Whether each run's is 0 or 1."""


class Arm(msgspec.Struct):
    """What leaves as one: an arm, as far as one model ran it."""

    experiment_id: str
    experiment_group: str
    extension_version: str
    model_version: str
    runs: int
    tasks: int
    sources: list[str]
    began_at: datetime
    ended_at: datetime
    loaded_at: datetime
    metrics: list[Metric]

    @property
    def key(self) -> Mapping[str, object]:
        """What its runs are selected by."""
        names = ("experiment_id", "experiment_group", "extension_version", "model_version")
        return {name: getattr(self, name) for name in names}

    @property
    def digest(self) -> bytes:
        """The same for the same arm, and no other's; 32 bytes."""
        return sha256(msgspec.json.encode(list(self.key.values()))).digest()


class Content(msgspec.Struct):
    """One run."""

    task_id: str
    source_run_id: str
    source: str
    trial_number: int
    recorded_at: datetime
    is_time_recorded: bool
    counted_scores: dict[str, float]
    """What counts, from 0 to 1; null scores are not here."""
    scores: dict[str, Any]
    """As recorded, on the scales of the record."""
    measurements: dict[str, Any]
    evaluator_versions: dict[str, Any]
    metadata: dict[str, Any]
    repetition: int | None = None
    agent_name: str | None = None
    dataset_version: str | None = None
    baseline_experiment_id: str | None = None
    error_message: str | None = None
    success: bool | None = None
    latency_ms: float | None = None
    tokens_used: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    labels: dict[str, Any] | None = None
    comments: dict[str, Any] | None = None
    score_scales: dict[str, Any] | None = None
    trace_url: str | None = None
    inputs: Any = None
    outputs: Any = None
    reference_outputs: Any = None


class Edit(msgspec.Struct):
    """A score that a person gave a run."""

    source: str
    task_id: str
    source_run_id: str
    evaluator_key: str
    author: str
    reason: str
    score: float
    """On the evaluator's own scale."""
    annotated_at: datetime
    scores: dict[str, Any]
    is_of_log: bool
    """Whether the log that the run came from says it already."""
    repetition: int | None = None
    logs: list[str] | None = None
    """Files that the run was loaded with."""


def arms(connection: Connection, experiment_id: str) -> Sequence[Arm]:
    """Return the arms of an experiment; raises ConfigurationError where there is none."""
    found = _rows(connection, "arms_leaving", {"experiment_id": experiment_id}, Arm)
    every = list(found)
    if not every:
        check_experiment(connection, experiment_id)
    return every


def runs(connection: Connection, arm: Arm) -> Iterator[Content]:
    """Yield the runs of an arm, by task and repetition, some hundred in memory."""
    return _rows(connection, "runs_leaving", arm.key, Content)


def edits(connection: Connection, experiment_id: str) -> Iterator[Edit]:
    """Yield what people said of an experiment's runs, in the order in which they did."""
    check_experiment(connection, experiment_id)
    return _rows(connection, "edits_leaving", {"experiment_id": experiment_id}, Edit)


def file_name(*parts: str) -> str:
    """Return a name for a file or folder that says what parts it is of, and is no other's."""
    shown = "-".join(_ODD.sub("_", part).strip(".") or "_" for part in parts)
    if (shown,) == parts and len(shown) <= _LONGEST_NAME:
        return shown
    return f"{shown[:_LONGEST_NAME]}-{sha256(repr(parts).encode()).hexdigest()[:8]}"


def _rows(
    connection: Connection, name: str, parameters: Mapping[str, object], kind: type[Any]
) -> Iterator[Any]:
    # as JSON, so that every number arrives as it is, whatever is inside
    select = sql.SQL("select row_to_json(leaving)::text from ({}) as leaving")
    with connection.cursor(name="evalmart_leaving") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(select.format(statement(name)), parameters)
        for (row,) in cursor:
            yield typed(msgspec.json.decode(str(row)), kind)
