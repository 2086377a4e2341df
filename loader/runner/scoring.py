"""Scores for one run: evaluators in any of LangSmith's signatures, applied to an answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from loader.evaluators.evaluation import Evaluator, load_evaluators, source_hash
from loader.runner.answers import redact
from loader.runner.targets import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.runner.answers import Answer
    from loader.runner.tasks import Task

_BY_NAME: Final = frozenset(
    {"inputs", "outputs", "reference_outputs", "run", "example", "attachments"}
)
_NEW_STYLE: Final = frozenset({"inputs", "outputs", "reference_outputs"})
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
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredExample:
    """A task as evaluators see it; the attributes are those of LangSmith's `Example`."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    metadata: Mapping[str, Any]


@dataclass(slots=True)
class Scores:
    """What the evaluators say of one run.

    Attributes:
        values: key → score; None for one that could not be given.
        versions: key → version of the evaluator.
        notes: key → label or error instead of a score.
        comments: key → what was remarked with it.
        errors: evaluator → why it failed; None if it did not.

    """

    values: dict[str, float | bool | None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, object]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str | None] = field(default_factory=dict)


def prepare(evaluators: Sequence[EvaluatorLike]) -> list[Evaluator]:
    """Return evaluators that take `(run, example)`, whichever signature they have.

    Args:
        evaluators: `module:function`, functions, or loaded evaluators.

    Raises:
        ConfigurationError: a name does not lead to a function.

    """
    prepared = []
    for item in evaluators:
        if isinstance(item, str):
            evaluator = load_evaluators([item])[0]
        elif isinstance(item, Evaluator):
            evaluator = item
        else:
            name = f"{item.__module__}:{getattr(item, '__qualname__', type(item).__name__)}"
            evaluator = Evaluator(name, f"{name}@{source_hash(item)}", item)
        prepared.append(
            Evaluator(
                evaluator.name, evaluator.version, _adapted(evaluator.function), evaluator.keys
            )
        )
    return prepared


def _adapted(function: Callable[..., object]) -> Callable[..., object]:
    """Give a function that names its arguments what it names."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return function
    names = parameters.keys() & _BY_NAME
    if not names & _NEW_STYLE:
        return function

    def by_name(run: ScoredRun, example: ScoredExample) -> object:
        known = {
            "inputs": example.inputs,
            "outputs": run.outputs,
            "reference_outputs": example.outputs,
            "run": run,
            "example": example,
            "attachments": {},
        }
        return function(**{name: known[name] for name in names})

    return by_name


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
    )
    example = ScoredExample(task.inputs, task.reference_outputs, task.metadata)
    return await in_thread(_apply, evaluators, run, example)


def _apply(evaluators: Sequence[Evaluator], run: ScoredRun, example: ScoredExample) -> Scores:
    scores = Scores()
    for evaluator in evaluators:
        scores.errors[evaluator.name] = None
        for result in evaluator.apply(run, example):
            if result.error:
                scores.errors[evaluator.name] = redact(result.error)
            for key in [result.key] if result.key else evaluator.known_keys():
                scores.values[key] = result.score
                scores.versions[key] = evaluator.version
                note = {
                    "value": result.value if result.score is None else None,
                    "error": redact(result.error) if result.error else None,
                }
                if result.comment:
                    scores.comments[key] = redact(result.comment)
                kept = {name: value for name, value in note.items() if value is not None}
                if kept:
                    scores.notes[key] = kept
    return scores


def no_scores(evaluators: Sequence[Evaluator]) -> Scores:
    """Return the scores of a run that failed: null, never zero."""
    scores = Scores()
    for evaluator in evaluators:
        for key in evaluator.known_keys():
            scores.values[key] = None
            scores.versions[key] = evaluator.version
    return scores
