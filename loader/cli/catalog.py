"""`catalog`: every metric that was seen, and who has a say."""

from __future__ import annotations

import sys

import click

from ..tools.tables import Format
from .options import database_option, format_option


@click.command()
@click.option("--experiment", metavar="ID", help="Only metrics of this experiment.")
@format_option
@database_option
def catalog(*, experiment: str | None, output: Format, database_url: str | None) -> None:
    """List every metric seen: its direction, its margin, who has a say, how to change it.

    A score that nobody declared is taken as higher-is-better; one whose name says otherwise
    has no direction until it is declared. The rows below the table declare what is not.

    \b
    Example:
      evalmart catalog
      evalmart catalog --experiment exp-2025-01-001
      evalmart catalog --format json
    """
    from ..marts import catalog as seen
    from ..show.render import for_people, render
    from ..warehouse.connection import connect

    with connect(database_url) as connection:
        table = seen.metrics_seen(connection, experiment)
    is_for_people = output in {Format.TABLE, Format.MARKDOWN}
    render(
        seen.for_people(table) if is_for_people else table,
        output,
        sys.stdout,
        empty="No metric yet: nothing is loaded, or the marts are not built.",
    )
    if is_for_people and table.rows:
        lines = seen.changes(table)
        fence = ["```"] if output is Format.MARKDOWN else []
        for_people(sys.stdout).writelines(f"{line}\n" for line in ("", *fence, *lines, *fence))
