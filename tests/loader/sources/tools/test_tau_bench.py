"""tau-bench and τ²: what becomes of a simulation, held against the tools' own sums."""

from __future__ import annotations

import json
import random
from math import comb
from typing import TYPE_CHECKING, Any

import pytest

from agent_runs import read
from loader.sources.tools import FileBroken
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from servers import SHARED_DATA
from tool_files import tau_bench as made

if TYPE_CHECKING:
    from pathlib import Path

SHARED = SHARED_DATA / "native" / "tau_bench" / "airline_five_tasks.json"
NAMED = "tool-calling-gpt-4.1-0.0_range_0--1_user-gpt-4o-llm_0913120000.json"


def chooser() -> random.Random:
    return random.Random(3)  # noqa: S311  of a test


def written(folder: Path, content: Any, name: str = "results.json") -> Path:  # noqa: ANN401
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def pass_hat(outcomes: dict[str, list[bool]], k: int) -> float:
    """Return pass^k as `display_metrics` of tau-bench computes it."""
    parts = [comb(sum(solved), k) / comb(len(solved), k) for solved in outcomes.values()]
    return sum(parts) / len(parts)


def outcomes(records: list[dict[str, Any]]) -> dict[str, list[bool]]:
    found: dict[str, list[bool]] = {}
    for record in records:
        found.setdefault(record["task_id"], []).append(record.get("success") is True)
    return found


def test_a_simulation_becomes_a_run_with_all_that_it_says(tmp_path: Path) -> None:
    simulation = made.simulation(6, chooser(), reward=1.0)
    simulation["info"]["reward_info"]["info"] = {"r_outputs": 1.0, "outputs": {"17": True}}
    simulation["info"]["task"]["outputs"] = ["17"]
    found = read(written(tmp_path, [simulation])).only()
    run_id = found.pop("source_run_id")
    assert run_id.startswith("1/2/")
    assert found == {
        "experiment_id": "tau-bench-airline",
        "task_id": "1",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "repetition": 3,
        "scores": {"reward": 1.0, "reward_outputs": 1.0},
        "success": True,
        "measurements": {"messages": 4, "user_cost_usd": 0.007},
        "inputs": "You want to cancel your flight number 1.",
        "outputs": simulation["traj"],
        "reference_outputs": {
            "actions": [{"name": "cancel_reservation", "kwargs": {"reservation_id": "R1"}}],
            "outputs": ["17"],
        },
        "metadata": {"user_id": "someone_1"},
    }


def test_the_tools_that_tasks_expect_tell_the_domain(tmp_path: Path) -> None:
    retail = made.simulation(0, chooser())
    retail["info"]["task"]["actions"] = [
        {"name": "get_user_details", "kwargs": {}},
        {"name": "return_delivered_order_items", "kwargs": {}},
    ]
    silent = made.simulation(0, chooser())
    silent["info"]["task"]["actions"] = [{"name": "calculate", "kwargs": {}}]
    assert read(written(tmp_path, [silent, retail])).records[0]["experiment_id"] == (
        "tau-bench-retail"
    )
    assert read(written(tmp_path, [silent])).only()["experiment_id"] == "tau-bench"


def test_a_name_in_the_form_of_the_tool_tells_model_and_agent_and_says_so(tmp_path: Path) -> None:
    content = [made.simulation(0, chooser())]
    found = read(written(tmp_path, content, NAMED))
    assert found.only()["model_version"] == "gpt-4.1"
    assert found.only()["agent_name"] == "tool-calling"
    assert found.only()["metadata"]["user_model"] == "gpt-4o"
    assert any("model gpt-4.1 and agent tool-calling are as its name" in n for n in found.notes)
    other = read(written(tmp_path, content, "gpt-4.1-airline.json"))
    assert "model_version" not in other.only()
    assert "agent_name" not in other.only()


def test_a_run_keeps_its_name_when_its_file_is_renamed_formatted_and_scored_anew(
    tmp_path: Path,
) -> None:
    content = [made.simulation(number, chooser()) for number in range(8)]
    content.append(made.errored(8, "no answer"))
    before = read(written(tmp_path, content)).records
    for each in content:
        each["reward"] = 0.5
    moved = tmp_path / "elsewhere" / "other.json"
    moved.parent.mkdir()
    moved.write_text(json.dumps(content[::-1], indent=4), encoding="utf-8")
    after = read(moved).records
    ids = [record["source_run_id"] for record in before]
    assert sorted(ids) == sorted(record["source_run_id"] for record in after)
    assert len(set(ids)) == len(ids)


def test_two_files_share_no_run_though_both_failed_at_the_same_trial(tmp_path: Path) -> None:
    ids = set()
    for seed in (1, 2):
        chosen = random.Random(seed)  # noqa: S311  of a test
        content = [made.simulation(0, chosen), made.errored(1, "rate limit")]
        records = read(written(tmp_path, content, f"{seed}.json")).records
        ids |= {record["source_run_id"] for record in records}
    assert len(ids) == 4


