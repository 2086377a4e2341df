"""What is shown beside a verdict: its judge, categories, preferences, scores, passes, single tasks.

Read where the marts of it are built, as `loader.marts.reading` does; a question about the past
(`--as-of`) has no preferences, since the other side of a comparison may be of an experiment
that it does not build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from ..show.beside import Shown
from .reading import fetch, mart_names, on_marts, reading, statement
from .sensitivity import sensitivity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

    Record = Mapping[str, object]

CATEGORIES: Final = "category_counts"
PREFERENCES: Final = "pairwise_preferences"
SCORES: Final = "summary_scores"
CURVES: Final = "pass_curves"
TASKS: Final = "experiment_task_comparisons"
_OF_ARM: Final[tuple[str, ...]] = ("experiment_id", "experiment_group", "extension_version")


class _Arm(NamedTuple):
    """An arm, and what it is called."""

    name: str
    experiment_id: str
    experiment_group: str
    extension_version: str


def of_candidates(connection: Connection, summaries: Sequence[Record]) -> list[Shown]:
    """Return what is shown beside each row of `experiment_summaries`, and its baseline's."""
    with reading(connection):
        present = set(mart_names(connection))
        return [_of_candidate(connection, present, summary) for summary in summaries]


def of_experiment(connection: Connection, experiment_id: str) -> Shown:
    """Return what is shown of every arm of an experiment that has no candidate."""
    with reading(connection):
        found = _select(
            connection,
            """
            select distinct experiment_group, extension_version from {evaluation_results}
            where experiment_id = %(experiment_id)s
            order by experiment_group, extension_version
            """,
            {"experiment_id": experiment_id},
        )
        arms = [
            _Arm(f"{group} {version}", experiment_id, str(group), str(version))
            for group, version in (row.values() for row in found)
        ]
        return _of_arms(connection, set(mart_names(connection)), arms)


def of_task(
    connection: Connection, experiment_id: str, group: str, version: str, task_id: str
) -> list[dict[str, object]]:
    """Return what `experiment_task_comparisons` says of one task, where that mart is built."""
    with reading(connection):
        if TASKS not in mart_names(connection):
            return []
        return _select(
            connection,
            """
            select *
            from {experiment_task_comparisons}
            where
                experiment_id = %(experiment_id)s
                and task_id = %(task_id)s
                and candidate_group = %(group)s
                and candidate_version = %(version)s
            order by kind, metric
            """,
            {
                "experiment_id": experiment_id, "group": group, "version": version,
                "task_id": task_id,
            },
        )  # fmt: skip


def _of_candidate(connection: Connection, present: set[str], summary: Record) -> Shown:
    names = [str(summary[name]) for name in ("candidate_group", "candidate_version")]
    candidate = _Arm("candidate", str(summary["experiment_id"]), *names)
    baseline = fetch(connection, statement("baseline_arm"), summary).records()
    arms = [_Arm("baseline", *(str(row[name]) for name in _OF_ARM)) for row in baseline]
    shown = _of_arms(connection, present, [*arms, candidate])
    return shown._replace(
        sensitivity=sensitivity(connection, present, summary),
        tasks=_select(connection, _TASK_ROWS, summary) if TASKS in present else [],
    )


def _of_arms(connection: Connection, present: set[str], arms: Sequence[_Arm]) -> Shown:
    columns: dict[str, object] = {
        name: [getattr(arm, name) for arm in arms] for name in _Arm._fields
    }
    last = arms[-1:] if any(arm.name == "candidate" for arm in arms) else arms
    asked = {name: [getattr(arm, name) for arm in last] for name in _Arm._fields}
    return Shown(
        [arm.name for arm in arms],
        _select(connection, _CATEGORY_ROWS, columns) if CATEGORIES in present else [],
        _select(connection, _PREFERENCE_ROWS, asked) if PREFERENCES in present else [],
        _select(connection, _SCORE_ROWS, columns) if SCORES in present else [],
        curves=_select(connection, _CURVE_ROWS, columns) if CURVES in present else [],
    )


# Rows of a mart that are of one of the arms asked for.
_OF_ARMS: Final = """
inner join
    unnest(
        %(name)s::text[],
        %(experiment_id)s::text[],
        %(experiment_group)s::text[],
        %(extension_version)s::text[]
    ) as asked (name, experiment_id, experiment_group, extension_version)
    using (experiment_id, experiment_group, extension_version)
where shown.experiment_id = any(%(experiment_id)s)
"""
_CATEGORY_ROWS: Final = (
    "select asked.name as arm, shown.* from {category_counts} as shown"  # noqa: S608  constants
    + _OF_ARMS
    + "order by evaluator_key, category_position, category, arm"
)
_SCORE_ROWS: Final = (
    "select asked.name as arm, shown.* from {summary_scores} as shown"  # noqa: S608  constants
    + _OF_ARMS
    + "order by evaluator_key, arm"
)
_CURVE_ROWS: Final = (
    "select asked.name as arm, shown.* from {pass_curves} as shown"  # noqa: S608  constants
    + _OF_ARMS
    + "order by k, arm"
)
# A comparison that has one of the arms on either side.
_PREFERENCE_ROWS: Final = """
select distinct preferences.*
from {pairwise_preferences} as preferences
inner join
    unnest(
        %(experiment_id)s::text[],
        %(experiment_group)s::text[],
        %(extension_version)s::text[]
    ) as asked (experiment_id, experiment_group, extension_version)
    on
        (asked.experiment_id, asked.experiment_group, asked.extension_version)
        in (
            (candidate_experiment_id, candidate_group, candidate_version),
            (baseline_experiment_id, baseline_group, baseline_version)
        )
order by evaluator_key, comparative_experiment_id, baseline_experiment_id, candidate_experiment_id
"""


_TASK_ROWS: Final = """
select *
from {experiment_task_comparisons}
where
    experiment_id = %(experiment_id)s
    and candidate_group = %(candidate_group)s
    and candidate_version = %(candidate_version)s
    and (broke_beyond_chance or fixed_beyond_chance)
order by fixed_beyond_chance, p_value_bh, metric, task_id
"""


def _select(
    connection: Connection, query: LiteralString, parameters: Mapping[str, object]
) -> list[dict[str, object]]:
    return fetch(connection, on_marts(query), parameters).records()
