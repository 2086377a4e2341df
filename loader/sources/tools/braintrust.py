"""Braintrust: the rows of an experiment, exported on its page or answered by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import Rejection
from . import About, Importer, Rejected, Run
from .braintrust_rows import LISTS, Row, rows_of
from .gathered import Gathered
from .naming import Names, below, named_by_content, worth_keeping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from . import Item
    from .gathered import Piece
    from .opened import ToolFile

_TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt_tokens": ("prompt_tokens",),
    "completion_tokens": ("completion_tokens",),
    "cached_tokens": ("prompt_cached_tokens",),
    "reasoning_tokens": ("completion_reasoning_tokens", "reasoning_tokens"),
    "tokens_used": ("tokens", "total_tokens"),
    "cost_usd": ("estimated_cost",),
}
"""Fields of a record, each with what Braintrust's metrics call it, the first that is there."""
_NOT_MEASURED: Final = {
    "start", "end", "duration", "caller_functionname", "caller_filename", "caller_lineno",
    *(name for names in _TOKENS.values() for name in names),
}  # fmt: skip
_BODIES: Final = {"input": "inputs", "output": "outputs", "expected": "reference_outputs"}
_OF_ROW: Final = frozenset({*Row.__struct_fields__, "comments", "facets", "classifications"})
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Row).decode


def _recognises(file: ToolFile) -> bool:
    if file.columns:
        return _is_row({name.partition(".")[0] for name in file.columns})
    keys = file.keys
    if keys & {*LISTS}:
        return b'"root_span_id"' in file.head and b'"experiment_id"' in file.head
    is_span = keys >= {"id", "root_span_id"} and bool(keys & {"span_attributes", "scores"})
    return is_span or _is_row(keys)


def _is_row(names: AbstractSet[str]) -> bool:
    """Whether names are those of a run summed up: theirs alone, or with one that only they have."""
    if not names >= {"id", "input", "scores"} or "task_id" in names:
        return False
    is_theirs_alone = names >= {"output", "metrics"} and names <= _OF_ROW
    return is_theirs_alone or bool(names & {"span_id", "root_span_id", "_xact_id"})


def _runs(file: ToolFile) -> Iterator[Item]:
    names = Names(file.name)
    with Gathered() as gathered:
        for part in rows_of(file):
            if isinstance(part, Rejected):
                yield part
            else:
                row = part.value
                gathered.add(row.root_span_id or row.id, part.number, _encode(row))
        for group in gathered.groups():
            yield group if isinstance(group, Rejected) else _run(group[1], gathered, names)


def _run(pieces: Sequence[Piece], gathered: Gathered, names: Names) -> Run | Rejected:
    spans = [(piece.number, _decode(piece.text)) for piece in pieces]
    roots = [span for span in spans if span[1].is_run]
    if not roots:
        reason = (
            f"the span of the run {spans[0][1].root_span_id} is not in the file, only spans "
            "below it; export the experiment with its root spans"
        )
        text = msgspec.json.encode(spans[0][1])
        return Rejected(spans[0][0], text[:2000], Rejection("no_root_span", reason))
    place, root = roots[-1]
    children = [span for _, span in spans if span is not root]
    model = _model(root, children)
    experiment = _dataset(root) or root.project_name or root.project_id or "braintrust"
    task = _task(root)
    record: dict[str, Any] = {
        "experiment_id": experiment,
        "task_id": task,
        "source_run_id": root.id,
        "repetition": gathered.ordinal(f"{root.experiment_id} {model} {task}".encode()),
        "recorded_at": root.created,
        **_measured(root, children),
        **{name: getattr(root, each) for each, name in _BODIES.items()},
    }
    if model is not None:
        record["model_version"] = model
    _add_scores(record, root, children)
    metadata = worth_keeping(root.metadata, ("model", "scorer_errors"))
    if root.tags:
        metadata["tags"] = root.tags
    if root.error is not None:
        record["error_message"] = _text(root.error)
        record["success"] = False
    if metadata:
        record["metadata"] = metadata
    told = {
        "experiment_name": root.experiment_name,
        "experiment_id": root.experiment_id,
        "project_name": root.project_name,
        "project_id": root.project_id,
        "model": model,
        **below("metadata", root.metadata),
    }
    return Run(place, record, names.of(told))


