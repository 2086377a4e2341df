"""What evaluators read of a run and of the example it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

Result = dict[str, object]


class Run(Protocol):
    """What the evaluators here read of a run; LangSmith's `Run` has it."""

    outputs: Any
    start_time: datetime
    end_time: datetime | None
    total_tokens: int | None


class Example(Protocol):
    """What they read of an example; LangSmith's `Example` has it."""

    outputs: Any
    metadata: Any


def mapping(value: object) -> dict[str, Any]:
    """Return an object's fields; nothing where it is none."""
    return value if isinstance(value, dict) else {}
