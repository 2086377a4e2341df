"""Options of `ingest` that say how values are to be read, and what may go wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..records.vocabulary import Vocabulary

P = ParamSpec("P")
R = TypeVar("R")

Scales = dict[str, tuple[float, float]]


def _share(_ctx: click.Context, _param: click.Parameter, given: str) -> float:
    """Read a share, `5%` or `0.05`."""
    text = given.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise click.BadParameter(f"{given} is no share; write 5% or 0.05")
    return share


def _scales(_ctx: click.Context, _param: click.Parameter, given: Collection[str]) -> Scales:
    scales: Scales = {}
    for text in given:
        key, _, ends = text.rpartition("=")
        low, _, high = ends.partition(":")
        try:
            scale = float(low), float(high)
        except ValueError:
            scale = (math.nan, math.nan)
        if not key.strip() or not scale[0] < scale[1] or not all(map(math.isfinite, scale)):
            raise click.BadParameter(
                f"{text} is no scale; write KEY=LOW:HIGH, such as helpfulness=1:5"
            )
        if scales.setdefault(key, scale) != scale:
            raise click.BadParameter(f"{key} has two scales; keep one of them")
    return scales


# In the order of `--help`.
_OPTIONS = (
    click.option(
        "--scale",
        "scales",
        metavar="KEY=LOW:HIGH",
        multiple=True,
        callback=_scales,
        help="Scale of a score, such as helpfulness=1:5; kept with the runs, and above the "
        "seed's; repeatable.",
    ),
    click.option(
        "--measure",
        "measures",
        metavar="KEY",
        multiple=True,
        help="Of scores: a count, seconds or the like, on no scale; repeatable.",
    ),
    click.option(
        "--first-repetition",
        type=click.IntRange(0, 1),
        default=1,
        help="Number of a task's first run, 0 or 1; a file that holds a 0 says so itself.",
    ),
    click.option(
        "--with-io",
        is_flag=True,
        help="Also keep inputs, outputs and reference outputs; they may be large and private. "
        "The var keep_contents does so for every load.",
    ),
    click.option(
        "--max-rejected",
        metavar="SHARE",
        callback=_share,
        default="5%",
        show_default=True,
        help="Exit code 3 if more of the records are rejected or have a value set aside; "
        "what can be loaded is loaded all the same.",
    ),
    click.option(
        "--keep-rejects",
        metavar="COUNT",
        type=click.IntRange(min=0),
        default=1000,
        show_default=True,
        help="Rejected records of each reason that are kept with their text; all are counted.",
    ),
)


class Reading(NamedTuple):
    """How the values of a load are to be read."""

    scales: Mapping[str, tuple[float, float]]
    measures: Collection[str]

    def vocabulary(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return a vocabulary that knows what the options state.

        Raises:
            ConfigurationError: they contradict themselves, or what is declared.

        """
        for key in self.measures:
            if key in self.scales:
                raise ConfigurationError(f"--measure {key} and --scale {key}: keep one of them")
            if key in vocabulary.reserved:
                raise ConfigurationError(
                    f"--measure {key}: {key} is declared a metric of another kind in the seeds; "
                    "give the measurement another name"
                )
        return vocabulary.with_options(self.scales, self.measures)


def reading_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add the options to a command.

    They arrive as scales and measures, which `Reading` takes, and as first_repetition,
    with_io, max_rejected, a share from 0 to 1, and keep_rejects.
    """
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
