"""What the scores of one trace in Langfuse say of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ...errors import InvalidRecord
from ...records.bounds import LONGEST_LABEL
from ...records.json_text import shown
from .cells import is_absent, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DATA_TYPES: Final = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION")


class Subject(msgspec.Struct, rename="camel"):
    """What a score of API v3 is of."""

    kind: str
    id: str
    trace_id: str | None = None


class Score(msgspec.Struct, rename="camel", omit_defaults=True):
    """A score, of whichever export or answer."""

    name: str
    id: str = ""
    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None
    dataset_run_id: str | None = None
    subject: Subject | None = None
    timestamp: str | None = None
    updated_at: str | None = None
    source: str | None = None
    data_type: str | None = None
    value: float | bool | str | None = None
    string_value: str | None = None
    comment: str | None = None
    author_user_id: str | None = None
    author_user_name: str | None = None
    trace_name: str | None = None
    trace_tags: list[str] | None = None
    environment: str | None = None
    user_id: str | None = None

    @property
    def author(self) -> str | None:
        """Who gave it, if a person did and is named."""
        if (self.source or "").upper() != "ANNOTATION":
            return None
        return self.author_user_name or self.author_user_id

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Which of several of one name counts: one of the trace itself, then the latest."""
        is_of_trace = self.observation_id is None and (
            self.subject is None or self.subject.kind != "observation"
        )
        return is_of_trace, self.timestamp or "", self.updated_at or ""

    def run_key(self) -> tuple[str, str]:
        """Return what it is of, and its id: `trace`, `session`, `experiment` or `observation`."""
        subject = self.subject
        if subject is not None:
            is_below = subject.kind == "observation" and subject.trace_id
            return ("trace", subject.trace_id or "") if is_below else (subject.kind, subject.id)
        if self.trace_id:
            return "trace", self.trace_id
        if self.session_id:
            return "session", self.session_id
        if self.dataset_run_id:
            return "experiment", self.dataset_run_id
        return "observation", self.observation_id or ""


class Said(NamedTuple):
    """A number that a person gave."""

    key: str
    score: float
    author: str
    reason: str


class Read(NamedTuple):
    """What the scores of a run say."""

    fields: dict[str, Any]
    """Of a record: scores, labels, comments."""
    said: list[Said]
    correction: str | None
    superseded: int
    """Scores of which there is a later one of the same name."""


def kind_of(score: Score) -> str:
    """Return the data type of a score.

    Raises:
        InvalidRecord: there is no such type, or the score is of nothing.

    """
    kind = (score.data_type or "").upper()
    if not kind:
        is_text = isinstance(score.value, str) and number(score.value) is None
        kind = "CATEGORICAL" if is_text or score.value is None else "NUMERIC"
    if kind not in _DATA_TYPES:
        raise InvalidRecord(
            "dataType",
            "unknown_version",
            f"dataType is {shown(kind)}; {', '.join(_DATA_TYPES)} are known here: a newer "
            "Langfuse wrote this, leave such scores out of the export",
        )
    if not score.run_key()[1]:
        raise InvalidRecord(
            "traceId",
            "missing_field",
            f"the score {shown(score.name)} is of no trace, session or experiment; export it with "
            "traceId (API v3: fields=subject)",
        )
    return kind


def value_of(score: Score) -> float | None:
    """Return the number that a score of numbers or booleans gives; None if it gives none."""
    value = score.value
    if value is None or (isinstance(value, str) and is_absent(value)):
        value = score.string_value
    if isinstance(value, str):
        return number(value)
    return None if value is None else float(value)


def _text_of(score: Score) -> str | None:
    """Return the category, or the text; the number beside it is only its place among them."""
    found = score.string_value or (score.value if isinstance(score.value, str) else None)
    return found.strip() or None if found else None


def read_scores(scores: Iterable[Score]) -> Read:
    """Say what the scores of one run say.

    Of several of one name that of the trace itself counts, and the latest. What a person gave,
    if it is named who, stands beside what an evaluator gave.
    """
    latest = {score.id or f"{number_} {score.name}": score for number_, score in enumerate(scores)}
    by_name: dict[str, list[Score]] = {}
    for score in latest.values():
        by_name.setdefault(score.name, []).append(score)
    fields: dict[str, dict[str, Any]] = {"scores": {}, "labels": {}, "comments": {}}
    said: list[Said] = []
    correction = None
    superseded = 0
    for name, given in by_name.items():
        by_person = [score for score in given if score.author and _is_number(score)]
        others = [score for score in given if score not in by_person]
        superseded += max(len(others) - 1, 0) + max(len(by_person) - 1, 0)
        if by_person:
            said.append(_said(by_person))
        chosen = max(others or by_person, key=lambda score: score.rank)
        kind = kind_of(chosen)
        if kind == "CORRECTION":
            correction = _text_of(chosen)
        elif kind == "TEXT":
            fields["comments"][name] = _text_of(chosen) or ""
        elif kind == "CATEGORICAL":
            label = _text_of(chosen)
            if label is not None:
                is_short = len(label) <= LONGEST_LABEL
                fields["labels" if is_short else "comments"][name] = label
        else:
            fields["scores"][name] = value_of(chosen)
        if chosen.comment:
            fields["comments"].setdefault(name, chosen.comment)
    return Read(
        {name: values for name, values in fields.items() if values}, said, correction, superseded
    )


def _is_number(score: Score) -> bool:
    return kind_of(score) in ("NUMERIC", "BOOLEAN") and value_of(score) is not None


def _said(given: Sequence[Score]) -> Said:
    score = max(given, key=lambda each: each.rank)
    return Said(score.name, value_of(score) or 0.0, score.author or "", score.comment or "")
