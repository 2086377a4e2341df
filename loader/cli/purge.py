"""`purge`: retention."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from ..tools.counts import counted
from .options import database_option, format_option
from .progress import progress
from .say import say

if TYPE_CHECKING:
    from ..tools.tables import Format


@click.command()
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    help="Remove runs recorded longer ago than this many days.",
)
@click.option(
    "--contents-older-than",
    "contents_days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    help="Remove inputs and outputs kept longer ago than this many days; their runs stay.",
)
@click.option(
    "--rejects-older-than",
    "rejects_days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    help="Remove rejected records of loads longer ago than this many days; they stay counted.",
)
@click.option("--yes", is_flag=True, help="Remove them; without it nothing is touched.")
@click.option("--no-build", is_flag=True, help="Leave the marts to the next build.")
@format_option
@database_option
@click.pass_context
def purge(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    days: int | None,
    contents_days: int | None,
    rejects_days: int | None,
    yes: bool,
    no_build: bool,
    output: Format,
    database_url: str | None,
) -> None:
    """Remove runs, contents or rejects past retention; show what would go unless --yes.

    A run goes with all its versions when it was last recorded (or, if it never said,
    first loaded) before the cutoff. Runs whose metadata has "archive": true stay, and so
    does the ledger of loads. Afterwards the marts are built. Inputs and outputs (ingest
    --with-io) are removed by when they were kept, whichever runs name them; the texts of
    rejected records by when their load was.

    \b
    Example:
      evalmart purge --older-than 400
      evalmart purge --older-than 400 --yes
      evalmart purge --contents-older-than 30 --rejects-older-than 90 --yes
    """
    if days is None and contents_days is None and rejects_days is None:
        raise ConfigurationError(
            "give --older-than DAYS, --contents-older-than DAYS, --rejects-older-than DAYS, "
            "or several of them"
        )
    if rejects_days is not None:
        _purge_rejects(rejects_days, database_url, yes=yes)
    if contents_days is not None:
        _purge_contents(contents_days, database_url, yes=yes)
    if days is not None:
        _purge_runs(ctx, days, output, database_url, yes=yes, no_build=no_build)


def _purge_rejects(days: int, database_url: str | None, *, yes: bool) -> None:
    from ..ingest import old_rejects
    from ..warehouse.connection import connect

    with connect(database_url, autocommit=True) as connection:
        old = old_rejects.find(connection, days)
        what = (
            f"{counted(old.rows, 'reject')} ({old.size_bytes / 1e6:,.1f} MB) of "
            f"{counted(old.loads, 'load')} before {old.cutoff:%Y-%m-%d %H:%M %Z}"
        )
        if not yes:
            say(f"would remove {what}; add --yes to do it", err=True)
            return
        count = sum(old_rejects.remove(connection, old.cutoff))
    say(f"removed {counted(count, 'reject')}", err=True)


def _purge_contents(days: int, database_url: str | None, *, yes: bool) -> None:
    from ..ingest import contents
    from ..warehouse.connection import connect

    with connect(database_url, autocommit=True) as connection:
        old = contents.find(connection, days)
        what = (
            f"{old.bodies:,} inputs and outputs ({old.size_bytes / 1e6:,.1f} MB) "
            f"kept before {old.cutoff:%Y-%m-%d %H:%M %Z}"
        )
        if not yes:
            say(f"would remove {what}; add --yes to do it", err=True)
            return
        count = contents.remove(connection, old.cutoff)
    say(f"removed {count:,} inputs and outputs", err=True)


def _purge_runs(  # noqa: PLR0913  what the command takes
    ctx: click.Context,
    days: int,
    output: Format,
    database_url: str | None,
    *,
    yes: bool,
    no_build: bool,
) -> None:
    from ..ingest import retention
    from ..show.render import render
    from ..warehouse import dbt
    from ..warehouse.connection import connect

    with connect(database_url, autocommit=True) as connection:
        expired = retention.find(connection, days)
        before = f"{expired.cutoff:%Y-%m-%d %H:%M %Z}"
        render(
            expired.by_experiment,
            output,
            sys.stdout,
            empty=f"Nothing was recorded before {before}.",
        )
        if not expired.runs:
            return
        what = (
            f"{counted(expired.runs, 'run')} ({counted(expired.versions, 'version')}) of "
            f"{counted(expired.experiments, 'experiment')} recorded before {before}"
        )
        if not yes:
            say(f"would remove {what}; add --yes to do it", err=True)
            return
        runs = versions = 0
        with progress("removing", expired.runs) as advance:
            for batch in retention.remove(connection, expired):
                runs += batch.runs
                versions += batch.versions
                advance(runs, f"{runs:,} of {expired.runs:,} runs")
    say(f"removed {counted(runs, 'run')} ({counted(versions, 'version')})", err=True)
    if not no_build:
        ctx.exit(dbt.build((), database_url, quiet=True))
