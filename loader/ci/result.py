"""What came of a pipeline's evaluation, for people and programs alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ERROR: Final = "error"
"""In place of a verdict: a step failed, and the log says why."""
RECORDED: Final = "recorded"
"""In place of a verdict: results of the main branch, which others are compared with."""


class Result(NamedTuple):
    """What came of it."""

    verdict: str
    """`pass`, `blocked`, `inconclusive` or `recorded`."""
    exit_code: int
    headline: str
    reasons: Sequence[str]
    experiment: str
    baseline: str
    """The experiment that it was compared with; empty where there was none, its own control arm's
    experiment where it brought one."""
    why_baseline: str
    commit: str
    metric: str | None = None
    """The deciding one."""
    improvement: float | None = None
    """Of the deciding metric, + is better; in the unit beside it."""
    improvement_low: float | None = None
    improvement_high: float | None = None
    improvement_unit: str | None = None
    """`points` or `%`."""
    policy_hash: str | None = None
    comment: str = ""
    """The body of the comment, without its marker."""

    def plain(self) -> dict[str, Any]:
        """Return it for a program, without the comment."""
        told = self._asdict()
        del told["comment"]
        return told | {"reasons": list(self.reasons)}
