"""What the row of a trace in Langfuse says besides its name: scores, latency, cost, tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .cells import number
from .langfuse_scores import Score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MILLISECOND: Final = timedelta(milliseconds=1)
_OF_TRACE: Final = frozenset({
    "id", "timestamp", "name", "userId", "sessionId", "release", "version", "environment", "tags",
    "bookmarked", "public", "input", "output", "metadata", "comments", "scores", "observations",
    "htmlPath", "latency", "totalCost", "createdAt", "updatedAt", "projectId", "externalId",
})  # fmt: skip
"""What a trace has besides the columns of scores that its table gains when it is exported."""


def first_of(values: Mapping[str, Any], wanted: tuple[str, ...]) -> str | None:
    """Return the first of some names that has a value."""
    return next((str(values[name]) for name in wanted if values.get(name)), None)


def earliest(scores: Sequence[Score]) -> str | None:
    """Return when the first of some scores was given."""
    return min((score.timestamp for score in scores if score.timestamp), default=None)


def scores_in(row: Mapping[str, Any]) -> Iterator[Score]:
    """Yield the scores that stand in the row of a trace: whole, or as columns of their names."""
    held = row.get("scores")
    for each in held if isinstance(held, list) else ():
        if isinstance(each, dict):  # a list of traces has ids only
            yield msgspec.convert({"traceId": row.get("id"), **each}, Score, strict=False)
    if "traceId" in row or "observations" in row:
        return
    columns = held if isinstance(held, dict) else {
        name: value for name, value in row.items() if name not in _OF_TRACE
    }  # fmt: skip
    for name, value in columns.items():
        given = value if isinstance(value, list) else [value]
        numbers = [float(each) for each in given if isinstance(each, int | float)]
        if numbers:
            mean = sum(numbers) / len(numbers)
            yield Score(name=name, trace_id=row["id"], value=mean, data_type="NUMERIC")
        elif given and isinstance(given[-1], str):
            held_number = number(given[-1])
            kind = "CATEGORICAL" if held_number is None else "NUMERIC"
            yield Score(name=name, trace_id=row["id"], value=given[-1], data_type=kind)


def measured(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return latency, cost, tokens and model of a trace, and whether it failed."""
    found: dict[str, Any] = {}
    seconds, cost = row.get("latency"), row.get("totalCost")
    if isinstance(seconds, int | float):
        found["latency_ms"] = seconds * 1000
    elif (duration := _duration(row.get("startTime"), row.get("endTime"))) is not None:
        found["latency_ms"] = duration
    if isinstance(cost, int | float):
        found["cost_usd"] = cost
    held = row.get("observations")
    observations = (
        [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
    )
    usages = [usage for each in observations if isinstance(usage := each.get("usageDetails"), dict)]
    for name, key in (
        ("prompt_tokens", "input"), ("completion_tokens", "output"), ("tokens_used", "total"),
    ):  # fmt: skip
        counts = [usage[key] for usage in usages if isinstance(usage.get(key), int | float)]
        if counts:
            found[name] = sum(counts)
    models = {
        model for each in observations if isinstance(model := each.get("model"), str) and model
    }
    if len(models) == 1:
        found["model_version"] = models.pop()
    roots: list[Mapping[str, Any]] = [
        each for each in observations if not each.get("parentObservationId")
    ]
    failed = next((each for each in roots or [row] if each.get("level") == "ERROR"), None)
    if failed is not None:
        reason = failed.get("statusMessage") or "the trace ended with level ERROR"
        found |= {"error_message": str(reason), "success": False}
    return found


def _duration(start: object, end: object) -> float | None:
    """Return the milliseconds between two times; None where one is missing or none."""
    if not isinstance(start, str) or not isinstance(end, str):
        return None
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)) / _MILLISECOND
    except (ValueError, TypeError):  # no times, or only one has a zone
        return None
