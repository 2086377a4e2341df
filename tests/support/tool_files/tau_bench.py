"""Files in the shape of tau-bench's and τ²-bench's results, with values made up here."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_TRIALS: Final = 4
AGENT: Final = "made/agent-1"
USER: Final = "made/user-1"


def write(folder: Path, runs: int = 20, *, seed: int = 1) -> list[Path]:
    """Write a list of tau-bench and a document of τ² with half of the runs each."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = random.Random(seed)  # noqa: S311  of a test
    simulations = [simulation(number, chosen) for number in range(runs - runs // 2)]
    documents = [run(number, chosen) for number in range(runs // 2)]
    written = [folder / "tau.json", folder / "tau2.json"]
    written[0].write_text(json.dumps(simulations, indent=2))
    written[1].write_text(json.dumps(document(documents), indent=2))
    return written if documents else written[:1]


def simulation(number: int, chosen: random.Random, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make one trial as tau-bench writes it."""
    task, trial = divmod(number, _TRIALS)
    reward = float(chosen.random() < 0.5)
    return {
        "task_id": task,
        "reward": reward,
        "info": {
            "task": {
                "user_id": f"someone_{task}",
                "actions": [{"name": "cancel_reservation", "kwargs": {"reservation_id": "R1"}}],
                "instruction": f"You want to cancel your flight number {task}.",
                "outputs": [],
            },
            "source": "user",
            "user_cost": 0.001 * (number + 1),
            "reward_info": {
                "reward": reward,
                "info": {"r_actions": reward, "gt_data_hash": "00"},
                "actions": [],
            },
        },
        "traj": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": f"Cancel flight {number} of {chosen.random()}."},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
            {"role": "tool", "content": "ok", "tool_call_id": "1", "name": "cancel_reservation"},
        ],
        "trial": trial,
        **fields,
    }


def errored(number: int, why: str) -> dict[str, Any]:
    """Make a trial that raised, with the reward of 0 that tau-bench then writes."""
    task, trial = divmod(number, _TRIALS)
    return {
        "task_id": task,
        "reward": 0.0,
        "info": {"error": why, "traceback": f"Traceback …\n{why}"},
        "traj": [],
        "trial": trial,
    }


def run(number: int, chosen: random.Random, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make one simulation as τ² writes it."""
    task, trial = divmod(number, _TRIALS)
    is_right = chosen.random() < 0.5
    return {
        "id": f"{chosen.getrandbits(64):016x}-{number}",
        "task_id": str(task),
        "timestamp": "2025-09-29T01:38:24.803630",
        "start_time": "2025-09-29T01:38:13.661755",
        "end_time": "2025-09-29T01:38:24.803616",
        "duration": 11.25,
        "termination_reason": "user_stop",
        "agent_cost": 0.005,
        "user_cost": 0.0007,
        "reward_info": {
            "reward": float(is_right),
            "db_check": {"db_match": is_right, "db_reward": float(is_right)},
            "env_assertions": [],
            "action_checks": [
                {"action": {"name": "cancel"}, "action_match": True, "action_reward": 1.0},
                {"action": {"name": "refund"}, "action_match": is_right, "action_reward": 0.0},
            ],
            "nl_assertions": None,
            "communicate_checks": None,
            "reward_basis": ["DB", "COMMUNICATE"],
            "reward_breakdown": {"DB": float(is_right), "COMMUNICATE": 1.0},
            "info": {"env": None},
        },
        "messages": [
            {"role": "assistant", "content": "Hello.", "cost": 0.0, "usage": None},
            {
                "role": "user",
                "content": "Cancel it.",
                "usage": {"completion_tokens": 9, "prompt_tokens": 500},
            },
            {
                "role": "assistant",
                "content": "Done.",
                "tool_calls": None,
                "usage": {"completion_tokens": 20, "prompt_tokens": 300},
            },
            {
                "role": "assistant",
                "content": "Bye.",
                "usage": {"completion_tokens": 5, "prompt_tokens": 330},
            },
        ],
        "trial": trial,
        "seed": 7,
        **fields,
    }


def document(simulations: list[dict[str, Any]], **info: Any) -> dict[str, Any]:  # noqa: ANN401
    """Put simulations of τ² into the document that they stand in."""
    tasks = sorted({int(each["task_id"]) for each in simulations})
    return {
        "timestamp": "2025-09-29T01:38:13.045712",
        "info": {
            "git_commit": "0123456789abcdef",
            "num_trials": _TRIALS,
            "max_steps": 200,
            "max_errors": 10,
            "user_info": {"implementation": "user_simulator", "llm": USER, "llm_args": {}},
            "agent_info": {"implementation": "llm_agent", "llm": AGENT, "llm_args": {}},
            "environment_info": {"domain_name": "airline", "policy": "Be kind."},
            "seed": 300,
            **info,
        },
        "tasks": [
            {
                "id": str(task),
                "user_scenario": {"persona": None, "instructions": f"Cancel flight {task}."},
                "evaluation_criteria": {"actions": [], "reward_basis": ["DB"]},
            }
            for task in tasks
        ],
        "simulations": simulations,
    }
