"""What a whole reading of a project adds up to, held against what the service counts.

The service says how many runs a project has, their tokens, and of each feedback key how
many rows and their mean. Where these agreed with what was read once, they show later that
nothing escaped: a run that was deleted or that began earlier, a row that was edited.
"""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOLERANCE = 1e-6


class Tally(msgspec.Struct, array_like=True):
    """What the feedback rows of one key come to."""

    rows: int = 0
    scored: int = 0
    total: float = 0.0

    def add(self, score: object, sign: int = 1) -> None:
        """Count a row with its score; take it off again with the sign -1."""
        self.rows += sign
        if isinstance(score, bool | int | float):
            self.scored += sign
            self.total += sign * score

    def agrees(self, said: object) -> bool:
        """Whether the service says the same: of all rows or of those with a score."""
        if not isinstance(said, dict) or said.get("n") not in (self.rows, self.scored):
            return False
        mean = said.get("avg")
        if not isinstance(mean, int | float) or not self.scored:
            return mean is None or not self.scored
        return isclose(mean, self.total / self.scored, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


Tallies = dict[str, Tally]


class Look(msgspec.Struct, kw_only=True):
    """What a whole reading found, for the next one to go on from; kept in the ledger."""

    at: str
    """When it began, ISO 8601, UTC."""
    shape: str
    """Fingerprint of all that decides what becomes of a run, but the run itself."""
    experiments: list[str]
    pending: dict[str, int]
    """Runs that were not finished, each with its tokens so far."""
    runs: int
    run_count: int | None
    """As the service counted; where that was not `runs`, only its changes are believed."""
    tokens: int | None
    """Of all runs; None where the service counted otherwise."""
    feedback: Tallies
    """Of the rows on runs, by key."""
    feedback_stats: dict[str, object]
    """As the service said."""
    keys: list[str]
    """Of all feedback."""
    meaning: str
    """Fingerprint of what the service says that these mean."""

    def differs(self, other: Look) -> bool:
        """Whether the project is otherwise than another reading found it."""
        mine, others = (msgspec.structs.replace(each, at="") for each in (self, other))
        return mine != others

    def count_with(self, further: int) -> int | None:
        """Return what the service should count when there are so many runs more."""
        return None if self.run_count is None else self.run_count + further


def kept(reference: Mapping[str, object]) -> Look | None:
    """Return the look in what a load says of its source; None where there is none."""
    try:
        return msgspec.convert(reference.get("look"), Look)
    except msgspec.ValidationError:
        return None


def tallied(rows: Iterable[tuple[str, object]]) -> Tallies:
    """Tally scores by key."""
    found: Tallies = {}
    for key, score in rows:
        found.setdefault(key, Tally()).add(score)
    return found


def agree(said: Mapping[str, object], tallies: Tallies) -> bool:
    """Whether the service says of each key what was tallied."""
    runs = said.get("runs")
    there = {key: tally for key, tally in tallies.items() if tally.rows}
    return (
        isinstance(runs, dict)
        and runs.keys() == there.keys()
        and all(tally.agrees(runs[key]) for key, tally in there.items())
    )


def lies_between(value: int | None, before: int | None, after: int | None) -> bool:
    """Whether a number is one that the service said, or passed in between."""
    if value is None or before is None or after is None:
        return False
    return min(before, after) <= value <= max(before, after)
