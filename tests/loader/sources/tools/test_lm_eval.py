"""Samples and results of lm-evaluation-harness become runs, and scores of whole arms."""

from __future__ import annotations

import gzip
import json
import math
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

import servers
from ingest_support import select
from loader.sources.tools import Whole
from loader.sources.tools.lm_eval import IMPORTER
from loader.sources.tools.opened import ToolFile
from sample_marts import loader
from tool_files import lm_eval
from tool_records import Made, made_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIND = "lm-eval"
SHARED = sorted(servers.SHARED_DATA.glob("native/lm_eval/*"))
TIME = "2026-03-02T10-20-30.000001"


def made(*paths: Path, mapping: str = "") -> Made:
    return made_of(KIND, *paths, mapping=mapping)


def sample(**said: object) -> dict[str, Any]:
    return {
        "doc_id": 0,
        "doc": {"question": "1 + 1 = ?"},
        "target": "2",
        "arguments": {"gen_args_0": {"arg_0": "1 + 1 = ?", "arg_1": {"until": ["\n"]}}},
        "resps": [["It is 2."]],
        "filtered_resps": ["It is 2."],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": "d0c0" * 16,
        "acc": 1.0,
    } | said


def lines(folder: Path, *said: dict[str, Any], name: str = f"samples_t_{TIME}.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(each) + "\n" for each in said), encoding="utf-8")
    return path


def results(folder: Path, said: dict[str, Any], **more: object) -> Path:
    path = folder / f"results_{TIME}.json"
    document = {"results": {"t": said}, "configs": {"t": {}}, "versions": {"t": 1}} | more
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def means(records: list[dict[str, Any]]) -> dict[str, float]:
    found = defaultdict(list)
    for record in records:
        for key, value in record["scores"].items():
            found[key].append(value)
    return {key: fmean(values) for key, values in found.items()}


def test_every_field_that_the_files_have_is_in_the_record(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path / "acme__small-1")
    told = json.loads(path.read_text(encoding="utf-8").splitlines()[3])
    record = made(path).records[3]
    assert record == {
        "experiment_id": "sums",
        "task_id": f"sums/3/{told['doc_hash'][:8]}",
        "source_run_id": f"{TIME}/sums/3/{told['doc_hash'][:8]}",
        "repetition": 1,
        "recorded_at": "2026-03-01T10:13:21.250000+00:00",
        "model_version": lm_eval.MODEL,
        "extension_version": lm_eval.SHA,
        "dataset_version": "2.0",
        "scores": {"acc": told["acc"], "acc_norm": told["acc_norm"]},
        "inputs": {
            "prompt": told["arguments"]["gen_args_0"]["arg_0"],
            "choices": [f" {answer}" for answer in told["doc"]["choices"]],
        },
        "outputs": told["resps"],
        "reference_outputs": told["target"],
        "metadata": {
            "category": "sums", "split": "test", "num_fewshot": 0, "lm_eval_version": "0.4.9",
            "git_hash": "0a1b2c3d",
        },
    }  # fmt: skip


def test_the_means_are_those_of_the_results_file(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path, 50)
    assert means(made(path).records) == pytest.approx(lm_eval.numbers(path))


@pytest.mark.parametrize("are_named", [True, False])
def test_the_filters_of_a_doc_are_scores_of_one_run(tmp_path: Path, are_named: bool) -> None:
    [path] = lm_eval.write_filters(tmp_path, 30, are_named=are_named)
    found = made(path)
    assert len(found.records) == 30
    assert {record["repetition"] for record in found.records} == {1}
    assert means(found.records) == pytest.approx(lm_eval.numbers(path))
    assert lm_eval.numbers(path).keys() == {f"exact_match,{name}" for name in lm_eval.FILTERS}
    output = found.records[0]["outputs"]
    assert output["filtered"].keys() == set(lm_eval.FILTERS)
    assert isinstance(output["response"], str)


def test_filters_that_nothing_names_are_told_apart_by_their_order(tmp_path: Path) -> None:
    [path] = lm_eval.write_filters(tmp_path, 10, are_named=False)
    named = made(path).records
    lm_eval.results_beside(path).unlink()
    found = made(path)
    assert [record["scores"] for record in found.records] == [
        {
            "exact_match": record["scores"]["exact_match,strict-match"],
            "exact_match,filter-2": record["scores"]["exact_match,flexible-extract"],
        }
        for record in named
    ]
    assert "several filters a doc that nothing names" in found.notes


def test_lines_of_one_filter_that_come_again_are_repetitions(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(), sample(doc_id=1), sample(acc=0.0))
    found = made(path).records
    told = [(each["task_id"], each["repetition"], each["scores"]["acc"]) for each in found]
    assert told == [("t/0/d0c0d0c0", 1, 1), ("t/0/d0c0d0c0", 2, 0), ("t/1/d0c0d0c0", 1, 1)]
    assert len({each["source_run_id"] for each in found}) == 3


def test_perplexities_are_kept_as_what_they_are_made_of_and_of_the_whole(tmp_path: Path) -> None:
    [path] = lm_eval.write_perplexities(tmp_path, 25)
    found = made(path)
    assert {len(record["scores"]) for record in found.records} == {0}
    totals: defaultdict[str, float] = defaultdict(float)
    for record in found.records:
        for name, value in record["measurements"].items():
            totals[name] += value
    words = totals["word_perplexity_loglikelihood"] / totals["word_perplexity_weight"]
    size = totals["bits_per_byte_loglikelihood"] / totals["bits_per_byte_weight"]
    told = lm_eval.numbers(path)
    assert math.exp(-words) == pytest.approx(told["word_perplexity"])
    assert -size / math.log(2) == pytest.approx(told["bits_per_byte"])
    wholes = {each.evaluator_key: each.score for each in found.source.summary_scores()}
    assert wholes == told
    assert "kept of the whole arm only: bits_per_byte, byte_perplexity, word_perplexity" in (
        found.notes
    )


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        ({"gen_args_0": {"arg_0": "?", "arg_1": {"until": []}}}, "?"),
        ([["?", {"until": []}]], "?"),
        ([["a page"]], "a page"),
        ([["?", " a"], ["?", " b"]], {"prompt": "?", "choices": [" a", " b"]}),
        ([[['[{"role": "user", "content": "?"}]'], {}]], [{"role": "user", "content": "?"}]),
        ([['[{"role": broken', {}]], '[{"role": broken'),
        ([["?"], None, []], "?"),
        ("odd", {"question": "1 + 1 = ?"}),
        ([], {"question": "1 + 1 = ?"}),
        (None, {"question": "1 + 1 = ?"}),
    ],
)
def test_the_input_is_the_prompt_as_the_model_got_it(
    tmp_path: Path, arguments: object, inputs: object
) -> None:
    [record] = made(lines(tmp_path, sample(arguments=arguments))).records
    assert record["inputs"] == inputs


