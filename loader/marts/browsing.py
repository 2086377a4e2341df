"""What pages of `loader/serve` ask: long lists, one task in full, the versions of an agent.

Each is to be asked while reading the marts, and raises as `loader.marts.reading` does. What a
role may not read is left out and told as such; nothing is computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import UnknownName
from ..warehouse.grants import may_read
from .beside import of_candidates, of_experiment
from .evidence import examples, set_aside
from .names import check_experiment, distinct
from .reading import fetch, fetch_planned_once, mart_names, on_marts, select_all, statement
from .states import schema_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..show.beside import Shown
    from ..warehouse.connection import Connection
    from .rows import SetAside

Record = dict[str, object]

MOST_RUNS: Final = 200
"""Runs of a task that a page shows."""
_MOST_OF_HISTORY: Final = 1_000
_MOST_SCORES: Final = 10_000
_MOST_REJECTED: Final = 200
_FEW_RUNS: Final = 20_000


class Candidate(NamedTuple):
    """A candidate, as marts name it."""

    experiment_id: str
    group: str
    version: str

    def parameters(self) -> dict[str, object]:
        """Return it as statements take it."""
        return {
            "experiment": self.experiment_id,
            "candidate": self.group,
            "version": self.version,
        }


class Overview(NamedTuple):
    """One candidate of an experiment."""

    summary: Record
    metrics: Sequence[Record]
    """`experiment_metric_comparisons`, who has most say first."""
    segments: Sequence[Record]
    """`experiment_segment_verdicts`, by kind and name."""
    counts: Record
    """Tasks of each kind, and what both arms are."""
    examples: Mapping[str, Sequence[str]]
    set_aside: Sequence[SetAside]
    shown: Shown | None
    """None where it would take long: it is asked for by itself then."""


class Task(NamedTuple):
    """One task of a candidate and its baseline."""

    row: Record
    """Of `evaluation_comparison_view`."""
    runs: Sequence[Record]
    contents: Sequence[Record] | None
    """None where this role may not read them, or they are not built."""
    scores: Sequence[Record]
    """Of `evaluation_scores`, both arms'."""
    has_history: bool
    """Whether a run was scored again, or a person said something in the experiment."""


class Load(NamedTuple):
    """One load, and what of it was rejected."""

    row: Record
    rejected: Sequence[Record] | None
    """None where this role may not read the raw schema."""


def summaries(connection: Connection, experiment_id: str) -> list[Record]:
    """Return `experiment_summaries` of an experiment, a row per candidate.

    Raises:
        UnknownName: there is no such experiment; names the nearest.
    """
    rows = select_all(
        connection,
        "experiment_summaries",
        "where experiment_id = %(experiment_id)s order by candidate_group, candidate_version",
        {"experiment_id": experiment_id},
    ).records()
    if not rows:
        check_experiment(connection, experiment_id)
    return rows


def alone(connection: Connection, experiment_id: str) -> tuple[list[Record], Shown]:
    """Return the arms of an experiment without a candidate, and what is shown of them."""
    return arms(connection, [experiment_id]), of_experiment(connection, experiment_id)


def arms(connection: Connection, experiments: Sequence[str]) -> list[Record]:
    """Return `arm_summaries` of some experiments."""
    return select_all(
        connection,
        "arm_summaries",
        "where experiment_id = any(%(experiments)s)"
        " order by experiment_id, experiment_group, extension_version",
        {"experiments": list(experiments)},
    ).records()


def overview(connection: Connection, summary: Record) -> Overview:
    """Return what the page of one candidate shows; `summary` is its row."""
    candidate = Candidate(
        str(summary["experiment_id"]),
        str(summary["candidate_group"]),
        str(summary["candidate_version"]),
    )
    linked = {candidate.experiment_id, str(summary["baseline_experiment_id"] or "")} - {""}
    return Overview(
        summary,
        metrics(connection, candidate),
        segments(connection, candidate),
        fetch(connection, statement("counted_tasks"), candidate.parameters()).records()[0],
        examples(connection, summary),
        set_aside(connection, linked),
        shown_beside(connection, summary) if _is_small(connection, linked) else None,
    )


def shown_beside(connection: Connection, summary: Record) -> Shown:
    """Return what stands beside the verdict on a candidate, of which every run is looked at."""
    return of_candidates(connection, [summary])[0]


def _is_small(connection: Connection, experiments: Collection[str]) -> bool:
    """Whether so few runs are in some experiments that each may be looked at for a page."""
    runs = [row["total_runs"] for row in arms(connection, list(experiments))]
    return sum(int(str(count)) for count in runs) <= _FEW_RUNS


def metrics(connection: Connection, candidate: Candidate) -> list[Record]:
    """Return `experiment_metric_comparisons` of a candidate, who has most say first."""
    return select_all(
        connection,
        "experiment_metric_comparisons",
        """
        where
            experiment_id = %(experiment)s
            and candidate_group = %(candidate)s
            and candidate_version = %(version)s
        order by
            array_position(array['deciding', 'guardrail', 'success', 'tripwire'], role)
                nulls last,
            weight desc,
            metric
        """,
        candidate.parameters(),
    ).records()


