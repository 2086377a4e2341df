"""What an evaluator returned: every form that langsmith's `evaluate()` takes, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final = frozenset({
    "key", "score", "value", "comment", "correction", "metadata", "evaluator_info",
    "feedback_config", "source_run_id", "target_run_id", "extra",
})  # fmt: skip
_SAYING: Final = ("score", "value", "comment")
_FORMS: Final = (
    "a number, a boolean, a text, a mapping with score, value or comment, or a list of mappings "
    "that each have a key"
)


class Evaluation(NamedTuple):
    """What one evaluator says of one run under one key."""

    key: str
    """Empty for an evaluator that raised before it could say."""
    score: float | bool | None
    """None for a label, for nothing, and for an evaluator that raised."""
    value: object
    comment: str | None
    error: str | None
    """What the evaluator raised; None when it returned."""
    correction: Mapping[str, object] | None = None

    @property
    def words(self) -> str | None:
        """Return the text that stands in place of a score."""
        text = self.value.strip() if isinstance(self.value, str) and self.score is None else ""
        return text or None

    @property
    def is_empty(self) -> bool:
        """Whether it holds neither a score nor a label."""
        return self.score is None and self.value is None


def read_results(answer: object, own_key: str, run_id: object = None) -> Iterator[Evaluation]:
    """Read what an evaluator returned.

    Args:
        answer: what it was.
        own_key: key of a single result that names none.
        run_id: the run that was scored; a result about another run (`target_run_id`, a
            child's) is none of this one, and is left out.

    Raises:
        TypeError: it is none of the forms; says which there are.
    """
    plain = _plain(answer)
    if isinstance(plain, Mapping) and "results" in plain:
        plain = plain["results"]
        if not isinstance(plain, list | tuple):
            raise TypeError(f"results is {_named(plain)}, no list")
        items = [_plain(item) for item in plain]
        own_key = ""
    elif isinstance(plain, list):
        if not plain:
            raise TypeError(f"returned an empty list: write {_FORMS}")
        items = [_plain(item) for item in plain]
        own_key = ""
    else:
        items = [plain]
    for item in items:
        if not own_key and not isinstance(item, Mapping):
            raise TypeError(f"a result in a list is {_named(item)}, no mapping")
        result = _result(item, own_key)
        target = item.get("target_run_id") if isinstance(item, Mapping) else None
        if target is None or run_id is None or str(target) == str(run_id):
            yield result


def _result(answer: object, own_key: str) -> Evaluation:
    if answer is None:
        return Evaluation(own_key, None, None, None, None)
    if isinstance(answer, bool | int | float):
        return Evaluation(own_key, answer, None, None, None)
    if isinstance(answer, str) and answer:
        return Evaluation(own_key, None, answer, None, None)
    if isinstance(answer, Mapping):
        return _mapped(answer, own_key)
    raise TypeError(f"returned {_named(answer)}: write {_FORMS}")


def _mapped(answer: Mapping[str, object], own_key: str) -> Evaluation:
    """Read one mapping, as strictly as langsmith's EvaluationResult does."""
    others = sorted(str(name) for name in answer.keys() - _FIELDS)
    if others:
        raise TypeError(
            f"returned a mapping with {', '.join(others)}: a result has score, value, comment "
            "and the like; what else there is to say belongs in comment or metadata"
        )
    if not any(name in answer for name in _SAYING):
        raise TypeError(f"returned a mapping without score, value and comment: write {_FORMS}")
    key = answer.get("key", own_key or None)
    if not isinstance(key, str) or not key:
        raise TypeError(f"key is {_named(key)}, no text; every result of a list names its own")
    score, value, comment = (answer.get(name) for name in _SAYING)
    correction = answer.get("correction")
    if score is not None and not isinstance(score, bool | int | float):
        raise TypeError(f"score is {_named(score)}, not a number or a boolean")
    if value is not None and not isinstance(value, dict | str | bool | int | float):
        raise TypeError(f"value is {_named(value)}, not a text, a number or a mapping")
    if comment is not None and not isinstance(comment, str):
        raise TypeError(f"comment is {_named(comment)}, no text")
    if correction is not None and not isinstance(correction, dict):
        raise TypeError(f"correction is {_named(correction)}, no mapping")
    return Evaluation(key, score, value, comment, None, correction)


def _named(value: object) -> str:
    return "empty" if value in ("", {}) else type(value).__name__


def _plain(answer: object) -> object:
    """Turn LangSmith's EvaluationResult, a pydantic model, into a mapping."""
    dump = getattr(answer, "model_dump", None)
    return dump() if callable(dump) else answer
