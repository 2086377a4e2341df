"""Inspect: both forms of a log, held against the numbers that the log states itself."""

from __future__ import annotations

import json
import random
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import servers
from loader.errors import ConfigurationError
from loader.sources import ArmPlan
from loader.sources.mapping import Mapping
from loader.sources.tools import FileBroken, Run
from loader.sources.tools.identity import refuse_unknown_names, refuse_without_arm
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of
from said_mapping import mapping
from tool_files import inspect_log as files
from tool_runs import ReadFiles, kinds_of, read_tool_files

if TYPE_CHECKING:
    from pathlib import Path

SHARED = servers.SHARED_DATA / "native" / "inspect"
LOGS = sorted(SHARED.glob("*.*"))
MEASURED = {"accuracy", "mean"}
ARCHIVES = {"zstandard": files.ZSTANDARD, "deflate": zipfile.ZIP_DEFLATED, "stored": 0}


def read(*paths: Path, maps: str = "") -> ReadFiles:
    return read_tool_files("inspect", *paths, maps=maps)


def reduced(found: ReadFiles, key: str) -> float:
    """Return the mean over tasks of the means over their epochs, as Inspect's metrics are."""
    tasks: dict[str, list[float]] = {}
    for record in found.records:
        value = record["scores"].get(key)
        if value is not None:
            tasks.setdefault(record["task_id"], []).append(value)
    means = [sum(values) / len(values) for values in tasks.values()]
    return sum(means) / len(means)


def of_log(path: Path) -> dict[str, Any]:
    """Return a log without its samples, as it stands there."""
    if path.suffix == ".eval":
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("header.json"))
            if "reductions.json" in archive.namelist():
                found["reductions"] = json.loads(archive.read("reductions.json"))
            return found
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def test_counts_means_errors_and_tokens_are_those_of_the_log(tmp_path: Path) -> None:
    for path, model in zip(files.write(tmp_path, 120), files.MODELS, strict=True):
        found = read(path)
        stated = files.numbers(60, seed=1 + files.MODELS.index(model), model=model)
        assert not found.rejections
        assert len(found.records) == stated.runs == 60
        assert sum("error_message" in each for each in found.records) == stated.errors == 6
        assert found.total("tokens_used") == stated.tokens
        assert stated.means.keys() == {
            "match", "model_graded_fact", "parts.tone", "parts.length",
        }  # fmt: skip
        for key, mean in stated.means.items():
            assert reduced(found, key) == pytest.approx(mean)


@pytest.mark.parametrize("method", ARCHIVES.values(), ids=ARCHIVES)
def test_both_forms_of_a_log_give_the_same_runs(tmp_path: Path, method: int) -> None:
    packed = read(files.write_archive(tmp_path / "a.eval", 30, method=method))
    plain = read(files.write_json(tmp_path / "a.json", 30))
    assert packed.records == plain.records
    assert len(packed.records) == 30


