"""`summary` for people: a small page that says what is known and what is not.

The verdict is `recommendation`, with the sentences it rests on; `legacy_recommendation`, the
rule on averages alone, stands beside it under its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from loader.metric_page import metric_table
from loader.render import (
    cell,
    draw,
    for_people,
    markdown_lines,
    markdown_text,
    named_p,
    number,
    plain_lines,
    printable,
    render,
)
from loader.tables import Column, Format, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

# What the average change of each built-in metric is called in `experiment_summaries`.
_CHANGES: Final = (
    ("accuracy", "avg_accuracy_improvement_pct", Kind.POINTS),
    ("completeness", "avg_completeness_improvement_pct", Kind.POINTS),
    ("efficiency", "avg_efficiency_improvement_pct", Kind.POINTS),
    ("integration quality", "avg_integration_quality_improvement_pct", Kind.POINTS),
    ("latency", "avg_latency_reduction_pct", Kind.PERCENT),
    ("tokens", "avg_tokens_reduction_pct", Kind.PERCENT),
    ("cost", "avg_cost_reduction_pct", Kind.PERCENT),
)
# Chances that people know how to picture; below the last one, "fewer than".
_ONE_IN: Final = (20, 100, 1_000, 10_000)
_VERDICTS: Final = {
    "deploy": "deploy",
    "needs_review": "needs review",
    "reject": "reject",
}
_STYLES: Final = {"deploy": "bold green", "needs_review": "bold yellow", "reject": "bold red"}


def render_summary(
    experiment_id: str, table: Table, metrics: Table, output: Format, stream: TextIO
) -> None:
    """Print `experiment_summaries` of one experiment: a page for people, rows for programs.

    Args:
        experiment_id: named when there is no row.
        table: every column of the mart, one row per candidate version.
        metrics: its rows of `experiment_metric_comparisons`, for people.
        output: the format.
        stream: where to; colours only when it is a terminal.
    """
    if output in {Format.JSON, Format.CSV}:
        render(table, output, stream)
        return
    stream = for_people(stream)
    if not table.rows:
        stream.write(
            f"{printable(experiment_id)} has no candidate's result yet: nothing to compare.\n"
        )
        return
    for place, record in enumerate(table.records()):
        if place:
            stream.write("\n")
        shown = metric_table(_of_candidate(metrics, record))
        if output is Format.MARKDOWN:
            stream.writelines(_markdown(record, shown))
        elif stream.isatty():
            _terminal(record, shown, stream)
        else:
            stream.writelines(_plain(record, shown))


def _of_candidate(metrics: Table, record: Mapping[str, object]) -> Table:
    """Return the rows of the summary's candidate."""
    names = ("candidate_group", "candidate_version")
    columns = [column.name for column in metrics.columns]
    places = [columns.index(name) for name in names]
    wanted = [record[name] for name in names]
    return Table(
        metrics.columns,
        [row for row in metrics.rows if [row[place] for place in places] == wanted],
    )


def _plain(record: Mapping[str, object], metrics: Table) -> Iterator[str]:
    yield title(record) + "\n"
    yield "\n"
    yield verdict(record) + "\n"
    yield rule_of_thumb(record) + "\n"
    yield outcome(record) + "\n"
    if record["total_tasks"]:
        yield "\n"
        yield from (f"{line}\n" for line in plain_lines(metrics))
        yield "\n"
        yield "What the verdict rests on:\n"
        for line in evidence(record):
            yield f"- {line}\n"
    yield "\n"
    yield "What this does not tell:\n"
    for line in unknowns(record):
        yield f"- {line}\n"


def _markdown(record: Mapping[str, object], metrics: Table) -> Iterator[str]:
    yield f"### {markdown_text(title(record))}\n\n"
    yield f"**{markdown_text(verdict(record))}**\n\n"
    yield f"{markdown_text(rule_of_thumb(record))}\n\n"
    yield f"{markdown_text(outcome(record))}\n\n"
    if record["total_tasks"]:
        yield from markdown_lines(metrics)
        yield "\n"
        yield "What the verdict rests on:\n\n"
        for line in evidence(record):
            yield f"- {markdown_text(line)}\n"
        yield "\n"
    yield "What this does not tell:\n\n"
    for line in unknowns(record):
        yield f"- {markdown_text(line)}\n"


def _terminal(record: Mapping[str, object], metrics: Table, stream: TextIO) -> None:
    console = Console(file=stream, highlight=False)
    console.print(Text(title(record), style="bold"))
    console.print()
    console.print(Text(verdict(record), style=_STYLES.get(str(record["recommendation"]), "")))
    console.print(Text(rule_of_thumb(record), style="dim"))
    console.print(Text(outcome(record)))
    if record["total_tasks"]:
        console.print()
        draw(metrics, stream)
        console.print()
        console.print(Text("What the verdict rests on:"))
        for line in evidence(record):
            console.print(Text(f"- {line}"))
    console.print()
    console.print(Text("What this does not tell:", style="dim"))
    for line in unknowns(record):
        console.print(Text(f"- {line}", style="dim"))


def title(record: Mapping[str, object]) -> str:
    """Say what is compared with what."""
    names = ("experiment_id", "candidate_group", "candidate_version")
    experiment, group, version = (printable(str(record[name])) for name in names)
    text = f"{experiment}: {group} {version} against its baseline"
    linked = record["baseline_experiment_id"]
    return text if linked == record["experiment_id"] else f"{text} in {printable(str(linked))}"