def test_the_likelihood_of_one_doc_is_no_perplexity(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(metrics=["perplexity"], perplexity=-3.25))
    [record] = made(path).records
    assert record["scores"] == {}
    assert record["measurements"] == {"perplexity_loglikelihood": -3.25}


def test_a_mean_of_what_is_only_called_perplexity_is_a_score(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(metrics=["perplexity"], perplexity=8.5))
    metric = {"metric": "perplexity", "aggregation": "mean"}
    results(tmp_path, {"perplexity,none": 8.5}, configs={"t": {"metric_list": [metric]}})
    [record] = made(path).records
    assert record["scores"] == {"perplexity": 8.5}


@pytest.mark.parametrize(
    ("value", "scores", "measurements"),
    [
        (0.5, {"m": 0.5}, None),
        (1, {"m": 1}, None),
        (True, {"m": 1}, None),
        ("True", {"m": 1}, None),  # as NumPy's booleans are written
        ("0.25", {"m": 0.25}, None),
        (None, {"m": None}, None),
        (float("nan"), {"m": None}, None),
        ("NaN", {"m": None}, None),
        ([True, False, True], {}, {"m_true": 2, "m_count": 3}),
        ([1, 0], {}, None),
        (["hypothesis", "reference"], {}, None),
        ({"pred": "A", "answer": "B"}, {}, None),
        ("a remark", {}, None),
    ],
)
def test_a_metric_is_a_score_where_it_is_one_number_of_the_doc(
    tmp_path: Path, value: object, scores: dict[str, Any], measurements: dict[str, float] | None
) -> None:
    path = lines(tmp_path, sample(metrics=["m"], m=value))
    found = made(path)
    [record] = found.records
    assert record["scores"] == scores
    assert record.get("measurements") == measurements
    assert ("no score of a single doc, so left out: m" in found.notes) == (not scores)


