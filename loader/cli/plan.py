"""`plan`: how many tasks and repetitions, before any is run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..tools.files import cannot_write, whole_file
from ..tools.tables import Format
from .building import build_option
from .options import database_option, format_option
from .progress import progress
from .say import say

if TYPE_CHECKING:
    from ..planning import plan as planning
    from ..planning.planted import Asked


@click.command()
@click.option("--agent", metavar="A", required=True, help="Whose history tells how results vary.")
@click.option("--metric", metavar="M", required=True, help="The deciding metric: accuracy, …")
@click.option(
    "--detect",
    metavar="GAIN",
    type=click.FloatRange(min=0, min_open=True),
    help="The gain to see: of a score on 0 to 1, of a latency or a cost the share saved. "
    "With --planted one more loss to plant.",
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
@click.option(
    "--metric-kind",
    type=click.Choice(["binary", "ordinal", "continuous"]),
    help="What the score is like where the agent has no comparison, or no result at all yet.",
)
@click.option(
    "--svg",
    "svg_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also the curve as a picture, a line for each repetition.",
)
@click.option(
    "--planted",
    is_flag=True,
    help="Try the gate on losses planted in the agent's own results.",
)
@click.option(
    "--experiment",
    metavar="ID",
    help="With --planted: whose results; else the agent's latest comparison.",
)
@click.option(
    "--trials",
    metavar="N",
    type=click.IntRange(10, 100_000),
    help="With --planted: how often each loss is tried.  [default: 200]",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**62),
    help="With --planted: decides what is drawn; the same seed draws the same.  [default: 1]",
)
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --planted: whose settings the rule has; else the team's or the project's.",
)
@format_option
@database_option
@build_option
def plan(  # noqa: PLR0913  one parameter per option
    *,
    agent: str,
    metric: str,
    detect: float | None,
    power: float,
    budget_usd: float | None,
    segment_kind: str | None,
    metric_kind: str | None,
    svg_file: Path | None,
    planted: bool,
    experiment: str | None,
    trials: int | None,
    seed: int | None,
    policy_file: Path | None,
    output: Format,
    database_url: str | None,
) -> None:
    """Say how many tasks and repetitions would show a gain, and what they cost.

    How tasks and runs differ is measured in the agent's latest comparisons, and the chance is
    that the verdict is deploy: the gain is shown and every guardrail kept. Without a comparison
    defaults are assumed (--metric-kind says which), and the notes say so. "tasks like these"
    takes new tasks; "these tasks" repeats those there are (policy inference: these_tasks).

    With --planted the gate is tried on the agent's own results: tasks are drawn from its latest
    comparison, in each the arms change places by the toss of a coin, and losses are planted in
    what is then the candidate's. The rule says of each trial whether it sees the loss.

    \b
    Example:
      evalmart plan --agent feature_dev --metric accuracy --detect 0.05
      evalmart plan --agent feature_dev --metric accuracy --detect 0.03 --budget-usd 50
      evalmart plan --agent feature_dev --metric latency --detect 0.1 --segments category
      evalmart plan --agent new_agent --metric accuracy --detect 0.05 --metric-kind binary
      evalmart plan --agent feature_dev --metric accuracy --detect 0.05 --svg curve.svg
      evalmart plan --agent feature_dev --metric accuracy --planted
    """
    if planted:
        if (budget_usd, segment_kind, metric_kind, svg_file) != (None,) * 4:
            raise click.UsageError(
                "--budget-usd, --segments, --metric-kind and --svg do not go with --planted"
            )
        from ..planning.planted import TRIALS
        from ..planning.planted import Asked as Tried

        tried = Tried(
            agent, metric, detect, experiment, trials or TRIALS, 1 if seed is None else seed
        )
        _try_losses(tried, policy_file, output, database_url)
        return
    if (experiment, trials, seed, policy_file) != (None, None, None, None):
        raise click.UsageError("--experiment, --trials, --seed and --policy go with --planted")
    if detect is None:
        raise click.UsageError("Missing option '--detect'.")
    from ..planning import plan as planning
    from ..show.render import render
    from ..show.sparkline import sparkline
    from ..warehouse.connection import connect

    asked = planning.Asked(agent, metric, detect, power, budget_usd, segment_kind, metric_kind)
    with connect(database_url) as connection:
        made = planning.make(connection, asked, drawn=svg_file is not None)
    if svg_file is not None:
        _draw(made, asked, svg_file)
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


def _draw(made: planning.Plan, asked: planning.Asked, path: Path) -> None:
    """Write the curves of a plan as a picture."""
    from ..report.power import power, standalone

    told = ", ".join(
        f"{tasks:,} tasks of {count} {'run' if count == 1 else 'runs'} each"
        for count, tasks in made.needed().items()
    )
    chart = power(
        made.curves,
        made.needed(),
        asked.power,
        f"The chance to see {asked.detect:g} of {asked.metric} by the number of tasks; "
        f"{asked.power:.0%} is reached by {told or 'no number of tasks'}.",
    )
    try:
        with whole_file(path) as file:
            name = f"How many tasks {asked.agent} needs"
            file.write(standalone(chart, name).encode("utf-8", "replace"))
    except OSError as error:
        raise cannot_write(path, error) from error


def _try_losses(
    asked: Asked, policy_file: Path | None, output: Format, database_url: str | None
) -> None:
    """Print what the gate sees of losses planted in an agent's results."""
    from ..gate.policy_file import read_policy
    from ..planning import planted
    from ..show.render import render
    from ..warehouse.connection import connect

    settings = read_policy(policy_file).settings()
    with connect(database_url) as connection, progress("trying", asked.trials) as advance:
        made = planted.make(
            connection,
            asked,
            settings,
            lambda done: advance(done, f"{done:,} of {asked.trials:,} trials"),
        )
    render(made.table(), output, sys.stdout)
    if output in {Format.TABLE, Format.MARKDOWN}:
        say()
        for sentence in made.sentences:
            say(sentence)
    for note in made.notes:
        say(note, err=True)
