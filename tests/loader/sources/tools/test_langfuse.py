"""Scores of Langfuse become runs, one for each trace; files of a folder are joined."""

from __future__ import annotations

import json
import os
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

import servers
from loader.sources.tools import Run, Said
from tool_files import langfuse
from tool_reading import items_of, records, rejections, runs_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = servers.SHARED_DATA / "native" / "made" / "langfuse_scores.csv"
NOBODY = 65534


def _table(path: Path) -> Path:
    return langfuse.write_table(path, langfuse.all_scores(20, 3))


def _blobs(path: Path) -> Path:
    return langfuse.write_blobs(path, langfuse.all_scores(20, 3))


def _answer(path: Path) -> Path:
    return langfuse.write_answer(path, langfuse.all_scores(20, 3))


def _answer_v3(path: Path) -> Path:
    return langfuse.write_answer_v3(path, 20, 3)


def _list(path: Path) -> Path:
    path.write_text(json.dumps([*langfuse.all_scores(20, 3)]), encoding="utf-8")
    return path


def _experiment(path: Path) -> Path:
    return langfuse.write_answer(path, langfuse.experiment_items(20, 3))


def score(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON value
    return {
        "id": "s1", "traceId": "t1", "name": "good", "dataType": "NUMERIC", "value": 0.5,
        "source": "EVAL", "timestamp": "2026-04-02T08:00:00.000Z", **fields,
    }  # fmt: skip


def answer(path: Path, *rows: dict[str, Any]) -> Path:
    return langfuse.write_answer(path, rows)


@pytest.mark.parametrize("write", [_table, _blobs, _answer, _answer_v3, _list, _experiment])
def test_every_export_gives_the_same_scores_of_the_same_traces(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    found = {run.source_run_id: run for run in records(source_of(write(tmp_path / "export")))}
    wanted = {truth.trace: truth for truth in langfuse.truths(20, 3)}
    assert found.keys() == wanted.keys()
    for trace, truth in wanted.items():
        run = found[trace]
        assert run.scores == {"correctness": truth.correctness, "passed": float(truth.passed)}
        assert run.labels == {"tone": truth.tone}
        assert run.comments == {"correctness": "as asked"}
        assert run.recorded_at.isoformat(timespec="milliseconds") == truth.at
    assert fmean(run.scores["correctness"] for run in found.values()) == fmean(
        truth.correctness for truth in wanted.values()
    )


def test_a_table_of_scores_alone_says_what_its_tasks_lack(tmp_path: Path) -> None:
    source = source_of(_table(tmp_path / "scores.csv"))
    assert all(run.task_id == run.source_run_id for run in records(source))
    [note] = [note for note in source.notes() if "the trace is the task" in note]
    assert note.startswith(f"{tmp_path / 'scores.csv'}: 20 runs without an item")
    assert "--format langfuse --map task_id=trace_name" in note


def test_the_remedy_that_is_told_works(tmp_path: Path) -> None:
    path = _table(tmp_path / "scores.csv")
    source = source_of(path, mapping=(("task_id", "trace_name"),))
    assert {run.task_id for run in records(source)} == {"answer"}


def test_items_of_a_dataset_run_beside_the_scores_name_tasks_and_arms(tmp_path: Path) -> None:
    langfuse.write_answer(tmp_path / "run items.json", langfuse.items(20, 3))
    mapping = (("experiment_group", "dataset_run{prompt-v3:code-chef}"),)
    source = source_of(_table(tmp_path / "scores.csv"), supplied={}, mapping=mapping)
    found = {run.source_run_id: run for run in records(source)}
    for truth in langfuse.truths(20, 3):
        run = found[truth.trace]
        assert (run.task_id, run.repetition) == (truth.item, 1)
        assert run.experiment_group == "code-chef"
        assert run.scores["correctness"] == truth.correctness
    assert not [note for note in source.notes() if "the trace is the task" in note]


def test_a_file_whose_traces_are_loaded_with_another_says_so_and_loads_none(
    tmp_path: Path,
) -> None:
    _table(tmp_path / "scores.csv")
    items = langfuse.write_answer(tmp_path / "items.json", langfuse.items(21, 3))
    source = source_of(items)
    [run] = records(source)  # the one trace that has no score
    assert run.task_id == "item-20"
    assert not run.scores
    assert any("20 traces of it: loaded with another file" in note for note in source.notes())


def test_a_file_beside_that_may_not_be_read_is_passed_over_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(tmp_path / "a.json", score())
    (tmp_path / "private.csv").write_bytes(b"name,wage\n")
    (tmp_path / "private.csv").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # whoever root becomes may not walk down to it
    source = source_of(Path("a.json"))
    own = os.geteuid()
    if not own:
        os.seteuid(NOBODY)
    try:
        [run] = records(source)
    finally:
        os.seteuid(own)
    assert run.scores == {"good": 0.5}
    [note] = [each for each in source.notes() if "private" in each]
    assert note == (
        "private.csv beside a.json cannot be read, and is passed over; check its rights"
    )


def test_pages_of_one_answer_give_each_trace_once(tmp_path: Path) -> None:
    rows = [*langfuse.all_scores(20, 3)]
    first = langfuse.write_answer(tmp_path / "page1.json", rows[:30], 1, 2)
    second = langfuse.write_answer(tmp_path / "page2.json", rows[30:], 2, 2)
    found = records(source_of(first, second))
    assert sorted(run.source_run_id for run in found) == sorted(
        truth.trace for truth in langfuse.truths(20, 3)
    )
    assert all(len(run.scores) == 2 and run.labels for run in found)


def test_two_exports_that_overlap_are_no_pages(tmp_path: Path) -> None:
    first, second = _table(tmp_path / "april.csv"), _table(tmp_path / "may.csv")
    assert [*map(len, (runs_of(first), runs_of(second)))] == [20, 20]


def test_the_latest_score_of_a_name_counts_and_one_of_the_trace_before_its_parts(
    tmp_path: Path,
) -> None:
    path = answer(
        tmp_path / "a.json",
        score(id="old", value=0.1),
        score(id="new", value=0.9, timestamp="2026-04-03T08:00:00.000Z"),
        score(id="part", value=0.4, observationId="o1", timestamp="2026-05-03T08:00:00.000Z"),
    )
    [run] = records(source_of(path))
    assert run.scores == {"good": 0.9}
    assert run.metadata["earlier_scores"] == 2


def test_what_a_named_person_gave_is_said_by_them_and_not_the_evaluators(tmp_path: Path) -> None:
    person = {"source": "ANNOTATION", "authorUserId": "u-7", "comment": "no, it is wrong"}
    path = answer(
        tmp_path / "a.json",
        score(value=0.9),
        score(id="s2", value=0, timestamp="2026-05-01T08:00:00.000Z", **person),
        score(id="s3", name="human only", value=1, **person),
        score(id="s4", name="nobody's", value=0.3, source="ANNOTATION"),
    )
    run, *said, _ = items_of(path)
    assert isinstance(run, Run)
    assert run.record["scores"] == {"good": 0.9, "human only": 1.0, "nobody's": 0.3}
    assert said == [
        Said(run, "good", 0.0, "u-7", "no, it is wrong"),
        Said(run, "human only", 1.0, "u-7", "no, it is wrong"),
    ]


def test_text_is_a_comment_and_a_correction_what_should_have_been_answered(tmp_path: Path) -> None:
    path = answer(
        tmp_path / "a.json",
        score(id="s2", name="why", dataType="TEXT", value=None, stringValue="too long"),
        score(id="s3", name="output", dataType="CORRECTION", value=0, stringValue="Paris"),
        score(id="s4", traceId="t2", name="output", dataType="CORRECTION", value="Rome"),
    )
    run, newer = records(source_of(path))
    assert newer.reference_outputs == "Rome"
    assert not run.scores
    assert run.comments == {"why": "too long"}
    assert run.reference_outputs == "Paris"


def test_a_number_that_is_missing_is_no_zero(tmp_path: Path) -> None:
    [run] = runs_of(answer(tmp_path / "a.json", score(value=None)))
    assert run["scores"] == {"good": None}


def test_a_score_of_a_dataset_run_is_one_of_the_arm(tmp_path: Path) -> None:
    path = answer(
        tmp_path / "a.json", score(), score(id="s2", traceId=None, datasetRunId="r-1", value=0.25)
    )
    mapping = (("experiment_group", "dataset_run_id"),)
    source = source_of(path, supplied={}, mapping=mapping)
    assert len(list(source.rows())) == 1  # the run, which lacks the name that is mapped
    [whole] = source.summary_scores()
    assert (whole.experiment_group, whole.evaluator_key, whole.score) == ("r-1", "good", 0.25)


def test_a_score_of_a_session_is_of_a_run_of_its_own(tmp_path: Path) -> None:
    [run] = runs_of(answer(tmp_path / "a.json", score(traceId=None, sessionId="c-1")))
    assert (run["source_run_id"], run["scores"]) == ("session/c-1", {"good": 0.5})


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"dataType": "VECTOR"}, "unknown_version", "a newer Langfuse wrote this"),
        ({"traceId": None}, "missing_field", "API v3: fields=subject"),
        ({"name": None}, "unexpected_form", "name"),
    ],
)
def test_a_score_that_cannot_be_read_is_rejected_alone(
    tmp_path: Path, fields: dict[str, Any], code: str, told: str
) -> None:
    path = answer(tmp_path / "a.json", score(), score(id="s2", **fields))
    [(place, found, reason)] = rejections(source_of(path))
    assert (place, found) == (2, code)
    assert told in reason
    assert len(runs_of(path)) == 1


