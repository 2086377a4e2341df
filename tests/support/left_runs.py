"""Records with all that a record can have, to see what of it comes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = "prices 1/2"
MODEL = "acme/small-1"


def records() -> list[dict[str, Any]]:
    """Return runs of two arms: repetitions, a failure, nulls, odd texts, scales and bodies."""
    usual = {
        "experiment_id": EXPERIMENT,
        "experiment_group": "baseline",
        "extension_version": "1.0",
        "model_version": MODEL,
        "agent_name": "pricer",
        "dataset_version": "d1",
    }
    treated = {**usual, "experiment_group": "code-chef", "extension_version": "2.0-β"}
    runs: list[dict[str, Any]] = []
    for of_arm in (usual, treated):
        runs += [
            {
                **of_arm,
                "task_id": "t-1",
                "repetition": repetition,
                "recorded_at": f"2026-11-0{repetition}T10:00:00.25+00:00",
                "scores": {"accuracy": repetition % 2, "judge": 2 + repetition},
                "score_scales": {"judge": [1, 5]},
                "comments": {"judge": "fair, | =1+1 \u202e"},
                "labels": {"tone": "polite"},
                "evaluator_versions": {"judge": "j-3"},
                "measurements": {"turns": 4, "odd": 0.1},
                "latency_ms": 12.5,
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "tokens_used": 15,
                "cached_tokens": 4,
                "cost_usd": 0.00012,
                "trace_url": "https://example.org/t/1",
                "inputs": {"question": "2+2?", "sure": None},
                "outputs": ["4", {"why": 1.50}],
                "reference_outputs": "4",
                "metadata": {"category": "sums", "depth": 2, "split": "test"},
            }
            for repetition in (1, 2)
        ]
        runs += [
            {
                **of_arm,
                "task_id": "t/2",
                "scores": {"accuracy": 0.3},
                "inputs": "what?",
                "outputs": "",
                "reference_outputs": ["a", "b"],
                "tokens_used": 7,
                "success": True,
            },
            {
                **of_arm,
                "task_id": "t-3",
                "error_message": "no answer\x1b[2J",
                "inputs": "why?",
                "reference_outputs": ["only"],
                "metadata": {"evalmart": 1},
            },
            {**of_arm, "task_id": "t-4", "scores": {"judge": None}, "reference_outputs": []},
            {
                **of_arm,
                "task_id": "t-5",
                "scores": {"accuracy": 1},
                "error_message": "late",
                "success": False,
                "recorded_at": "2026-11-03T10:00:00+00:00",
                "repetition": 3,
            },
        ]
    return runs


def write(folder: Path) -> Path:
    """Write them as a file of records."""
    path = folder / "runs.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records()), encoding="utf-8")
    return path
