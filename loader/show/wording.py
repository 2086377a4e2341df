"""What the marts' words and numbers mean to a person; one place for every page.

A role says who has a say, a finding what a metric's evidence shows, an improvement by how
much, positive where it is better. Nothing is computed here: the marts have every number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ..tools.metric_names import declaring
from ..tools.tables import Kind
from .render import NULL, named_p, number, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Record = Mapping[str, object]

SHARES: Final = frozenset({"score", "success", "reliability"})
"""Kinds of metric that are told in percentage points."""
RATIOS: Final = frozenset({"latency", "tokens", "cost"})
"""Kinds of metric that are told as per cent saved."""
ROLES: Final = {
    "deciding": "decides",
    "guardrail": "guards",
    "success": "stops, rejects",
    "tripwire": "trips",
    "none": "no say",
}
ROLE_NOTES: Final = {
    "direction_unknown": "which way is better is not known",
    "one_arm_only": "only one arm has it",
    "no_margin": "it has no margin",
    "reliability": "no policy guards it",
}
FINDINGS: Final = {
    "better": "better, more than chance explains",
    "harmed": "worse, its margin not kept",
    "worse": "worse, but within its margin",
    "proven_kept": "as good as before, within its margin",
    "kept": "no change shown, its margin probably kept",
    "open": "open: neither a change nor its margin is shown",
    "changed": "changed; which way is better is not known",
    "unchanged": "no change shown; which way is better is not known",
}
_SHOWN: Final = frozenset({"better", "harmed", "worse", "changed"})
"""Findings that say that something changed."""
VERDICTS: Final = {"deploy": "deploy", "needs_review": "needs review", "reject": "reject"}
LABELS: Final = {
    "trade_off": "a trade-off",
    "not_worse": "not worse",
    "worse_within_margin": "worse within its margin",
}
FLAGS: Final = {
    "no_pairs": "no task has it in both arms",
    "low_coverage": "many runs or tasks lack it",
    "few_clusters": "few independent groups of tasks",
    "zero_variance": "every difference is the same",
    "zero_baseline": "the baseline is 0",
    "missing_flips_sign": "missing results could turn it round",
    "underpowered": "too few tasks for its margin",
    "incomparable_versions": "dataset or evaluator versions differ",
    "one_sided_evaluator_version": "only one arm says which evaluator scored it",
    "non_positive_values": "pairs with a 0 left out of the ratio",
    "differences_instead_of_ratios": "differences of means: too many zeros for ratios",
    "uneven_repetitions": "unequal numbers of runs",
    "quarantined_tasks": "tasks in quarantine left out",
    "critical_task_quarantined": "a critical task is in quarantine",
    "deciding_metric_guessed": "nobody named the metric that decides",
    "direction_assumed": "taken as higher is better",
    "direction_unknown": "which way is better is not known",
}
_NO_FINDING: Final = (
    ("no_pairs", "nothing: no task has it in both arms"),
    ("few_clusters", "nothing: too few independent groups of tasks"),
    ("zero_variance", "every task differs by the same"),
)
_PURPOSES: Final = {
    "deploy": "to show that it is better",
    "reject": "to show that it is worse",
    "not_worse": "to show that it is not worse by more than the margin",
}
ABSENT: Final = {
    "no_baseline": (
        "a baseline: load its results into {experiment} as a control group, or ingest the "
        "candidate with --baseline-experiment ID, then run evalmart build"
    ),
    "no_candidate": (
        "results of the candidate: load them into {experiment}, then run evalmart build"
    ),
    "nothing_shared": (
        "tasks that both arms have: their ids have to be the same{examples}; load one of the "
        "arms again with the ids of the other"
    ),
    "all_quarantined": (
        "tasks that are not in quarantine: mend them, take them out of quarantine.csv, then run "
        "evalmart build"
    ),
    "no_values": "a score or a measurement that both arms have: evaluate the runs and ingest them",
}
"""Code of a reason → what to do; the first that is there counts."""
BLOCKING: Final = {
    "incomparable_versions": (
        "one version of dataset and evaluators for both arms: run or evaluate the older arm again"
    ),
    "direction_unknown": ("the direction of {metric}: {command} (or higher), then evalmart build"),
}
"""Reasons that more tasks do not remove, wherever a number of tasks is known."""
OBSTACLES: Final = {
    "low_coverage": (
        "the missing values: {about}. Evaluate or repeat those runs; more tasks do not stand in "
        "for them"
    ),
    "trade_off": (
        "a person, who weighs what was gained against what was lost; more tasks do not change it"
    ),
    "harm": "a person, who looks at {about}; more tasks do not make it better",
    "no_error": "more tasks, and no number of them is known: all of these differ by the same",
    "peeking": "more tasks, and no number of them is known for bounds that hold at every look",
    "few_clusters": "more tasks from other clusters: these are too few to count on",
    "critical_task_quarantined": (
        "a person, who looks at the critical task that is in quarantine, or takes it out"
    ),
    "no_number_decides": "a person: as it stands no number of tasks would decide it",
    "no_pairs": "values that both arms have: evaluate the runs and ingest them",
}
"""`required_note` → what stands in the way; it completes "What would decide it:"."""
ABOUT: Final = {
    "low_coverage": ("low_coverage", "incomparable_versions"),
    "harm": ("tripwire_harmed", "success_harmed", "guardrail_harmed", "composite_worse"),
}
"""Codes of the reasons that name what an obstacle is about."""
ALPHA: Final = 0.05


class Improvement(NamedTuple):
    """A metric's change as people read it: positive is better, unless nobody knows."""

    value: float | None
    low: float | None
    high: float | None
    margin: float | None
    unit: str
    """points, % or nothing: a unit of the metric's own."""
    kind: Kind
    is_known: bool
    """Whether it is known which way is better; if not, candidate less baseline."""

    def text(self) -> str:
        """Return the change with its unit."""
        if self.value is None:
            return NULL
        told = f"{number(self.value, self.kind)} {self.unit}".rstrip()
        return told if self.is_known else f"changed by {told}"

    def interval(self) -> str:
        """Return the ends of its interval, whose unit stands beside it."""
        if self.value is None or self.low is None or self.high is None:
            return NULL
        return f"{number(self.low, self.kind)} … {number(self.high, self.kind)}"

    def accepted(self) -> str:
        """Return the loss that is accepted."""
        return f"{self.margin:.3g} {self.unit}".rstrip() if self.margin else NULL


