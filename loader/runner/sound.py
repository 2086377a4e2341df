"""Answers of foreign code made sound: plain JSON that can be kept, or a failure that is a result.

Whatever a target returns, the run goes on: what cannot be kept is written as text where that
says it too, and fails the answer where nothing else is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..ingest.printable import printable
from ..records.bounds import LARGEST_TOKENS
from .answers import CallFailed, as_float, whole_number

if TYPE_CHECKING:
    from .answers import Answer

DEEPEST: Final = 200
"""How deeply what a target returns may be nested."""
_LONGEST_MS: Final = 1e11
"""Three years: no call took longer."""
_LONGEST_BITS: Final = 4096
_COUNTS: Final = (
    "tokens_used", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens",
)  # fmt: skip
_PLAIN: Final = (bool, int, float, type(None))


def sound(answer: Answer, measured_ms: float) -> Answer:
    """Return an answer that evaluators and records can take.

    Numbers that are none are left out; keys become text, and so does half a character.

    Args:
        answer: as a target gave it.
        measured_ms: how long the call took, where the answer says nothing that can be.

    Raises:
        CallFailed: its outputs or its metadata are nested too deeply.

    """
    try:
        outputs, metadata = plain(answer.outputs), plain(answer.metadata)
    except TooDeep:
        raise CallFailed(
            f"the answer is nested more than {DEEPEST} levels deep; flatten it",
            latency_ms=measured_ms,
            may_be_charged=True,
            cost_usd=answer.cost_usd,
        ) from None
    latency, cost = as_float(answer.latency_ms), as_float(answer.cost_usd)
    is_time = latency is not None and 0 <= latency <= _LONGEST_MS
    return replace(
        answer,
        outputs=outputs if isinstance(outputs, dict) else {"output": outputs},
        latency_ms=measured_ms if latency is None or not is_time else latency,
        cost_usd=cost,
        metadata=metadata if isinstance(metadata, dict) else {},
        **{name: _count(getattr(answer, name)) for name in _COUNTS},
    )


def _count(value: object) -> int | None:
    """Return a count that a record can hold; None for anything else."""
    count = whole_number(value)
    return count if count is not None and -LARGEST_TOKENS <= count <= LARGEST_TOKENS else None


class TooDeep(Exception):  # noqa: N818  what was found
    """A value is nested too deeply."""


def plain(value: object, depth: int = 0) -> Any:  # noqa: ANN401  the same shape as what came in
    """Return a value with text for keys, and no text that UTF-8 cannot hold.

    What JSON has no type for stays as it is: the record says what it is.

    Raises:
        TooDeep: it is nested more than `DEEPEST` levels deep.

    """
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
        return f"an integer of {value.bit_length():,} bits"  # Python refuses to write it out
    if isinstance(value, _PLAIN):
        return value
    if depth > DEEPEST:
        raise TooDeep
    if isinstance(value, Mapping):
        return {_key(name): plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return value


def _text(text: str) -> str:
    """Return a text whose halves of characters are written as escapes."""
    return text.encode(errors="backslashreplace").decode()


def _key(name: object) -> str:
    return printable(name if isinstance(name, str) else told(name))


def told(value: object) -> str:
    """Return what foreign code says of itself, also where saying it fails."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  whatever foreign code raises
        return f"{type(value).__name__}, which raises {type(error).__name__} when it is shown"


def said_by(error: BaseException) -> str:
    """Return the kind of an error and what it says."""
    return f"{type(error).__name__}: {told(error)}"
