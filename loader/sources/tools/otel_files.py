"""OTLP JSON as it is written to files: a line a request, or one document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .json_lines import has_lines
from .otel_records import (
    Request,
    ResourceLogs,
    ResourceSpans,
    Span,
    results_of_logs,
    results_of_span,
    spans_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Rejected
    from .opened import Part, ToolFile
    from .otel_records import Place, Result

_LISTS: Final = ("resourceSpans", "resourceLogs")
_BEGUN: Final = re.compile(rb'"(?:resourceSpans|resourceLogs)"\s*:\s*\[')
_MOST_BESIDE: Final = 100
_SUFFIXES: Final = (".json", ".jsonl", ".ndjson")


def is_otlp(file: ToolFile) -> bool:
    """Whether a file is one of spans or logs, by its beginning."""
    is_request = bool(file.keys) and file.keys <= {*_LISTS, "resourceMetrics"}
    return is_request and _BEGUN.search(file.head) is not None


def beside(file: ToolFile) -> list[ToolFile]:
    """Return the other such files of the folder; at most a hundred are looked at."""
    return [each for each in file.beside("*", _SUFFIXES)[:_MOST_BESIDE] if is_otlp(each)]


def parts_of(
    file: ToolFile,
) -> Iterator[Part[Request] | Part[ResourceSpans] | Part[ResourceLogs] | Rejected]:
    """Yield the requests of a file: its lines, or the services of its one document.

    Raises:
        FileBroken: the document breaks off.

    """
    if not file.is_list and not has_lines(file):
        lists = [name for name in _LISTS if name in file.outline(*_LISTS).counts]
        for name in lists:
            if name == "resourceSpans":
                yield from file.parts(name, ResourceSpans)
            else:
                yield from file.parts(name, ResourceLogs)
        return
    if file.is_list:
        file.count()  # a list that breaks off is refused before its first run
        yield from file.parts("", Request)
    else:
        yield from file.lines(Request)


def found_in(
    part: Part[Request] | Part[ResourceSpans] | Part[ResourceLogs],
) -> Iterator[Span | tuple[Place, Result] | Rejected]:
    """Yield the spans and the results of a request, and what of them cannot be read."""
    held = part.value
    if isinstance(held, Request):
        services, logs = held.resource_spans, held.resource_logs
    else:
        services = [held] if isinstance(held, ResourceSpans) else []
        logs = [held] if isinstance(held, ResourceLogs) else []
    for service in services:
        for span, events in spans_of(service):
            yield span
            yield from results_of_span(span, events, part.number)
    for service_logs in logs:
        yield from results_of_logs(service_logs, part.number)
