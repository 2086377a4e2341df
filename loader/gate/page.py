"""The gate's verdict as a person reads it, as markdown for a pull request, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..show import escape, wording
from ..show.render import (
    NULL,
    TINY,
    for_people,
    markdown_lines,
    markdown_text,
    number,
    plain_lines,
    printable,
    with_unit,
)
from ..tools.tables import Column, Format, Kind, Table, kind_of
from .decision import in_order
from .guards import bounds, is_relative, margin_of, shown
from .policy import Inference
from .verdict import RULE_VERSION, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from ..marts.rows import Candidate, Metric
    from .decision import Decision
    from .ledger import Looks
    from .policy import Policy

_HEADINGS: Final = {
    Verdict.PASS: "PASS",
    Verdict.BLOCKED: "BLOCKED",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
}


class Answer(NamedTuple):
    """A decision as it was recorded."""

    decision: Decision
    looks: Looks | None
    """None where this role may append to the ledger and not read it."""
    load_id: int
    warnings: Sequence[str]


def render_answers(answers: Sequence[Answer], output: Format, stream: TextIO) -> None:
    """Print verdicts, each followed by its reasons and the numbers it rests on.

    Args:
        answers: one per candidate.
        output: table, markdown or json; json is always an array.
        stream: where to.
    """
    if output is Format.JSON:
        # escaped beyond ASCII: right in whatever encoding the stream has
        text = json.dumps([_plain(answer) for answer in answers], indent=2)
        stream.write(escape.json_text(text) + "\n")
        return
    stream = for_people(stream)
    for place, answer in enumerate(answers):
        if place:
            stream.write("\n")
        stream.writelines(_markdown(answer) if output is Format.MARKDOWN else _page(answer))


def looks_sentence(looks: Looks | None) -> str:
    """Return how often a candidate was looked at, in words."""
    if looks is None:
        return "This role may not read how often this candidate was looked at."
    if looks.looks == 1:
        return "This is the first look at this candidate."
    states = "on the same data" if looks.states == 1 else f"on {looks.states:,} states of the data"
    return (
        f"This is look {looks.looks:,} at this candidate since {looks.first_at:%Y-%m-%d}, {states}."
    )


def _page(answer: Answer) -> Iterator[str]:
    decision = answer.decision
    yield f"{_HEADINGS[decision.verdict]}  {printable(_subject(decision))}\n\n"
    yield f"  {printable(decision.headline)}\n\n"
    reasons = _beside_headline(decision)
    for sentence in reasons:
        yield f"  - {printable(sentence)}\n"
    if reasons:
        yield "\n"
    numbers = _numbers(decision)
    if numbers.rows:
        yield from (f"  {line}\n" for line in plain_lines(numbers))
        yield "\n"
    for sentence in _closing(answer):
        yield f"  {printable(sentence)}\n"


def _markdown(answer: Answer) -> Iterator[str]:
    decision = answer.decision
    yield f"### Gate: {decision.verdict.value}\n\n"
    yield f"**{markdown_text(printable(decision.headline))}**\n\n"
    yield f"{markdown_text(printable(_subject(decision)))}\n\n"
    reasons = _beside_headline(decision)
    for sentence in reasons:
        yield f"- {markdown_text(printable(sentence))}\n"
    if reasons:
        yield "\n"
    numbers = _numbers(decision)
    if numbers.rows:
        yield from markdown_lines(numbers)
        yield "\n"
    for sentence in (*_closing(answer), *answer.warnings):
        yield f"{markdown_text(sentence)}\n\n"


def _beside_headline(decision: Decision) -> list[str]:
    """Return the reasons in their order, without one that is the headline's own words."""
    return [reason.sentence for reason in decision.reasons if reason.sentence != decision.headline]


def _plain(answer: Answer) -> dict[str, Any]:
    decision = answer.decision
    summary = decision.candidate.summary
    looks = answer.looks
    return {
        "verdict": decision.verdict.value,
        "exit_code": decision.exit_code,
        "headline": decision.headline,
        "experiment_id": summary.experiment_id,
        "candidate_group": summary.candidate_group,
        "candidate_version": summary.candidate_version,
        "agent": decision.candidate.agent,
        "recommendation": summary.recommendation,
        "label": next(iter(summary.recommendation_labels or []), None),
        "route": summary.recommendation_route,
        "required_additional_tasks": summary.required_additional_tasks,
        "required_for": summary.required_for,
        "required_note": summary.required_note,
        "reasons": msgspec.to_builtins(decision.reasons),
        "would_decide": decision.would_decide,
        "looks": looks.looks if looks else None,
        "looks_at_different_data": looks.states if looks else None,
        "rule_version": RULE_VERSION,
        "load_id": answer.load_id,
        "policy_hash": decision.policy.hash(),
        "policy": decision.policy.canonical(),
        "warnings": list(answer.warnings),
        "summary": msgspec.to_builtins(summary),
        "metrics": msgspec.to_builtins(decision.candidate.metrics),
        "has_baseline": decision.candidate.has_baseline,
        "history": msgspec.to_builtins(decision.candidate.history),
        "evidence": msgspec.to_builtins(decision.candidate.evidence),
    }


