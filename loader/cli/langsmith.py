"""LangSmith on the command line: `projects`, and the options of `ingest`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError
from .options import format_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..records.checker import Defaults
    from ..records.vocabulary import Vocabulary
    from ..sources.langsmith import LangSmithSource
    from ..sources.langsmith.known import Known
    from ..tools.tables import Format

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
        help="Only runs that began then or later, UTC, of a project without a dataset; with "
        "--all-experiments, only experiments that did.",
    ),
    click.option(
        "--until",
        metavar="DATE",
        type=_DATE,
        callback=lambda _context, _option, value: as_utc(value),
        help="Only runs that began before, UTC.",
    ),
    click.option(
        "--last",
        metavar="TIME",
        callback=lambda _context, _option, text: _length(text),
        help="As --since, so long ago: 24h, 7d, 90m.",
    ),
    click.option(
        "--full",
        "is_full",
        is_flag=True,
        help="Read the whole project again, not only what can have changed.",
    ),
    click.option(
        "--sync",
        "is_sync",
        is_flag=True,
        help="Withdraw the runs that were deleted in LangSmith; reads the whole project.",
    ),
    click.option(
        "--evaluator",
        "evaluators",
        metavar="MODULE:NAME",
        multiple=True,
        help="Score the runs anew with this function, object or class; repeatable.",
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

    They arrive as the keyword arguments projects, dataset, all_experiments, since, until,
    last, is_full, is_sync, evaluators, keys and price, which `build_sources` takes as they
    are.
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
    until: datetime | None,
    last: timedelta | None,
    is_full: bool,
    is_sync: bool,
    evaluators: Sequence[str],
    keys: Mapping[str, str],
    price: bool,
    with_io: bool,
    defaults: Defaults,
    known: Known,
    vocabulary: Vocabulary,
) -> list[LangSmithSource]:
    """Make the sources that the options name; one load each.

    Raises:
        ConfigurationError: the options make no sense, or LangSmith refuses them.
        SourceUnavailable: LangSmith does not answer.
    """
    # imported here: `--help` must not wait for it
    from ..sources.langsmith import Selection, select_sources
    from ..warehouse.prices import read_price_list

    if last and since:
        raise ConfigurationError("--last and --since both say when to begin; keep one of them")
    return select_sources(
        Selection(
            projects, dataset, all_experiments,
            since=datetime.now(UTC) - last if last else since, until=until,
            is_full=is_full, is_sync=is_sync,
            evaluators=evaluators, with_io=with_io, defaults=defaults,
            keys=keys, prices=read_price_list() if price else None,
            declared=vocabulary.measures.union(vocabulary.scales), scored=vocabulary.reserved,
        ),
        known=known,
    )  # fmt: skip


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
      evalmart projects
      evalmart projects --dataset ib-agent-scenarios-v1 --format json
    """
    from ..show.render import render
    from ..sources.langsmith import LangSmith, dataset_names, find_dataset, list_projects
    from ..tools.tables import Column, Kind, Table

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


def _length(text: str | None) -> timedelta | None:
    """Read a length of time, such as `24h`."""
    if text is None:
        return None
    units = {"m": "minutes", "h": "hours", "d": "days"}
    count, unit = text[:-1].strip(), units.get(text[-1:])
    try:
        length = timedelta(**{unit: int(count)}) if unit else timedelta()
        began = datetime.now(UTC) - length
    except (ValueError, OverflowError):
        length = timedelta()
        began = datetime.now(UTC)
    if not length or began > datetime.now(UTC):
        raise click.BadParameter(f"{text} is no length of time; write 24h, 7d or 90m")
    return length


def as_utc(value: datetime | None) -> datetime | None:
    """Read a time without a zone as UTC."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
