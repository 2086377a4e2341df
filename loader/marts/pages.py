"""What a report shows, read from the marts in one snapshot; nothing is computed here.

Marts of statistics that are not built yet are read as absent: the page then says what it
cannot tell. Everything else raises as `loader.marts.reading` does.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from . import beside, questions
from .arms import arms
from .evidence import examples, segment_verdicts, set_aside
from .names import check_names
from .reading import fetch, mart_names, on_marts, reading, select_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..show.beside import Shown
    from ..warehouse.connection import Connection
    from .rows import SetAside

Record = dict[str, object]
Candidate = tuple[str, str]
"""Group and version of a candidate."""

COMPARISONS: Final = "experiment_metric_comparisons"
SEGMENTS: Final = "experiment_segment_comparisons"
SEGMENT_VERDICTS: Final = "experiment_segment_verdicts"
REGRESSIONS: Final = "version_regressions"
ALERTS: Final = "metric_alerts"
SET_ASIDE: Final = "set_aside_scores"
_CONTENTS: Final = "run_contents"
MOST_TASKS: Final = 20_000
"""Tasks a page reads, the worst first; `export` has them all."""
MOST_AGENTS: Final = 6
_MOST_TRIALS: Final = 2_000
_OF_EXPERIMENT: Final = "where experiment_id = %(names)s"
_OF_AGENTS: Final = "where agent_name = any(%(names)s)"


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
    shown: Sequence[Shown] = ()
    """What stands beside each of `summaries`; without any, beside all arms."""
    arms: Sequence[Record] = ()
    """What each candidate and its baseline are, as `loader.marts.arms` returns them."""

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
        summaries = questions.summary(connection, experiment_id).records()
        tasks = fetch(
            connection,
            on_marts(
                """
                select
                    task_id, candidate_group, candidate_version, agent_name, winner,
                    baseline_primary_value, candidate_primary_value, primary_difference,
                    baseline_success, candidate_success, not_comparable_reason,
                    baseline_latency_ms, candidate_latency_ms, baseline_cost_usd,
                    candidate_cost_usd, baseline_result_id, candidate_result_id
                from {evaluation_comparison_view}
                where experiment_id = %(experiment_id)s
                order by primary_difference nulls last, task_id, candidate_group, candidate_version
                limit %(limit)s
                """
            ),
            {"experiment_id": experiment_id, "limit": MOST_TASKS},
        ).records()
        agents = _agents(tasks)
        metrics = sorted({str(row["primary_metric"]) for row in summaries if row["primary_metric"]})
        return Experiment(
            experiment_id,
            summaries,
            _if_present(connection, present, COMPARISONS, _OF_EXPERIMENT, experiment_id),
            _if_present(connection, present, SEGMENTS, _OF_EXPERIMENT, experiment_id),
            segment_verdicts(connection, experiment_id).records()
            if SEGMENT_VERDICTS in present
            else None,
            tasks,
            select_all(
                connection,
                "version_trends",
                """
                where agent_name = any(%(agents)s) and metric = any(%(metrics)s)
                order by agent_name, experiment_group, version_rank, model_version
                """,
                {"agents": agents, "metrics": metrics},
            ).records(),
            _significant(_if_present(connection, present, REGRESSIONS, _OF_AGENTS, agents)),
            _if_present(connection, present, ALERTS, _OF_AGENTS, agents),
            _newest(summaries),
            {
                (str(row["candidate_group"]), str(row["candidate_version"])): examples(
                    connection, row
                )
                for row in summaries
            },
            _asides(connection, present, experiment_id, summaries),
            beside.of_candidates(connection, summaries)
            or [beside.of_experiment(connection, experiment_id)],
            arms(connection, experiment_id),
        )


def read_agent(connection: Connection, agent_name: str) -> Agent:
    """Read everything that the report of one agent shows; raises like `read_experiment`."""
    with reading(connection):
        present = set(mart_names(connection))
        where: dict[str, object] = {"agent_name": agent_name}
        trends = select_all(
            connection,
            "version_trends",
            """
            where agent_name = %(agent_name)s
            order by metric, experiment_group, version_rank, model_version
            """,
            where,
        ).records()
        if not trends:
            check_names(connection, "version_trends", {"agent_name": agent_name})
        summaries = fetch(
            connection,
            on_marts(
                """
                select * from {experiment_summaries} as summaries
                where
                    agent_name = %(agent_name)s
                    or (
                        agent_name is null
                        and exists (
                            select from {evaluation_results} as results
                            where
                                results.experiment_id = summaries.experiment_id
                                and results.agent_name = %(agent_name)s
                        )
                    )
                order by last_recorded_at desc nulls last, experiment_id, candidate_version
                limit 50
                """
            ),
            where,
        ).records()
        return Agent(
            agent_name,
            trends,
            _significant(_if_present(connection, present, REGRESSIONS, _OF_AGENTS, [agent_name])),
            _if_present(connection, present, ALERTS, _OF_AGENTS, [agent_name]),
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
        is `trace_url`, or the text at `metadata.langsmith.url`, `metadata.run_url` or
        `metadata.url`.
    """
    wanted = [result for result in results if result is not None][:_MOST_TRIALS]
    if not wanted:
        return {}
    with reading(connection):
        cursor = connection.execute(
            on_marts(
                """
                select
                    result_id,
                    success,
                    error_message,
                    coalesce(
                        trace_url,
                        metadata #>> '{{langsmith,url}}',
                        metadata ->> 'run_url',
                        metadata ->> 'url'
                    ) as url
                from {evaluation_trials}
                where experiment_id = any(%(experiments)s) and result_id = any(%(results)s)
                order by result_id, trial_number
                """
            ),
            {"experiments": list(experiments), "results": wanted},
        )
        runs: dict[object, list[Record]] = {}
        for result_id, success, error_message, url in cursor:
            run: Record = {"success": success, "error_message": error_message, "url": url}
            runs.setdefault(result_id, []).append(run)
    return runs