def test_what_nothing_scored_has_no_score(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(metrics=["bypass"], bypass=999))
    results(tmp_path, {"bypass,none": 999})
    found = made(path)
    assert [record["scores"] for record in found.records] == [{}]
    assert found.source.summary_scores() == []


def test_a_doc_that_changed_is_another_task(tmp_path: Path) -> None:
    first = lines(tmp_path / "a", sample())
    second = lines(tmp_path / "b", sample(doc_hash="beef" * 16))
    assert made(first).records[0]["task_id"] != made(second).records[0]["task_id"]


def test_files_without_hashes_meet_those_that_have_them(tmp_path: Path) -> None:
    [newer] = lm_eval.write(tmp_path / "new")
    [older] = lm_eval.write_old(tmp_path / "old")
    new, old = made(newer).records, made(older).records
    for name in ("task_id", "experiment_id", "scores", "inputs", "model_version"):
        assert [record[name] for record in old] == [record[name] for record in new]


def test_a_run_keeps_its_name_when_its_file_is_moved_and_has_another_at_another_time(
    tmp_path: Path,
) -> None:
    [path] = lm_eval.write(tmp_path / "a", seed=1)
    ids = [record["source_run_id"] for record in made(path).records]
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    moved = elsewhere / f"acme__small-1__{path.name}"
    moved.write_bytes(path.read_bytes())
    assert [record["source_run_id"] for record in made(moved).records] == ids
    again = path.with_name(path.name.replace(TIME, "2026-03-05T10-20-30.000001"))
    again.write_bytes(path.read_bytes())
    assert set(ids).isdisjoint(record["source_run_id"] for record in made(again).records)


def test_samples_without_results_tell_what_their_name_and_folder_tell(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path / "acme__small-1")
    lm_eval.results_beside(path).unlink()
    found = made(path, mapping="model_version: folder")
    record = found.records[0]
    assert record["experiment_id"] == "sums"
    assert record["model_version"] == "acme__small-1"
    assert record["recorded_at"] == "2026-03-02T10:20:30.000001"
    assert record["extension_version"] == "unversioned"
    assert "dataset_version" not in record
    assert "no results file is beside it that would tell its model and version; task sums" in (
        found.notes
    )


def test_results_in_a_folder_below_are_found(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path)
    below = tmp_path / "acme__small-1"
    below.mkdir()
    beside = lm_eval.results_beside(path)
    beside.rename(below / beside.name)
    assert made(path).records[0]["model_version"] == lm_eval.MODEL


def test_results_of_another_time_are_not_those_of_the_samples(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path, seed=1)
    lm_eval.write(tmp_path, seed=2)
    lm_eval.results_beside(path).unlink()
    assert "model_version" not in made(path).records[0]


