"""Every Eval Ever: instance files (JSONL), whose lines are scores of runs, and aggregate files."""

from __future__ import annotations

import glob
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
from .. import Rejection
from . import About, Companion, FileBroken, Importer, Rejected, Run, Whole
from .every_eval_ever_form import Aggregate, Input, Instance, Kept, Result
from .opened import Part, each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from . import Item
    from .opened import ToolFile

EXTRA: Final = "evalmart"
"""Key under an instance's metadata: as JSON, the fields that the format has no place for."""
_KNOWN: Final = ("0.0.1", "0.1.0", "0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.3.0")
_OF_INSTANCE: Final = frozenset({"evaluation_id", "evaluation_name", "sample_id"})
_WITH_INSTANCE: Final = frozenset(
    {"schema_version", "model_id", "interaction_type", "evaluation", "sample_hash"}
)
"""Names of which a line has several beside those."""
_OF_AGGREGATE: Final = frozenset({"schema_version", "evaluation_id", "retrieved_timestamp"})
_EMBEDDED: Final = "detailed_evaluation_results_per_samples"
_RESULTS: Final = "evaluation_results"
_SAMPLES: Final = "_samples.jsonl"
_MOST_BESIDE: Final = 200
_MOST_METRICS: Final = 10_000
_SCORE: Final = "score"
"""The key of a score that nothing names."""
_MILLISECONDS: Final = 1e11
_BATCH: Final = 1000
_NO_RUN: Final[tuple[int, Iterator[Any]]] = (0, iter(()))
_LINES: Final = """
create table lines (
    number integer, unit text, sample text, run text, metric text, score real, epoch integer
)
"""
_RANGES: Final = """
select metric, min(score), max(score), avg(score) from lines where score is not null group by metric
"""
# One row a line that is scored, those of one run together, runs in the order of their first line.
# An export of evalmart names its runs; elsewhere a sample's epoch tells them apart.
_RUNS: Final = """
with counted as (
    select
        *,
        coalesce(epoch, row_number() over (partition by unit, sample, run, metric order by number))
        as repetition
    from lines
)
select
    min(number) over (partition by unit, sample, run, repetition) as place,
    repetition, metric, score
from counted order by place, number
"""


def _recognises(file: ToolFile) -> bool:
    if file.is_list or "task_id" in file.keys:
        return False
    if file.keys >= _OF_INSTANCE:
        return len(file.keys & _WITH_INSTANCE) > 1
    return file.keys >= _OF_AGGREGATE and (
        "model_info" in file.keys or "source_metadata" in file.keys
    )


def _runs(file: ToolFile) -> Iterator[Item]:
    if file.keys >= _OF_INSTANCE:
        yield from _instances(file)
    else:
        yield from _wholes(file)


def _instances(file: ToolFile) -> Iterator[Item]:
    beside = _aggregate_of(file)
    aggregate = _read(beside) if beside else Aggregate({}, [])
    said = _said_of_file(aggregate.members, file)
    with closing(sqlite3.connect("")) as spill:
        _spill(file, aggregate, spill)
        scales: dict[str, list[float]] = {}
        for metric, *seen in spill.execute(_RANGES):
            scale = aggregate.scale(metric, *seen)
            if scale is not None and scale != [0.0, 1.0]:
                scales[metric] = scale
        runs = groupby(spill.execute(_RUNS), itemgetter(0))
        place, rows = next(runs, _NO_RUN)

        def run(part: Part[Instance]) -> Iterator[Run]:
            nonlocal place, rows
            if part.number != place:
                return  # of a run that was yielded with its first line
            lines = list(rows)
            place, rows = next(runs, _NO_RUN)
            yield _run(part, lines, said, scales)

        yield from each(file.lines(Instance), run)


def _spill(file: ToolFile, aggregate: Aggregate, spill: sqlite3.Connection) -> None:
    """Keep of each line which run and score it is: those of one run may lie anywhere."""
    spill.execute(_LINES)
    metrics: dict[tuple[str, str | None], str | None] = {}

    def rows() -> Iterator[tuple[object, ...]]:
        for part in file.lines(Instance):
            if isinstance(part, Rejected):
                _refuse_future(file, part)
                continue
            line = part.value
            score = None if line.error else line.evaluation.score
            which = (line.evaluation_name, line.evaluation_result_id)
            if which not in metrics and len(metrics) < _MOST_METRICS:
                metrics[which] = aggregate.metric(line)
            key = metrics.get(which) or line.evaluation_result_id or _SCORE
            yield (
                part.number, line.evaluation_name, str(line.sample_id),
                _kept(line.metadata).source_run_id, key,
                None if score is None else float(score), _epoch(line.metadata),
            )  # fmt: skip

    found = rows()
    while batch := list(islice(found, _BATCH)):
        spill.executemany("insert into lines values (?, ?, ?, ?, ?, ?, ?)", batch)
    # an id that nothing explains may name the model, which arms do not share
    ids = Counter(unit for unit, result in metrics if result is not None)
    for (unit, result), metric in metrics.items():
        if metric is None and ids[unit] == 1:
            spill.execute(
                "update lines set metric = ? where unit = ? and metric = ?", (_SCORE, unit, result)
            )


