"""What comes of one call: an answer, or a failure that is a result too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from loader.tools import secrets

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


class CallFailed(Exception):  # noqa: N818  reads as what happened
    """The target did not answer this task; recorded, and the run goes on.

    Attributes:
        latency_ms: how long the call took; None if that means nothing.
        may_be_charged: whether the other side may bill the call all the same.
        attempts: how often it was tried.

    """

    def __init__(
        self,
        reason: str,
        *,
        latency_ms: float | None = None,
        may_be_charged: bool = False,
        attempts: int = 1,
    ) -> None:
        """Keep the reason, without secrets and at a length to read."""
        super().__init__(secrets.redact(reason)[:LONGEST_ERROR])
        self.latency_ms = latency_ms
        self.may_be_charged = may_be_charged
        self.attempts = attempts


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
        raise _failed(str(value.get("error") or "the target failed"), latency_ms)
    if "outputs" not in value and "output" not in value:
        return Answer(outputs=dict(value), latency_ms=latency_ms)
    outputs = value["outputs"] if "outputs" in value else value["output"]
    usage = value.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    prompt = _count(usage.get("prompt_tokens", usage.get("input_tokens")), latency_ms)
    completion = _count(usage.get("completion_tokens", usage.get("output_tokens")), latency_ms)
    total = _count(value.get("tokens_used", usage.get("total_tokens")), latency_ms)
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    cost = value.get("cost_usd")
    if cost is not None and (isinstance(cost, bool) or not isinstance(cost, int | float)):
        raise _failed("the target's cost_usd is no number", latency_ms)
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
        cost_usd=None if cost is None else float(cost),
        metadata={
            **(metadata if isinstance(metadata, Mapping) else {}),
            **({"answered_model": str(value["model"])} if value.get("model") else {}),
        },
    )


def _failed(reason: str, latency_ms: float) -> CallFailed:
    return CallFailed(reason, latency_ms=latency_ms, may_be_charged=True)


def detail(details: object, name: str) -> int | None:
    """Return a count of `usage`'s details; None if it is not there, or no count.

    Servers agree on these less than on anything else, and an answer is not lost over them.
    """
    value = details.get(name) if isinstance(details, Mapping) else None
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None


def _kind(usage: Mapping[str, Any], places: tuple[str, ...], name: str) -> int | None:
    """Return how many tokens are of one kind, wherever a usage says so."""
    found = (detail(place, name) for place in (usage, *map(usage.get, places)))
    return next((count for count in found if count is not None), None)


def _count(value: object, latency_ms: float) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise _failed("the target's count of tokens is no whole number", latency_ms)
    return int(value)


def redact(text: str) -> str:
    """Return a text without known secrets, as `loader.tools.secrets` knows them.

    What comes back from an endpoint or a command may repeat a key it was given.
    """
    return secrets.without_known(text)


def redact_all(value: object) -> Any:  # noqa: ANN401  the same shape as what came in
    """Return a JSON value with every text in it redacted, and without NUL characters."""
    return secrets.without_known_all(value)
