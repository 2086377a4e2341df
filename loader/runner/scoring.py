"""Scores for one run: evaluators in any of LangSmith's signatures, applied to an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ..evaluators.evaluation import (
    LONGEST_ERROR,
    Evaluator,
    evaluator_of,
    load_evaluators,
)
from ..evaluators.results import Evaluation
from ..ingest.printable import printable
from ..records.bounds import LARGEST_NUMBER, LONGEST_LABEL, LONGEST_NAME
from ..records.json_text import shown
from .answers import as_float, redact
from .sound import DEEPEST, TooDeep, plain, said_by
from .targets import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .answers import Answer
    from .tasks import Task

EvaluatorLike = str | Callable[..., object] | Evaluator


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRun:
    """A run as evaluators see it; the attributes are those of LangSmith's `Run`."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    start_time: datetime
    end_time: datetime | None
    total_tokens: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_cost: float | None
    metadata: Mapping[str, Any]
    error: str | None = None
    name: str = "evalmart"
    run_type: str = "chain"
    status: str = "success"
    id: UUID = field(default_factory=uuid4)
    session_id: UUID | None = None
    parent_run_id: UUID | None = None
    child_runs: Sequence[object] = ()
    """Always empty: what a target does inside is not seen."""

    @property
    def trace_id(self) -> UUID:
        """Its own: it is the root of its trace."""
        return self.id


@dataclass(frozen=True, slots=True)
class ScoredExample:
    """A task as evaluators see it; the attributes are those of LangSmith's `Example`."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    metadata: Mapping[str, Any]
    id: UUID = field(default_factory=uuid4)
    attachments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Scores:
    """What the evaluators say of one run.

    Attributes:
        values: key → score; None for one that could not be given.
        versions: key → version of the evaluator.
        labels: key → the category in place of a score.
        notes: key → what else was said instead of a score, or the error.
        comments: key → what was remarked with it.
        results: evaluator → what it said.

    """

    values: dict[str, float | bool | None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, object]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    results: dict[str, list[Evaluation]] = field(default_factory=dict)


def prepare(evaluators: Sequence[EvaluatorLike]) -> list[Evaluator]:
    """Return evaluators that know how they are called, before any run is made.

    Args:
        evaluators: `module:function`, functions, objects, or loaded evaluators.

    Raises:
        ConfigurationError: a name does not lead to an evaluator, or one asks for what it
            cannot be given.

    """
    return [_prepared(item) for item in evaluators]


def _prepared(item: EvaluatorLike) -> Evaluator:
    if isinstance(item, str):
        return load_evaluators([item])[0]
    if isinstance(item, Evaluator):
        return item
    named = getattr(item, "__qualname__", type(item).__qualname__)
    return evaluator_of(item, f"{getattr(item, '__module__', __name__)}:{named}")


async def score(evaluators: Sequence[Evaluator], task: Task, answer: Answer) -> Scores:
    """Apply every evaluator to an answer, in a thread: they may wait for a model too."""
    ended = datetime.now(UTC)
    run = ScoredRun(
        inputs=task.inputs,
        outputs=answer.outputs,
        start_time=ended - timedelta(milliseconds=answer.latency_ms),
        end_time=ended,
        total_tokens=answer.tokens_used,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        total_cost=answer.cost_usd,
        metadata=task.metadata,
    )
    return await in_thread(_apply, evaluators, run, _example(task))


def _example(task: Task) -> ScoredExample:
    """Return a task as its example; under its own id there, where it comes from a dataset."""
    example = ScoredExample(task.inputs, task.reference_outputs, task.metadata)
    about = task.metadata.get("langsmith")
    told = about.get("example_id") if isinstance(about, dict) else None
    try:
        return replace(example, id=UUID(told)) if isinstance(told, str) else example
    except ValueError:  # metadata of the user's own that looks alike
        return example


def _apply(evaluators: Sequence[Evaluator], run: ScoredRun, example: ScoredExample) -> Scores:
    scores = Scores()
    for evaluator in evaluators:
        results = scores.results[evaluator.name] = [
            _sound(result) for result in _applied(evaluator, run, example)
        ]
        for result in results:
            for key in [result.key] if result.key else map(_shortened, evaluator.known_keys()):
                label = _label(result)
                if label is not None:
                    scores.labels[key] = redact(label)
                elif not result.error or key in evaluator.known_scores():
                    scores.values[key] = result.score
                scores.versions[key] = evaluator.version
                is_told = result.score is not None or label is not None
                note = {
                    "value": None if is_told else _noted(result.value),
                    "error": redact(result.error) if result.error else None,
                }
                if result.comment:
                    scores.comments[key] = redact(result.comment)
                kept = {name: value for name, value in note.items() if value is not None}
                if kept:
                    scores.notes[key] = kept
    return scores


def _applied(evaluator: Evaluator, run: ScoredRun, example: ScoredExample) -> list[Evaluation]:
    """Apply one evaluator; whatever it does, the answer is kept."""
    try:
        return evaluator.apply(run, example)
    except BaseException as error:  # noqa: BLE001  foreign code, in a thread of its own
        return [Evaluation("", None, None, None, said_by(error)[:LONGEST_ERROR])]


def _sound(result: Evaluation) -> Evaluation:
    """Return a result that a record can hold; under a key that is none, only that it is none."""
    key = _shortened(result.key)
    if key == result.key:
        is_huge = isinstance(result.score, int) and abs(result.score) > LARGEST_NUMBER
        return result._replace(score=as_float(result.score)) if is_huge else result
    error = (
        f"the key {shown(result.key)} cannot name a score; "
        f"give it a name of at most {LONGEST_NAME} bytes"
    )
    return Evaluation(key, None, None, None, error)


def _shortened(key: str) -> str:
    """Return a key as a record can have it; the empty one names none."""
    kept = printable(key).encode()[:LONGEST_NAME].decode(errors="ignore")
    return kept if kept.strip() or not key else "unnamed"


def _noted(value: object) -> object:
    """Return what was said in place of a score, as metadata can hold it."""
    try:
        return plain(value)
    except TooDeep:
        return f"nested more than {DEEPEST} levels deep"


def _label(result: Evaluation) -> str | None:
    """Return words that can name a category; more of them are a note."""
    words = result.words
    return words if words is not None and len(words) <= LONGEST_LABEL else None


def no_scores(evaluators: Sequence[Evaluator]) -> Scores:
    """Return the scores of a run that failed: null, never zero."""
    scores = Scores()
    for evaluator in evaluators:
        for key in map(_shortened, evaluator.known_scores()):
            scores.values[key] = None
            scores.versions[key] = evaluator.version
    return scores
