"""One sample of an Inspect log as a run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from . import Run, Said
from .inspect_scores import PLACEHOLDER, Provenance, Score, Scored, scored
from .json_values import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from . import Item

NOTHING: Final = Raw(b"null")
_LONGEST_DETAIL: Final = 1024
"""Characters of a value of the metadata, as in the summaries that Inspect makes of samples."""
_ATTACHED: Final = "attachment://"

_encode = msgspec.json.encode


class Usage(msgspec.Struct):
    """Tokens that a model used for a sample."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_cache_read: int | None = None
    input_tokens_cache_write: int | None = None
    reasoning_tokens: int | None = None
    total_cost: float | None = None

    @property
    def prompt(self) -> int:
        """All that was read. Of some providers input_tokens has the cached ones, of most not."""
        cached = (self.input_tokens_cache_read or 0) + (self.input_tokens_cache_write or 0)
        told = self.input_tokens + self.output_tokens
        has_them = self.total_tokens in {told, told + (self.reasoning_tokens or 0)}
        return self.input_tokens if has_them else self.input_tokens + cached

    @property
    def completion(self) -> int:
        """All that was written. Of some providers output_tokens lacks the reasoning."""
        all_told = self.output_tokens + (self.reasoning_tokens or 0)
        return all_told if self.total_tokens == self.prompt + all_told else self.output_tokens


class _Message(msgspec.Struct):
    content: Any = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)


class _Output(msgspec.Struct):
    completion: str | None = None
    choices: list[_Choice] = []


class _Failure(msgspec.Struct):
    message: str = ""


class _Limit(msgspec.Struct):
    type: str = ""


class _Event(msgspec.Struct):
    timestamp: str | None = None
    event: str = ""
    output: Raw = NOTHING


class _Answered(msgspec.Struct):
    usage: Usage | None = None


class _Transcript(msgspec.Struct):
    """Where events and attachments stood in logs of 2024."""

    events: Raw = NOTHING
    content: Raw = NOTHING


class Sample(msgspec.Struct):
    """One sample in one epoch. What is long is decoded only where it is wanted."""

    id: int | str
    epoch: int = 1
    input: Raw = NOTHING
    choices: list[Any] | None = None
    target: Raw = NOTHING
    output: _Output | None = None
    scores: dict[str, Score | None] | None = None
    score: Score | None = None
    metadata: dict[str, Any] | None = None
    model_usage: dict[str, Usage] | None = None
    started_at: str | None = None
    completed_at: str | None = None
    total_time: float | None = None
    working_time: float | None = None
    turn_count: int | None = None
    uuid: str | None = None
    error: _Failure | None = None
    error_retries: list[Raw] | None = None
    limit: _Limit | None = None
    invalidation: Provenance | None = None
    events: Raw = NOTHING
    attachments: Raw = NOTHING
    transcript: _Transcript | None = None


class Arm(NamedTuple):
    """What all samples of a log have in common."""

    record: Mapping[str, Any]
    """Fields of a record that are the same in each."""
    details: Mapping[str, Any]
    """What stands under `metadata.inspect` of each."""
    names: Mapping[str, object]
    run: str
    """Names the run of the log, for samples that have no name of their own."""
    recorded_at: str | None
    """Where a sample does not say when it was."""
    first_scorer: str
    categorical: Collection[str]
    """Scorers whose texts are categories."""
    graders: Mapping[str, str]
    """Scorer → the model that it asks."""
    scores_errors: bool
    """Whether samples that failed were scored on purpose; else Inspect counts no score of them."""


class Texts:
    """The long texts of a sample, which others refer to."""

    def __init__(self, sample: Sample, chunked: Callable[[str], str | None] | None) -> None:
        """Take a sample; nothing is looked up yet.

        Args:
            sample: the sample.
            chunked: finds a text that does not stand in the sample itself.

        """
        self._sample = sample
        self._chunked = chunked

    @cached_property
    def _held(self) -> dict[str, str]:
        old = self._sample.transcript
        for raw in (self._sample.attachments, old.content if old else NOTHING):
            if _holds(raw):
                found: dict[str, str] = _decoded(raw, dict[str, str])
                return found
        return {}

    def whole(self, value: Any) -> Any:  # noqa: ANN401  any JSON value
        """Return a value with the texts that it refers to in their places."""
        if isinstance(value, str):
            if not value.startswith(_ATTACHED):
                return value
            name = value[len(_ATTACHED) :]
            found = self._held.get(name)
            if found is None and self._chunked is not None:
                found = self._chunked(name)
            return value if found is None else found
        if isinstance(value, list):
            return [self.whole(each) for each in value]
        if isinstance(value, dict):
            return {name: self.whole(each) for name, each in value.items()}
        return value


def runs(
    number: int, sample: Sample, arm: Arm, chunked: Callable[[str], str | None] | None = None
) -> Iterator[Item]:
    """Yield a sample's run, and what people said of it.

    Args:
        number: of the sample in its log, from 1.
        sample: the sample.
        arm: what the log says.
        chunked: finds a long text that does not stand in the sample itself.

    Raises:
        InvalidRecord: a score is none that Inspect writes.

    """
    found = scored(_given(sample, arm), arm.categorical)
    details: dict[str, Any] = {**arm.details, **_details(sample)}
    for name, texts in (("answers", found.answers), ("score_reasons", found.unscored)):
        if texts:
            details[name] = _small(texts)
    record: dict[str, Any] = {
        **arm.record,
        "task_id": str(sample.id),
        "source_run_id": sample.uuid or f"{arm.run}/{sample.id}/{sample.epoch}",
        "repetition": sample.epoch,
        "recorded_at": sample.completed_at or _last_time(sample) or arm.recorded_at,
        **_usage(sample),
        **_bodies(sample, Texts(sample, chunked)),
        **_outcome(sample, found, arm),
    }
    metadata = {**_small(sample.metadata or {}), **({"inspect": details} if details else {})}
    if metadata:
        record["metadata"] = metadata
    run = Run(number, record, arm.names)
    yield run
    if sample.invalidation is None:
        yield from (Said(run, *said) for said in found.said)