def test_a_sample_becomes_a_record_field_by_field(tmp_path: Path) -> None:
    [sample, *_] = files.samples(2)
    found = read(files.write_json(tmp_path / "a.json", 2))
    usage = list(sample["model_usage"].values())

    def total(name: str) -> int:
        return sum(each[name] for each in usage)

    parts = sample["scores"]["parts"]["value"]
    answer = sample["output"]["completion"]
    assert found.records[0] == {
        "experiment_id": "likes",
        "experiment_group": "baseline",
        "extension_version": "abc123",
        "task_id": "1",
        "source_run_id": "u1x1x1",
        "repetition": 1,
        "recorded_at": "2026-03-02T01:00:01.5+00:00",
        "model_version": "acme/large",
        "agent_name": "react",
        "dataset_version": "numbers@3 (100 samples)",
        "scores": {
            "match": {"Yes": 1, "Perhaps": 0.5, "No": 0}[answer],
            "model_graded_fact": sample["scores"]["model_graded_fact"]["value"],
            "parts.tone": float(parts["tone"]),
            "parts.length": float(parts["length"]),
        },
        "labels": {"mood": sample["scores"]["mood"]["value"]},
        "comments": {"match": f"said {answer}", "model_graded_fact": "so so"},
        "evaluator_versions": {"model_graded_fact": "acme/judge"},
        "latency_ms": 2500,
        "measurements": {"working_time_ms": 1250},
        "tokens_used": total("total_tokens"),
        "prompt_tokens": total("input_tokens") + total("input_tokens_cache_read"),
        "completion_tokens": total("output_tokens"),
        "cached_tokens": total("input_tokens_cache_read"),
        "reasoning_tokens": total("reasoning_tokens"),
        "success": True,
        "inputs": sample["input"],
        "outputs": answer,
        "reference_outputs": "Yes",
        "metadata": {
            "category": "odd",
            "weight": 1,
            "inspect": {
                "tags": ["nightly"],
                "task_args": {"tone": "dry", "shots": 2, "strict": False},
                "model_args": {"region": "eu"},
                "model_roles": {"grader": "acme/judge"},
                "generate_config": {"temperature": 0.5},
                "packages": {"inspect_ai": "0.3.285"},
                "tokens_by_model": {
                    model: of["total_tokens"] for model, of in sample["model_usage"].items()
                },
                "answers": {"match": answer},
            },
        },
    }


def test_epochs_are_repetitions_in_the_order_of_epochs_and_ids(tmp_path: Path) -> None:
    found = read(files.write_archive(tmp_path / "a.eval", 24))
    assert [(each["repetition"], each["task_id"]) for each in found.records] == [
        (epoch, str(task)) for epoch in (1, 2) for task in range(1, 13)
    ]


def test_a_failed_sample_is_a_run_with_an_error_and_without_scores(tmp_path: Path) -> None:
    scores = {"match": {"value": "I"}}

    def scored(sample: dict[str, Any]) -> None:
        if "error" in sample:
            sample["scores"] = scores

    found = read(files.write_json(tmp_path / "a.json", 40, changes=scored))
    failed = [each for each in found.records if "error_message" in each]
    assert [each["error_message"] for each in failed] == [
        f"tool {task} fell over" for _ in range(2) for task in (10, 20)
    ]
    assert all(each["scores"] == {} and each["success"] is False for each in failed)

    def on_error(log: dict[str, Any]) -> None:
        log["eval"]["config"]["score_on_error"] = True

    found = read(files.write_json(tmp_path / "b.json", 40, changes=scored, change=on_error))
    failed = [each for each in found.records if "error_message" in each]
    assert [each["scores"] for each in failed] == [{"match": 0}] * 4


def test_limits_retries_and_invalidation_are_told(tmp_path: Path) -> None:
    def change(sample: dict[str, Any]) -> None:
        if sample["id"] == 1:
            sample["limit"] = {"type": "token", "limit": 100}
            sample["error_retries"] = [{"message": "once"}, {"message": "twice"}]
            sample["turn_count"] = 7
        elif sample["id"] == 2:
            by = {"author": "ana", "reason": "wrong image", "timestamp": "2026-04-01T00:00:00Z"}
            sample["invalidation"] = by

    limited, invalid = read(files.write_json(tmp_path / "a.json", 4, changes=change)).records[:2]
    assert limited["metadata"]["inspect"]["limit"] == "token"
    assert limited["measurements"]["error_retries"] == 2
    assert limited["measurements"]["turns"] == 7
    assert "success" not in limited
    assert limited["scores"]["match"] is not None
    assert set(invalid["scores"].values()) == {None}
    assert not {"success", "labels", "error_message"} & invalid.keys()
    assert invalid["metadata"]["inspect"]["invalidated"] == {
        "author": "ana", "reason": "wrong image",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "story"),
    [
        ("cancelled", "the evaluation was cancelled; 14 of 20 samples are in the log"),
        ("started", "the evaluation had not ended when this was written; 14 of 20 samples"),
        ("error", "the evaluation failed: out of luck; 14 of 20 samples are in the log"),
    ],
)
def test_a_log_that_did_not_end_well_says_so_and_how_much_was_planned(
    tmp_path: Path, status: str, story: str
) -> None:
    def change(log: dict[str, Any]) -> None:
        log["status"] = status
        log["error"] = {"message": "out of luck\nsecond line"}
        log["eval"]["dataset"]["sample_ids"] = list(range(10))

    found = read(files.write_json(tmp_path / "a.json", 14, change=change))
    assert any(story in note for note in found.notes), found.notes
    assert found.source.plans() == [ArmPlan("likes", "baseline", "abc123", 2, 10)]
    assert len(found.records) == 14


