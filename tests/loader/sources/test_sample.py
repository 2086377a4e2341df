import json
from pathlib import Path

import pytest

from loader.sources.sample import EXPERIMENT_ID, make_tasks, write_sample

FILES = ["baseline.jsonl", "code-chef.jsonl", "history.jsonl", "baseline_runner.json"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory)
    return directory


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def score(rows: list[dict], key: str = "agent_routing_accuracy") -> float:
    return mean([row["scores"][key] for row in rows if row["scores"][key] is not None])


def test_the_same_seed_gives_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    paths = write_sample(tmp_path / "again")
    assert [path.name for path in paths] == FILES
    for path in paths:
        assert path.read_bytes() == (directory / path.name).read_bytes()


def test_another_seed_gives_another_sample(directory: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, seed=1)
    for name in FILES:
        assert (tmp_path / name).read_bytes() != (directory / name).read_bytes()


def test_both_arms_have_the_same_150_tasks_three_times(directory: Path) -> None:
    arms = [records(directory / name) for name in FILES[:2]]
    tasks = {task.task_id for task in make_tasks()}
    assert len(tasks) == 150
    for arm in arms:
        assert {row["experiment_id"] for row in arm} == {EXPERIMENT_ID}
        keys = {(row["task_id"], row["repetition"]) for row in arm}
        assert keys == {(task, repetition) for task in tasks for repetition in (1, 2, 3)}
        assert len(arm) == 450


def test_every_run_has_an_identity_of_its_own(directory: Path) -> None:
    rows = [row for name in FILES[:3] for row in records(directory / name)]
    assert len({row["source_run_id"] for row in rows}) == len(rows) == 1650


def test_a_failed_run_has_no_score_and_says_why(directory: Path) -> None:
    rows = [row for name in FILES[:2] for row in records(directory / name)]
    failed = [row for row in rows if not row["success"]]
    assert 0.005 < len(failed) / len(rows) < 0.05
    for row in rows:
        missing = [value is None for value in row["scores"].values()]
        assert all(missing) if row in failed else not any(missing)
        assert ("error_message" in row) is (row in failed)


def test_the_candidate_is_better_and_cheaper_on_the_whole(directory: Path) -> None:
    baseline, candidate = (records(directory / name) for name in FILES[:2])
    assert 0.03 < score(candidate) - score(baseline) < 0.10
    cost = [mean([row["cost_usd"] for row in arm]) for arm in (baseline, candidate)]
    assert cost[1] < cost[0]


def test_pairing_by_task_removes_spread(directory: Path) -> None:
    arms = [
        {
            row["task_id"]: row["scores"]["agent_routing_accuracy"]
            for row in records(directory / name)
            if row["repetition"] == 1
        }
        for name in FILES[:2]
    ]
    pairs = [(left, arms[1][task]) for task, left in arms[0].items()]
    whole = [pair for pair in pairs if None not in pair]

    def variance(values: list[float]) -> float:
        return mean([(value - mean(values)) ** 2 for value in values])

    apart = sum(variance([pair[arm] for pair in whole]) for arm in (0, 1))
    assert variance([right - left for left, right in whole]) < 0.5 * apart


def test_version_1_9_0_is_worse_and_1_9_1_recovers(directory: Path) -> None:
    rows = [
        row
        for row in records(directory / "history.jsonl") + records(directory / "code-chef.jsonl")
        if row["experiment_group"] == "code-chef" and row["agent_name"] == "feature_dev"
    ]
    trend = {
        version: score([row for row in rows if row["extension_version"] == version])
        for version in ("1.7.0", "1.8.0", "1.9.0", "1.9.1", "1.10.0")
    }
    assert trend["1.9.0"] < trend["1.8.0"] - 0.08
    assert trend["1.9.1"] > trend["1.8.0"]
    assert trend["1.10.0"] > trend["1.9.1"]


def test_later_experiments_refer_to_the_baseline_measured_once(directory: Path) -> None:
    rows = records(directory / "history.jsonl")
    baselines = {r["experiment_id"] for r in rows if r["experiment_group"] == "baseline"}
    assert baselines == {"exp-2024-11-001"}
    for row in rows:
        expected = None if row["experiment_id"] in baselines else "exp-2024-11-001"
        assert row.get("baseline_experiment_id") == expected


def test_cost_follows_tokens_and_latencies_have_a_long_tail(directory: Path) -> None:
    rows = [row for row in records(directory / "baseline.jsonl") if row["success"]]
    for row in rows:
        assert 0.5e-6 < (row["cost_usd"] + 1e-6) / row["tokens_used"] < 1.2e-6
    latencies = sorted(row["latency_ms"] for row in rows)
    assert mean(latencies) > latencies[len(latencies) // 2]


def test_the_timing_run_has_the_fields_of_a_baseline_runner(directory: Path) -> None:
    rows = json.loads((directory / "baseline_runner.json").read_text(encoding="utf-8"))
    assert {frozenset(row) for row in rows} == {
        frozenset({
            "task_id", "mode", "latency_ms", "tokens_used", "cost_usd", "model", "metadata",
            "timestamp", "success", "error",
        })
    }  # fmt: skip
    assert {row["mode"] for row in rows} == {"baseline", "code-chef"}
    assert len(rows) == 40
