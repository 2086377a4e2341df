"""OpenAI Evals: a log for each arm, as its recorder writes one.

A run is a sample: what was sampled, whether it matched, its other scores, an error. A
repetition after the first has its number behind the sample's id, since events of one id are
one sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .runs import Content, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .runs import Arm

_MATCH: Final = "accuracy"
"""The score that the log's `match` events say."""
_AUTHOR: Final = "evalmart"

_encode = msgspec.json.encode


def write(folder: Path, arm: Arm, runs: Iterable[Content]) -> int:
    """Write an arm's log; return how many runs.

    Args:
        folder: that it is to be in.
        arm: the arm.
        runs: of the arm.

    """
    run_id = arm.ended_at.strftime("%y%m%d%H%M%S") + arm.digest.hex()[:8].upper()
    names = (arm.experiment_id, arm.experiment_group, arm.extension_version, arm.model_version)
    matched = {metric.metric for metric in arm.metrics if metric.is_binary} & {_MATCH}
    written = number = 0
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{file_name(*names)}.log").open("wb") as stream:
        stream.write(_encode({"spec": _spec(arm, run_id)}) + b"\n")
        for run in runs:
            written += 1
            for kind, data in _events(run, matched):
                event = {
                    "run_id": run_id,
                    "event_id": number,
                    "sample_id": _sample_id(run),
                    "type": kind,
                    "data": data,
                    "created_by": _AUTHOR,
                    "created_at": run.recorded_at.isoformat(" "),
                }
                stream.write(_encode(event) + b"\n")
                number += 1
        report = {metric.metric: metric.run_score for metric in arm.metrics}
        stream.write(_encode({"final_report": report, "run_id": run_id}) + b"\n")
    return written


def _spec(arm: Arm, run_id: str) -> dict[str, Any]:
    return {
        "completion_fns": [arm.model_version],
        "eval_name": arm.experiment_id,
        "base_eval": arm.experiment_id.partition(".")[0],
        "split": "",
        "run_config": {
            "experiment_group": arm.experiment_group,
            "extension_version": arm.extension_version,
        },
        "created_by": _AUTHOR,
        "run_id": run_id,
        "created_at": arm.began_at.isoformat(" "),
    }


def _sample_id(run: Content) -> str:
    return run.task_id if run.trial_number == 1 else f"{run.task_id}#{run.trial_number}"


def _events(run: Content, matched: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield type and data of a run's events."""
    usage = {
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
        "total_tokens": run.tokens_used,
    }
    used = {name: count for name, count in usage.items() if count is not None}
    if run.inputs is not None or run.outputs is not None or used:
        sampled = [] if run.outputs is None else [run.outputs]
        told: dict[str, Any] = {"prompt": run.inputs, "sampled": sampled}
        yield "sampling", {**told, "usage": used} if used else told
    scores = dict(run.counted_scores)
    for metric in matched & scores.keys():
        yield (
            "match",
            {
                "correct": scores.pop(metric) == 1,
                "expected": run.reference_outputs,
                "picked": run.outputs,
            },
        )
    if scores:
        yield "metrics", scores
    if run.error_message is not None:
        yield "error", {"type": "Error", "message": run.error_message}
    if not run.counted_scores and run.error_message is None:
        yield "extra", {"not_scored": True}