def test_a_log_that_has_not_ended_is_read_by_its_journal(tmp_path: Path) -> None:
    found = read(files.write_archive(tmp_path / "a.eval", 8, has_ended=False))
    ended = read(files.write_archive(tmp_path / "b.eval", 8))
    assert found.records == ended.records
    assert any("had not ended" in note for note in found.notes)


def test_samples_that_were_not_wanted_any_more_are_not_missed(tmp_path: Path) -> None:
    def change(log: dict[str, Any]) -> None:
        log["results"]["early_stopping"] = {"manager": "enough", "early_stops": []}
        log["eval"]["dataset"]["sample_ids"] = list(range(50))

    assert read(files.write_json(tmp_path / "a.json", 8, change=change)).source.plans() == []


def test_what_was_planned_is_not_told_of_a_whole_log(tmp_path: Path) -> None:
    assert read(files.write_json(tmp_path / "a.json", 8)).source.plans() == []


@pytest.mark.parametrize(
    ("told", "tasks"),
    [
        ({"sample_ids": None}, 10),  # results: 20 of 2 epochs
        ({"sample_ids": None, "results": None}, 100),
        ({"sample_ids": None, "results": None, "limit": 12}, 12),
        ({"sample_ids": None, "results": None, "limit": [10, 25]}, 15),
    ],
)
def test_the_plan_is_known_without_a_list_of_ids(
    tmp_path: Path, told: dict[str, Any], tasks: int
) -> None:
    def change(log: dict[str, Any]) -> None:
        log["status"] = "cancelled"
        log["eval"]["dataset"]["sample_ids"] = told["sample_ids"]
        log["eval"]["config"]["limit"] = told.get("limit")
        log["results"] = {"total_samples": 20} if "results" not in told else None

    found = read(files.write_json(tmp_path / "a.json", 7, change=change))
    assert [plan.planned_tasks for plan in found.source.plans()] == [tasks]


def test_metrics_of_a_log_without_samples_are_of_the_whole_arm(tmp_path: Path) -> None:
    def no_number(log: dict[str, Any]) -> None:
        log["results"]["scores"][0]["metrics"]["mean"]["value"] = float("nan")
        log["results"]["scores"][1]["reducer"] = "pass_at_2"

    whole = files.write_json(tmp_path / "whole.json", 8)
    bare = tmp_path / "bare.json"
    log = files.header(8)
    no_number(log)
    bare.write_text(json.dumps(log))
    wholes = read(whole, bare).wholes
    stated = files.numbers(8).means
    assert {each.evaluator_key: each.score for each in wholes} == {
        "match.mean": None,
        "model_graded_fact.pass_at_2.mean": stated["model_graded_fact"],
        "parts.tone.mean": stated["parts.tone"],
        "parts.length.mean": stated["parts.length"],
    }
    assert {each.scored_at for each in wholes} == {"2026-03-02T12:00:00+00:00"}
    [*_, last] = wholes
    assert last[:3] == ("likes", "baseline", "abc123")


