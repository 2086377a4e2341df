"""OpenTelemetry: results of evaluations in OTLP JSON, with the spans of what was evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...records.bounds import LONGEST_LABEL
from ...tools.counts import counted
from . import About, Companion, FileBroken, Importer, Noted, Rejected, Run
from .cells import body
from .gathered import Gathered
from .naming import Names, named_by_content, worth_keeping
from .otel_files import beside, found_in, is_otlp, parts_of
from .otel_records import Result, Span, iso
from .otel_trace import Unit, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from . import Item
    from .opened import ToolFile
    from .otel_records import Place

_TASKS: Final = (
    "test.case.id", "test.case.name", "gen_ai.dataset.item.id", "dataset.item.id",
    "dataset_item_id", "eval.case.id", "task.id", "task_id",
)  # fmt: skip
_EXPERIMENTS: Final = ("test.suite.name", "gen_ai.dataset.name", "dataset.name")
_INPUTS: Final = ("gen_ai.input.messages", "gen_ai.prompt")
_OUTPUTS: Final = ("gen_ai.output.messages", "gen_ai.completion")
_BODIES: Final = frozenset({
    *_INPUTS, *_OUTPUTS, "gen_ai.system_instructions", "gen_ai.tool.definitions",
})  # fmt: skip

_NO_ARM: Final = ("gen_ai.usage.", "gen_ai.response.id", "gen_ai.tool.")
"""Beginnings of attributes that no arm is told by: each call has its own."""

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode_span = msgspec.json.Decoder(Span).decode
_decode_result = msgspec.json.Decoder(Result).decode


def _runs(file: ToolFile) -> Iterator[Item]:
    with Gathered() as gathered:
        results = spans = 0
        for part in parts_of(file):
            if isinstance(part, Rejected):
                yield part
                continue
            for found in found_in(part):
                if isinstance(found, Rejected):
                    yield found
                elif isinstance(found, Span):
                    spans += 1
                    _keep_span(found, part.number, gathered)
                else:
                    results += 1
                    _keep_result(*found, part.number, gathered)
        if not spans or not results:
            yield from _join(file, gathered, has_results=bool(results))
        if results:
            yield from _of_traces(file, gathered)


def _keep_span(span: Span, place: int, gathered: Gathered) -> None:
    text = b"s" + _encode(span)
    gathered.add(span.trace, place, text)
    response = span.attributes.get("gen_ai.response.id")
    if isinstance(response, str) and response:
        # a result that is outside of the trace names the response
        gathered.add(f"response/{response}", place, text)


def _keep_result(place: Place, result: Result, number: int, gathered: Gathered) -> None:
    if place.trace:
        key = place.trace
    elif place.response:
        key = f"response/{place.response}"
    else:
        key = f"conversation/{place.conversation}"
    gathered.add(key, number, b"r" + _encode(result))


def _join(file: ToolFile, gathered: Gathered, *, has_results: bool) -> Iterator[Noted | Companion]:
    """Put in the spans of other files of the folder: collectors write logs into their own."""
    others = beside(file)
    if others and not has_results:
        yield Companion("the results of evaluations beside it")
        return
    for other in others:
        try:
            for part in parts_of(other):
                if not isinstance(part, Rejected):
                    for found in found_in(part):
                        if isinstance(found, Span):
                            _keep_span(found, 0, gathered)
        except FileBroken as broken:
            told = broken.rejection.reason
            yield Noted(f"{other.name} beside it cannot be read, and is not joined: {told}")


def _of_traces(file: ToolFile, gathered: Gathered) -> Iterator[Item]:
    names = Names(file.name)
    untold = 0
    for group in gathered.groups():
        if isinstance(group, Rejected):
            yield group
            continue
        key, pieces = group
        spans = [_decode_span(each.text[1:]) for each in pieces if each.text[:1] == b"s"]
        results = [
            (each.number, _decode_result(each.text[1:])) for each in pieces if each.text[:1] == b"r"
        ]
        for unit in units(key, spans, results):
            run = _run(unit, gathered, names)
            untold += run.record["task_id"] == unit.key
            yield run
    if untold:
        yield Noted(
            f"{counted(untold, 'run')} without test.case.name or the input: the trace is the "
            "task, which no other arm shares; --format otel --map task_id=NAME says which "
            "attribute of the span does"
        )


def _run(unit: Unit, gathered: Gathered, names: Names) -> Run:
    told = unit.attributes
    task = _first(told, _TASKS)
    asked = _asked(unit.first_of(_INPUTS))
    if task is None and asked is not None:
        task = named_by_content("input", asked)
    record: dict[str, Any] = {
        "experiment_id": _first(told, _EXPERIMENTS)
        or _first(unit.service, ("service.name",))
        or "otel",
        "task_id": task or unit.key,
        "source_run_id": unit.key,
        "extension_version": _first(told, ("gen_ai.agent.version",))
        or _first(unit.service, ("service.version",)),
        "agent_name": _first(told, ("gen_ai.agent.name",)),
        "model_version": unit.model,
        "recorded_at": iso(unit.began),
        "inputs": _body(unit.first_of(_INPUTS)),
        "outputs": _body(unit.last_of(_OUTPUTS)),
        **unit.measured,
        **_scored(unit.results),
    }
    if task:
        arm = f"{record['extension_version']} {unit.model} {task}"
        record["repetition"] = gathered.ordinal(arm.encode())
    if unit.error is not None:
        record |= {"error_message": unit.error, "success": False}
    kept = worth_keeping(unit.own, _BODIES)
    if unit.superseded:
        kept["earlier_scores"] = unit.superseded
    if kept:
        record["metadata"] = kept
    shown = {
        name: value
        for name, value in told.items()
        if name not in _BODIES and not name.startswith(_NO_ARM)
    }
    if unit.model is not None:
        shown["model"] = unit.model
    return Run(
        unit.number,
        {name: value for name, value in record.items() if value is not None},
        names.of(shown),
    )


def _first(attributes: dict[str, Any], wanted: Sequence[str]) -> str | None:
    return next((str(attributes[name]) for name in wanted if attributes.get(name)), None)


def _body(value: Any) -> Any:  # noqa: ANN401  any JSON value
    return body(value) if isinstance(value, str) else value


def _asked(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return what a person asked: system prompts may be what two arms differ in."""
    messages = _body(value)
    if not isinstance(messages, list):
        return messages
    asked = [each for each in messages if isinstance(each, dict) and each.get("role") == "user"]
    return asked[0] if asked else messages