def _dataset(root: Row) -> str | None:
    origin = root.origin
    return (origin.object_id if origin and origin.object_type == "dataset" else None) or (
        root.dataset_id
    )


def _task(root: Row) -> str:
    """Return the record of the dataset; else what Braintrust compares experiments by, the input."""
    origin = root.origin
    return (
        root.dataset_record_id
        or (origin.id if origin and origin.object_type in (None, "dataset") else None)
        or named_by_content("input", root.input)
    )


def _model(root: Row, children: Sequence[Row]) -> str | None:
    """Return the model that the run says it used; else that of its calls, if it is one."""
    said = (root.metadata or {}).get("model")
    if isinstance(said, str) and said:
        return said
    calls = [span for span in children if span.kind == "llm" and not span.is_of_scorer]
    told = [(span.metadata or {}).get("model") for span in calls]
    used = {model for model in told if isinstance(model, str) and model}
    return used.pop() if len(used) == 1 else None


def _measured(root: Row, children: Sequence[Row]) -> dict[str, Any]:
    """Return latency, tokens, cost and whatever else was counted.

    The page sums up the calls of a run in its row; the API does not: there they stand in the
    spans of the calls, beside those of scorers, which are no part of the run.
    """
    own = root.metrics or {}
    calls = [
        span.metrics or {} for span in children if span.kind == "llm" and not span.is_of_scorer
    ]
    found: dict[str, Any] = {}
    for name, keys in _TOKENS.items():
        for key in keys:
            values = [own[key]] if _is_number(own.get(key)) else _numbers(calls, key)
            if values:
                found[name] = sum(values)
                break
    timed = next((span for span in children if span.kind == "task"), root).metrics or {}
    if _is_number(own.get("duration")):
        found["latency_ms"] = own["duration"] * 1000
    elif _is_number(timed.get("start")) and _is_number(timed.get("end")):
        found["latency_ms"] = (timed["end"] - timed["start"]) * 1000
    counted = {
        name: value
        for name, value in own.items()
        if name not in _NOT_MEASURED and _is_number(value)
    }
    if counted:
        found["measurements"] = counted
    return found


def _add_scores(record: dict[str, Any], root: Row, children: Sequence[Row]) -> None:
    """Put in the scores: of the run, else of the spans of its scorers, the mean where several."""
    given: dict[str, list[float | None]] = {}
    comments: dict[str, str] = {}
    for span in children:
        for key, value in (span.scores or {}).items():
            given.setdefault(key, []).append(value)
        reason = (span.metadata or {}).get("rationale")
        if len(span.scores or {}) == 1 and isinstance(reason, str) and reason:
            [key] = span.scores or {}
            comments[key] = reason
    scores: dict[str, float | None] = {
        key: _mean([value for value in values if value is not None])
        for key, values in given.items()
    } | (root.scores or {})
    crashed = (root.metadata or {}).get("scorer_errors")
    for key, told in crashed.items() if isinstance(crashed, dict) else ():
        scores.setdefault(key, None)
        comments.setdefault(key, _text(told))
    record["scores"] = scores
    if comments:
        record["comments"] = comments


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _numbers(metrics: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [each[key] for each in metrics if _is_number(each.get(key))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


IMPORTER: Final = Importer(
    About(
        kind="braintrust",
        tool="Braintrust",
        files="an experiment, exported on its page (CSV, JSON) or by the API (`fetch`, BTQL)",
        versions="API v1, rows of the SDK of 2026",
        kept="scores, tokens and cost (of a run, else summed up over its calls), the task's "
        "latency, errors, model, tags, metadata, reasons of scorers, repetitions of one input",
        left_out="spans below the run other than for the above, and what scorers used",
        names={
            "experiment_name": "name of the experiment",
            "experiment_id": "id of the experiment",
            "model": "model that the run used",
            "project_name": "name of the project",
            "project_id": "id of the project",
            "metadata.*": "a member of the metadata",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
