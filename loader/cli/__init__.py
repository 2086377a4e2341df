"""The command line: options → one call → print; errors → exit codes.

Commands live in modules of this package and are imported when they are called
for, so that `--help` starts without dbt, langsmith or a database driver.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from loader.errors import (
    ConfigurationError,
    InputRejected,
    InvalidRecord,
    LoaderError,
    SourceUnavailable,
    WarehouseUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Command → where it is defined and its line in `--help`; in the order of use.
COMMANDS = {
    "init": ("loader.cli.admin:init", "Create or migrate the raw schema and the roles."),
    "ingest": ("loader.cli.ingest:ingest", "Load results from files or LangSmith."),
    "projects": ("loader.cli.langsmith:projects", "What LangSmith has to ingest."),
    "run": ("loader.cli.run:run", "Run tasks; time, score and record them."),
    "compare-models": ("loader.cli.run:compare_models", "Two models, one verdict."),
    "build": ("loader.cli.admin:build", "Run dbt build on the same database."),
    "summary": ("loader.cli.read:summary", "Is the candidate better? One experiment."),
    "catalog": ("loader.cli.catalog:catalog", "Every metric seen, and who has a say."),
    "compare": ("loader.cli.read:compare", "Baseline against candidate, task by task."),
    "trend": ("loader.cli.read:trend", "One metric of an agent over its versions."),
    "regressions": (
        "loader.cli.history:regressions",
        "What got worse, and since when.",
    ),
    "recent": ("loader.cli.read:recent", "The latest results."),
    "experiments": ("loader.cli.read:experiments", "Every experiment there is."),
    "gate": ("loader.cli.gate:gate", "The verdict for CI: pass, blocked or inconclusive."),
    "replay": ("loader.cli.gate:replay", "Which past verdicts would change on today's scores."),
    "calibrate": ("loader.cli.gate:calibrate", "How often the gate sees a change where none is."),
    "report": ("loader.cli.report:report", "A page for people, or markdown for a pull request."),
    "metrics": ("loader.cli.metrics:metrics", "Numbers for Prometheus."),
    "export": ("loader.cli.export:export", "A mart as CSV or Parquet."),
    "purge": ("loader.cli.purge:purge", "Remove runs that are past retention."),
    "sample": ("loader.cli.sample:sample", "Write a sample experiment to try things on."),
    "schema": ("loader.cli.ingest:schema", "Print the JSON Schema of a record."),
    "env": ("loader.cli.admin:env", "Print the variables that lead dbt and psql here."),
    "doctor": ("loader.cli.admin:doctor", "Check the installation; say what to do."),
    "stop": ("loader.cli.admin:stop", "Stop the embedded server."),
}
_EXIT_CODES: dict[type[LoaderError], int] = {
    ConfigurationError: 2,
    InvalidRecord: 3,
    InputRejected: 3,
    SourceUnavailable: 4,
    WarehouseUnavailable: 4,
}


class CommandError(click.ClickException):
    """A LoaderError on its way to the terminal, with its exit code."""

    def __init__(self, error: LoaderError) -> None:
        """Take the message; find the exit code by the error's class."""
        super().__init__(str(error))
        codes = (code for kind, code in _EXIT_CODES.items() if isinstance(error, kind))
        vars(self)["exit_code"] = next(codes, 1)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn what it may raise on purpose into an exit code."""
        try:
            return super().invoke(ctx)
        except LoaderError as error:
            raise CommandError(error) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalmart", prog_name="evalmart")
def cli() -> None:
    """Know whether a change to an LLM agent made it better, and prove it.

    \b
    Example:
      python -m loader ingest --file results.jsonl --experiment-id exp-1
      python -m loader build
      python -m loader summary --experiment exp-1

    Exit codes: 0 done, 1 blocked by the gate, 2 usage or configuration, 3 input
    rejected, 4 database or LangSmith unreachable, 5 inconclusive.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="python -m loader")
    sys.exit(0)