def _scored(results: Sequence[Result]) -> dict[str, Any]:
    """Return scores, labels and comments: of several spans that one evaluator scored, the mean."""
    found: dict[str, dict[str, Any]] = {
        "scores": {}, "labels": {}, "comments": {}, "evaluator_versions": {},
    }  # fmt: skip
    given: dict[str, list[float]] = {}
    for result in results:
        name = result.name
        if result.value is not None:
            given.setdefault(name, []).append(result.value)
        elif result.label is None:
            found["scores"].setdefault(name, None)
        if result.label is not None:
            is_short = len(result.label) <= LONGEST_LABEL
            found["labels" if is_short else "comments"][name] = result.label
        if result.explanation or result.error:
            told = f"the evaluation failed: {result.error}" if result.error else ""
            parts = [part for part in (result.explanation, told) if part]
            found["comments"][name] = "; ".join(parts)
        if result.evaluator:
            found["evaluator_versions"][name] = result.evaluator
    found["scores"] |= {name: sum(values) / len(values) for name, values in given.items()}
    return {name: values for name, values in found.items() if values}


IMPORTER: Final = Importer(
    About(
        kind="otel",
        tool="OpenTelemetry",
        files="OTLP JSON, a line a request or one document, with `gen_ai.evaluation.result` "
        "events in logs or spans",
        versions="GenAI conventions 1.37 to 1.42, OTLP 1",
        kept="value, label and explanation of each result; of the span evaluated and those below "
        "it: time, model, agent, tokens (of the calls of models, else of the agent), messages, "
        "errors; `test.case.*` as task, service.version as version; spans of the same folder",
        left_out="traces without a result; metrics; binary OTLP",
        names={
            "service.name": "service that was evaluated",
            "service.version": "its version",
            "model": "model that answered",
            "gen_ai.request.model": "model that was asked",
            "gen_ai.agent.name": "agent",
            "gen_ai.conversation.id": "conversation",
            "file": "name of the file, without folder",
            "*": "any other attribute of the resource or the span",
        },
    ),
    is_otlp,
    _runs,
)