def test_of_files_of_one_time_those_with_one_beginning_belong_together(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(), name=f"run-b__samples_t_{TIME}.jsonl")
    for run in ("run-a", "run-b"):
        beside = results(tmp_path, {"acc,none": 1.0}, model_name=run)
        beside.rename(tmp_path / f"{run}__{beside.name}")
    assert made(path).records[0]["model_version"] == "run-b"


def test_the_model_stands_in_the_arguments_of_old_results(tmp_path: Path) -> None:
    path = lines(tmp_path, sample())
    arguments = "pretrained=acme/base,peft=acme/tuned,dtype=float16"
    results(tmp_path, {"acc,none": 1.0}, config={"model": "hf", "model_args": arguments})
    assert made(path).records[0]["model_version"] == "acme/tuned"  # as the tool looks for it


def test_a_model_name_that_the_tool_made_up_is_none(tmp_path: Path) -> None:
    path = lines(tmp_path, sample())
    config: dict[str, object] = {"model": "dummy", "model_args": {}}
    results(tmp_path, {"acc,none": 1.0}, config=config, model_name="41pjso2k")
    assert made(path).records[0]["model_version"] == "dummy"
    config["model_args"] = {"pretrained": "41pjso2k"}
    results(tmp_path, {"acc,none": 1.0}, config=config, model_name="41pjso2k")
    assert made(path).records[0]["model_version"] == "41pjso2k"


def test_results_that_break_off_leave_the_samples_readable(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path)
    beside = lm_eval.results_beside(path)
    beside.write_bytes(beside.read_bytes()[:-20])
    found = made(path, beside)
    assert len(found.records) == 20
    assert found.reasons == ["the document breaks off; copy the file again, its end is missing"]
    assert "beside it cannot be read: the document breaks off" in found.notes


def test_results_with_their_samples_are_read_with_them(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path)
    found = made(lm_eval.results_beside(path), path)
    assert (len(found.records), found.reasons) == (20, [])
    assert "lm-evaluation-harness, read with the samples beside it" in found.notes
    assert [plan.planned_tasks for plan in found.source.plans()] == [20]


def test_results_alone_are_scores_of_the_whole_arm(tmp_path: Path) -> None:
    [path] = lm_eval.write_filters(tmp_path)
    told = lm_eval.numbers(path)
    path.unlink()
    beside = lm_eval.results_beside(path)
    wholes = [item for item in IMPORTER.runs(ToolFile(str(beside))) if isinstance(item, Whole)]
    assert {each.key: each.score for each in wholes} == told
    assert {each.comment for each in wholes} == {"standard error 0.0125, of 20 docs"}
    assert wholes[0].record["experiment_id"] == "words"
    assert wholes[0].record["extension_version"] == lm_eval.SHA
    found = made(beside)
    assert found.reasons == []
    assert "2 scores of a whole arm (exact_match,strict-match" in found.notes
    assert "run lm_eval with --log_samples" in found.notes


def test_a_task_without_samples_beside_one_with_them_is_told(tmp_path: Path) -> None:
    path = lines(tmp_path, sample())
    both = {"t": {"acc,none": 1.0}, "u": {"acc,none": 0.25}, "all": {"acc,none": 0.6}}
    groups = {"all": ["t", "u"], "t": [], "u": []}
    beside = results(tmp_path, {}, results=both, group_subtasks=groups)
    found = made(path, beside)
    assert (len(found.records), found.reasons) == (1, [])
    assert "its scores of u are left out: no samples of them are there" in found.notes


def test_samples_inside_the_results_are_read_as_those_beside_them(tmp_path: Path) -> None:
    [path] = lm_eval.write_returned(tmp_path / "one", 30)
    apart = [*lm_eval.write(tmp_path / "a", 30), *lm_eval.write_filters(tmp_path / "b", 30, seed=2)]
    found, wanted = made(path), made(*apart)
    for name in ("experiment_id", "task_id", "scores", "inputs", "outputs", "model_version"):
        assert [each[name] for each in found.records] == [each[name] for each in wanted.records]
    assert len({each["source_run_id"] for each in found.records}) == 60
    assert [row.row_number for row in found.rows] == [*range(1, 31), *range(31, 61)]
    planned = {plan.experiment_id: plan.planned_tasks for plan in found.source.plans()}
    assert planned == {"sums": 30, "words": 30}
    path.write_bytes(path.read_bytes()[:-3000])
    assert made(path).reasons == [
        "the document breaks off; copy the file again, its end is missing"
    ]


