"""Files in the shape that promptfoo writes, with values of our own."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVAL_ID: Final = "eval-Qx7-2026-03-02T09:15:00"
PROVIDERS: Final = ("acme:chat:small", "acme:chat:large")
LABEL: Final = "Answer {{city}} in one word"
_REPEATS: Final = 2
_ERRORS: Final = 0.1


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a document of results, a quarter of them as lines, a tenth in version 2."""
    lines, old = runs // 4, runs // 10
    written = [write_document(folder, runs - lines - old, seed=seed)]
    written += [write_lines(folder, lines, seed=seed + 1)] if lines else []
    return written + ([write_old(folder, old, seed=seed + 2)] if old else [])


def write_document(folder: Path, runs: int = 20, *, seed: int = 1) -> Path:
    """Write results of version 3: two providers, every test twice.

    The file's own `stats` and the `metrics` of its prompts are the truth of what is in it.
    """
    path = folder / "results.json"
    stats, prompts = numbers(runs, seed)
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"evalId": "{EVAL_ID}", "results": {{"version": 3, ')
        file.write(f'"timestamp": "2026-03-02T09:15:00.120Z", "prompts": {json.dumps(prompts)}, ')
        file.write('"results": [')
        for number, each in enumerate(results(runs, seed)):
            file.write((",\n" if number else "\n") + json.dumps(each))
        file.write(f'\n], "stats": {json.dumps(stats)}}}, "config": {json.dumps(config())}, ')
        file.write('"shareableUrl": null, "metadata": {"promptfooVersion": "0.117.0"}}\n')
    return path


def write_lines(folder: Path, runs: int = 20, *, seed: int = 1) -> Path:
    """Write the same results as lines, which do not name the evaluation."""
    path = folder / "results.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for each in results(runs, seed):
            del each["id"]
            file.write(json.dumps(each) + "\n")
    return path


def write_old(folder: Path, runs: int = 20, *, seed: int = 1, only_table: bool = False) -> Path:
    """Write results of version 2, with their table, or the table alone."""
    path = folder / ("table.json" if only_table else "old.json")
    found = list(results(runs, seed))
    stats, prompts = numbers(runs, seed)
    rows: dict[int, list[dict[str, Any]]] = {}
    for each in found:
        rows.setdefault(each["testIdx"], []).append(each)
    body = [
        {
            "description": row[0]["testCase"]["description"],
            "vars": list(row[0]["vars"].values()),
            "test": row[0]["testCase"],
            "outputs": [_cell(each) for each in sorted(row, key=lambda each: each["promptIdx"])],
        }
        for _, row in sorted(rows.items())
    ]
    table = {"head": {"prompts": prompts, "vars": ["city", "hint"]}, "body": body}
    summary = {
        "version": 2,
        "timestamp": "2024-05-02T09:15:00.120Z",
        "results": [] if only_table else [_older(each) for each in found],
        "stats": stats,
        "table": table,
    }
    path.write_text(json.dumps({"results": summary, "config": config(), "shareableUrl": None}))
    return path


def write_changed(
    folder: Path, change: Callable[[dict[str, Any]], None], runs: int = 4, *, seed: int = 1
) -> Path:
    """Write results of version 3 after something was done to the document."""
    path = write_document(folder, runs, seed=seed)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def config() -> dict[str, Any]:
    """Return what was to be evaluated."""
    return {
        "description": "Cities",
        "tags": {"team": "maps", "branch": "main"},
        "prompts": [LABEL],
        "providers": list(PROVIDERS),
        "tests": [{"vars": {"city": "Oslo"}}],
    }


def numbers(runs: int, seed: int = 1) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return `stats` and `prompts`, counted as promptfoo counts them."""
    stats: dict[str, Any] = {
        "successes": 0, "failures": 0, "errors": 0,
        "tokenUsage": {"total": 0, "prompt": 0, "completion": 0, "cached": 0},
    }  # fmt: skip
    prompts = [
        {
            "raw": LABEL, "label": LABEL, "id": "p1", "provider": provider,
            "metrics": {
                "score": 0, "testPassCount": 0, "testFailCount": 0, "testErrorCount": 0,
                "totalLatencyMs": 0, "cost": 0, "namedScores": {},
            },
        }
        for provider in PROVIDERS
    ]  # fmt: skip
    for each in results(runs, seed):
        metrics: dict[str, Any] = prompts[each["promptIdx"]]["metrics"]
        outcome = {0: "Pass", 1: "Fail", 2: "Error"}[each["failureReason"]]
        stats[{"Pass": "successes", "Fail": "failures", "Error": "errors"}[outcome]] += 1
        metrics[f"test{outcome}Count"] += 1
        metrics["score"] += each["score"]
        metrics["totalLatencyMs"] += each["latencyMs"]
        metrics["cost"] += each["cost"]
        for name, score in each["namedScores"].items():
            metrics["namedScores"][name] = metrics["namedScores"].get(name, 0) + score
        for name, count in each["response"].get("tokenUsage", {}).items():
            stats["tokenUsage"][name] += count
    return stats, prompts


def results(runs: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield results as they came in: of the later provider first."""
    chosen = Random(seed)  # noqa: S311  values to be repeated, no secrets
    for number in range(runs):
        pair, place = divmod(number, len(PROVIDERS))
        last = (number == runs - 1) and place == 0
        yield _result(pair, place if last else len(PROVIDERS) - 1 - place, chosen)


def _result(test_idx: int, prompt_idx: int, chosen: Random) -> dict[str, Any]:
    test = test_idx // _REPEATS
    values = {"city": f"City {test}", "hint": f"in country {test % 7}"}
    is_error = chosen.random() < _ERRORS
    tone, length = round(chosen.random(), 3), round(chosen.random(), 3)
    has = chosen.random() < 0.8
    score = 0 if is_error else (tone + length + has) / 3
    assertions = [
        {"type": "llm-rubric", "value": "is kind", "metric": "tone", "provider": "acme:judge"},
        {"type": "javascript", "value": "output.length / 100", "metric": "length"},
        {"type": "contains", "value": "City"},
    ]
    components = [
        {"pass": True, "score": tone, "reason": f"kind enough: {tone}", "assertion": assertions[0]},
        {"pass": True, "score": length, "reason": "Assertion passed", "assertion": assertions[1]},
        {
            "pass": has, "score": int(has), "assertion": assertions[2],
            "reason": "Assertion passed" if has else "Expected output to contain City",
        },
    ]  # fmt: skip
    reason = "All assertions passed" if has else "Expected output to contain City"
    tokens = {"total": 30 + test, "prompt": 20 + test, "completion": 10}
    named = {"tone": tone, "length": length}
    return {
        "cost": 0 if is_error else 0.001 * (prompt_idx + 1),
        "id": f"00000000-0000-4000-8000-{test_idx:08d}{prompt_idx:04d}",
        **({} if has and not is_error else {"error": "timed out" if is_error else reason}),
        "failureReason": 2 if is_error else int(not has),
        "gradingResult": None
        if is_error
        else {
            "pass": has, "score": score, "reason": reason, "namedScores": named,
            "componentResults": components, "assertion": None,
        },
        "latencyMs": 0 if is_error else 100 + test_idx % 1000,
        "namedScores": {} if is_error else named,
        "prompt": {"raw": f"Answer City {test} in one word", "label": LABEL},
        "promptId": "p1",
        "promptIdx": prompt_idx,
        "provider": {"id": PROVIDERS[prompt_idx], "label": ["", "big"][prompt_idx]},
        "response": {}
        if is_error
        else {"output": f"City {test}!", "tokenUsage": tokens, "cost": 0.001 * (prompt_idx + 1)},
        "score": score,
        "success": has and not is_error,
        "testCase": {
            "description": f"asks of city {test}", "vars": values, "assert": assertions,
            "options": {}, "metadata": {"category": ["north", "south"][test % 2], "deep": {"a": 1}},
        },
        "testIdx": test_idx,
        "vars": values,
        "metadata": {},
    }  # fmt: skip


def _older(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as version 2 has it: without indices, test and kind of failure."""
    kept = {
        name: value
        for name, value in result.items()
        if name not in {"id", "failureReason", "testCase", "testIdx", "promptIdx", "promptId"}
    }
    if kept["gradingResult"] is None:
        del kept["gradingResult"]
    return kept


def _cell(result: dict[str, Any]) -> dict[str, Any]:
    is_error = result["failureReason"] == 2
    text = result["error"] if is_error else result["response"]["output"]
    if result["failureReason"] == 1:
        text = f"{result['error']}\n---\n{text}"
    return {
        "pass": result["success"],
        "score": result["score"],
        "namedScores": result["namedScores"],
        "text": text,
        "prompt": result["prompt"]["raw"],
        "latencyMs": result["latencyMs"],
        "tokenUsage": result["response"].get("tokenUsage"),
        "cost": result["cost"],
        **({} if is_error else {"gradingResult": result["gradingResult"]}),
    }
