"""Exports of Braintrust become runs: one for each root span."""

from __future__ import annotations

import json
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

import servers
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import recognised
from tool_files import braintrust
from tool_reading import items_of, records, rejections, runs_of, source_of

if TYPE_CHECKING:
    from pathlib import Path

SHARED = servers.SHARED_DATA / "native" / "made" / "braintrust_export.csv"
WRITERS = (braintrust.write_lines, braintrust.write_answer, braintrust.write_table)


def row(**fields: object) -> dict[str, object]:
    return {
        "id": "r1", "span_id": "s1", "root_span_id": "s1", "is_root": True, "span_parents": None,
        "project_id": "p", "experiment_id": "e", "created": "2026-03-01T09:00:00Z",
        "input": "1+1", "output": "2", "scores": {"Exact": 1}, **fields,
    }  # fmt: skip


def lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("write", WRITERS)
def test_every_form_of_an_experiment_gives_the_same_runs(tmp_path: Path, write: object) -> None:
    path = write(tmp_path / "export", 30, 4)  # type: ignore[operator]
    found = {run.source_run_id: run for run in records(source_of(path))}
    wanted = {truth.id: truth for truth in braintrust.truths(30, 4)}
    assert found.keys() == wanted.keys()
    for name, truth in wanted.items():
        run = found[name]
        assert run.model_version == truth.model
        assert run.prompt_tokens == truth.prompt_tokens
        assert run.completion_tokens == truth.completion_tokens
        assert run.tokens_used == truth.prompt_tokens + truth.completion_tokens
        assert run.latency_ms == pytest.approx(truth.seconds * 1000, rel=1e-3)
        assert run.metadata["topic"] == "sums"
        assert run.metadata["tags"] == ["nightly"]
        assert run.repetition == 1
        if truth.error:
            assert (run.success, run.error_message) == (False, truth.error)
            assert not any((run.scores or {}).values())
        else:
            assert run.scores == {"Closeness": truth.score}
    scored = [run.scores["Closeness"] for run in found.values() if run.scores]
    assert fmean(value for value in scored if value is not None) == pytest.approx(
        fmean(truth.score for truth in wanted.values() if truth.score is not None)
    )


def test_the_forms_of_one_experiment_name_its_tasks_alike(tmp_path: Path) -> None:
    tasks = [
        {run["source_run_id"]: run["task_id"] for run in runs_of(write(tmp_path / "export", 9, 4))}
        for write in WRITERS
    ]
    assert tasks[0] == tasks[1] == tasks[2]
    assert len({*tasks[0].values()}) == 9


def test_scores_of_the_run_go_before_those_of_its_scorers(tmp_path: Path) -> None:
    below = {"is_root": False, "span_parents": ["s1"]}
    path = lines(
        tmp_path / "a.jsonl",
        row(id="c1", span_id="c1", scores={"Exact": 0, "Tone": 0.2}, **below),
        row(id="c2", span_id="c2", scores={"Tone": 0.6}, **below),
        row(scores={"Exact": 1, "Unknown": None}),
    )
    [run] = runs_of(path)
    assert run["scores"] == {"Exact": 1, "Tone": pytest.approx(0.4), "Unknown": None}
    assert run["source_run_id"] == "r1"


def test_what_scorers_called_is_no_cost_of_the_run(tmp_path: Path) -> None:
    below = {"is_root": False, "span_parents": ["s1"], "scores": None}
    call = {"type": "llm", "name": "call"}
    path = lines(
        tmp_path / "a.jsonl",
        row(),
        row(id="c1", span_id="c1", span_attributes=call, metrics={"prompt_tokens": 7}, **below),
        row(id="c2", span_id="c2", span_attributes=call, metrics={"prompt_tokens": 4}, **below),
        row(
            id="c3", span_id="c3", span_attributes={**call, "purpose": "scorer"},
            metrics={"prompt_tokens": 900}, metadata={"model": "judge"}, **below,
        ),
    )  # fmt: skip
    [run] = runs_of(path)
    assert run["prompt_tokens"] == 11
    assert "completion_tokens" not in run
    assert "model_version" not in run