def test_which_way_a_score_is_better_is_what_the_results_say(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(metrics=["acc", "ter", "odd"], ter=30.0, odd=1.0, filter="first"))
    results(tmp_path, {"acc,first": 1.0}, higher_is_better={"t": {"acc": True, "ter": False}})
    configs = made(path).source.score_configs()
    assert [(each.experiment_id, each.evaluator_key, each.direction) for each in configs] == [
        ("t", "acc,first", "higher"), ("t", "ter,first", "lower"),
    ]  # fmt: skip


def test_where_files_differ_over_which_way_is_better_nothing_is_said(tmp_path: Path) -> None:
    paths = [lines(tmp_path / name, sample()) for name in ("a", "b")]
    for is_higher, path in zip((True, False), paths, strict=True):
        results(path.parent, {"acc,none": 1.0}, higher_is_better={"t": {"acc": is_higher}})
    assert len(made(paths[0]).source.score_configs()) == 1
    assert made(*paths).source.score_configs() == []


def test_files_of_one_arm_plan_it_once(tmp_path: Path) -> None:
    [first] = lm_eval.write(tmp_path, 20, seed=1)
    [second] = lm_eval.write(tmp_path, 30, seed=2)
    [plan] = made(first, second).source.plans()
    assert (plan.planned_tasks, plan.planned_repetitions) == (30, None)


def test_the_group_of_a_task_can_be_the_experiment(tmp_path: Path) -> None:
    path = lines(tmp_path, sample())
    groups = {"outer": ["inner"], "inner": ["t"], "t": []}
    results(tmp_path, {"acc,none": 1.0}, group_subtasks=groups)
    [record] = made(path, mapping="experiment_id: group").records
    assert record["experiment_id"] == "outer"
    assert record["task_id"].startswith("t/")
    assert record["metadata"]["category"] == "t"


def test_a_line_that_is_broken_is_rejected_alone(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path)
    text = path.read_bytes()
    path.write_bytes(text[:-30])
    found = made(path)
    assert len(found.records) == 19
    assert [row.row_number for row in found.rows if row.rejection] == [20]


@pytest.mark.parametrize("write", [lm_eval.write, lm_eval.write_filters])
def test_a_line_that_is_not_as_the_tool_writes_it_is_rejected_by_name(
    tmp_path: Path, write: Callable[[Path], list[Path]]
) -> None:
    [path] = write(tmp_path)
    count = len(made(path).records)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(sample(doc_id=[1])) + "\n")
        stream.write(json.dumps(sample(doc_id=98, metrics="acc")) + "\n")
    found = made(path)
    assert len(found.records) == count
    assert len(found.reasons) == 2
    assert any("`$.doc_id`" in reason for reason in found.reasons)
    assert any("`$.metrics`" in reason for reason in found.reasons)


