"""promptfoo: what is read of its results, held against the numbers that it writes itself."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import servers
from ingest_support import select
from sample_marts import loader
from tool_files import promptfoo as files
from tool_runs import kinds_of, read_tool_files

if TYPE_CHECKING:
    from pathlib import Path

    from tool_runs import ReadFiles

SHARED = servers.SHARED_DATA / "native" / "promptfoo"


def read(*paths: Path, maps: str = "") -> ReadFiles:
    return read_tool_files("promptfoo", *paths, maps=maps)


def hold_against(found: ReadFiles, stats: dict[str, Any]) -> None:
    """Compare with what promptfoo counted."""
    errors = [each for each in found.records if "error_message" in each]
    passed = [each["scores"]["pass"] for each in found.records if "scores" in each]
    assert not found.rejections
    assert len(errors) == stats.get("errors", 0)
    assert sum(passed) == stats["successes"]
    assert len(passed) - sum(passed) == stats["failures"]
    assert found.total("tokens_used") == stats["tokenUsage"]["total"]
    assert found.total("prompt_tokens") == stats["tokenUsage"]["prompt"]
    assert found.total("completion_tokens") == stats["tokenUsage"]["completion"]


def test_counts_and_sums_are_those_that_the_file_states(tmp_path: Path) -> None:
    found = read(files.write_document(tmp_path, 200))
    stats, prompts = files.numbers(200)
    assert stats["errors"]
    assert stats["failures"]
    hold_against(found, stats)
    for prompt in prompts:
        mine = [each for each in found.records if each["model_version"] == prompt["provider"]]
        metrics: Any = prompt["metrics"]
        assert sum(each.get("cost_usd", 0) for each in mine) == pytest.approx(metrics["cost"])
        assert sum(each.get("latency_ms", 0) for each in mine) == metrics["totalLatencyMs"]
        scores = [each["scores"] for each in mine if "scores" in each]
        assert sum(each["score"] for each in scores) == pytest.approx(metrics["score"])
        for name, total in metrics["namedScores"].items():
            assert sum(each[name] for each in scores) == pytest.approx(total)


def test_a_result_becomes_a_record_field_by_field(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["shareableUrl"] = "https://example.org/eval/1"
        result = document["results"]["results"][0]
        result["response"]["tokenUsage"]["completionDetails"] = {"reasoning": 4}
        result["response"]["finishReason"] = "stop"

    found = read(files.write_changed(tmp_path, change, seed=3))
    record = found.records[0]
    [result] = list(files.results(4, 3))[:1]
    del record["reference_outputs"]
    assert record.pop("task_id").startswith("asks of city 0 #")
    scores = {name: result["namedScores"][name] for name in ("tone", "length")}
    assert record == {
        "experiment_id": "Cities",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "source_run_id": f"{files.EVAL_ID}/0/1",
        "repetition": 1,
        "recorded_at": "2026-03-02T09:15:00.120Z",
        "model_version": "acme:chat:large",
        "trace_url": "https://example.org/eval/1",
        "scores": {"score": result["score"], "pass": True, **scores},
        "comments": {"tone": f"kind enough: {scores['tone']}", "length": "Assertion passed"},
        "evaluator_versions": {"tone": "acme:judge"},
        "latency_ms": 100,
        "tokens_used": 30,
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "reasoning_tokens": 4,
        "cost_usd": 0.002,
        "success": True,
        "inputs": {"prompt": "Answer City 0 in one word", "vars": result["vars"]},
        "outputs": "City 0!",
        "metadata": {
            "category": "north",
            "description": "asks of city 0",
            "test_index": 0,
            "finish_reason": "stop",
            "assertions": [
                {"type": "llm-rubric", "passed": True, "score": scores["tone"]},
                {"type": "javascript", "passed": True, "score": scores["length"]},
                {"type": "contains", "passed": True, "score": 1},
            ],
        },
    }


def test_an_error_is_a_run_without_scores_and_a_failed_assertion_is_a_low_score(
    tmp_path: Path,
) -> None:
    found = read(files.write_document(tmp_path, 60))
    errors = [each for each in found.records if "error_message" in each]
    assert {each["error_message"] for each in errors} == {"timed out"}
    assert not any("scores" in each or each["success"] or "cost_usd" in each for each in errors)
    failed = [each for each in found.records if each.get("scores", {}).get("pass") is False]
    assert failed
    assert all(each["success"] and "error_message" not in each for each in failed)
    assert {each["comments"]["score"] for each in failed} == {"Expected output to contain City"}


def test_a_task_is_named_alike_in_every_arm_and_wherever_its_test_stands(tmp_path: Path) -> None:
    before = read(files.write_document(tmp_path, 40))
    by_arm: dict[str, list[str]] = {}
    for each in before.records:
        by_arm.setdefault(each["model_version"], []).append(each["task_id"])
    first, second = by_arm.values()
    assert Counter(first) == Counter(second)
    assert set(Counter(first).values()) == {2}

    def turn_round(document: dict[str, Any]) -> None:
        results = document["results"]["results"]
        results.reverse()
        for number, result in enumerate(results):
            result["testIdx"] = number // 2
            for held in (result["vars"], result["testCase"]["vars"]):
                held |= dict(reversed(held.items()))

    after = read(files.write_changed(tmp_path, turn_round, 40))
    assert {each["task_id"] for each in after.records} == {
        each["task_id"] for each in before.records
    }


def test_tests_are_told_apart_by_variables_and_by_description(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for number, result in enumerate(document["results"]["results"]):
            result["testCase"]["vars"] = {"city": "Oslo", "sessionId": str(number)}
            result["testCase"]["description"] = ["one", "one", "two", ""][number]

    found = read(files.write_changed(tmp_path, change))
    one, again, two, unnamed = (each["task_id"] for each in found.records)
    assert one == again != two
    assert one.split("#")[1] == two.split("#")[1] == unnamed.split("#")[1]
    assert unnamed.startswith("city=Oslo #")


def test_variables_left_out_of_the_file_leave_the_number_of_the_test(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for result in document["results"]["results"]:
            del result["testCase"]["vars"]
            result["testCase"].pop("description")
            result["vars"] = {}

    found = read(files.write_changed(tmp_path, change))
    assert [each["task_id"] for each in found.records] == ["test 0", "test 0", "test 1", "test 1"]


def test_repeated_tests_are_repetitions_of_one_task(tmp_path: Path) -> None:
    found = read(files.write_document(tmp_path, 40))
    runs = Counter(
        (each["task_id"], each["model_version"], each["repetition"]) for each in found.records
    )
    assert set(runs.values()) == {1}
    assert Counter(repetition for _, _, repetition in runs) == {1: 20, 2: 20}
    assert len({each["source_run_id"] for each in found.records}) == 40


def test_providers_and_prompts_are_names_for_arms(tmp_path: Path) -> None:
    path = files.write_document(tmp_path, 8)
    for name, arms in {
        "provider": {"acme:chat:small", "acme:chat:large"},
        "label": {"acme:chat:small", "big"},
        "prompt": {"Answer {{city}} in one word"},
        "column": {
            f"{label}, Answer {{{{city}}}} in one word" for label in (files.PROVIDERS[0], "big")
        },
        "promptId": {"p1"},
        "evalId": {files.EVAL_ID},
        "description": {"Cities"},
        "tags": {"team=maps, branch=main"},
        "file": {"results.json"},
    }.items():
        found = read(path, maps=f"experiment_group={name}")
        assert {each["experiment_group"] for each in found.records} == arms


def test_a_prompt_without_a_label_is_named_by_its_beginning_and_a_digest(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for number, result in enumerate(document["results"]["results"]):
            result["prompt"]["label"] = f"You are kind.\n\n{'Answer at length. ' * 9}{number % 2}"

    path = files.write_changed(tmp_path, change)
    arms = {each["experiment_group"] for each in read(path, maps="experiment_group=prompt").records}
    assert len(arms) == 2
    assert all(arm.startswith("You are kind. Answer at length.") for arm in arms)
    assert all(len(arm) < 80 for arm in arms)


def test_lines_give_the_runs_of_the_document(tmp_path: Path) -> None:
    whole = read(files.write_document(tmp_path, 40))
    lines = read(files.write_lines(tmp_path, 40))
    told_by_document = {"experiment_id", "source_run_id", "repetition", "recorded_at"}
    for one, other in zip(whole.records, lines.records, strict=True):
        assert {k: v for k, v in one.items() if k not in told_by_document} == {
            k: v for k, v in other.items() if k not in told_by_document
        }


def test_lines_that_name_no_evaluation_are_counted(tmp_path: Path) -> None:
    found = read(files.write_lines(tmp_path, 40))
    assert any("the file does not name its evaluation" in note for note in found.notes)
    assert not any({"source_run_id", "repetition"} & each.keys() for each in found.records)


def test_lines_that_name_their_evaluation_are_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    named = [{**each, "evaluationId": files.EVAL_ID} for each in files.results(4)]
    path.write_text("".join(json.dumps(each) + "\n" for each in named))
    whole = read(files.write_document(tmp_path, 4))
    found = read(path)
    assert [each["source_run_id"] for each in found.records] == [
        each["source_run_id"] for each in whole.records
    ]
    assert {each["recorded_at"] for each in found.records} == {"2026-03-02T09:15:00"}
    assert not any("do not name" in note for note in found.notes)


def test_a_broken_line_is_rejected_alone(tmp_path: Path) -> None:
    path = files.write_lines(tmp_path, 4)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-40], *lines[2:]]))
    found = read(path)
    assert len(found.records) == 3
    [(number, rejection)] = found.rejections
    assert (number, rejection.reason_code) == (2, "invalid_json")


@pytest.mark.parametrize("only_table", [False, True])
def test_version_2_is_read_from_its_results_or_its_table(
    tmp_path: Path, *, only_table: bool
) -> None:
    path = files.write_old(tmp_path, 80, only_table=only_table)
    stats, _ = files.numbers(80)
    found = read(path)
    hold_against(found, stats)
    newer = read(files.write_document(tmp_path, 80))
    for name in ("score", "pass", "tone", "length"):
        assert found.mean(name) == pytest.approx(newer.mean(name))
    assert len({each["source_run_id"] for each in found.records}) == 80
    assert Counter(each["repetition"] for each in found.records) == {1: 40, 2: 40}
    assert found.total("cost_usd") == pytest.approx(newer.total("cost_usd"))
    answers = {each["outputs"] for each in found.records if "scores" in each}
    assert answers == {each["outputs"] for each in newer.records if "scores" in each}
    assert Counter(each["task_id"] for each in found.records) == Counter(
        each["task_id"] for each in newer.records
    )


def test_tests_of_version_2_that_ask_the_same_are_named_by_what_they_ask(tmp_path: Path) -> None:
    path = files.write_old(tmp_path, 4)
    document = json.loads(path.read_text())
    rows = document["results"]["table"]["body"]
    rows[1]["test"]["description"] = rows[1]["description"] = "another test of the same"
    path.write_text(json.dumps(document))
    assert {each["task_id"].split(" #")[0] for each in read(path).records} == {
        "city=City 0, hint=in country 0"
    }


def test_a_summary_without_its_document_is_read(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document |= document.pop("results")
        for name in ("evalId", "config", "shareableUrl", "metadata"):
            del document[name]

    found = read(files.write_changed(tmp_path, change))
    assert len(found.records) == 4
    assert {each["experiment_id"] for each in found.records} == {"promptfoo"}


def test_a_version_that_is_not_known_is_refused_with_what_is_known(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["results"]["version"] = 9

    found = read(files.write_changed(tmp_path, change))
    [(_, rejection)] = found.rejections
    assert not found.records
    assert rejection.reason_code == "unknown_version"
    assert "results.version is 9, and versions 1 to 4 are known" in rejection.reason


def test_a_document_that_breaks_off_or_is_otherwise_loads_nothing(tmp_path: Path) -> None:
    path = files.write_document(tmp_path, 40)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    found = read(path)
    assert not found.records
    assert "breaks off" in found.rejections[0][1].reason

    def change(document: dict[str, Any]) -> None:
        document["config"] = {"description": ["a", "list"]}

    found = read(files.write_changed(tmp_path, change))
    assert not found.records
    assert "$.config.description" in found.rejections[0][1].reason


def test_what_promptfoo_writes_as_0_where_it_knows_nothing_is_absent(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for number, result in enumerate(document["results"]["results"]):
            result["response"].pop("cost", None)
            result["cost"] = result["latencyMs"] = 0
            if number == 0:
                result["response"]["cost"] = 0  # said by the provider: it was for nothing

    found = read(files.write_changed(tmp_path, change, seed=3))
    assert "latency_ms" not in found.records[0]
    assert [each.get("cost_usd") for each in found.records] == [0, None, None, None]


def test_null_scores_and_scores_off_the_scale_are_kept_apart_from_0(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        first, second, *_ = document["results"]["results"]
        first["namedScores"] = {"tone": None, "length": 12.5}
        second["score"] = None

    found = read(files.write_changed(tmp_path, change, seed=3))
    assert found.records[0]["scores"]["tone"] is None
    assert found.records[0]["scores"]["length"] == 12.5
    assert "score" not in found.records[1]["scores"]


def test_a_metric_that_is_called_as_the_whole_test_is_keeps_its_own_name(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for result in document["results"]["results"]:
            result["namedScores"] = {"score": 0.125}

    found = read(files.write_changed(tmp_path, change, seed=3))
    record = found.records[0]
    assert record["scores"]["score (metric)"] == 0.125
    assert record["scores"]["score"] == next(iter(files.results(4, 3)))["score"]


def test_a_metric_without_a_named_score_is_the_mean_of_its_assertions(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        result = document["results"]["results"][0]
        result["namedScores"] = {}
        first, second, third = result["gradingResult"]["componentResults"]
        first["score"], second["score"], third["pass"] = 1, 0.5, False
        second["assertion"]["metric"] = third["assertion"]["metric"] = "tone"
        third["score"], third["reason"] = 0, "no city"
        first["assertion"]["provider"] = {"id": "acme:judge-2", "config": {}}

    found = read(files.write_changed(tmp_path, change, seed=3))
    record = found.records[0]
    assert record["scores"]["tone"] == 0.5
    assert record["comments"]["tone"] == "no city"
    assert record["evaluator_versions"] == {"tone": "acme:judge-2"}


def test_what_a_person_rated_is_said_by_that_person_and_the_assertions_keep_theirs(
    tmp_path: Path,
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["metadata"]["author"] = "kim@example.org"
        result = document["results"]["results"][0]
        result["success"], result["score"] = False, 0
        grading = result["gradingResult"]
        grading["pass"], grading["score"], grading["comment"] = False, 0, "too short"
        for component, score in zip(grading["componentResults"], (1, 0.5, 0), strict=True):
            component["score"] = score
        grading["componentResults"][0]["assertion"]["weight"] = 2
        human = {"type": "human"}
        grading["componentResults"].append(
            {"pass": False, "score": 0, "reason": "Manual result", "assertion": human}
        )

    found = read(files.write_changed(tmp_path, change, seed=3))
    record = found.records[0]
    assert record["scores"]["score"] == pytest.approx((2 + 0.5 + 0) / 4)
    assert record["scores"]["pass"] is True
    said = {text.key: (text.score, text.author, text.reason) for text in found.source.said()}
    assert said == {
        "score": (0, "kim@example.org", "too short"),
        "pass": (0, "kim@example.org", "too short"),
    }


def test_a_rating_of_a_run_that_nothing_names_is_left_out_and_said(tmp_path: Path) -> None:
    [result] = files.results(1, 3)
    human = {"pass": False, "score": 0, "reason": "Manual result", "assertion": {"type": "human"}}
    result["gradingResult"]["componentResults"].append(human)
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(result) + "\n", encoding="utf-8")
    found = read(path)
    assert len(found.records) == 1
    assert found.source.said() == []
    assert "1 rating of people left out; export the evaluation" in str(found.notes)


def test_graders_that_failed_are_said(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        for result in document["results"]["results"][:2]:
            result["gradingResult"]["componentResults"][0]["metadata"] = {"graderError": True}

    found = read(files.write_changed(tmp_path, change, seed=3))
    assert any("2 assertions whose grader failed" in note for note in found.notes)


def test_other_documents_are_not_taken_for_promptfoo(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for text in (
        '{"results": {"acc": 0.5}, "version": 1}',
        '{"results": {"results": [], "timestamp": null}}',
        '[{"success": true, "score": 1, "namedScores": {}, "latencyMs": 1, "promptIdx": 0}]',
        '{"task_id": "t", "scores": {}, "success": true}',
    ):
        path.write_text(text)
        assert kinds_of(path) == [], text


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_results_of_a_public_repository_give_the_numbers_that_they_state() -> None:
    path = SHARED / "results.json"
    found = read(path)
    results = json.loads(path.read_text())["results"]
    hold_against(found, results["stats"])
    [prompt] = results["prompts"]
    assert found.total("latency_ms") == prompt["metrics"]["totalLatencyMs"]
    assert found.total("cost_usd") == pytest.approx(prompt["metrics"]["cost"])


def test_arms_load_once_and_a_result_that_was_judged_anew_is_a_new_version(
    database_url: str, tmp_path: Path
) -> None:
    def judge_anew(document: dict[str, Any]) -> None:
        result = document["results"]["results"][0]
        result["namedScores"]["tone"] = 0.0625

    command = (
        "ingest", tmp_path, "--map", "experiment_group=provider",
        "--control", files.PROVIDERS[0], "--treatment", files.PROVIDERS[1],
    )  # fmt: skip
    files.write_document(tmp_path, 40, seed=3)
    assert "loaded 40 · unchanged 0 · rejected 0" in loader(database_url, *command).stdout
    again = loader(database_url, *command, "--again")
    assert "loaded 0 · unchanged 40 · rejected 0" in again.stdout
    files.write_changed(tmp_path, judge_anew, 40, seed=3)
    assert "loaded 1 · unchanged 39 · rejected 0" in loader(database_url, *command).stdout
    stats, _ = files.numbers(40, 3)
    assert select(
        database_url,
        "select experiment_group, count(*), count(distinct task_id), max(run_version)"
        " from raw_evals.evaluation_runs where run_version = 1 group by 1 order by 1",
    ) == [(provider, 20, 10, 1) for provider in sorted(files.PROVIDERS)]
    assert select(
        database_url,
        "select count(error_message), count(*) filter (where (scores->>'pass')::float = 1)"
        " from raw_evals.evaluation_runs where run_version = 1",
    ) == [(stats["errors"], stats["successes"])]


def test_what_a_person_rated_is_stored_with_who_and_why(database_url: str, tmp_path: Path) -> None:
    def rate(document: dict[str, Any]) -> None:
        document["metadata"]["author"] = "kim@example.org"
        grading = document["results"]["results"][0]["gradingResult"]
        grading["comment"] = "too short"
        human = {"type": "human"}
        grading["componentResults"].append(
            {"pass": False, "score": 0, "reason": "Manual result", "assertion": human}
        )

    path = files.write_changed(tmp_path, rate, seed=3)
    loader(database_url, "ingest", path, "--experiment-group", "baseline")
    assert select(
        database_url,
        "select evaluator_key, score, author, reason from raw_evals.annotations order by 1",
    ) == [(key, 0, "kim@example.org", "too short") for key in ("pass", "score")]
