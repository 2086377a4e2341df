"""Every Eval Ever: instance files (JSONL), whose lines are scores of runs, and aggregate files."""

from __future__ import annotations

import glob
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from loader.errors import InvalidRecord
from loader.sources import Rejection
from loader.sources.tools import About, Companion, FileBroken, Importer, Rejected, Run, Whole
from loader.sources.tools.opened import Part, each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loader.sources.tools import Item
    from loader.sources.tools.opened import ToolFile

EXTRA: Final = "evalmart"
"""Key under an instance's metadata: as JSON, the fields that the format has no place for."""
_KNOWN: Final = ("0.0.1", "0.1.0", "0.2.0", "0.2.1", "0.2.2", "0.2.3", "0.3.0")
_OF_INSTANCE: Final = frozenset({"evaluation_id", "evaluation_name", "sample_id"})
_OF_AGGREGATE: Final = frozenset({"schema_version", "evaluation_id", "retrieved_timestamp"})
_EMBEDDED: Final = "detailed_evaluation_results_per_samples"
_RESULTS: Final = "evaluation_results"
_SAMPLES: Final = "_samples.jsonl"
_MOST_BESIDE: Final = 200
_LONGEST_NAME: Final = 60
_MILLISECONDS: Final = 1e11
_BATCH: Final = 1000
_NO_RUN: Final[tuple[int, Iterator[Any]]] = (0, iter(()))
_LINES: Final = """
create table lines (number integer, unit text, sample text, metric text, score real, epoch integer)
"""
_RANGES: Final = """
select metric, min(score), max(score), avg(score) from lines where score is not null group by metric
"""
# One row a line that is scored, those of one run together, runs in the order of their first line.
_RUNS: Final = """
with counted as (
    select
        *, coalesce(epoch, row_number() over (partition by unit, sample, metric order by number))
        as repetition
    from lines
)
select
    min(number) over (partition by unit, sample, repetition) as place, repetition, metric, score
from counted order by place, number
"""


class _Evaluation(msgspec.Struct):
    score: float | bool | None = None
    num_turns: float | None = None
    tool_calls_count: float | None = None


class _Input(msgspec.Struct):
    raw: Any = None
    reference: Any = None
    choices: list[Any] | None = None


class _Output(msgspec.Struct):
    raw: Any = None


