"""`run` and `compare-models`: tasks through a baseline or a candidate, into raw."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from .environment import from_environment, say_environment, takes_environment
from .options import database_option
from .run_options import (
    INTERRUPTED,
    ChatOptions,
    TargetOptions,
    exit_code,
    last_word,
    make_settings,
    make_target,
    run_options,
    run_progress,
    target_options,
)
from .say import say, say_json
from .task_options import given_tasks, task_options

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import TypeVar

    T = TypeVar("T")


@takes_environment
@click.command()
@task_options
@click.option("--experiment-id", required=True, metavar="ID", help="Experiment of every run.")
@click.option("--experiment-group", required=True, metavar="GROUP", help="baseline, code-chef, …")
@click.option(
    "--extension-version", required=True, metavar="VERSION", help="Version of what is evaluated."
)
@target_options("", "What runs")
@target_options("baseline-", "The baseline, run in turn")
@click.option("--baseline-group", metavar="GROUP", help="Group of the baseline; else the first.")
@click.option("--baseline-version", metavar="VERSION", help="Its version; else the same.")
@click.option("--baseline-experiment", metavar="ID", help="Experiment to compare with.")
@run_options
@database_option
def run(  # noqa: PLR0913, PLR0917  one parameter per option
    experiment_id: str,
    experiment_group: str,
    extension_version: str,
    baseline_group: str | None,
    baseline_version: str | None,
    baseline_experiment: str | None,
    database_url: str | None,
    **options: Any,  # noqa: ANN401  those of run_options and target_options
) -> None:
    """Run tasks through a function, a command or a model; time, score and record them.

    A second run of the same command makes only the runs that are missing. With a baseline
    of its own, both arms take turns. Exit code 3: every answer failed, or an evaluator gave no
    score of any; 5: stopped at --max-cost-usd; 130: Ctrl-C.

    \b
    Example:
      evalmart run --tasks tasks.jsonl --experiment-id exp-7 \\
        --experiment-group baseline --extension-version 1.2.3 \\
        --endpoint http://localhost:8000/v1 --model qwen-coder-32b \\
        --evaluator evalmart.evaluators:exact_match
      evalmart run --langsmith-dataset scenarios --split test --experiment-id exp-7 \\
        --experiment-group code-chef --extension-version 1.2.3 --target agent:answer \\
        --evaluator judges:tone
    """
    from ..runner.arms import Arm
    from ..runner.session import run_missing
    from ..runner.stopping import Question
    from ..warehouse.seeds import default_groups

    say_environment(from_environment())
    group = baseline_group or default_groups()[0]
    arms = [Arm(_target("", options), experiment_group, extension_version)]
    if _named("baseline_", options).is_given:
        if baseline_experiment:
            raise ConfigurationError("give a baseline to run or --baseline-experiment, not both")
        baseline = _target("baseline_", options)
        arms.insert(0, Arm(baseline, group, baseline_version or extension_version))
    if len({arm.group for arm in arms}) < len(arms):
        raise ConfigurationError(f"both arms are of the group {group}; name two groups")
    question = Question(
        experiment_id=experiment_id,
        baseline_experiment_id=baseline_experiment or experiment_id,
        baseline_group=group,
        candidate=arms[-1],
        database_url=database_url,
    )
    tasks, version = given_tasks(options)
    with run_progress() as show:
        outcome = _wait(
            run_missing(
                arms,
                tasks,
                options["evaluators"],
                make_settings(experiment_id, baseline_experiment, options, version),
                database_url=database_url,
                trace=options["trace"],
                stop_when_decided=question if options["stop_when_decided"] else None,
                look_every=options["look_every"],
                on_progress=show,
            )
        )
    say(last_word(outcome, options["max_cost_usd"]))
    sys.exit(exit_code(outcome))


@takes_environment
@click.command("compare-models")
@task_options
@click.option("--experiment-id", required=True, metavar="ID", help="Experiment of every run.")
@click.option(
    "--extension-version",
    default="unversioned",
    show_default=True,
    metavar="VERSION",
    help="Version of the candidate.",
)
@target_options("", "The candidate")
@target_options("baseline-", "The baseline")
@click.option("--baseline-group", metavar="GROUP", help="The control group; else the first.")
@click.option("--candidate-group", metavar="GROUP", help="The treatment group; else the first.")
@click.option(
    "--baseline-version",
    default="unversioned",
    show_default=True,
    metavar="VERSION",
    help="Version of the baseline.",
)
@click.option(
    "--baseline-experiment", metavar="ID", help="Use the baseline of this experiment; none is run."
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="For people, or every number.",
)
@run_options
@database_option
def compare_models(  # noqa: PLR0913, PLR0917  one parameter per option
    experiment_id: str,
    baseline_group: str | None,
    candidate_group: str | None,
    baseline_version: str,
    extension_version: str,
    baseline_experiment: str | None,
    output: str,
    database_url: str | None,
    **options: Any,  # noqa: ANN401  those of run_options and target_options
) -> None:
    """Run what is missing of either arm, build, and print the verdict of the marts.

    A baseline that the warehouse has is used, not run again.

    \b
    Example:
      evalmart compare-models --tasks tasks.jsonl --experiment-id exp-8 \\
        --baseline-endpoint http://localhost:8000/v1 --baseline-model qwen-coder-32b \\
        --endpoint http://localhost:8000/v1 --model qwen-coder-72b \\
        --evaluator evalmart.evaluators:exact_match
    """
    from ..runner.comparison import compare_models_async

    say_environment(from_environment())
    has_baseline = _named("baseline_", options).is_given
    tasks, version = given_tasks(options)
    with run_progress() as show:
        comparison = _wait(
            compare_models_async(
                candidate=_target("", options),
                tasks=tasks,
                evaluators=options["evaluators"],
                experiment_id=experiment_id,
                baseline=_target("baseline_", options) if has_baseline else None,
                baseline_experiment_id=baseline_experiment,
                baseline_group=baseline_group,
                candidate_group=candidate_group,
                baseline_version=baseline_version,
                extension_version=extension_version,
                settings=make_settings(experiment_id, baseline_experiment, options, version),
                stop_when_decided=options["stop_when_decided"],
                look_every=options["look_every"],
                trace=options["trace"],
                database_url=database_url,
                on_progress=show,
            )
        )
    say(last_word(comparison.outcome, options["max_cost_usd"]), err=True)
    if output == "json":
        say_json(comparison)
    else:
        click.echo(comparison.to_markdown(), nl=False)
    sys.exit(exit_code(comparison.outcome))


def _named(prefix: str, options: dict[str, Any]) -> TargetOptions:
    names = ("target", "command", "endpoint", "model", "api_key_env")
    return TargetOptions(*(options[prefix + name] for name in names))


def _target(prefix: str, options: dict[str, Any]) -> Any:  # noqa: ANN401  a Target; not imported
    chat = ChatOptions(
        options["system_prompt"], options["max_tokens"], options["parameters"], options["attempts"]
    )
    return make_target(
        _named(prefix, options), chat, needs_bound=options["max_cost_usd"] is not None
    )


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; SIGTERM ends it in good order, as Ctrl-C does."""
    # every retry would be a line; what comes of them stands in the record
    logging.getLogger("stamina").setLevel(logging.ERROR)

    async def until_told() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    try:
        return asyncio.run(until_told())
    except asyncio.CancelledError:
        say("interrupted; to make the runs that are missing, run it again", err=True)
        sys.exit(INTERRUPTED)