def test_a_log_of_the_first_version_names_its_only_scorer_elsewhere(tmp_path: Path) -> None:
    def first(log: dict[str, Any]) -> None:
        log["version"] = 1
        metrics = {"accuracy": {"name": "accuracy", "value": 0.5}}
        log["results"] = {"scorer": {"name": "match", "params": {}}, "metrics": metrics}

    def change(sample: dict[str, Any]) -> None:
        sample["score"] = sample.pop("scores", {}).get("match", {"value": "C"})
        sample["transcript"] = {
            "events": [
                {"event": "model", "output": {"usage": {"input_tokens": 5, "output_tokens": 2}},
                 "timestamp": "2024-03-01T10:00:00+00:00"},
                {"event": "model", "output": {"usage": {"input_tokens": 7, "output_tokens": 1}},
                 "timestamp": "2024-03-01T10:00:09+00:00"},
            ],
            "content": {"abc": "a long question"},
        }  # fmt: skip
        sample["input"] = "attachment://abc"
        for name in ("completed_at", "started_at", "events", "attachments", "model_usage", "uuid"):
            del sample[name]

    found = read(files.write_json(tmp_path / "a.json", 2, change=first, changes=change))
    record = found.records[0]
    assert record["scores"].keys() == {"match"}
    assert record["recorded_at"] == "2024-03-01T10:00:09+00:00"
    assert (record["prompt_tokens"], record["completion_tokens"]) == (12, 3)
    assert record["inputs"] == "a long question"
    assert record["source_run_id"] == "run1/task1/1/1"


def test_a_run_is_named_by_its_uuid_wherever_its_log_lies(tmp_path: Path) -> None:
    def rescored(log: dict[str, Any]) -> None:
        log["eval"]["eval_id"] = "another"
        log["eval"]["tags"] = ["nightly"]
        log["log_updates"] = [
            {"edits": [{"type": "tags", "tags_add": ["seen"], "tags_remove": ["nightly"]}]}
        ]

    def again(sample: dict[str, Any]) -> None:
        if "scores" in sample:
            sample["scores"]["match"]["value"] = "C"

    first = read(files.write_json(tmp_path / "a.json", 12))
    (tmp_path / "moved").mkdir()
    path = files.write_archive(tmp_path / "moved" / "b.eval", 12, change=rescored, changes=again)
    second = read(path)
    names = [each["source_run_id"] for each in first.records]
    assert names == [each["source_run_id"] for each in second.records]
    assert len(set(names)) == 12
    others = [
        {name: value for name, value in each.items() if name != "scores"}
        for each in (*first.records, *second.records)
    ]
    assert others[:12] == others[12:]


def test_a_sample_written_again_counts_as_it_was_written_last(tmp_path: Path) -> None:
    path = files.write_archive(tmp_path / "a.eval", 4)
    [sample, *_] = files.samples(4)
    sample["scores"] = {"match": {"value": "P"}}
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(path, "a") as archive,
    ):
        files.put(archive, "samples/1_epoch_1.json", sample)
    found = read(path)
    assert len(found.records) == 4
    assert found.records[0]["scores"] == {"match": 0.5}


def test_a_sample_in_several_members_is_put_together(tmp_path: Path) -> None:
    path = files.write_archive(tmp_path / "a.eval", 2)
    [sample, *_] = files.samples(1)
    sample |= {"id": "a/b", "uuid": "chunked", "input": "attachment://3", "metadata": {}}
    with zipfile.ZipFile(path, "a") as archive:
        for name, value in {
            "sample.json": sample,
            "metadata.json": {"category": "far"},
            "skeleton.json": {"id": "no sample"},
            "events/0.json": [{"event": "model"}],
            "attachments/0.json": ["zero", "one"],
            "attachments/2.json": ["two", "three"],
        }.items():
            files.put(archive, f"samples/a/b_epoch_1/{name}", value)
    found = read(path)
    [record] = [each for each in found.records if each["task_id"] == "a/b"]
    assert len(found.records) == 3
    assert record["source_run_id"] == "chunked"
    assert record["inputs"] == "three"
    assert record["metadata"]["category"] == "far"


