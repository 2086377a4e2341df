"""`declare`: metrics, groups, evaluators' keys and quarantined tasks in the team's folder."""

from __future__ import annotations

import click

from .say import say


@click.group()
def declare() -> None:
    """Write a metric, a group, an evaluator's key or a quarantined task into the team's folder.

    The folder is evalmart/, found from the working directory upwards or by EVALMART_CONFIG; it
    is made where there is none. Comments, order and every other row of its files stay. What is
    declared already is updated, and what changed is said; the next build takes it.

    \b
    Example:
      evalmart declare metric toxicity --direction lower --margin 0.02
      evalmart declare group control_v3 --role control
      evalmart declare evaluator judge_1_to_5 --metric helpfulness --scale 1:5
      evalmart declare quarantine checkout-7 --reason "times out in staging"
    """


@declare.command()
@click.argument("name")
@click.option("--direction", metavar="WAY", help="Which way is better: higher or lower.")
@click.option(
    "--margin",
    metavar="X",
    help="Largest acceptable loss: points of 0…1 for a score, else a share of it.",
)
@click.option("--scale", metavar="LOW:HIGH", help="Scale of the scores of that key, such as 1:5.")
@click.option("--kind", metavar="KIND", help="score, latency, tokens, cost or measurement.")
@click.option(
    "--weight", metavar="X", help="Its share in the sum of all metrics, in margins; 0: none."
)
@click.option("--tie-margin", metavar="X", help="Largest difference of a task that is still a tie.")
@click.option("--unit", metavar="UNIT", help="Unit of its values, for display.")
@click.option("--position", metavar="N", help="Place in the order of preference; else the last.")
@click.option("--description", metavar="TEXT", help="What it says, in words.")
def metric(name: str, margin: str | None, scale: str | None, **asked: str | None) -> None:
    """Declare a metric: direction, margin, weight, scale.

    latency, tokens and cost mean latency_ms, tokens_used and cost_usd. What is not given stays,
    or for a new metric is: a score of which higher is better, margin 0.05, weight 0.

    \b
    Example:
      evalmart declare metric helpfulness --scale 1:5 --margin 0.05
      evalmart declare metric retries --kind measurement --direction lower
      evalmart declare metric latency --margin 0.1
    """
    from ..team.declare import declare_metric  # keep --help quick

    _say(declare_metric(name, _given({**asked, "non_inferiority_margin": margin}), scale))


@declare.command()
@click.argument("name")
@click.option("--role", metavar="ROLE", help="control or treatment.")
@click.option("--description", metavar="TEXT", help="What it stands for, in words.")
def group(name: str, **asked: str | None) -> None:
    """Declare a group that records may belong to, and its role.

    \b
    Example:
      evalmart declare group control_v3 --role control
    """
    from ..team.declare import declare_group  # keep --help quick

    _say(declare_group(name, _given(asked)))


@declare.command()
@click.argument("key")
@click.option("--metric", metavar="METRIC", help="Metric it counts for; else one of its own.")
@click.option("--scale", metavar="LOW:HIGH", help="Scale it grades on, such as 1:5; else 0:1.")
def evaluator(key: str, metric: str | None, scale: str | None) -> None:
    """Declare the metric and the scale of an evaluator's key.

    \b
    Example:
      evalmart declare evaluator judge_1_to_5 --metric helpfulness --scale 1:5
    """
    from ..team.declare import declare_evaluator  # keep --help quick

    _say(declare_evaluator(key, metric, scale))


@declare.command()
@click.argument("task")
@click.option("--reason", metavar="TEXT", help="Why, in words; needed of a new entry.")
@click.option("--agent", metavar="AGENT", default="*", help="Only results of this agent.")
@click.option(
    "--until",
    metavar="DATE",
    help="Last day (UTC) of results that are left out, as 2026-01-31; what comes later counts.",
)
def quarantine(task: str, agent: str, **asked: str | None) -> None:
    """Leave a task out of verdicts, and have them say so, until it is mended.

    Its results are loaded, compared and shown as before; a verdict counts them apart. One that
    its records call critical can be left out, but then nothing is deployed without a person. An
    entry ends by its date, or when its line is taken out of quarantine.csv.

    \b
    Example:
      evalmart declare quarantine checkout-7 --reason "times out in staging"
      evalmart declare quarantine checkout-7 --until 2026-02-28
      evalmart declare quarantine refund-3 --agent billing --reason "reference answer is wrong"
    """
    from ..team.declare import declare_quarantine  # keep --help quick

    _say(declare_quarantine(task, agent, _given(asked)))


def _given(asked: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value is not None}


def _say(lines: list[str]) -> None:
    for line in lines:
        say(line)