class _Tokens(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_cache_read: int | None = None
    reasoning_tokens: int | None = None


class _Performance(msgspec.Struct):
    latency_ms: float | None = None
    time_to_first_token_ms: float | None = None
    generation_time_ms: float | None = None


class _Instance(msgspec.Struct):
    """A line: one score of one run, with what was asked and answered."""

    evaluation_id: str
    evaluation_name: str
    sample_id: str | int
    evaluation: _Evaluation
    model_id: str | None = None
    evaluation_result_id: str | None = None
    sample_hash: str | None = None
    interaction_type: str | None = None
    input: _Input | None = None
    output: _Output | None = None
    messages: list[Any] | None = None
    interactions: list[Any] | None = None
    token_usage: _Tokens | None = None
    performance: _Performance | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None


class _Metric(msgspec.Struct):
    evaluation_description: str | None = None
    metric_id: str | None = None
    metric_name: str | None = None
    min_score: float | str | None = None
    max_score: float | str | None = None


class _Details(msgspec.Struct):
    score: float | None = None


class _Result(msgspec.Struct):
    """One score of an aggregate file."""

    evaluation_name: str
    score_details: _Details
    metric_config: _Metric
    evaluation_result_id: str | None = None
    evaluation_timestamp: str | float | None = None

    @property
    def metric(self) -> str | None:
        """What it is a score of, where that is said in a word or two."""
        config = self.metric_config
        told = config.metric_id or config.metric_name or config.evaluation_description
        return told if told and len(told) <= _LONGEST_NAME and "\n" not in told else None


class _Aggregate(NamedTuple):
    """What an aggregate file says of the lines beside it."""

    members: dict[str, Any]
    results: list[_Result]

    def metric(self, line: _Instance) -> str:
        """Return the key of a line's score."""
        wanted = line.evaluation_result_id
        for result in self.results:
            if wanted and result.evaluation_result_id:
                is_its = result.evaluation_result_id == wanted
            else:
                is_its = result.evaluation_name == line.evaluation_name
            if is_its:
                return result.metric or line.evaluation_name
        only = self.results[0].metric if len(self.results) == 1 else None
        return only or line.evaluation_result_id or "score"

    def scale(self, metric: str, low: float, high: float, mean: float) -> list[float] | None:
        """Return a metric's scale where the lines are on it: it is the aggregate's, not theirs."""
        for result in self.results:
            config, score = result.metric_config, result.score_details.score
            ends = [config.min_score, config.max_score]
            if (result.metric or "") != metric or not all(
                isinstance(end, int | float) for end in ends
            ):
                continue
            bottom, top = (float(str(end)) for end in ends)
            is_theirs = score is not None and abs(mean - score) <= (top - bottom) / 100
            if (
                bottom < top
                and bottom <= low
                and high <= top
                and (low < 0 or high > 1 or is_theirs)
            ):
                return [bottom, top]
        return None


def _recognises(file: ToolFile) -> bool:
    if file.is_list or "task_id" in file.keys:
        return False
    return file.keys >= _OF_INSTANCE or (
        file.keys >= _OF_AGGREGATE and ("model_info" in file.keys or "source_metadata" in file.keys)
    )


def _runs(file: ToolFile) -> Iterator[Item]:
    if file.keys >= _OF_INSTANCE:
        yield from _instances(file)
    else:
        yield from _wholes(file)


def _instances(file: ToolFile) -> Iterator[Item]:
    beside = _aggregate_of(file)
    aggregate = _read(beside) if beside else _Aggregate({}, [])
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

        def run(part: Part[_Instance]) -> Iterator[Run]:
            nonlocal place, rows
            if part.number != place:
                return  # of a run that was yielded with its first line
            lines = list(rows)
            place, rows = next(runs, _NO_RUN)
            yield _run(part, lines, said, scales)

        yield from each(file.lines(_Instance), run)


def _spill(file: ToolFile, aggregate: _Aggregate, spill: sqlite3.Connection) -> None:
    """Keep of each line which run and score it is: those of one run may lie anywhere."""
    spill.execute(_LINES)

    def rows() -> Iterator[tuple[object, ...]]:
        for part in file.lines(_Instance):
            if isinstance(part, Rejected):
                _refuse_future(file, part)
                continue
            line = part.value
            score = None if line.error else line.evaluation.score
            yield (
                part.number, line.evaluation_name, str(line.sample_id), aggregate.metric(line),
                None if score is None else float(score), _epoch(line.metadata),
            )  # fmt: skip

    found = rows()
    while batch := list(islice(found, _BATCH)):
        spill.executemany("insert into lines values (?, ?, ?, ?, ?, ?)", batch)


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


def _epoch(metadata: dict[str, Any] | None) -> int | None:
    told = (metadata or {}).get("epoch")
    return int(told) if str(told).isdecimal() and int(told) > 0 else None  # type: ignore[arg-type]


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
    part: Part[_Instance],
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
    scores = {metric: score for _, _, metric, score in rows if score is not None}
    metadata = dict(line.metadata or {})
    extra = metadata.pop(EXTRA, None)
    metadata.pop("epoch", None)
    if line.sample_hash:
        metadata["sample_hash"] = line.sample_hash
    tokens, spent, asked = line.token_usage, line.performance, line.input or _Input()
    counts = {
        "num_turns": line.evaluation.num_turns,
        "tool_calls": line.evaluation.tool_calls_count,
        "time_to_first_token_ms": spent and spent.time_to_first_token_ms,
        "generation_time_ms": spent and spent.generation_time_ms,
    }
    record: dict[str, Any] = {
        "experiment_id": experiment,
        "task_id": f"{unit}{line.sample_id}",
        "source_run_id": f"{line.evaluation_id}/{unit}{line.sample_id}/{repetition}",
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
    return Run(part.number, _overlaid(record, extra), names)


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


def _read(file: ToolFile) -> _Aggregate:
    members = file.outline(_EMBEDDED, _RESULTS).members
    found: Iterable[Part[_Result] | Rejected] = file.parts(_RESULTS, _Result)
    return _Aggregate(members, [part.value for part in found if isinstance(part, Part)])


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

    def whole(part: Part[_Result]) -> Iterator[Item]:
        result = part.value
        key = result.evaluation_name
        if result.metric and result.metric != key:
            key = f"{key}: {result.metric}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            key = f"{key} #{seen[key]}"
        at = _time(result.evaluation_timestamp) or said["recorded_at"]
        yield Whole(key, result.score_details.score, record, said["names"], at)

    for item in each(file.parts(_RESULTS, _Result), whole):
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
        "those of an arm as a whole",
        left_out="is_correct where it differs from the score, answer_attribution, uncertainty, "
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
