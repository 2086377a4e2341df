"""SWE-bench: reports, what lies around them, and the benchmark's own rate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent_runs import read
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import recognised
from servers import SHARED_DATA
from tool_files import swe_bench as made

if TYPE_CHECKING:
    from pathlib import Path

SHARED = SHARED_DATA / "native" / "swebench" / "results.json"
FOUR = {
    "a__b-1": "resolved",
    "a__b-2": "unresolved",
    "a__b-3": "empty_patch",
    "a__b-4": "error",
}


def written(path: Path, content: Any) -> Path:  # noqa: ANN401
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def by_task(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {record["task_id"]: record for record in records}
    assert len(found) == len(records)
    return found


def test_a_report_becomes_a_run_for_each_instance_that_was_tried(tmp_path: Path) -> None:
    path = written(tmp_path / f"{made.STEM}.json", made.report(FOUR, missing=6))
    found = read(path)
    runs = by_task(found.records)
    assert runs["a__b-1"] == {
        "experiment_id": "swe-bench",
        "task_id": "a__b-1",
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "source_run_id": f"{made.STEM}/a__b-1",
        "scores": {"resolved": 1.0},
        "success": True,
        "labels": {"outcome": "resolved"},
        "metadata": {"category": "a/b"},
    }
    assert [run["scores"]["resolved"] for _, run in sorted(runs.items())] == [1, 0, 0, 0]
    assert [run["labels"]["outcome"] for _, run in sorted(runs.items())] == [*FOUR.values()]
    assert [run.get("success") for _, run in sorted(runs.items())] == [True, False, False, None]
    assert "the patch does not apply" in runs["a__b-4"]["error_message"]
    (plan,) = found.source.plans()
    assert (plan.planned_tasks, plan.planned_repetitions) == (10, None)


def test_the_mean_is_the_rate_of_the_benchmark_for_what_was_submitted(tmp_path: Path) -> None:
    path, _ = made.write(tmp_path, 200)
    report = json.loads(path.read_text(encoding="utf-8"))
    records = read(path).records
    resolved = sum(record["scores"]["resolved"] for record in records)
    assert len(records) == report["submitted_instances"]
    assert resolved == report["resolved_instances"]
    assert sum("error_message" in record for record in records) == report["error_instances"]


def test_predictions_beside_a_report_give_model_and_patch_and_are_no_error(tmp_path: Path) -> None:
    paths = made.write(tmp_path, 30)
    found = read(*paths)
    assert not found.rejections
    assert len(found.records) == 30
    for record in found.records:
        assert record["model_version"] == made.MODEL
        is_empty = record["labels"]["outcome"] == "empty_patch"
        assert ("outputs" in record) is not is_empty
        assert is_empty or record["task_id"] in record["outputs"]
    assert any(f"read with {made.STEM}.json" in note for note in found.notes)


@pytest.mark.parametrize("form", ["list", "object"])
def test_predictions_may_be_a_list_or_an_object(tmp_path: Path, form: str) -> None:
    predictions = [made.prediction(name, outcome) for name, outcome in FOUR.items()]
    content: Any = predictions
    if form == "object":
        content = {each["instance_id"]: each for each in predictions}
    written(tmp_path / "preds.json", content)
    report = written(tmp_path / f"{made.STEM}.json", made.report(FOUR))
    runs = by_task(read(report, tmp_path / "preds.json").records)
    assert "a__b-1" in runs["a__b-1"]["outputs"]


def test_predictions_of_another_model_are_not_taken_for_a_reports(tmp_path: Path) -> None:
    made.write(tmp_path, 4)
    other = written(tmp_path / "other.second.json", made.report(FOUR))
    assert not any("model_version" in record for record in read(other).records)


def test_predictions_alone_are_refused_for_they_have_no_results(tmp_path: Path) -> None:
    report, predictions = made.write(tmp_path, 4)
    report.unlink()
    found = read(predictions)
    assert not found.records
    (rejection,) = found.rejections
    assert rejection.reason_code == "no_results"
    assert "run the harness" in rejection.reason


def test_single_reports_give_their_report_the_numbers_of_tests(tmp_path: Path) -> None:
    report = written(tmp_path / f"{made.STEM}.json", made.report(FOUR))
    folder = tmp_path / "logs" / "run_evaluation" / made.RUN_ID / "made__model-1.5"
    resolved = written(folder / "a__b-1" / "report.json", made.single("a__b-1", is_resolved=True))
    written(
        folder / "a__b-2" / "report.json",
        made.single("a__b-2", is_resolved=False, is_applied=False),
    )
    found = read(report, resolved)
    runs = by_task(found.records)
    assert runs["a__b-1"]["measurements"] == {
        "fail_to_pass_passed": 1,
        "fail_to_pass_failed": 1,
        "pass_to_pass_passed": 2,
        "pass_to_pass_failed": 0,
    }
    assert runs["a__b-2"]["labels"] == {"outcome": "no_apply"}
    assert runs["a__b-2"]["measurements"]["fail_to_pass_passed"] == 0
    assert "measurements" not in runs["a__b-3"]
    report.unlink()
    alone = read(resolved).only()
    assert alone == runs["a__b-1"]


def test_a_collection_of_results_is_read_with_its_predictions_and_logs(tmp_path: Path) -> None:
    folder = tmp_path / "verified" / "20240402_made"
    lists = {"no_generation": ["a__b-3"], "no_logs": ["a__b-4"], "resolved": ["a__b-1"]}
    report = written(folder / "results" / "results.json", lists)
    found = read(report)
    assert not found.records
    assert "all_preds.jsonl" in found.rejections[0].reason
    lines = [json.dumps(made.prediction(name, outcome)) for name, outcome in FOUR.items()]
    predictions = written(folder / "all_preds.jsonl", "\n".join([*lines, lines[1]]))
    single = written(
        folder / "logs" / "a__b-1" / "report.json", made.single("a__b-1", is_resolved=True)
    )
    whole = read(report, predictions, single)
    runs = by_task(whole.records)
    assert {name: run["labels"]["outcome"] for name, run in runs.items()} == FOUR
    assert runs["a__b-1"]["source_run_id"] == "verified/20240402_made/a__b-1"
    assert runs["a__b-1"]["measurements"]["pass_to_pass_passed"] == 2
    assert runs["a__b-1"]["model_version"] == made.MODEL
    report.unlink()
    assert read(single).only()["source_run_id"] == "verified/20240402_made/a__b-1"


def test_lists_of_old_reports_are_told_apart_by_what_became_of_an_instance(tmp_path: Path) -> None:
    lists = {
        "no_generation": ["a__b-1"],
        "generated": [f"a__b-{number}" for number in range(2, 9)],
        "with_logs": [f"a__b-{number}" for number in range(3, 9)],
        "install_fail": ["a__b-3"],
        "reset_failed": [],
        "no_apply": ["a__b-4"],
        "applied": ["a__b-5", "a__b-6", "a__b-7", "a__b-8"],
        "test_errored": ["a__b-5"],
        "test_timeout": ["a__b-6"],
        "resolved": ["a__b-7"],
    }
    runs = by_task(read(written(tmp_path / "results.json", lists)).records)
    assert [runs[f"a__b-{number}"]["labels"]["outcome"] for number in range(1, 9)] == [
        "empty_patch", "error", "error", "no_apply", "error", "error", "resolved", "unresolved",
    ]  # fmt: skip
    assert runs["a__b-2"]["error_message"] == "the harness left no log of it"
    assert sum(run["scores"]["resolved"] for run in runs.values()) == 1


def test_likely_failures_of_the_harness_are_told_and_count_as_the_benchmark_counts(
    tmp_path: Path,
) -> None:
    report = {
        **made.report(FOUR),
        "infra_failure_ids": ["a__b-2"],
        "ambiguous_failure_ids": ["a__b-4"],
        "failure_reasons": {"a__b-2": "no space left"},
    }
    runs = by_task(read(written(tmp_path / "m.r.json", report)).records)
    assert runs["a__b-2"]["labels"] == {"outcome": "unresolved", "failure": "infrastructure"}
    assert runs["a__b-2"]["comments"] == {"resolved": "no space left"}
    assert runs["a__b-2"]["scores"] == {"resolved": 0.0}
    assert runs["a__b-4"]["labels"]["failure"] == "ambiguous"


def test_what_was_submitted_and_not_evaluated_is_no_run_and_is_told(tmp_path: Path) -> None:
    report = made.report(FOUR)
    report["submitted_ids"] += ["a__b-5", "a__b-6"]
    found = read(written(tmp_path / "m.r.json", report))
    assert len(found.records) == 4
    assert any("2 instances submitted and not evaluated" in note for note in found.notes)


def test_predictions_of_which_a_report_tells_nothing_are_no_runs_and_are_told(
    tmp_path: Path,
) -> None:
    report = written(tmp_path / f"{made.STEM}.json", made.report(FOUR))
    names = [*FOUR, "a__b-5"]
    lines = [json.dumps(made.prediction(name, "resolved")) for name in names]
    written(tmp_path / "all_preds.jsonl", "\n".join(lines))
    found = read(report)
    assert sorted(by_task(found.records)) == sorted(FOUR)
    assert any("1 instance submitted and not evaluated" in note for note in found.notes)


def test_a_report_of_what_was_resolved_alone_takes_the_rest_of_its_predictions(
    tmp_path: Path,
) -> None:
    _, predictions = made.write(tmp_path, 9)
    tried = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()]
    ids = [each["instance_id"] for each in tried]
    lists = {"total_instances": 9, "submitted_ids": ids, "resolved_ids": ids[:2]}
    runs = by_task(read(written(tmp_path / f"{made.STEM}.json", lists)).records)
    assert sorted(runs) == sorted(ids)
    assert sum(run["scores"]["resolved"] for run in runs.values()) == 2
    empty = {each["instance_id"] for each in tried[2:] if not each["model_patch"]}
    assert {i for i, run in runs.items() if run["labels"]["outcome"] == "empty_patch"} == empty


def test_counts_without_lists_are_refused_with_the_version(tmp_path: Path) -> None:
    counts = {k: v for k, v in made.report(FOUR).items() if not k.endswith("_ids")}
    found = read(written(tmp_path / "m.r.json", {**counts, "schema_version": 3}))
    assert not found.records
    assert "its schema_version is 3, tried is 2" in found.rejections[0].reason


def test_a_list_that_names_no_instances_is_refused_with_its_name(tmp_path: Path) -> None:
    report = {**made.report(FOUR), "error_ids": ["a__b-4", 7]}
    found = read(written(tmp_path / "m.r.json", report))
    assert not found.records
    assert "error_ids, entry 2" in found.rejections[0].reason


def test_an_instance_is_no_path_out_of_the_folder_of_logs(tmp_path: Path) -> None:
    outside = written(tmp_path / "report.json", made.single("../..", is_resolved=True))
    folder = tmp_path / "run" / "logs" / "run_evaluation" / "r" / "m"
    folder.mkdir(parents=True)
    report = made.report({"../../../../..": "resolved"})
    found = read(written(tmp_path / "run" / "m.r.json", report))
    assert outside.is_file()
    assert "measurements" not in found.only()


def test_model_and_run_of_the_name_make_arms_by_map(tmp_path: Path) -> None:
    path = written(tmp_path / "gpt-4.1.night-7.json", made.report({"a__b-1": "resolved"}))
    names = [("experiment_group", "model"), ("extension_version", "run_id")]
    found = read(path, names=names).only()
    assert (found["experiment_group"], found["extension_version"]) == ("gpt-4.1", "night-7")


def test_a_log_that_quotes_a_single_report_is_none(tmp_path: Path) -> None:
    quoted = made.single("a__b-1", is_resolved=True)
    path = written(tmp_path / "log.json", {"version": 2, "samples": [], "quoted": quoted})
    assert recognised(ToolFile(str(path))) is None


def test_instances_of_the_dataset_are_no_predictions(tmp_path: Path) -> None:
    dataset = [{"instance_id": "a__b-1", "patch": "…", "problem_statement": "…"}]
    assert recognised(ToolFile(str(written(tmp_path / "dataset.json", dataset)))) is None


@pytest.mark.skipif(not SHARED.is_file(), reason=f"there is no {SHARED}")
def test_a_real_report_that_is_no_json_is_refused_whole() -> None:
    found = read(SHARED)
    assert not found.records
    assert [rejection.reason_code for rejection in found.rejections] == ["invalid_json"]


@pytest.mark.skipif(not SHARED.is_file(), reason=f"there is no {SHARED}")
def test_a_real_report_gives_its_own_counts_once_its_fault_is_repaired(tmp_path: Path) -> None:
    text = SHARED.read_text(encoding="utf-8").replace('993",\n    ]', '993"\n    ]')
    lists = json.loads(text)
    records = read(written(tmp_path / "20240615_made" / "results.json", text)).records
    assert len(records) == len({*lists["generated"], *lists["no_generation"]}) == 293
    assert sum(record["scores"]["resolved"] for record in records) == len(lists["resolved"]) == 82
    without_logs = {*lists["generated"]} - {*lists["with_logs"]} - {*lists["no_apply"]}
    errors = [record for record in records if "error_message" in record]
    assert len(errors) == len(without_logs | {*lists["test_timeout"]})
