"""`withdraw`: take back what should not have been loaded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from ..errors import ConfigurationError
from ..tools.counts import counted
from .loads import own_name
from .options import database_option, format_option
from .say import say

if TYPE_CHECKING:
    from ..ingest.withdrawals import Found, Slice, Written
    from ..tools.tables import Format

_TOLD: Final = "what was said of arms and groups"


@click.command()
@click.option("--load", metavar="N", type=int, help="What this load brought.")
@click.option("--experiment", metavar="ID", help="What this experiment has.")
@click.option("--group", metavar="GROUP", help="Of it, only this experiment group.")
@click.option("--version", metavar="V", help="Of it, only this extension version.")
@click.option("--task", metavar="ID", help="Of it, only this task.")
@click.option(
    "--annotation", metavar="ID", type=int, help="What a person said; annotate --list has the ids."
)
@click.option(
    "--undo", metavar="ID", type=int, multiple=True, help="Lift this withdrawal; repeatable."
)
@click.option("--list", "is_list", is_flag=True, help="List every withdrawal.")
@click.option("--reason", metavar="TEXT", help="Why; kept in the ledger.")
@click.option("--author", metavar="NAME", help="Who; the name you are logged in by if not given.")
@click.option("--dry-run", is_flag=True, help="Only say what it would take out.")
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal.")
@format_option
@database_option
def withdraw(  # noqa: PLR0913  one parameter per option
    *,
    load: int | None,
    experiment: str | None,
    group: str | None,
    version: str | None,
    task: str | None,
    annotation: int | None,
    undo: tuple[int, ...],
    is_list: bool,
    reason: str | None,
    author: str | None,
    dry_run: bool,
    yes: bool,
    output: Format,
    database_url: str | None,
) -> None:
    """Take back what should not have been loaded; nothing is deleted.

    The next build makes the marts as if it had never been: a run falls back to the version
    before. `score_history` and `--as-of` still know it, `--undo` brings it back, and loading
    the same file again loads it again. `purge` erases.

    \b
    Example:
      evalmart withdraw --load 12 --reason 'loaded under the wrong version'
      evalmart withdraw --experiment exp-1 --group code-chef --task t-7 --reason 'wrong key'
      evalmart withdraw --undo 13 --reason 'it was right after all'
      evalmart withdraw --list
    """
    from ..ingest import withdrawals
    from ..show.render import render
    from ..warehouse.connection import connect

    meant = withdrawals.Slice(load, experiment, group, version, task, annotation)
    _check(meant, undo, reason, is_list=is_list, dry_run=dry_run)
    with connect(database_url) as connection:
        if is_list:
            table = withdrawals.entries(connection)
            render(table, output, sys.stdout, empty="Nothing was ever withdrawn.")
            return
        who = author or own_name()
        if undo:
            _tell(withdrawals.undo(connection, undo, reason or "", who), "lifts what was withdrawn")
            return
        found = withdrawals.find(connection, meant)
        connection.rollback()
        render(found.arms, output, sys.stdout, empty="No run.")
        if found.annotations:
            say(f"and {sum(found.annotations.values()):,} scores of people", err=True)
        if found.told:
            say(f"and {_TOLD} in {', '.join(sorted(found.told))}", err=True)
        if dry_run:
            say("dry run, nothing written", err=True)
            return
        if not yes and is_terminal():
            click.confirm(f"Withdraw {_what(found)}?", abort=True, err=True)
        written = withdrawals.withdraw(connection, meant, reason or "", who)
    _tell(written, "takes it back")
    numbers = " ".join(f"--undo {entry.load_id}" for entry in written)
    say(f"to lift it: evalmart withdraw {numbers} --reason TEXT", err=True)


def _check(
    meant: Slice, undo: tuple[int, ...], reason: str | None, *, is_list: bool, dry_run: bool
) -> None:
    """Raise for options that do not go together, all at once."""
    wholes = (meant.load, meant.experiment, meant.annotation)
    is_slice = any(whole is not None for whole in wholes)
    wrong = []
    if sum([is_slice, bool(undo), is_list]) != 1:
        wrong.append("give --load, --experiment, --annotation, --undo or --list, one of them")
    if not is_slice and any(part is not None for part in meant):
        wrong.append("--group, --version and --task are parts of a --load or an --experiment")
    if undo and dry_run:
        wrong.append("--undo has no --dry-run; --list says what it would lift")
    if not is_list and not dry_run and not (reason or "").strip():
        wrong.append("say why with --reason TEXT")
    if wrong:
        raise ConfigurationError("; ".join(wrong))


def is_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def _what(found: Found) -> str:
    """Return in words what is about to be withdrawn."""
    arms = len(found.arms.rows)
    parts = {
        "run": sum(int(str(count)) for count in found.arms.values("run_count")),
        "score of people": sum(found.annotations.values()),
    }
    said = [counted(count, what) for what, count in parts.items() if count] or [_TOLD]
    return " and ".join(said) + (f" in {counted(arms, 'arm')}" if arms else "")


def _tell(written: list[Written], what: str) -> None:
    for entry in written:
        say(f"{entry.experiment}: entry {entry.load_id} {what}", err=True)
    say("the marts follow with the next build: evalmart build", err=True)
