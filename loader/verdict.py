"""What a gate says, and why."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What the gate says."""

    PASS = "pass"  # noqa: S105  a verdict, not a password
    BLOCKED = "blocked"
    INCONCLUSIVE = "inconclusive"


class Reason(msgspec.Struct, frozen=True):
    """Why: a stable code, and a sentence with the numbers it rests on."""

    code: str
    sentence: str
    metric: str | None = None
