"""Every Eval Ever, schema 0.3.0: an aggregate file for each arm, and its instance file.

An instance is one score of one run. What a record has and the format has no place for stands
under the instance's `metadata.evalmart`, as JSON: whoever reads it has the whole record back.
"""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...sources.tools.every_eval_ever import EXTRA
from .runs import Content, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from .runs import Arm, Metric

_VERSION: Final = "0.3.0"
_UNKNOWN: Final = "unknown"
_LIBRARIES: Final = {"inspect": "inspect_ai", "lm-eval": "lm_eval", "helm": "helm"}
"""What the format calls the tools whose files runs may come from."""
_KEPT: Final = (
    "task_id", "source_run_id", "agent_name", "dataset_version", "baseline_experiment_id",
    "cost_usd", "success", "labels", "comments", "score_scales", "evaluator_versions",
    "measurements", "trace_url", "metadata",
)  # fmt: skip
_SUMMED: Final = ("prompt_tokens", "completion_tokens", "tokens_used")
NOT_SCORED: Final = "not scored"

_encode = msgspec.json.encode


def write(folder: Path, arm: Arm, runs: Iterable[Content]) -> int:
    """Write an arm's files below `data`, where the format wants them; return how many runs.

    Args:
        folder: that `data` is to be in.
        arm: the arm.
        runs: of the arm.

    """
    developer, _, model = arm.model_version.rpartition("/")
    collection = file_name(arm.experiment_id)
    place = "/".join(("data", collection, file_name(developer or _UNKNOWN), file_name(model)))
    name = str(uuid.UUID(bytes=arm.digest[:16], version=4))
    samples = f"{place}/{name}_samples.jsonl"
    evaluation = _evaluation_id(arm)
    digest = sha256()
    lines = written = 0
    (folder / place).mkdir(parents=True, exist_ok=True)
    with (folder / samples).open("wb") as stream:
        for run in runs:
            written += 1
            for line in instances(run, arm, evaluation):
                text = _encode(line) + b"\n"
                stream.write(text)
                digest.update(text)
                lines += 1
    aggregate = {
        **_head(arm, evaluation),
        "evaluation_results": [_result(metric, arm) for metric in arm.metrics],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": samples,
            "hash_algorithm": "sha256",
            "checksum": digest.hexdigest(),
            "total_rows": lines,
        },
    }
    (folder / place / f"{name}.json").write_bytes(
        msgspec.json.format(_encode(aggregate), indent=2) + b"\n"
    )
    return written


def instances(run: Content, arm: Arm, evaluation: str) -> Iterator[dict[str, Any]]:
    """Yield a line for each score of a run; for a run without one, a line that says why."""
    asked, is_asked_json = _text(run.inputs)
    answered, is_answered_json = _text(run.outputs)
    wanted, is_wanted_json = _texts(run.reference_outputs)
    line: dict[str, Any] = {
        "schema_version": _VERSION,
        "evaluation_id": evaluation,
        "model_id": arm.model_version,
        "evaluation_name": arm.experiment_id,
        "sample_id": run.task_id,
        "interaction_type": "single_turn",
        "input": {"raw": asked, "reference": wanted},
        "output": {"raw": [] if run.outputs is None else [answered]},
        "answer_attribution": [],
        "evaluation": {"score": 0.0, "is_correct": False},
        "error": run.error_message,
    }
    if run.inputs is not None:
        line["sample_hash"] = sha256(_encode({"raw": asked, "reference": wanted})).hexdigest()
    if _has_sum(run):
        line["token_usage"] = {
            "input_tokens": run.prompt_tokens,
            "output_tokens": run.completion_tokens,
            "total_tokens": run.tokens_used,
            "input_tokens_cache_read": run.cached_tokens,
            "reasoning_tokens": run.reasoning_tokens,
        }
    if run.latency_ms is not None or run.cost_usd is not None:
        cost = {} if run.cost_usd is None else {"cost_usd": repr(run.cost_usd)}
        line["performance"] = {"latency_ms": run.latency_ms, "additional_details": cost}
    kept = _kept(run, arm)
    are_json = {
        "inputs": is_asked_json,
        "outputs": is_answered_json,
        "reference_outputs": is_wanted_json,
    }
    kept["json"] = [name for name, is_json in are_json.items() if is_json]
    line["metadata"] = {**_shown(run), EXTRA: _encode(kept).decode()}
    directions = {metric.metric: metric.direction for metric in arm.metrics}
    for metric, score in sorted(run.counted_scores.items()):
        best = 0 if directions.get(metric) == "lower" else 1
        yield {
            **line,
            "evaluation_result_id": _result_id(arm, metric),
            "evaluation": {"score": score, "is_correct": score == best},
        }
    if not run.counted_scores:
        yield {**line, "error": run.error_message or NOT_SCORED}


