"""Files in the shape of Every Eval Ever: an instance file, and the aggregate beside it."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

EVALUATION = "capitals/acme_small-1/1764000000"
METRICS = {"accuracy": (0.0, 1.0), "judge": (1.0, 5.0)}


class Truth(NamedTuple):
    """What the files hold, as it was made."""

    runs: int
    errors: int
    means: dict[str, float]
    """Of each metric's scored lines, on its own scale."""


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write an instance file of so many runs, two metrics each, and its aggregate."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)  # noqa: S311  of a test
    uuid = f"0f0e0d0c-0b0a-4{seed:03d}-8000-00000000000a"
    samples = folder / f"{uuid}_samples.jsonl"
    digest = hashlib.sha256()
    rows = 0
    totals: dict[str, list[float]] = {name: [] for name in METRICS}
    with samples.open("wb") as stream:
        for number in range(runs):
            for line in _lines(number, draw):
                text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
                stream.write(text)
                digest.update(text)
                rows += 1
                if not line.get("error"):
                    name = line["evaluation_result_id"].rpartition("::")[2]
                    totals[name].append(line["evaluation"]["score"])
    aggregate = folder / f"{uuid}.json"
    aggregate.write_text(
        json.dumps(_aggregate(totals, samples.name, digest.hexdigest(), rows), indent=1)
    )
    return [aggregate, samples]


def numbers(paths: list[Path]) -> Truth:
    """Count what files say, line by line."""
    lines = [json.loads(line) for line in paths[1].read_text(encoding="utf-8").splitlines()]
    scored = [line for line in lines if not line.get("error")]
    means = {}
    for name in METRICS:
        scores = [
            line["evaluation"]["score"]
            for line in scored
            if line["evaluation_result_id"].endswith(f"::{name}")
        ]
        means[name] = sum(scores) / len(scores)
    runs = {(line["sample_id"], line["metadata"]["epoch"]) for line in lines}
    return Truth(len(runs), len(lines) - len(scored), means)


def _lines(number: int, draw: random.Random) -> list[dict[str, Any]]:
    """Return the lines of one run: two of a scored one, one of a failed one."""
    task, epoch = divmod(number, 2)
    question = f"Capital of land {task}?"
    is_agentic = task % 5 == 3
    sent = draw.randint(10, 90)
    answered = draw.randint(1, 40)
    line: dict[str, Any] = {
        "schema_version": "0.3.0",
        "evaluation_id": EVALUATION,
        "model_id": "acme/small-1",
        "evaluation_name": "capitals",
        "sample_id": f"land-{task}",
        "sample_hash": hashlib.sha256(question.encode()).hexdigest(),
        "interaction_type": "agentic" if is_agentic else "single_turn",
        "input": {
            "raw": question,
            "reference": [f"City {task}"],
            "choices": ["City 1", "City 2"] if task % 4 == 1 else None,
        },
        "output": None if is_agentic else {"raw": [f"City {draw.randint(0, task + 1)}"]},
        "messages": [
            {"turn_idx": 0, "role": "user", "content": question},
            {"turn_idx": 1, "role": "assistant", "content": f"City {task}"},
        ]
        if is_agentic
        else None,
        "answer_attribution": [],
        "token_usage": {
            "input_tokens": sent,
            "output_tokens": answered,
            "total_tokens": sent + answered,
            "input_tokens_cache_read": sent // 2,
            "reasoning_tokens": None,
        },
        "performance": {"latency_ms": draw.randint(100, 5000) / 8},
        "error": None,
        "metadata": {"epoch": str(epoch + 1), "category": ["north", "south"][task % 2]},
    }
    if number % 10 == 7:
        failed = {"score": 0.0, "is_correct": False}
        return [{**line, "evaluation": failed, "evaluation_result_id": "capitals::accuracy",
                 "error": "the server did not answer"}]  # fmt: skip
    right, grade = draw.randint(0, 1), draw.randint(1, 5)
    return [
        {
            **line,
            "evaluation_result_id": f"capitals::{name}",
            "evaluation": {"score": score, "is_correct": right == 1, "num_turns": 1},
        }
        for name, score in (("accuracy", right), ("judge", grade))
    ]


def _aggregate(
    totals: dict[str, list[float]], samples: str, checksum: str, rows: int
) -> dict[str, Any]:
    details = {"deployment_type": "externally_managed", "model_availability": "closed_weights"}
    return {
        "schema_version": "0.3.0",
        "evaluation_id": EVALUATION,
        "evaluation_timestamp": "1764000000",
        "retrieved_timestamp": "1764003600",
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_organization_name": "Atlas",
            "evaluator_relationship": "third_party",
        },
        "eval_library": {"name": "atlas", "version": "2.1"},
        "model_info": {
            "name": "Small 1",
            "id": "acme/small-1",
            "inference_platform": "acme",
            "additional_details": details,
        },
        "evaluation_results": [
            {
                "evaluation_result_id": f"capitals::{name}",
                "evaluation_name": "capitals",
                "source_data": {"dataset_name": "capitals", "source_type": "other"},
                "metric_config": {
                    "metric_id": name,
                    "lower_is_better": False,
                    "score_type": "continuous",
                    "min_score": low,
                    "max_score": high,
                },
                "score_details": {"score": sum(totals[name]) / max(len(totals[name]), 1)},
            }
            for name, (low, high) in METRICS.items()
        ],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": f"data/capitals/acme/small-1/{samples}",
            "hash_algorithm": "sha256",
            "checksum": checksum,
            "total_rows": rows,
        },
    }
