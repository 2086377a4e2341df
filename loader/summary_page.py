"""`summary` for people: a small page that says what is known and what is not.

The verdict is `legacy_recommendation` under its own name: a rule on averages, which says
nothing about chance, and the page says that too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from loader.render import (
    cell,
    draw,
    for_people,
    markdown_lines,
    markdown_text,
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
_VERDICTS: Final = {
    "deploy": "deploy",
    "needs_review": "needs review",
    "reject": "reject",
}
_STYLES: Final = {"deploy": "bold green", "needs_review": "bold yellow", "reject": "bold red"}


def render_summary(experiment_id: str, table: Table, output: Format, stream: TextIO) -> None:
    """Print `experiment_summaries` of one experiment: a page for people, rows for programs.

    Args:
        experiment_id: named when there is no row.
        table: every column of the mart, one row per candidate version.
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
        if output is Format.MARKDOWN:
            stream.writelines(_markdown(record))
        elif stream.isatty():
            _terminal(record, stream)
        else:
            stream.writelines(_plain(record))


def _plain(record: Mapping[str, object]) -> Iterator[str]:
    yield title(record) + "\n"
    yield "\n"
    yield verdict(record) + "\n"
    yield outcome(record) + "\n"
    if record["total_tasks"]:
        yield "\n"
        yield from (f"{line}\n" for line in plain_lines(changes(record)))
    yield "\n"
    yield "What this does not tell:\n"
    for line in unknowns(record):
        yield f"- {line}\n"


def _markdown(record: Mapping[str, object]) -> Iterator[str]:
    yield f"### {markdown_text(title(record))}\n\n"
    yield f"**{markdown_text(verdict(record))}**\n\n"
    yield f"{markdown_text(outcome(record))}\n\n"
    if record["total_tasks"]:
        yield from markdown_lines(changes(record))
        yield "\n"
    yield "What this does not tell:\n\n"
    for line in unknowns(record):
        yield f"- {markdown_text(line)}\n"


def _terminal(record: Mapping[str, object], stream: TextIO) -> None:
    console = Console(file=stream, highlight=False)
    console.print(Text(title(record), style="bold"))
    console.print()
    console.print(
        Text(verdict(record), style=_STYLES.get(str(record["legacy_recommendation"]), ""))
    )
    console.print(Text(outcome(record)))
    if record["total_tasks"]:
        console.print()
        draw(changes(record), stream)
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
    """Say the verdict, and by which rule."""
    if not record["total_tasks"]:
        return "No verdict: no task has a result in both arms."
    legacy = str(record["legacy_recommendation"])
    improvement = record["weighted_improvement_pct"]
    told = (
        "the weighted improvement cannot be computed"
        if improvement is None
        else f"weighted improvement {cell(improvement, Kind.PERCENT)} %"
    )
    return f"Rule of thumb (legacy_recommendation): {_VERDICTS.get(legacy, legacy)}; {told}."


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
    if record["total_tasks"]:
        yield "whether the differences are more than chance: the rule looks at averages alone"
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
