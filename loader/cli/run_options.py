"""What `run` and `compare-models` have in common: options, progress, the last word."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError
from .progress import progress
from .say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..evaluators.tally import Failures
    from ..runner.arms import Settings
    from ..runner.outcome import Outcome
    from ..runner.targets import Target

P = ParamSpec("P")
R = TypeVar("R")
NOTHING: Final = 3
INCOMPLETE: Final = 5
INTERRUPTED: Final = 130
"""As shells report a program that Ctrl-C ended."""


class TargetOptions(NamedTuple):
    """The options that name one target."""

    function: str | None
    command: str | None
    endpoint: str | None
    model: str | None
    key_variable: str | None

    @property
    def is_given(self) -> bool:
        """Whether any of them names a target."""
        return any((self.function, self.command, self.endpoint))


class ChatOptions(NamedTuple):
    """The options of every request to an endpoint."""

    system_prompt: str | None
    max_tokens: int | None
    parameters: tuple[str, ...]
    attempts: int


def target_options(prefix: str, whose: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Add the options that name a target: `--target`, `--baseline-target`, …."""
    name = prefix.replace("-", "_")
    options = (
        ("target", "module:function", f"{whose}: a Python function, sync or async."),
        ("command", "COMMAND", f"{whose}: a shell command, JSON in and JSON out."),
        ("endpoint", "URL", f"{whose}: a chat-completions endpoint, with its model."),
        ("model", "NAME", f"{whose}: its model; the model_version of its runs."),
        ("api-key-env", "NAME", f"{whose}: the environment variable that holds the key."),
    )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        for option, metavar, text in reversed(options):
            function = click.option(
                f"--{prefix}{option}",
                f"{name}{option.replace('-', '_')}",
                metavar=metavar,
                help=text,
            )(function)
        return function

    return decorate


