"""`annotate`: what people say of runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError, InputRejected, nearest
from .options import database_option, format_option
from .say import say

if TYPE_CHECKING:
    from ..ingest.annotations import Outcome
    from ..tools.tables import Format

_MOST_TOLD = 20


@click.command()
@click.option("--experiment", metavar="ID", help="The experiment.")
@click.option("--task", metavar="ID", help="The task.")
@click.option("--group", metavar="GROUP", help="Only its runs in this experiment group.")
@click.option("--version", metavar="V", help="Only its runs of this extension version.")
@click.option("--run", metavar="ID", help="Only this run; else all that the task has there.")
@click.option("--key", metavar="KEY", help="What is scored: accuracy, …")
@click.option("--score", metavar="X", help="On the key's scale; true and false are its ends.")
@click.option("--author", metavar="NAME", help="Who says so.")
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option(
    "--file", "path", metavar="PATH", help="CSV with these names as columns, a line a score."
)
@click.option("--strict", is_flag=True, help="Store nothing if a line is rejected.")
@click.option("--again", is_flag=True, help="Say again what a file said that was loaded before.")
@click.option("--list", "is_list", is_flag=True, help="List what was said, with ids.")
@format_option
@database_option
def annotate(  # noqa: PLR0913  one for each option
    *,
    path: str | None,
    strict: bool,
    again: bool,
    is_list: bool,
    output: Format,
    database_url: str | None,
    **parts: str | None,
) -> None:
    """Say what a person thinks of a run; it counts in place of the judge's score.

    The latest score of an author counts, several authors give their mean and how far they are
    apart (the mart `run_scores`). The judge's score stays in `score_history`, as does every
    other. `withdraw --annotation ID` takes one back.

    \b
    Example:
      evalmart annotate --experiment exp-1 --task t-7 --group code-chef \\
        --key accuracy --score 0 --author ana --reason 'it made the source up'
      evalmart annotate --file scores.csv --author ana
      evalmart annotate --list --experiment exp-1

    Exit code 3: with --strict, a line was rejected; else, no line could be stored.
    """
    from ..ingest import annotations, said
    from ..show.render import render
    from ..sources.digests import digest_of
    from ..warehouse.connection import connect
    from ..warehouse.seeds import read_vocabulary

    if is_list:
        with connect(database_url) as connection:
            table = annotations.entries(connection, parts["experiment"])
        render(table, output, sys.stdout, empty="Nobody has said anything.")
        return
    if path is None:
        lines = said.Lines([said.from_options(parts)], [])
    else:
        lines = said.read_file(path, parts)
    with connect(database_url) as connection:
        outcome = annotations.annotate(
            connection,
            lines.said,
            read_vocabulary(),
            faults=lines.faults,
            origin=path or "",
            strict=strict,
            file=None if path is None or again else digest_of(path),
        )
    if path is None and outcome.faults:
        raise ConfigurationError(outcome.faults[0].reason)
    _tell(outcome)
    if not outcome.counts.loaded and not outcome.counts.unchanged:
        raise InputRejected("nothing was stored")


def _tell(outcome: Outcome) -> None:
    from ..show.render import printable  # keep --help quick

    counts = outcome.counts
    say(
        f"read {counts.read} · loaded {counts.loaded} · unchanged {counts.unchanged} · "
        f"rejected {counts.rejected}"
    )
    if outcome.known_load is not None:
        told = f"  note: loaded before, as load {outcome.known_load}: what it said then changes "
        say(f"{told}nothing (--again says it anyway)", err=True)
    for fault in outcome.faults:
        say(f"  line {fault.row}: {fault.reason}", err=True)
    for taken in outcome.taken[:_MOST_TOLD]:
        runs = "1 run" if taken.runs == 1 else f"{taken.runs:,} runs"
        what = f"{taken.said.experiment}, {taken.said.task}, {taken.said.key}"
        say(f"  annotation {taken.annotation_id}: {what}: {runs}")
        if taken.others:
            near = (
                nearest(taken.said.key, taken.others) or f" (they have {', '.join(taken.others)})"
            )
            note = f"  note: no judge scored {taken.said.key} there{near}"
            say(printable(note), err=True)
    if len(outcome.taken) > _MOST_TOLD:
        say(f"  and {len(outcome.taken) - _MOST_TOLD:,} more; annotate --list has them")
    if outcome.taken:
        say("the marts follow with the next build: evalmart build", err=True)
