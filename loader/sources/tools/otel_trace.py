"""The spans of one trace as runs: what was evaluated, and what happened below it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .otel_records import Attributes, Result, Span

_CASES: Final = (
    "test.case.id", "test.case.name", "gen_ai.dataset.item.id", "dataset.item.id",
    "dataset_item_id", "eval.case.id",
)  # fmt: skip
_INFERENCE: Final = frozenset({"chat", "text_completion", "generate_content"})
_TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "completion_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
}
_NANOSECONDS: Final = 1_000_000
_DEEPEST: Final = 1000


class Unit:
    """One run: a span of a trace, what is below it, and the results of their evaluation.

    Attributes:
        key: names the run: the trace, and the span where a trace has several.
        number: place of its first result in the file.
        results: the latest of each name and span.
        superseded: results of which there is a later one of the same name and span.

    """

    def __init__(
        self,
        key: str,
        top: Span | None,
        spans: Sequence[Span],
        results: Sequence[tuple[int, Result]],
    ) -> None:
        """Take what belongs together.

        Args:
            key: names the run.
            top: the span evaluated; None if the file has none.
            spans: it, and all below it.
            results: of any of them, each with its place in the file.

        """
        self.key = key
        self.number = results[0][0]
        self._top = top
        self._spans = sorted(spans, key=lambda span: span.start or 0)
        latest: dict[tuple[str, str | None], Result] = {}
        for _, result in sorted(results, key=lambda each: each[1].at or 0):
            latest[result.name, result.span] = result
        self.results = list(latest.values())
        self.superseded = len(results) - len(latest)

    @property
    def own(self) -> Attributes:
        """Attributes of the span evaluated, or of its result where there is no span."""
        return self._top.attributes if self._top is not None else self.results[0].attributes

    @property
    def service(self) -> Attributes:
        """What was evaluated, by its resource; that of a result may be the evaluator's own."""
        return self._top.resource if self._top is not None else {}

    @cached_property
    def attributes(self) -> Attributes:
        """All that tells what was evaluated: of the service, of spans below, of the span."""
        found = dict(self.results[0].resource) if self._top is None else dict(self._top.resource)
        for result in self.results:
            found |= result.attributes
        for span in reversed(self._spans):
            found |= span.attributes
        return found | self.own

    def first_of(self, names: Sequence[str]) -> Any:  # noqa: ANN401  any JSON value
        """Return the first attribute of these, of the span evaluated, else of those below."""
        tops = [self._top] if self._top is not None else []
        return _one_of([*tops, *self._spans], names)

    def last_of(self, names: Sequence[str]) -> Any:  # noqa: ANN401  any JSON value
        """Return the last attribute of these, of the span evaluated, else of those below."""
        tops = [self._top] if self._top is not None else []
        return _one_of([*tops, *reversed(self._spans)], names)

    @property
    def began(self) -> int | None:
        """When, in nanoseconds: of the span, else of the first result."""
        if self._top is not None and self._top.start is not None:
            return self._top.start
        return min((result.at for result in self.results if result.at), default=None)

    @property
    def error(self) -> str | None:
        """Why it failed, if it did."""
        return self._top.error if self._top is not None else None

    @cached_property
    def model(self) -> str | None:
        """The model that answered, if it was one only."""
        for name in ("gen_ai.response.model", "gen_ai.request.model"):
            told = [span.attributes.get(name) for span in self._spans]
            used = {model for model in told if isinstance(model, str) and model}
            if len(used) == 1:
                return used.pop()
            if used:
                return None
        return None

    @property
    def measured(self) -> dict[str, Any]:
        """Latency and tokens: an agent's span sums up what its calls of models say already."""
        found: dict[str, Any] = {}
        top = self._top
        if top is not None and top.start is not None and top.end is not None:
            found["latency_ms"] = max(top.end - top.start, 0) / _NANOSECONDS
        calls = [
            span
            for span in self._spans
            if span.attributes.get("gen_ai.operation.name") in _INFERENCE
        ]
        for field, names in _TOKENS.items():
            for spans in (calls, [top] if top is not None else [], self._spans):
                counts = [count for span in spans if (count := _count(span, names)) is not None]
                if counts:
                    found[field] = sum(counts)
                    break
        if "prompt_tokens" in found and "completion_tokens" in found:
            found["tokens_used"] = found["prompt_tokens"] + found["completion_tokens"]
        return found


def units(key: str, spans: Sequence[Span], results: Sequence[tuple[int, Result]]) -> Iterator[Unit]:
    """Take a trace apart into what was evaluated.

    A test case is a run of its own where the trace has several; else the trace is the run.

    Args:
        key: of the trace, or of the response that results name.
        spans: of it.
        results: each with its place in the file.

    """
    if not results:
        return
    by_id = {span.id: span for span in spans}
    tops = {span.id: _top(span, by_id) for span in spans}
    roots = [span for span in spans if (span.parent or "") not in by_id]
    root = min(roots, key=lambda span: (_is_evaluation(span), span.start or 0), default=None)
    below: dict[str, list[Span]] = {}
    for span in spans:
        top = tops[span.id]
        if not _is_judged(span, top, by_id):
            below.setdefault(top.id, []).append(span)
    cases = {top.id for top in tops.values() if _is_case(top)}
    by_top: dict[str, list[tuple[int, Result]]] = {}
    for place, result in results:
        evaluated = tops.get(result.span or "", root)
        top_id = evaluated.id if evaluated is not None else ""
        by_top.setdefault(top_id, []).append((place, result))
    for top_id, held in by_top.items():
        run_key = f"{key}/{top_id}" if top_id in cases and len(cases) > 1 else key
        yield Unit(run_key, by_id.get(top_id), below.get(top_id, ()), held)


def _above(span: Span, by_id: Mapping[str, Span]) -> Iterator[Span]:
    """Yield a span and those that it is below, the nearest first."""
    for _ in range(_DEEPEST):
        yield span
        parent = by_id.get(span.parent or "")
        if parent is None:
            return
        span = parent


def _top(span: Span, by_id: Mapping[str, Span]) -> Span:
    """Return the test case that a span is of, else the root of its trace."""
    for each in _above(span, by_id):
        if _is_case(each):
            return each
    return each


def _is_case(span: Span) -> bool:
    return any(name in span.attributes for name in _CASES)


def _is_evaluation(span: Span) -> bool:
    """Whether a span is that of an evaluator, whose calls are no part of the run."""
    return "gen_ai.evaluation.name" in span.attributes or span.name.lower().startswith("evaluat")


def _is_judged(span: Span, top: Span, by_id: Mapping[str, Span]) -> bool:
    """Whether a span below that of a run is of an evaluator, or below one."""
    for each in _above(span, by_id):
        if each is top:
            return False
        if _is_evaluation(each):
            return True
    return False


def _one_of(spans: Sequence[Span], names: Sequence[str]) -> Any:  # noqa: ANN401  any JSON value
    for span in spans:
        for name in names:
            if span.attributes.get(name):
                return span.attributes[name]
    return None


def _count(span: Span, names: Sequence[str]) -> int | None:
    found = (span.attributes.get(name) for name in names)
    return next((each for each in found if isinstance(each, int) and each is not True), None)
