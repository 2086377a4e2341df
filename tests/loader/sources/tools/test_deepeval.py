"""DeepEval: test runs in every form that is written of them, held against their own counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import servers
from ingest_support import select
from sample_marts import loader
from tool_files import deepeval as files
from tool_runs import kinds_of, read_tool_files

if TYPE_CHECKING:
    from pathlib import Path

    from tool_runs import ReadFiles

SHARED = servers.SHARED_DATA / "native" / "made" / "deepeval_test_run.json"


def read(*paths: Path, maps: str = "") -> ReadFiles:
    return read_tool_files("deepeval", *paths, maps=maps)


def read_document(folder: Path, document: object, name: str = "run.json") -> ReadFiles:
    path = folder / name
    path.write_text(json.dumps(document))
    return read(path)


def read_case(folder: Path, **fields: object) -> dict[str, Any]:
    """Read a test run of one test case, whose fields these are."""
    found = files.document(1, seed=3)
    found["testCases"][0] |= fields
    [record] = read_document(folder, found).records
    return record


def hold_against(found: ReadFiles, document: dict[str, Any]) -> None:
    """Compare with what DeepEval counted."""
    assert not found.rejections
    for each in document["metricsScores"]:
        name = each["metric"]
        scores = [record["scores"].get(name) for record in found.records]
        assert [score for score in scores if score is not None] == each["scores"]
        assert scores.count(None) == each["errors"]
    judged = [record["scores"].get("pass") for record in found.records]
    assert judged.count(1) == document["testPassed"]
    assert judged.count(0) + judged.count(None) == document["testFailed"]


def test_scores_and_counts_are_those_that_the_file_states(tmp_path: Path) -> None:
    path = files.write_document(tmp_path, 300)
    found = read(path)
    document = json.loads(path.read_text())
    assert all(each["errors"] == 0 or each["scores"] for each in document["metricsScores"])
    hold_against(found, document)


def test_a_test_case_becomes_a_record_field_by_field(tmp_path: Path) -> None:
    found = files.document(1, seed=3)
    [case] = found["testCases"]
    relevancy, correctness = (each["score"] for each in case["metricsData"])
    case |= {"tags": ["geo"], "metadata": {"split": "dev", "deep": {"a": 1}}, "comments": "short"}
    case["trace"] = {"startTime": "2026-03-02T09:15:00.000Z", "status": "SUCCESS"}
    [record] = read_document(tmp_path, found).records
    assert record.pop("task_id").startswith("What is the capital of country 0? #")
    assert record.pop("source_run_id").endswith("/case/0")
    assert record == {
        "experiment_id": "capitals",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "model_version": "acme-small",
        "repetition": 1,
        "recorded_at": "2026-03-02T09:15:00.000Z",
        "inputs": "What is the capital of country 0?",
        "outputs": {"text": "City 0", "retrieval_context": ["Country 0 has a capital."]},
        "reference_outputs": "Town 0",
        "prompt_tokens": 20,
        "completion_tokens": 3,
        "cost_usd": 0.002,
        "latency_ms": 1500.0,
        "measurements": {"evaluation_seconds": 0.25, "evaluation_cost_usd": 0.002},
        "success": True,
        "scores": {
            "pass": float(case["success"]),
            "Answer Relevancy": relevancy,
            "Correctness [GEval]": correctness,
        },
        "comments": {
            "Answer Relevancy": f"{relevancy}: as it should be",
            "Correctness [GEval]": f"{correctness}: as it should be",
        },
        "evaluator_versions": {
            "Answer Relevancy": files.JUDGE,
            "Correctness [GEval]": files.JUDGE,
        },
        "metadata": {
            "split": "dev",
            "name": "test_case_0",
            "tags": ["geo"],
            "comments": "short",
            "trace_status": "SUCCESS",
            "thresholds": {"Answer Relevancy": 0.5, "Correctness [GEval]": 0.5},
        },
    }


def test_a_metric_that_failed_leaves_its_score_absent_and_is_said(tmp_path: Path) -> None:
    found = files.document(3, seed=3)
    for number, case in enumerate(found["testCases"]):
        case["metricsData"] = [
            files.metric("Answer Relevancy", [0.9, 0.1, 0.9][number]),
            files.metric("Faithfulness", [None, None, 0.9][number]),
        ]
        case["success"] = number == 2
    read_ = read_document(tmp_path, found)
    unknown, failed, passed = read_.records
    assert unknown["scores"] == {"Answer Relevancy": 0.9}, "whether it passes is not known"
    assert failed["scores"] == {"Answer Relevancy": 0.1, "pass": 0}, "it fails in any case"
    assert passed["scores"] == {"Answer Relevancy": 0.9, "Faithfulness": 0.9, "pass": 1}
    assert unknown["success"]
    assert "error_message" not in unknown
    assert unknown["metadata"]["metric_errors"] == [
        "Faithfulness: TimeoutError: the judge gave no answer"
    ]
    [note] = [note for note in read_.notes if "absent" in note]
    assert "2 scores absent where a metric failed: Faithfulness: TimeoutError" in note


def test_a_flaky_metric_does_not_decide_whether_a_test_case_passes(tmp_path: Path) -> None:
    metrics = [files.metric("Relevancy", 0.9), {**files.metric("Tone", None), "flaky": True}]
    record = read_case(tmp_path, metricsData=metrics, success=True)
    assert record["scores"] == {"pass": 1, "Relevancy": 0.9}


def test_a_metric_without_a_threshold_has_a_score_and_no_verdict(tmp_path: Path) -> None:
    metrics = [{"name": "Length", "score": 41.5}]
    record = read_case(tmp_path, metricsData=metrics, success=None)
    assert record["scores"] == {"Length": 41.5}


def test_metrics_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    metrics = [files.metric("Tone", 0.9), files.metric("Tone", 0.2), files.metric("pass", 0.6)]
    record = read_case(tmp_path, metricsData=metrics, success=False)
    assert record["scores"] == {"pass": 0, "Tone": 0.9, "Tone (2)": 0.2, "pass (metric)": 0.6}


def test_metrics_of_spans_are_scores_named_by_their_span(tmp_path: Path) -> None:
    spans = {"name": "search", "metricsData": [files.metric("Precision", 0.75)]}
    trace = {"retrieverSpans": [spans], "agentSpans": [{"name": "plan"}], "status": "SUCCESS"}
    record = read_case(tmp_path, metricsData=[], success=True, trace=trace)
    assert record["scores"] == {"pass": 1, "search/Precision": 0.75}
    assert record["evaluator_versions"] == {"search/Precision": files.JUDGE}


def test_a_trace_that_ended_with_an_error_before_any_score_is_an_error(tmp_path: Path) -> None:
    record = read_case(tmp_path, metricsData=[], success=None, trace={"status": "ERRORED"})
    assert record["success"] is False
    assert record["error_message"]
    assert "scores" not in record


def test_a_conversation_is_a_run_of_its_scenario(tmp_path: Path) -> None:
    found = files.document(1)
    found["conversationalTestCases"] = [files.conversation(number) for number in range(2)]
    _, first, second = read_document(tmp_path, found).records
    assert first["task_id"].startswith("somebody greets for the 0th time #")
    assert first["scores"] == {"pass": 1, "Role Adherence": 0.75}
    assert first["inputs"] == "somebody greets for the 0th time"
    assert first["reference_outputs"] == "is greeted"
    assert first["outputs"] == [
        {"role": "user", "content": "hello 0"},
        {"role": "assistant", "content": "good day"},
    ]
    assert first["source_run_id"].endswith("/conversation/0")
    assert first["task_id"] != second["task_id"]


def test_a_conversation_without_a_scenario_is_named_by_what_its_user_said(tmp_path: Path) -> None:
    found = files.document(0)
    one, other = (files.conversation(1) for _ in range(2))
    other["turns"][1]["content"] = "another answer"
    for case in (one, other):
        del case["scenario"]
    found["conversationalTestCases"] = [one, other]
    first, second = read_document(tmp_path, found).records
    assert first["task_id"] == second["task_id"]
    assert (first["repetition"], second["repetition"]) == (1, 2)


def test_a_task_is_named_by_its_input_wherever_it_stands_and_by_a_name_that_was_given(
    tmp_path: Path,
) -> None:
    found = files.document(6)
    before = read_document(tmp_path, found)
    found["testCases"].reverse()
    for number, case in enumerate(found["testCases"]):
        case["name"], case["order"] = f"test_case_{number}", number
    after = read_document(tmp_path, found)
    assert [each["task_id"] for each in after.records] == [
        each["task_id"] for each in reversed(before.records)
    ]
    named = read_case(tmp_path, name="capital of the North")
    assert named["task_id"].startswith("capital of the North #")
    of_pytest = read_case(tmp_path, name="test_answers[test_case3]")
    assert of_pytest["task_id"] == before.records[0]["task_id"]


def test_what_wraps_a_test_run_gives_the_same_runs(tmp_path: Path) -> None:
    found = files.document(8)
    plain = read_document(tmp_path, found)
    wrapped = read_document(tmp_path, {"testRunData": found}, ".latest_test_run.json")
    assert wrapped.records == plain.records


def test_what_evaluate_returned_gives_the_same_scores(tmp_path: Path) -> None:
    found = files.document(60)
    plain = read_document(tmp_path, found)
    returned = files.returned(found)
    for dumped in (returned, returned["test_results"]):
        object_ = read_document(tmp_path, dumped)
        hold_against(object_, found)
        for one, other in zip(plain.records, object_.records, strict=True):
            for name in ("task_id", "scores", "comments", "evaluator_versions", "inputs"):
                assert one[name] == other[name]
            assert one["outputs"] == other["outputs"]
        assert not any("source_run_id" in each for each in object_.records)


def test_a_test_run_dumped_in_snake_case_is_read(tmp_path: Path) -> None:
    found = files.document(8)
    snake = files.returned(found)
    document = {
        "test_file": "test_answers.py",
        "test_cases": snake["test_results"],
        "metrics_scores": [],
        "hyperparameters": found["hyperparameters"],
        "dataset_alias": "capitals",
    }
    records = read_document(tmp_path, document).records
    assert len(records) == 8
    assert {each["model_version"] for each in records} == {"acme-small"}
    assert {each["experiment_id"] for each in records} == {"capitals"}


def test_a_test_run_of_the_first_versions_is_read(tmp_path: Path) -> None:
    case = {
        "name": "test_answers", "input": "q", "actualOutput": "a", "success": True,
        "metricsMetadata": [{"metric": "Factual", "score": 0.75, "minimumScore": 0.5}],
        "runDuration": 0.5,
    }  # fmt: skip
    scores = [{"metric": "Factual", "score": 0.75}]
    document = {
        "testFile": "test_a.py", "testCases": [case], "metricScores": scores,
        "configurations": {"model": "acme-0"},
    }  # fmt: skip
    [record] = read_document(tmp_path, document).records
    assert record["scores"] == {"pass": 1, "Factual": 0.75}
    assert record["model_version"] == "acme-0"


def test_two_test_runs_never_share_a_run_and_one_is_itself_again(tmp_path: Path) -> None:
    found = files.document(4)
    first = read_document(tmp_path, found, "one.json")
    moved = read_document(tmp_path, found, "two.json")
    found["runDuration"] += 0.5
    second = read_document(tmp_path, found, "one.json")
    runs = [{each["source_run_id"] for each in each_.records} for each_ in (first, moved, second)]
    assert runs[0] == runs[1]
    assert not runs[0] & runs[2]
    assert not any("nothing names" in note for note in first.notes)


def test_the_runs_of_a_test_run_that_did_not_end_are_counted_and_it_says_so(
    tmp_path: Path,
) -> None:
    found = files.document(4)
    found["runDuration"] = 0.0  # as while it runs
    first = read_document(tmp_path, found)
    assert not any({"source_run_id", "repetition"} & each.keys() for each in first.records)
    assert any("nothing names the test run" in note for note in first.notes)


def test_names_for_arms_are_those_of_the_test_run(tmp_path: Path) -> None:
    path = files.write_document(tmp_path, 3)
    for name, arm in {
        "model": "acme-small",
        "hyperparameters.prompt": "v3",
        "identifier": "nightly",
        "test_file": "test_answers.py",
        "dataset": "capitals",
        "file": path.name,
    }.items():
        found = read(path, maps=f"experiment_group={name}")
        assert {each["experiment_group"] for each in found.records} == {arm}


def test_a_link_alone_is_refused_with_where_the_results_are(tmp_path: Path) -> None:
    found = read_document(tmp_path, {"testRunLink": "https://example.org/1"})
    [(_, rejection)] = found.rejections
    assert rejection.reason_code == "no_results"
    assert ".latest_run_full.json" in rejection.reason


def test_a_test_run_that_breaks_off_loads_nothing(tmp_path: Path) -> None:
    path = files.write_document(tmp_path, 40)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    found = read(path)
    assert not found.records
    assert "breaks off" in found.rejections[0][1].reason


def test_a_test_case_of_another_form_is_rejected_alone(tmp_path: Path) -> None:
    found = files.document(3)
    found["testCases"][1]["metricsData"][0]["score"] = "high"
    read_ = read_document(tmp_path, found)
    assert len(read_.records) == 2
    [(number, rejection)] = read_.rejections
    assert number == 2
    assert "$.metricsData[0].score" in rejection.reason
    snake = files.returned(files.document(3))
    snake["test_results"][2]["metrics_data"][0]["score"] = "high"
    read_ = read_document(tmp_path, snake)
    assert [number for number, _ in read_.rejections] == [3]
    found = files.document(3)
    found["hyperparameters"] = ["a"]
    read_ = read_document(tmp_path, found)
    assert not read_.records
    assert "$.hyperparameters" in read_.rejections[0][1].reason


def test_numbers_that_are_none_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    text = json.dumps(files.document(2, seed=3))
    path.write_text(text.replace('"score": 0.', '"score": NaN, "was": 0.', 1))
    found = read(path)
    assert "Answer Relevancy" not in found.records[0]["scores"]
    assert any("NaN or infinite" in note for note in found.notes)


def test_other_documents_are_not_taken_for_a_test_run(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"
    for text in (
        '{"test_cases_lookup_map": {}}',
        '{"testCases": [{"name": "a"}]}',
        '[{"name": "a", "success": true}]',
    ):
        path.write_text(text)
        assert kinds_of(path) == []


@pytest.mark.skipif(not SHARED.is_file(), reason="../shared/data is not here")
def test_the_test_run_that_was_made_by_hand_gives_its_scores() -> None:
    [record] = read(SHARED).records
    assert record["scores"] == {"pass": 1, "Answer Relevancy": 0.91, "Faithfulness": 0.2}
    assert record["measurements"]["evaluation_cost_usd"] == pytest.approx(0.0039)


def test_two_test_runs_are_two_arms_of_the_same_tasks(database_url: str, tmp_path: Path) -> None:
    for prompt, seed in (("v3", 1), ("v4", 2)):
        found = files.document(30, seed=seed)
        found["hyperparameters"]["prompt"] = prompt
        (tmp_path / f"{prompt}.json").write_text(json.dumps(found))
    command = (
        "ingest", tmp_path, "--map", "experiment_group=hyperparameters.prompt",
        "--control", "v3", "--treatment", "v4",
    )  # fmt: skip
    assert "loaded 60 · unchanged 0 · rejected 0" in loader(database_url, *command).stdout
    again = loader(database_url, *command, "--again")
    assert "loaded 0 · unchanged 60 · rejected 0" in again.stdout
    assert select(
        database_url,
        "select experiment_group, experiment_id, count(*) from raw_evals.evaluation_runs"
        " group by 1, 2 order by 1",
    ) == [("v3", "capitals", 30), ("v4", "capitals", 30)]
    assert select(
        database_url, "select count(distinct task_id) from raw_evals.evaluation_runs"
    ) == [(30,)]