def improvement_of(row: Record) -> Improvement:
    """Return the change of a row of a mart of comparisons."""
    kind = str(row["kind"])
    is_known = row.get("direction") in {"higher", "lower"}
    unit, shown = (
        ("points", Kind.POINTS) if kind in SHARES
        else ("%", Kind.PERCENT) if kind in RATIOS
        else ("", Kind.CHANGE)
    )  # fmt: skip
    names = ("improvement_pct", "improvement_low_pct", "improvement_high_pct")
    values = [_float(row.get(name)) for name in names]
    if not is_known or (not unit and values[0] is None):
        values = _in_its_unit(row, 100.0 if kind in SHARES else 1.0)
        unit, shown = ("points", Kind.POINTS) if kind in SHARES else ("", Kind.CHANGE)
    elif not unit:
        unit, shown = "%", Kind.PERCENT
    margin = _float(row.get("margin_pct")) if unit and is_known else None
    value, low, high = values
    return Improvement(value, low, high, margin, unit, shown, is_known)


def say(row: Record) -> str:
    """Return who has a say: decides, guards, trips; or why it has none."""
    role = str(row.get("role"))
    told = ROLES.get(role, role)
    note = row.get("role_note")
    return told if note is None else f"{told}: {ROLE_NOTES.get(str(note), printable(str(note)))}"


def finding(row: Record) -> str:
    """Return what a metric's evidence shows, with its p-value."""
    found, p_value = row.get("finding"), _float(row.get("p_value"))
    raw = row.get("flags")
    flags = [str(flag) for flag in raw] if isinstance(raw, list) else []
    if found is None or (p_value is None and found in {"open", "unchanged"}):
        return next((text for flag, text in _NO_FINDING if flag in flags), "nothing: too few pairs")
    told = FINDINGS.get(str(found), printable(str(found)))
    if p_value is None:
        return told
    if p_value <= ALPHA and found not in _SHOWN:
        return f"{told} ({named_p(p_value)}, but not with what is missing counted as the worst)"
    return f"{told} ({named_p(p_value)})"


def notes(flags: Sequence[str], found: str | None) -> list[str]:
    """Return what to know of a comparison; what was shown did not want more tasks.

    Args:
        flags: of the comparison.
        found: its finding.
    """
    is_shown = found in _SHOWN or found == "proven_kept"
    return [FLAGS.get(flag, flag) for flag in flags if not (is_shown and flag == "underpowered")]


def word(summary: Record) -> str:
    """Return the recommendation as a word, with its label where it has one."""
    decided = str(summary["recommendation"])
    told = VERDICTS.get(decided, printable(decided))
    raw = summary.get("recommendation_labels")
    given = raw if isinstance(raw, list) else []
    names = [LABELS.get(str(name), printable(str(name))) for name in given]
    return ": ".join([told, *names])


def headline(summary: Record) -> str:
    """Return the one sentence a verdict opens with."""
    return printable(str(summary["headline"]))