def segments(connection: Connection, candidate: Candidate) -> list[Record]:
    """Return `experiment_segment_verdicts` of a candidate, by kind and name."""
    return select_all(
        connection,
        "experiment_segment_verdicts",
        """
        where
            experiment_id = %(experiment)s
            and candidate_group = %(candidate)s
            and candidate_version = %(version)s
        order by segment_kind, segment
        limit 500
        """,
        candidate.parameters(),
    ).records()


def task(connection: Connection, candidate: Candidate, task_id: str) -> Task:
    """Return one task in full.

    Raises:
        UnknownName: neither arm has such a task.
    """
    rows = select_all(
        connection,
        "evaluation_comparison_view",
        """
        where
            experiment_id = %(experiment)s
            and task_id = %(task)s
            and candidate_group = %(candidate)s
            and candidate_version = %(version)s
        """,
        {**candidate.parameters(), "task": task_id},
    ).records()
    if not rows:
        raise UnknownName(
            f"{candidate.experiment_id} has no task {task_id!r} of {candidate.group} "
            f"{candidate.version}"
        )
    (row,) = rows
    results = [row[f"{arm}_result_id"] for arm in ("baseline", "candidate")]
    present = set(mart_names(connection))
    asked: dict[str, object] = {
        "experiments": sorted({candidate.experiment_id, str(row["baseline_experiment_id"])}),
        "results": [result for result in results if result is not None],
        "most": MOST_RUNS,
    }
    runs = fetch(connection, statement("task_runs"), asked).records()
    said = connection.execute(
        on_marts(
            """
            select from {load_history}
            where source = 'annotation' and experiment_id = any(%(experiments)s)
            limit 1
            """
        ),
        {"experiments": asked["experiments"]},
    ).fetchone()
    return Task(
        row,
        runs,
        _if_readable(connection, present, "run_contents", "task_contents", asked),
        fetch(connection, statement("task_scores"), {**asked, "most": _MOST_SCORES}).records(),
        said is not None or any(run["run_version"] != 1 for run in runs),
    )


def history(connection: Connection, row: Record) -> list[Record] | None:
    """Return what was believed of a task's runs, and when.

    Args:
        connection: to the warehouse.
        row: of `evaluation_comparison_view`.

    Returns:
        Versions of `score_history`, those of the baseline first; None where this role may not
        read it.
    """
    if not may_read(connection, "score_history", schema_name()):
        return None
    arms: dict[str, list[str]] = {}
    for arm, experiment in (
        ("baseline", row["baseline_experiment_id"]),
        ("candidate", row["experiment_id"]),
    ):
        if row[f"{arm}_result_id"] is not None:
            arms.setdefault(str(experiment), []).append(arm)
    told: list[Record] = []
    for experiment, names in arms.items():
        # by one experiment, which PostgreSQL then knows of every table in the view; both arms
        # of it at once, because a plan of the view takes longer than its rows
        told += fetch_planned_once(
            connection,
            statement("task_history"),
            {
                "experiment": experiment,
                "task": row["task_id"],
                "groups": [row[f"{arm}_group"] for arm in names],
                "versions": [row[f"{arm}_version"] for arm in names],
                "most": _MOST_OF_HISTORY * len(names),
            },
        ).records()
    baseline = row["baseline_group"], row["baseline_version"]
    return sorted(
        told, key=lambda each: (each["experiment_group"], each["extension_version"]) != baseline
    )


def load(connection: Connection, load_id: int) -> Load:
    """Return one load and its rejected rows.

    Raises:
        UnknownName: there is no such load.
    """
    rows = select_all(
        connection, "load_history", "where load_id = %(load_id)s", {"load_id": load_id}
    ).records()
    if not rows:
        raise UnknownName(f"no load {load_id}")
    rejected = None
    if may_read(connection, "rejected_rows"):
        cursor = connection.execute(
            """
            select row_number, reason_code, reason, payload
            from raw_evals.rejected_rows
            where load_id = %(load_id)s
            order by row_number
            limit %(most)s
            """,
            {"load_id": load_id, "most": _MOST_REJECTED},
        )
        names = ("row_number", "reason_code", "reason", "payload")
        rejected = [dict(zip(names, row, strict=True)) for row in cursor]
    return Load(rows[0], rejected)


def known_candidates(connection: Connection, most: int = 500) -> list[Candidate]:
    """Return candidates for a person to choose from, the latest first."""
    cursor = connection.execute(
        on_marts(
            """
            select experiment_id, candidate_group, candidate_version
            from {experiment_summaries}
            order by last_recorded_at desc nulls last, 1, 2, 3
            limit %(most)s
            """
        ),
        {"most": most},
    )
    return [Candidate(*map(str, names)) for names in cursor]


def known_agents(connection: Connection) -> Sequence[str]:
    """Return the names of agents."""
    return distinct(connection, "version_trends", "agent_name", {})


def newest(connection: Connection) -> object:
    """Return when the latest result was recorded; None without any."""
    row: Any = connection.execute(
        on_marts("select max(recorded_at) from {evaluation_results}")
    ).fetchone()
    return row[0]


def _if_readable(
    connection: Connection,
    present: set[str],
    mart: str,
    name: str,
    parameters: Mapping[str, object],
) -> list[Record] | None:
    """Return the rows of a statement; None where its mart is not built, or not for this role."""
    if mart not in present or not may_read(connection, mart, schema_name()):
        return None
    return fetch(connection, statement(name), parameters).records()