def run_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say how to run."""
    options = (
        click.option("--evaluator", "evaluators", metavar="MODULE:NAME", multiple=True,
                     help="A function, object or class that scores every answer; repeatable."),
        click.option("--agent", "agent_name", metavar="NAME", help="Agent of every run."),
        click.option("--dataset-version", metavar="VERSION", help="Version of the tasks."),
        click.option("--repetitions", type=click.IntRange(1), default=1, show_default=True,
                     help="Runs of each task."),
        click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True,
                     help="Calls under way at once."),
        click.option("--timeout", type=click.FloatRange(0, min_open=True), default=120.0,
                     show_default=True, metavar="SECONDS", help="Of one call."),
        click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N",
                     help="At most so many calls a second."),
        click.option("--max-cost-usd", type=click.FloatRange(0, min_open=True), metavar="USD",
                     help="Stop before the run costs more; an endpoint needs --max-tokens."),
        click.option("--retry-failed", is_flag=True, help="Runs that failed count as missing."),
        click.option("--on-existing", type=click.Choice(["add", "replace", "refuse"]),
                     help="Where there are runs already: make further repetitions, make all "
                     "anew as new versions, or none; else only those that are missing."),
        click.option("--with-io", is_flag=True,
                     help="Keep inputs and outputs, not only what tells equal ones. The var "
                     "keep_contents does so for every run."),
        click.option("--output", "results", metavar="FILE", type=click.Path(path_type=Path),
                     help="Also write every run that is made, failures, inputs and outputs too, "
                     "to a .json or .jsonl file, which ingest takes back unchanged."),
        click.option("--system-prompt", metavar="TEXT", help="Sent before each prompt."),
        click.option("--max-tokens", type=click.IntRange(1), help="Longest answer."),
        click.option("--parameter", "parameters", metavar="NAME=JSON", multiple=True,
                     help="A field of each request, such as temperature=0; repeatable."),
        click.option("--attempts", type=click.IntRange(1), default=5, show_default=True,
                     help="Tries while an endpoint is busy or fails."),
        click.option("--trace", is_flag=True, help="Also send every run to LangSmith."),
        click.option("--stop-when-decided", is_flag=True,
                     help="Both arms in turn, until bounds valid at every look decide."),
        click.option("--look-every", type=click.IntRange(1), default=10, show_default=True,
                     help="Tasks between two looks at what is decided."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def make_target(named: TargetOptions, chat: ChatOptions, *, needs_bound: bool) -> Target:
    """Return the target that the options name.

    Args:
        named: the options.
        chat: of every request.
        needs_bound: whether the cost of a call must have a bound.

    Raises:
        ConfigurationError: none or several are named, or a bound is missing.

    """
    from ..runner.targets import CommandTarget, load_callable
    from ..tools.prices import price_of
    from ..warehouse.prices import read_prices

    if sum(map(bool, (named.function, named.command, named.endpoint))) != 1:
        raise ConfigurationError("name one of --target, --command and --endpoint for each arm")
    if named.function:
        return load_callable(named.function, named.model or "")
    if named.command:
        return CommandTarget(named.command, named.model or "")
    if not named.model:
        raise ConfigurationError("--endpoint needs --model")
    from ..runner.chat import ChatTarget  # loads the HTTP client
    from ..warehouse.seeds import seed_shown

    price = price_of(named.model, read_prices())
    if needs_bound and (price is None or chat.max_tokens is None):
        missing = (
            f"a price of {named.model} in {seed_shown('model_prices')}"
            if price is None
            else "--max-tokens"
        )
        raise ConfigurationError(
            f"--max-cost-usd needs {missing}: the cost of a call must have a bound"
        )
    if price is None:
        say(
            f"{seed_shown('model_prices')} has no price of {named.model}: costs stay empty",
            err=True,
        )
    return ChatTarget(
        str(named.endpoint),
        named.model,
        key_variable=named.key_variable,
        system_prompt=chat.system_prompt,
        max_tokens=chat.max_tokens,
        parameters=_parameters(chat.parameters),
        price=price,
        attempts=chat.attempts,
    )


def make_settings(
    experiment_id: str, baseline: str | None, options: dict[str, Any], version: str | None
) -> Settings:
    """Return the settings that the options give; `version` is of the tasks, if they have one."""
    from ..runner.arms import Settings

    return Settings(
        experiment_id=experiment_id,
        baseline_experiment_id=baseline,
        repetitions=options["repetitions"],
        concurrency=options["concurrency"],
        timeout_seconds=options["timeout"],
        rate=options["rate"],
        max_cost_usd=options["max_cost_usd"],
        retry_failed=options["retry_failed"],
        on_existing=options["on_existing"],
        with_outputs=options["with_io"],
        agent_name=options["agent_name"],
        output=options["results"],
        dataset_version=options["dataset_version"] or version,
    )


def _parameters(given: tuple[str, ...]) -> dict[str, object]:
    parameters: dict[str, object] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name or not equals:
            raise ConfigurationError(f"--parameter {item}: write NAME=JSON, such as temperature=0")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


@contextmanager
def run_progress() -> Iterator[Callable[[Outcome], None]]:
    """Show how far a run is; called with what has come of it so far."""
    with progress("running", None) as advance:

        def show(outcome: Outcome) -> None:
            advance(
                outcome.made,
                f"{outcome.made} of {outcome.planned} runs, {outcome.failed} failed, "
                f"{_cost(outcome)}",
                outcome.planned,
            )

        yield show


def _cost(outcome: Outcome) -> str:
    """Say what runs cost, as far as anybody knows."""
    if outcome.cost_usd is None:
        return "cost unknown"
    unknown = f" and {outcome.unknown_costs:,} of unknown cost" if outcome.unknown_costs else ""
    return f"${outcome.cost_usd:.4f}{unknown}"


def last_word(outcome: Outcome, max_cost_usd: float | None) -> str:
    """Say in a few lines what became of a run, what went wrong, and how to go on."""
    made = outcome.made
    already = f", {outcome.already_done} were there already" if outcome.already_done else ""
    counts = f"{outcome.succeeded} answered, {outcome.failed} failed"
    wanted = "runs" if outcome.notes else "missing runs"
    told = f"{counts}, {_cost(outcome)}, {outcome.tokens:,} tokens"
    lines = [
        *outcome.notes,
        f"{made} of {outcome.planned} {wanted} made{already}: {told}",
        *_what_failed(outcome),
    ]
    if outcome.is_limit_blind:
        lines.append(
            f"--max-cost-usd {max_cost_usd:g} could not hold: what calls cost is not known"
        )
    if outcome.stop == "decided":
        saved = outcome.remaining
        known = outcome.cost_usd if made and not outcome.unknown_costs else None
        share = "" if known is None else f" (about ${known / made * saved:.4f})"
        lines.append(f"decided: {outcome.message}; saved {saved} runs{share}")
    if outcome.stop == "cost":
        lines.append(
            f"stopped before --max-cost-usd {max_cost_usd:g} would be passed; {outcome.remaining} "
            "runs are missing: run the same command again with more to spend"
        )
    if outcome.stop == "interrupted":
        lines.append(
            f"interrupted; {outcome.remaining} runs are missing: run the same command again to "
            "make them"
        )
    if outcome.spooled:
        lines.append(
            "the database went away; what it did not take waits in the spool file, and the next "
            "command loads it"
        )
    return "\n".join(lines)


def _what_failed(outcome: Outcome) -> Iterator[str]:
    """Say which answers, tasks and evaluators failed, with the commonest errors."""
    if outcome.answers.failed:
        tasks = f"{outcome.failed_tasks:,} of {outcome.tasks:,} tasks have none"
        yield from _failures("answers", outcome.answers, f"; {tasks}")
    for name, scoring in sorted(outcome.evaluators.items()):
        if scoring.is_all:
            yield f"{name} gave no score of any of {scoring.attempts:,} answers:"
            yield from (f"  {reason}" for reason in scoring.reasons())
        elif scoring.failed:
            yield from _failures(f"scores by {name}", scoring)
    if outcome.succeeded == 0 and outcome.made:
        yield "nothing came of it: every answer failed"
    elif outcome.fruitless and len(outcome.fruitless) == len(outcome.evaluators):
        yield "nothing came of it: no evaluator gave a score"


def _failures(what: str, found: Failures, more: str = "") -> Iterator[str]:
    yield f"{found.failed:,} of {found.attempts:,} {what} failed{more}:"
    for error in found.commonest():
        yield f"  {error}"


def exit_code(outcome: Outcome) -> int:
    """Return the exit code of a run: 0 if nothing is missing that was wanted."""
    if outcome.stop == "interrupted":
        return INTERRUPTED
    if outcome.has_nothing:
        return NOTHING
    return INCOMPLETE if outcome.stop == "cost" else 0
