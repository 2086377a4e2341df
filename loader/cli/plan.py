"""`plan`: how many tasks and repetitions, before any is run."""

from __future__ import annotations

import sys

import click

from ..tools.tables import Format
from .building import build_option
from .options import database_option, format_option
from .say import say


@click.command()
@click.option("--agent", metavar="A", required=True, help="Whose history tells how results vary.")
@click.option("--metric", metavar="M", required=True, help="The deciding metric: accuracy, …")
@click.option(
    "--detect",
    metavar="GAIN",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="The gain to see: of a score on 0 to 1, of a latency or a cost the share saved.",
)
@click.option(
    "--power",
    metavar="P",
    type=click.FloatRange(0.01, 0.99),
    default=0.8,
    show_default=True,
    help="The chance to see it.",
)
@click.option(
    "--budget-usd",
    metavar="USD",
    type=click.FloatRange(min=0, min_open=True),
    help="Also the design that sees most for this, both arms together.",
)
@click.option(
    "--segments",
    "segment_kind",
    type=click.Choice(["category", "split"]),
    help="Also for each of these parts of the tasks, by itself.",
)
@format_option
@database_option
@build_option
def plan(  # noqa: PLR0913  one parameter per option
    *,
    agent: str,
    metric: str,
    detect: float,
    power: float,
    budget_usd: float | None,
    segment_kind: str | None,
    output: Format,
    database_url: str | None,
) -> None:
    """Say how many tasks and repetitions would show a gain, and what they cost.

    How tasks and runs differ is measured in the agent's latest comparisons, and the chance is
    that the verdict is deploy: the gain is shown and every guardrail kept. Without a comparison
    defaults are assumed, and the notes say so. "tasks like these" takes new tasks; "these tasks"
    repeats those there are (policy inference: these_tasks).

    \b
    Example:
      evalmart plan --agent feature_dev --metric accuracy --detect 0.05
      evalmart plan --agent feature_dev --metric accuracy --detect 0.03 --budget-usd 50
      evalmart plan --agent feature_dev --metric latency --detect 0.1 --segments category
    """
    from ..planning import plan as planning
    from ..show.render import render
    from ..show.sparkline import sparkline
    from ..warehouse.connection import connect

    asked = planning.Asked(agent, metric, detect, power, budget_usd, segment_kind)
    with connect(database_url) as connection:
        made = planning.make(connection, asked)
    render(made.table(), output, sys.stdout)
    if output in {Format.TABLE, Format.MARKDOWN}:
        (first, least), (last, most) = made.curve[0], made.curve[-1]
        say()
        say(
            f"chance by tasks, one run of each: {first:,} ({least:.0%}) "
            f"{sparkline([chance for _, chance in made.curve])} {last:,} ({most:.0%})"
        )
    for note in made.notes:
        say(note, err=True)
