"""Files in the shape of HELM: the folder of one run."""

from __future__ import annotations

import json
import random
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "acme/small-1"
RUN = "sums:digits=2,method=generation,model=acme_small-1"
SCENARIO = "sums:digits=2,method=generation"
BEGAN = 1772360000
"""2026-03-01T10:13:20Z."""
TYPOS = {"name": "typos", "robustness": True, "fairness": False, "computed_on": "perturbed"}
TRIALS = 2


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write the folder of a run: instances, half of them perturbed, in two train trials.

    Statistics of one instance stand in two entries, as two classes of metrics write them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)  # noqa: S311  of a test
    made = [_made(number, draw) for number in range(runs)]
    stats = folder / "per_instance_stats.json"
    _listed(stats, (entry for half in range(2) for each in made for entry in [_entry(each, half)]))
    _write(folder / "run_spec.json", _spec())
    _write(folder / "scenario.json", {"name": "sums", "description": "", "tags": [],
           "definition_path": "https://example.org/sums.py"})  # fmt: skip
    state = {"adapter_spec": _spec()["adapter_spec"], "request_states": list(map(_state, made))}
    _write(folder / "scenario_state.json", state)
    _write(folder / "stats.json", list(_aggregated(made)))
    return [stats]


def numbers(folder: Path) -> dict[tuple[str, str | None], float]:
    """Return what stats.json says: mean by statistic and perturbation."""
    found = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    return {
        (stat["name"]["name"], stat["name"].get("perturbation", {}).get("name")): stat["mean"]
        for stat in found
    }


def _made(number: int, draw: random.Random) -> dict[str, Any]:
    """Make what happened to an instance: four of a kind are one instance, twice, in two trials."""
    instance, kind = divmod(number, 2 * TRIALS)
    first, second = instance % 90 + 10, instance % 7 + 1
    is_right = draw.random() < 0.6
    return {
        "instance_id": f"id{instance}",
        "perturbation": TYPOS if kind % 2 else None,
        "trial": kind // 2,
        "question": f"{first} + {second}",
        "answer": str(first + second),
        "output": str(first + second if is_right else first),
        "at": BEGAN + number,
        "values": {
            "exact_match": float(is_right),
            "prefix_exact_match": float(is_right),
        },
        "counts": {
            "num_prompt_tokens": draw.randint(20, 60),
            "num_completion_tokens": draw.randint(1, 5),
            "inference_runtime": round(draw.uniform(0.1, 3), 9),
            "finish_reason_stop": 1,
        },
    }


def _stat(name: str, value: float, made: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {"name": name, "split": "test"}
    if made["perturbation"]:
        named["perturbation"] = made["perturbation"]
    return {
        "name": named, "count": 1, "sum": value, "sum_squared": value * value, "min": value,
        "max": value, "mean": value, "variance": 0.0, "stddev": 0.0,
    }  # fmt: skip


def _entry(made: dict[str, Any], half: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"instance_id": made["instance_id"]}
    if made["perturbation"]:
        entry["perturbation"] = made["perturbation"]
    values = made["counts"] if half else made["values"]
    stats = [_stat(name, value, made) for name, value in values.items()]
    if half:
        none = _stat("training_co2_cost", 0, made)
        stats.append({"name": none["name"], "count": 0, "sum": 0, "sum_squared": 0})
    return entry | {"train_trial_index": made["trial"], "stats": stats}


def _state(made: dict[str, Any]) -> dict[str, Any]:
    instance: dict[str, Any] = {
        "input": {"text": made["question"]},
        "references": [
            {"output": {"text": made["answer"]}, "tags": ["correct"]},
            {"output": {"text": "0"}, "tags": []},
        ],
        "split": "test",
        "id": made["instance_id"],
    }
    if made["perturbation"]:
        instance["perturbation"] = made["perturbation"]
    return {
        "instance": instance,
        "train_trial_index": made["trial"],
        "request": {"model": MODEL, "prompt": f"Question: {made['question']}\nAnswer:"},
        "result": {
            "success": True,
            "completions": [{"text": made["output"], "logprob": -1.5, "tokens": []}],
            "cached": False,
            "request_time": made["counts"]["inference_runtime"],
            "request_datetime": made["at"],
        },
    }


def _spec() -> dict[str, Any]:
    return {
        "name": RUN,
        "scenario_spec": {"class_name": "acme.SumsScenario", "args": {"digits": 2}},
        "adapter_spec": {
            "method": "generation",
            "num_train_trials": TRIALS,
            "model_deployment": "acme/served-small-1",
            "model": MODEL,
            "max_eval_instances": 1000,
        },
        "metric_specs": [],
        "groups": ["sums"],
    }


def _aggregated(made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the mean over trials of the mean over instances, as the tool does."""
    for perturbation in (None, TYPOS):
        of = [each for each in made if each["perturbation"] == perturbation]
        for field in ("values", "counts"):
            for name in made[0][field] if of else ():
                trials = sorted({each["trial"] for each in of})
                means = [
                    fmean(each[field][name] for each in of if each["trial"] == trial)
                    for trial in trials
                ]
                yield _stat(name, fmean(means), of[0]) | {"count": len(means), "sum": sum(means)}

    if not made:
        return
    logprob = _stat("logprob", -1.5, made[0])
    yield logprob | {"name": {"name": "logprob", "split": "test"}}
    yield _stat("perplexity", 4.25, {"perturbation": None})


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _listed(path: Path, entries: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write("[")
        for number, entry in enumerate(entries):
            stream.write(f"{',' if number else ''}\n  {json.dumps(entry)}")
        stream.write("\n]")
