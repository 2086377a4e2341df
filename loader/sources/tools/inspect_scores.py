"""What Inspect's scorers gave a sample, and what people made of it since.

A score's value is a number, a truth value, a letter (`C`orrect, `P`artial, `I`ncorrect,
`N`o answer), any other text, or a list or a dict of these. The numbers are those that Inspect's
own metrics compute with.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ...errors import InvalidRecord
from ...records.bounds import LONGEST_LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

PLACEHOLDER: Final = "88F74D2C"
"""What a score is called that was written when logs had one each, and did not name it."""
_UNCHANGED: Final = "UNCHANGED"
_LETTERS: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS: Final = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


class Provenance(msgspec.Struct):
    """Who changed something, and why."""

    author: str = ""
    reason: str | None = None
    timestamp: str | None = None


class _Edit(msgspec.Struct):
    """One state of a score: as the scorer gave it, then as each edit left it."""

    value: Any = _UNCHANGED
    answer: str | None = None
    explanation: str | None = None
    reason: str | None = None
    provenance: Provenance | None = None


class Score(msgspec.Struct):
    """What one scorer gave, as it is now."""

    value: Any = None
    answer: str | None = None
    explanation: str | None = None
    reason: str | None = None
    history: list[_Edit] | None = None


class Said(NamedTuple):
    """A person's last word on one key of a run."""

    key: str
    score: float
    author: str
    reason: str


class Scored(NamedTuple):
    """What a sample's scores are in a record."""

    scores: dict[str, float | None]
    labels: dict[str, str]
    comments: dict[str, str]
    answers: dict[str, str]
    """By scorer."""
    unscored: dict[str, str]
    """By scorer, why there is no score, or why it is odd, in the tool's word."""
    said: list[Said]


def scored(given: Mapping[str, Score], categorical: Collection[str]) -> Scored:
    """Return what scorers gave a sample, and what people said in place of it.

    Args:
        given: by scorer.
        categorical: scorers whose texts are categories, even `C` and `no`.

    Raises:
        InvalidRecord: a value is none that Inspect writes.

    """
    found = Scored({}, {}, {}, {}, {}, [])
    for name, score in given.items():
        has_letters = name not in categorical
        first = _original(score)
        if first is not None:
            for key, value in _parts(name, first.value):
                if first.explanation:
                    found.comments[key] = first.explanation
                _put(found, key, as_score(value, has_letters=has_letters))
            if first.answer:
                found.answers[name] = first.answer
            if first.reason:
                found.unscored[name] = first.reason
        found.said.extend(_said(name, score, has_letters=has_letters))
    return found


def as_score(value: object, *, has_letters: bool = True) -> float | str | None:
    """Return the number that Inspect computes with, a text that is a category, or neither.

    Args:
        value: not a list or a dict.
        has_letters: whether texts may stand for numbers.

    """
    if value is None or isinstance(value, bool | int | float):
        return None if value is None else float(value)
    text = str(value)
    if not text.strip():
        return None
    if has_letters:
        if text in _LETTERS:
            return _LETTERS[text]
        word = text.lower()
        if word in _WORDS:
            return _WORDS[word]
        number = _number(word)
        if number is not None:
            return number
    return text


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _put(found: Scored, key: str, value: float | str | None) -> None:
    if not isinstance(value, str):
        found.scores[key] = value
    elif len(value) <= LONGEST_LABEL:
        found.labels[key] = value
    else:
        found.comments.setdefault(key, value)  # too long for a category


def _parts(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield each value of a score with its key: `scorer`, `scorer.part`, `scorer.0`."""
    if isinstance(value, dict):
        parts = [(f"{name}.{part}", each) for part, each in value.items()]
    elif isinstance(value, list):
        parts = [(f"{name}.{place}", each) for place, each in enumerate(value)]
    else:
        parts = [(name, value)]
    for key, each in parts:
        if isinstance(each, dict | list):
            reason = (
                f"scores.{key}: Inspect's scores are one value, or a list or dict of such; "
                "this holds one inside another"
            )
            raise InvalidRecord("", "unexpected_form", reason)
        yield key, each


def _original(score: Score) -> _Edit | None:
    """Return what the scorer gave, None where a person was the first to score."""
    if not score.history:
        return _Edit(score.value, score.answer, score.explanation, score.reason)
    first = score.history[0]
    return first if first.provenance is None else None


def _said(name: str, score: Score, *, has_letters: bool) -> Iterator[Said]:
    """Yield the last number that each person gave each key, in the order in which they did."""
    said: dict[tuple[str, str], Said] = {}
    before: dict[str, object] = {}
    for place, edit in enumerate(score.history or ()):
        if edit.value == _UNCHANGED:
            continue
        now = dict(_parts(name, edit.value))
        if place or edit.provenance is not None:
            by = edit.provenance or Provenance()
            for key, value in now.items():
                is_news = len(now) == 1 or key not in before or before[key] != value
                number = as_score(value, has_letters=has_letters)
                if is_news and isinstance(number, float):
                    author = by.author.strip() or "unknown"
                    said.pop((key, author), None)
                    said[key, author] = Said(key, number, author, _reason(by))
        before = now
    yield from said.values()


def _reason(by: Provenance) -> str:
    """Return why somebody edited a score, and when: the time has no other place."""
    when = f"edited in Inspect at {by.timestamp}" if by.timestamp else "edited in Inspect"
    reason = (by.reason or "").strip()
    return f"{reason} ({when})" if reason else when