def _given(sample: Sample, arm: Arm) -> dict[str, Score]:
    """Return the scores by scorer, also where the log has but one and does not name it."""
    given = {name: score for name, score in (sample.scores or {}).items() if score is not None}
    if sample.score is not None:
        given[PLACEHOLDER] = sample.score
    if PLACEHOLDER in given:
        given[arm.first_scorer] = given.pop(PLACEHOLDER)
    return given


def _outcome(sample: Sample, found: Scored, arm: Arm) -> dict[str, Any]:
    """Return the scores and how the sample ended: of one that was invalidated none counts."""
    record: dict[str, Any] = {"scores": found.scores}
    if sample.error is not None and not arm.scores_errors:
        record["scores"] = {}
    elif sample.invalidation is not None:
        record["scores"] = dict.fromkeys(found.scores)
    elif found.labels:
        record["labels"] = found.labels
    if found.comments:
        record["comments"] = found.comments
    graders = {
        key: of for key in record["scores"] if (of := arm.graders.get(key.partition(".")[0]))
    }
    if graders:
        record["evaluator_versions"] = graders
    if sample.error is not None:
        record["success"] = False
        record["error_message"] = sample.error.message or "an error without a message"
    elif sample.limit is None and sample.invalidation is None:
        record["success"] = True
    return record


def _usage(sample: Sample) -> dict[str, Any]:
    """Return tokens, cost and times; all models of a sample together, as Inspect sums them up."""
    record: dict[str, Any] = {}
    used = list(_used(sample))
    if used:
        prompt, completion = sum(each.prompt for each in used), sum(of.completion for of in used)
        record["prompt_tokens"] = prompt
        record["completion_tokens"] = completion
        record["tokens_used"] = sum(each.total_tokens for each in used) or prompt + completion
        for field, name in (
            ("cached_tokens", "input_tokens_cache_read"),
            ("reasoning_tokens", "reasoning_tokens"),
            ("cost_usd", "total_cost"),
        ):
            known = [value for each in used if (value := getattr(each, name)) is not None]
            if known:
                record[field] = sum(known)
    seconds = sample.working_time if sample.total_time is None else sample.total_time
    if seconds is not None:
        record["latency_ms"] = round(seconds * 1000, 3)
    measured = {
        "working_time_ms": None
        if sample.working_time is None
        else round(sample.working_time * 1000, 3),
        "turns": sample.turn_count,
        "error_retries": len(sample.error_retries) if sample.error_retries else None,
    }
    measurements = {name: value for name, value in measured.items() if value is not None}
    if measurements:
        record["measurements"] = measurements
    return record


def _bodies(sample: Sample, texts: Texts) -> dict[str, Any]:
    """Return what the sample was given, answered and should have."""
    given = _without_ids(_decoded(sample.input, object))
    if sample.choices:
        given = {"input": given, "choices": sample.choices}
    bodies = {
        "inputs": texts.whole(given),
        "outputs": texts.whole(_answer(sample.output)),
        "reference_outputs": _decoded(sample.target, object),
    }
    return {name: body for name, body in bodies.items() if body not in (None, "")}


def _without_ids(given: Any) -> Any:  # noqa: ANN401  any JSON value
    """Leave out the ids of messages, which are others each time the same is asked."""
    if not isinstance(given, list):
        return given
    return [
        {name: value for name, value in each.items() if name != "id"}
        if isinstance(each, dict)
        else each
        for each in given
    ]


def _answer(output: _Output | None) -> Any:  # noqa: ANN401  any JSON value
    if output is None:
        return None
    if output.completion is not None:
        return output.completion
    content = output.choices[0].message.content if output.choices else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content


def _details(sample: Sample) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if sample.limit is not None:
        details["limit"] = sample.limit.type
    usage = sample.model_usage or {}
    if len(usage) > 1:
        details["tokens_by_model"] = {model: of.total_tokens for model, of in usage.items()}
    if sample.invalidation is not None:
        by = sample.invalidation
        details["invalidated"] = {"author": by.author, "reason": by.reason}
    return details


def _last_time(sample: Sample) -> str | None:
    """Return when the last event of a sample was, of a log that does not say when it ended."""
    events = _events(sample)
    return events[-1].timestamp if events else None


def _used(sample: Sample) -> Iterator[Usage]:
    """Yield what each model used or, in logs of 2024, what each answer did."""
    if sample.model_usage is not None or sample.transcript is None:
        yield from (sample.model_usage or {}).values()
        return
    for each in _events(sample):
        if each.event == "model" and (usage := _decoded(each.output, _Answered).usage):
            yield usage


def _events(sample: Sample) -> list[_Event]:
    old = sample.transcript
    raw = old.events if old and not _holds(sample.events) else sample.events
    return _decoded(raw, list[_Event]) if _holds(raw) else []


def _small(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is long."""
    return {
        name: value
        for name, value in values.items()
        if value is None
        or isinstance(value, bool | int | float)
        or (len(value) if isinstance(value, str) else len(_encode(value))) <= _LONGEST_DETAIL
    }


def _holds(raw: Raw) -> bool:
    return memoryview(raw).nbytes > len(b"null")


def _decoded(raw: Raw, kind: Any) -> Any:  # noqa: ANN401  any JSON value
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError:
        return decode(bytes(raw), kind)  # says what is wrong