def test_numbers_and_texts_that_look_alike_are_samples_of_their_own(tmp_path: Path) -> None:
    path = files.write_archive(tmp_path / "a.eval", 1)
    with zipfile.ZipFile(path, "a") as archive:
        for named in ("01", "001"):
            [sample] = files.samples(1)
            sample |= {"id": named, "uuid": f"u{named}"}
            files.put(archive, f"samples/{named}_epoch_1.json", sample)
    assert sorted(each["task_id"] for each in read(path).records) == ["001", "01", "1"]


@pytest.mark.parametrize(
    ("usage", "prompt", "completion"),
    [
        # most providers: what came from the cache stands beside what was read
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": 45,
          "input_tokens_cache_read": 20, "input_tokens_cache_write": 10}, 40, 5),
        # some: it is part of it
        ({"input_tokens": 30, "output_tokens": 5, "total_tokens": 35,
          "input_tokens_cache_read": 20}, 30, 5),
        # and of some the reasoning stands beside what was written
        ({"input_tokens": 30, "output_tokens": 5, "total_tokens": 135,
          "reasoning_tokens": 100}, 30, 105),
        ({"input_tokens": 30, "output_tokens": 105, "total_tokens": 135,
          "reasoning_tokens": 100}, 30, 105),
    ],
)  # fmt: skip
def test_tokens_are_all_that_were_read_and_written_whatever_the_provider_counts(
    tmp_path: Path, usage: dict[str, int], prompt: int, completion: int
) -> None:
    def change(sample: dict[str, Any]) -> None:
        sample["model_usage"] = {"m": {**usage, "total_cost": 0.25}}

    record = read(files.write_json(tmp_path / "a.json", 1, changes=change)).records[0]
    assert record["prompt_tokens"] == prompt
    assert record["completion_tokens"] == completion
    assert record["tokens_used"] == usage["total_tokens"] == prompt + completion
    assert record["cost_usd"] == 0.25


def test_what_is_not_there_is_absent_and_not_zero(tmp_path: Path) -> None:
    def bare(log: dict[str, Any]) -> None:
        spec = log["eval"]
        log["eval"] = {"task": spec["task"], "model": spec["model"], "config": {}}
        log["eval"]["dataset"] = {}
        del log["stats"], log["results"]

    def change(sample: dict[str, Any]) -> None:
        for name in [*sample]:
            if name != "id":
                del sample[name]

    found = read(files.write_json(tmp_path / "a.json", 1, change=bare, changes=change))
    assert found.records == [
        {
            "experiment_id": "likes",
            "experiment_group": "baseline",
            "extension_version": "unversioned",
            "model_version": "acme/large",
            "dataset_version": "likes@0",
            "task_id": "1",
            "source_run_id": "likes/acme/large/1/1",
            "repetition": 1,
            "recorded_at": None,
            "scores": {},
            "success": True,
        }
    ]


