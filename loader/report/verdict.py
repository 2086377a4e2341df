"""What a candidate's verdict says: the word, the sentence, its reasons, the counts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show import asides, wording
from ..show.summary_page import outcome, title, unknowns
from .grids import count_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.pages import Record
    from ..show.asides import SetAside

_STYLES: Final = {
    "deploy": ("good", "✓"),
    "needs_review": ("unsure", "?"),
    "reject": ("bad", "✗"),
}
_OTHER: Final = ("unsure", "?")


class Verdict(NamedTuple):
    """The verdict on one candidate."""

    title: str
    candidate: str
    """Its group and version."""
    tasks: str
    """How many both arms have."""
    word: str
    style: str
    mark: str
    headline: str
    would_decide: str | None
    reasons: Sequence[str]
    segments: Sequence[str]
    outcome: str
    set_aside: Sequence[str]
    unknowns: Sequence[str]
    legacy: str


def verdict_of(
    summary: Record,
    compared: Sequence[Record] | None,
    segments: Sequence[Record],
    examples: Mapping[str, Sequence[str]],
    set_aside: Sequence[SetAside],
) -> Verdict:
    """Return the verdict of one row of `experiment_summaries`.

    Args:
        summary: the row.
        compared: its rows of `experiment_metric_comparisons`, None where they are not built.
        segments: its rows of `experiment_segment_verdicts` that are proven worse.
        examples: tasks that only one arm has, by arm, where nothing is shared.
        set_aside: values that do not count.
    """
    style, mark = _STYLES.get(str(summary["recommendation"]), _OTHER)
    word = wording.word(summary)
    decides = wording.would_decide(summary, examples)
    return Verdict(
        title(summary),
        f"{text_of(summary, 'candidate_group')} {text_of(summary, 'candidate_version')}",
        f"{count_of(summary, 'total_tasks'):,}",
        word[:1].upper() + word[1:],
        style,
        mark,
        wording.headline(summary),
        None if decides is None else f"What would decide it: {decides}.",
        wording.reasons(summary),
        [wording.worse_segment(row) for row in segments],
        outcome(summary),
        asides.sentences(set_aside),
        list(unknowns(summary, compared or [])),
        wording.legacy(summary),
    )
