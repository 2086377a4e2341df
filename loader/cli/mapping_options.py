"""The options of `ingest` that say what a file's own columns mean."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..sources.mapping import Mapping
    from ..sources.values import DecimalMark

P = ParamSpec("P")
R = TypeVar("R")

# In the order of `--help`; each is a field of `MappingOptions`.
_OPTIONS = (
    click.option(
        "--map",
        "entries",
        metavar="TARGET=SOURCE",
        multiple=True,
        help="Fill a field of a record from a column: task_id=id, scores.judge=rating, "
        "latency_ms=seconds:s, experiment_group=arm{A:baseline,B:code-chef}, "
        "'metadata.*=*' for what is left; repeatable.",
    ),
    click.option(
        "--mapping",
        "path",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The same as a file (YAML); --map adds to it.",
    ),
    click.option(
        "--guess",
        is_flag=True,
        help="Look at the first 1,000 records and propose a mapping with its reasons; loads "
        "nothing before it is agreed to.",
    ),
    click.option("--yes", is_flag=True, help="Load by what --guess proposes without asking."),
    click.option(
        "--decimal",
        type=click.Choice(["point", "comma"]),
        help="What stands before decimals, where numbers have commas.",
    ),
    click.option(
        "--records",
        metavar="NAME",
        help="The list that holds the records of a JSON document, dots for nesting.",
    ),
)


class MappingOptions(NamedTuple):
    """What a person said of the columns."""

    entries: tuple[str, ...]
    path: Path | None
    guess: bool
    yes: bool
    decimal: DecimalMark | None
    records: str | None

    @property
    def says_anything(self) -> bool:
        """Whether one of the options was given."""
        return self != MappingOptions((), None, guess=False, yes=False, decimal=None, records=None)

    def mapping(self) -> Mapping:
        """Return it all as one mapping.

        Raises:
            ConfigurationError: some of it is wrong.

        """
        from dataclasses import replace

        from ..sources.mapping import Mapping, parse_all
        from ..sources.mapping_file import read_mapping  # keep --help quick

        said = parse_all(map(_taken_apart, self.entries))
        said = replace(said, decimal=self.decimal, records=self.records)
        return said.over(read_mapping(self.path) if self.path else Mapping())


def mapping_options(function: Callable[P, R]) -> Callable[..., R]:
    """Add `--map`, `--mapping`, `--guess` and their like, given as `mapping_options`."""

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **keywords: P.kwargs) -> R:
        said = MappingOptions._make(keywords.pop(name) for name in MappingOptions._fields)
        keywords["mapping_options"] = said
        return function(*arguments, **keywords)

    command: Callable[..., R] = wrapped
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _taken_apart(entry: str) -> tuple[str, str, str]:
    target, sign, source = entry.partition("=")
    if not sign:
        raise ConfigurationError(f"--map {entry} has no =; write --map TARGET=COLUMN")
    return "--map", target.strip(), source.strip()