def _refuse_future(file: ToolFile, part: Rejected) -> None:
    version = str(file.shown("schema_version") or "").rpartition("_")[2]
    if part.number == 1 and part.rejection.reason_code == "unexpected_form" and version:
        _refuse_version(version, part.rejection.reason)


def _refuse_version(version: str, reason: str) -> None:
    """Raise FileBroken for what a schema later than those tried says otherwise."""
    if version not in _KNOWN:
        raise FileBroken(
            Rejection(
                "unknown_version",
                f"schema_version {version}: {reason}; tried are {_KNOWN[0]} to {_KNOWN[-1]}",
            )
        )


def _kept(metadata: dict[str, Any] | None) -> Kept:
    """Return which run an export of evalmart says that a line is of; nothing of other files."""
    extra = (metadata or {}).get(EXTRA)
    with suppress(msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode(extra, type=Kept) if isinstance(extra, str) else Kept()
    return Kept()


_LONGEST_EPOCH: Final = 9
"""Digits of one."""


def _epoch(metadata: dict[str, Any] | None) -> int | None:
    told = str((metadata or {}).get("epoch"))
    is_number = told.isdecimal() and len(told) <= _LONGEST_EPOCH
    return int(told) or None if is_number else None


def _object(members: dict[str, Any], name: str) -> dict[str, Any]:
    found = members.get(name)
    return found if isinstance(found, dict) else {}


def _said_of_file(members: dict[str, Any], file: ToolFile) -> dict[str, Any]:
    """Return what an aggregate says of all its scores: names for `--map`, and a time."""
    model, library = _object(members, "model_info"), _object(members, "eval_library")
    version = library.get("version")
    return {
        "recorded_at": _time(members.get("evaluation_timestamp")),
        "library": f"{library.get('name')} {version}" if version not in (None, "unknown") else None,
        "names": {
            "model": model.get("id") or model.get("name"),
            "platform": model.get("inference_platform"),
            "file": file.name,
        },
    }


def _run(
    part: Part[Instance],
    rows: list[tuple[int, int, str, float | None]],
    said: dict[str, Any],
    scales: dict[str, list[float]],
) -> Run:
    line = part.value
    experiment, _, rest = line.evaluation_id.partition("/")
    if "/" not in rest:
        experiment = line.evaluation_name
    unit = "" if line.evaluation_name == experiment else f"{line.evaluation_name}/"
    repetition = rows[0][1]
    of = "" if "/" in line.evaluation_id else f"/{line.model_id}"
    scores = {metric: score for _, _, metric, score in rows if score is not None}
    metadata = dict(line.metadata or {})
    extra = metadata.pop(EXTRA, None)
    metadata.pop("epoch", None)
    if line.sample_hash:
        metadata["sample_hash"] = line.sample_hash
    tokens, spent, asked = line.token_usage, line.performance, line.input or Input()
    counts = {
        "num_turns": line.evaluation.num_turns,
        "tool_calls": line.evaluation.tool_calls_count,
        "time_to_first_token_ms": spent and spent.time_to_first_token_ms,
        "generation_time_ms": spent and spent.generation_time_ms,
    }
    record: dict[str, Any] = {
        "experiment_id": experiment,
        "task_id": f"{unit}{line.sample_id}",
        "source_run_id": f"{line.evaluation_id}{of}/{unit}{line.sample_id}/{repetition}",
        "repetition": repetition,
        "recorded_at": said["recorded_at"],
        "model_version": line.model_id,
        "scores": scores,
        "score_scales": {metric: scales[metric] for metric in scores if metric in scales},
        "evaluator_versions": dict.fromkeys(scores, said["library"]) if said["library"] else None,
        "measurements": {name: count for name, count in counts.items() if count is not None},
        "latency_ms": spent and spent.latency_ms,
        "prompt_tokens": tokens and tokens.input_tokens,
        "completion_tokens": tokens and tokens.output_tokens,
        "tokens_used": tokens and tokens.total_tokens,
        "cached_tokens": tokens and tokens.input_tokens_cache_read,
        "reasoning_tokens": tokens and tokens.reasoning_tokens,
        "error_message": line.error,
        "inputs": {"question": asked.raw, "choices": asked.choices} if asked.choices else asked.raw,
        "outputs": _one(line.output.raw) if line.output else line.messages or line.interactions,
        "reference_outputs": _one(asked.reference),
        "metadata": metadata,
    }
    record = {name: value for name, value in record.items() if value not in (None, {}, [])}
    names = said["names"]
    if names["model"] is None and line.model_id:
        names = {**names, "model": line.model_id}
    return Run(part.number, _overlaid(record, extra), names, _kept(line.metadata).experiment_id)


def _overlaid(record: dict[str, Any], extra: object) -> dict[str, Any]:
    """Return a record with what its exporter kept of it beside the format; null takes away."""
    if not isinstance(extra, str):
        return record
    try:
        kept = msgspec.json.decode(extra, type=dict[str, Any])
        are_json = kept.pop("json", None)
        for name in ("inputs", "outputs", "reference_outputs"):
            if (
                isinstance(are_json, list)
                and name in are_json
                and isinstance(record.get(name), str)
            ):
                kept[name] = msgspec.json.decode(record[name])
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = f"metadata.{EXTRA} is not as the export writes it: {error}"
        raise InvalidRecord("metadata", "unexpected_form", reason) from None
    return {name: value for name, value in {**record, **kept}.items() if value is not None}


def _one(found: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return the only element of a list of one."""
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _time(told: object) -> str | None:
    """Return seconds since 1970, or a time as text, in ISO 8601; None where it is neither."""
    with suppress(TypeError, ValueError, OverflowError, OSError):
        seconds = float(str(told))
        seconds = seconds / 1000 if seconds > _MILLISECONDS else seconds
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    with suppress(ValueError):
        return datetime.fromisoformat(str(told)).isoformat()
    return None


def _read(file: ToolFile) -> Aggregate:
    members = file.outline(_EMBEDDED, _RESULTS).members
    found: Iterable[Part[Result] | Rejected] = file.parts(_RESULTS, Result)
    return Aggregate(members, [part.value for part in found if isinstance(part, Part)])


def _aggregate_of(file: ToolFile) -> ToolFile | None:
    """Find the aggregate that an instance file belongs to."""
    wanted = file.shown("evaluation_id")
    named = file.beside(glob.escape(file.name.removesuffix(_SAMPLES)) + ".json")
    for other in [*named, *islice(file.beside("*.json"), _MOST_BESIDE)]:
        if _recognises(other) and other.shown("evaluation_id") == wanted:
            return other
    return None


def _instances_of(file: ToolFile, told: object) -> ToolFile | None:
    """Find the instance file that an aggregate names, or that stands beside it."""
    path = told.get("file_path") if isinstance(told, dict) else None
    names = [str(path).rpartition("/")[2]] if path else []
    for name in [*names, file.name.removesuffix(".json") + _SAMPLES]:
        for other in file.beside(f"{glob.escape(name)}*"):
            if other.name == name and other.keys >= _OF_INSTANCE:
                return other
    return None


def _wholes(file: ToolFile) -> Iterator[Item]:
    members = file.outline(_EMBEDDED, _RESULTS).members
    instances = _instances_of(file, members.get("detailed_evaluation_results"))
    if instances:
        yield Companion(instances.shown_name)
        return
    said = _said_of_file(members, file)
    evaluation = str(members.get("evaluation_id") or "")
    model = _object(members, "model_info")
    record: dict[str, Any] = {
        "experiment_id": evaluation.partition("/")[0],
        "model_version": model.get("id") or model.get("name"),
    }
    seen: dict[str, int] = {}

    def whole(part: Part[Result]) -> Iterator[Item]:
        result = part.value
        key = result.evaluation_name
        if result.metric and result.metric != key:
            key = f"{key}: {result.metric}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            key = f"{key} #{seen[key]}"
        at = _time(result.evaluation_timestamp) or said["recorded_at"]
        score = result.score_details.score
        yield Whole(key, score, record, said["names"], at, result.comment)

    for item in each(file.parts(_RESULTS, Result), whole):
        if isinstance(item, Rejected):
            _refuse_version(str(members.get("schema_version")), item.rejection.reason)
        yield item


IMPORTER: Final = Importer(
    About(
        kind="every-eval-ever",
        tool="Every Eval Ever",
        files="instance files (JSONL) and aggregate files (JSON)",
        versions="schema 0.0.1 to 0.3.0",
        kept="each metric's line of a sample as a score of one run, epochs, input, choices, "
        "reference, output or messages, tokens, latency, errors; of an aggregate beside its "
        "instances the metrics' names and scales, the time and the library; alone, its scores as "
        "those of an arm as a whole, with their standard errors",
        left_out="is_correct where it differs from the score, answer_attribution, "
        "generation_config, per-sample lists inside aggregates of 0.1.0",
        names={
            "model": "the model, as developer/name",
            "platform": "where it ran, if an aggregate beside it says so",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