def read_contents(
    connection: Connection, experiments: Sequence[str], results: Sequence[object]
) -> dict[object, Record]:
    """Return what was asked and answered, by result id: of the first run that has it.

    Args:
        connection: to the warehouse.
        experiments: ids of the experiments that the results are of.
        results: ids of results; the first 2,000 count.

    Returns:
        Records with `inputs`, `outputs` and `reference_outputs` as Python values, None where
        they are not kept; none at all where the mart is not built.

    """
    wanted = [result for result in results if result is not None][:_MOST_TRIALS]
    with reading(connection):
        if not wanted or _CONTENTS not in mart_names(connection):
            return {}
        found = fetch(
            connection,
            on_marts(
                """
                select distinct on (result_id)
                    result_id, inputs, outputs, reference_outputs
                from {run_contents}
                where experiment_id = any(%(experiments)s) and result_id = any(%(results)s)
                order by result_id, trial_number
                """
            ),
            {"experiments": list(experiments), "results": wanted},
        )
    return {row["result_id"]: row for row in found.records()}


def _if_present(
    connection: Connection,
    present: set[str],
    mart: str,
    where: LiteralString,
    names: str | Sequence[str],
) -> list[Record] | None:
    """Return a mart's rows of some names in the order of its key, None when not built."""
    if mart not in present:
        return None
    rest: LiteralString = where + " order by 1, 2, 3, 4, 5, 6"
    return select_all(connection, mart, rest, {"names": names}).records()


def _asides(
    connection: Connection, present: set[str], experiment_id: str, summaries: Sequence[Record]
) -> list[SetAside]:
    linked = {str(row["baseline_experiment_id"] or experiment_id) for row in summaries}
    return set_aside(connection, linked | {experiment_id}) if SET_ASIDE in present else []


def _significant(rows: list[Record] | None) -> list[Record] | None:
    """Leave out what the mart says chance may explain."""
    return None if rows is None else [row for row in rows if row.get("is_significant") is not False]


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
