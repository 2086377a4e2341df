"""What the arms of a comparison are, one line each: the first thing a reader has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .grids import count_of, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record


class Arm(NamedTuple):
    """One arm."""

    role: str
    """baseline or candidate."""
    name: str
    """Its group and version."""
    facts: str
    """Model, tasks, repetitions and dataset."""


def arms_of(rows: Sequence[Record]) -> list[Arm]:
    """Return the arms of one candidate; `rows` as `loader.marts.arms` returns them."""
    return [
        Arm(
            str(row["arm"]),
            f"{text_of(row, 'experiment_group')} {text_of(row, 'extension_version')}",
            " · ".join(
                [
                    _several(texts_of(row, "models"), "model", "no model named"),
                    _repetitions(row),
                    _several(texts_of(row, "dataset_versions"), "dataset", "no dataset version"),
                ]
            ),
        )
        for row in rows
    ]


def _several(names: Sequence[str], what: str, nothing: str) -> str:
    if not names:
        return nothing
    more = "" if len(names) <= 3 else f" and {len(names) - 3:,} more"  # noqa: PLR2004  as shown
    return f"{what}{'' if len(names) == 1 else 's'} {', '.join(names[:3])}{more}"


def _repetitions(row: Record) -> str:
    tasks = count_of(row, "tasks")
    least, most = count_of(row, "least_repetitions"), count_of(row, "most_repetitions")
    told = f"{tasks:,} {'task' if tasks == 1 else 'tasks'}"
    if least == most:
        return f"{told}, {'one run' if most == 1 else f'{most:,} runs'} each"
    return f"{told}, {least:,} to {most:,} runs each"
