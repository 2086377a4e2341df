"""The command line: options → one call → print; errors → exit codes.

Commands live in modules of this package and are imported when they are called
for, so that `--help` starts without dbt, langsmith or a database driver.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import (
    UNEXPECTED,
    ConfigurationError,
    InputRejected,
    InvalidRecord,
    LoaderError,
    NoRoom,
    NothingToJudge,
    SourceUnavailable,
    WarehouseUnavailable,
)
from ..show import escape
from ..tools.secrets import redact
from .say import say

if TYPE_CHECKING:
    from collections.abc import Sequence

# Command → where it is defined and its line in `--help`; in the order of use.
COMMANDS = {
    "init": (".admin:init", "Create or migrate the raw schema and the roles."),
    "declare": (".declare:declare", "Metrics, groups and scales of your own."),
    "check": (".check:check", "Groups, metrics, policy: right before any result."),
    "ingest": (".ingest:ingest", "Load results from files or LangSmith."),
    "projects": (".langsmith:projects", "What LangSmith has to ingest."),
    "datasets": (".datasets:datasets", "What LangSmith has to evaluate on."),
    "run": (".run:run", "Run tasks; time, score and record them."),
    "compare-models": (".run:compare_models", "Two models, one verdict."),
    "build": (".admin:build", "Run dbt build on the same database."),
    "summary": (".read:summary", "Is the candidate better? One experiment."),
    "catalog": (".catalog:catalog", "Every metric seen, and who has a say."),
    "compare": (".read:compare", "Baseline against candidate, task by task."),
    "trend": (".read:trend", "One metric of an agent over its versions."),
    "regressions": (".read:regressions", "What got worse, and since when."),
    "recent": (".read:recent", "The latest results."),
    "experiments": (".read:experiments", "Every experiment there is."),
    "gate": (".gate:gate", "The verdict for CI: pass, blocked or inconclusive."),
    "ci": (".ci:ci", "From results to a verdict in a pipeline."),
    "comment": (".ci:comment", "The verdict as the one comment of a pull request."),
    "replay": (".gate:replay", "Which past verdicts would be others today, and why."),
    "plan": (".plan:plan", "How many tasks and repetitions, before you run."),
    "calibrate": (".gate:calibrate", "How often the gate sees a change where none is."),
    "report": (".report:report", "A page for people, or markdown for a pull request."),
    "serve": (".serve:serve", "Browse it all in a browser, here."),
    "push": (".push:push", "The verdict, written back to LangSmith."),
    "metrics": (".metrics:metrics", "Numbers for Prometheus."),
    "dashboards": (".dashboards:dashboards", "Dashboards for Grafana, rules for Prometheus."),
    "export": (".export:export", "A mart as CSV or Parquet."),
    "baseline": (".baseline:baseline", "The experiment others are compared with."),
    "annotate": (".annotate:annotate", "Say what a person thinks of a run."),
    "label": (".label:label", "Draw runs for people to score, blind to the arm."),
    "withdraw": (".withdraw:withdraw", "Take back what should not have been loaded."),
    "purge": (".purge:purge", "Remove runs that are past retention."),
    "sample": (".sample:sample", "Write a sample experiment to try things on."),
    "schema": (".ingest:schema", "Print the JSON Schema of a record."),
    "docs": (".docs:docs", "Every mart and column, as one page."),
    "env": (".admin:env", "Print the variables that lead dbt and psql here."),
    "doctor": (".admin:doctor", "Check the installation; say what to do."),
    "stop": (".admin:stop", "Stop the embedded server."),
}
_EXIT_CODES: dict[type[LoaderError], int] = {
    ConfigurationError: 2,
    InvalidRecord: 3,
    InputRejected: 3,
    NoRoom: 4,
    SourceUnavailable: 4,
    WarehouseUnavailable: 4,
    NothingToJudge: 5,
}
_USAGE = 2
# What a shell says of a program that Ctrl-C, or a reader that went away, has ended.
_INTERRUPTED = 130
_READER_GONE = 141
_GONE = "the database could not go on; what was reported before is done, ask again when it can"


class CommandError(click.ClickException):
    """A LoaderError on its way to the terminal, with its exit code."""

    def __init__(self, error: LoaderError) -> None:
        """Take the message; find the exit code by the error's class."""
        super().__init__(escape.lines(redact(str(error))))
        vars(self)["exit_code"] = exit_code(error)


def exit_code(error: LoaderError) -> int:
    """Return what a command ends with for an error."""
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), UNEXPECTED)


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
        command = getattr(import_module(module, __name__), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn whatever it may raise into an exit code, 1 never among them."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except LoaderError as error:
            _show_traceback(ctx, error)
            raise CommandError(error) from error
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            if error.exit_code == 1:
                vars(error)["exit_code"] = _USAGE
            vars(error)["message"] = escape.lines(redact(error.message))
            raise
        except (click.Abort, EOFError, KeyboardInterrupt):
            say("interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # nobody reads on: what is left to print has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_READER_GONE)
        except Exception as error:
            if _is_of_the_server(error):
                _show_traceback(ctx, error)
                raise CommandError(WarehouseUnavailable(f"{_GONE}: {error}")) from error
            _report_unexpected(ctx, error)


def _is_of_the_server(error: Exception) -> bool:
    """Whether the server ended a connection, or could not go on, where no statement was at work.

    An internal error without a code of the server's is the driver's own: what it was answered is
    no answer to what it asked, as of a pooler whose server has gone.
    """
    driver = sys.modules.get("psycopg")  # which a command without a database never imports
    if driver is None:
        return False
    is_of_driver = isinstance(error, driver.InternalError) and error.sqlstate is None
    return isinstance(error, driver.OperationalError) or is_of_driver


def _report_unexpected(ctx: click.Context, error: Exception) -> NoReturn:
    """Say in one line what nobody expected, and where the details are; exit 70."""
    from . import unexpected  # only where something went wrong

    arguments = sys.argv[1:]
    _show_traceback(ctx, error)
    path = unexpected.keep(error, arguments)
    where = f"details in {path}" if path else "the details could not be written to a file"
    more = "" if ctx.params.get("debug") else "; evalmart --debug … shows the traceback"
    say(f"unexpected {unexpected.summary(error)}; {where}{more}", err=True)
    ctx.exit(UNEXPECTED)


def _show_traceback(ctx: click.Context, error: Exception) -> None:
    """Print the traceback where the person asked for it."""
    if ctx.params.get("debug"):
        from . import unexpected

        say(unexpected.details(error).rstrip("\n"), err=True)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evalmart", prog_name="evalmart")
@click.option("--debug", is_flag=True, help="Print the traceback of an error too.")
def cli(*, debug: bool) -> None:
    """Know whether a change to an LLM agent made it better, and prove it.

    \b
    Example:
      evalmart ingest --file results.jsonl --experiment-id exp-1
      evalmart build
      evalmart summary --experiment exp-1

    \b
    Exit codes:
      0   done
      1   blocked by the gate, and nothing else
      2   usage or configuration
      3   input rejected (--strict, --max-rejected, or nothing loadable), a run
          in which all failed, or an evaluator that gave no score at all
      4   database or LangSmith unreachable, or a disk is full
      5   inconclusive: a person has to look
      70  something unexpected: one line, details in a file, a traceback
          only with --debug
    """
    del debug  # LazyGroup.invoke goes by it


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    cli.main(args=list(arguments) if arguments is not None else None, prog_name="evalmart")
    sys.exit(0)
