"""What comes of one call: an answer, or a failure that is a result too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..ingest.printable import printable
from ..records.bounds import LARGEST_TOKENS
from ..tools import secrets

LONGEST_ERROR: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a target returned.

    Attributes:
        outputs: what evaluators see; a plain text stands under `output`.
        latency_ms: the call alone, by a monotonic clock; of the last attempt.
        tokens_used: as the target reports; None if it does not.
        prompt_tokens: likewise.
        completion_tokens: likewise.
        cached_tokens: those of the prompt that came from a cache; likewise.
        reasoning_tokens: those of the completion spent on reasoning; likewise.
        cost_usd: as the target reports or by its prices; None if unknown.
        metadata: kept with the run: `attempts`, `answered_model`, ….

    """

    outputs: Mapping[str, Any]
    latency_ms: float
    tokens_used: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known_cost_usd(self) -> float | None:
        """The cost, unless it is none that anybody can have paid."""
        is_sound = self.cost_usd is not None and 0 <= self.cost_usd < math.inf
        return self.cost_usd if is_sound else None

    @property
    def odd_cost_usd(self) -> float | None:
        """What may have been paid where the cost is impossible: the size of a negative one."""
        return _odd_cost(self.cost_usd)


class CallFailed(Exception):  # noqa: N818  reads as what happened
    """The target did not answer this task; recorded, and the run goes on.

    Attributes:
        latency_ms: how long the call took; None if that means nothing.
        may_be_charged: whether the other side may bill the call all the same.
        attempts: how often it was tried.
        known_cost_usd: what it cost; None if unknown.
        odd_cost_usd: likewise where it said what no cost can be, as of an answer.

    """

    def __init__(
        self,
        reason: str,
        *,
        latency_ms: float | None = None,
        may_be_charged: bool = False,
        attempts: int = 1,
        cost_usd: float | None = None,
    ) -> None:
        """Keep the reason, without secrets and at a length to read, as text that can be kept."""
        super().__init__(printable(secrets.redact(reason)[:LONGEST_ERROR]))
        is_sound = cost_usd is not None and 0 <= cost_usd < math.inf
        self.known_cost_usd = cost_usd if is_sound else None
        self.odd_cost_usd = _odd_cost(cost_usd)
        self.latency_ms = latency_ms
        self.may_be_charged = may_be_charged
        self.attempts = attempts


def _odd_cost(cost_usd: float | None) -> float | None:
    """Return the size of a cost that is negative or infinite; None for any other."""
    if cost_usd is None or math.isnan(cost_usd) or 0 <= cost_usd < math.inf:
        return None
    return abs(cost_usd)


def read_answer(value: object, latency_ms: float) -> Answer:
    """Read what a function or command returned.

    An object may say `outputs` or `output`, and beside it `tokens_used` or `usage`,
    `cost_usd`, `model`, `metadata`, `success` and `error`. Any other object is the outputs,
    anything else stands under `output`.

    Raises:
        CallFailed: it says that it failed, or its numbers are none.

    """
    if isinstance(value, Answer):
        return value
    if not isinstance(value, Mapping):
        return Answer(outputs={"output": value}, latency_ms=latency_ms)
    if value.get("success") is False or (value.get("error") and "success" not in value):
        reason = str(value.get("error") or "the target failed")
        raise _failed(reason, latency_ms, as_float(value.get("cost_usd")))
    if "outputs" not in value and "output" not in value:
        return Answer(outputs=dict(value), latency_ms=latency_ms)
    outputs = value["outputs"] if "outputs" in value else value["output"]
    usage = value.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    cost = as_float(value.get("cost_usd"))
    if cost is None and value.get("cost_usd") is not None:
        raise _failed("the target's cost_usd is no number", latency_ms)
    try:
        prompt = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
        completion = _count(usage.get("completion_tokens", usage.get("output_tokens")))
        total = _count(value.get("tokens_used", usage.get("total_tokens")))
    except ValueError as error:
        raise _failed(str(error), latency_ms, cost) from None
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    metadata = value.get("metadata")
    return Answer(
        outputs=dict(outputs) if isinstance(outputs, Mapping) else {"output": outputs},
        latency_ms=latency_ms,
        tokens_used=total,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=_kind(
            usage, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens"
        ),
        reasoning_tokens=_kind(
            usage, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
        ),
        cost_usd=cost,
        metadata={
            **(metadata if isinstance(metadata, Mapping) else {}),
            **({"answered_model": str(value["model"])} if value.get("model") else {}),
        },
    )


def _failed(reason: str, latency_ms: float, cost_usd: float | None = None) -> CallFailed:
    return CallFailed(reason, latency_ms=latency_ms, may_be_charged=True, cost_usd=cost_usd)


def as_float(value: object) -> float | None:
    """Return a number as a float, an infinite one if it is past all of them; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def detail(details: object, name: str) -> int | None:
    """Return a count of `usage`'s details; None if it is not there, or no count.

    Servers agree on these less than on anything else, and an answer is not lost over them.
    """
    count = whole_number(details.get(name)) if isinstance(details, Mapping) else None
    return count if count is not None and 0 <= count <= LARGEST_TOKENS else None


def _kind(usage: Mapping[str, Any], places: tuple[str, ...], name: str) -> int | None:
    """Return how many tokens are of one kind, wherever a usage says so."""
    found = (detail(place, name) for place in (usage, *map(usage.get, places)))
    return next((count for count in found if count is not None), None)


def whole_number(value: object) -> int | None:
    """Return a whole number, however it is written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_whole = isinstance(value, int) or value.is_integer()
    return int(value) if is_whole else None


def _count(value: object) -> int | None:
    """Return a count; raises ValueError where there is something else."""
    if value is None:
        return None
    count = whole_number(value)
    if count is None or abs(count) > LARGEST_TOKENS:
        raise ValueError("the target's count of tokens is no whole number that can be kept")
    return count


def redact(text: str) -> str:
    """Return a text without known secrets, as `loader.tools.secrets` knows them.

    What comes back from an endpoint or a command may repeat a key it was given.
    """
    return secrets.without_known(text)


def redact_all(value: object) -> Any:  # noqa: ANN401  the same shape as what came in
    """Return a JSON value with every text in it redacted, and without NUL characters."""
    return secrets.without_known_all(value)