def reasons(summary: Record) -> list[str]:
    """Return why, in the order in which the reasons decided."""
    raw = summary.get("recommendation_reasons")
    return [
        printable(str(reason.get("sentence") or reason.get("code")))
        for reason in (raw if isinstance(raw, list) else [])
        if isinstance(reason, dict)
    ]


def would_decide(
    summary: Record, examples: Mapping[str, Sequence[str]] | None = None
) -> str | None:
    """Return what would decide an open verdict, to follow "What would decide it:"; else None.

    A number of tasks where tasks decide, else the obstacle that is really there.

    Args:
        summary: a row of `experiment_summaries`.
        examples: tasks that only one arm has, by arm.
    """
    if summary["recommendation"] != "needs_review":
        return None
    by_code = _by_code(summary)
    for code, text in ABSENT.items():
        if code in by_code and not summary["total_tasks"]:
            experiment = printable(str(summary["experiment_id"]))
            return text.format(experiment=experiment, examples=_examples(examples or {}))
    for code, text in BLOCKING.items():
        if code in by_code:
            metric = by_code[code].get("metric") or summary["primary_metric"]
            name = printable(str(metric))
            return text.format(metric=name, command=declaring(name, "--direction lower"))
    tasks = summary["required_additional_tasks"]
    if isinstance(tasks, int) and tasks > 0:
        purpose = _PURPOSES.get(str(summary["required_for"]))
        told = f"about {tasks:,} more {'task' if tasks == 1 else 'tasks'}"
        told = told if purpose is None else f"{told}, {purpose}"
        runs = summary["required_repetitions"]
        if isinstance(runs, int) and runs > 1 and summary["required_for"] == "deploy":
            told += f"; or {runs:,} repetitions of these {summary['total_tasks']:,}"
        return told
    raw = summary["recommendation_labels"]
    is_trade_off = isinstance(raw, list) and "trade_off" in raw
    note = "trade_off" if is_trade_off else str(summary["required_note"])
    found = OBSTACLES.get(note)
    return None if found is None else found.format(about=_about(note, by_code))


def _by_code(summary: Record) -> dict[str, Mapping[str, object]]:
    """Return the reasons by code, the first of each."""
    raw = summary["recommendation_reasons"]
    given = [one for one in (raw if isinstance(raw, list) else []) if isinstance(one, dict)]
    return {str(reason.get("code")): reason for reason in reversed(given)}


def _about(note: str, by_code: Mapping[str, Mapping[str, object]]) -> str:
    """Return what an obstacle is about, by the metrics of the reasons that name it."""
    names = [
        printable(str(by_code[code].get("metric") or "all metrics together"))
        for code in ABOUT.get(note, ())
        if code in by_code
    ]
    if names:
        return ", ".join(dict.fromkeys(names))
    return "values of the metrics that decide" if note == "low_coverage" else "what got worse"


def _examples(examples: Mapping[str, Sequence[str]]) -> str:
    parts = [f"the {arm} has {', '.join(ids)}" for arm, ids in examples.items() if ids]
    return f" ({'; '.join(parts)})" if parts else ""


def worse_segment(row: Record) -> str:
    """Return the sentence on a segment that is proven worse."""
    kind, name = (printable(str(row[column])) for column in ("segment_kind", "segment"))
    p_value = _float(row.get("p_worse_bh"))
    shown = "" if p_value is None else f" ({named_p(p_value)} among all of its kind)"
    return f"{kind} {name}: {headline(row)}{shown}"


def whose(summary: Record) -> str:
    """Return ` (the baseline of AGENT since DATE)`, or nothing where it is none of theirs."""
    agents, since = summary.get("baseline_of_agents"), summary.get("baseline_set_at")
    if not isinstance(agents, list) or not isinstance(since, datetime):
        return ""
    names = printable(", ".join(map(str, agents)))
    return f" (the baseline of {names} since {since.astimezone(UTC):%Y-%m-%d})"


def legacy(summary: Record) -> str:
    """Return the one line on the old system's rule."""
    decided = summary.get("legacy_recommendation")
    told = "nothing" if decided is None else VERDICTS.get(str(decided), printable(str(decided)))
    return f"For comparison only: legacy_recommendation, by averages alone, says {told}."


def _in_its_unit(row: Record, scale: float) -> list[float | None]:
    """Return the difference and its interval, turned where less is known to be better."""
    ends = [_float(row.get(name)) for name in ("mean_difference", "ci_low", "ci_high")]
    value, low, high = (None if end is None else scale * end for end in ends)
    if row.get("direction") != "lower":
        return [value, low, high]
    return [None if end is None else -end for end in (value, high, low)]


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
