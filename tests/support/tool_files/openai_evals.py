"""Logs in the shape that `oaieval` writes, with values of our own."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN_ID: Final = "260302091500ABCDEFGH"
EVAL: Final = "capitals.dev.v2"
_SIDE_BY_SIDE: Final = 10
_ERRORS: Final = 0.05


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a log of so many samples, ten side by side, so that their events interleave.

    The final report in it is counted as the tool counts it: over events.
    """
    path = folder / f"{RUN_ID}_acme-small_capitals.jsonl"
    write_lines(path, log(runs, seed))
    return [path]


def write_lines(path: Path, lines: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    """Write lines of a log."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def log(runs: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log: spec, events, final report."""
    yield {"spec": spec()}
    totals: dict[str, float] = {}
    counts: dict[str, int] = {}
    for number, event in enumerate(events(runs, seed)):
        given: dict[str, float] = {}
        if event["type"] == "match":
            given = {"accuracy": event["data"]["correct"]}
        elif event["type"] == "metrics":
            given = {"closeness": event["data"]["closeness"]}
        elif event["type"] == "sampling":
            given = {f"usage_{name}": count for name, count in event["data"]["usage"].items()}
        for name, value in given.items():
            totals[name] = totals.get(name, 0) + value
            counts[name] = counts.get(name, 0) + 1
        minute, second = divmod(number // 10, 60)
        yield {
            "run_id": RUN_ID,
            "event_id": number,
            **event,
            "created_by": "",
            "created_at": f"2026-03-02 09:{minute % 60:02d}:{second:02d}.000100+00:00",
        }
    report = {
        name: total if name.startswith("usage_") else total / counts[name]
        for name, total in totals.items()
    }
    yield {"final_report": {**report, "boostrap_std": 0.0625}, "run_id": RUN_ID}


def spec() -> dict[str, Any]:
    """Return the first line."""
    base, split, _ = EVAL.split(".")
    return {
        "completion_fns": ["acme/small"],
        "eval_name": EVAL,
        "base_eval": base,
        "split": split,
        "run_config": {"completion_fns": ["acme/small"], "seed": 7, "max_samples": None},
        "created_by": "kim",
        "run_id": RUN_ID,
        "created_at": "2026-03-02 09:15:00.904498",
    }


def events(runs: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield events, those of one sample apart from one another."""
    chosen = Random(seed)  # noqa: S311  values to be repeated, no secrets
    for first in range(0, runs, _SIDE_BY_SIDE):
        waiting = [
            list(sample(number, chosen))
            for number in range(first, min(first + _SIDE_BY_SIDE, runs))
        ]
        chosen.shuffle(waiting)
        while waiting:
            for each in waiting:
                yield each.pop(0)
            waiting = [each for each in waiting if each]


def sample(number: int, chosen: Random) -> Iterator[dict[str, Any]]:
    """Yield the events of one sample."""
    sample_id = f"capitals.dev.{number}"
    usage = {
        "prompt_tokens": 20 + number % 5,
        "completion_tokens": 3,
        "total_tokens": 23 + number % 5,
    }
    prompt = [{"role": "user", "content": f"What is the capital of country {number}?"}]
    if chosen.random() < _ERRORS:
        data = {"type": "TimeoutError", "message": "no answer in 60 s"}
        yield {"sample_id": sample_id, "type": "error", "data": data}
        return
    sampled = f"City {number}"
    yield {
        "sample_id": sample_id, "type": "sampling",
        "data": {"prompt": prompt, "sampled": [sampled], "usage": usage},
    }  # fmt: skip
    correct = chosen.random() < 0.7
    yield {
        "sample_id": sample_id, "type": "match",
        "data": {
            "correct": correct, "expected": sampled if correct else f"Town {number}",
            "picked": sampled if correct else None, "sampled": sampled,
        },
    }  # fmt: skip
    metrics = {"closeness": round(chosen.random(), 3), "verdict": "near" if correct else "far"}
    yield {"sample_id": sample_id, "type": "metrics", "data": metrics}
