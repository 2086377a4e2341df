"""What promptfoo's assertions, graders and people say of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .promptfoo_form import Component, Grading, text_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .promptfoo_form import Result

OF_TEST: Final = ("score", "pass")
"""The score of a whole test, and whether it passed."""
_SAID_OF_ALL: Final = frozenset({"All assertions passed", "No assertions"})
_HUMAN: Final = "human"


class Rated(NamedTuple):
    """What a person said in place of what the assertions gave."""

    score: float
    passed: bool
    reason: str


class Judged(NamedTuple):
    """What a result was given."""

    scores: dict[str, float | bool | None]
    """What the assertions gave."""
    comments: dict[str, str]
    evaluator_versions: dict[str, str]
    """Metric to the model that graded it."""
    rated: Rated | None
    grader_errors: int
    """Assertions that failed because their grader did."""


def judged(result: Result) -> Judged:
    """Return the scores of a result that is no error."""
    grading = result.grading_result or Grading()
    components = [each for each in grading.component_results or () if each is not None]
    machine = [each for each in components if type_of(each) != _HUMAN]
    human = next((each for each in components if type_of(each) == _HUMAN), None)
    scores: dict[str, float | bool | None] = {"score": result.score, "pass": result.success}
    rated = None
    if human is not None and human.score is not None:
        reason = grading.comment or text_of(human.reason) or "rated by hand"
        rated = Rated(human.score, bool(human.passed), reason)
        scores = {"score": _weighted(machine), "pass": _all_passed(machine)}
    scores = {key: score for key, score in scores.items() if score is not None}
    for name, score in (result.named_scores or {}).items():
        scores[_key(name)] = score
    comments, versions = _of_metrics(machine, scores)
    reason = text_of(grading.reason)
    if reason and reason not in _SAID_OF_ALL and rated is None:
        comments["score"] = reason
    if grading.comment and rated is None:
        comments["pass"] = grading.comment
    errors = sum(bool((each.metadata or {}).get("graderError")) for each in components)
    return Judged(scores, comments, versions, rated, errors)


def _of_metrics(
    components: Iterable[Component], scores: dict[str, float | bool | None]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return comments and graders of metrics; add the metrics that no named score has."""
    comments: dict[str, str] = {}
    versions: dict[str, str] = {}
    lacking: dict[str, list[float]] = {}
    for component in components:
        assertion = component.assertion
        if assertion is None or not assertion.metric or "{{" in assertion.metric:
            continue
        key = _key(assertion.metric)
        if component.score is not None and key not in scores:
            lacking.setdefault(key, []).append(component.score)
        reason = text_of(component.reason)
        if reason and (key not in comments or not component.passed):
            comments[key] = reason
        grader = assertion.provider
        if isinstance(grader, dict):
            grader = grader.get("id")
        if isinstance(grader, str) and grader:
            versions[key] = grader
    for key, values in lacking.items():
        scores[key] = sum(values) / len(values)
    return comments, versions


def _weighted(components: Sequence[Component]) -> float | None:
    """Return the score that promptfoo gave before a person gave another."""
    total = weights = 0.0
    for component in components:
        weight = component.assertion.weight if component.assertion else None
        if component.score is not None:
            total += component.score * (1 if weight is None else weight)
            weights += 1 if weight is None else weight
    return total / weights if weights else None


def _all_passed(components: Sequence[Component]) -> bool | None:
    return all(each.passed for each in components) if components else None


def _key(name: str) -> str:
    """Keep a metric apart from the score of the whole test."""
    return f"{name} (metric)" if name in OF_TEST else name
