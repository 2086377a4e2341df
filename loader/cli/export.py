"""`export`: a mart as a file."""

from __future__ import annotations

from typing import Final

import click

from ..errors import ConfigurationError
from ..tools.counts import counted
from .options import database_option
from .say import say

_FORMATS: Final = ("csv", "json", "jsonl", "markdown", "parquet")
_LEAVING: Final = ("every-eval-ever", "openai-evals", "inspect-score-edits")


@click.command()
@click.argument("path", type=click.Path(allow_dash=True))
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
    type=click.Choice([*_FORMATS, *_LEAVING]),
    help="Where PATH is - or tells none; or a form that another tool reads.",
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

    every-eval-ever and openai-evals write the runs of an --experiment into a new folder PATH, a
    file for each arm; inspect-score-edits what people said of runs that came from Inspect.

    \b
    Example:
      evalmart export results.csv.gz --agent feature_dev --days 30
      evalmart export runs.jsonl --mart evaluation_trials --experiment exp-1
      evalmart export - --mart version_trends | head
      evalmart export out --experiment exp-1 --format every-eval-ever
    """
    from ..marts.export import DEFAULT_MART, Selection
    from ..marts.export import export as write
    from ..warehouse.connection import connect

    if format in _LEAVING:
        _leave(path, format, experiment, mart or agent or days or exact, database_url)
        return
    selection = Selection(mart or DEFAULT_MART, agent, days, is_exact=exact, experiment=experiment)
    with connect(database_url) as connection:
        count = write(connection, path, selection, format)
    say(f"{selection.mart}: {count:,} rows to {'stdout' if path == '-' else path}", err=True)


def _leave(
    path: str, form: str, experiment: str | None, of_marts: object, database_url: str | None
) -> None:
    from ..marts.leaving.export import leave
    from ..warehouse.connection import connect

    if of_marts:
        raise ConfigurationError(
            f"{form} is of runs: leave out --mart, --agent, --days and --exact"
        )
    if experiment is None:
        raise ConfigurationError(f"{form} is of one experiment: say --experiment ID")
    with connect(database_url) as connection:
        left = leave(connection, path, experiment, form)
    for note in left.notes:
        say(f"note: {note}", err=True)
    told = counted(left.number, left.of)
    say(f"{experiment}: {told} to {'stdout' if path == '-' else path}", err=True)