def test_a_run_that_raised_has_an_error_and_no_score_of_nought(tmp_path: Path) -> None:
    content: list[dict[str, Any]] = [
        made.simulation(0, chooser()),
        made.errored(1, "the model did not answer"),
        made.simulation(2, chooser(), info="context window exceeded", traj=[]),
        made.simulation(3, chooser(), info=None),
        made.simulation(4, chooser(), info="a remark"),
        made.simulation(5, chooser(), reward=None),
        {"task_id": 6, "trial": 0, "reward": 0.0, "info": {"error": "", "traceback": ""}},
    ]
    records = read(written(tmp_path, content)).records
    told = [record.get("error_message") for record in records]
    assert told == [
        None,
        "the model did not answer",
        "context window exceeded",
        None,
        None,
        None,
        "it failed, and does not say why",
    ]
    assert ["scores" in record for record in records] == [
        True, False, False, True, True, False, False,
    ]  # fmt: skip
    assert records[4]["metadata"]["info"] == "a remark"
    assert "success" not in records[1]


def test_a_reward_a_hair_below_one_is_a_success_as_the_tool_has_it(tmp_path: Path) -> None:
    content = [
        made.simulation(0, chooser(), reward=1 - 1e-9),
        made.simulation(1, chooser(), reward=0.999),
    ]
    assert [record["success"] for record in read(written(tmp_path, content)).records] == [
        True,
        False,
    ]


def test_the_reward_comes_before_what_it_is_made_of_where_one_score_has_to_decide(
    tmp_path: Path,
) -> None:
    for path in made.write(tmp_path, 8):
        for record in read(path).records:
            assert min(record["scores"]) == "reward"


def test_one_simulation_that_is_none_is_rejected_alone(tmp_path: Path) -> None:
    content = [made.simulation(0, chooser()), {"task_id": 1, "reward": "good", "info": {}}]
    found = read(written(tmp_path, content))
    assert len(found.records) == 1
    (rejection,) = found.rejections
    assert rejection.reason_code == "unexpected_form"
    assert "$.reward" in rejection.reason


def test_a_list_that_breaks_off_loads_nothing(tmp_path: Path) -> None:
    (path, _) = made.write(tmp_path, 40)
    path.write_bytes(path.read_bytes()[:-30])
    found = read(path)
    assert not found.records
    assert [rejection.reason_code for rejection in found.rejections] == ["invalid_json"]


def test_a_simulation_of_tau2_becomes_a_run_with_all_that_it_says(tmp_path: Path) -> None:
    simulation = made.run(1, chooser())
    right = simulation["reward_info"]["reward"]
    found = read(written(tmp_path, made.document([simulation])))
    assert found.only() == {
        "experiment_id": "tau2-bench-airline",
        "task_id": "0",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "source_run_id": simulation["id"],
        "repetition": 2,
        "recorded_at": "2025-09-29T01:38:24.803630",
        "agent_name": "llm_agent",
        "model_version": made.AGENT,
        "evaluator_versions": {"reward": "0123456789abcdef"},
        "latency_ms": 11250,
        "cost_usd": 0.005,
        "prompt_tokens": 630,
        "completion_tokens": 25,
        "measurements": {
            "user_cost_usd": 0.0007,
            "messages": 4,
            "actions_expected": 2,
            "actions_matched": 1 + right,
        },
        "labels": {"termination_reason": "user_stop"},
        "scores": {
            "reward": right,
            "reward_db": right,
            "reward_communicate": 1.0,
        },
        "success": right == 1,
        "inputs": {"persona": None, "instructions": "Cancel flight 0."},
        "outputs": [
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Cancel it."},
            {"role": "assistant", "content": "Done."},
            {"role": "assistant", "content": "Bye."},
        ],
        "reference_outputs": {"actions": [], "reward_basis": ["DB"]},
        "metadata": {"user_model": made.USER},
    }
    (plan,) = found.source.plans()
    assert (plan.planned_tasks, plan.planned_repetitions) == (1, 4)


def test_a_simulation_of_tau2_that_never_ran_has_an_error_and_no_score(tmp_path: Path) -> None:
    never = made.run(
        0,
        chooser(),
        termination_reason="infrastructure_error",
        reward_info={"reward": 0.0},
        messages=[],
        info={"error": "the socket closed"},
    )
    unscored = made.run(1, chooser(), reward_info=None, termination_reason="timeout")
    stopped = made.run(2, chooser(), termination_reason="too_many_errors")
    stopped["reward_info"] = {"reward": 0.0, "info": {"note": "stopped"}, "reward_basis": None}
    first, second, third = read(
        written(tmp_path, made.document([never, unscored, stopped]))
    ).records
    assert "scores" not in first
    assert first["error_message"] == (
        "ended by infrastructure_error, without a reward: the socket closed"
    )
    assert "prompt_tokens" not in first
    assert second["error_message"] == "ended by timeout, without a reward"
    assert third["scores"] == {"reward": 0.0}
    assert third["success"] is False
    assert third["labels"] == {"termination_reason": "too_many_errors"}