@pytest.mark.parametrize("model", [{"name": "small"}, ["small"], 7, ""])
def test_a_model_that_is_no_text_is_not_told(tmp_path: Path, model: object) -> None:
    below = {"is_root": False, "span_parents": ["s1"], "scores": None}
    call = {"type": "llm"}
    path = lines(
        tmp_path / "a.jsonl", row(metadata={"model": model}),
        row(id="c1", span_id="c1", span_attributes=call, metadata={"model": model}, **below),
    )  # fmt: skip
    [run] = records(source_of(path))
    assert run.model_version == "unknown"


def test_a_scorer_that_crashed_leaves_a_score_without_a_value(tmp_path: Path) -> None:
    crashed = {"scorer_errors": {"Judge": "TypeError: no text"}}
    [run] = runs_of(lines(tmp_path / "a.jsonl", row(metadata=crashed)))
    assert run["scores"] == {"Exact": 1, "Judge": None}
    assert run["comments"] == {"Judge": "TypeError: no text"}


def test_scores_of_a_run_that_failed_count_as_they_do_at_braintrust(tmp_path: Path) -> None:
    """A test that fails logs both; whoever gives an error zeros asked for them to count."""
    path = lines(tmp_path / "a.jsonl", row(error={"message": "cut off"}, scores={"pass": 0}))
    [run] = records(source_of(path))
    assert run.scores == {"pass": 0}
    assert (run.success, run.error_message) == (False, '{"message":"cut off"}')


def test_an_input_that_was_tried_again_is_a_repetition(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        row(input={"a": 1, "b": 2}),
        row(id="r2", span_id="s2", root_span_id="s2", input={"b": 2, "a": 1}),
        row(id="r3", span_id="s3", root_span_id="s3", input={"a": 1}),
    )
    first, second, other = runs_of(path)
    assert first["task_id"] == second["task_id"] != other["task_id"]
    assert [run["repetition"] for run in (first, second, other)] == [1, 2, 1]


def test_a_record_of_a_dataset_names_the_task_and_its_dataset_the_experiment(
    tmp_path: Path,
) -> None:
    origin = {"object_type": "dataset", "object_id": "d-1", "id": "case-7"}
    [run] = runs_of(lines(tmp_path / "a.jsonl", row(origin=origin)))
    assert (run["task_id"], run["experiment_id"]) == ("case-7", "d-1")


def test_a_span_without_its_run_is_rejected_and_says_what_to_export(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", row(is_root=False, span_parents=["s0"], root_span_id="s0"))
    [(place, code, reason)] = rejections(source_of(path))
    assert (place, code) == (1, "no_root_span")
    assert "export the experiment with its root spans" in reason


def test_arms_can_be_told_apart_by_metadata(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", row(metadata={"variant": "code-chef"}))
    source = source_of(path, supplied={}, mapping=(("experiment_group", "metadata.variant"),))
    [run] = records(source)
    assert run.experiment_group == "code-chef"


def test_a_table_may_hold_scores_and_metrics_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "id,input,output,scores,metrics,metadata,tags\n"
        'r1,1+1,2,"{""Exact"": 1, ""Tone"": null}","{""tokens"": 9, ""llm_calls"": 2}",'
        '"{""model"": ""m""}",nightly\n',
        encoding="utf-8",
    )
    [run] = records(source_of(path))
    assert run.scores == {"Exact": 1, "Tone": None}
    assert run.measurements == {"llm_calls": 2}
    assert (run.tokens_used, run.model_version) == (9, "m")


def test_a_cell_that_is_no_number_rejects_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "id,input,output,metrics,scores.Exact\nr1,1+1,2,{},good\nr2,1+2,3,{},0.5\n",
        encoding="utf-8",
    )
    source = source_of(path)
    assert [(place, code) for place, code, _ in rejections(source)] == [(2, "unexpected_form")]
    assert len(runs_of(path)) == 1


def test_records_of_our_own_are_not_taken_for_an_experiment(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"task_id": "t", "id": "1", "input": "x", "scores": {}})
    assert recognised(ToolFile(str(path))) is None


@pytest.mark.skipif(not SHARED.exists(), reason="../shared has no such file here")
def test_the_shared_export_loads() -> None:
    first, second = records(source_of(SHARED))
    assert (first.scores, second.scores) == ({"Factuality": 1}, {"Factuality": 0})
    assert (first.latency_ms, second.latency_ms) == (1230, 1500)
    assert (first.tokens_used, second.tokens_used) == (120, 130)
    assert [run.metadata["section"] for run in (first, second)] == ["math", "geo"]
    assert len(items_of(SHARED)) == 2
