"""What a gate says, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

RULE_VERSION: Final = 2
"""Of the rule that the marts decide by (`macros/verdict`): 2, evidence alone decides; 1, which
the ledger has as null, asked the old system's weighted mean too. A change of the rule that
can change a verdict counts up here, and `replay` names it as a cause."""


class Verdict(StrEnum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    BLOCKED = "blocked"
    INCONCLUSIVE = "inconclusive"


GRAVITY: Final = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.BLOCKED)
"""From the best to the worst."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why: a stable code, a sentence, and the numbers it rests on.

    Attributes:
        code: what it is, for programs.
        sentence: what it is, for people.
        metric: which one it is about.
        improvement: on the scale of the margin, + is better.
        low: the bad end of its interval.
        high: the good end.
        p: what was held against the level.
        level: what p had to be at or below.
        margin: how much worse is still fine.
    """

    code: str
    sentence: str
    metric: str | None = None
    improvement: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    level: float | None = None
    margin: float | None = None


class Held(NamedTuple):
    """What one condition of a policy found: what it makes of the verdict, and why."""

    verdict: Verdict
    reason: Reason


def worst(*verdicts: Verdict) -> Verdict:
    """Return the worst of some verdicts; pass if there is none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.PASS)
