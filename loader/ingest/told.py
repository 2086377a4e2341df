"""What a load says beside its runs: plans, roles, what keys mean, scores of whole arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..records.bounds import (
    LARGEST_COUNT,
    LONGEST_IDENTIFIER,
    LONGEST_LABEL,
    LONGEST_NAME,
    are_short,
    is_measured,
)
from ..sources import Configuring, Planning, Summarising
from . import arm_plans, group_roles, score_configs, summary_scores
from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..sources import ArmPlan, ScoreConfig, Source, SummaryScore
    from ..warehouse.connection import Connection


class Told(NamedTuple):
    """What is kept of it, for experiments and arms that have runs."""

    plans: Sequence[ArmPlan] = ()
    """How much arms of the load were to run."""
    configs: Sequence[ScoreConfig] = ()
    """What its keys mean."""
    scores: Sequence[SummaryScore] = ()
    """Of arms as a whole."""
    roles: Mapping[str, str] = {}
    """Of groups, in the experiments of the load."""


NOTHING = Told()


def told_by(source: Source, roles: Mapping[str, str] | None) -> Told:
    """Ask a source, once it was read; `roles` are those that options say.

    What is said beside the runs has the bounds of a record, and fails no load: a number that
    is out of range is not said, and what has a name too long for a key is of no run that was
    loaded.
    """
    return Told(
        plans=_bounded_plans(source.plans()) if isinstance(source, Planning) else (),
        configs=_bounded_configs(source.score_configs()) if isinstance(source, Configuring) else (),
        scores=_bounded_scores(source.summary_scores()) if isinstance(source, Summarising) else (),
        roles=roles or {},
    )


def _bounded_plans(plans: Sequence[ArmPlan]) -> list[ArmPlan]:
    return [
        plan._replace(
            planned_repetitions=_count(plan.planned_repetitions),
            planned_tasks=_count(plan.planned_tasks),
        )
        for plan in plans
    ]


def _count(planned: int | None) -> int | None:
    return planned if is_measured(planned, LARGEST_COUNT) else None


def _bounded_configs(configs: Sequence[ScoreConfig]) -> list[ScoreConfig]:
    return [
        config
        if is_measured(config.scale_min) and is_measured(config.scale_max)
        else config._replace(scale_min=None, scale_max=None)
        for config in configs
        if are_short(
            (printable(config.experiment_id), LONGEST_IDENTIFIER),
            (printable(config.evaluator_key), LONGEST_NAME),
        )
    ]


def _bounded_scores(scores: Sequence[SummaryScore]) -> list[SummaryScore]:
    return [
        score if is_measured(score.score) else score._replace(score=None)
        for score in scores
        if are_short(
            (printable(score.experiment_id), LONGEST_IDENTIFIER),
            (printable(score.experiment_group), LONGEST_LABEL),
            (printable(score.extension_version), LONGEST_LABEL),
            (printable(score.feedback_id), LONGEST_IDENTIFIER),
            (printable(score.evaluator_key), LONGEST_NAME),
        )
    ]


def insert(connection: Connection, load_id: int, told: Told, tables: Sequence[str]) -> set[str]:
    """Write what is new or has changed, after the runs; return its experiments.

    Args:
        connection: inside the transaction of the load.
        load_id: the load.
        told: what the load says.
        tables: temporary tables that hold the experiments of the load's rows.

    """
    return (
        arm_plans.insert(connection, load_id, told.plans)
        | (score_configs.insert(connection, load_id, told.configs) if told.configs else set())
        | (summary_scores.insert(connection, load_id, told.scores) if told.scores else set())
        | group_roles.insert(connection, load_id, told.roles, tables)
    )
