"""What the gate reads of the marts: the candidates of an experiment, or an agent's part of them.

The rule is the marts'. Where a policy changes a setting of it, the function `judge` beside
them applies the very same rule with that setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace
from psycopg import sql
from psycopg.types.json import Jsonb

from loader.errors import ConfigurationError, NothingToJudge, nearest
from loader.gate.evidence import gather
from loader.gate.ledger import freshness, loads_of
from loader.gate.rows import Candidate, Metric, Summary
from loader.marts.reading import NOT_BUILT, reading, schema_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.gate.ledger import Freshness
    from loader.gate.policy import Policy
    from loader.warehouse.connection import Connection

_WHOLE = ""
_Row = TypeVar("_Row", Metric, Summary)


def look(
    connection: Connection, policy: Policy, experiment_id: str, agent: str | None = None
) -> list[tuple[Candidate, Freshness]]:
    """Return the candidates of an experiment, the latest recorded first, from one snapshot.

    Args:
        connection: as a user that may read the marts.
        policy: whose settings the rule goes by, and what else it asks for.
        experiment_id: the experiment.
        agent: whose tasks; None for all.

    Raises:
        ConfigurationError: the marts are not built, or by another version; no candidate of the
            experiment has tasks of the agent.
        WarehouseUnavailable: the server fails or forbids it.
    """
    with reading(connection):
        found = _candidates(connection, [experiment_id])
        if agent is not None and found:
            found = _of_agent(connection, found, experiment_id, agent)
        ruled = _by_settings(connection, policy, experiment_id, found)
        return [
            (
                replace(candidate, evidence=gather(connection, policy, candidate)),
                freshness(
                    connection,
                    {experiment_id, candidate.summary.baseline_experiment_id or experiment_id},
                ),
            )
            for candidate in ruled
        ]


def candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    """Return the candidates of some experiments as the marts have them; raises as `look`."""
    with reading(connection):
        return _candidates(connection, experiments)


def require_built(connection: Connection, asked: str) -> None:
    """Raise when there are no marts: how many loads wait for a build, or that nothing is loaded."""
    row = connection.execute(
        """
        select
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = %s and class.relname = 'experiment_summaries'
        """,
        (schema_name(),),
    ).fetchone()
    if row is not None:
        return
    waiting = loads_of(connection)
    if waiting == 0:
        raise NothingToJudge(
            f"no candidate results for {asked}: nothing is loaded yet; did ingest run?"
        )
    raise ConfigurationError(
        NOT_BUILT if waiting is None else f"{NOT_BUILT} ({_loads(waiting)} waiting)"
    )


def refuse_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise: there is nothing of this experiment to judge; says why, and what to do.

    Raises:
        NothingToJudge: always.
    """
    with reading(connection):
        loads = loads_of(connection, experiment_id)
        results = sql.Identifier(schema_name(), "evaluation_results")
        names = {
            str(name)
            for (name,) in connection.execute(
                sql.SQL("select distinct experiment_id from {}").format(results)
            ).fetchall()
        }
    if experiment_id in names:
        raise NothingToJudge(
            f"no candidate results for {experiment_id}: only a control group has results there; "
            "did ingest of the candidate run? Then run python -m loader build"
        )
    if loads:
        raise NothingToJudge(
            f"no candidate results for {experiment_id} in the marts yet: {_loads(loads)} waiting; "
            "run python -m loader build"
        )
    raise NothingToJudge(
        f"no candidate results for {experiment_id!r}; did ingest run?"
        f"{nearest(experiment_id, names)}"
    )


def experiments_of(connection: Connection, agent: str, version: str) -> list[str]:
    """Return the experiments that hold a version of an agent against a baseline, latest first.

    Empty when none does: the version may still have results without a baseline. An experiment
    with a baseline on other tasks is one that does, badly.

    Raises:
        ConfigurationError: the marts are not built.
        WarehouseUnavailable: the server fails or forbids it.
    """
    # by task: the summary of an experiment with several agents names none of them
    comparisons = sql.Identifier(schema_name(), "evaluation_comparison_view")
    with reading(connection):
        rows = connection.execute(
            sql.SQL(
                """
                select experiment_id
                from {}
                where agent_name = %s and candidate_version = %s
                group by experiment_id
                having count(baseline_result_id) > 0
                order by max(candidate_recorded_at) desc nulls last, experiment_id desc
                """
            ).format(comparisons),
            (agent, version),
        ).fetchall()
    return [str(name) for (name,) in rows]


def _loads(count: int) -> str:
    return f"{count:,} load is" if count == 1 else f"{count:,} loads are"


def _candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    summaries = _rows(connection, "experiment_summaries", experiments)
    comparisons = _rows(connection, "experiment_metric_comparisons", experiments)
    metrics: dict[tuple[str, str, str], list[Metric]] = {}
    for row in comparisons:
        metrics.setdefault(_key(row), []).append(_typed(row, Metric))
    return [Candidate(_typed(row, Summary), metrics.get(_key(row), [])) for row in summaries]


def _of_agent(
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
            _typed(other, Metric)
            for other in comparisons
            if _key(other) == key and other["segment"] == agent
        ]
        parts.append(Candidate(_typed({**whole, **row}, Summary), metrics, agent=agent))
    if not parts:
        there = {str(row["segment"]) for row in verdicts}
        there |= {candidate.summary.agent_name or "" for candidate in found} - {""}
        raise ConfigurationError(
            f"{experiment_id} has no candidate results of an agent {agent!r}"
            f"{nearest(agent, there)}; there are: {', '.join(sorted(there)) or 'none named'}"
        )
    return parts


def _by_settings(
    connection: Connection, policy: Policy, experiment_id: str, found: Sequence[Candidate]
) -> Sequence[Candidate]:
    """Return candidates with the rule's verdict by the settings that a policy asks for."""
    settings = policy.settings()
    if not settings or not found:
        return found
    cursor = connection.execute(
        sql.SQL("select to_jsonb(judged) from {}(%s, %s) as judged").format(
            sql.Identifier(schema_name(), "judge")
        ),
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
        ruled.append(replace(candidate, summary=_typed(plain, Summary)))
    return ruled


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


def _typed(row: dict[str, Any], kind: type[_Row]) -> _Row:
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the marts are of another version ({error}); run python -m loader build --full-refresh"
        ) from None


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["experiment_id"], row["candidate_group"], row["candidate_version"]


def _tuple(row: tuple[object, ...]) -> tuple[Any, ...]:
    """Return a row whose types the query fixes."""
    return row
