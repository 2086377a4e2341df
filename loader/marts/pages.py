"""What a report shows, read from the marts in one snapshot; nothing is computed here.

Marts of statistics that are not built yet are read as absent: the page then says what it
cannot tell. Everything else raises as `loader.marts.reading` does.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from psycopg import sql

from loader.errors import ConfigurationError, nearest
from loader.marts.evidence import examples, set_aside
from loader.marts.reading import mart_columns, mart_names, reading, schema_name
from loader.marts.unbuilt import is_loaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.marts.rows import SetAside
    from loader.warehouse.connection import Connection

Record = dict[str, object]
Candidate = tuple[str, str]
"""Group and version of a candidate."""

COMPARISONS: Final = "experiment_metric_comparisons"
SEGMENTS: Final = "experiment_segment_comparisons"
SEGMENT_VERDICTS: Final = "experiment_segment_verdicts"
REGRESSIONS: Final = "version_regressions"
ALERTS: Final = "metric_alerts"
SET_ASIDE: Final = "set_aside_scores"
MOST_TASKS: Final = 20_000
"""Tasks a page reads, the worst first; `export` has them all."""
MOST_AGENTS: Final = 6
_MOST_TRIALS: Final = 2_000
_BUILD: Final = "run python -m loader build"
_TASK_COLUMNS: Final = (
    "task_id", "candidate_group", "candidate_version", "agent_name", "winner",
    "baseline_primary_value", "candidate_primary_value", "primary_difference",
    "baseline_passed", "candidate_passed", "not_comparable_reason",
    "baseline_latency_ms", "candidate_latency_ms", "baseline_cost_usd", "candidate_cost_usd",
    "baseline_result_id", "candidate_result_id",
)  # fmt: skip


class Experiment(NamedTuple):
    """One experiment: rows by mart; None where a mart is not built."""

    experiment_id: str
    summaries: Sequence[Record]
    comparisons: Sequence[Record] | None
    segments: Sequence[Record] | None
    segment_verdicts: Sequence[Record] | None
    """Segments that are proven worse."""
    tasks: Sequence[Record]
    """`evaluation_comparison_view`, the worst difference first, unknown ones last."""
    trends: Sequence[Record]
    """`version_trends` of the candidate's agents, primary metrics only."""
    regressions: Sequence[Record] | None
    """Versions that got worse than the one before by more than chance explains."""
    alerts: Sequence[Record] | None
    """Falls of a metric's level, each once, over or not."""
    newest_at: datetime | None
    examples: Mapping[Candidate, Mapping[str, Sequence[str]]] = MappingProxyType({})
    """Tasks that only one arm has, where a candidate shares none."""
    set_aside: Sequence[SetAside] = ()
    """Values that do not count, also in the experiments that it is compared with."""

    def of(self, rows: Sequence[Record] | None, candidate: Candidate) -> list[Record] | None:
        """Return the rows of one candidate, None where there is no such mart."""
        if rows is None:
            return None
        group, version = candidate
        return [
            row
            for row in rows
            if row["candidate_group"] == group and row["candidate_version"] == version
        ]


class Agent(NamedTuple):
    """One agent over its versions."""

    agent_name: str
    trends: Sequence[Record]
    regressions: Sequence[Record] | None
    alerts: Sequence[Record] | None
    summaries: Sequence[Record]
    newest_at: datetime | None