def _kept(run: Content, arm: Arm) -> dict[str, Any]:
    """Return the fields of a record that the format has no place for; null takes one away."""
    kept: dict[str, Any] = {
        "experiment_id": arm.experiment_id,
        "experiment_group": arm.experiment_group,
        "extension_version": arm.extension_version,
        "repetition": run.repetition,
        "recorded_at": run.recorded_at.isoformat() if run.is_time_recorded else None,
    }
    for name in _KEPT:
        kept[name] = getattr(run, name) or None
    kept["success"], kept["cost_usd"] = run.success, run.cost_usd
    if not _has_sum(run):
        for name in (*_SUMMED, "cached_tokens", "reasoning_tokens"):
            kept[name] = getattr(run, name)
    if run.inputs is None:
        kept["inputs"] = None
    if run.reference_outputs == []:
        kept["reference_outputs"] = []
    if run.scores != run.counted_scores or run.error_message is not None:
        kept["scores"] = run.scores
    if not run.counted_scores and run.error_message is None:
        kept["error_message"] = None
    return kept


def _has_sum(run: Content) -> bool:
    return all(getattr(run, name) is not None for name in _SUMMED)


def _shown(run: Content) -> dict[str, str]:
    """Return what of the metadata is text, and which repetition it is, for whoever reads it."""
    texts = {name: value for name, value in run.metadata.items() if isinstance(value, str)}
    return {**texts, "epoch": str(run.repetition or run.trial_number)}


def _text(body: Any) -> tuple[str, bool]:  # noqa: ANN401  any JSON value
    """Return a body as text, and whether that is JSON."""
    if body is None or isinstance(body, str):
        return body or "", False
    return _encode(body).decode(), True


def _texts(body: Any) -> tuple[list[str], bool]:  # noqa: ANN401  any JSON value
    """Return a reference as a list of texts, and whether its only one is JSON."""
    if body is None or body == []:
        return [], False
    if isinstance(body, list) and len(body) > 1 and all(isinstance(each, str) for each in body):
        return body, False
    text, is_json = _text(body)
    return [text], is_json


def _evaluation_id(arm: Arm) -> str:
    names = (arm.experiment_group, arm.extension_version, arm.model_version)
    return "/".join((file_name(arm.experiment_id), file_name(*names), _seconds(arm.ended_at)))


def _result_id(arm: Arm, metric: str) -> str:
    return f"{arm.experiment_id}::{metric}"


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _head(arm: Arm, evaluation: str) -> dict[str, Any]:
    developer = arm.model_version.rpartition("/")[0]
    library = _LIBRARIES.get(arm.sources[0], _UNKNOWN) if len(arm.sources) == 1 else _UNKNOWN
    of_model = {"deployment_type": _UNKNOWN, "model_availability": _UNKNOWN}
    return {
        "schema_version": _VERSION,
        "evaluation_id": evaluation,
        "evaluation_timestamp": _seconds(arm.ended_at),
        "retrieved_timestamp": _seconds(arm.loaded_at),
        "source_metadata": {
            "source_name": "evalmart",
            "source_type": "evaluation_run",
            "source_organization_name": _UNKNOWN,
            "evaluator_relationship": "other",
            "additional_details": {
                "experiment_id": arm.experiment_id,
                "experiment_group": arm.experiment_group,
                "extension_version": arm.extension_version,
            },
        },
        "eval_library": {"name": library, "version": _UNKNOWN},
        "model_info": {
            "name": arm.model_version,
            "id": arm.model_version,
            **({"developer": developer} if developer else {}),
            "additional_details": of_model,
        },
    }


def _result(metric: Metric, arm: Arm) -> dict[str, Any]:
    return {
        "evaluation_result_id": _result_id(arm, metric.metric),
        "evaluation_name": arm.experiment_id,
        "source_data": {
            "dataset_name": arm.experiment_id,
            "source_type": "other",
            "additional_details": {"tasks": str(arm.tasks), "runs": str(arm.runs)},
        },
        "metric_config": {
            "metric_id": metric.metric,
            "metric_name": metric.metric,
            "lower_is_better": metric.direction == "lower",
            "score_type": "binary" if metric.is_binary else "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
            "additional_details": {"direction": metric.direction},
        },
        "score_details": {
            "score": metric.score,
            "details": {"tasks": str(metric.tasks), "runs": str(metric.runs)},
        },
    }
