"""Folders of HELM runs become a run an instance, perturbation and train trial."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

import servers
from loader.sources.tools import Whole
from loader.sources.tools.helm import IMPORTER
from loader.sources.tools.opened import ToolFile
from sample_marts import loader
from tool_files import helm
from tool_records import Made, made_of

if TYPE_CHECKING:
    from pathlib import Path

KIND = "helm"
SHARED = servers.SHARED_DATA / "native/made/helm_per_instance_stats.json"


def made(*paths: Path, mapping: str = "") -> Made:
    return made_of(KIND, *paths, mapping=mapping)


def changed(path: Path, **members: object) -> None:
    """Change members of the object in a file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | members), encoding="utf-8")


def entry(*stats: dict[str, Any], **said: object) -> dict[str, Any]:
    return {"instance_id": "id1", "train_trial_index": 0, "stats": list(stats)} | said


def stat(name: str, value: float | None, **said: object) -> dict[str, Any]:
    counted: dict[str, Any] = (
        {"count": 0, "sum": 0} if value is None else {"count": 1, "sum": value, "mean": value}
    )
    return {"name": {"name": name, "split": "test"}} | counted | said


def entries(folder: Path, *said: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "per_instance_stats.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    return path


def test_every_field_that_the_files_have_is_in_the_record(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path / "run")
    stats = json.loads(path.read_text(encoding="utf-8"))
    counts = {each["name"]["name"]: each.get("mean") for each in stats[20 + 3]["stats"]}
    score = stats[3]["stats"][0]["mean"]
    record = made(path).records[3]
    assert record == {
        "experiment_id": helm.SCENARIO,
        "task_id": "id0+typos",
        "source_run_id": f"{helm.RUN}/id0+typos/1/{counts['inference_runtime']}",
        "repetition": 2,
        "recorded_at": "2026-03-01T10:13:23+00:00",
        "model_version": helm.MODEL,
        "extension_version": "unversioned",
        "scores": {"exact_match": score, "prefix_exact_match": score},
        "measurements": {"finish_reason_stop": 1},
        "latency_ms": counts["inference_runtime"] * 1000,
        "prompt_tokens": counts["num_prompt_tokens"],
        "completion_tokens": counts["num_completion_tokens"],
        "tokens_used": counts["num_prompt_tokens"] + counts["num_completion_tokens"],
        "inputs": "Question: 10 + 1\nAnswer:",
        "outputs": "11" if score else "10",
        "reference_outputs": "11",
        "metadata": {"split": "test", "category": "typos"},
    }


def test_the_means_are_those_of_the_runs_own_statistics(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path, 60)
    told = helm.numbers(tmp_path)
    trials: defaultdict[tuple[str, str | None, int], list[float]] = defaultdict(list)
    for record in made(path).records:
        values = record["scores"] | {
            "num_prompt_tokens": record["prompt_tokens"],
            "num_completion_tokens": record["completion_tokens"],
            "inference_runtime": record["latency_ms"] / 1000,
        }
        for name, value in values.items():
            trials[name, record["metadata"].get("category"), record["repetition"]].append(value)
    means: defaultdict[tuple[str, str | None], list[float]] = defaultdict(list)
    for (name, perturbation, _), values in trials.items():
        means[name, perturbation].append(fmean(values))
    elsewhere = {"finish_reason_stop", "logprob", "perplexity"}
    assert len(means) == 10
    assert {key: fmean(values) for key, values in means.items()} == pytest.approx(
        {key: value for key, value in told.items() if key[0] not in elsewhere}
    )


def test_what_only_the_statistics_of_the_run_have_is_kept_of_the_whole_arm(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    wholes = made(path).source.summary_scores()
    assert [(each.evaluator_key, each.score) for each in wholes] == [("perplexity", 4.25)]
    stats = tmp_path / "stats.json"
    stats.write_bytes(stats.read_bytes()[:-9])
    found = made(path)
    assert (len(found.records), found.source.summary_scores()) == (20, [])
    assert "stats.json beside it cannot be read (the document breaks off" in found.notes


def test_every_file_of_the_folder_is_of_the_tool_and_only_one_has_runs(tmp_path: Path) -> None:
    helm.write(tmp_path)
    found = made(*sorted(tmp_path.iterdir()))
    assert (len(found.records), found.reasons) == (20, [])
    assert (
        "run_spec.json and 3 more: HELM, read with per_instance_stats.json beside it" in found.notes
    )
    assert [plan.planned_repetitions for plan in found.source.plans()] == [helm.TRIALS]


def test_files_that_summaries_add_are_read_with_the_runs(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    more = {
        "instances.json": {"input": {"text": "?"}, "references": [], "split": "test", "id": "id1"},
        "display_predictions.json": {
            "instance_id": "id1", "predicted_text": "2", "train_trial_index": 0, "stats": {"em": 1},
        },
        "display_requests.json": {"instance_id": "id1", "train_trial_index": 0, "request": {}},
    }  # fmt: skip
    paths = [path]
    for name, document in more.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(json.dumps([document]), encoding="utf-8")
    found = made(*paths)
    assert (len(found.records), found.reasons) == (20, [])


def test_files_of_a_suite_are_read_with_its_runs(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path / "v1" / "run")
    spec = json.loads((path.parent / "run_spec.json").read_text(encoding="utf-8"))
    table = {"title": "Sums", "header": [{"value": "Model"}], "rows": [[{"value": "small"}]]}
    more = {
        "run_specs.json": [spec],
        "runs.json": [{"run_path": "v1/run", "run_spec": spec, "stats": []}],
        "schema.json": {"metrics": [], "metric_groups": [], "run_groups": []},
        "groups.json": [table],
        "groups/sums.json": [table],
        "groups/json/sums_accuracy.json": table,
    }
    paths = [path]
    for name, document in more.items():
        paths.append(tmp_path / "v1" / name)
        paths[-1].parent.mkdir(exist_ok=True, parents=True)
        paths[-1].write_text(json.dumps(document), encoding="utf-8")
    found = made(*paths)
    assert (len(found.records), found.reasons) == (20, [])
    assert "5 more: HELM, read with per_instance_stats.json in the folders of its" in found.notes


def test_statistics_alone_are_scores_of_the_whole_arm(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    path.unlink()
    told = helm.numbers(tmp_path)
    stats = tmp_path / "stats.json"
    wholes = [item for item in IMPORTER.runs(ToolFile(str(stats))) if isinstance(item, Whole)]
    assert {each.key: each.score for each in wholes} == {
        name: told[name, None] for name in ("exact_match", "prefix_exact_match", "perplexity")
    }
    assert {each.record["experiment_id"] for each in wholes} == {helm.SCENARIO}
    found = made(stats)
    assert "3 scores of a whole arm" in found.reasons[0]
    assert "only scores of the whole arm are there" in found.notes


def test_a_specification_alone_is_told_to_have_no_runs(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    path.unlink()
    found = made(tmp_path / "run_spec.json")
    assert found.reasons == ["no run is in this HELM file; check that it was written"]
    assert "ingest the run's whole folder" in found.notes


def test_the_folder_tells_scenario_and_model_where_nothing_else_does(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path / "v1" / "sums:digits=2,model=acme_small-1")
    (path.parent / "run_spec.json").unlink()
    found = made(path, mapping="extension_version: suite")
    record = found.records[0]
    assert record["experiment_id"] == "sums:digits=2"
    assert record["model_version"] == "acme_small-1"
    assert record["extension_version"] == "v1"
    assert "no run_spec.json is beside it" in found.notes


def test_a_run_keeps_its_name_when_it_is_moved_or_scored_again(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path / "a")
    [moved] = helm.write(tmp_path / "b")
    document = json.loads(moved.read_text(encoding="utf-8"))
    document[0]["stats"][0] |= {"mean": 0.5, "sum": 0.5}
    moved.write_text(json.dumps(document), encoding="utf-8")
    first, again = made(path).records, made(moved).records
    assert [each["source_run_id"] for each in first] == [each["source_run_id"] for each in again]
    assert first[0]["scores"] != again[0]["scores"]


def test_runs_of_one_specification_at_other_times_have_other_names(tmp_path: Path) -> None:
    [first] = helm.write(tmp_path / "a", seed=1)
    [second] = helm.write(tmp_path / "b", seed=2)
    names = {each["source_run_id"] for each in made(first, second).records}
    assert len(names) == 40


def test_a_request_that_failed_is_a_run_with_its_error(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    state = tmp_path / "scenario_state.json"
    states = json.loads(state.read_text(encoding="utf-8"))["request_states"]
    states[2]["result"] |= {"success": False, "completions": [], "error": "no answer in time"}
    del states[2]["result"]["request_datetime"]
    changed(state, request_states=states)
    records = made(path).records
    assert [each["task_id"] for each in records if "error_message" in each] == ["id0"]
    assert records[2]["error_message"] == "no answer in time"
    assert records[2]["success"] is False
    assert "recorded_at" not in records[2]


def test_an_instance_without_statistics_is_a_run_without_scores(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    document = [
        each
        for each in json.loads(path.read_text(encoding="utf-8"))
        if (each["instance_id"], each["train_trial_index"]) != ("id0", 1)
    ]
    path.write_text(json.dumps(document), encoding="utf-8")
    records = made(path).records
    assert len(records) == 20
    without = [each for each in records if not each["scores"]]
    assert {each["task_id"] for each in without} == {"id0", "id0+typos"}
    assert {each["inputs"] for each in without} == {"Question: 10 + 1\nAnswer:"}


def test_perturbations_with_other_settings_are_other_tasks(tmp_path: Path) -> None:
    said = {"name": "gender", "fairness": True, "mode": "pronouns"}
    path = entries(
        tmp_path,
        entry(stat("exact_match", 1.0)),
        entry(stat("exact_match", 0.0), perturbation=said | {"target_class": "female"}),
        entry(stat("exact_match", 1.0), perturbation=said | {"target_class": "male"}),
    )
    assert {each["task_id"]: each["scores"]["exact_match"] for each in made(path).records} == {
        "id1": 1.0,
        "id1+gender(mode=pronouns,target_class=female)": 0.0,
        "id1+gender(mode=pronouns,target_class=male)": 1.0,
    }


def test_what_was_not_counted_has_no_value_and_is_not_zero(tmp_path: Path) -> None:
    path = entries(
        tmp_path,
        entry(stat("exact_match", None), stat("num_bytes", None), stat("f1", float("nan"))),
    )
    found = made(path)
    [record] = found.records
    assert record["scores"] == {"exact_match": None, "f1": None}
    assert record["measurements"] == {}
    assert record["latency_ms"] is None
    assert "2 numbers NaN" in found.notes


def test_answers_to_each_choice_are_kept_together(tmp_path: Path) -> None:
    path = entries(tmp_path, entry(stat("exact_match", 1.0)))
    instance = {"id": "id1", "split": "test", "references": []}
    states = [
        {
            "instance": instance, "train_trial_index": 0, "reference_index": place,
            "request": {"prompt": f"It is {answer}"},
            "result": {"success": True, "completions": [{"text": answer}]},
        }
        for place, answer in enumerate("ab")
    ]  # fmt: skip
    document = {"adapter_spec": {"method": "multiple_choice_separate"}, "request_states": states}
    (tmp_path / "scenario_state.json").write_text(json.dumps(document), encoding="utf-8")
    [record] = made(path).records
    assert record["inputs"] == ["It is a", "It is b"]
    assert record["outputs"] == ["a", "b"]
    assert record["reference_outputs"] is None


def test_statistics_that_break_off_load_nothing(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    found = made(path)
    assert [row.rejection is None for row in found.rows] == [False]
    assert "breaks off" in found.reasons[0]


def test_prompts_that_break_off_leave_the_scores_readable(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    state = tmp_path / "scenario_state.json"
    state.write_bytes(state.read_bytes()[:-100])
    found = made(path)
    assert len(found.records) == 20
    assert sum("inputs" in each for each in found.records) == 19
    assert "prompts, answers and times are missing: scenario_state.json" in found.notes


def test_a_prompt_that_is_not_as_the_tool_writes_it_is_told(tmp_path: Path) -> None:
    [path] = helm.write(tmp_path)
    state = tmp_path / "scenario_state.json"
    states = json.loads(state.read_text(encoding="utf-8"))["request_states"]
    states[4]["instance"]["references"] = "none"
    changed(state, request_states=states)
    found = made(path)
    assert sum("inputs" in each for each in found.records) == 19
    assert "cannot be read at 5 (not as this tool writes it: Expected `array`" in found.notes


def test_an_entry_that_is_not_as_the_tool_writes_it_is_rejected_by_name(tmp_path: Path) -> None:
    path = entries(
        tmp_path,
        entry(stat("exact_match", 1.0)),
        entry(stat("exact_match", 1.0), instance_id=2),
        entry({"name": "exact_match", "mean": 1.0}, instance_id="id3"),
    )
    found = made(path)
    assert len(found.records) == 1
    assert [row.row_number for row in found.rows if row.rejection] == [2, 3]
    assert "`$.instance_id`" in found.reasons[0]
    assert "`$.stats[0].name`" in found.reasons[1]


def test_a_folder_loads_once_and_a_score_that_changed_is_a_new_version(
    database_url: str, tmp_path: Path
) -> None:
    [path] = helm.write(tmp_path / "v1" / "run")
    first = loader(database_url, "ingest", tmp_path, "--experiment-group", "baseline")
    assert "read 20 · loaded 20 · unchanged 0 · rejected 0" in first.stdout
    again = loader(database_url, "ingest", "--again", tmp_path, "--experiment-group", "baseline")
    assert "loaded 0 · unchanged 20 · rejected 0" in again.stdout
    document = json.loads(path.read_text(encoding="utf-8"))
    document[0]["stats"][0] |= {"mean": 0.5, "sum": 0.5}
    path.write_text(json.dumps(document), encoding="utf-8")
    scored = loader(database_url, "ingest", tmp_path, "--experiment-group", "baseline")
    assert "loaded 1 · unchanged 19 · rejected 0" in scored.stdout


@pytest.mark.skipif(not SHARED.is_file(), reason="not here: ../shared/data/native/made")
def test_a_file_without_its_folder_loads_and_says_what_is_missing() -> None:
    found = made(SHARED)
    assert [(each["task_id"], each["scores"]) for each in found.records] == [
        ("id147", {"exact_match": 1.0}),
        ("id147+robustness", {"exact_match": 0.0}),
    ]
    assert "nothing tells scenario and model; --experiment-id NAME" in found.notes
