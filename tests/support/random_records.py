"""Random records that leave nothing out: repetitions, nulls, zeros, odd names, other judges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

VERSIONS = ["1.9.0", "1.10.0", "1.10.0-rc.2", "1.10.0-rc.10", "v2.0", "nightly", "2026.01.15"]
BEGIN = datetime(2026, 1, 30, 22, tzinfo=UTC)


def random_record(rng: random.Random, run: int) -> dict[str, Any]:
    """Return one record; `run` becomes its id."""
    experiment = rng.choice(["e1", "e2", "e3", "e4", "linked", 'odd"id\\ é'])
    record: dict[str, Any] = {
        "experiment_id": experiment,
        "task_id": f"t{rng.randrange(9)}",
        "experiment_group": rng.choice(["baseline", "code-chef"]),
        "extension_version": rng.choice(VERSIONS[: rng.choice([2, 7])]),
        "source_run_id": f"run-{run}",
        "repetition": rng.choice([None, 1, 2, 3]),
        "recorded_at": rng.choice([None, BEGIN + timedelta(minutes=rng.randrange(9000))]),
        "model_version": rng.choice(["unknown", "m1"]),
        "agent_name": rng.choice([None, "a", "b"]),
        "latency_ms": rng.choice([None, 0.0, rng.randrange(1, 5000) / 4]),
        "tokens_used": rng.choice([None, rng.randrange(3000)]),
        "cost_usd": rng.choice([None, 0.0, rng.randrange(1, 100) / 1000]),
        "success": random_success(rng, experiment),
        "error_message": rng.choice([None, "timed out", "it's broken"]),
        "dataset_version": rng.choice([None, None, None, "d1", "d2"]),
        "evaluator_versions": rng.choice([{}, {}, {"agent_routing_accuracy": rng.choice("12")}]),
        "metadata": {"run": run, **rng.choice([{}, {"cluster_id": rng.choice("xyz")}])},
        "scores": random_scores(rng, experiment),
        "measurements": rng.choice([{}, {"turns": rng.randrange(9), "style": 7, "accuracy": 5}]),
    }
    if experiment == "linked":
        record["baseline_experiment_id"] = rng.choice([None, "e1", "e2"])
    return record


def random_success(rng: random.Random, experiment: str) -> bool | None:
    """Return whether the run ended well; one experiment never says, another only failures."""
    drawn = rng.random()
    if drawn >= 0.8 and experiment != "e2":
        return False
    return True if drawn < 0.55 and experiment not in ("e2", "e3") else None


def random_scores(rng: random.Random, experiment: str) -> dict[str, Any]:
    """Return scores by evaluator key; two of the keys are one metric."""
    keys = ["agent_routing_accuracy", "accuracy", "completeness", "token_efficiency", "style"]
    if experiment == "e4":  # has no primary metric
        keys = ["style", "z", "integration_quality"]
    digits = 0 if experiment == "linked" else 2  # there all or nothing
    return {
        key: rng.choice([None, True, False, 0, 1, round(rng.randrange(0, 100, 5) / 100, digits)])
        for key in keys
        if rng.random() < 0.6
    }
