"""What stands in an OTLP file: spans, and results of evaluations that belong to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...records.json_text import shown
from .. import Rejection
from ..values import finite
from . import Rejected
from .cells import number

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT: Final = "gen_ai.evaluation.result"
_NAME: Final = "gen_ai.evaluation.name"
_VALUES: Final = ("gen_ai.evaluation.score.value", "gen_ai.evaluation.score")
_LABEL: Final = "gen_ai.evaluation.score.label"
_EXPLANATIONS: Final = ("gen_ai.evaluation.explanation", "gen_ai.evaluation.reasoning")
_ERROR_CODES: Final = (2, "2", "STATUS_CODE_ERROR")
_SECOND: Final = 1_000_000_000
_UINT64: Final = 2**64
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""

Attributes = dict[str, Any]


class _Attribute(msgspec.Struct):
    key: str
    value: dict[str, Any] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] = []


class _Scope(msgspec.Struct):
    name: str | None = None
    version: str | None = None


class _Status(msgspec.Struct):
    code: int | str | None = None
    message: str | None = None


class _SpanEvent(msgspec.Struct, rename="camel"):
    name: str | None = None
    time_unix_nano: str | int | None = None
    attributes: list[_Attribute] = []


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    start_time_unix_nano: str | int | None = None
    end_time_unix_nano: str | int | None = None
    attributes: list[_Attribute] = []
    events: list[_SpanEvent] = []
    status: _Status | None = None


class _LogRecord(msgspec.Struct, rename="camel"):
    time_unix_nano: str | int | None = None
    observed_time_unix_nano: str | int | None = None
    event_name: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: list[_Attribute] = []


class _ScopeSpans(msgspec.Struct):
    spans: list[_Span] = []


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: list[_LogRecord] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    """Spans of one service."""

    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class ResourceLogs(msgspec.Struct, rename="camel"):
    """Log records of one service."""

    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] = []


class Request(msgspec.Struct, rename="camel"):
    """What an exporter sends at once, and writes as one line."""

    resource_spans: list[ResourceSpans] = []
    resource_logs: list[ResourceLogs] = []


class Span(msgspec.Struct, omit_defaults=True):
    """A span, as far as a run is told by it."""

    trace: str
    id: str
    parent: str | None
    name: str
    start: int | None
    """Nanoseconds since 1970."""
    end: int | None
    error: str | None
    """Why it failed, if it did."""
    attributes: Attributes
    resource: Attributes


class Result(msgspec.Struct, omit_defaults=True):
    """The result of one evaluation."""

    name: str
    span: str | None
    at: int | None
    """Nanoseconds since 1970."""
    value: float | None = None
    label: str | None = None
    explanation: str | None = None
    error: str | None = None
    """`error.type`: the evaluation itself failed."""
    evaluator: str | None = None
    """Name and version of the library that emitted it."""
    attributes: Attributes = {}
    resource: Attributes = {}


class Place(msgspec.Struct):
    """What a result belongs to, by the first of these that it has."""

    trace: str | None
    response: str | None
    conversation: str | None


def nanoseconds(text: str | int | None) -> int | None:
    """Return a time; None where there is none, 0 standing for that, or none that can be."""
    try:
        found = int(text or 0)
    except ValueError:
        return None
    return found if 0 < found < _UINT64 else None


def iso(at: int | None) -> str | None:
    """Write a time as ISO 8601, in UTC; None where it is none that can be."""
    if at is None or not 0 < at // _SECOND <= _LATEST:
        return None
    return datetime.fromtimestamp(at / _SECOND, UTC).isoformat(timespec="milliseconds")


def attributes_of(listed: list[_Attribute]) -> Attributes:
    """Return attributes by their names; what has no value is left out."""
    found = {each.key: _value(each.value or {}) for each in listed}
    return {name: value for name, value in found.items() if value is not None}


def _value(value: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    """Return what an AnyValue holds: integers are written as text."""
    for kind, held in value.items():
        if kind == "intValue":
            whole: Any = number(held) if isinstance(held, str) else held
            return None if finite(whole) is None else int(whole)
        if kind in ("stringValue", "doubleValue", "boolValue", "bytesValue"):
            return held
        if kind == "arrayValue" and isinstance(held, dict):
            return [_value(each) for each in held.get("values") or () if isinstance(each, dict)]
        if kind == "kvlistValue" and isinstance(held, dict):
            listed = held.get("values") or ()
            return {each.get("key", ""): _value(each.get("value") or {}) for each in listed}
    return None


def spans_of(found: ResourceSpans) -> Iterator[tuple[Span, list[_SpanEvent]]]:
    """Yield the spans of a service, each with its events."""
    resource = attributes_of(found.resource.attributes if found.resource else [])
    for scope in found.scope_spans:
        for each in scope.spans:
            attributes = attributes_of(each.attributes)
            error = None
            if each.status is not None and each.status.code in _ERROR_CODES:
                told = each.status.message or attributes.get("error.type")
                error = str(told or "the span ended with an error")
            yield (
                Span(
                    each.trace_id, each.span_id, each.parent_span_id or None, each.name,
                    nanoseconds(each.start_time_unix_nano), nanoseconds(each.end_time_unix_nano),
                    error, attributes, resource,
                ),
                each.events,
            )  # fmt: skip


def results_of_span(
    span: Span, events: list[_SpanEvent], number_: int
) -> Iterator[tuple[Place, Result] | Rejected]:
    """Yield the results among the events of a span."""
    for event in events:
        if event.name == RESULT:
            attributes = attributes_of(event.attributes)
            at = nanoseconds(event.time_unix_nano) or span.end
            yield _result(attributes, span.trace, span.id, at, number_)


def results_of_logs(found: ResourceLogs, number_: int) -> Iterator[tuple[Place, Result] | Rejected]:
    """Yield the results among the log records of a service."""
    resource = attributes_of(found.resource.attributes if found.resource else [])
    for scope in found.scope_logs:
        about = scope.scope
        evaluator = f"{about.name} {about.version}" if about and about.version else None
        for record in scope.log_records:
            attributes = attributes_of(record.attributes)
            if RESULT not in (record.event_name, attributes.get("event.name")):
                continue
            at = nanoseconds(record.time_unix_nano) or nanoseconds(record.observed_time_unix_nano)
            made = _result(attributes, record.trace_id or None, record.span_id or None, at, number_)
            if not isinstance(made, Rejected):
                made[1].resource = resource
                made[1].evaluator = evaluator
            yield made


def _result(
    attributes: Attributes, trace: str | None, span: str | None, at: int | None, number_: int
) -> tuple[Place, Result] | Rejected:
    place = Place(
        trace,
        _text(attributes.get("gen_ai.response.id")),
        _text(attributes.get("gen_ai.conversation.id")),
    )
    name = _text(attributes.pop(_NAME, None))
    if name is None or not (place.trace or place.response or place.conversation):
        lacks = (
            f"an evaluation result has no {_NAME}; without it nobody can tell what was evaluated"
            if name is None
            else f"the result {name!r} has neither a trace nor gen_ai.response.id nor "
            "gen_ai.conversation.id, so that it belongs to no run; emit it within the span"
        )
        return _refused(number_, attributes, "missing_field", lacks)
    value = _first(attributes, _VALUES)
    if isinstance(value, str):
        value = number(value)
    if value is not None and not isinstance(value, int | float):
        told = (
            f"the value of the result {name!r} is {shown(value)}, not a number; emit "
            "gen_ai.evaluation.score.value as one"
        )
        return _refused(number_, {**attributes, _VALUES[0]: value}, "invalid_score", told)
    explanation = _text(_first(attributes, _EXPLANATIONS))
    label = _text(attributes.pop(_LABEL, None))
    return place, Result(
        name, span, at, None if value is None else float(value), label, explanation,
        _text(attributes.get("error.type")), attributes=attributes,
    )  # fmt: skip


def _refused(number_: int, attributes: Attributes, code: str, reason: str) -> Rejected:
    text = msgspec.json.encode(attributes, enc_hook=str)[:2000]
    return Rejected(number_, text, Rejection(code, reason))


def _first(attributes: Attributes, names: tuple[str, ...]) -> Any:  # noqa: ANN401  any JSON value
    found = [attributes.pop(name, None) for name in names]
    return next((value for value in found if value is not None), None)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
