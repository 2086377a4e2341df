"""What people type for the built-in metrics."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SHORT_NAMES: Final[Mapping[str, str]] = {
    "latency": "latency_ms",
    "tokens": "tokens_used",
    "cost": "cost_usd",
}


def resolve(name: str, known: Collection[str] = ()) -> str:
    """Return the metric that a name stands for: `latency` is `latency_ms`.

    Args:
        name: as a person typed it.
        known: metrics that there are; one of that very name goes first.

    """
    return name if name in known else SHORT_NAMES.get(name, name)


def declaring(name: str, options: str) -> str:
    """Return the command that declares a metric, the name as a shell quotes it.

    Args:
        name: of a record's, so it may be anything.
        options: what is declared, in the command's words.

    """
    return f"evalmart declare metric {shlex.quote(name)} {options}"
