"""LangSmith on the command line: `projects`, and the options of `ingest`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from loader.cli.options import format_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loader.records.checker import Defaults
    from loader.sources.langsmith import LangSmithSource
    from loader.tables import Format

P = ParamSpec("P")
R = TypeVar("R")

_DATE = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
# In the order of `--help`; each becomes a keyword argument of `build_sources`.
_OPTIONS = (
    click.option(
        "--project",
        "projects",
        metavar="NAME",
        multiple=True,
        help="A LangSmith project (experiment), by name or id; repeatable.",
    ),
    click.option(
        "--dataset",
        metavar="NAME",
        help="The experiment's LangSmith dataset: fetches its examples for the evaluators.",
    ),
    click.option(
        "--all-experiments",
        is_flag=True,
        help="Every experiment of the dataset, each its own load.",
    ),
    click.option(
        "--since",
        metavar="DATE",
        type=_DATE,
        callback=lambda _context, _option, value: as_utc(value),
        help="With --all-experiments: only those that began then or later, UTC.",
    ),
    click.option(
        "--evaluator",
        "evaluators",
        metavar="MODULE:FUNCTION",
        multiple=True,
        help="Score the runs anew with this function (run, example); repeatable.",
    ),
    click.option(
        "--key",
        "keys",
        metavar="FIELD=PLACE",
        multiple=True,
        callback=lambda _context, _option, value: _keys(value),
        help="Where a field of LangSmith's runs is read from, such as task_id=metadata.case or "
        "extension_version=example.metadata.v; repeatable.",
    ),
    click.option(
        "--price",
        is_flag=True,
        help="Where LangSmith has no cost of a run: make it from the run's tokens by "
        "model_prices.csv.",
    ),
)


def _keys(given: Sequence[str]) -> dict[str, str]:
    """Read FIELD=PLACE, each field once.

    Raises:
        BadParameter: one is not of this form, or a field has two places.
    """
    keys: dict[str, str] = {}
    for text in given:
        field, equals, place = (part.strip() for part in text.partition("="))
        if not field or not equals or not place:
            raise click.BadParameter(f"{text}: write FIELD=PLACE, such as task_id=metadata.case")
        if keys.setdefault(field, place) != place:
            raise click.BadParameter(f"{field} has two places; keep one of them")
    return keys


def langsmith_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options of a LangSmith ingest to a command.

    They arrive as the keyword arguments projects, dataset, all_experiments, since, evaluators,
    keys and price, which `build_sources` takes as they are.
    """
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def build_sources(  # noqa: PLR0913  one for each option
    *,
    projects: Sequence[str],
    dataset: str | None,
    all_experiments: bool,
    since: datetime | None,
    evaluators: Sequence[str],
    keys: Mapping[str, str],
    price: bool,
    with_io: bool,
    defaults: Defaults,
) -> list[LangSmithSource]:
    """Make the sources that the options name; one load each.

    Raises:
        ConfigurationError: the options make no sense, or LangSmith refuses them.
        SourceUnavailable: LangSmith does not answer.
    """
    # imported here: `--help` must not wait for it
    from loader.sources.langsmith import Selection, select_sources
    from loader.warehouse.prices import read_price_list

    prices = read_price_list() if price else None
    return select_sources(
        Selection(
            projects, dataset, all_experiments, since, evaluators, with_io, defaults, keys, prices
        )
    )


@click.command()
@click.option("--dataset", metavar="NAME", help="Only experiments on this dataset.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="At most N projects, the latest first.",
)
@format_option
def projects(*, dataset: str | None, limit: int, output: Format) -> None:
    """List what LangSmith has to ingest: its projects, their datasets and feedback keys.

    \b
    Example:
      python -m loader projects
      python -m loader projects --dataset ib-agent-scenarios-v1 --format json
    """
    from loader.show.render import render
    from loader.sources.langsmith import LangSmith, dataset_names, find_dataset, list_projects
    from loader.tables import Column, Kind, Table

    client = LangSmith()
    dataset_id = find_dataset(client, dataset).id if dataset else None
    found = list(list_projects(client, dataset_id, limit=limit))
    names = dataset_names(client, [each.dataset_id for each in found if each.dataset_id])
    rows = [
        (
            project.name,
            names.get(project.dataset_id, project.dataset_id) if project.dataset_id else None,
            project.run_count,
            project.started_at,
            ", ".join(sorted(project.feedback_counts)),
        )
        for project in found
    ]
    columns = (
        Column("project"),
        Column("dataset"),
        Column("runs", Kind.INTEGER),
        Column("started_at", Kind.TIMESTAMP, "started"),
        Column("feedback_keys", heading="feedback keys"),
    )
    render(Table(columns, rows), output, sys.stdout, empty="LangSmith has no such project.")


def as_utc(value: datetime | None) -> datetime | None:
    """Read a time without a zone as UTC."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