def test_a_whole_trace_has_its_tokens_cost_model_and_error(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    call = {"type": "GENERATION", "model": "small-1", "parentObservationId": "o1"}
    path.write_text(
        json.dumps({
            "id": "t1", "timestamp": "2026-04-02T08:00:00.000Z", "name": "answer",
            "htmlPath": "/project/p/traces/t1", "latency": 2.5, "totalCost": 0.002,
            "release": "1c6640", "tags": ["nightly"],
            "metadata": {"experiment_run_name": "v2", "dataset_item_id": "i-1", "topic": "sums"},
            "observations": [
                {"id": "o1", "parentObservationId": None, "level": "ERROR", "statusMessage": "cut"},
                {**call, "usageDetails": {"input": 10, "output": 3, "total": 13}},
                {**call, "usageDetails": {"input": 1, "output": 1, "total": 2}},
            ],
            "scores": [score()],
        }),
        encoding="utf-8",
    )  # fmt: skip
    source = source_of(path, supplied={}, mapping=(("experiment_group", "dataset_run"),))
    [row] = source.rows()
    assert json.loads(row.original)["experiment_group"] == "v2"
    [run] = records(source_of(path))
    assert (run.task_id, run.extension_version, run.model_version) == ("i-1", "1c6640", "small-1")
    assert (run.latency_ms, run.cost_usd) == (2500, 0.002)
    assert (run.prompt_tokens, run.completion_tokens, run.tokens_used) == (11, 4, 15)
    assert (run.success, run.error_message) == (False, "cut")
    assert run.metadata["topic"] == "sums"


@pytest.mark.parametrize(
    "observations", [7, "none", {}, [7], [{"usageDetails": 7, "model": ["small"]}]]
)
def test_observations_that_are_none_leave_the_scores(tmp_path: Path, observations: object) -> None:
    path = tmp_path / "trace.json"
    trace = {"id": "t1", "timestamp": "2026-04-02T08:00:00Z", "htmlPath": "/t1"}
    told = {**trace, "observations": observations, "scores": [score()]}
    path.write_text(json.dumps(told), encoding="utf-8")
    [run] = records(source_of(path))
    assert run.scores == {"good": 0.5}
    assert run.model_version == "unknown"


def test_a_table_of_traces_has_a_column_for_each_score(tmp_path: Path) -> None:
    path = tmp_path / "traces.csv"
    path.write_text(
        "id,timestamp,name,userId,sessionId,release,version,environment,tags,bookmarked,public,"
        "input,output,metadata,answer_relevancy,tone,comments\n"
        't1,2026-04-02T08:00:00.000Z,answer,,,,,default,[],false,false,"{""q"": 1}",yes,{},'
        '"[0.25,0.75]","[""warm""]",[]\n',
        encoding="utf-8",
    )
    [run] = records(source_of(path))
    assert run.scores == {"answer_relevancy": 0.5}
    assert run.labels == {"tone": "warm"}
    assert (run.inputs, run.outputs) == ({"q": 1}, "yes")


def test_an_experiment_item_has_its_dataset_run_and_latency(tmp_path: Path) -> None:
    path = _experiment(tmp_path / "items.json")
    first = records(source_of(path))[0]
    assert (first.experiment_id, first.task_id, first.latency_ms) == ("dataset-1", "item-0", 1500)
    assert first.reference_outputs == "the answer"
    runs = [item for item in items_of(path) if isinstance(item, Run)]
    assert {run.names["dataset_run"] for run in runs} == {"prompt-v3"}
    assert all(run.names is runs[0].names for run in runs)


def test_a_broken_file_beside_is_told_and_not_joined(tmp_path: Path) -> None:
    items = langfuse.write_answer(tmp_path / "items.json", langfuse.items(20, 3))
    items.write_bytes(items.read_bytes()[:-40])
    source = source_of(_table(tmp_path / "scores.csv"))
    assert len(records(source)) == 20
    assert any("items.json beside it cannot be read" in note for note in source.notes())


@pytest.mark.skipif(not SHARED.exists(), reason="../shared has no such file here")
def test_the_shared_scores_load() -> None:
    first, second = records(source_of(SHARED))
    assert (first.scores, second.scores) == ({"correctness": 0.8}, {"correctness": 0.4})
    assert (first.labels, first.comments) == ({"tone": "polite"}, {"correctness": "ok"})
