"""`summary` for people: the verdict in a sentence, why, by how much, and what is not known.

Every number and word is one of the marts'; `loader.show.wording` says them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.text import Text

from ..tools.tables import Column, Format, Table
from . import asides, beside, wording
from .beside import Section
from .metric_page import arm_table, metric_table
from .render import (
    draw,
    for_people,
    markdown_lines,
    markdown_text,
    plain_lines,
    printable,
    render,
    sentences,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from .asides import SetAside
    from .beside import Shown

    Record = Mapping[str, object]

_STYLES: Final = {"deploy": "bold green", "needs_review": "bold yellow", "reject": "bold red"}
_WHY: Final = "Why, in the order in which it decided:"
_SEGMENTS: Final = "Proven worse in a part:"
_UNKNOWN: Final = "What this does not tell:"


class Answer(NamedTuple):
    """What a summary shows of one experiment, each from its mart."""

    experiment_id: str
    summaries: Table
    metrics: Table
    """`experiment_metric_comparisons`."""
    segments: Sequence[Record] = ()
    """`experiment_segment_verdicts` that are proven worse."""
    arms: Table = Table((), [])
    """`arm_summaries`."""
    examples: Sequence[Mapping[str, Sequence[str]]] = ()
    """Tasks that only one arm has, for each row of `summaries`, where nothing is shared."""
    nothing: Sequence[str] = ()
    """What to read where there is no row of `summaries`."""
    set_aside: Sequence[SetAside] = ()
    """Values that do not count, in the experiment and in those it is compared with."""
    shown: Sequence[Shown] = ()
    """What stands beside each row of `summaries`; without any, beside all arms."""


class Page(NamedTuple):
    """One candidate's page, as paragraphs, lists and tables."""

    summary: Record
    opening: Sequence[str]
    segments: Sequence[str]
    sections: Sequence[Section]
    """Metrics, or arms that nothing is compared with, and what stands beside the verdict."""
    unknowns: Sequence[str]

    @property
    def reasons(self) -> list[str]:
        """Return why, in the order in which it decided."""
        return wording.reasons(self.summary)


def render_summary(answer: Answer, output: Format, stream: TextIO) -> None:
    """Print `experiment_summaries` of one experiment: a page for people, rows for programs.

    Args:
        answer: what was read.
        output: the format.
        stream: where to; colours only when it is a terminal.
    """
    if output in {Format.JSON, Format.CSV}:
        rows = answer.summaries
        render(_whole(rows, answer) if output is Format.JSON else rows, output, stream)
        return
    stream = for_people(stream)
    if not answer.summaries.rows:
        stream.writelines(f"{line}\n" for line in answer.nothing)
        stream.writelines(f"- {line}\n" for line in asides.sentences(answer.set_aside))
        for shown in answer.shown:
            beside.write(shown, output, stream)
        return
    for place, page in enumerate(pages(answer)):
        if place:
            stream.write("\n")
        if output is Format.MARKDOWN:
            stream.writelines(_markdown(page))
        elif stream.isatty():
            _terminal(page, stream)
        else:
            stream.writelines(_plain(page))


def pages(answer: Answer) -> Iterator[Page]:
    """Yield a page for each candidate."""
    for place, summary in enumerate(answer.summaries.records()):
        metrics = _of_candidate(answer.metrics, summary)
        segments = [row for row in answer.segments if _key(row) == _key(summary)]
        compared = bool(summary["total_tasks"])
        shown = answer.shown[place] if answer.shown else beside.Shown()
        yield Page(
            summary,
            opening(summary, answer.examples[place] if answer.examples else {}),
            [wording.worse_segment(row) for row in segments],
            [*_numbers(answer, metrics, compared=compared), *beside.sections(shown)],
            [
                *asides.sentences(answer.set_aside),
                *unknowns(summary, metrics.records()),
                *beside.notes(shown),
            ],
        )


def _numbers(answer: Answer, metrics: Table, *, compared: bool) -> list[Section]:
    """Return the table of metrics; where nothing is compared, of arms."""
    if compared:
        return [Section("", metric_table(metrics))]
    return [Section("", arm_table(answer.arms))] if answer.arms.rows else []


