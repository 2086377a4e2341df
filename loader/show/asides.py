"""Sentences about values that were not taken, or do not count: of a load, and of the marts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Protocol

from .render import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_USUAL_SCALES: Final = ((-1, 1), (1, 5), (0, 5), (1, 10), (0, 10), (0, 100))
_SCORES: Final = "scores."


class SetAside(Protocol):
    """Values of one field: of `raw_evals` in a load, of the mart set_aside_scores later."""

    @property
    def field(self) -> str:
        """`scores.helpfulness`, `cost_usd`."""

    @property
    def reason_code(self) -> str:
        """`undeclared_scale`, `off_scale`, `negative`, `out_of_range`."""

    @property
    def runs(self) -> int:
        """Runs with such a value."""

    @property
    def low(self) -> float:
        """Smallest of the values."""

    @property
    def high(self) -> float:
        """Largest of the values."""


def sentences(asides: Iterable[SetAside]) -> list[str]:
    """Return a sentence for each, those that keep a whole metric from counting first."""
    first = sorted(asides, key=lambda one: (one.reason_code != "undeclared_scale", one.field))
    return [sentence(one) for one in first]


def sentence(aside: SetAside) -> str:
    """Say which values do not count, why, and what to do."""
    key = aside.field.removeprefix(_SCORES)
    name = printable(key)
    where = f"in {aside.runs:,} {'run' if aside.runs == 1 else 'runs'}"
    ends = f"{aside.low:g} and {aside.high:g}"
    is_one = aside.low == aside.high
    if aside.reason_code == "undeclared_scale":
        lies = f"is {aside.low:g}" if is_one else f"lies between {ends}"
        return f"{name} {lies} {where}: {_declare(key, aside)}"
    lies = f"is {aside.low:g}" if is_one else f"is between {ends}"
    if aside.reason_code == "negative":
        return f"{name} {lies} {where}, which cannot be: set aside, correct the source"
    if aside.reason_code == "out_of_range":
        return (
            f"{name} {lies} {where}, larger than is taken: set aside, correct the source, or "
            "write it in a larger unit"
        )
    return (
        f"{name} {lies} {where}, off its scale: set aside, correct the value, or the scale "
        f"({_quoted('--scale', key, 'LOW:HIGH')}), then ingest again"
    )


def _declare(key: str, aside: SetAside) -> str:
    """Say how to declare what nobody did."""
    usual = next(
        (f"{low}:{high}" for low, high in _USUAL_SCALES if low <= aside.low <= aside.high <= high),
        None,
    )
    if usual is None:
        return (
            "none of its values counts; if it is a count or a time, say so "
            f"(evalmart ingest {_quoted('--measure', key)}), else declare its scale "
            f"({_quoted('--scale', key, 'LOW:HIGH')}), then ingest again"
        )
    declared = shlex.join(["declare", "metric", printable(key), "--scale", usual])
    return (
        f"declare its scale (evalmart ingest {_quoted('--scale', key, usual)}, or "
        f"{declared}), then ingest again; until then none of its values counts"
    )


def _quoted(option: str, key: str, value: str | None = None) -> str:
    named = printable(key)
    return f"{option} {shlex.quote(named if value is None else f'{named}={value}')}"
