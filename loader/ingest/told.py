"""What a load says beside its runs: plans, roles, what keys mean, scores of whole arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loader.ingest import arm_plans, group_roles, score_configs, summary_scores
from loader.sources import Configuring, Planning, Summarising

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.sources import ArmPlan, ScoreConfig, Source, SummaryScore
    from loader.warehouse.connection import Connection


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
    """Ask a source, once it was read; `roles` are those that options say."""
    return Told(
        plans=source.plans() if isinstance(source, Planning) else (),
        configs=source.score_configs() if isinstance(source, Configuring) else (),
        scores=source.summary_scores() if isinstance(source, Summarising) else (),
        roles=roles or {},
    )


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
