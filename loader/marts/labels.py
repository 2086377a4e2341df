"""Runs that people may label: of tasks that a judge scored in both arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .reading import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..warehouse.connection import Connection
    from .rows import Summary


class Labelable(NamedTuple):
    """A run that a judge scored."""

    task_id: str
    arm: str
    """`baseline` or `candidate`."""
    experiment_id: str
    source: str
    source_run_id: str
    evaluator_key: str
    category: str | None
    judge_value: float
    inputs: str | None
    outputs: str | None
    reference_outputs: str | None

    @property
    def contents(self) -> tuple[str | None, ...]:
        """What was asked, answered and expected, where it was kept."""
        return self.inputs, self.outputs, self.reference_outputs


def labelable(
    connection: Connection, summary: Summary, metric: str, keys: Sequence[str]
) -> list[Labelable]:
    """Return the runs of a comparison's tasks that are not labelled in both arms yet.

    Args:
        connection: to the warehouse, reading.
        summary: of the comparison.
        metric: a score.
        keys: evaluator keys that give it.
    """
    baseline = summary.baseline_experiment_id or summary.experiment_id
    rows: list[tuple[Any, ...]] = connection.execute(
        statement("labelable_runs"),
        {
            "experiment": summary.experiment_id,
            "group_name": summary.candidate_group,
            "version": summary.candidate_version,
            "experiments": sorted({summary.experiment_id, baseline}),
            "metric": metric,
            "keys": list(keys),
        },
    ).fetchall()
    return [Labelable(*row) for row in rows]
