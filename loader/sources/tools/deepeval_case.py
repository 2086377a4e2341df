"""One test case of a DeepEval test run, in the form of a record."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ...errors import InvalidRecord
from .task_names import task_name

_OVERALL: Final = "pass"
"""Whether every metric that decides passed: `success` of a test case."""
_MADE_UP: Final = re.compile(r"(conversational_)?test_case_\d+$|test_\w+(\[.*\])?$")
"""Names that DeepEval or pytest gave: they count cases, or are one for all of a function."""
_SNAKE: Final = re.compile(r"_([a-z])")
_LONGEST_KEPT: Final = 500
_SPANS: Final = ("agent_spans", "llm_spans", "retriever_spans", "tool_spans", "base_spans")


class Metric(msgspec.Struct, rename="camel"):
    """What one metric gave."""

    name: str | None = None
    metric: str | None = None
    """Its name, in the first versions."""
    threshold: float | None = None
    success: bool | None = None
    score: float | None = None
    reason: str | None = None
    evaluation_model: str | None = None
    evaluation_cost: float | None = None
    error: str | None = None
    flaky: bool | None = None


class Span(msgspec.Struct, rename="camel"):
    """A part of what the application did, which may have metrics of its own."""

    name: str | None = None
    metrics_data: list[Metric] | None = None


class Trace(msgspec.Struct, rename="camel"):
    """What the application did."""

    start_time: str | None = None
    status: str | None = None
    agent_spans: list[Span] | None = None
    llm_spans: list[Span] | None = None
    retriever_spans: list[Span] | None = None
    tool_spans: list[Span] | None = None
    base_spans: list[Span] | None = None


class Turn(msgspec.Struct):
    """What was said in a conversation."""

    role: str | None = None
    content: Any = None


class Case(msgspec.Struct, rename="camel"):
    """A test case, of one answer or of a conversation."""

    name: str | None = None
    input: Any = None
    actual_output: Any = None
    expected_output: Any = None
    context: list[Any] | None = None
    retrieval_context: list[Any] | None = None
    tools_called: list[Any] | None = None
    expected_tools: list[Any] | None = None
    scenario: str | None = None
    user_description: str | None = None
    expected_outcome: str | None = None
    turns: list[Turn] | None = None
    messages: list[dict[str, Any]] | None = None
    success: bool | None = None
    metrics_data: list[Metric] | None = None
    metrics_metadata: list[Metric] | None = None
    run_duration: float | None = None
    token_cost: float | None = None
    input_token_count: int | None = None
    output_token_count: int | None = None
    completion_time: float | None = None
    order: int | None = None
    index: int | None = None
    tags: list[str] | None = None
    comments: str | None = None
    metadata: dict[str, Any] | None = None
    additional_metadata: dict[str, Any] | None = None
    trace: Trace | None = None

    @property
    def place(self) -> int | None:
        """Return its number in the test run, from 0."""
        return self.index if self.order is None else self.order

    @property
    def is_conversation(self) -> bool:
        """Return whether it is a conversation."""
        return bool(self.turns or self.messages or self.scenario)


def of_snake(found: dict[str, Any]) -> Case:
    """Return a test case as Python objects of DeepEval are dumped, with names in snake case.

    Raises:
        InvalidRecord: it is otherwise; names the place.

    """
    members = _camel(found)
    if isinstance(members.get("metricsData"), list):
        members["metricsData"] = [
            _camel(each) if isinstance(each, dict) else each for each in members["metricsData"]
        ]
    try:
        return msgspec.convert(members, Case)
    except msgspec.ValidationError as error:
        reason = f"not as this tool writes it: {error}"
        raise InvalidRecord("", "unexpected_form", reason) from None


def _camel(found: dict[str, Any]) -> dict[str, Any]:
    return {_SNAKE.sub(lambda name: name[1].upper(), key): value for key, value in found.items()}


def task_of(case: Case) -> str:
    """Name the task by what is asked, and by its own name if a person gave it one."""
    asked: Any = case.input
    if case.is_conversation:
        asked = case.scenario or [each.content for each in case.turns or () if each.role == "user"]
        asked = asked or [each.get("input") for each in case.messages or ()]
    name = case.name or ""
    text = asked if isinstance(asked, str) else msgspec.json.encode(asked).decode()
    return task_name(text if not name or _MADE_UP.match(name) else name, asked)


def measured(case: Case) -> dict[str, Any]:
    """Return what the application was given, answered and took; seconds become milliseconds."""
    costs = [each.evaluation_cost for each in _metrics(case) if each.evaluation_cost is not None]
    measurements = {
        "evaluation_seconds": case.run_duration,
        "evaluation_cost_usd": sum(costs) if costs else None,
    }
    found: dict[str, Any] = {
        **_contents(case),
        "prompt_tokens": case.input_token_count,
        "completion_tokens": case.output_token_count,
        "cost_usd": case.token_cost,
        "latency_ms": None if case.completion_time is None else case.completion_time * 1000,
        "measurements": {name: each for name, each in measurements.items() if each is not None},
        "recorded_at": case.trace.start_time if case.trace else None,
    }
    return {name: value for name, value in found.items() if value not in (None, {})}


def _contents(case: Case) -> dict[str, Any]:
    if case.is_conversation:
        turns = [{"role": each.role, "content": each.content} for each in case.turns or ()]
        return {
            "inputs": _beside(case.scenario, user_description=case.user_description),
            "outputs": turns or case.messages,
            "reference_outputs": case.expected_outcome,
        }
    return {
        "inputs": case.input,
        "outputs": _beside(
            case.actual_output,
            retrieval_context=case.retrieval_context,
            tools_called=case.tools_called,
        ),
        "reference_outputs": _beside(
            case.expected_output, context=case.context, expected_tools=case.expected_tools
        ),
    }


def _beside(text: object, **more: object) -> object:
    """Return a text alone, or with what belongs to it."""
    given = {name: value for name, value in more.items() if value}
    return {"text": text, **given} if given else text


class Judged:
    """What the metrics of a test case gave."""

    def __init__(self, case: Case) -> None:
        """Read them; a metric of a part of the application is named by the part, too."""
        self.scores: dict[str, float] = {}
        self.comments: dict[str, str] = {}
        self.evaluator_versions: dict[str, str] = {}
        self.errors: list[str] = []
        """Metrics that gave no score, each with the reason."""
        metrics = _metrics(case)
        for each in metrics:
            self._add(each, _name(each))
        for part in _parts(case):
            for each in part.metrics_data or ():
                self._add(each, f"{part.name or 'span'}/{_name(each)}")
        decides = [each for each in metrics if not each.flaky]
        has_failed = any(each.success is False and _is_scored(each) for each in decides)
        if case.success is not None and (has_failed or all(map(_is_scored, decides))):
            self.scores = {_OVERALL: float(case.success), **self.scores}

    def _add(self, metric: Metric, name: str) -> None:
        if not _is_scored(metric):
            self.errors.append(f"{name}: {metric.error or 'no score'}")
            return
        key, count = name if name != _OVERALL else f"{name} (metric)", 1
        while key in self.scores:
            count += 1
            key = f"{name} ({count})"
        self.scores[key] = metric.score or 0.0
        if metric.reason:
            self.comments[key] = metric.reason
        if metric.evaluation_model:
            self.evaluator_versions[key] = metric.evaluation_model


def _is_scored(metric: Metric) -> bool:
    return metric.score is not None and not metric.error


def _name(metric: Metric) -> str:
    return metric.name or metric.metric or "unnamed"


def _metrics(case: Case) -> list[Metric]:
    return case.metrics_data or case.metrics_metadata or []


def _parts(case: Case) -> list[Span]:
    trace = case.trace or Trace()
    return [each for name in _SPANS for each in getattr(trace, name) or ()]


def metadata_of(case: Case, judged: Judged) -> dict[str, Any]:
    """Return what is worth keeping beside."""
    own = {**(case.additional_metadata or {}), **(case.metadata or {})}
    kept = {
        name: value
        for name, value in own.items()
        if isinstance(value, int | float)
        or (isinstance(value, str) and len(value) <= _LONGEST_KEPT)
    }
    metrics = _metrics(case)
    more: dict[str, Any] = {
        "name": case.name,
        "tags": case.tags,
        "comments": case.comments,
        "trace_status": case.trace.status if case.trace else None,
        "thresholds": {
            _name(each): each.threshold for each in metrics if each.threshold is not None
        },
        "metric_errors": judged.errors,
    }
    return {**kept, **{name: value for name, value in more.items() if value}}
