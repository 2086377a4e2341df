"""What became of a run, and what of it went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..evaluators.tally import Failures

if TYPE_CHECKING:
    from collections.abc import Mapping


class Stop(StrEnum):
    """Why a run ended before everything was done."""

    COST = "cost"
    INTERRUPTED = "interrupted"
    DECIDED = "decided"


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
    def fruitless(self) -> list[str]:
        """Evaluators that gave neither a score nor a label of any answer, by name."""
        return sorted(name for name, scoring in self.evaluators.items() if scoring.is_all)

    @property
    def has_nothing(self) -> bool:
        """Whether runs were made and none has an answer, or an evaluator said nothing of any."""
        return self.made > 0 and (self.succeeded == 0 or bool(self.fruitless))
