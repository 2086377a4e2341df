"""What a candidate's verdict says: the word, its reasons, and the counts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from loader.render import printable
from loader.report.grids import count_of, number_of, percent, probability, text_of, texts_of
from loader.summary_page import outcome, title, unknowns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.report.data import Record

_WORDS: Final = {
    "deploy": ("Deploy", "good", "✓"),
    "needs_review": ("Needs review", "unsure", "?"),
    "reject": ("Reject", "bad", "✗"),
}
_NONE: Final = ("No verdict", "unsure", "?")
LABELS: Final = {
    "equivalent": "equivalent: a metric is shown to be as good as before, within its margin",
    "underpowered": "underpowered: too few tasks to see a change as small as the margin",
}
REASONS: Final = {
    "low_coverage": "Too few tasks have a result in both arms",
    "missing_flips_sign": "Counting missing results as 0 turns the difference round",
    "few_clusters": "Too few independent groups of tasks for a dependable interval",
    "zero_baseline": "The baseline is 0, so no relative change exists",
    "no_weighted_improvement": "No weighted improvement",
    "weighted_improvement": "Weighted improvement, with its interval",
    "degraded": "Much worse on average than the baseline",
    "low_score": "Mean score too low",
    "harm_established": "Worse beyond its margin, more than chance explains",
    "low_score_established": "Mean score too low, more than chance explains",
    "guardrail_open": "Not yet shown to be within its margin",
    "incomparable_versions": "Left out where dataset or evaluator versions differ",
    "small_change": "Too small a change for the rule of thumb to decide",
    "harm_not_established": "Worse by the averages, which chance may explain",
    "no_values": "No run has a score or a measurement",
}


class Verdict(NamedTuple):
    """The verdict on one candidate."""

    title: str
    word: str
    style: str
    mark: str
    rule: str
    reasons: Sequence[str]
    labels: Sequence[str]
    facts: Sequence[tuple[str, str]]
    outcome: str
    unknowns: Sequence[str]


def verdict_of(summary: Record) -> Verdict:
    """Return the verdict of one row of `experiment_summaries`."""
    decided = text_of(summary, "recommendation")
    legacy = text_of(summary, "legacy_recommendation")
    if not count_of(summary, "total_tasks"):
        word, style, mark = _NONE
        rule = "No task has a result in both arms, so nothing can be compared."
    elif decided is not None:
        word, style, mark = _WORDS.get(decided, (decided, "unsure", "?"))
        rule = f"The rule on averages alone (legacy_recommendation) would say: {_plain(legacy)}."
    else:
        word, style, mark = _WORDS.get(str(legacy), _NONE)
        rule = "By the rule of thumb on averages alone (legacy_recommendation)."
    return Verdict(
        title(summary),
        word,
        style,
        mark,
        rule,
        list(_reasons(summary.get("recommendation_reasons"))),
        [LABELS.get(label, label) for label in _labels(summary)],
        list(_facts(summary)),
        outcome(summary),
        list(unknowns(summary)) if decided is None else [],
    )


def _plain(legacy: str | None) -> str:
    return "nothing" if legacy is None else legacy.replace("_", " ")


def _labels(summary: Record) -> list[str]:
    return texts_of(summary, "recommendation_labels") or texts_of(summary, "labels")


def _reasons(reasons: object) -> list[str]:
    """Return reasons as sentences, from objects with a sentence or from `code: metrics`."""
    sentences = []
    for reason in reasons if isinstance(reasons, list) else []:
        if isinstance(reason, dict):
            sentences.append(printable(str(reason.get("sentence") or reason.get("code"))))
        else:
            code, _, rest = str(reason).partition(": ")
            told = REASONS.get(code, code)
            sentences.append(printable(f"{told}: {rest}" if rest else told))
    return sentences


def _facts(summary: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the counts and numbers that the verdict rests on."""
    row = dict(summary)
    facts = [
        ("tasks in both arms", f"{count_of(row, 'total_tasks'):,}"),
        ("won", f"{count_of(row, 'candidate_wins'):,}"),
        ("lost", f"{count_of(row, 'baseline_wins'):,}"),
        ("tied", f"{count_of(row, 'ties'):,}"),
        ("weighted improvement", percent(number_of(row, "weighted_improvement_pct"))),
    ]
    low, high = (number_of(row, f"weighted_improvement_{end}_pct") for end in ("low", "high"))
    if low is not None and high is not None:
        facts.append(("its interval", f"{percent(low)} … {percent(high)}"))
    p_value = number_of(row, "statistical_significance")
    if p_value is not None:
        facts.append((f"p of {text_of(row, 'primary_metric')}", probability(p_value)))
    for name, told in (
        ("required_additional_tasks", "more tasks would decide it"),
        ("required_repetitions", "repetitions would decide it"),
    ):
        if row.get(name) is not None:
            facts.append((told, f"{count_of(row, name):,}"))
    return facts
