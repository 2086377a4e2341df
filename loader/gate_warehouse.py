"""What the gate reads of the marts, and the ledger it appends its verdicts to.

Every verdict asked for is kept in `raw_evals.gate_decisions`, which refuses updates and
deletes: looking again until it is green leaves a trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from loader import __version__, marts
from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.gate import Candidate, Metric, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from loader.connection import Connection
    from loader.gate import Decision

# The incremental models that a verdict is read from.
_MODELS: Final = ("experiment_metric_comparisons", "experiment_summaries")


class Freshness(NamedTuple):
    """On which loads of an experiment and its baseline a verdict rests."""

    load_id: int
    """The latest one that the marts hold."""
    newer_loads: int
    """How many came after it."""


class Looks(NamedTuple):
    """How often a candidate was looked at, this time included."""

    looks: int
    states: int
    """Different states of the data that were looked at."""
    first_at: datetime


class Alarm(NamedTuple):
    """An arm and metric in which `calibrate` found more differences than there may be."""

    experiment_group: str
    extension_version: str
    metric: str
    alpha: float
    rate: float
    rate_low: float
    rate_high: float
    comparisons: int


def look(connection: Connection, experiment_id: str) -> list[tuple[Candidate, Freshness]]:
    """Return the candidates of an experiment, the latest recorded first, from one snapshot.

    Raises:
        ConfigurationError: the marts are not built, or by another version.
        WarehouseUnavailable: the server fails or forbids it.
    """
    with marts.reading(connection):
        return [
            (
                candidate,
                _freshness(
                    connection,
                    {experiment_id, candidate.summary.baseline_experiment_id or experiment_id},
                ),
            )
            for candidate in _candidates(connection, [experiment_id])
        ]


def candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    """Return the candidates of some experiments; raises as `look`."""
    with marts.reading(connection):
        return _candidates(connection, experiments)


def require_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise when the marts have no candidate of an experiment; names the nearest ones."""
    marts.summary(connection, experiment_id)
    raise ConfigurationError(
        f"{experiment_id} has no candidate to judge: results of a treatment group are missing; "
        "ingest them, then run python -m loader build"
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
    comparisons = sql.Identifier(marts.schema_name(), "evaluation_comparison_view")
    with marts.reading(connection):
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


def freshness(connection: Connection, experiments: set[str]) -> Freshness:
    """Return the latest load of some experiments that the marts hold, and what came after."""
    with marts.reading(connection):
        return _freshness(connection, experiments)


def record(connection: Connection, decision: Decision, load_id: int) -> Looks:
    """Append a decision to the ledger; return how often the candidate was looked at. Commits.

    Raises:
        WarehouseUnavailable: the server fails, or this role may not append.
    """
    summary = decision.candidate.summary
    key = (summary.experiment_id, summary.candidate_group, summary.candidate_version)
    try:
        with connection.transaction():
            connection.execute(
                """
                insert into raw_evals.gate_decisions (
                    experiment_id, candidate_group, candidate_version, policy_hash, verdict,
                    loader_version, load_id, exit_code, policy, reasons, numbers
                )
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    *key,
                    decision.policy.hash(),
                    decision.verdict.value,
                    __version__,
                    load_id,
                    decision.exit_code,
                    Jsonb(decision.policy.canonical()),
                    Jsonb(msgspec.to_builtins(decision.reasons)),
                    Jsonb(msgspec.to_builtins(decision.candidate)),
                ),
            )
            row = connection.execute(
                """
                select count(*), count(distinct load_id), min(decided_at)
                from raw_evals.gate_decisions
                where (experiment_id, candidate_group, candidate_version) = (%s, %s, %s)
                """,
                key,
            ).fetchone()
        connection.commit()
    except psycopg.errors.InsufficientPrivilege:
        raise WarehouseUnavailable(
            "every verdict is recorded, and this role may not append to "
            "raw_evals.gate_decisions; grant it evals_loader"
        ) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"the verdict could not be recorded: {error}") from error
    return Looks(*_typed(row))


def alarms(connection: Connection, experiments: Sequence[str]) -> list[Alarm]:
    """Return where the last calibration of each experiment found too many differences."""
    with marts.reading(connection):
        rows = connection.execute(
            """
            select
                experiment_group, extension_version, metric, alpha, rate,
                rate_low, rate_high, comparisons
            from raw_evals.gate_calibrations
            where
                calibration_id in (
                    select distinct on (experiment_id) calibration_id
                    from raw_evals.gate_calibrations
                    where experiment_id = any(%s)
                    order by experiment_id, calibrated_at desc, calibration_id
                )
                and rate_low > alpha
            order by experiment_group, extension_version, metric
            """,
            (list(experiments),),
        ).fetchall()
    return [Alarm(*_typed(row)) for row in rows]


def _candidates(connection: Connection, experiments: Sequence[str]) -> list[Candidate]:
    summaries = _rows(connection, "experiment_summaries", experiments)
    comparisons = _rows(connection, "experiment_metric_comparisons", experiments)
    try:
        metrics: dict[tuple[str, str, str], list[Metric]] = {}
        for row in comparisons:
            metrics.setdefault(_key(row), []).append(msgspec.convert(row, Metric))
        return [
            Candidate(msgspec.convert(row, Summary), metrics.get(_key(row), []))
            for row in summaries
        ]
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"the marts are of another version ({error}); run python -m loader build --full-refresh"
        ) from None


def _freshness(connection: Connection, experiments: set[str]) -> Freshness:
    """Return the latest load of some experiments that the marts hold, and what came after."""
    built = _built_load_id(connection)
    if built is None:
        query = sql.SQL(
            "select coalesce(max(load_id), 0)::bigint from {} where experiment_id = any(%s)"
        ).format(sql.Identifier(marts.schema_name(), "evaluation_results"))
        built = _number(connection.execute(query, (list(experiments),)).fetchone())
    row = connection.execute(
        """
        select
            coalesce(max(load_id) filter (where load_id <= %(built)s), 0)::bigint,
            count(distinct load_id) filter (where load_id > %(built)s)
        from raw_evals.load_experiments
        where experiment_id = any(%(experiments)s)
        """,
        {"built": built, "experiments": list(experiments)},
    ).fetchone()
    load_id, newer = row or (0, 0)
    return Freshness(int(str(load_id)), int(str(newer)))


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
    ).format(sql.Identifier(marts.schema_name(), mart)) + sql.SQL(latest)
    return [_object(row) for (row,) in connection.execute(query, (list(experiments),)).fetchall()]


def _built_load_id(connection: Connection) -> int | None:
    """Return the load up to which the marts are built; None where this role may not see it."""
    schema = f"{marts.schema_name()}_staging"
    visible = connection.execute(
        """
        select
            has_schema_privilege(namespace.oid, 'usage')
            and has_table_privilege(class.oid, 'select')
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = %s and class.relname = 'build_watermarks'
        """,
        (schema,),
    ).fetchone()
    if not visible or not visible[0]:
        return None
    query = sql.SQL(
        "select min(built_load_id) from {} where model = any(%s) having count(*) = %s"
    ).format(sql.Identifier(schema, "build_watermarks"))
    row = connection.execute(query, (list(_MODELS), len(_MODELS))).fetchone()
    return None if row is None else _number(row)


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["experiment_id"], row["candidate_group"], row["candidate_version"]


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, not {type(value).__name__}")
    return value


def _number(row: tuple[object, ...] | None) -> int:
    return int(str(row[0])) if row else 0


def _typed(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """Return a row whose types the query fixes."""
    if row is None:
        raise WarehouseUnavailable("an aggregate returned no row")
    return row
