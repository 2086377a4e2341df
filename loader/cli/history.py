"""Commands about what changed over versions: regressions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from loader.cli.options import database_option
from loader.cli.output import format_option

if TYPE_CHECKING:
    from loader.tables import Format

_A_PERSON_HAS_TO_LOOK = 5


@click.command()
@click.option("--agent", metavar="AGENT", help="Only this agent.")
@click.option("--since", metavar="VERSION", help="Only what was found at this version or later.")
@click.option("--tasks", is_flag=True, help="List the tasks that got worse instead.")
@format_option
@database_option
@click.pass_context
def regressions(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    agent: str | None,
    since: str | None,
    tasks: bool,
    output: Format,
    database_url: str | None,
) -> None:
    """List what got worse over versions: one line per fall in level, open ones first.

    An alert is open until the level is back or a person accepts it in
    seeds/accepted_changes.csv. Exit codes: 0 none is open, 5 some are: a person has to look.

    \b
    Example:
      python -m loader regressions --agent feature_dev
      python -m loader regressions --agent feature_dev --since 1.4.0 --tasks
    """
    from loader import regressions as reader  # noqa: PLC0415  keep --help free of the driver
    from loader.connection import connect  # noqa: PLC0415
    from loader.render import render  # noqa: PLC0415

    with connect(database_url) as connection:
        alerts = reader.alerts(connection, agent, since)
        worse = reader.tasks(connection, agent, since) if tasks else None
    if worse is None:
        render(reader.alerts_view(alerts, output), output, sys.stdout, empty="No alert.")
    else:
        render(reader.tasks_view(worse, output), output, sys.stdout, empty="No task got worse.")
    open_alerts = sum(bool(is_open) for is_open in alerts.values("is_open"))
    if open_alerts:
        verb = "alert is" if open_alerts == 1 else "alerts are"
        click.echo(f"{open_alerts:,} {verb} open", err=True)
    ctx.exit(_A_PERSON_HAS_TO_LOOK if open_alerts else 0)