def opening(summary: Record, examples: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the lines that every page begins with: the sentence, then the word."""
    told = f"Recommendation: {wording.word(summary)}."
    decides = wording.would_decide(summary, examples)
    return [
        wording.headline(summary),
        told if decides is None else f"{told} What would decide it: {decides}.",
    ]


def _whole(summaries: Table, answer: Answer) -> Table:
    """Return the rows of `experiment_summaries`, with what does not count or decide."""
    told = [
        {
            "field": one.field,
            "reason_code": one.reason_code,
            "runs": one.runs,
            "low": one.low,
            "high": one.high,
            "sentence": asides.sentence(one),
        }
        for one in answer.set_aside
    ]
    shown = [beside.for_programs(one) for one in answer.shown or [beside.Shown()]]
    columns = (*summaries.columns, Column("set_aside"), *map(Column, shown[0]))
    return Table(
        columns,
        [
            (*row, told, *rows.values())
            for row, rows in zip(summaries.rows, shown * len(summaries.rows), strict=False)
        ],
    )


def brief(table: Table, set_aside: Sequence[SetAside], output: Format, stream: TextIO) -> None:
    """Print the opening and the reasons of each candidate, for a page about its tasks.

    Args:
        table: rows of `experiment_summaries`.
        set_aside: values that do not count there.
        output: table or markdown.
        stream: where to.
    """
    stream = for_people(stream)
    escape = markdown_text if output is Format.MARKDOWN else str
    for summary in table.records():
        if len(table.rows) > 1:
            sentences([escape(title(summary)), ""], stream)
        sentences(map(escape, opening(summary, {})), stream)
        sentences(["", *(f"- {escape(line)}" for line in wording.reasons(summary)), ""], stream)
    if set_aside:
        told = [f"- {escape(line)}" for line in asides.sentences(set_aside)]
        sentences([_UNKNOWN, "", *told, ""], stream)


def beside_candidates(
    summaries: Table, shown: Sequence[Shown], output: Format, stream: TextIO
) -> None:
    """Print what stands beside each row of `experiment_summaries`, where there is any of it."""
    for summary, one in zip(summaries.records(), shown, strict=True):
        if len(shown) > 1 and beside.sections(one):
            name = title(summary)
            stream.write(f"\n{markdown_text(name) if output is Format.MARKDOWN else name}\n")
        beside.write(one, output, stream)


def _plain(page: Page) -> Iterator[str]:
    yield title(page.summary) + "\n\n"
    for line in page.opening:
        yield line + "\n"
    for heading, lines in ((_WHY, page.reasons), (_SEGMENTS, page.segments)):
        if lines:
            yield f"\n{heading}\n"
            yield from (f"- {line}\n" for line in lines)
    yield f"\n{outcome(page.summary)}\n"
    for section in page.sections:
        yield "\n"
        if section.heading:
            yield f"{section.heading}\n"
        yield from (f"{line}\n" for line in plain_lines(section.table))
    if page.unknowns:
        yield f"\n{_UNKNOWN}\n"
        yield from (f"- {line}\n" for line in page.unknowns)
    yield f"\n{wording.legacy(page.summary)}\n"


def _markdown(page: Page) -> Iterator[str]:
    yield f"### {markdown_text(title(page.summary))}\n\n"
    first, *rest = page.opening
    yield f"**{markdown_text(first)}**\n\n"
    for line in rest:
        yield f"{markdown_text(line)}\n\n"
    for heading, lines in ((_WHY, page.reasons), (_SEGMENTS, page.segments)):
        if lines:
            yield f"{heading}\n\n"
            yield from (f"- {markdown_text(line)}\n" for line in lines)
            yield "\n"
    yield f"{markdown_text(outcome(page.summary))}\n\n"
    for section in page.sections:
        if section.heading:
            yield f"{markdown_text(section.heading)}\n\n"
        yield from markdown_lines(section.table)
        yield "\n"
    if page.unknowns:
        yield f"{_UNKNOWN}\n\n"
        yield from (f"- {markdown_text(line)}\n" for line in page.unknowns)
        yield "\n"
    yield f"{markdown_text(wording.legacy(page.summary))}\n"


def _terminal(page: Page, stream: TextIO) -> None:
    console = Console(file=stream, highlight=False)
    style = _STYLES.get(str(page.summary["recommendation"]), "")
    console.print(Text(title(page.summary), style="bold"))
    console.print()
    first, *rest = page.opening
    console.print(Text(first, style=style))
    for line in rest:
        console.print(Text(line))
    for heading, lines in ((_WHY, page.reasons), (_SEGMENTS, page.segments)):
        if lines:
            console.print()
            console.print(Text(heading))
            for line in lines:
                console.print(Text(f"- {line}"))
    console.print()
    console.print(Text(outcome(page.summary)))
    for section in page.sections:
        console.print()
        if section.heading:
            console.print(Text(section.heading))
        draw(section.table, stream)
    if page.unknowns:
        console.print()
        console.print(Text(_UNKNOWN, style="dim"))
        for line in page.unknowns:
            console.print(Text(f"- {line}", style="dim"))
    console.print()
    console.print(Text(wording.legacy(page.summary), style="dim"))


def title(record: Record) -> str:
    """Say what is compared with what."""
    names = ("experiment_id", "candidate_group", "candidate_version")
    experiment, group, version = (printable(str(record[name])) for name in names)
    text = f"{experiment}: {group} {version} against its baseline"
    linked = record["baseline_experiment_id"]
    is_elsewhere = linked is not None and linked != record["experiment_id"]
    return f"{text} in {printable(str(linked))}{wording.whose(record)}" if is_elsewhere else text


def outcome(record: Record) -> str:
    """Say who won how many tasks, by which metric, and which tasks are missing."""
    metric = record["primary_metric"]
    total = _count(record, "total_tasks")
    parts = []
    if not total:
        parts.append("No task has a result in both arms.")
    elif metric is None or _count(record, "undecided_tasks") == total:
        parts.append(f"{_tasks(total)} in both arms; no score says who won them.")
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
    return " ".join([*parts, *quarantine(record)])


def quarantine(record: Record) -> Iterator[str]:
    """Say what the team's quarantine leaves out of a verdict, and what has run out of it."""
    count = _count(record, "quarantined_tasks")
    if count:
        names = ("quarantined_worse", "quarantined_better")
        worse, better = (_number(record, name) for name in names)
        yield (
            f"{_tasks(count)} quarantined: left out of the verdict; {worse} of them got worse and "
            f"{better} better."
        )
    expired = _count(record, "expired_quarantines")
    if expired:
        yield f"{_tasks(expired)} whose quarantine has run out: counted again."


def unknowns(record: Record, metrics: Sequence[Record]) -> Iterator[str]:
    """Say what a reader might take from the page and must not.

    Args:
        record: of `experiment_summaries`.
        metrics: of `experiment_metric_comparisons`, of the same candidate.
    """
    absent = [printable(str(row["metric"])) for row in metrics if not row["n_pairs"]]
    if absent:
        yield f"anything about {', '.join(absent)}: no task has it in both arms"
    if record["total_tasks"] and all(row["kind"] != "score" for row in metrics):
        yield "anything about quality: no run has a score"
    undecided, incomparable = (
        _count(record, name) for name in ("undecided_tasks", "incomparable_tasks")
    )
    if incomparable < undecided < _count(record, "total_tasks"):
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


def _key(row: Record) -> tuple[object, object]:
    return row["candidate_group"], row["candidate_version"]


def _of_candidate(metrics: Table, record: Record) -> Table:
    """Return the rows of the summary's candidate."""
    names = ("candidate_group", "candidate_version")
    columns = [column.name for column in metrics.columns]
    places = [columns.index(name) for name in names]
    wanted = [record[name] for name in names]
    return Table(
        metrics.columns,
        [row for row in metrics.rows if [row[place] for place in places] == wanted],
    )


def _count(record: Record, name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0


def _number(record: Record, name: str) -> str:
    return f"{_count(record, name):,}"


def _tasks(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"