def test_a_list_that_breaks_off_loads_nothing(tmp_path: Path) -> None:
    [path] = lm_eval.write_old(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    found = made(path)
    assert [row.rejection is None for row in found.rows] == [False]
    assert "breaks off" in found.reasons[0]


def test_results_of_a_future_version_are_refused_with_their_version(tmp_path: Path) -> None:
    told = {"t": {"acc,none": 1.0}}
    path = results(tmp_path, {}, results=told, versions=["t:1"], lm_eval_version="2.0")
    [reason] = made(path).reasons
    assert "the file is of 2.0, tried are 0.3 to 0.5.0.dev1" in reason


def test_numbers_that_are_none_are_counted_once(tmp_path: Path) -> None:
    values = [float("nan"), 1.0, float("inf")]
    said = [sample(doc_id=place, acc=value) for place, value in enumerate(values)]
    assert "2 numbers NaN or infinite" in made(lines(tmp_path, *said)).notes


def test_a_doc_longer_than_the_head_is_recognised(tmp_path: Path) -> None:
    path = lines(tmp_path, sample(doc={"context": "long " * 60_000}))
    assert len(made(path).records) == 1


def test_packed_samples_are_read_as_they_are(tmp_path: Path) -> None:
    [path] = lm_eval.write(tmp_path)
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert made(packed).records == made(path).records


def test_a_folder_loads_once_and_a_score_that_changed_is_a_new_version(
    database_url: str, tmp_path: Path
) -> None:
    [path] = lm_eval.write_filters(tmp_path)
    lm_eval.write_perplexities(tmp_path / "pages")
    first = loader(database_url, "ingest", tmp_path, "--experiment-group", "baseline")
    assert "loaded 40 · unchanged 0 · rejected 0" in first.stdout
    again = loader(database_url, "ingest", "--again", tmp_path, "--experiment-group", "baseline")
    assert "loaded 0 · unchanged 40 · rejected 0" in again.stdout
    text = path.read_text(encoding="utf-8")
    assert '"exact_match": 1.0' in text
    path.write_text(text.replace('"exact_match": 1.0', '"exact_match": 0.5', 1), encoding="utf-8")
    scored = loader(database_url, "ingest", tmp_path, "--experiment-group", "baseline")
    assert "loaded 1 · unchanged 39 · rejected 0" in scored.stdout
    told = select(
        database_url,
        "select experiment_id, evaluator_key from raw_evals.summary_scores order by 2",
    )
    assert select(
        database_url,
        "select distinct evaluator_key, direction from raw_evals.score_configs order by 1",
    ) == [(f"exact_match,{name}", "higher") for name in sorted(lm_eval.FILTERS)]
    names = ["bits_per_byte", "byte_perplexity", "word_perplexity"]
    assert told == [("pages", name) for name in names]


def test_arms_are_told_apart_by_what_the_files_say(database_url: str, tmp_path: Path) -> None:
    for place, model in enumerate(("acme/small", "acme/large")):
        [path] = lm_eval.write(tmp_path / model.replace("/", "__"), seed=place + 1)
        beside = lm_eval.results_beside(path)
        beside.write_text(beside.read_text(encoding="utf-8").replace(lm_eval.MODEL, model))
    arms = ("--control", "acme/small", "--treatment", "acme/large")
    mapped = ("--map", "experiment_group=model")
    done = loader(database_url, "ingest", tmp_path, *mapped, *arms)
    assert "loaded 40 · unchanged 0 · rejected 0" in done.stdout
    assert select(
        database_url,
        "select experiment_group, count(*) from raw_evals.evaluation_runs group by 1 order by 1",
    ) == [("acme/large", 20), ("acme/small", 20)]


@pytest.mark.skipif(not SHARED, reason="files of the tool are not here: ../shared/data/native")
def test_files_of_the_tool_load_with_the_means_that_it_tells() -> None:
    found = made(*SHARED)
    assert (len(found.records), found.reasons) == (260, [])
    for path in SHARED:
        if "samples_" not in path.name:
            continue
        task, _, time = path.stem.partition("samples_")[2].rpartition("_")
        [beside] = [each for each in SHARED if each.name.endswith(f"results_{time}.json")]
        told = json.loads(beside.read_text(encoding="utf-8"))["results"][task]
        one = made(path)
        wholes = {each.evaluator_key: each.score for each in one.source.summary_scores()}
        assert means(one.records) | wholes == pytest.approx(
            {
                name.removesuffix(",none"): value
                for name, value in told.items()
                if "," in name and "_stderr" not in name
            }
        )
