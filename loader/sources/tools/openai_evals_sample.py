"""One sample of an OpenAI Evals log, put together from its events."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from .json_values import decode

_ACCURACY: Final = "accuracy"
_LONGEST_LABEL: Final = 250
_KINDS: Final = ("prompt_tokens", "completion_tokens")


class Event(msgspec.Struct):
    """One event."""

    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    created_at: str | None = None


class _Sampling(msgspec.Struct):
    """What was asked of the model, and what it answered."""

    prompt: Any = None
    sampled: Any = None
    usage: dict[str, Any] | None = None


class _Match(msgspec.Struct):
    """Whether the answer was right."""

    correct: bool | float | None = None
    expected: Any = None
    picked: Any = None


class _Error(msgspec.Struct):
    """Why there is no answer, or no judgement."""

    type: str | None = None
    message: Any = None


class Sample:
    """What the events of a sample say."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.values: dict[str, list[float]] = {}
        """Score to what each event gave."""
        self._matches: list[float] = []
        self._labels: dict[str, str] = {}
        self._errors: list[str] = []
        self._tokens: dict[str, int] = {}
        self._prompts: list[Any] = []
        self._answers: list[Any] = []
        self._expected: Any = None
        self._picked: Any = None
        self._calls = 0
        self._last: str | None = None

    @property
    def is_judged(self) -> bool:
        """Whether anything was given to it."""
        return bool(self.values or self._labels or self._matches or self._errors)

    def add(self, event: Event) -> None:
        """Take an event.

        Raises:
            InvalidRecord: its data are not as the tool writes them; names the place.

        """
        self._last = event.created_at or self._last
        data = bytes(event.data)
        if event.type == "match":
            match = decode(data, _Match)
            if match.correct is not None:
                self._matches.append(float(match.correct))
            self._expected, self._picked = match.expected, match.picked
        elif event.type == "metrics":
            self._measure(decode(data, dict))
        elif event.type == "sampling":
            sampling = decode(data, _Sampling)
            self._prompts.append(sampling.prompt)
            self._answers.append(sampling.sampled)
            self._count(sampling.usage or {})
        elif event.type == "error":
            error = decode(data, _Error)
            self._errors.append(
                ": ".join(str(each) for each in (error.type, error.message) if each)
            )
        elif event.type == "function_call":
            self._calls += 1

    def _measure(self, metrics: dict[str, Any]) -> None:
        for key, value in metrics.items():
            if isinstance(value, int | float):
                self.values.setdefault(key, []).append(float(value))
            elif isinstance(value, str) and value.strip() and len(value) <= _LONGEST_LABEL:
                self._labels[key] = value

    def _count(self, usage: dict[str, Any]) -> None:
        details = {
            "cached_tokens": (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            "reasoning_tokens": (usage.get("completion_tokens_details") or {}).get(
                "reasoning_tokens"
            ),
        }
        counts = {
            **{kind: usage.get(kind) for kind in _KINDS},
            "tokens_used": usage.get("total_tokens"),
            **details,
        }
        for kind, count in counts.items():
            if isinstance(count, int):
                self._tokens[kind] = self._tokens.get(kind, 0) + count

    def given(self) -> dict[str, list[float]]:
        """Return every score with what each event gave; a metric goes before a match."""
        matches = {_ACCURACY: self._matches} if self._matches else {}
        return {**matches, **self.values}

    def fields(self) -> dict[str, Any]:
        """Return the fields of a record."""
        answers = self._answers
        contents = {
            "recorded_at": self._last,
            "inputs": self._prompts[0] if self._prompts else None,
            "outputs": answers[0] if len(answers) == 1 else answers or None,
            "reference_outputs": self._expected,
            "measurements": {"function_calls": self._calls} if self._calls else None,
        }
        given = {name: value for name, value in contents.items() if value is not None}
        return {**given, **self._tokens, **self._judgement(), "metadata": self._metadata()}

    def _judgement(self) -> dict[str, Any]:
        scores = {key: sum(values) / len(values) for key, values in self.given().items()}
        if scores or self._labels:
            return {"success": True, "scores": scores, "labels": self._labels}
        if self._errors:
            return {"success": False, "error_message": self._errors[-1]}
        return {}

    def _metadata(self) -> dict[str, Any]:
        picked = self._picked
        is_short = isinstance(picked, str) and len(picked) <= _LONGEST_LABEL
        found = {
            "picked": picked if is_short else None,
            "matches": len(self._matches) if len(self._matches) > 1 else None,
            "error": self._errors[-1] if self._errors and self.given() else None,
        }
        return {name: value for name, value in found.items() if value is not None}


class Means:
    """Means of scores over the events of all samples, as the tool makes its report of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, sample: Sample) -> None:
        """Take a sample."""
        for key, values in sample.given().items():
            total, count = self._sums.get(key, (0.0, 0))
            self._sums[key] = total + sum(values), count + len(values)

    def of(self, key: str) -> float | None:
        """Return a mean; None if no sample has the score."""
        total, count = self._sums.get(key, (0.0, 0))
        return total / count if count else None