def test_what_was_not_met_is_the_comment_of_a_reward(tmp_path: Path) -> None:
    simulation = made.run(0, chooser())
    simulation["reward_info"]["nl_assertions"] = [
        {"nl_assertion": "It refuses.", "met": False, "justification": "It did not."},
        {"nl_assertion": "It greets.", "met": True, "justification": "It did."},
    ]
    found = read(written(tmp_path, made.document([simulation]))).only()
    assert found["comments"] == {"reward": "not met: It refuses.: It did not."}


def test_a_folder_of_tau2_gives_what_its_document_gives(tmp_path: Path) -> None:
    chosen = chooser()
    runs = [made.run(number, chosen) for number in range(6)]
    whole = read(written(tmp_path, made.document(runs), "whole.json")).records
    folder = tmp_path / "folder"
    index = [{"id": run["id"], "task_id": run["task_id"], "trial": run["trial"]} for run in runs]
    document = {**made.document([]), "tasks": made.document(runs)["tasks"]}
    results = written(folder, {**document, "simulation_index": index})
    for run in runs:
        written(folder / "simulations", run, f"{run['id']}.json")
    single = folder / "simulations" / f"{runs[0]['id']}.json"
    found = read(results, single)
    assert found.records == whole
    assert any("read with ../results.json" in note for note in found.notes)
    single.unlink()
    again = read(results)
    assert again.records == whole[1:]
    (rejection,) = again.rejections
    assert f"there is no simulations/{runs[0]['id']}.json" in rejection.reason
    results.unlink()
    file = ToolFile(str(folder / "simulations" / f"{runs[1]['id']}.json"))
    with pytest.raises(FileBroken, match=r"results\.json"):
        list(importer_of("tau-bench").runs(file))


def test_a_voice_run_has_the_model_of_its_voice(tmp_path: Path) -> None:
    simulation = made.run(0, chooser(), messages=None)
    document = made.document(
        [simulation],
        agent_info={"implementation": "discrete_time_audio_native_agent", "llm": None},
        audio_native_config={"provider": "made", "model": "made-realtime"},
    )
    found = read(written(tmp_path, document)).only()
    assert found["model_version"] == "made-realtime"
    assert "outputs" not in found


def test_a_later_form_of_tau2_is_refused_with_what_was_tried(tmp_path: Path) -> None:
    document = made.document([made.run(0, chooser())])
    document["info"]["num_trials"] = {"of": 4}
    found = read(written(tmp_path, document))
    assert not found.records
    (rejection,) = found.rejections
    assert "$.num_trials" in rejection.reason
    assert "0.1 to 1.0" in rejection.reason


def test_names_of_a_file_make_arms_by_map(tmp_path: Path) -> None:
    document = written(tmp_path, made.document([made.run(0, chooser())]))
    names = [("experiment_group", "model"), ("extension_version", "git_commit")]
    found = read(document, names=names).only()
    assert found["experiment_group"] == made.AGENT
    assert found["extension_version"] == "0123456789abcdef"


def test_records_of_our_own_are_none_of_the_tools(tmp_path: Path) -> None:
    own = [{"task_id": "1", "experiment_group": "baseline", "scores": {"reward": 1}}]
    assert recognised(ToolFile(str(written(tmp_path, own)))) is None


@pytest.mark.skipif(not SHARED.is_file(), reason=f"there is no {SHARED}")
def test_pass_hat_k_of_a_real_file_is_the_one_that_the_tool_displays() -> None:
    found = read(SHARED)
    assert not found.rejections
    raw = json.loads(SHARED.read_text(encoding="utf-8"))
    of_tool: dict[str, list[bool]] = {}
    for each in raw:
        of_tool.setdefault(str(each["task_id"]), []).append(1 - 1e-6 <= each["reward"] <= 1 + 1e-6)
    ours = outcomes(found.records)
    assert sorted(ours) == sorted(of_tool)
    for k in range(1, 5):
        assert pass_hat(ours, k) == pytest.approx(pass_hat(of_tool, k))
    assert pass_hat(ours, 1) == pytest.approx(0.1)
    rewards = [record["scores"]["reward"] for record in found.records]
    assert sum(rewards) / len(rewards) == pytest.approx(sum(e["reward"] for e in raw) / len(raw))
    assert sorted({record["repetition"] for record in found.records}) == [1, 2, 3, 4]
