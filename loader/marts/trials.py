"""The runs of an experiment's arms, one by one: values that a calibration deals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from .reading import on_marts, statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..warehouse.connection import Connection


def gather_values(connection: Connection, experiment_id: str, metrics: Mapping[str, str]) -> None:
    """Fill the temporary table `calibration_values`, dropped at the end of the transaction.

    One row per run and metric: `unit` (a task of one version), `run`, `series` (a metric of an
    arm), `cluster`, the names of the arm, the metric, `is_binary` and `value`.

    Args:
        connection: in a transaction.
        experiment_id: whose runs.
        metrics: evaluator key → metric, where they differ.
    """
    connection.execute(
        statement("calibration_values"),
        {"experiment_id": experiment_id, "metrics": Jsonb(dict(metrics))},
    )
    connection.execute("analyze calibration_values")


def load_id_of(connection: Connection, experiment_id: str) -> int:
    """Return the latest load that a run of the experiment is of; 0 without runs."""
    row = connection.execute(
        on_marts(
            "select coalesce(max(load_id), 0) from {evaluation_trials} where experiment_id = %s"
        ),
        (experiment_id,),
    ).fetchone()
    return int(str(row[0])) if row else 0
