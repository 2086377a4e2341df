"""The candidates of an experiment, or an agent's part of them, with the verdict of the rule.

The rule is the marts'. Where a policy changes a setting of it, the function `judge` beside
them applies the very same rule with that setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from psycopg import sql
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, nearest
from .reading import on_marts, reading, typed
from .rows import Candidate, Metric, Summary
from .states import schema_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

_WHOLE = ""


def candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    """Return the candidates of some experiments as the marts have them.

    Raises what `loader.marts.reading` raises.
    """
    with reading(connection, experiments):
        return _candidates(connection, experiments)


def experiments_of(connection: Connection, agent: str, version: str) -> list[str]:
    """Return the experiments that hold a version of an agent against a baseline, latest first.

    Empty when none does: the version may still have results without a baseline. An experiment
    with a baseline on other tasks is one that does, badly.

    Raises:
        ConfigurationError: the marts are not built.
        WarehouseUnavailable: the server fails or forbids it.
    """
    # by task: the summary of an experiment with several agents names none of them
    with reading(connection):
        rows = connection.execute(
            on_marts(
                """
                select experiment_id
                from {evaluation_comparison_view}
                where agent_name = %s and candidate_version = %s
                group by experiment_id
                having count(baseline_result_id) > 0
                order by max(candidate_recorded_at) desc nulls last, experiment_id desc
                """
            ),
            (agent, version),
        ).fetchall()
    return [str(name) for (name,) in rows]


def _candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    summaries = _rows(connection, "experiment_summaries", experiments)
    comparisons = _rows(connection, "experiment_metric_comparisons", experiments)
    metrics: dict[tuple[str, str, str], list[Metric]] = {}
    for row in comparisons:
        metrics.setdefault(_key(row), []).append(typed(row, Metric))
    return [Candidate(typed(row, Summary), metrics.get(_key(row), [])) for row in summaries]


def of_agent(
    connection: Connection, found: Sequence[Candidate], experiment_id: str, agent: str
) -> list[Candidate]:
    """Return an agent's part of each candidate; the whole where it has no other agent."""
    verdicts = _segments(connection, "experiment_segment_verdicts", experiment_id)
    comparisons = _segments(connection, "experiment_segment_comparisons", experiment_id)
    parts = []
    for candidate in found:
        if candidate.summary.agent_name == agent:
            parts.append(candidate)
            continue
        key = _key(msgspec.to_builtins(candidate.summary))
        row = next((row for row in verdicts if _key(row) == key and row["segment"] == agent), None)
        if row is None:
            continue
        # what a segment does not have is that of the whole
        whole = {
            **msgspec.to_builtins(candidate.summary),
            "agent_name": agent, "baseline_only_tasks": 0, "candidate_only_tasks": 0,
            "legacy_recommendation": None, "required_repetitions": None,
        }  # fmt: skip
        metrics = [
            typed(other, Metric)
            for other in comparisons
            if _key(other) == key and other["segment"] == agent
        ]
        parts.append(Candidate(typed({**whole, **row}, Summary), metrics, agent=agent))
    if not parts:
        there = {str(row["segment"]) for row in verdicts}
        there |= {candidate.summary.agent_name or "" for candidate in found} - {""}
        raise ConfigurationError(
            f"{experiment_id} has no candidate results of an agent {agent!r}"
            f"{nearest(agent, there)}; there are: {', '.join(sorted(there)) or 'none named'}"
        )
    return parts


def _rows(connection: Connection, mart: str, experiments: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of a mart as JSON objects, the latest candidate first."""
    latest = (
        "order by row.last_recorded_at desc nulls last, "
        'row.experiment_id, row.candidate_group collate "C", row.candidate_version collate "C"'
        if mart == "experiment_summaries"
        else "order by row.metric"
    )
    query = sql.SQL(
        "select to_jsonb(row) from {} as row where row.experiment_id = any(%s) "
    ).format(sql.Identifier(schema_name(), mart)) + sql.SQL(latest)
    rows = connection.execute(query, (list(experiments),)).fetchall()
    return [row for (row,) in map(_tuple, rows)]


def _segments(connection: Connection, mart: str, experiment_id: str) -> list[dict[str, Any]]:
    """Return the rows of an experiment's agents as JSON objects."""
    rows = connection.execute(
        sql.SQL(
            "select to_jsonb(row) from {} as row"
            " where row.experiment_id = %s and row.segment_kind = 'agent'"
        ).format(sql.Identifier(schema_name(), mart)),
        (experiment_id,),
    ).fetchall()
    return [row for (row,) in map(_tuple, rows)]


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["experiment_id"], row["candidate_group"], row["candidate_version"]


def _tuple(row: tuple[object, ...]) -> tuple[Any, ...]:
    """Return a row whose types the query fixes."""
    return row


def experiment_names(connection: Connection) -> set[str]:
    """Return every experiment that has a result."""
    rows = connection.execute(
        on_marts("select distinct experiment_id from {evaluation_results}")
    ).fetchall()
    return {str(name) for (name,) in rows}


def by_settings(
    connection: Connection,
    settings: Mapping[str, object],
    experiment_id: str,
    found: Sequence[Candidate],
) -> Sequence[Candidate]:
    """Return candidates with the rule's verdict by other settings than those of the build."""
    if not settings or not found:
        return found
    cursor = connection.execute(
        on_marts("select to_jsonb(judged) from {judge}(%s, %s) as judged"),
        (experiment_id, Jsonb(settings)),
    )
    judged = {
        (row["candidate_group"], row["candidate_version"], row["segment"]): row
        for (row,) in map(_tuple, cursor.fetchall())
    }
    ruled = []
    for candidate in found:
        summary = candidate.summary
        segment = _WHOLE if candidate.agent is None else f"agent:{candidate.agent}"
        row = judged.get((summary.candidate_group, summary.candidate_version, segment))
        if row is None:  # nothing was compared, and no setting changes that
            ruled.append(candidate)
            continue
        labels = [row["label"]] if row["label"] else []
        plain = {**msgspec.to_builtins(summary), **row, "recommendation_labels": labels}
        ruled.append(replace(candidate, summary=typed(plain, Summary)))
    return ruled
