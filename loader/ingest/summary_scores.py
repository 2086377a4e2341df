"""Scores of an arm as a whole, kept beside its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tools.sql_files import read_sql
from ..warehouse.parameters import doubles
from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..sources import SummaryScore
    from ..warehouse.connection import Connection


def insert(connection: Connection, load_id: int, scores: Sequence[SummaryScore]) -> set[str]:
    """Write what is new, has changed or is of new runs; return its experiments.

    Args:
        connection: inside the transaction of the load.
        load_id: the load.
        scores: each with an id of its own; left out where the arm has no run, unless it is
            kept alone.

    """
    rows = connection.execute(
        read_sql(__name__, "insert_summary_scores"),
        {
            "load_id": load_id,
            "experiments": [printable(each.experiment_id) for each in scores],
            "groups": [printable(each.experiment_group) for each in scores],
            "versions": [printable(each.extension_version) for each in scores],
            "feedback": [printable(each.feedback_id) for each in scores],
            "keys": [printable(each.evaluator_key) for each in scores],
            "scores": doubles(each.score for each in scores),
            "labels": [_text(each.label) for each in scores],
            "comments": [_text(each.comment) for each in scores],
            "authors": [each.author_kind for each in scores],
            "times": [each.scored_at for each in scores],
            "alone": [each.is_kept_alone for each in scores],
        },
    ).fetchall()
    return {str(experiment_id) for (experiment_id,) in rows}


def _text(text: str | None) -> str | None:
    return None if text is None else printable(text)
