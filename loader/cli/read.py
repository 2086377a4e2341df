"""Commands that read: summary, compare, trend, recent, experiments, regressions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..tools.tables import Format
from .building import build_option
from .options import as_of_option, database_option, format_option, wide_option
from .say import say

if TYPE_CHECKING:
    from datetime import datetime

# The marts that tell a verdict and what stands beside it.
_VERDICT = (
    "experiment_summaries",
    "experiment_metric_comparisons",
    "experiment_segment_verdicts",
    "evaluation_comparison_view",
    "arm_summaries",
    "pass_curves",
    "set_aside_scores",
    "category_counts",
    "summary_scores",
    "experiment_task_comparisons",
)


@click.command()
@click.option("--experiment", metavar="ID", required=True, help="The experiment.")
@as_of_option
@format_option
@database_option
@build_option
def summary(
    *, experiment: str, as_of: datetime | None, output: Format, database_url: str | None
) -> None:
    """Say whether the candidate of an experiment is better than its baseline.

    \b
    Example:
      evalmart summary --experiment exp-2025-01-001
      evalmart summary --experiment exp-2025-01-001 --format json
      evalmart summary --experiment exp-2025-01-001 --as-of 2025-02-01
    """
    from ..marts import beside, evidence, questions
    from ..marts.as_of import believed
    from ..marts.reading import reading
    from ..show.summary_page import Answer, render_summary
    from ..warehouse.connection import connect

    with (
        believed(as_of, _VERDICT, database_url, experiment=experiment),
        connect(database_url) as connection,
        reading(connection, [experiment]),
    ):
        table = questions.summary(connection, experiment)
        records = table.records()
        linked = {str(row["baseline_experiment_id"] or experiment) for row in records}
        answer = Answer(
            experiment,
            table,
            questions.metrics(connection, experiment),
            evidence.segment_verdicts(connection, experiment).records(),
            evidence.arms(connection, sorted(linked | {experiment})),
            [evidence.examples(connection, row) for row in records],
            evidence.without_candidate(experiment),
            evidence.set_aside(connection, linked | {experiment}),
            beside.of_candidates(connection, records)
            or [beside.of_experiment(connection, experiment)],
        )
    render_summary(answer, output, sys.stdout)


@click.command()
@click.option("--experiment", metavar="ID", required=True, help="The experiment.")
@click.option("--task", metavar="ID", help="Only this task.")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="At most N tasks.")
@as_of_option
@format_option
@wide_option
@database_option
def compare(  # noqa: PLR0913  one parameter per option
    *,
    experiment: str,
    task: str | None,
    limit: int | None,
    as_of: datetime | None,
    output: Format,
    wide: bool,
    database_url: str | None,
) -> None:
    """Compare baseline and candidate task by task, the worst losses first.

    For people the verdict, its reasons and every metric stand above the tasks; json and csv
    hold the tasks only.

    \b
    Example:
      evalmart compare --experiment exp-2025-01-001 --limit 10
      evalmart compare --experiment exp-2025-01-001 --task checkout-api/fix-race-in-retry
      evalmart compare --experiment exp-2025-01-001 --format csv > tasks.csv
    """
    from ..marts import beside, evidence, questions
    from ..marts.as_of import believed
    from ..marts.reading import reading
    from ..show import views
    from ..show.metric_page import metric_table
    from ..show.render import render
    from ..show.summary_page import beside_candidates, brief
    from ..warehouse.connection import connect

    with (
        believed(as_of, _VERDICT, database_url, experiment=experiment),
        connect(database_url) as connection,
        reading(connection, [experiment]),
    ):
        table = questions.comparison(connection, experiment, task, limit)
        summaries = questions.summary(connection, experiment)
        metrics = questions.metrics(connection, experiment)
        linked = {str(row["baseline_experiment_id"] or experiment) for row in summaries.records()}
        set_aside = evidence.set_aside(connection, linked | {experiment})
        shown = beside.of_candidates(connection, summaries.records())
    if task is None and output in {Format.TABLE, Format.MARKDOWN} and metrics.rows:
        brief(summaries, set_aside, output, sys.stdout)
        render(metric_table(metrics), output, sys.stdout, wide=wide)
        beside_candidates(summaries, shown, output, sys.stdout)
        say()
    view = views.comparison if task is None else views.one_task
    render(
        view(table, output),
        output,
        sys.stdout,
        empty=f"{experiment} has no task with a candidate's result.",
        wide=wide if task is None else None,
    )


@click.command()
@click.option("--agent", metavar="AGENT", required=True, help="The agent.")
@click.option("--metric", metavar="METRIC", required=True, help="accuracy, latency, …")
@click.option("--group", metavar="GROUP", help="Only this experiment group.")
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    help="Only versions recorded in the last N days.",
)
@as_of_option
@format_option
@wide_option
@database_option
def trend(  # noqa: PLR0913  one parameter per option
    *,
    agent: str,
    metric: str,
    group: str | None,
    days: int | None,
    as_of: datetime | None,
    output: Format,
    wide: bool,
    database_url: str | None,
) -> None:
    """Show one metric of an agent, version by version.

    The change is against the version before, over the tasks that both have where they share
    enough of them; positive is better.

    \b
    Example:
      evalmart trend --agent feature_dev --metric accuracy --group code-chef
    """
    from ..marts import questions
    from ..marts.as_of import believed
    from ..marts.reading import reading
    from ..show import views
    from ..show.render import for_people, render, sentences
    from ..warehouse.connection import connect

    with (
        believed(as_of, ["version_trends"], database_url, agent=agent),
        connect(database_url) as connection,
        reading(connection),
    ):
        metric = questions.metric_meant(connection, agent, metric)
        table = questions.trend(connection, agent, metric, group, days)
    if output is Format.TABLE:
        drawn = views.sparklines(table)
        sentences([*drawn, ""] if drawn else [], for_people(sys.stdout))
    render(
        views.trend(table, metric, output),
        output,
        sys.stdout,
        empty=f"No version of {agent} with {metric} passes the filters.",
        wide=wide,
    )
    if output is Format.TABLE:
        told = views.misleading_means(table)
        sentences(["", *told] if told else [], for_people(sys.stdout))


@click.command()
@click.option("--agent", metavar="AGENT", help="Only this agent.")
@click.option("--group", metavar="GROUP", help="Only this experiment group.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most N results.",
)
@format_option
@database_option
def recent(
    *, agent: str | None, group: str | None, limit: int, output: Format, database_url: str | None
) -> None:
    """List the latest results, newest first.

    \b
    Example:
      evalmart recent --agent feature_dev --limit 5
    """
    from ..marts import questions
    from ..show import views
    from ..show.render import render
    from ..warehouse.connection import connect

    with connect(database_url) as connection:
        table = questions.recent(connection, agent, group, limit)
    render(views.recent(table, output), output, sys.stdout, empty="No result yet.")


@click.command()
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), help="At most N candidates; else all."
)
@format_option
@wide_option
@database_option
def experiments(*, limit: int | None, output: Format, wide: bool, database_url: str | None) -> None:
    """List every experiment, the latest first.

    \b
    Example:
      evalmart experiments --limit 20
      evalmart experiments --format csv
    """
    from ..marts import questions
    from ..show import views
    from ..show.render import render
    from ..warehouse.connection import connect

    with connect(database_url) as connection:
        table = questions.experiments(connection, limit)
    render(
        views.experiments(table, output),
        output,
        sys.stdout,
        empty="No experiment yet.",
        wide=wide,
    )


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
    accepted_changes.csv. Exit codes: 0 none is open, 5 some are: a person has to look.

    \b
    Example:
      evalmart regressions --agent feature_dev
      evalmart regressions --agent feature_dev --since 1.4.0 --tasks
    """
    from ..marts import regressions as reader
    from ..marts.reading import reading
    from ..show import views
    from ..show.render import render
    from ..warehouse.connection import connect

    with connect(database_url) as connection, reading(connection):
        alerts = reader.alerts(connection, agent, since)
        worse = reader.tasks(connection, agent, since) if tasks else None
    if worse is None:
        render(views.alerts_view(alerts, output), output, sys.stdout, empty="No alert.")
    else:
        render(views.tasks_view(worse, output), output, sys.stdout, empty="No task got worse.")
    open_alerts = sum(bool(is_open) for is_open in alerts.values("is_open"))
    if open_alerts:
        verb = "alert is" if open_alerts == 1 else "alerts are"
        say(f"{open_alerts:,} {verb} open", err=True)
    ctx.exit(_A_PERSON_HAS_TO_LOOK if open_alerts else 0)