def _subject(decision: Decision) -> str:
    summary = decision.candidate.summary
    history = decision.candidate.history
    if history is not None and not decision.candidate.has_baseline:
        return (
            f"{history.agent_name} {history.extension_version} ({history.experiment_group}) "
            f"against {history.previous() or 'no version before it'}, "
            f"{history.task_count:,} tasks"
        )
    against = (
        f"the baseline of {summary.baseline_experiment_id}"
        if summary.baseline_experiment_id not in (None, summary.experiment_id)
        else "its baseline"
    )
    agent = decision.candidate.agent
    tasks = "task" if summary.total_tasks == 1 else "tasks"
    return (
        f"{summary.candidate_group} {summary.candidate_version} against {against}, "
        f"{summary.experiment_id}, {summary.total_tasks:,} {tasks}"
        + (f" of {agent}" if agent else "")
    )


def _closing(answer: Answer) -> Iterator[str]:
    decision = answer.decision
    if decision.would_decide is not None:
        yield f"What would decide it: {decision.would_decide}."
    yield looks_sentence(answer.looks)
    yield (
        f"Policy {decision.policy.hash()[:12]}, load {answer.load_id}, "
        f"exit code {decision.exit_code}."
    )


def _numbers(decision: Decision) -> Table:
    """Return the numbers a verdict rests on, one row per metric with pairs."""
    if not decision.candidate.has_baseline:
        return _steps(decision.candidate)
    policy, candidate = decision.policy, decision.candidate
    interval = "at every look" if policy.peeking else "interval"
    return Table(
        (
            Column("metric"),
            Column("role", heading="says"),
            Column("n_pairs", Kind.INTEGER, "pairs"),
            Column("baseline_mean", heading="baseline"),
            Column("candidate_mean", heading="candidate"),
            Column("improvement", heading="better by"),
            Column("interval", heading=interval),
            Column("p_value", heading="p"),
            Column("margin"),
            Column("finding"),
            Column("flags", heading="notes"),
        ),
        [
            _row(policy, metric, is_primary=metric.metric == candidate.summary.primary_metric)
            for metric in in_order(policy, candidate)
            if metric.n_pairs
        ],
    )


def _steps(candidate: Candidate) -> Table:
    """Return a version beside the version before it, one row per metric and model."""
    history = candidate.history
    regressions = {
        (regression.model_version, regression.metric): regression
        for regression in (history.regressions if history else [])
    }
    rows = []
    for step in history.steps if history else []:
        kind = _kind_of(step.metric)
        found = regressions.get((step.model_version, step.metric))
        rows.append(
            (
                step.metric,
                step.model_version,
                step.shared_task_count,
                with_unit(step.previous_avg_value, kind),
                with_unit(step.avg_value, kind),
                found.severity or "unknown" if found else None,
            )
        )
    return Table(
        (
            Column("metric"),
            Column("model_version", heading="model"),
            Column("shared_task_count", Kind.INTEGER, "shared tasks"),
            Column("previous_avg_value", heading="before"),
            Column("avg_value", heading="now"),
            Column("severity", heading="regression"),
        ),
        rows,
    )


def _row(policy: Policy, metric: Metric, *, is_primary: bool) -> tuple[object, ...]:
    kind = _kind(metric)
    margin = margin_of(policy, metric)
    if margin is None and metric.margin_pct is not None:
        margin = metric.margin_pct / 100  # what the rule holds it to, declared or not
    share = f"{100 * margin:.3g} %" if margin is not None and is_relative(metric) else None
    better, ends = _improvement(policy, metric, is_primary=is_primary)
    return (
        metric.metric,
        wording.say(msgspec.to_builtins(metric)),
        metric.n_pairs,
        with_unit(metric.baseline_mean, kind),
        with_unit(metric.candidate_mean, kind),
        better,
        ends,
        _p(metric.p_anytime if policy.peeking else metric.p_value),
        share or with_unit(margin, kind),
        # with other bounds it may be another one
        None
        if policy.peeking or policy.inference is Inference.THESE_TASKS
        else wording.FINDINGS.get(metric.finding or ""),
        ", ".join(wording.notes(metric.flags, metric.finding)) or None,
    )


def _improvement(policy: Policy, metric: Metric, *, is_primary: bool) -> tuple[str, str]:
    """Return how much better a metric is, and between what, in points or per cent.

    A measurement in a unit of its own, and one without a direction, has its plain difference.
    """
    if metric.improvement_pct is None:
        kind = _kind(metric)
        low, high = metric.ci_low, metric.ci_high
        if policy.peeking:
            low, high = metric.cs_low, metric.cs_high
        ends = (
            NULL if low is None or high is None else f"{_signed(low, kind)} … {_signed(high, kind)}"
        )
        return _signed(metric.mean_difference, kind), ends
    unit = " %" if is_relative(metric) else " points"
    found = bounds(policy, metric, is_primary=is_primary, both_readings=False)
    ends = (
        NULL
        if found is None
        else f"{shown(metric, found[0]):+.1f} … {shown(metric, found[1]):+.1f}{unit}"
    )
    return f"{metric.improvement_pct:+.1f}{unit}", ends


def _kind(metric: Metric) -> Kind:
    if not is_relative(metric):
        return Kind.SCORE
    return _kind_of(metric.metric)


def _kind_of(metric: str) -> Kind:
    known = kind_of(metric)
    return Kind.NUMBER if known is Kind.TEXT else known


def _signed(value: float | None, kind: Kind) -> str:
    text = with_unit(value, kind)
    is_positive = value is not None and value > 0 and number(value, kind) != number(0.0, kind)
    return f"+{text}" if is_positive else text


def _p(value: float | None) -> str:
    if value is None:
        return NULL
    return f"< {TINY}" if value < TINY else f"{value:.4f}"
