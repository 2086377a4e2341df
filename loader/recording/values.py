"""The values of a record as code gives them: numbers of other libraries, the old tracker's call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypedDict

import msgspec

from ..errors import InvalidRecord
from ..records.bounds import DEEPEST
from ..records.json_text import too_deep, type_name

Number = float | Decimal
_OWN_METRICS: Final = ("latency_ms", "tokens_used", "cost_usd")


class RecordFields(TypedDict, total=False):
    """The fields of one run, as in the contract; those left out come from the recorder."""

    experiment_id: str
    task_id: str
    experiment_group: str
    extension_version: str
    source_run_id: str
    repetition: int
    recorded_at: datetime | str
    model_version: str
    agent_name: str | None
    scores: Mapping[str, Number | bool | None]
    accuracy: Number | bool | None
    completeness: Number | bool | None
    efficiency: Number | bool | None
    integration_quality: Number | bool | None
    measurements: Mapping[str, Number]
    metrics: Mapping[str, Number | None]
    """As the old tracker took them: `latency_ms`, `tokens_used`, `cost_usd`; measurements."""
    latency_ms: Number | None
    tokens_used: int | None
    cost_usd: Number | None
    success: bool | None
    error_message: str | None
    dataset_version: str | None
    evaluator_versions: Mapping[str, str]
    baseline_experiment_id: str | None
    metadata: Mapping[str, object]
    score_scales: Mapping[str, list[float]]
    comments: Mapping[str, str]
    labels: Mapping[str, str]
    trace_url: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    inputs: object
    outputs: object
    reference_outputs: object


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


# msgspec writes NaN as null, a guess that the check could not see through; so what may hold
# one takes the slower way, which refuses it
to_json: Final = msgspec.json.Encoder(decimal_format="number").encode
to_json_strictly: Final = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_text
).encode


def plain(value: Any, path: str = "", depth: int = 1) -> Any:  # noqa: ANN401  any field of a record
    """Return a value with plain numbers and containers, so that the check can name what is wrong.

    Args:
        value: of a field, or all fields.
        path: where it stands.
        depth: how many objects and arrays it is in, itself included.

    Raises:
        InvalidRecord: it holds an array, or nests too deeply (into itself, perhaps); names
            where.

    """
    if isinstance(value, Mapping | list | tuple) and depth > DEEPEST:
        raise too_deep(path.partition(".")[0])
    if isinstance(value, Mapping):
        return {
            key: plain(item, f"{path}.{key}" if path else str(key), depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, path, depth + 1) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if getattr(value, "ndim", 0):
        shape = " by ".join(map(str, getattr(value, "shape", ()))) or "some"
        raise InvalidRecord(
            path,
            "wrong_type",
            f"{path} is an array of {shape} values; give one number, such as its mean, or keep "
            "them as a list under metadata",
        )
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def with_metrics(run: dict[str, Any]) -> None:
    """Put what the old tracker took under `metrics` where it belongs.

    `latency_ms`, `tokens_used` and `cost_usd` are fields of their own; any other is a
    measurement. One that is None was not measured.

    Raises:
        InvalidRecord: it is no mapping, or the record says something else of the same name.

    """
    metrics = run.pop("metrics")
    if metrics is None:
        return
    if not isinstance(metrics, Mapping):
        raise InvalidRecord(
            "metrics", "wrong_type", f"metrics is {type_name(metrics)}; write {{name: number}}"
        )
    measurements = run.get("measurements")
    others = dict(measurements) if isinstance(measurements, Mapping) else {}
    for name, value in metrics.items():
        where = run if name in _OWN_METRICS else others
        known = where.get(name)
        if known is not None and value is not None and known != value:
            raise InvalidRecord(
                f"metrics.{name}",
                "conflicting_values",
                f"metrics.{name} is {value!r}, and the record also says {known!r}; keep one",
            )
        if value is not None:
            where[name] = value
    if others:
        run["measurements"] = others
