"""What stands beside a verdict: segments, arms, and what to do where nothing compares.

Each question is one select of the marts, read as `loader.marts.reading` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

from ..show.render import printable
from ..warehouse.seeds import seed_shown
from .reading import fetch, on_marts, reading, statement, typed
from .rows import SetAside

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..tools.tables import Table
    from ..warehouse.connection import Connection

    Record = Mapping[str, object]

_EXAMPLES: Final = 3


def segment_verdicts(connection: Connection, experiment_id: str) -> Table:
    """Return the segments of one experiment that are proven worse, the surest first."""
    return _select(
        connection,
        """
        select * from {experiment_segment_verdicts}
        where experiment_id = %(experiment_id)s and is_proven_worse
        order by candidate_group, candidate_version, p_worse_bh, segment_kind, segment
        """,
        {"experiment_id": experiment_id},
    )


def arms(connection: Connection, experiments: Sequence[str]) -> Table:
    """Return `arm_summaries` of some experiments."""
    return _select(
        connection,
        """
        select * from {arm_summaries}
        where experiment_id = any(%(experiments)s)
        order by experiment_id, experiment_group, extension_version
        """,
        {"experiments": list(experiments)},
    )


def failed_arms(
    connection: Connection, experiments: Collection[str], group: str, version: str
) -> list[str]:
    """Return a sentence for a candidate of which every run failed, and for such a baseline.

    Args:
        connection: to the warehouse, reading.
        experiments: the candidate's, and that of its baseline.
        group: the candidate's.
        version: the candidate's.
    """
    parameters = {
        "experiments": sorted(experiments),
        "candidate_group": group,
        "candidate_version": version,
    }
    with reading(connection):
        table = fetch(connection, statement("failed_arms"), parameters)
    return [
        f"Every run of {failed} {its_version} in {experiment} failed ({runs:,} of {runs:,})."
        for experiment, failed, its_version, runs in table.rows
    ]


def set_aside(connection: Connection, experiments: Collection[str]) -> list[SetAside]:
    """Return what does not count in some experiments, over all their arms."""
    table = _select(
        connection,
        """
        select
            field,
            evaluator_key,
            reason as reason_code,
            sum(runs)::integer as runs,
            min(lowest) as low,
            max(highest) as high
        from {set_aside_scores}
        where experiment_id = any(%(experiments)s)
        group by field, evaluator_key, reason
        order by field, reason
        """,
        {"experiments": sorted(experiments)},
    )
    return [typed(row, SetAside) for row in table.records()]


def without_candidate(experiment_id: str) -> list[str]:
    """Return the sentences of an experiment that has no candidate's result."""
    name = printable(experiment_id)
    return [
        f"{name} has no candidate's result yet: nothing to compare.",
        (
            f"Load results of a candidate (evalmart ingest --experiment-id {name} "
            f"--experiment-group GROUP …, a treatment of {seed_shown('experiment_groups')} or one "
            "named by --treatment), then evalmart build."
        ),
    ]


def examples(connection: Connection, summary: Record) -> dict[str, list[str]]:
    """Return a few tasks of each arm, by arm, where the arms share none; else nothing.

    Args:
        connection: to the warehouse.
        summary: a row of `experiment_summaries`.
    """
    if summary["total_tasks"]:
        return {}
    told = {}
    for arm, reason in (
        ("baseline", "no_candidate_result"),
        ("candidate", "no_baseline_result"),
    ):
        table = _select(
            connection,
            """
            select distinct task_id from {evaluation_comparison_view}
            where
                experiment_id = %(experiment_id)s
                and candidate_group = %(candidate_group)s
                and candidate_version = %(candidate_version)s
                and not_comparable_reason = %(reason)s
            order by task_id
            limit %(examples)s
            """,
            {**summary, "reason": reason, "examples": _EXAMPLES},
        )
        told[arm] = [printable(str(name)) for (name,) in table.rows]
    return told


def _select(
    connection: Connection, query: LiteralString, parameters: Mapping[str, object]
) -> Table:
    with reading(connection):
        return fetch(connection, on_marts(query), parameters)
