"""OpenAI Evals: samples put together from events, held against the log's own final report."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest

import servers
from ingest_support import select
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of
from sample_marts import loader
from tool_files import openai_evals as files
from tool_runs import kinds_of, read_tool_files

if TYPE_CHECKING:
    from pathlib import Path

    from tool_runs import ReadFiles

SHARED = servers.SHARED_DATA / "native" / "openai_evals"


def read(*paths: Path, maps: str = "") -> ReadFiles:
    return read_tool_files("openai-evals", *paths, maps=maps)


def read_events(folder: Path, *events: dict[str, Any], ends: bool = True) -> ReadFiles:
    """Read a log of these events."""
    lines: list[dict[str, Any]] = [{"spec": files.spec()}]
    lines += [
        {"run_id": files.RUN_ID, "event_id": number, "sample_id": "capitals.dev.0", **event}
        for number, event in enumerate(events)
    ]
    if ends:
        lines.append({"final_report": {}})
    return read(files.write_lines(folder / "log.jsonl", lines))


def told(found: ReadFiles, words: str) -> list[str]:
    return [note for note in found.notes if words in note]


def test_means_and_tokens_are_those_of_the_final_report(tmp_path: Path) -> None:
    *_, last = files.log(500)
    report = last["final_report"]
    found = read(*files.write(tmp_path, 500))
    assert len(found.records) == 500
    assert found.mean("accuracy") == pytest.approx(report["accuracy"])
    assert found.mean("closeness") == pytest.approx(report["closeness"])
    assert found.total("tokens_used") == report["usage_total_tokens"]
    assert found.total("prompt_tokens") == report["usage_prompt_tokens"]
    assert found.total("completion_tokens") == report["usage_completion_tokens"]
    assert not told(found, "final report")


def test_a_sample_becomes_a_record_field_by_field(tmp_path: Path) -> None:
    found = read(*files.write(tmp_path, 30, seed=3))
    [record] = [each for each in found.records if each["task_id"] == "capitals.dev.12"]
    own = [each for each in files.log(30, 3) if each.get("sample_id") == "capitals.dev.12"]
    sampling, match, metrics = own
    assert match["data"]["correct"]
    assert record == {
        "experiment_id": files.EVAL,
        "experiment_group": "baseline",
        "extension_version": "unversioned",
        "dataset_version": "v2",
        "model_version": "acme/small",
        "task_id": "capitals.dev.12",
        "source_run_id": f"{files.RUN_ID}/capitals.dev.12",
        "repetition": 1,
        "recorded_at": metrics["created_at"],
        "inputs": sampling["data"]["prompt"],
        "outputs": ["City 12"],
        "reference_outputs": "City 12",
        "prompt_tokens": 22,
        "completion_tokens": 3,
        "tokens_used": 25,
        "success": True,
        "scores": {"accuracy": 1.0, "closeness": metrics["data"]["closeness"]},
        "labels": {"verdict": "near"},
        "metadata": {"picked": "City 12", "base_eval": "capitals", "split": "dev"},
    }


def test_events_of_one_sample_are_one_run_wherever_they_stand(tmp_path: Path) -> None:
    lines = list(files.log(60))
    shuffled = [lines[0], *sorted(lines[1:-1], key=lambda each: each["type"]), lines[-1]]
    apart = read(files.write_lines(tmp_path / "apart.jsonl", shuffled))
    together = read(*files.write(tmp_path, 60))
    by_task = {each["task_id"]: each["scores"] for each in together.records if "scores" in each}
    assert {
        each["task_id"]: each["scores"] for each in apart.records if "scores" in each
    } == by_task
    assert len({each["source_run_id"] for each in apart.records}) == 60


def test_an_error_is_a_run_without_scores(tmp_path: Path) -> None:
    found = read(*files.write(tmp_path, 200))
    errors = [each for each in found.records if "error_message" in each]
    assert {each["error_message"] for each in errors} == {"TimeoutError: no answer in 60 s"}
    assert not any("scores" in each or each["success"] for each in errors)
    assert len(errors) == sum(each["type"] == "error" for each in files.events(200))


def test_an_error_of_a_sample_that_was_judged_all_the_same_stands_beside_its_score(
    tmp_path: Path,
) -> None:
    found = read_events(
        tmp_path,
        {"type": "error", "data": {"type": "RateLimit", "message": "slow down"}},
        {"type": "match", "data": {"correct": False, "expected": "a", "picked": None}},
    )
    [record] = found.records
    assert record["scores"] == {"accuracy": 0.0}
    assert record["metadata"]["error"] == "RateLimit: slow down"
    assert "error_message" not in record


def test_the_final_report_says_of_the_arm_what_no_sample_has(tmp_path: Path) -> None:
    found = read(*files.write(tmp_path))
    assert [(each.evaluator_key, each.score) for each in found.wholes] == [("boostrap_std", 0.0625)]
    [whole] = found.wholes
    assert whole.experiment_id == files.EVAL
    assert whole.scored_at == "2026-03-02T09:15:00.904498+00:00"


@pytest.mark.parametrize("place", ["behind the spec", "at the end", "in an event"])
def test_the_final_report_is_found_wherever_a_version_put_it(tmp_path: Path, place: str) -> None:
    *lines, report = files.log(20)
    del report["run_id"]
    if place == "behind the spec":
        lines.insert(1, report)
    elif place == "at the end":
        lines.append(report)
    else:
        lines.append({"type": "final_report", "sample_id": None, "data": report["final_report"]})
    found = read(files.write_lines(tmp_path / "log.jsonl", lines))
    assert [each.evaluator_key for each in found.wholes] == ["boostrap_std"]
    assert not told(found, "final report")


def test_a_report_that_its_samples_do_not_give_is_said(tmp_path: Path) -> None:
    *lines, report = files.log(20)
    report["final_report"]["accuracy"] = 0.99
    found = read(files.write_lines(tmp_path / "log.jsonl", [*lines, report]))
    [note] = told(found, "accuracy is 0.99 in the final report")
    assert f"{found.mean('accuracy'):.6g} over the samples" in note


def test_a_log_that_breaks_off_says_so_and_loads_what_was_judged(tmp_path: Path) -> None:
    [path] = files.write(tmp_path, 40, seed=3)
    text = path.read_text()
    whole = read(path)
    path.write_text(text[: text.rfind('"closeness"')])
    found = read(path)
    assert len(found.records) == len(whole.records)
    [(_, rejection)] = found.rejections
    assert rejection.reason_code == "invalid_json"
    [note] = told(found, "the log has no final report, so its run did not end")
    assert "40 samples judged, 0 begun and not judged" in note
    assert not found.wholes


def test_a_sample_that_was_begun_and_not_judged_is_a_run_of_unknown_success(tmp_path: Path) -> None:
    found = read_events(
        tmp_path, {"type": "sampling", "data": {"prompt": "q", "sampled": "a"}}, ends=False
    )
    [record] = found.records
    assert not {"scores", "success", "error_message"} & record.keys()
    assert told(found, "0 samples judged, 1 begun and not judged")


def test_several_judgements_of_a_sample_are_their_mean_and_a_metric_goes_before_a_match(
    tmp_path: Path,
) -> None:
    match = {"expected": "a", "picked": "a"}
    found = read_events(
        tmp_path,
        {"type": "match", "data": {"correct": True, **match}},
        {"type": "match", "data": {"correct": False, **match}},
        {"type": "metrics", "data": {"f1_score": 0.5, "is_valid": True, "choice": "B"}},
        {"type": "metrics", "data": {"f1_score": 1, "nested": {"a": 1}, "none": None}},
    )
    [record] = found.records
    assert record["scores"] == {"accuracy": 0.5, "f1_score": 0.75, "is_valid": 1.0}
    assert record["labels"] == {"choice": "B"}
    assert record["metadata"]["matches"] == 2
    found = read_events(
        tmp_path,
        {"type": "match", "data": {"correct": False, **match}},
        {"type": "metrics", "data": {"accuracy": 0.25}},
    )
    assert found.records[0]["scores"] == {"accuracy": 0.25}


def test_usage_is_summed_over_the_answers_of_a_sample_and_null_is_no_count(tmp_path: Path) -> None:
    usage = {
        "prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }  # fmt: skip
    found = read_events(
        tmp_path,
        {"type": "sampling", "data": {"prompt": "q1", "sampled": ["a1"], "usage": usage}},
        {"type": "sampling", "data": {"prompt": "q2", "sampled": ["a2"], "usage": usage}},
        {"type": "sampling", "data": {"prompt": "q3", "sampled": ["a3"], "usage": None}},
        {"type": "function_call", "data": {"name": "f", "arguments": {}, "return_value": 1}},
        {"type": "match", "data": {"correct": True}},
    )
    [record] = found.records
    counts = ("prompt_tokens", "completion_tokens", "tokens_used", "cached_tokens")
    assert [record[name] for name in counts] == [20, 8, 28, 16]
    assert record["reasoning_tokens"] == 4
    assert record["inputs"] == "q1"
    assert record["outputs"] == [["a1"], ["a2"], ["a3"]]
    assert record["measurements"] == {"function_calls": 1}
    found = read_events(
        tmp_path,
        {"type": "sampling", "data": {"sampled": "a", "usage": {"prompt_tokens": None}}},
        {"type": "match", "data": {"correct": True}},
    )
    assert not {*counts} & found.records[0].keys()


def test_a_match_that_does_not_say_whether_it_is_right_is_no_score(tmp_path: Path) -> None:
    found = read_events(tmp_path, {"type": "match", "data": {"expected": "a", "correct": None}})
    [record] = found.records
    assert "scores" not in record
    assert record["reference_outputs"] == "a"


def test_events_that_say_nothing_of_the_result_are_passed_over(tmp_path: Path) -> None:
    found = read_events(
        tmp_path,
        {"type": "raw_sample", "data": {"input": "q", "ideal": "a"}},
        {"type": "extra", "data": [1, 2]},
        {"type": "embedding", "data": {"prompt": "q", "embedding_type": "e"}},
        {"type": "a type of next year", "data": 1},
        {"type": "match", "data": {"correct": True}},
    )
    assert found.records[0]["scores"] == {"accuracy": 1.0}


def test_a_sample_with_data_of_another_form_is_rejected_alone(tmp_path: Path) -> None:
    found = read_events(
        tmp_path,
        {"type": "match", "data": {"correct": "yes"}},
        {"sample_id": "capitals.dev.1", "type": "match", "data": {"correct": True}},
    )
    assert [each["task_id"] for each in found.records] == ["capitals.dev.1"]
    [(number, rejection)] = found.rejections
    assert number == 2
    assert "sample capitals.dev.0" in rejection.reason
    assert "$.correct" in rejection.reason


def test_a_line_that_is_none_of_a_log_is_rejected(tmp_path: Path) -> None:
    lines = [*files.log(3), {"hello": 1}]
    found = read(files.write_lines(tmp_path / "log.jsonl", lines))
    [(number, rejection)] = found.rejections
    assert number == len(lines)
    assert "neither a spec, a final report nor an event" in rejection.reason


def test_logs_of_several_runs_in_one_file_are_kept_apart(tmp_path: Path) -> None:
    first = list(files.log(20, 1))
    second = json.loads(json.dumps(list(files.log(20, 2))).replace(files.RUN_ID, "260303OTHER"))
    second[0]["spec"]["completion_fns"] = ["acme/large", "acme/judge"]
    pairs = zip_longest(first[1:-1], second[1:-1])
    in_turn = [each for pair in pairs for each in pair if each is not None]
    lines = [first[0], second[0], *in_turn, first[-1], second[-1]]
    path = files.write_lines(tmp_path / "both.jsonl", lines)
    found = read(path, maps="experiment_group=model")
    arms = {each["experiment_group"] for each in found.records}
    assert arms == {"acme/small", "acme/large, acme/judge"}
    assert len({each["source_run_id"] for each in found.records}) == len(found.records)
    found = read(files.write_lines(tmp_path / "both.jsonl", lines[:-1]))
    assert told(found, "run 260303OTHER: the log has no final report")


def test_a_log_of_the_first_version_names_its_model(tmp_path: Path) -> None:
    lines = list(files.log(3))
    del lines[0]["spec"]["completion_fns"]
    lines[0]["spec"]["model_name"] = "acme-1"
    found = read(files.write_lines(tmp_path / "log.jsonl", lines))
    assert {each["model_version"] for each in found.records} == {"acme-1"}


def test_names_for_arms_are_those_of_the_spec(tmp_path: Path) -> None:
    [path] = files.write(tmp_path, 3)
    for name, arm in {
        "model": "acme/small",
        "eval_name": files.EVAL,
        "base_eval": "capitals",
        "split": "dev",
        "run_id": files.RUN_ID,
        "created_by": "kim",
        "file": path.name,
    }.items():
        found = read(path, maps=f"experiment_group={name}")
        assert {each["experiment_group"] for each in found.records} == {arm}


def test_other_lines_are_not_taken_for_a_log(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    for text in ('{"spec": "a text"}', '{"spec": {"openapi": "3.1"}}', '{"final_report": {}}'):
        path.write_text(text + "\n")
        assert kinds_of(path) == []


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    [path] = files.write(tmp_path, 5_000)
    tracemalloc.start()
    runs = sum(1 for _ in importer_of("openai-evals").runs(ToolFile(str(path))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert runs > 5_000
    assert most < path.stat().st_size / 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_a_log_of_a_public_repository_gives_the_accuracy_that_it_states() -> None:
    [path] = SHARED.glob("*.jsonl")
    found = read(path)
    assert found.mean("accuracy") == pytest.approx(1 / 3)
    assert [each["task_id"] for each in found.records] == [f"test-match.s1.{n}" for n in (2, 1, 0)]
    assert not told(found, "final report")


def test_a_log_loads_once_with_the_scores_of_its_arm(database_url: str, tmp_path: Path) -> None:
    [path] = files.write(tmp_path, 40, seed=3)
    command = ("ingest", path, "--experiment-group", "baseline")
    assert "loaded 40 · unchanged 0 · rejected 0" in loader(database_url, *command).stdout
    again = loader(database_url, *command, "--again")
    assert "loaded 0 · unchanged 40 · rejected 0" in again.stdout
    text = path.read_text()
    path.write_text(text.replace('"correct": false', '"correct": true', 1))
    anew = loader(database_url, *command).stdout
    assert "loaded 1 · unchanged 39 · rejected 0" in anew
    assert select(
        database_url,
        "select experiment_id, evaluator_key, score, scored_at from raw_evals.summary_scores"
        " order by load_id desc limit 1",
    ) == [(files.EVAL, "boostrap_std", 0.0625, datetime(2026, 3, 2, 9, 15, 0, 904498, UTC))]
    *_, last = files.log(40, 3)
    assert select(
        database_url,
        "select avg((scores->>'accuracy')::float), count(labels->>'verdict')"
        " from raw_evals.evaluation_runs where run_version = 1",
    ) == [(pytest.approx(last["final_report"]["accuracy"]), text.count('"verdict"'))]
