"""OTLP JSON as exporters and collectors write it to files, with values of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BEGIN = 1_772_355_600_000_000_000
"""2026-03-01 09:00 UTC, in nanoseconds."""
RESULT = "gen_ai.evaluation.result"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What one trace is meant to say."""

    trace: str
    case: str
    relevance: float | None
    label: str
    input_tokens: int
    output_tokens: int
    milliseconds: int
    start: int
    error: str | None


def truths(runs: int, seed: int) -> Iterator[Truth]:
    """Yield what is meant; every ninth run failed and got no value."""
    random = Random(seed)  # noqa: S311  values of a file
    for number in range(runs):
        failed = number % 9 == 8
        yield Truth(
            trace=f"{random.getrandbits(96):024x}{number:08x}",
            case=f"case {number}",
            relevance=None if failed else round(random.random(), 5),
            label="fail" if failed else "pass",
            input_tokens=random.randrange(10, 900),
            output_tokens=random.randrange(1, 90),
            milliseconds=random.randrange(100, 4000),
            start=BEGIN + number * 1_000_000_000,
            error="the tool timed out" if failed else None,
        )


def attributes(**told: Any) -> list[dict[str, Any]]:  # noqa: ANN401  any value
    """Write attributes as OTLP does; a double underscore stands for a dot."""
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return [
        {
            "key": name.replace("__", "."),
            "value": {kinds[type(value)]: str(value) if type(value) is int else value},
        }
        for name, value in told.items()
        if value is not None
    ]


def result(
    name: str,
    value: float | None = None,
    label: str | None = None,
    **more: Any,  # noqa: ANN401  any value
) -> list[dict[str, Any]]:
    """Write the attributes of a result."""
    return attributes(
        gen_ai__evaluation__name=name,
        gen_ai__evaluation__score__value=value,
        gen_ai__evaluation__score__label=label,
        **more,
    )


def spans(truth: Truth) -> list[dict[str, Any]]:
    """Write the spans of a trace: an agent, its call of a model, and the judge's."""
    end = truth.start + truth.milliseconds * 1_000_000
    times = {"startTimeUnixNano": str(truth.start), "endTimeUnixNano": str(end)}
    usage = {
        "gen_ai__usage__input_tokens": truth.input_tokens,
        "gen_ai__usage__output_tokens": truth.output_tokens,
    }
    messages = [{"role": "user", "parts": [{"type": "text", "content": truth.case}]}]
    agent, call, judge = (f"{truth.trace[-8:]}{place:08x}" for place in range(3))
    status = {"code": 2, "message": truth.error} if truth.error else {"code": 1}
    return [
        {
            "traceId": truth.trace, "spanId": call, "parentSpanId": agent, "name": "chat small-1",
            **times, "status": {}, "attributes": attributes(
                gen_ai__operation__name="chat", gen_ai__request__model="small",
                gen_ai__response__model="small-1", gen_ai__response__id=f"r-{truth.trace}",
                **usage,
            ),
        },
        {
            "traceId": truth.trace, "spanId": judge, "parentSpanId": agent,
            "name": "evaluate answer", **times, "attributes": attributes(
                gen_ai__operation__name="chat", gen_ai__response__model="judge-1",
                gen_ai__usage__input_tokens=5000, gen_ai__usage__output_tokens=50,
            ),
        },
        {
            "traceId": truth.trace, "spanId": agent, "name": "invoke_agent desk", **times,
            "status": status, "attributes": attributes(
                gen_ai__operation__name="invoke_agent", gen_ai__agent__name="desk",
                test__case__name=truth.case, test__suite__name="desk suite",
                gen_ai__conversation__id="chat 3",
                gen_ai__input__messages=json.dumps(messages), **usage,
            ),
        },
    ]  # fmt: skip


def _resource(version: str) -> dict[str, Any]:
    return {"attributes": attributes(service__name="desk", service__version=version)}


def span_request(found: Iterable[dict[str, Any]], version: str = "1.0.0") -> dict[str, Any]:
    """Write spans as what an exporter sends."""
    scope = {"scope": {"name": "desk.agent"}, "spans": list(found)}
    return {"resourceSpans": [{"resource": _resource(version), "scopeSpans": [scope]}]}


def log_request(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Write log records as what an exporter sends."""
    scope = {"scope": {"name": "judges", "version": "2.1"}, "logRecords": list(found)}
    resource = {"attributes": attributes(service__name="online-evals")}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}


def record(truth: Truth, told: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a log record that holds a result of the agent's span."""
    return {
        "timeUnixNano": str(truth.start + 9_000_000_000), "eventName": RESULT,
        "severityNumber": 9, "traceId": truth.trace,
        "spanId": f"{truth.trace[-8:]}{0:08x}", "attributes": told,
    }  # fmt: skip


def results(truth: Truth) -> list[dict[str, Any]]:
    """Write the result of a trace's evaluation as the attributes of its event."""
    return result(
        "relevance", truth.relevance, truth.label, gen_ai__evaluation__explanation="it fits"
    )


def write_events(path: Path, runs: int, seed: int) -> Path:
    """Write a line a request, results as events of spans."""
    with path.open("w", encoding="utf-8") as file:
        for truth in truths(runs, seed):
            found = spans(truth)
            at = str(truth.start + 9_000_000_000)
            found[2]["events"] = [
                {"name": RESULT, "timeUnixNano": at, "attributes": results(truth)}
            ]
            file.write(json.dumps(span_request(found)) + "\n")
    return path


def write_logs(path: Path, runs: int, seed: int) -> Path:
    """Write a line a request, all results as log records before all spans."""
    with path.open("w", encoding="utf-8") as file:
        for truth in truths(runs, seed):
            file.write(json.dumps(log_request([record(truth, results(truth))])) + "\n")
        for truth in truths(runs, seed):
            file.write(json.dumps(span_request(spans(truth))) + "\n")
    return path


def write_document(path: Path, runs: int, seed: int) -> Path:
    """Write one document, a service's spans and its results for each trace."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n  "resourceSpans": [')
        for number, truth in enumerate(truths(runs, seed)):
            [service] = span_request(spans(truth))["resourceSpans"]
            file.write(f"{',' if number else ''}\n{json.dumps(service)}")
        file.write('],\n  "resourceLogs": [')
        for number, truth in enumerate(truths(runs, seed)):
            [service] = log_request([record(truth, results(truth))])["resourceLogs"]
            file.write(f"{',' if number else ''}\n{json.dumps(service)}")
        file.write("]\n}\n")
    return path


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write three files, as many traces as asked in all."""
    third = runs // 3
    return [
        write_events(folder / f"traces_{seed}.jsonl", runs - 2 * third, 3 * seed),
        write_logs(folder / f"otlp_{seed}.jsonl", third, 3 * seed + 1),
        write_document(folder / f"otlp_{seed}.json", third, 3 * seed + 2),
    ]
