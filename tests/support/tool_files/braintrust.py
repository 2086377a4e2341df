"""Experiments as Braintrust's API answers them and its page exports them, with values of ours."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)
_MODELS = ("small-1", "large-1")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What one run is meant to say."""

    id: str
    question: str
    answer: str
    wanted: str
    score: float | None
    model: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    created: str
    error: str | None


def truths(runs: int, seed: int) -> Iterator[Truth]:
    """Yield what is meant; every tenth run failed, every seventh was not scored."""
    random = Random(seed)  # noqa: S311  values of a file
    for number in range(runs):
        failed = number % 10 == 9
        yield Truth(
            id=f"row-{seed}-{number}",
            question=f"What is {number} and {seed}?",
            answer=str(number + seed),
            wanted=str(number + seed + number % 2),
            score=None if failed or number % 7 == 6 else round(random.random(), 3),
            model=_MODELS[seed % 2],
            prompt_tokens=random.randrange(50, 500),
            completion_tokens=random.randrange(1, 90),
            seconds=round(random.uniform(0.2, 4), 3),
            created=(_BEGIN + timedelta(seconds=number)).isoformat(),
            error="the task timed out" if failed else None,
        )


def spans(truth: Truth, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one run as the API has them: its root, task, call and scorer."""
    at = datetime.fromisoformat(truth.created).timestamp()
    common = {
        "project_id": "0b8e2f34-0000-4000-8000-00000000000a",
        "project_name": "Sums",
        "experiment_name": f"sums-{seed}",
        "experiment_id": f"5c1d9a70-0000-4000-8000-{seed:012d}",
        "root_span_id": f"span-{truth.id}",
        "created": truth.created,
        "_xact_id": "1000192656880881099",
    }
    below = {**common, "is_root": False, "span_parents": [f"span-{truth.id}"]}
    yield {
        **common,
        "id": truth.id,
        "span_id": f"span-{truth.id}",
        "is_root": True,
        "span_parents": None,
        "span_attributes": {"name": "eval", "type": "eval"},
        "input": {"question": truth.question},
        "output": truth.answer,
        "expected": truth.wanted,
        "error": truth.error,
        "metadata": {"topic": "sums"},
        "tags": ["nightly"],
        "metrics": {"start": at, "end": at + truth.seconds + 5},
        "scores": None,
    }
    yield {
        **below,
        "id": f"{truth.id}-task",
        "span_id": f"task-{truth.id}",
        "span_attributes": {"name": "task", "type": "task"},
        "metrics": {"start": at, "end": at + truth.seconds},
    }
    yield {
        **below,
        "id": f"{truth.id}-call",
        "span_id": f"call-{truth.id}",
        "span_attributes": {"name": "Chat Completion", "type": "llm"},
        "metadata": {"model": truth.model},
        "metrics": {
            "prompt_tokens": truth.prompt_tokens,
            "completion_tokens": truth.completion_tokens,
            "tokens": truth.prompt_tokens + truth.completion_tokens,
        },
    }
    if truth.error is None:
        yield {
            **below,
            "id": f"{truth.id}-score",
            "span_id": f"score-{truth.id}",
            "span_attributes": {"name": "Closeness", "type": "score", "purpose": "scorer"},
            "scores": {"Closeness": truth.score},
            "metadata": {"choice": "B", "rationale": f"{truth.answer} is near"},
        }


def write_lines(path: Path, runs: int, seed: int) -> Path:
    """Write the rows that the API answers, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for truth in truths(runs, seed):
            for span in spans(truth, seed):
                file.write(json.dumps(span) + "\n")
    return path


def write_answer(path: Path, runs: int, seed: int) -> Path:
    """Write an answer of the API, the last spans of each run first."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"events": [')
        for number, truth in enumerate(truths(runs, seed)):
            told = ", ".join(map(json.dumps, reversed([*spans(truth, seed)])))
            file.write(f"{', ' if number else ''}{told}")
        file.write('], "cursor": null}')
    return path


def write_table(path: Path, runs: int, seed: int) -> Path:
    """Write what the page exports as CSV: a row a run, what its calls used summed up."""
    names = ["id", "created", "input", "output", "expected", "error", "tags", "scores.Closeness",
             "metrics.duration", "metrics.prompt_tokens", "metrics.completion_tokens",
             "metrics.total_tokens", "metrics.llm_calls", "metadata"]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(names)
        for truth in truths(runs, seed):
            total = truth.prompt_tokens + truth.completion_tokens
            table.writerow([
                truth.id, truth.created, json.dumps({"question": truth.question}), truth.answer,
                truth.wanted, truth.error, '["nightly"]', truth.score, truth.seconds,
                truth.prompt_tokens, truth.completion_tokens, total, 1,
                json.dumps({"model": truth.model, "topic": "sums"}),
            ])  # fmt: skip
    return path


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write three exports, as many runs as asked in all."""
    third = runs // 3
    return [
        write_lines(folder / f"experiment_{seed}.jsonl", runs - 2 * third, 3 * seed),
        write_answer(folder / f"events_{seed}.json", third, 3 * seed + 1),
        write_table(folder / f"Sums {seed}.csv", third, 3 * seed + 2),
    ]
