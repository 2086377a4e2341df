"""Scores of an experiment as a whole: summary evaluators, and what was said on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import SummaryScore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .meaning import Meaning

Arm = tuple[str, str, str]
_MOST_NAMED = 5


def summary_scores(
    rows: Iterable[Mapping[str, object]], arm: Arm, meaning: Meaning
) -> list[SummaryScore]:
    """Make the scores of an arm from the feedback that is about no run.

    A row that says neither a number nor a category has both null, and its comment.

    Args:
        rows: as `feedback.compact` gives them.
        arm: experiment, group and version of every run.
        meaning: of the keys.
    """
    return [
        SummaryScore(
            *arm,
            feedback_id=str(row.get("id")),
            evaluator_key=str(row.get("key")),
            score=None if (number := meaning.score(row)) is None else float(number),
            label=meaning.label(row),
            comment=comment if isinstance(comment := row.get("comment"), str) else None,
            author_kind=_author(row, meaning),
            scored_at=at if isinstance(at := row.get("created_at"), str) else None,
        )
        for row in rows
    ]


def sentence(scores: Sequence[SummaryScore], row_count: int, has_runs: bool) -> str | None:
    """Say which scores of the experiment as a whole were read.

    Args:
        scores: those of its one arm.
        row_count: how many feedback rows are about no run.
        has_runs: whether any run is finished.
    """
    if not row_count:
        return None
    what = f"{row_count:,} {'score' if row_count == 1 else 'scores'} of the experiment as a whole"
    if not has_runs:
        return f"{what} cannot be kept before a run is finished; ingest again later."
    if not scores:
        return (
            f"{what} could belong to any of its arms; they are kept in the load's entry "
            "(raw_evals.loads), and count for none."
        )
    told = [f"{each.evaluator_key} {_said(each)}" for each in scores[:_MOST_NAMED]]
    more = [f"and {len(scores) - len(told):,} more"] if len(scores) > len(told) else []
    return f"{what}: {', '.join([*told, *more])}."


def _said(score: SummaryScore) -> str:
    if score.score is not None:
        return f"{score.score:g}"
    return score.label if score.label is not None else "without a number"


def _author(row: Mapping[str, object], meaning: Meaning) -> str:
    return "person" if row.get("source") == "app" or meaning.is_corrected(row) else "evaluator"
