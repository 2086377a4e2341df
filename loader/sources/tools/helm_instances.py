"""HELM: what its files hold of one instance, and what becomes of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTED: Final = (
    "num_", "training_", "inference_", "finish_reason_", "estimated_", "max_num_", "batch_size",
    "prompt_truncated", "prompt_length", "logprob", "predicted_index", "max_prob",
)  # fmt: skip
"""How statistics begin that say how a run went, and not how good its answer is."""
_ELSEWHERE: Final = frozenset({"inference_runtime", "num_prompt_tokens", "num_completion_tokens"})
"""Statistics that a record has a field of its own for."""
_USUAL_OF_PERTURBATION: Final = frozenset({"name", "robustness", "fairness", "computed_on"})


class Statistic(msgspec.Struct):
    """One statistic: of an instance its value, of a run the mean of its trials."""

    name: dict[str, Any]
    count: int = 0
    sum: float | None = None
    mean: float | None = None

    def value(self) -> float | None:
        """Return the mean; None where nothing was counted."""
        if not self.count:
            return None
        return self.sum / self.count if self.mean is None and self.sum is not None else self.mean


class Key(msgspec.Struct):
    """What an instance was run as."""

    instance_id: str
    train_trial_index: int = 0
    perturbation: dict[str, Any] | None = None


class Entry(Key, kw_only=True):
    """What one class of metrics says of an instance."""

    stats: list[Statistic]


class Text(msgspec.Struct):
    """What a model or a person wrote."""

    text: str | None = None


class Reference(msgspec.Struct):
    """An answer that the instance offers."""

    output: Text | None = None
    tags: list[str] = []


class Input(msgspec.Struct):
    """An instance: what is to be answered."""

    id: str
    split: str | None = None
    sub_split: str | None = None
    perturbation: dict[str, Any] | None = None
    references: list[Reference] = []


class Request(msgspec.Struct):
    """What was sent to the model."""

    prompt: Any = None
    messages: Any = None


class Result(msgspec.Struct):
    """What came back."""

    success: bool | None = None
    completions: list[Text] = []
    error: str | None = None
    request_time: float | None = None
    request_datetime: float | None = None


class State(msgspec.Struct):
    """What was asked of an instance, and answered."""

    instance: Input
    train_trial_index: int = 0
    request: Request | None = None
    result: Result | None = None


class Spec(msgspec.Struct):
    """What a run was to do."""

    name: str
    scenario_spec: dict[str, Any] = {}
    adapter_spec: dict[str, Any] = {}
    groups: list[str] = []


def named(key: Key) -> str:
    """Name an instance as it was run."""
    return f"{_task_of(key)}\n{key.train_trial_index}"


def key_of(state: State) -> Key:
    """Say what an instance was run as."""
    of = state.instance
    return Key(of.id, state.train_trial_index, of.perturbation)


def _task_of(key: Key) -> str:
    changed = _perturbation(key)
    return f"{key.instance_id}+{changed}" if changed else key.instance_id


def _perturbation(key: Key) -> str | None:
    """Name what was done to the input, with its settings: one name may be there with several."""
    if not key.perturbation:
        return None
    settings = ",".join(
        f"{name}={value}"
        for name, value in sorted(key.perturbation.items())
        if name not in _USUAL_OF_PERTURBATION
    )
    name = str(key.perturbation.get("name"))
    return f"{name}({settings})" if settings else name


def identified(key: Key) -> dict[str, Any]:
    """Return a record's fields that say which run it is; trials count from 0."""
    return {"task_id": _task_of(key), "repetition": key.train_trial_index + 1}


def metadata(key: Key, names: Sequence[dict[str, Any]], states: Sequence[State]) -> dict[str, Any]:
    """Return the slices that an instance is in."""
    splits = [name.get("split") for name in names] + [state.instance.split for state in states]
    parts = [name.get("sub_split") for name in names]
    parts += [state.instance.sub_split for state in states]
    found = {
        "split": next(filter(None, splits), None),
        "sub_split": next(filter(None, parts), None),
        "category": _perturbation(key),
    }
    return {name: value for name, value in found.items() if value is not None}


def measured(values: dict[str, float | None]) -> dict[str, Any]:
    """Sort statistics into scores, what was used, and the rest."""
    runtime = values.get("inference_runtime")
    prompt = _count(values.get("num_prompt_tokens"))
    completion = _count(values.get("num_completion_tokens", values.get("num_output_tokens")))
    record: dict[str, Any] = {
        "scores": {name: value for name, value in values.items() if not name.startswith(COUNTED)},
        "measurements": {
            name: value
            for name, value in values.items()
            if name.startswith(COUNTED) and name not in _ELSEWHERE and value is not None
        },
        "latency_ms": None if runtime is None else runtime * 1000,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
    }
    if prompt is not None and completion is not None:
        record["tokens_used"] = prompt + completion
    return record


def _count(value: float | None) -> int | None:
    return None if value is None else round(value)


def asked(states: Sequence[State]) -> dict[str, Any]:
    """Return what was asked and answered; several where each choice was asked for."""
    requests = [state.request.messages or state.request.prompt for state in states if state.request]
    results = [state.result for state in states if state.result]
    answers = [_alone([text.text for text in result.completions]) for result in results]
    correct = [
        reference.output.text
        for reference in states[0].instance.references
        if reference.output is not None and "correct" in reference.tags
    ]
    found: dict[str, Any] = {
        "inputs": _alone(requests),
        "outputs": _alone(answers),
        "reference_outputs": _alone(correct),
    }
    times = [result.request_datetime for result in results if result.request_datetime is not None]
    with suppress(OverflowError, ValueError, OSError):
        found |= {"recorded_at": datetime.fromtimestamp(min(times), UTC).isoformat()}
    failed = [result for result in results if result.success is False]
    if failed:
        found["error_message"] = failed[0].error or "the request failed, the file does not say why"
        found["success"] = False
    return found


def _alone(values: Sequence[Any]) -> Any:  # noqa: ANN401  any JSON value
    return (values[0] if len(values) == 1 else list(values)) if values else None