def test_null_is_the_same_as_absent_everywhere(tmp_path: Path) -> None:
    """Of what a log may lack, every member is tried, in the log and in its samples."""

    def told(form: str, change: str, value: dict[str, Any]) -> None:
        needed = {"eval", "version", "task", "model", "id", "epoch"}
        for name in value.keys() - needed:
            if change == "null":
                value[name] = None
            else:
                del value[name]
        if form == "log":
            value["status"] = "success"
            spec = value["eval"]
            for name in spec.keys() - needed:
                spec[name] = None
                if change != "null":
                    del spec[name]

    found = [
        read(
            files.write_json(
                tmp_path / f"{change}.json",
                2,
                change=lambda log, change=change: told("log", change, log),
                changes=lambda sample, change=change: told("sample", change, sample),
            )
        ).records
        for change in ("null", "gone")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_the_arm_may_be_told_by_any_name_of_the_log(tmp_path: Path) -> None:
    paths = files.write(tmp_path, 8)
    told = {
        "model": set(files.MODELS),
        "task_args.tone": {"dry"},
        "model_args.region": {"eu"},
        "model_roles.grader": {"acme/judge"},
        "revision": {"abc123"},
        "file": {"large.eval", "small.json"},
    }
    for name, groups in told.items():
        found = read(*paths, maps=f"experiment_group={name}")
        assert {each["experiment_group"] for each in found.records} == groups


def test_a_secret_among_the_arguments_goes_nowhere(tmp_path: Path) -> None:
    def change(log: dict[str, Any]) -> None:
        secrets = {"api_key": "sk-hidden", "hub_token": "hf-hidden", "db_password": "hidden"}
        log["eval"]["model_args"] = {"max_tokens": 5, "region": "eu", **secrets}
        log["eval"]["task_args"] = {"secret_word": "hidden"}

    path = files.write_json(tmp_path / "a.json", 2, change=change)
    items = list(importer_of("inspect").runs(ToolFile(str(path))))
    assert "hidden" not in repr(items)
    names = next(item.names for item in items if isinstance(item, Run))
    assert names["model_args.max_tokens"] == 5
    assert names["model_args.region"] == "eu"


def test_names_are_told_where_nothing_says_the_arm(tmp_path: Path) -> None:
    importer = importer_of("inspect")
    logs = [(ToolFile(str(path)), importer) for path in files.write(tmp_path, 4)]
    with pytest.raises(ConfigurationError) as error:
        refuse_without_arm(logs, Mapping(), ())
    told = str(error.value)
    assert 'model: "acme/large" (' in told
    assert 'task_args.tone: "dry"' in told
    assert 'task_args.strict: "false"' in told
    assert "--map experiment_group=model --control acme/large --treatment acme/small" in told
    refuse_unknown_names(mapping("experiment_group=task_args.anything"), importer)
    with pytest.raises(ConfigurationError, match=r"have no .task_argz\.tone"):
        refuse_unknown_names(mapping("experiment_group=task_argz.tone"), importer)


def test_a_log_of_an_unknown_version_is_refused_with_its_number(tmp_path: Path) -> None:
    def change(log: dict[str, Any]) -> None:
        log["version"] = 9

    for path in (
        files.write_json(tmp_path / "a.json", 2, change=change),
        files.write_archive(tmp_path / "a.eval", 2, change=change),
    ):
        with pytest.raises(FileBroken, match="version 9 of Inspect's log format is not known"):
            next(importer_of("inspect").runs(ToolFile(str(path))))


def test_a_log_without_a_sample_and_a_metric_says_what_became_of_it(tmp_path: Path) -> None:
    def change(log: dict[str, Any]) -> None:
        log["status"] = "error"
        log["error"] = {"message": "no image of that name"}
        del log["results"]

    path = files.write_json(tmp_path / "a.json", 0, change=change)
    [(_, rejection)] = read(path).rejections
    assert rejection.reason_code == "empty_file"
    assert "the evaluation failed: no image of that name" in rejection.reason


def test_a_damaged_sample_is_rejected_alone_with_its_member(tmp_path: Path) -> None:
    path = files.write_archive(tmp_path / "a.eval", 6)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("samples/2_epoch_1.json")
        middle = info.header_offset + 60 + info.compress_size // 2
    content = bytearray(path.read_bytes())
    content[middle] ^= 0xFF
    path.write_bytes(content)
    found = read(path)
    [(number, rejection)] = found.rejections
    assert number == 2
    assert rejection.reason_code == "corrupt_zip"
    assert "samples/2_epoch_1.json" in rejection.reason
    assert len(found.records) == 5


def test_an_archive_that_breaks_off_is_told_as_what_it_is(tmp_path: Path) -> None:
    path = files.write_archive(tmp_path / "a.eval", 30)
    path.write_bytes(path.read_bytes()[:5000])
    assert kinds_of(path) == ["inspect"]
    [(_, rejection)] = read(path).rejections
    assert rejection.reason_code == "corrupt_zip"
    assert "copy it again, its end is missing" in rejection.reason


def test_a_member_that_claims_to_be_small_is_not_unpacked_past_that(tmp_path: Path) -> None:
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as archive:
        files.put(archive, "_journal/start.json", files.header(1))
        files.put(archive, "samples/1_epoch_1.json", b" " * 30_000_000)
        archive.getinfo("samples/1_epoch_1.json").file_size = 1000
    [(_, rejection)] = read(path).rejections
    assert rejection.reason_code == "corrupt_zip"


@pytest.mark.parametrize("method", [files.ZSTANDARD, zipfile.ZIP_DEFLATED])
def test_of_a_very_long_sample_all_but_its_transcript_is_read(tmp_path: Path, method: int) -> None:
    noise = random.Random(1).randbytes(17_000_000).hex()  # noqa: S311  of a test

    def change(sample: dict[str, Any]) -> None:
        if sample["id"] == 1:
            texts = {"a": noise, "b": 'brackets ]}" and more'}
            sample["events"] = [{"event": "tool", "result": texts}]
            sample["input"] = "attachment://gone"

    brief = read(files.write_json(tmp_path / "a.json", 3))
    found = read(files.write_archive(tmp_path / "a.eval", 3, method=method, changes=change))
    assert not found.rejections
    for record in (*found.records, *brief.records):
        del record["inputs"]
    assert found.records == brief.records


def test_without_the_package_for_zstandard_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_archive(tmp_path / "a.eval", 2)
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    [(_, rejection)] = read(path).rejections
    assert rejection.reason_code == "missing_package"
    assert "evalmart[inspect]" in rejection.reason


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_real_logs_agree_with_their_own_metrics(path: Path) -> None:
    log = of_log(path)
    found = read(path)
    results = log.get("results") or {}
    if not found.records:
        assert [rejection.reason_code for _, rejection in found.rejections] == ["without_runs"]
        return
    assert not found.rejections
    for score in results.get("scores", []):
        for name in MEASURED & score["metrics"].keys():
            stated = score["metrics"][name]["value"]
            if any(score["name"] in each["scores"] for each in found.records):
                assert reduced(found, score["name"]) == pytest.approx(stated)
    used = log["stats"]["model_usage"].values()
    if found.total("tokens_used"):
        assert found.total("tokens_used") == sum(each["total_tokens"] for each in used)
    for reduction in log.get("reductions") or []:
        for sample in reduction["samples"]:
            values = [
                each["scores"][reduction["scorer"]]
                for each in found.records
                if each["task_id"] == str(sample["sample_id"])
            ]
            assert sum(values) / len(values) == pytest.approx(sample["value"])


@pytest.mark.parametrize(
    "path", sorted(servers.SHARED_DATA.glob("popularity_*.jsonl")), ids=lambda path: path.name
)
def test_logs_agree_with_records_that_others_made_of_them(path: Path) -> None:
    runs = {
        item.record["source_run_id"]: item.record
        for log in LOGS
        if log.suffix == ".eval"
        for item in importer_of("inspect").runs(ToolFile(str(log)))
        if isinstance(item, Run)
    }
    records = [json.loads(line) for line in path.read_text().splitlines()]
    shared = 0
    for record in records:
        name, _, _ = record["source_run_id"].partition("/")
        run = runs.get(name)
        if run is None:
            continue
        shared += 1
        assert run["scores"]["match"] == record["scores"]["accuracy"]
        assert run["latency_ms"] == record["latency_ms"]
        assert run["tokens_used"] == record["tokens_used"]
        assert run["model_version"] == record["model_version"]
        assert run["recorded_at"] == record["recorded_at"]
        assert record["task_id"] == f"popularity-{run['task_id']}"
    assert shared >= len(records) // 4
