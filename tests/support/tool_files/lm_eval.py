"""Files in the shape of lm-evaluation-harness: samples of --log_samples, and results beside."""

from __future__ import annotations

import hashlib
import json
import math
import random
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MODEL = "acme/small-1"
SHA = "5f0c1d6a9be84d2c7701a6f3e2b94c8d10fe3a57"
TIME = "2026-03-0{}T10-20-30.{:06d}"
DATE = 1772360000.25
"""2026-03-01T10:13:20.25Z."""
FILTERS = ("strict-match", "flexible-extract")


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write samples of a multiple-choice task, a doc a run, and the results beside them."""
    draw = random.Random(seed)  # noqa: S311  of a test
    lines = (_choice(doc, draw) for doc in range(runs))
    return [_written(folder, "sums", seed, lines, ("acc", "acc_norm"), "none")]


def write_filters(
    folder: Path, docs: int = 20, *, seed: int = 1, are_named: bool = True
) -> list[Path]:
    """Write a line a doc and filter, those of one filter first; older files do not name it."""
    made = [_generated(doc, random.Random(f"{seed}/{doc}")) for doc in range(docs)]  # noqa: S311
    lines = []
    for place, name in enumerate(FILTERS):
        for said, answers in made:
            score = float(answers[place] == said["target"])
            line = said | {"filtered_resps": [answers[place]], "filter": name, "exact_match": score}
            lines.append(line)
    metrics = ("exact_match",)
    return [_written(folder, "words", seed, lines, metrics, FILTERS, are_named=are_named)]


def write_perplexities(folder: Path, docs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write samples of language modelling: a log-likelihood, with its words and bytes."""
    draw = random.Random(seed)  # noqa: S311  of a test
    lines = []
    for doc in range(docs):
        words, likelihood = draw.randint(3, 30), -round(draw.uniform(5, 90), 4)
        given = {"page": " ".join(draw.choice(["up", "down", "on"]) for _ in range(words))}
        size = len(given["page"])
        line = _line(doc, given, given["page"], [[given["page"]]], [[likelihood]])
        line |= {
            "filtered_resps": [likelihood],
            "word_perplexity": [likelihood, words],
            "byte_perplexity": [likelihood, size],
            "bits_per_byte": [likelihood, size],
        }
        lines.append(line)
    metrics = ("word_perplexity", "byte_perplexity", "bits_per_byte")
    return [_written(folder, "pages", seed, lines, metrics, "none")]


