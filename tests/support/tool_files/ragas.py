"""Tables as ragas evaluations become when they are written by pandas, with values of ours."""

from __future__ import annotations

import csv
import json
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRICS = ("faithfulness", "answer_relevancy", "factual_correctness(mode=f1)")


def rows(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of an evaluation; a metric that failed is NaN, which is None here."""
    random = Random(seed)  # noqa: S311  values of a file
    for number in range(runs):
        scores = [round(random.random(), 6) for _ in METRICS]
        yield {
            "user_input": f"Which of {number} houses, in street {seed}, is blue?",
            "retrieved_contexts": [f"House {number} is 'blue'.", 'Streets have "doors".'],
            "response": f"House {number}\nis blue.",
            "reference": f"House {number}.",
            **{
                name: None if (number + place) % 9 == 8 else score
                for place, (name, score) in enumerate(zip(METRICS, scores, strict=True))
            },
        }  # fmt: skip


def write_table(path: Path, runs: int, seed: int, **columns: str) -> Path:
    """Write what `to_csv(index=False)` writes, with columns of one's own behind."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(rows(runs, seed)):
            if number == 0:
                table.writerow([*row, *columns])
            table.writerow([*row.values(), *columns.values()])
    return path


def write_lines(path: Path, runs: int, seed: int) -> Path:
    """Write what `to_json(orient="records", lines=True)` writes."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows(runs, seed):
            file.write(json.dumps(row) + "\n")
    return path


def write_list(path: Path, runs: int, seed: int) -> Path:
    """Write what `to_json(orient="records")` writes."""
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(rows(runs, seed)):
            file.write(f"{',' if number else ''}{json.dumps(row)}")
        file.write("]")
    return path


def write_columns(path: Path, runs: int, seed: int) -> Path:
    """Write what `to_json()` writes: an object a column, by the number of the row."""
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows(runs, seed)):
        for name, value in row.items():
            found.setdefault(name, {})[str(number)] = value
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write an evaluation in three forms, as many runs as asked in all."""
    third = runs // 3
    return [
        write_table(folder / f"results_{seed}.csv", runs - 2 * third, 3 * seed),
        write_lines(folder / f"results_{seed}.jsonl", third, 3 * seed + 1),
        write_list(folder / f"results_{seed}.json", third, 3 * seed + 2),
    ]
