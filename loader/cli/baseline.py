"""`baseline`: the experiment that those of an agent are compared with, unless they name one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .options import database_option, format_option
from .say import say

if TYPE_CHECKING:
    from ..tools.tables import Format

_author_option = click.option(
    "--author", metavar="NAME", help="Who; the name you are logged in by if not given."
)


@click.group()
def baseline() -> None:
    """Mark an experiment as an agent's baseline, and see which is.

    An experiment without --baseline-experiment and without a control arm of its own is compared
    with the baseline that its agent had when its first load came. Marking another changes
    nothing that was loaded before.

    \b
    Example:
      evalmart baseline set exp-12
      evalmart baseline set exp-12 --agent feature_dev --author ana
      evalmart baseline show
    """


@baseline.command("set")
@click.argument("experiment")
@click.option("--agent", metavar="A", help="Of this agent; else of all in its control arm.")
@_author_option
@database_option
def set_(
    *, experiment: str, agent: str | None, author: str | None, database_url: str | None
) -> None:
    """Make EXPERIMENT the baseline from now on; it needs runs of a control group.

    \b
    Example:
      evalmart baseline set exp-12 --agent feature_dev
    """
    from ..ingest import baselines
    from ..warehouse.connection import connect
    from ..warehouse.seeds import control_groups
    from .loads import own_name

    with connect(database_url) as connection:
        written = baselines.set_baseline(
            connection, experiment, agent, author or own_name(), control_groups()
        )
    for name in written.agents:
        say(f"{experiment} is the baseline of {name}, entry {written.load_id}")
    say("it counts for experiments whose first load is still to come", err=True)


@baseline.command()
@click.option("--agent", metavar="A", required=True, help="Of this agent.")
@_author_option
@database_option
def clear(*, agent: str, author: str | None, database_url: str | None) -> None:
    """Say that an agent has no baseline from now on.

    \b
    Example:
      evalmart baseline clear --agent feature_dev
    """
    from ..ingest import baselines
    from ..warehouse.connection import connect
    from .loads import own_name

    with connect(database_url) as connection:
        written = baselines.clear(connection, agent, author or own_name())
    say(f"{agent} has no baseline from now on, entry {written.load_id}")


@baseline.command()
@click.option("--agent", metavar="A", help="Every baseline that this agent had.")
@format_option
@database_option
def show(*, agent: str | None, output: Format, database_url: str | None) -> None:
    """List the baseline of each agent.

    \b
    Example:
      evalmart baseline show
      evalmart baseline show --agent feature_dev --format json
    """
    from ..ingest import baselines
    from ..show.render import render
    from ..warehouse.connection import connect

    with connect(database_url) as connection:
        table = baselines.entries(connection, agent)
    render(table, output, sys.stdout, empty="No agent has a baseline.")
