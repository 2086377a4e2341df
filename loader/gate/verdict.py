"""What a gate says, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ..marts.rows import Reason

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


class Held(NamedTuple):
    """What one condition of a policy found: what it makes of the verdict, and why."""

    verdict: Verdict
    reason: Reason


def worst(*verdicts: Verdict) -> Verdict:
    """Return the worst of some verdicts; pass if there is none."""
    return max(verdicts, key=GRAVITY.index, default=Verdict.PASS)