def write_old(folder: Path, docs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write samples as 0.4.0 to 0.4.2 do: one list, without hashes, times and model's name."""
    [samples] = write(folder, docs, seed=seed)
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    later = {"filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
    for line in lines:
        line["arguments"] = [[*each.values()] for each in line["arguments"].values()]
        for name in later:
            del line[name]
    beside = results_beside(samples)
    results = json.loads(beside.read_text(encoding="utf-8"))
    for name in ("model_name", "model_source", "lm_eval_version", "n-samples", "date"):
        del results[name]
    old = folder / "pretrained__acme__small-1_sums.jsonl"
    old.write_text(json.dumps(lines, indent=2), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    samples.unlink()
    beside.unlink()
    return [old]


def write_returned(folder: Path, docs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write what `simple_evaluate` returns: results, with the samples of two tasks in them."""
    made = [*write(folder, docs, seed=seed), *write_filters(folder, docs, seed=seed + 1)]
    every: dict[str, Any] = {}
    for samples in made:
        beside = results_beside(samples)
        results = json.loads(beside.read_text(encoding="utf-8"))
        lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            line["arguments"] = [[*each.values()] for each in line["arguments"].values()]
        [task] = results["results"]
        for name in (
            "results",
            "configs",
            "versions",
            "n-shot",
            "n-samples",
            "group_subtasks",
            "higher_is_better",
        ):
            every.setdefault(name, {}).update(results[name])
        every.setdefault("samples", {})[task] = lines
        every |= {name: results[name] for name in ("config", "git_hash", "date")}
        samples.unlink()
        beside.unlink()
    path = folder / "evaluated.json"
    path.write_text(json.dumps(every), encoding="utf-8")
    return [path]


def results_beside(samples: Path) -> Path:
    """Return the results file that `write` put beside samples."""
    time = samples.stem.rpartition("_")[2]
    return samples.with_name(f"results_{time}.json")


def numbers(samples: Path) -> dict[str, float]:
    """Return what the results file says of the task of samples, by metric and filter."""
    results = json.loads(results_beside(samples).read_text(encoding="utf-8"))
    [of_task] = results["results"].values()
    return {
        name.removesuffix(",none"): value
        for name, value in of_task.items()
        if name != "alias" and "_stderr" not in name
    }


def _choice(doc: int, draw: random.Random) -> dict[str, Any]:
    first, second = draw.randint(1, 99), draw.randint(1, 99)
    answers = [str(first + second + step) for step in (0, 1, 10, 11)]
    draw.shuffle(answers)
    gold = answers.index(str(first + second))
    likelihoods = [-round(draw.uniform(0.1, 9), 3) for _ in answers]
    given = {"question": f"{first} + {second} = ?", "choices": answers, "answer": gold}
    prompt = f"Add the two numbers. {first} + {second} = ?\nAnswer:"
    resps = [[[str(likelihood), "False"]] for likelihood in likelihoods]
    line = _line(doc, given, gold, [[prompt, f" {answer}"] for answer in answers], resps)
    line["filtered_resps"] = [each[0] for each in resps]
    best = max(range(len(answers)), key=likelihoods.__getitem__)
    by_length = max(range(len(answers)), key=lambda at: likelihoods[at] / len(answers[at]))
    return line | {"acc": float(best == gold), "acc_norm": float(by_length == gold)}


def _generated(doc: int, draw: random.Random) -> tuple[dict[str, Any], list[str]]:
    word = "".join(draw.choice("abcdef") for _ in range(6))
    given = {"word": word, "answer": word[::-1]}
    answer = word[::-1] if draw.random() < 0.6 else word
    strict = answer if draw.random() < 0.7 else "[invalid]"
    text = f"Reversed it is {answer}." if strict == answer else f"{answer}, I think"
    prompt = f"Write {word} backwards."
    line = _line(doc, given, word[::-1], [[prompt, {"until": ["\n"]}]], [[text]])
    return line, [strict, answer]


def _line(
    doc: int,
    given: dict[str, Any],
    target: object,
    arguments: Sequence[Sequence[Any]],
    resps: object,
) -> dict[str, Any]:
    return {
        "doc_id": doc,
        "doc": given,
        "target": str(target),
        "arguments": {
            f"gen_args_{at}": {f"arg_{place}": part for place, part in enumerate(parts)}
            for at, parts in enumerate(arguments)
        },
        "resps": resps,
        "filtered_resps": [],
        "filter": "none",
        "metrics": [],
        "doc_hash": _hash(json.dumps(given, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(arguments[0][0]),
        "target_hash": _hash(str(target)),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _written(  # noqa: PLR0913, PLR0917  what makes a file
    folder: Path,
    task: str,
    seed: int,
    lines: Iterable[dict[str, Any]],
    metrics: tuple[str, ...],
    filters: str | tuple[str, ...],
    *,
    are_named: bool = True,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    time = TIME.format(1 + seed % 9, seed)
    path = folder / f"samples_{task}_{time}.jsonl"
    values: dict[str, list[Any]] = {}
    docs: set[int] = set()
    with path.open("w", encoding="utf-8") as stream:
        for line in lines:
            docs.add(line["doc_id"])
            for metric in metrics:
                values.setdefault(f"{metric},{line['filter']}", []).append(line[metric])
            said = line | {"metrics": list(metrics)}
            if not are_named:
                del said["filter"], said["metrics"]
            stream.write(json.dumps(said, ensure_ascii=False) + "\n")
    names = (filters,) if isinstance(filters, str) else filters
    config = {
        "task": task,
        "dataset_path": f"acme/{task}",
        "test_split": "test",
        "metric_list": [
            {"metric": metric, "aggregation": _AGGREGATIONS.get(metric, "mean")}
            for metric in metrics
        ],
        "repeats": 1,
    }
    if names != ("none",):
        config["filter_list"] = [{"name": name, "filter": []} for name in names]
    of_task: dict[str, Any] = {"alias": task}
    of_task |= dict(_aggregated(values))
    results = {
        "results": {task: of_task},
        "group_subtasks": {task: []},
        "configs": {task: config},
        "versions": {task: 2.0},
        "n-shot": {task: 0},
        "higher_is_better": {task: {metric: metric not in _AGGREGATIONS for metric in metrics}},
        "n-samples": {task: {"original": 1000, "effective": len(docs)}},
        "config": {
            "model": "hf",
            "model_args": f"pretrained={MODEL},dtype=float",
            "model_revision": "main",
            "model_sha": SHA,
        },
        "git_hash": "0a1b2c3d",
        "date": DATE + seed,
        "lm_eval_version": "0.4.9",
        "model_source": "hf",
        "model_name": MODEL,
        "model_name_sanitized": MODEL.replace("/", "__"),
        "total_evaluation_time_seconds": "12.5",
    }
    results_beside(path).write_text(json.dumps(results, indent=2), encoding="utf-8")
    return path


_AGGREGATIONS = {
    "word_perplexity": "weighted_perplexity",
    "byte_perplexity": "weighted_perplexity",
    "bits_per_byte": "bits_per_byte",
}


def _aggregated(values: dict[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    for name, found in values.items():
        metric, _, filtered = name.partition(",")
        how = _AGGREGATIONS.get(metric)
        if how is None:
            yield name, fmean(found)
            yield f"{metric}_stderr,{filtered}", 0.0125
            continue
        rate = sum(likelihood for likelihood, _ in found) / sum(weight for _, weight in found)
        yield name, -rate / math.log(2) if how == "bits_per_byte" else math.exp(-rate)
        yield f"{metric}_stderr,{filtered}", "N/A"