def read_experiment(connection: Connection, experiment_id: str) -> Experiment:
    """Read everything that the report of one experiment shows.

    Raises:
        ConfigurationError: there is no such experiment (with the nearest names), or the
            marts are not built.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection):
        present = set(mart_names(connection))
        where: dict[str, object] = {"experiment_id": experiment_id}
        summaries = _select(
            connection,
            "experiment_summaries",
            "where experiment_id = %(experiment_id)s order by candidate_group, candidate_version",
            where,
        )
        if not summaries:
            _check_known(connection, "evaluation_results", "experiment_id", experiment_id)
        tasks = _select(
            connection,
            "evaluation_comparison_view",
            """
            where experiment_id = %(experiment_id)s
            order by primary_difference nulls last, task_id, candidate_group, candidate_version
            limit %(limit)s
            """,
            {**where, "limit": MOST_TASKS},
            _TASK_COLUMNS,
        )
        agents = _agents(tasks)
        metrics = sorted({str(row["primary_metric"]) for row in summaries if row["primary_metric"]})
        of_agents = {"agents": agents, "metrics": metrics}
        return Experiment(
            experiment_id,
            summaries,
            _if_present(connection, present, COMPARISONS, "experiment_id", experiment_id),
            _if_present(connection, present, SEGMENTS, "experiment_id", experiment_id),
            _worse(
                _if_present(connection, present, SEGMENT_VERDICTS, "experiment_id", experiment_id)
            ),
            tasks,
            _select(
                connection,
                "version_trends",
                """
                where agent_name = any(%(agents)s) and metric = any(%(metrics)s)
                order by agent_name, experiment_group, version_rank, model_version
                """,
                of_agents,
            ),
            _significant(_if_present(connection, present, REGRESSIONS, "agent_name", agents)),
            _if_present(connection, present, ALERTS, "agent_name", agents),
            _newest(summaries),
            {
                (str(row["candidate_group"]), str(row["candidate_version"])): examples(
                    connection, row
                )
                for row in summaries
            },
            _asides(connection, present, experiment_id, summaries),
        )


def read_agent(connection: Connection, agent_name: str) -> Agent:
    """Read everything that the report of one agent shows; raises like `read_experiment`."""
    with reading(connection):
        present = set(mart_names(connection))
        where: dict[str, object] = {"agent_name": agent_name}
        trends = _select(
            connection,
            "version_trends",
            """
            where agent_name = %(agent_name)s
            order by metric, experiment_group, version_rank, model_version
            """,
            where,
        )
        if not trends:
            _check_known(connection, "version_trends", "agent_name", agent_name)
        summaries = _select(
            connection,
            "experiment_summaries",
            """
            where
                agent_name = %(agent_name)s
                or experiment_id in (
                    select experiment_id from {schema}.evaluation_results
                    where agent_name = %(agent_name)s
                )
            order by last_recorded_at desc nulls last, experiment_id, candidate_version
            limit 50
            """,
            where,
        )
        return Agent(
            agent_name,
            trends,
            _significant(_if_present(connection, present, REGRESSIONS, "agent_name", [agent_name])),
            _if_present(connection, present, ALERTS, "agent_name", [agent_name]),
            summaries,
            _newest(trends),
        )


def read_trials(
    connection: Connection, experiments: Sequence[str], results: Sequence[object]
) -> dict[object, list[Record]]:
    """Return the runs behind results, by result id: their errors and where to look at them.

    Args:
        connection: to the warehouse.
        experiments: ids of the experiments that the results are of.
        results: ids of results that the page shows by name; the first 2,000 count.

    Returns:
        Records with `error_message`, `success` and `url`; the url, where one was recorded,
        is the text at `metadata.url`, `metadata.run_url` or `metadata.langsmith.url`.
    """
    wanted = [result for result in results if result is not None][:_MOST_TRIALS]
    if not wanted:
        return {}
    with reading(connection):
        cursor = connection.execute(
            sql.SQL(
                """
                select
                    result_id,
                    success,
                    error_message,
                    coalesce(
                        metadata #>> '{{langsmith,url}}',
                        metadata ->> 'run_url',
                        metadata ->> 'url'
                    ) as url
                from {}
                where experiment_id = any(%(experiments)s) and result_id = any(%(results)s)
                order by result_id, trial_number
                """
            ).format(sql.Identifier(schema_name(), "evaluation_trials")),
            {"experiments": list(experiments), "results": wanted},
        )
        runs: dict[object, list[Record]] = {}
        for result_id, success, error_message, url in cursor:
            run: Record = {"success": success, "error_message": error_message, "url": url}
            runs.setdefault(result_id, []).append(run)
    return runs


def _select(
    connection: Connection,
    mart: str,
    rest: LiteralString,
    parameters: Mapping[str, object],
    columns: Sequence[str] = (),
) -> list[Record]:
    """Return a mart's rows by column name; `rest` is where, order and limit."""
    chosen = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
    query = sql.SQL("select {} from {} ").format(
        chosen, sql.Identifier(schema_name(), mart)
    ) + sql.SQL(rest).format(schema=sql.Identifier(schema_name()))
    cursor = connection.execute(query, parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _if_present(
    connection: Connection, present: set[str], mart: str, key: str, value: object
) -> list[Record] | None:
    """Return a mart's rows with a value (or one of several) of a key, None when not built."""
    if mart not in present:
        return None
    names = [name for name, _ in mart_columns(connection, mart)]
    values = value if isinstance(value, list) else [value]
    query = sql.SQL("select * from {} where {} = any(%s) order by {}").format(
        sql.Identifier(schema_name(), mart),
        sql.Identifier(key),
        sql.SQL(", ").join(map(sql.Identifier, names[:6])),
    )
    cursor = connection.execute(query, (values,))
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _asides(
    connection: Connection, present: set[str], experiment_id: str, summaries: Sequence[Record]
) -> list[SetAside]:
    linked = {str(row["baseline_experiment_id"] or experiment_id) for row in summaries}
    return set_aside(connection, linked | {experiment_id}) if SET_ASIDE in present else []


def _significant(rows: list[Record] | None) -> list[Record] | None:
    """Leave out what the mart says chance may explain."""
    return None if rows is None else [row for row in rows if row.get("is_significant") is not False]


def _worse(rows: list[Record] | None) -> list[Record] | None:
    """Keep the segments that are proven worse."""
    return None if rows is None else [row for row in rows if row["is_proven_worse"]]


def _agents(tasks: Sequence[Record]) -> list[str]:
    """Return the agents of the tasks, the most frequent first."""
    counts: dict[str, int] = {}
    for task in tasks:
        name = str(task["agent_name"] or "unknown")
        counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:MOST_AGENTS]


def _newest(rows: Sequence[Record]) -> datetime | None:
    times = [time for row in rows if isinstance(time := row["last_recorded_at"], datetime)]
    return max(times, default=None)


def _check_known(connection: Connection, mart: str, column: str, name: str) -> None:
    """Raise, with the nearest names, when a column of a mart holds no such name."""
    cursor = connection.execute(
        sql.SQL("select distinct {column} from {mart} where {column} is not null").format(
            column=sql.Identifier(column), mart=sql.Identifier(schema_name(), mart)
        )
    )
    names = [str(value) for (value,) in cursor]
    if name not in names:
        if column == "experiment_id" and is_loaded(connection, name):
            raise ConfigurationError(f"{name} is loaded but not built yet; {_BUILD}")
        what = column.removesuffix("_id").removesuffix("_name")
        raise ConfigurationError(f"no {what} {name!r}{nearest(name, names)}")
