"""Files in the shape of Harbor's jobs and of Terminal-Bench's runs, with trials made up here."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

AGENT: Final = "made-agent"
MODEL: Final = "made-1"
DATASET: Final = "made-tasks"
_ATTEMPTS: Final = 2
_MOST_TRIALS: Final = 4
"""Of a job, each in a folder of its own."""


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a run of Terminal-Bench, what holds of it, and a small job of Harbor."""
    chosen = random.Random(seed)  # noqa: S311  of a test
    few = min(runs // 2, _MOST_TRIALS)
    trials = [attempt(number, chosen) for number in range(runs - few)]
    path = folder / "run" / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results(trials), indent=4), encoding="utf-8")
    beside = folder / "run" / "run_metadata.json"
    beside.write_text(json.dumps(metadata(trials), indent=4), encoding="utf-8")
    job = [trial(number, {"reward": float(chosen.random() < 0.5)}) for number in range(few)]
    return [path, beside, *(write_job(folder / "job", job) if job else ())]


def attempt(number: int, chosen: random.Random, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a trial as Terminal-Bench writes it."""
    task, which = divmod(number, _ATTEMPTS)
    is_resolved = chosen.choices([True, False, None], (5, 4, 1))[0]
    name = f"task-{task}"
    return {
        "id": str(uuid.UUID(int=chosen.getrandbits(128), version=4)),
        "trial_name": f"{name}.{which + 1}-of-{_ATTEMPTS}.first",
        "task_id": name,
        "instruction": f"Make the tests of {name} pass.",
        "is_resolved": is_resolved,
        "failure_mode": "unset" if is_resolved is not None else "parse_error",
        "parser_results": {
            "test_a": "passed",
            "test_b": "passed" if is_resolved else "failed",
        },
        "recording_path": f"first/{name}/agent.cast",
        "total_input_tokens": 1000 + number,
        "total_output_tokens": 100,
        "trial_started_at": "2025-07-11T19:11:52.380072+00:00",
        "trial_ended_at": "2025-07-11T19:33:41.275846+00:00",
        "agent_started_at": "2025-07-11T19:12:00.000000+00:00",
        "agent_ended_at": "2025-07-11T19:12:30.500000+00:00",
        "test_started_at": "2025-07-11T19:33:18.025233+00:00",
        "test_ended_at": "2025-07-11T19:33:24.528558+00:00",
        **fields,
    }


def results(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Put trials into the results of a run, with the sums that the tool computes."""
    resolved = [trial["task_id"] for trial in trials if trial["is_resolved"]]
    unresolved = [trial["task_id"] for trial in trials if not trial["is_resolved"]]
    return {
        "id": "81c1b86e-6494-4b92-99bf-073e1d24c38d",
        "results": trials,
        "pass_at_k": {},
        "n_resolved": len(resolved),
        "n_unresolved": len(unresolved),
        "resolved_ids": resolved,
        "unresolved_ids": unresolved,
        "accuracy": len(resolved) / len(trials) if trials else 0.0,
    }


def metadata(trials: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make what holds of a run."""
    tasks = sorted({trial["task_id"] for trial in trials})
    return {
        "run_id": "first",
        "uuid": "835609b7-77ef-446e-abcb-43dd2361d953",
        "dataset_path": None,
        "dataset_name": DATASET,
        "dataset_version": "0.1.1",
        "output_path": "runs",
        "agent_name": AGENT,
        "no_rebuild": False,
        "cleanup": True,
        "log_level": 20,
        "task_ids": tasks,
        "n_attempts": _ATTEMPTS,
        "dataset_size": len(tasks),
        "model_name": f"made/{MODEL}",
        "commit_hash": "121662c0938799461dc89955b9d090d0e1b87a85",
        **fields,
    }


def write_job(folder: Path, trials: list[dict[str, Any]], *, attempts: int = 1) -> list[Path]:
    """Write a job of Harbor: its summary and configuration, and a folder for each trial."""
    tasks = {trial["task_name"] for trial in trials}
    paths = [folder / "config.json", folder / "result.json"]
    folder.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(json.dumps(configuration(attempts)), encoding="utf-8")
    paths[1].write_text(json.dumps(summary(trials, len(tasks) * attempts)), encoding="utf-8")
    for trial in trials:
        inside = folder / trial["trial_name"]
        (inside / "agent").mkdir(parents=True, exist_ok=True)
        path = inside / "result.json"
        path.write_text(json.dumps(trial), encoding="utf-8")
        (inside / "config.json").write_text(json.dumps(trial["config"]), encoding="utf-8")
        trajectory = {"schema_version": "ATIF-v1.5", "session_id": "1", "agent": {}, "steps": []}
        (inside / "agent" / "trajectory.json").write_text(json.dumps(trajectory), encoding="utf-8")
        (inside / "agent" / "session.jsonl").write_text('{"type": "user"}\n', encoding="utf-8")
        (inside / "verifier").mkdir(exist_ok=True)
        checks = {"results": {"tool": {"name": "pytest"}, "summary": {"tests": 1}, "tests": []}}
        (inside / "verifier" / "ctrf.json").write_text(json.dumps(checks), encoding="utf-8")
        paths.append(path)
    return paths


def trial(
    number: int, rewards: dict[str, float] | None, failed: str | None = None
) -> dict[str, Any]:
    """Make a trial as Harbor writes it."""
    name = f"task-{number}__abc{number}"
    raised = {
        "exception_type": failed,
        "exception_message": "it took too long",
        "exception_traceback": "Traceback …",
        "occurred_at": "2025-11-19T14:57:07",
    }
    return {
        "id": str(uuid.UUID(int=number + 1, version=4)),
        "task_name": f"task-{number}",
        "trial_name": name,
        "trial_uri": f"file:///jobs/first/{name}",
        "task_id": {"path": f"tasks/task-{number}"},
        "source": DATASET,
        "task_checksum": "00ff",
        "config": {
            "task": {"path": f"tasks/task-{number}", "git_commit_id": "0abc", "source": DATASET},
            "trial_name": name,
            "trials_dir": "jobs/first",
            "job_id": "442870a8-421c-4d91-86ab-68ff77725fdf",
        },
        "agent_info": {
            "name": AGENT,
            "version": "2.1",
            "model_info": {"name": MODEL, "provider": "made"},
        },
        "agent_result": {
            "n_input_tokens": 1000,
            "n_cache_tokens": 900,
            "n_output_tokens": 50,
            "cost_usd": 0.25,
            "rollout_details": None,
        },
        "verifier_result": None if rewards is None else {"rewards": rewards},
        "exception_info": raised if failed else None,
        "started_at": "2025-11-19T14:53:27.771881",
        "finished_at": "2025-11-19T14:57:07.476294",
        "agent_execution": {
            "started_at": "2025-11-19T14:54:24.000000",
            "finished_at": "2025-11-19T14:56:36.500000",
        },
    }


def configuration(attempts: int) -> dict[str, Any]:
    """Make the configuration of a job."""
    return {
        "job_name": "first",
        "jobs_dir": "jobs",
        "n_attempts": attempts,
        "agents": [{"name": AGENT, "model_name": f"made/{MODEL}"}],
        "datasets": [{"name": DATASET, "version": "2.0"}],
    }


def summary(trials: list[dict[str, Any]], total: int) -> dict[str, Any]:
    """Make the summary of a job; its mean takes a trial without reward for 0, as Harbor does."""
    rewards = [((each["verifier_result"] or {}).get("rewards") or {}) for each in trials]
    mean = sum(each.get("reward", 0) for each in rewards) / max(len(trials), 1)
    errors = sum(each["exception_info"] is not None for each in trials)
    return {
        "id": "442870a8-421c-4d91-86ab-68ff77725fdf",
        "started_at": "2025-11-19T14:11:00.866612",
        "finished_at": "2025-11-19T14:18:43.882955",
        "n_total_trials": total,
        "stats": {
            "n_trials": len(trials),
            "n_errors": errors,
            "evals": {
                f"{AGENT}__{MODEL}__{DATASET}": {
                    "n_trials": len(trials),
                    "n_errors": errors,
                    "metrics": [{"mean": mean}],
                }
            },
        },
    }
