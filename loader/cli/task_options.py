"""Where `run` and `compare-models` take their tasks from: a file, or a dataset of LangSmith."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError
from .say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runner.tasks import Task

P = ParamSpec("P")
R = TypeVar("R")


class Tasks(NamedTuple):
    """What is to be run, and the version of the dataset that it is of, if known."""

    tasks: Sequence[Task]
    version: str | None


def task_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options that name the tasks."""
    options = (
        click.option("--tasks", "task_file", metavar="FILE", type=click.Path(path_type=Path),
                     help="JSON or JSONL: task_id, prompt or inputs, expected_output, metadata."),
        click.option("--langsmith-dataset", metavar="NAME",
                     help="Take the examples of this LangSmith dataset in place of --tasks."),
        click.option("--split", "splits", metavar="NAME", multiple=True,
                     help="Of the dataset: only examples of this split; repeatable."),
        click.option("--as-of-version", metavar="VERSION",
                     help="Of the dataset: as it was at this time, or at the version of this "
                     "name; else the latest."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def given_tasks(options: dict[str, Any]) -> Tasks:
    """Read the tasks that the options name.

    Raises:
        ConfigurationError: none or two places are named, or there are no such tasks.
        SourceUnavailable: LangSmith does not answer.
    """
    from ..runner.tasks import read_tasks  # keep --help quick

    path, dataset = options["task_file"], options["langsmith_dataset"]
    if (path is None) == (dataset is None):
        raise ConfigurationError("name the tasks: either --tasks FILE or --langsmith-dataset NAME")
    if path is not None:
        if options["splits"] or options["as_of_version"]:
            raise ConfigurationError("--split and --as-of-version go with --langsmith-dataset")
        return Tasks(read_tasks(path), None)
    from ..sources import langsmith  # the SDK is slow to import

    found = langsmith.read_tasks(
        langsmith.LangSmith(), dataset, options["splits"], options["as_of_version"]
    )
    version = f" as of {found.version}" if found.version else ""
    say(f"{len(found.tasks):,} tasks of the dataset {found.dataset.name}{version}", err=True)
    return Tasks(read_tasks(found.tasks), found.version)
