"""What became of a run, and what of it went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_ERRORS: Final = 3
_LONGEST_SHOWN: Final = 100
_TIMES: Final = "\u00d7"


class Stop(StrEnum):
    """Why a run ended before everything was done."""

    COST = "cost"
    INTERRUPTED = "interrupted"
    DECIDED = "decided"


@dataclass(slots=True)
class Failures:
    """How often one kind of thing failed, and why.

    Attributes:
        attempts: how often it was tried.
        failed: how often it failed.
        errors: the commonest errors, shortened, and how often each.

    """

    attempts: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def note(self, error: str | None) -> None:
        """Count one attempt; without secrets in its error, None if it went well."""
        self.attempts += 1
        if error is not None:
            self.failed += 1
            line = error.strip().partition("\n")[0]
            is_long = len(line) > _LONGEST_SHOWN
            self.errors[f"{line[: _LONGEST_SHOWN - 1]}…" if is_long else line] += 1

    def commonest(self) -> list[str]:
        """Return a line for each of the commonest errors: how often, and what."""
        lines = [
            f"{count:,} {_TIMES} {text}" for text, count in self.errors.most_common(_SHOWN_ERRORS)
        ]
        others = len(self.errors) - len(lines)
        return [*lines, *([f"and {others:,} other errors"] if others else [])]


@dataclass(slots=True)
class Outcome:
    """What became of a run.

    Attributes:
        planned: runs that were to be made.
        already_done: runs that were there before.
        succeeded: runs made now that have an answer.
        failed: runs made now that have none; kept with their error.
        cost_usd: what the runs made now cost, as far as known; None if of none it is.
        unknown_costs: runs made now whose cost nobody knows.
        is_limit_blind: whether the limit of what may be spent could not hold, because
            nobody knew what calls cost.
        tokens: tokens used by the runs made now, as far as known.
        spooled: runs that wait in a spool file for the database.
        stop: why it ended early; None if everything is done.
        message: for a person: what stopped it, or what was decided.
        notes: for a person: what was there before.
        seconds: how long it took.
        tasks: tasks of an arm with a run made now.
        failed_tasks: those without any answer.
        answers: how often an answer failed, and why.
        evaluators: the same of each evaluator, by its name.

    """

    planned: int = 0
    already_done: int = 0
    succeeded: int = 0
    failed: int = 0
    cost_usd: float | None = 0.0
    unknown_costs: int = 0
    is_limit_blind: bool = False
    tokens: int = 0
    spooled: int = 0
    stop: Stop | None = None
    message: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tasks: int = 0
    failed_tasks: int = 0
    answers: Failures = field(default_factory=Failures)
    evaluators: Mapping[str, Failures] = field(default_factory=dict)

    @property
    def made(self) -> int:
        """Runs made now, with or without an answer."""
        return self.succeeded + self.failed

    @property
    def remaining(self) -> int:
        """Runs that are still missing."""
        return self.planned - self.made

    @property
    def has_nothing(self) -> bool:
        """Whether runs were made and none came to anything: no answer, or none scored."""
        scoring = self.evaluators.values()
        attempts, failed = (
            sum(each.attempts for each in scoring),
            sum(each.failed for each in scoring),
        )
        return self.made > 0 and (self.succeeded == 0 or 0 < attempts == failed)
