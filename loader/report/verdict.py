"""What a candidate's verdict says: the word, the sentence, its reasons, the counts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show import asides, wording
from ..show.render import NULL
from ..show.summary_page import outcome, title, unknowns
from .grids import count_of, number_of, probability, text_of

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
    word: str
    style: str
    mark: str
    headline: str
    would_decide: str | None
    reasons: Sequence[str]
    segments: Sequence[str]
    facts: Sequence[tuple[str, str]]
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
        word[:1].upper() + word[1:],
        style,
        mark,
        wording.headline(summary),
        None if decides is None else f"What would decide it: {decides}.",
        wording.reasons(summary),
        [wording.worse_segment(row) for row in segments],
        _facts(summary, compared or []),
        outcome(summary),
        asides.sentences(set_aside),
        list(unknowns(summary, compared or [])),
        wording.legacy(summary),
    )


def _facts(summary: Record, compared: Sequence[Record]) -> list[tuple[str, str]]:
    """Return the counts and numbers that the verdict rests on."""
    facts = [
        ("tasks in both arms", f"{count_of(summary, 'total_tasks'):,}"),
        ("won", f"{count_of(summary, 'candidate_wins'):,}"),
        ("lost", f"{count_of(summary, 'baseline_wins'):,}"),
        ("tied", f"{count_of(summary, 'ties'):,}"),
    ]
    metric = text_of(summary, "primary_metric")
    deciding = next((row for row in compared if text_of(row, "metric") == metric), None)
    if deciding is not None:
        shown = wording.improvement_of(deciding)
        facts.append((f"improvement of {metric}", shown.text()))
        if shown.interval() != NULL:
            facts.append(("its interval", shown.interval()))
    p_value = number_of(summary, "statistical_significance")
    if p_value is not None:
        facts.append((f"p of {metric}", probability(p_value)))
    return facts
