"""What a scraper is told of the marts: counts, current scores, verdicts, freshness.

Each is one select, to be made while reading the marts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from .reading import on_marts, statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

    Rows = list[tuple[Any, ...]]


def arms(connection: Connection) -> Rows:
    """Return (agent, group, version, rank of the version, results) of every version."""
    return _rows(
        connection,
        """
        select agent_name, experiment_group, extension_version, max(version_rank),
            sum(sample_count)
        from {version_trends}
        group by agent_name, experiment_group, extension_version
        """,
    )


def results(connection: Connection, latencies: Sequence[float], costs: Sequence[float]) -> Rows:
    """Count results and bin latency and cost, in one pass over the results.

    Args:
        connection: to the warehouse.
        latencies: upper bounds of the buckets in milliseconds, rising; a bucket holds its bound.
        costs: likewise in US dollars.

    Returns:
        (agent, group, version, success, bucket of latency, bucket of cost, results, sum of the
        latency, sum of the cost); buckets from 0, the last without a bound; null: not recorded.
    """
    # the sign is turned, for width_bucket counts a bound to the bucket above it; a sum of
    # numeric is the same in whatever order it is added up
    return _rows(
        connection,
        """
        select
            coalesce(agent_name, 'unknown'), experiment_group, extension_version, success,
            %(latencies)s - width_bucket(-latency_ms, %(latency_bounds)s),
            %(costs)s - width_bucket(-cost_usd, %(cost_bounds)s),
            count(*), coalesce(sum(latency_ms::numeric), 0)::double precision,
            coalesce(sum(cost_usd::numeric), 0)::double precision
        from {evaluation_results}
        group by 1, 2, 3, 4, 5, 6
        order by 1, 2, 3, 4, 5, 6
        """,
        {
            "latencies": len(latencies),
            "latency_bounds": [-bound for bound in reversed(latencies)],
            "costs": len(costs),
            "cost_bounds": [-bound for bound in reversed(costs)],
        },
    )


def scores(connection: Connection, most: int) -> Rows:
    """Return (agent, group, version, model, metric, mean) of the scores with the most results."""
    return _rows(
        connection,
        """
        select agent_name, experiment_group, extension_version, model_version, metric, avg_value
        from {version_trends}
        where
            kind = 'score'
            and metric in (
                select metric from {version_trends} where kind = 'score'
                group by metric order by sum(sample_count) desc, metric limit %(most)s
            )
        order by 1, 2, 3, 4, 5
        """,
        {"most": most},
    )


def verdicts(connection: Connection) -> Rows:
    """Return (experiment, group, version, verdict, metric, improvement %), the latest first."""
    return _rows(
        connection,
        """
        select
            experiment_id, candidate_group, candidate_version, recommendation, primary_metric,
            improvement_pct
        from {experiment_summaries}
        where total_tasks > 0
        order by last_recorded_at desc nulls last, experiment_id, candidate_version
        """,
    )


def findings(connection: Connection, experiments: Sequence[str], most: int) -> Rows:
    """Return (experiment, group, version, metric, role, finding), at most so many a candidate."""
    parameters = {"experiments": list(experiments), "most": most}
    return connection.execute(statement("findings"), parameters).fetchall()


def times(connection: Connection) -> tuple[float | None, float | None]:
    """Return when the latest result was recorded, and when it reached the warehouse (Unix time)."""
    ((recorded_at, updated_at),) = _rows(
        connection,
        """
        select extract(epoch from max(recorded_at))::float8,
            extract(epoch from max(updated_at))::float8
        from {evaluation_results}
        """,
    )
    return recorded_at, updated_at


def open_alerts(connection: Connection, most: int) -> Rows:
    """Return (agent, group, version it began in, metric, severity) of what is not over."""
    return _rows(
        connection,
        """
        select distinct agent_name, experiment_group, began_version, metric, severity
        from {metric_alerts}
        where is_open
        order by 1, 2, 3, 4, 5
        limit %(most)s
        """,
        {"most": most},
    )


def loads(connection: Connection) -> Rows:
    """Return (source, rows read, loaded, unchanged, rejected)."""
    return _rows(
        connection,
        """
        select source, sum(rows_read)::float8, sum(rows_loaded)::float8,
            sum(rows_unchanged)::float8, sum(rows_rejected)::float8
        from {load_history}
        group by source order by source
        """,
    )


def _rows(
    connection: Connection, query: LiteralString, parameters: Mapping[str, object] | None = None
) -> Rows:
    return connection.execute(on_marts(query), parameters).fetchall()
