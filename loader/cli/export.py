"""`export`: a mart as a file."""

from __future__ import annotations

import click

from loader.cli.options import database_option
from loader.cli.say import say


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--mart", metavar="NAME", help="Which mart; evaluation_results if not given.")
@click.option("--agent", metavar="AGENT", help="Only this agent's rows.")
@click.option(
    "--days", metavar="N", type=click.IntRange(1, 1_000_000), help="Only the last N days."
)
@click.option(
    "--exact",
    is_flag=True,
    help="Leave texts in CSV as they are, also those that a spreadsheet takes for a formula.",
)
@database_option
def export(  # noqa: PLR0913  one parameter per option
    path: str,
    *,
    mart: str | None,
    agent: str | None,
    days: int | None,
    exact: bool,
    database_url: str | None,
) -> None:
    """Write a mart to PATH: .csv, .csv.gz or .parquet; - is CSV on stdout.

    Rows are streamed, so memory stays small, and the file appears only when it is whole.
    A text that a spreadsheet would take for a formula (it begins with =, +, -, @, a tab or an
    end of line, or with apostrophes and one of these) has an apostrophe more in front in CSV.

    \b
    Example:
      python -m loader export results.csv.gz --agent feature_dev --days 30
      python -m loader export - --mart version_trends | head
    """
    from loader.marts.export import DEFAULT_MART, Selection
    from loader.marts.export import export as write
    from loader.warehouse.connection import connect

    selection = Selection(mart or DEFAULT_MART, agent, days, is_exact=exact)
    with connect(database_url) as connection:
        count = write(connection, path, selection)
    say(f"{selection.mart}: {count:,} rows to {'stdout' if path == '-' else path}", err=True)
