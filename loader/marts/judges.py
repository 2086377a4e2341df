"""What is known of judges: scores corrected or bridged, and how far they agree with people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .reading import on_marts, statement, typed
from .rows import Bridge, Correction, SeenJudge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection


class Reading(NamedTuple):
    """A score read otherwise than recorded, as `evals.judge` takes it."""

    candidate_group: str
    candidate_version: str
    metric: str
    improvement: float
    improvement_error: float
    degrees_of_freedom: float
    missing_gap_low: float
    missing_gap_high: float
    n_pairs: int | None = None
    """Where it has other pairs than recorded; so the next three."""
    n_incomparable: int | None = None
    effective_clusters: float | None = None
    pair_coverage: float | None = None


def corrections(connection: Connection, experiment_id: str) -> list[Correction]:
    """Return the corrected scores of an experiment; to be called while reading the marts."""
    rows = connection.execute(
        on_marts("select to_jsonb(row) from {judge_corrections} as row where experiment_id = %s"),
        (experiment_id,),
    ).fetchall()
    return [typed(row, Correction) for (row,) in rows]


def corrected(found: Sequence[Correction]) -> list[Reading]:
    """Return those corrections that rest on enough labels, as readings."""
    return [
        Reading(
            one.candidate_group, one.candidate_version, one.metric, one.improvement,
            one.improvement_error, one.degrees_of_freedom, one.missing_gap_low or 0.0,
            one.missing_gap_high or 0.0,
        )
        for one in found
        if one.holds
        and one.improvement is not None
        and one.improvement_error is not None
        and one.degrees_of_freedom is not None
    ]  # fmt: skip


def bridges(connection: Connection, experiment_id: str) -> list[Bridge]:
    """Return the scores of an experiment whose arms two versions of a judge scored."""
    rows = connection.execute(
        on_marts("select to_jsonb(row) from {bridged_comparisons} as row where experiment_id = %s"),
        (experiment_id,),
    ).fetchall()
    return [typed(row, Bridge) for (row,) in rows]


def bridged(found: Sequence[Bridge]) -> list[Reading]:
    """Return those that rest on enough answers that both versions scored, as readings."""
    return [
        Reading(
            one.candidate_group, one.candidate_version, one.metric, one.improvement,
            one.improvement_error, one.degrees_of_freedom, -one.missing_share,
            one.missing_share, one.n_pairs, 0, one.effective_clusters, one.pair_coverage,
        )
        for one in found
        if one.holds
        and one.improvement is not None
        and one.improvement_error is not None
        and one.degrees_of_freedom is not None
    ]  # fmt: skip


def shifted(connection: Connection, experiment_id: str, bias: Mapping[str, float]) -> list[Reading]:
    """Return scores as they would be if their judge favoured candidates by so much.

    Args:
        connection: to the warehouse, reading.
        experiment_id: whose comparisons.
        bias: metric -> points of 0 to 1 that candidates have too many.
    """
    rows: list[tuple[Any, ...]] = connection.execute(
        statement("shifted_scores"),
        {
            "experiment": experiment_id,
            "metrics": list(bias),
            "biases": [float(value) for value in bias.values()],
        },
    ).fetchall()
    return [Reading(*row) for row in rows]


def seen_judges(
    connection: Connection,
    key: Mapping[str, object],
    experiments: Sequence[str],
    metrics: Mapping[str, str],
) -> list[SeenJudge]:
    """Return the judges of both arms, each with how far it agrees with people anywhere.

    Args:
        connection: to the warehouse, reading.
        key: the candidate: experiment, group_name, version.
        experiments: the candidate's, and its baseline's.
        metrics: evaluator key -> metric, of those that are asked for.
    """
    rows = connection.execute(
        statement("judges_of_arms"),
        {
            **key,
            "experiments": list(experiments),
            "keys": list(metrics),
            "metrics": list(metrics.values()),
        },
    ).fetchall()
    return [typed(row, SeenJudge) for (row,) in rows]
