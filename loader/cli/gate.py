"""Commands around the verdict: gate, replay, calibrate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..tools.tables import Format
from .building import build_option
from .options import database_option, format_option, wide_option
from .progress import progress
from .say import say

if TYPE_CHECKING:
    from datetime import datetime

_INCONCLUSIVE = 5


@click.command()
@click.option("--experiment", metavar="ID", help="The experiment to judge.")
@click.option(
    "--agent",
    metavar="A",
    help="Judge an agent's tasks: of --experiment, else of its latest one, with its regressions …",
)
@click.option(
    "--candidate-version",
    "--extension-version",
    "version",
    metavar="V",
    help="… at this version, else its latest. With --experiment: only this candidate version.",
)
@click.option("--candidate-group", "group", metavar="G", help="Only candidates of this group.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What the candidate must show; else the team's policy.yml, or the project's default.",
)
@click.option(
    "--floor",
    "floors",
    metavar="METRIC=BAR",
    multiple=True,
    help="A bar that the mean of this metric (or of an evaluator's key) must clear by itself, "
    "beside the policy's floors; repeatable. Of a score, on 0 to 1.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice([Format.TABLE.value, Format.JSON.value, Format.MARKDOWN.value]),
    default=Format.TABLE.value,
    show_default=True,
    callback=lambda _context, _option, value: Format(value),
    help="A page for people, json for programs, markdown for a pull request.",
)
@database_option
@build_option
@click.pass_context
def gate(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    experiment: str | None,
    agent: str | None,
    version: str | None,
    group: str | None,
    policy_file: Path | None,
    floors: tuple[str, ...],
    output: Format,
    database_url: str | None,
) -> None:
    """Decide whether a candidate may ship; the exit code says it to a pipeline.

    Exit codes: 0 pass, 1 blocked, 5 inconclusive (unless the policy says otherwise) or no
    candidate's result to judge. Every verdict is recorded: looking again until it is green
    stays visible. The role needs to read the marts and to append to the ledger, no more.

    With --agent the verdict is on the tasks of that agent alone, and without --experiment its
    version is also held against the one before it: a regression that is serious enough by the
    policy blocks. Without an experiment that compares it with a baseline, that alone decides.

    Without a baseline floors decide: 0 where the mean is proven above, 1 where it is proven
    below (95 %), 5 between (1 with `inconclusive: block` in the policy).

    \b
    Example:
      evalmart gate --experiment exp-2025-01-001
      evalmart gate --experiment exp-2025-01-001 --format markdown >> comment.md
      evalmart gate --agent feature_dev --extension-version 1.2.3
      evalmart gate --experiment exp-2025-01-001 --agent feature_dev
      evalmart gate --experiment exp-2025-01-001 --floor accuracy=0.8 --floor latency=2000
    """
    from ..gate import judge
    from ..gate.floors import with_floors
    from ..gate.page import render_answers
    from ..gate.policy_file import read_policy
    from ..warehouse.connection import connect
    from ..warehouse.seeds import read_vocabulary

    if experiment is None and agent is None:
        raise click.UsageError("give --experiment, --agent, or both")
    policy = read_policy(policy_file)
    if floors:
        policy = with_floors(policy, floors, read_vocabulary().scales)
    asked = judge.Asked(experiment, agent, group, version)
    with connect(database_url) as connection:
        judgement = judge.judge(connection, policy, asked)
    render_answers(judgement.answers, output, sys.stdout)
    for answer in judgement.answers:
        for warning in answer.warnings:
            say(f"warning: {warning}", err=True)
    for notice in judgement.notices:
        say(notice, err=True)
    ctx.exit(judgement.exit_code)


@click.command()
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="Only verdicts since then (UTC unless the time names a zone).",
)
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Judge them by this policy, not by the one of each.",
)
@click.option(
    "--judge-bias",
    "biases",
    metavar="METRIC=X",
    multiple=True,
    help="Take the judge of a score to favour candidates by X, of 0 to 1; may be repeated.",
)
@format_option
@wide_option
@database_option
@click.pass_context
def replay(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    since: datetime | None,
    policy_file: Path | None,
    biases: tuple[str, ...],
    output: Format,
    wide: bool,
    database_url: str | None,
) -> None:
    """List past verdicts that would be others today, and what changed: scores, seeds, rule.

    Each recorded verdict is asked for again with the policy it was made by, on the marts as
    they are now; with --policy by another one, to see what it would have decided; with
    --judge-bias as if that judge were so much kinder to candidates than to baselines. Nothing is
    recorded. Exit codes: 0 none would change, 5 some would: a person has to look.

    \b
    Example:
      evalmart replay --since 2025-01-01
      evalmart replay --policy policies/stricter.yml
      evalmart replay --judge-bias accuracy=0.08
    """
    from datetime import UTC

    from ..gate.judges import read_biases
    from ..gate.policy_file import read_policy
    from ..gate.replay import replay as replay_decisions
    from ..show.render import render
    from ..warehouse.connection import connect
    from ..warehouse.migrate import require_current

    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    with connect(database_url) as connection:
        require_current(connection)
        connection.commit()
        found = replay_decisions(
            connection,
            since,
            None if policy_file is None else read_policy(policy_file),
            read_biases(biases),
        )
    render(found.changed, output, sys.stdout, empty="No verdict would change.", wide=wide)
    changed = len(found.changed.rows)
    say(f"{changed:,} of {found.decisions:,} verdicts would change", err=True)
    ctx.exit(_INCONCLUSIVE if changed else 0)


@click.command()
@click.option("--experiment", metavar="ID", required=True, help="An experiment with repetitions.")
@click.option(
    "--splits",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    default=1_000,
    show_default=True,
    help="How often the runs are dealt into two halves.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**62),
    default=1,
    show_default=True,
    help="Decides how they are dealt; the same seed deals the same.",
)
@click.option(
    "--alpha",
    metavar="A",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="The level of the test.",
)
@format_option
@database_option
@click.pass_context
def calibrate(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    experiment: str,
    splits: int,
    seed: int,
    alpha: float,
    output: Format,
    database_url: str | None,
) -> None:
    """Measure how often the test calls a difference where there is none.

    The runs of each task by one version are dealt at random into two halves, which the marts'
    own test compares. The result is kept; `gate` warns when false alarms are above the level.
    Exit code 5 when no task has two runs by one version: then nothing can be said.

    \b
    Example:
      evalmart calibrate --experiment nightly-repetitions --splits 1000 --seed 1
    """
    from ..gate.calibration import calibrate as run_calibration
    from ..show.render import render
    from ..warehouse.connection import connect
    from ..warehouse.migrate import require_current

    with connect(database_url) as connection, progress("dealing", splits) as advance:

        def show(done: int) -> None:
            advance(done, f"{done:,} of {splits:,} splits")

        require_current(connection)
        connection.commit()
        found = run_calibration(
            connection,
            experiment,
            splits=splits,
            seed=seed,
            alpha=alpha,
            progress=show,
        )
    if found is None:
        say(
            f"no task of {experiment} has values of two runs by one version: repeat the tasks, "
            "ingest and build, then calibrate again",
            err=True,
        )
        ctx.exit(_INCONCLUSIVE)
    render(found.table, output, sys.stdout)
    if found.exceeding:
        say(
            f"warning: {found.exceeding} of {len(found.table.rows)} arms and metrics have more "
            f"false alarms than {100 * alpha:g} %",
            err=True,
        )
