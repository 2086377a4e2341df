"""Test runs in the shape that DeepEval writes, with values of our own."""

from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JUDGE: Final = "acme-judge-2"
_ERRORS: Final = 0.05
_THRESHOLD: Final = 0.5


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a test run, and a tenth of the test cases as what `evaluate()` returned."""
    dumped = runs // 10
    written = [write_document(folder, runs - dumped, seed=seed)]
    if dumped:
        written.append(folder / "returned.json")
        written[1].write_text(json.dumps(returned(document(dumped, seed=seed + 1))))
    return written


def write_document(folder: Path, runs: int = 20, *, seed: int = 1) -> Path:
    """Write a test run of so many test cases.

    Its `metricsScores`, `testPassed` and `testFailed` are counted as the tool counts them.
    """
    path = folder / "test_run_20260302_091500.json"
    after = totals(cases(runs, seed))
    with path.open("w", encoding="utf-8") as file:
        file.write('{"testFile": "test_answers.py", "testCases": [')
        for number, each in enumerate(cases(runs, seed)):
            file.write((", " if number else "") + json.dumps(each))
        file.write(f'], "conversationalTestCases": [], {json.dumps(after)[1:]}')
    return path


def document(runs: int = 20, *, seed: int = 1) -> dict[str, Any]:
    """Return the same as an object."""
    found = list(cases(runs, seed))
    return {
        "testFile": "test_answers.py",
        "testCases": found,
        "conversationalTestCases": [],
        **totals(iter(found)),
    }


def totals(found: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return what stands behind the test cases."""
    scores: dict[str, dict[str, Any]] = {}
    passed = failed = 0
    for case in found:
        passed += case["success"]
        failed += not case["success"]
        for metric in case["metricsData"]:
            name = metric["name"]
            counted = scores.setdefault(
                name, {"metric": name, "scores": [], "passes": 0, "fails": 0, "errors": 0}
            )
            if "score" in metric:
                counted["scores"].append(metric["score"])
                counted["passes" if metric["success"] else "fails"] += 1
            else:
                counted["errors"] += 1
    return {
        "metricsScores": list(scores.values()),
        "identifier": "nightly",
        "hyperparameters": {"model": "acme-small", "prompt": "v3"},
        "testPassed": passed,
        "testFailed": failed,
        "runDuration": 12.375,
        "evaluationCost": 0.25,
        "datasetAlias": "capitals",
    }


def cases(runs: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield test cases; now and then a judge fails."""
    chosen = Random(seed)  # noqa: S311  values to be repeated, no secrets
    for number in range(runs):
        metrics = [
            metric("Answer Relevancy", round(chosen.random(), 3)),
            metric("Correctness [GEval]", round(chosen.random(), 3)),
        ]
        if chosen.random() < _ERRORS:
            metrics[1] = metric("Correctness [GEval]", None)
        yield {
            "name": f"test_case_{number}",
            "input": f"What is the capital of country {number}?",
            "actualOutput": f"City {number}",
            "expectedOutput": f"Town {number}",
            "retrievalContext": [f"Country {number} has a capital."],
            "tokenCost": 0.002,
            "inputTokenCount": 20 + number % 5,
            "outputTokenCount": 3,
            "completionTime": 1.5,
            "success": all(each["success"] for each in metrics),
            "metricsData": metrics,
            "runDuration": 0.25,
            "evaluationCost": 0.002,
            "order": number,
        }


def metric(name: str, score: float | None) -> dict[str, Any]:
    """Return what a metric gave; None is a metric that failed. Nulls are left out, as there."""
    given = {"score": score, "reason": f"{score}: as it should be"}
    return {
        "name": name,
        "threshold": _THRESHOLD,
        "success": score is not None and score >= _THRESHOLD,
        **(given if score is not None else {"error": "TimeoutError: the judge gave no answer"}),
        "strictMode": False,
        "evaluationModel": JUDGE,
        "evaluationCost": 0.001,
    }


def conversation(number: int) -> dict[str, Any]:
    """Return a test case of a conversation."""
    turns = [
        {"role": "user", "content": f"hello {number}", "order": 0},
        {"role": "assistant", "content": "good day", "order": 1},
    ]
    return {
        "name": f"conversational_test_case_{number}",
        "success": True,
        "metricsData": [metric("Role Adherence", 0.75)],
        "runDuration": 0.5,
        "turns": turns,
        "order": number,
        "scenario": f"somebody greets for the {number}th time",
        "expectedOutcome": "is greeted",
    }


def returned(found: dict[str, Any]) -> dict[str, Any]:
    """Return a test run as the object that `evaluate()` returns, with its nulls."""
    results = []
    for case in found["testCases"]:
        metrics = [
            {**dict.fromkeys(("score", "reason", "error")), **_snake(each)}
            for each in case["metricsData"]
        ]
        results.append(
            {
                "name": case["name"],
                "success": case["success"],
                "metrics_data": metrics,
                "conversational": False,
                "index": case["order"],
                "input": case["input"],
                "actual_output": case["actualOutput"],
                "expected_output": case["expectedOutput"],
                "context": None,
                "retrieval_context": case["retrievalContext"],
                "turns": None,
                "metadata": None,
            }
        )
    return {"test_results": results, "confident_link": None, "test_run_id": None}


def _snake(found: dict[str, Any]) -> dict[str, Any]:
    return {re.sub("[A-Z]", lambda up: f"_{up[0].lower()}", name): found[name] for name in found}