def verdict(record: Mapping[str, object]) -> str:
    """Say the verdict, and what would decide an open one."""
    if not record["total_tasks"]:
        return "No verdict: no task has a result in both arms."
    decided = str(record["recommendation"])
    text = f"Recommendation: {_VERDICTS.get(decided, decided)}."
    needs = [
        f"about {value:,} {what}"
        for name, what in (
            ("required_additional_tasks", "more tasks"),
            ("required_repetitions", "repetitions of these tasks"),
        )
        if isinstance(value := record[name], int)
    ]
    return f"{text} It would take {', or '.join(needs)} to decide." if needs else text


def rule_of_thumb(record: Mapping[str, object]) -> str:
    """Say what the rule on averages alone would say."""
    legacy = str(record["legacy_recommendation"])
    change = record["legacy_weighted_improvement_pct"]
    told = (
        "its own average of the metrics cannot be computed"
        if change is None
        else f"its own average of the metrics (points for scores) is {cell(change, Kind.PERCENT)}"
    )
    return f"Rule of thumb (legacy_recommendation): {_VERDICTS.get(legacy, legacy)}; {told}."


def evidence(record: Mapping[str, object]) -> Iterator[str]:
    """Say whether the difference is more than chance, then the reasons of the verdict."""
    p_value = record["statistical_significance"]
    metric = printable(str(record["primary_metric"]))
    if isinstance(p_value, int | float):
        yield f"The difference in {metric} {chance(p_value)}."
    reasons = record["recommendation_reasons"]
    for reason in reasons if isinstance(reasons, list) else ():
        yield printable(str(reason["sentence"]))


def chance(p_value: float) -> str:
    """Say a p-value in words: how often chance alone does as much."""
    shown = named_p(p_value)
    if p_value > 1 / _ONE_IN[0]:
        share = "always" if p_value > 1 - 1 / _ONE_IN[1] else f"{p_value:.0%} of the time"
        return f"may well be chance: without any change, one as large comes up {share} ({shown})"
    rarest = max(count for count in _ONE_IN if p_value <= 1 / count)
    return (
        f"is more than chance explains: without any change, one as large comes up in fewer than "
        f"1 of {rarest:,} experiments ({shown})"
    )


def outcome(record: Mapping[str, object]) -> str:
    """Say who won how many tasks, by which metric, and which tasks are missing."""
    metric = record["primary_metric"]
    total = _count(record, "total_tasks")
    parts = []
    if metric is None:
        parts.append(f"{_tasks(total)} in both arms; no score decides them.")
    else:
        parts.append(
            f"By {printable(str(metric))}, the candidate won {_number(record, 'candidate_wins')}, "
            f"lost {_number(record, 'baseline_wins')} and tied {_number(record, 'ties')} "
            f"of the {_tasks(total)} that both arms have."
        )
        undecided = _count(record, "undecided_tasks")
        if undecided:
            parts.append(f"{undecided:,} of them could not be decided.")
    missing = [
        f"{_tasks(_count(record, name))} only in the {arm}"
        for name, arm in (
            ("baseline_only_tasks", "baseline"),
            ("candidate_only_tasks", "candidate"),
        )
        if _count(record, name)
    ]
    if missing:
        parts.append(f"Left out: {' and '.join(missing)}.")
    return " ".join(parts)


def changes(record: Mapping[str, object]) -> Table:
    """Return the average change of every built-in metric, positive is better."""
    return Table(
        (
            Column("metric"),
            Column("change", Kind.TEXT, "candidate against baseline, + is better"),
        ),
        [
            (label, f"{number(value, kind)} {_unit(kind)}")
            for label, name, kind in _CHANGES
            if isinstance(value := record[name], int | float)
        ],
    )


def unknowns(record: Mapping[str, object]) -> Iterator[str]:
    """Say what a reader might take from the page and must not."""
    if record["total_tasks"] and record.get("statistical_significance") is None:
        yield "whether the difference is more than chance: there are too few pairs with a score"
    absent = [label for label, name, _ in _CHANGES if record[name] is None]
    if absent:
        yield f"anything about {', '.join(absent)}: no pair of results has it"
    undecided, incomparable = (
        _count(record, name) for name in ("undecided_tasks", "incomparable_tasks")
    )
    if undecided > incomparable:
        yield (
            f"who won {_tasks(undecided - incomparable)}: an arm has no score there, "
            "which is neither a loss nor a tie"
        )
    if incomparable:
        yield (
            f"who won {_tasks(incomparable)} whose dataset or evaluator version differs "
            "between the arms"
        )
    alone = _count(record, "baseline_only_tasks") + _count(record, "candidate_only_tasks")
    if alone:
        yield f"how the other arm would have done on {_tasks(alone)} it has no result for"


def _unit(kind: Kind) -> str:
    return "points" if kind is Kind.POINTS else "%"


def _count(record: Mapping[str, object], name: str) -> int:
    value = record[name]
    return value if isinstance(value, int) else 0


def _number(record: Mapping[str, object], name: str) -> str:
    return f"{_count(record, name):,}"


def _tasks(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"
