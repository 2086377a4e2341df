"""Logs in the shape of Inspect's, with values made up here, and the numbers that they state."""

from __future__ import annotations

import json
import random
import zipfile
import zlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

EPOCHS: Final = 2
ZSTANDARD: Final = 93
MODELS: Final = ("acme/large", "acme/small")
SIZE: Final = 100
"""Of the dataset, as every log tells it."""
_BATCH: Final = 10


class Numbers(NamedTuple):
    """What is in a log, counted and averaged as Inspect does it: first over the epochs."""

    runs: int
    errors: int
    tokens: int
    means: Mapping[str, float]
    """By scorer, or by scorer and part."""


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write an archive and a JSON log of two models, with half of the runs each."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = (runs - runs // 2, runs // 2)
    written = [folder / "large.eval", folder / "small.json"]
    write_archive(written[0], halves[0], seed=seed, model=MODELS[0])
    if halves[1]:
        write_json(written[1], halves[1], seed=seed + 1, model=MODELS[1])
    return written[: 1 + bool(halves[1])]


def write_json(  # noqa: PLR0913  what a test wants otherwise, by name
    path: Path,
    runs: int,
    *,
    seed: int = 1,
    model: str = MODELS[0],
    change: Callable[[dict[str, Any]], None] | None = None,
    changes: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a log as a JSON document, sample by sample.

    Args:
        path: of the file.
        runs: how many.
        seed: of the values.
        model: that was evaluated.
        change: what is otherwise in the log without its samples.
        changes: what is otherwise in a sample.

    """
    head = header(runs, seed=seed, model=model)
    if change:
        change(head)
    text = json.dumps(head, indent=2)
    with path.open("w", encoding="utf-8") as file:
        file.write(text.removesuffix("\n}"))
        file.write(',\n  "samples": [')
        for number, each in enumerate(changed(samples(runs, seed=seed, model=model), changes)):
            file.write(f"{',' if number else ''}\n    {json.dumps(each)}")
        file.write('\n  ],\n  "reductions": []\n}')
    return path


def write_archive(  # noqa: PLR0913  as above
    path: Path,
    runs: int,
    *,
    seed: int = 1,
    model: str = MODELS[0],
    method: int = ZSTANDARD,
    has_ended: bool = True,
    change: Callable[[dict[str, Any]], None] | None = None,
    changes: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a log as an archive: what it began with, samples as they ended, and its header.

    Args:
        path: of the file.
        runs: how many.
        seed: of the values.
        model: that was evaluated.
        method: how members are packed.
        has_ended: whether the log was finished; else it has no header.
        change: what is otherwise in the log without its samples.
        changes: what is otherwise in a sample.

    """
    head = header(runs, seed=seed, model=model)
    if change:
        change(head)
    start = {name: head[name] for name in ("version", "eval", "plan") if name in head}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        put(archive, "_journal/start.json", start, method)
        ended = changed(samples(runs, seed=seed, model=model), changes)
        for number in range(-(-runs // _BATCH)):
            batch = list(islice(ended, _BATCH))
            for each in reversed(batch):
                put(archive, f"samples/{each['id']}_epoch_{each['epoch']}.json", each, method)
            brief = [{"id": each["id"], "epoch": each["epoch"]} for each in batch]
            put(archive, f"_journal/summaries/{number + 1}.json", brief, method)
        if has_ended:
            put(archive, "summaries.json", [], method)
            put(archive, "reductions.json", [], method)
            put(archive, "header.json", head, method)
    return path


def put(archive: zipfile.ZipFile, name: str, value: object, method: int = ZSTANDARD) -> None:
    """Add a member to an archive that was opened to store them; two frames where that may be."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    if method != ZSTANDARD:
        archive.writestr(name, text, method)
        return
    half = len(text) // 2
    packed = b"".join(zstandard.compress(part) for part in (text[:half], text[half:]))
    archive.writestr(name, packed)
    info = archive.getinfo(name)
    info.compress_type, info.file_size, info.CRC = method, len(text), zlib.crc32(text)
    archive.fp.seek(info.header_offset)  # type: ignore[union-attr]
    archive.fp.write(info.FileHeader())  # type: ignore[union-attr]
    archive.fp.seek(archive.start_dir)  # type: ignore[union-attr]


def changed(
    found: Iterator[dict[str, Any]], change: Callable[[dict[str, Any]], None] | None
) -> Iterator[dict[str, Any]]:
    """Yield samples as a test wants them."""
    for each in found:
        if change:
            change(each)
        yield each


def samples(runs: int, *, seed: int = 1, model: str = MODELS[0]) -> Iterator[dict[str, Any]]:
    """Yield the samples of a log, by epoch and id."""
    tasks = -(-runs // EPOCHS)
    for index in range(runs):
        epoch, task = divmod(index, tasks)
        yield _sample(task + 1, epoch + 1, seed, model)


def _sample(task: int, epoch: int, seed: int, model: str) -> dict[str, Any]:
    chosen = random.Random(seed * 1_000_003 + task * EPOCHS + epoch)  # noqa: S311  of a test
    question = f"Is {task} a number that one would like? Think of {'it ' * 20}and say why."
    answer = chosen.choice(["Yes", "No", "Perhaps"])
    second = f"{epoch:02}:{task // 60 % 60:02}:{task % 60:02}"
    sample: dict[str, Any] = {
        "id": task,
        "epoch": epoch,
        "input": question,
        "target": "Yes",
        "messages": [
            {"id": f"q{seed}-{task}-{epoch}", "content": question, "role": "user"},
            {"id": f"a{seed}-{task}-{epoch}", "content": answer, "role": "assistant"},
        ],
        "output": {
            "model": model,
            "choices": [{"message": {"role": "assistant", "content": answer}}],
            "completion": answer,
            "usage": _usage(chosen),
        },
        "scores": {
            "match": {
                "value": {"Yes": "C", "No": "I", "Perhaps": "P"}[answer],
                "answer": answer,
                "explanation": f"said {answer}",
            },
            "model_graded_fact": {"value": round(chosen.random(), 3), "explanation": "so so"},
            "parts": {"value": {"tone": chosen.random() < 0.5, "length": chosen.choice([0, 1])}},
            "mood": {"value": chosen.choice(["glad", "sad", "C"])},
        },
        "metadata": {"category": "even" if task % 2 == 0 else "odd", "weight": task},
        "store": {},
        "events": [
            {
                "timestamp": f"2026-03-02T{second}.{place:06}+00:00",
                "event": "state",
                "changes": [
                    {"op": "add", "path": f"/notes/{place}", "value": chosen.randbytes(60).hex()}
                ],
            }
            for place in range(12)
        ],
        "model_usage": {model: _usage(chosen), "acme/judge": _usage(chosen)},
        "started_at": "2026-03-02T00:00:00+00:00",
        "completed_at": f"2026-03-02T{second}.5+00:00",
        "total_time": 2.5,
        "working_time": 1.25,
        "uuid": f"u{seed}x{task}x{epoch}",
        "error_retries": [],
        "attachments": {},
    }
    if task % 10 == 0:
        del sample["scores"]
        sample["error"] = {
            "message": f"tool {task} fell over",
            "traceback": "Traceback …",
            "traceback_ansi": "",
        }
    return sample


def _usage(chosen: random.Random) -> dict[str, int]:
    read, cached, written = chosen.randrange(50, 90), chosen.randrange(20), chosen.randrange(5, 30)
    return {
        "input_tokens": read,
        "input_tokens_cache_read": cached,
        "output_tokens": written,
        "reasoning_tokens": written // 2,
        "total_tokens": read + cached + written,
    }


def header(runs: int, *, seed: int = 1, model: str = MODELS[0]) -> dict[str, Any]:
    """Return a log without its samples."""
    tasks = -(-runs // EPOCHS)
    stated = numbers(runs, seed=seed, model=model)
    is_whole = runs == tasks * EPOCHS
    return {
        "version": 2,
        "status": "success" if is_whole else "cancelled",
        "eval": {
            "eval_id": f"eval{seed}",
            "run_id": f"run{seed}",
            "created": "2026-03-02T00:00:00+00:00",
            "task": "likes",
            "task_id": f"task{seed}",
            "task_version": 3,
            "task_args": {"tone": "dry", "shots": 2, "strict": False, "words": ["a"]},
            "solver": "react",
            "tags": ["nightly"],
            "dataset": {
                "name": "numbers", "samples": SIZE, "sample_ids": list(range(1, tasks + 1)),
            },
            "model": model,
            "model_args": {"region": "eu"},
            "model_generate_config": {"temperature": 0.5},
            "model_roles": {"grader": {"model": "acme/judge", "config": {}}},
            "config": {"epochs": EPOCHS, "epochs_reducer": ["mean"], "limit": tasks},
            "revision": {"type": "git", "origin": "git@example.org:a/b.git", "commit": "abc123"},
            "packages": {"inspect_ai": "0.3.285"},
            "scorers": [
                {"name": "match", "metrics": [{"name": "inspect_ai/accuracy"}]},
                {"name": "model_graded_fact", "metrics": [{"name": "inspect_ai/mean"}]},
                {"name": "parts", "metrics": {"tone": [{"name": "inspect_ai/mean"}]}},
                {"name": "mood", "metrics": [{"name": "inspect_ai/frequency"}]},
            ],
        },
        "plan": {"name": "plan", "steps": [{"solver": "react", "params": {}}]},
        "results": {
            "total_samples": tasks * EPOCHS,
            "completed_samples": runs - stated.errors,
            "scores": [
                {
                    "name": key.rpartition(".")[2],
                    "scorer": key.partition(".")[0],
                    "metrics": {"mean": {"name": "mean", "value": mean}},
                }
                for key, mean in stated.means.items()
            ],
        },
        "stats": {
            "started_at": "2026-03-02T00:00:00+00:00",
            "completed_at": "2026-03-02T12:00:00+00:00",
            "model_usage": {model: {"total_tokens": stated.tokens}},
        },
    }  # fmt: skip


def numbers(runs: int, *, seed: int = 1, model: str = MODELS[0]) -> Numbers:
    """Count and average a log by hand."""
    errors = tokens = 0
    given: dict[str, dict[int, list[float]]] = {}
    for each in samples(runs, seed=seed, model=model):
        errors += "error" in each
        tokens += sum(usage["total_tokens"] for usage in each["model_usage"].values())
        for key, value in _values(each.get("scores", {})):
            given.setdefault(key, {}).setdefault(each["id"], []).append(value)
    means = {key: _mean(map(_mean, by_task.values())) for key, by_task in given.items()}
    return Numbers(runs, errors, tokens, means)


def _values(scores: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    if not scores:
        return []
    letters = {"C": 1.0, "P": 0.5, "I": 0.0}
    parts = scores["parts"]["value"]
    return chain(
        [("match", letters[scores["match"]["value"]])],
        [("model_graded_fact", scores["model_graded_fact"]["value"])],
        ((f"parts.{name}", float(value)) for name, value in parts.items()),
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
