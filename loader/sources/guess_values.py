"""Whether what stands in a column is what a field of a record wants, and in which unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..records.checks import FIELDS
from .units import unit_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .probe import Column
    from .proposal import Proposal

_SUCCESSES: Final = frozenset(
    ("success", "succeeded", "ok", "passed", "pass", "done", "completed", "finished")
)
_FAILURES: Final = frozenset(
    ("failure", "failed", "fail", "error", "errored", "timeout", "crashed", "aborted")
)
_SECONDS_BELOW: Final = 200.0
"""A typical latency below that, without a unit, is taken to be in seconds."""


def fits(proposal: Proposal, goal: str, column: Column) -> bool:
    """Propose a column for a field if what stands in it is what the field wants.

    Args:
        proposal: gets the column.
        goal: the field.
        column: named as such a field often is.

    Returns:
        Whether it was proposed.

    """
    propose = _OF_FIELD.get(goal)
    if propose is not None:
        return propose(proposal, column)
    kind = FIELDS[goal][0]
    if (
        (goal == "source_run_id" and not column.is_unique)
        or (kind == "integer" and not column.is_whole)
        or (kind == "number" and not column.is_numeric)
    ):
        return False
    proposal.add(goal, column.name, "by its name")
    return True


def _time(proposal: Proposal, column: Column) -> bool:
    form = column.time_form()
    if form == "ambiguous":
        proposal.notes.append(
            f"{column.name} may be day or month first: say recorded_at: {column.name}:dmy or :mdy"
        )
    if form == "short":
        proposal.notes.append(
            f"{column.name} has years of two digits: write four, and it is recorded_at"
        )
    if form in (None, "ambiguous", "short"):
        return False
    told = {"iso": "ISO 8601", "dmy": "a day past the 12th stands first", "mdy": "a day past the "
            "12th stands second", "excel": "days of a spreadsheet"}  # fmt: skip
    reason = told.get(str(form), f"the size of {form.replace('_', ' in ') if form else ''}")
    proposal.add("recorded_at", column.name, reason, "" if form == "iso" else f":{form}")
    return True


def _latency(proposal: Proposal, column: Column) -> bool:
    if not column.is_numeric:
        return False
    unit = unit_of(column.name)
    if unit is not None and unit.quantity == "time":
        operations = "" if unit.name == "ms" else f":{unit.name}"
        proposal.add("latency_ms", column.name, f"its name says {unit.name}", operations)
        return True
    middle = sorted(column.numbers)[len(column.numbers) // 2]
    is_seconds = middle < _SECONDS_BELOW
    told = "seconds" if is_seconds else "milliseconds"
    reason = f"no unit; its middle, {middle:g}, is that of {told}"
    proposal.add("latency_ms", column.name, reason, ":s" if is_seconds else "")
    proposal.notes.append(f"{column.name} says no unit: check that of latency_ms")
    return True


def _cost(proposal: Proposal, column: Column) -> bool:
    unit = unit_of(column.name)
    if not column.is_numeric or (unit is not None and unit.size is None):
        return False
    if unit is None or unit.name == "usd":
        reason = "US dollars" if unit else "taken as US dollars: no currency is named"
        proposal.add("cost_usd", column.name, reason)
    else:
        proposal.add("cost_usd", column.name, f"its name says {unit.name}", f":{unit.name}")
    return True


def _success(proposal: Proposal, column: Column) -> bool:
    if column.is_truth:
        proposal.add("success", column.name, "true or false")
        return True
    words = list(column.distinct)
    if not words or not {word.lower() for word in words} <= _SUCCESSES | _FAILURES:
        return False
    meanings = ",".join(f"{word}:{str(word.lower() in _SUCCESSES).lower()}" for word in words)
    proposal.add("success", column.name, "its words", f"{{{meanings}}}")
    return True


_OF_FIELD: Final[dict[str, Callable[[Proposal, Column], bool]]] = {
    "recorded_at": _time,
    "latency_ms": _latency,
    "success": _success,
    "cost_usd": _cost,
}
