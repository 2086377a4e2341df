"""Harbor's jobs and Terminal-Bench's runs, held against the sums in their own files."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from agent_runs import read
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import recognised
from tool_files import harbor as made

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, content: Any) -> Path:  # noqa: ANN401
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def chooser() -> random.Random:
    return random.Random(3)  # noqa: S311  of a test


def a_run(folder: Path, *trials: dict[str, Any], **metadata: Any) -> Path:  # noqa: ANN401
    written(folder / "run_metadata.json", made.metadata([*trials], **metadata))
    return written(folder / "results.json", made.results([*trials]))


def test_an_attempt_of_terminal_bench_becomes_a_run_with_all_that_it_says(tmp_path: Path) -> None:
    results = {"test_a": "passed", "test_b": "failed"}
    attempt = made.attempt(1, chooser(), is_resolved=True, failure_mode="unset")
    attempt["parser_results"] = results
    found = read(a_run(tmp_path, attempt))
    assert found.only() == {
        "experiment_id": made.DATASET,
        "task_id": "task-0",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "source_run_id": attempt["id"],
        "repetition": 2,
        "recorded_at": "2025-07-11T19:33:41.275846+00:00",
        "model_version": f"made/{made.MODEL}",
        "agent_name": made.AGENT,
        "dataset_version": "0.1.1",
        "evaluator_versions": {"resolved": "121662c0938799461dc89955b9d090d0e1b87a85"},
        "scores": {"resolved": 1.0},
        "success": True,
        "latency_ms": 30500,
        "prompt_tokens": 1001,
        "completion_tokens": 100,
        "measurements": {"tests_passed": 1, "tests_failed": 1},
        "inputs": "Make the tests of task-0 pass.",
        "metadata": {"recording": "first/task-0/agent.cast"},
    }
    (plan,) = found.source.plans()
    assert (plan.planned_tasks, plan.planned_repetitions) == (1, 2)


def test_the_mean_of_resolved_is_the_accuracy_in_the_file(tmp_path: Path) -> None:
    path, beside, *_ = made.write(tmp_path, 204)
    sums = json.loads(path.read_text(encoding="utf-8"))
    found = read(path, beside)
    assert not found.rejections
    resolved = [record["scores"]["resolved"] for record in found.records]
    assert len(resolved) == sums["n_resolved"] + sums["n_unresolved"] == 200
    assert sum(resolved) == sums["n_resolved"]
    assert sum(resolved) / len(resolved) == sums["accuracy"]
    nulls = sum(trial["is_resolved"] is None for trial in sums["results"])
    assert sum("error_message" in record for record in found.records) == nulls > 0
    tokens = sum(trial["total_input_tokens"] for trial in sums["results"])
    assert sum(record["prompt_tokens"] for record in found.records) == tokens
    assert any("read with results.json" in note for note in found.notes)


def test_what_ended_without_a_result_is_unresolved_and_says_why(tmp_path: Path) -> None:
    never = made.attempt(0, chooser(), is_resolved=None, failure_mode="test_timeout")
    late = made.attempt(1, chooser(), is_resolved=True, failure_mode="agent_timeout")
    first, second = read(a_run(tmp_path, never, late)).records
    assert first["scores"] == {"resolved": 0.0}
    assert first["error_message"] == "test_timeout"
    assert "success" not in first
    assert second["success"] is True
    assert second["labels"] == {"failure_mode": "agent_timeout"}
    assert "error_message" not in second


def test_an_agent_that_counts_no_tokens_has_none_and_not_nought(tmp_path: Path) -> None:
    attempt = made.attempt(0, chooser(), total_input_tokens=0, total_output_tokens=0)
    assert "prompt_tokens" not in read(a_run(tmp_path, attempt)).only()


def test_an_old_run_is_named_by_what_its_trials_have(tmp_path: Path) -> None:
    attempt = made.attempt(0, chooser(), id=None, uuid="636aeed7", agent_started_at=None)
    bare = made.attempt(3, chooser(), id=None, trial_started_at=None, agent_started_at=None)
    path = a_run(tmp_path, attempt, bare, dataset_name=None, dataset_path="/d/mine")
    first, second = read(path).records
    assert first["source_run_id"] == "636aeed7"
    assert first["experiment_id"] == "mine"
    assert first["latency_ms"] == pytest.approx(1308895.774)
    assert second["source_run_id"] == ("835609b7-77ef-446e-abcb-43dd2361d953/task-1.2-of-2.first")
    assert second["latency_ms"] is None


def test_results_without_metadata_load_and_say_what_is_not_told(tmp_path: Path) -> None:
    path = written(tmp_path / "results.json", made.results([made.attempt(0, chooser())]))
    found = read(path)
    assert found.only()["experiment_id"] == "terminal-bench"
    assert any("no run_metadata.json lies beside it" in note for note in found.notes)


def test_the_file_of_an_attempt_is_read_with_its_run_and_alone_for_itself(tmp_path: Path) -> None:
    attempt = made.attempt(0, chooser())
    run = a_run(tmp_path, attempt)
    single = written(tmp_path / "task-0" / attempt["trial_name"] / "results.json", attempt)
    both = read(run, single)
    assert any("read with ../../results.json" in note for note in both.notes)
    run.unlink()
    assert read(single).records == both.records


def test_metadata_that_is_broken_refuses_the_run_and_names_itself(tmp_path: Path) -> None:
    path = a_run(tmp_path, made.attempt(0, chooser()))
    (tmp_path / "run_metadata.json").write_text('{"run_id": "first", "n_attempts": "two"}')
    found = read(path)
    assert not found.records
    assert "run_metadata.json" in found.rejections[0].reason
    assert "n_attempts" in found.rejections[0].reason


def test_a_trial_of_harbor_becomes_a_run_with_all_that_it_says(tmp_path: Path) -> None:
    trial = made.trial(0, {"reward": 1.0})
    *_, path = made.write_job(tmp_path, [trial])
    assert read(path).only() == {
        "experiment_id": made.DATASET,
        "task_id": "task-0",
        "experiment_group": "baseline",
        "extension_version": "2.1",
        "source_run_id": trial["id"],
        "recorded_at": "2025-11-19T14:57:07.476294",
        "model_version": f"made/{made.MODEL}",
        "agent_name": made.AGENT,
        "dataset_version": "2.0",
        "scores": {"reward": 1.0},
        "success": True,
        "latency_ms": 132500,
        "prompt_tokens": 1000,
        "cached_tokens": 900,
        "completion_tokens": 50,
        "cost_usd": 0.25,
        "metadata": {"task_checksum": "00ff"},
    }


def test_a_job_gives_its_trials_once_and_plans_their_arm(tmp_path: Path) -> None:
    trials = [
        made.trial(0, {"reward": 1.0}),
        made.trial(1, {"reward": 0.0}),
        made.trial(2, {"reward": 0.0}, "AgentTimeoutError"),
        made.trial(3, None, "RewardFileNotFoundError"),
    ]
    paths = made.write_job(tmp_path, trials, attempts=3)
    stats = json.loads(paths[1].read_text(encoding="utf-8"))["stats"]
    found = read(*paths)
    assert not found.rejections
    assert len(found.records) == stats["n_trials"]
    errors = [record for record in found.records if "error_message" in record]
    assert len(errors) == stats["n_errors"]
    total = sum(record.get("scores", {}).get("reward", 0) for record in found.records)
    (told,) = stats["evals"].values()
    assert total / len(found.records) == told["metrics"][0]["mean"]
    (plan,) = found.source.plans()
    assert (plan.experiment_id, plan.extension_version) == (made.DATASET, "2.1")
    assert (plan.planned_tasks, plan.planned_repetitions) == (4, 3)


def test_what_a_verifier_wrote_is_read_with_its_trial_and_elsewhere_is_not_harbors(
    tmp_path: Path,
) -> None:
    *_, trial = made.write_job(tmp_path / "job", [made.trial(0, {"reward": 1.0})])
    checks = trial.parent / "verifier" / "ctrf.json"
    found = read(trial, checks)
    assert len(found.records) == 1
    assert any("ctrf.json: Harbor" in note and "read with" in note for note in found.notes)
    elsewhere = written(tmp_path / "ctrf.json", json.loads(checks.read_text(encoding="utf-8")))
    assert recognised(ToolFile(str(elsewhere))) is None


def test_two_jobs_of_one_arm_plan_it_once_with_the_most_of_both(tmp_path: Path) -> None:
    one = made.write_job(tmp_path / "one", [made.trial(0, {"reward": 1.0})], attempts=4)
    trials = [made.trial(1, {"reward": 1.0}), made.trial(2, {"reward": 1.0})]
    (plan,) = read(*one, *made.write_job(tmp_path / "two", trials)).source.plans()
    assert (plan.planned_tasks, plan.planned_repetitions) == (2, 4)


def test_a_plan_of_nothing_and_of_more_than_can_be_is_none(tmp_path: Path) -> None:
    path = a_run(tmp_path, made.attempt(0, chooser()), dataset_size=10**18, n_attempts=0)
    assert read(path).source.plans() == []


def test_a_trial_that_raised_has_what_the_verifier_gave_and_the_exception(tmp_path: Path) -> None:
    def only(rewards: dict[str, float] | None, failed: str | None) -> dict[str, Any]:
        return read(written(tmp_path / "result.json", made.trial(0, rewards, failed))).only()

    late = only({"reward": 1.0}, "AgentTimeoutError")
    assert (late["success"], late["labels"]) == (True, {"exception": "AgentTimeoutError"})
    assert "error_message" not in late
    failed = only({"reward": 0.0}, "AgentTimeoutError")
    assert failed["scores"] == {"reward": 0.0}
    assert failed["error_message"] == "AgentTimeoutError: it took too long"
    unverified = only(None, "VerifierTimeoutError")
    assert "scores" not in unverified
    assert "success" not in unverified
    silent = only(None, None)
    assert silent["error_message"] == "the verifier gave no reward"


def test_a_part_of_the_reward_is_no_success_and_several_rewards_are_several_scores(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "result.json", made.trial(0, {"reward": 0.81, "style": 1.0}))
    found = read(path).only()
    assert found["scores"] == {"reward": 0.81, "style": 1.0}
    assert found["success"] is False


def test_a_trial_alone_has_the_commit_of_its_task_and_no_unknown_version(tmp_path: Path) -> None:
    trial = made.trial(0, {"reward": 1.0})
    trial["agent_info"] = {"name": "oracle", "version": "unknown", "model_info": None}
    trial["source"] = trial["config"]["task"]["source"] = None
    found = read(written(tmp_path / "result.json", trial)).only()
    assert found["dataset_version"] == "0abc"
    assert found["extension_version"] == "unversioned"
    assert found["experiment_id"] == "harbor"
    assert "model_version" not in found


def test_a_summary_alone_is_refused_and_one_with_trials_in_it_is_read(tmp_path: Path) -> None:
    trials = [made.trial(0, {"reward": 1.0}), made.trial(1, {"reward": 0.0})]
    alone = read(written(tmp_path / "result.json", made.summary(trials, 2)))
    assert not alone.records
    assert "give the job's folder whole" in alone.rejections[0].reason
    whole = {**made.summary(trials, 2), "trial_results": trials}
    found = read(written(tmp_path / "result.json", whole))
    assert [record["task_id"] for record in found.records] == ["task-0", "task-1"]


def test_names_of_a_trial_make_arms_by_map(tmp_path: Path) -> None:
    path = written(tmp_path / "result.json", made.trial(0, {"reward": 1.0}))
    found = read(path, names=[("experiment_group", "agent"), ("extension_version", "job_id")])
    assert found.only()["experiment_group"] == made.AGENT
    assert found.only()["extension_version"] == "442870a8-421c-4d91-86ab-68ff77725fdf"


@pytest.mark.parametrize(
    "content",
    [
        {"results": [{"name": "a", "is_resolved": 1}], "version": 3},
        {"task_id": "1", "trial_name": "x", "scores": {}},
        {"id": "1", "stats": {"n": 1}},
    ],
)
def test_files_that_only_look_like_it_are_none_of_the_tools(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    assert recognised(ToolFile(str(written(tmp_path / "a.json", content)))) is None
