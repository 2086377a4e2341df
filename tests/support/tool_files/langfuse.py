"""Exports of Langfuse and answers of its API, with values of ours."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BEGIN = datetime(2026, 4, 2, 8, tzinfo=UTC)
_TONES = ("warm", "curt")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What one trace is meant to say."""

    trace: str
    item: str
    run: str
    correctness: float
    passed: bool
    tone: str
    at: str


def truths(runs: int, seed: int) -> Iterator[Truth]:
    """Yield what is meant: traces of one dataset run."""
    random = Random(seed)  # noqa: S311  values of a file
    for number in range(runs):
        yield Truth(
            trace=f"{random.getrandbits(64):016x}{number:08x}{seed:08x}",
            item=f"item-{number}",
            run=f"prompt-v{seed}",
            correctness=round(random.random(), 4),
            passed=number % 3 != 0,
            tone=_TONES[number % 2],
            at=(_BEGIN + timedelta(seconds=number)).isoformat(timespec="milliseconds"),
        )


def scores(truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield the scores of a trace as the API answers them: one of each type, one corrected."""
    common = {
        "traceId": truth.trace, "sessionId": "chat 3", "observationId": None, "datasetRunId": None,
        "timestamp": truth.at, "environment": "default", "authorUserId": None, "comment": None,
    }  # fmt: skip
    yield {
        **common, "id": f"{truth.trace}-c", "name": "correctness", "dataType": "NUMERIC",
        "value": truth.correctness, "stringValue": None, "source": "EVAL", "comment": "as asked",
    }  # fmt: skip
    yield {
        **common, "id": f"{truth.trace}-p", "name": "passed", "dataType": "BOOLEAN",
        "value": int(truth.passed), "stringValue": str(truth.passed), "source": "API",
    }  # fmt: skip
    yield {
        **common, "id": f"{truth.trace}-t", "name": "tone", "dataType": "CATEGORICAL",
        "value": _TONES.index(truth.tone), "stringValue": truth.tone, "source": "EVAL",
    }  # fmt: skip


def all_scores(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the scores of all traces, those of one trace far apart."""
    for name in range(3):
        for truth in truths(runs, seed):
            yield [*scores(truth)][name]


def write_table(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write what the page of scores exports as CSV."""
    names = ["id", "traceId", "sessionId", "datasetRunId", "timestamp", "source", "name",
             "dataType", "value", "stringValue", "comment", "metadata", "observationId",
             "traceName", "userId", "traceTags", "environment", "authorUserName"]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        table.writerow(names)
        for row in rows:
            told = {
                "traceName": "answer", "traceTags": '["nightly"]', "metadata": "{}",
                "userId": "user 7", **row,
            }  # fmt: skip
            table.writerow(["" if told.get(name) is None else told[name] for name in names])
    return path


def write_blobs(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write what the export to blob storage does: lines, names as the database has them."""
    names = {
        "traceId": "trace_id", "sessionId": "session_id", "observationId": "observation_id",
        "datasetRunId": "dataset_run_id", "dataType": "data_type", "stringValue": "string_value",
    }  # fmt: skip
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            stored = {names.get(name, name): value for name, value in row.items()}
            stored["timestamp"] = row["timestamp"].replace("T", " ").removesuffix("+00:00")
            file.write(json.dumps({**stored, "project_id": "p"}) + "\n")
    return path


def write_answer(path: Path, rows: Iterable[dict[str, Any]], page: int = 1, pages: int = 1) -> Path:
    """Write an answer of `/api/public/scores` or of what else is paged so."""
    meta = {"page": page, "limit": 50, "totalItems": 1, "totalPages": pages}
    with path.open("w", encoding="utf-8") as file:
        file.write('{"data": [')
        for number, row in enumerate(rows):
            file.write(f"{', ' if number else ''}{json.dumps(row)}")
        file.write(f'], "meta": {json.dumps(meta)}}}')
    return path


def write_answer_v3(path: Path, runs: int, seed: int) -> Path:
    """Write an answer of `/api/public/v3/scores` with all groups of fields."""
    kept = ("id", "name", "source", "timestamp", "environment", "comment", "dataType")
    rows = []
    for row in all_scores(runs, seed):
        value = {"BOOLEAN": bool(row["value"]), "CATEGORICAL": row["stringValue"]}
        rows.append({
            **{name: row[name] for name in kept},
            "value": value.get(row["dataType"], row["value"]),
            "subject": {"kind": "trace", "id": row["traceId"]},
        })  # fmt: skip
    path.write_text(json.dumps({"data": rows, "meta": {"limit": 50}}), encoding="utf-8")
    return path


def items(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what `/api/public/dataset-run-items` answers."""
    for truth in truths(runs, seed):
        yield {
            "id": f"run-{truth.item}", "datasetRunId": f"id-of-{truth.run}",
            "datasetRunName": truth.run, "datasetItemId": truth.item, "traceId": truth.trace,
            "observationId": None, "createdAt": truth.at, "updatedAt": truth.at,
        }  # fmt: skip


def experiment_items(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what `/api/public/experiment-items` answers, all groups of fields asked for."""
    for truth in truths(runs, seed):
        began = datetime.fromisoformat(truth.at)
        yield {
            "id": f"o-{truth.trace[:8]}", "traceId": truth.trace, "startTime": truth.at,
            "endTime": (began + timedelta(milliseconds=1500)).isoformat(), "level": "DEFAULT",
            "environment": "sdk-experiment", "experimentId": f"id-of-{truth.run}",
            "experimentName": truth.run, "experimentItemId": truth.item,
            "experimentDatasetId": "dataset-1", "input": {"question": truth.item},
            "output": "an answer", "expectedOutput": "the answer", "metadata": {"topic": "sums"},
            "scores": [
                {**score, "value": score["stringValue"]} if score["name"] == "tone" else score
                for score in scores(truth)
            ],
        }  # fmt: skip


def traces(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield traces with all that is below them, as the API answers one."""
    for truth in truths(runs, seed):
        yield {
            "id": truth.trace, "timestamp": truth.at, "name": "answer", "sessionId": "chat 3",
            "userId": "user 7", "release": "1c6640", "version": "2", "environment": "default",
            "tags": ["nightly"], "public": False, "htmlPath": f"/project/p/traces/{truth.trace}",
            "input": {"question": truth.item}, "output": "an answer", "latency": 1.5,
            "totalCost": 0.002, "metadata": {"topic": "sums"},
            "observations": [{
                "id": "o1", "type": "GENERATION", "model": "small-1", "level": "DEFAULT",
                "parentObservationId": None, "usageDetails": {"input": 9, "output": 2, "total": 11},
            }],
            "scores": list(scores(truth)),
        }  # fmt: skip


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write scores, experiment items and traces, as many traces as asked in all.

    Each in a folder of its own: files of one folder are read together.
    """
    third = runs // 3
    paths = [folder / name for name in ("page/scores.csv", "api/items.json", "blob/traces.jsonl")]
    paths = [path.with_stem(f"{path.stem}-{seed}") for path in paths]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
    write_table(paths[0], all_scores(runs - 2 * third, 3 * seed))
    write_answer(paths[1], experiment_items(third, 3 * seed + 1))
    with paths[2].open("w", encoding="utf-8") as file:
        for trace in traces(third, 3 * seed + 2):
            file.write(json.dumps(trace) + "\n")
    return paths
