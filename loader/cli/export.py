"""`export`: a mart as a file."""

from __future__ import annotations

from typing import Final

import click

from loader.cli.options import database_option
from loader.cli.say import say

_FORMATS: Final = ("csv", "json", "jsonl", "markdown", "parquet")


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--mart", metavar="NAME", help="Which mart; evaluation_results if not given.")
@click.option("--experiment", metavar="ID", help="Only this experiment's rows.")
@click.option("--agent", metavar="AGENT", help="Only this agent's rows.")
@click.option(
    "--days", metavar="N", type=click.IntRange(1, 1_000_000), help="Only the last N days."
)
@click.option(
    "--exact",
    is_flag=True,
    help="Leave texts in CSV as they are, also those that a spreadsheet takes for a formula.",
)
@click.option(
    "--format",
    "format",
    type=click.Choice(_FORMATS),
    help="Where PATH is - or tells none.",
)
@database_option
def export(  # noqa: PLR0913  one parameter per option
    path: str,
    *,
    mart: str | None,
    experiment: str | None,
    agent: str | None,
    days: int | None,
    exact: bool,
    format: str | None,  # noqa: A002  the option's name
    database_url: str | None,
) -> None:
    """Write a mart to PATH: .csv, .json, .jsonl, .md or .parquet; - is stdout.

    .gz behind the ending packs it. Rows are streamed, so memory stays small, and the file
    appears only when it is whole. A text that a spreadsheet would take for a formula (it begins
    with =, +, -, @, a tab or an end of line, or with apostrophes and one of these) has an
    apostrophe more in front in CSV.

    \b
    Example:
      python -m loader export results.csv.gz --agent feature_dev --days 30
      python -m loader export runs.jsonl --mart evaluation_trials --experiment exp-1
      python -m loader export - --mart version_trends | head
    """
    from loader.marts.export import DEFAULT_MART, Selection
    from loader.marts.export import export as write
    from loader.warehouse.connection import connect

    selection = Selection(mart or DEFAULT_MART, agent, days, is_exact=exact, experiment=experiment)
    with connect(database_url) as connection:
        count = write(connection, path, selection, format)
    say(f"{selection.mart}: {count:,} rows to {'stdout' if path == '-' else path}", err=True)
