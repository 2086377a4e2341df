"""Which bias of its judge would turn a verdict, and what labels tell of that judge.

The bias is exact: between two biases at which a condition of the rule flips the rule says one
thing, and the rule itself (`evals.judge`) is asked what. `replay --judge-bias` reads scores the
same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..warehouse.variables import project_variables
from .reading import fetch_planned_once, statement
from .states import schema_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..warehouse.connection import Connection

    Record = Mapping[str, object]

_NEEDED: Final = (
    "experiment_metric_comparisons",
    "experiment_segment_comparisons",
    "experiment_segment_verdicts",
)
_AGREEMENT: Final = "judge_agreement"


def sensitivity(
    connection: Connection, present: Collection[str], summary: Record
) -> list[dict[str, object]]:
    """Return the biases of its judge that would turn the verdict on a candidate.

    Args:
        connection: to the warehouse, reading.
        present: the names of the marts that there are.
        summary: its row of `experiment_summaries`.

    Returns:
        Of the deciding score, the nearest bias on either side that turns the verdict: `metric`,
        `recommendation`, `turned_recommendation`, `turning_bias` (points of 0 to 1 by which the
        judge favours the candidate; the verdict turns beyond it) and `note`, where there is
        none: `no_bias` within a point of 1 turns it, or `not_by_this_reading`: the t test that
        a bias is tried by says otherwise without any bias. Nothing where no score decides, or
        the marts with the rule are not there. And `judges`: those of either arm of whom people
        scored a run somewhere, with how far they agree.

    """
    if any(name not in present for name in _NEEDED) or not _has_rule(connection):
        return []
    settings = project_variables()
    levels = {name: float(settings[name]) for name in ("alpha", "kept_level")}
    found = fetch_planned_once(
        connection, statement("judge_sensitivity"), {**summary, **levels}
    ).records()
    judges = _judges(connection, present, summary, str(found[0]["metric"])) if found else []
    return [{**row, "judges": judges} for row in found]


def _judges(
    connection: Connection, present: Collection[str], summary: Record, metric: str
) -> list[dict[str, object]]:
    """Return the labelled judges of a score, as rows of `judge_agreement` over all runs."""
    if _AGREEMENT not in present:
        return []
    experiment = str(summary["experiment_id"])
    linked = sorted({experiment, str(summary["baseline_experiment_id"] or experiment)})
    return fetch_planned_once(
        connection,
        statement("labelled_judges"),
        {**summary, "metric": metric, "experiments": linked},
    ).records()


def _has_rule(connection: Connection) -> bool:
    name = f'"{schema_name()}".judge(text, jsonb)'
    found = connection.execute("select to_regprocedure(%s)", (name,)).fetchone()
    return found is not None and found[0] is not None
