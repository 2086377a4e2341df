from __future__ import annotations

import json
import re
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import every_eval_ever_schema as schema
import left_runs
import servers
from loader.marts.leaving.runs import file_name
from loader.warehouse.connection import connect
from sample_marts import build, loader

if TYPE_CHECKING:
    from collections.abc import Iterator

# what reads the marts for it is asked of both servers in test_servers_agree.py
pytestmark = pytest.mark.newest_server

_OF_RECORDS = """
select
    task_id, experiment_group, extension_version, model_version, agent_name, dataset_version,
    baseline_experiment_id, error_message, run_version, coalesce(repetition, 1), latency_ms,
    tokens_used, cost_usd, success, scores, labels, measurements, evaluator_versions, metadata,
    score_scales, comments, trace_url, inputs_id, outputs_id, reference_outputs_id, prompt_tokens,
    completion_tokens, cached_tokens, reasoning_tokens, recorded_at, experiment_id, source_run_id
from raw_evals.evaluation_runs
order by experiment_group, task_id, source_run_id
"""


@pytest.fixture(scope="module")
def url(postgres_server: str) -> Iterator[str]:
    with servers.fresh_database(postgres_server, servers.template(
        postgres_server, "left_runs", _fill
    )) as found:  # fmt: skip
        yield found


def _fill(url: str) -> None:
    loader(url, "init")
    with tempfile.TemporaryDirectory() as folder:
        loader(url, "ingest", "--with-io", "--file", left_runs.write(Path(folder)))
    build(url)


def export(url: str, path: object, form: str, experiment: str = left_runs.EXPERIMENT) -> str:
    return loader(url, "export", path, "--experiment", experiment, "--format", form).stderr


def rows(url: str) -> list[dict[str, Any]]:
    with connect(url) as connection:
        cursor = connection.execute(_OF_RECORDS)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def bodies(url: str) -> set[str]:
    with connect(url) as connection:
        found = connection.execute("select content_id, content from raw_evals.contents").fetchall()
    return {json.dumps([str(name), body], sort_keys=True) for name, body in found}


def instances(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(folder.rglob("*_samples.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def aggregates(folder: Path) -> dict[str, Any]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json")]
    details = "source_metadata", "additional_details"
    return {each[details[0]][details[1]]["experiment_group"]: each for each in found}


def test_every_eval_ever_takes_away_and_gives_back_the_same_records(
    url: str, postgres_server: str, tmp_path: Path
) -> None:
    told = export(url, tmp_path / "out", "every-eval-ever")
    assert "12 runs of 2 arms" in told
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        again = ("--experiment-id", left_runs.EXPERIMENT)
        loader(other, "ingest", "--with-io", "--file", tmp_path / "out", *again)
        assert len(rows(url)) == 12
        for back, before in zip(rows(other), rows(url), strict=True):
            assert back == before
        assert bodies(other) == bodies(url)


def test_two_logs_of_an_arm_are_all_there_once_they_are_read_back(
    postgres_server: str, tmp_path: Path
) -> None:
    logs = []
    for name in ("one", "two"):
        log = _inspect_log()
        log["eval"]["run_id"] = name
        for sample in log["samples"]:
            sample["uuid"] += name
        logs.append(tmp_path / f"{name}.json")
        logs[-1].write_text(json.dumps(log), encoding="utf-8")
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        loader(other, "ingest", *logs, "--experiment-group", "baseline")
        build(other)
        before = {row["source_run_id"]: row["scores"] for row in rows(other)}
        export(other, tmp_path / "out", "every-eval-ever", "atlas")
    assert len(before) == 6
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        loader(other, "ingest", tmp_path / "out", "--experiment-id", "atlas")
        assert {row["source_run_id"] for row in rows(other)} == {*before}


def test_an_export_does_not_double_the_experiment_that_it_came_from(
    url: str, tmp_path: Path
) -> None:
    export(url, tmp_path / "out", "every-eval-ever")
    with pytest.raises(AssertionError, match="say --experiment-id OTHER"):
        loader(url, "ingest", tmp_path / "out")
    assert len(rows(url)) == 12
    told = loader(url, "ingest", "--dry-run", tmp_path / "out", "--experiment-id", "again").stdout
    assert "12" in told


def test_every_file_of_every_eval_ever_is_as_its_schema_wants(url: str, tmp_path: Path) -> None:
    export(url, tmp_path / "out", "every-eval-ever")
    lines = instances(tmp_path / "out")
    found = aggregates(tmp_path / "out")
    assert len(lines) == 2 * (2 * 2 + 4)
    assert set(found) == {"baseline", "code-chef"}
    for line in lines:
        schema.check_instance(line)
    for path in (tmp_path / "out").rglob("*.json"):
        schema.check_aggregate(path, tmp_path / "out")


def test_an_aggregate_says_the_mean_of_its_lines_where_tasks_run_once(
    url: str, tmp_path: Path
) -> None:
    export(url, tmp_path / "out", "every-eval-ever")
    result = {
        each["metric_config"]["metric_id"]: each
        for each in aggregates(tmp_path / "out")["baseline"]["evaluation_results"]
    }
    # t-1 is 1 and 0, t/2 is 0.3, t-5 is 1: tasks count alike
    assert result["accuracy"]["score_details"]["score"] == pytest.approx((0.5 + 0.3 + 1) / 3)
    assert result["accuracy"]["score_details"]["details"] == {"tasks": "3", "runs": "4"}
    # of 1 to 5 it said 3 and 4
    assert result["judge"]["score_details"]["score"] == pytest.approx((0.5 + 0.75) / 2)
    with connect(url) as connection:
        mart = connection.execute(
            "select metric, avg(value) from evals.evaluation_scores where kind = 'score'"
            " and experiment_group = 'baseline' group by metric"
        ).fetchall()
    told = {name: each["score_details"]["score"] for name, each in result.items()}
    assert told == pytest.approx({str(name): mean for name, mean in mart})


def test_a_run_without_a_score_is_a_line_with_an_error_and_no_zero_of_a_metric(
    url: str, tmp_path: Path
) -> None:
    export(url, tmp_path / "out", "every-eval-ever")
    lines = [line for line in instances(tmp_path / "out") if line["error"]]
    errors = {(line["sample_id"], line["error"], "evaluation_result_id" in line) for line in lines}
    assert errors == {
        ("t-3", "no answer\x1b[2J", False), ("t-4", "not scored", False), ("t-5", "late", True),
    }  # fmt: skip


def test_the_same_marts_give_the_same_bytes(url: str, tmp_path: Path) -> None:
    for form in ("every-eval-ever", "openai-evals"):
        for name in ("one", "two"):
            export(url, tmp_path / f"{form}-{name}", form)
        one, two = (
            {
                path.relative_to(folder): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
            for folder in (tmp_path / f"{form}-one", tmp_path / f"{form}-two")
        )
        assert one
        assert one == two


def test_a_log_of_openai_evals_has_what_its_reader_looks_for(url: str, tmp_path: Path) -> None:
    export(url, tmp_path / "out", "openai-evals")
    logs = sorted((tmp_path / "out").glob("**/*.log"))
    assert len(logs) == 2
    lines = [json.loads(line) for line in logs[0].read_text(encoding="utf-8").splitlines()]
    (spec,) = [line["spec"] for line in lines if "spec" in line]
    (report,) = [line["final_report"] for line in lines if "final_report" in line]
    events = [line for line in lines if "type" in line]
    assert lines[0] == {"spec": spec}
    assert "final_report" in lines[-1]
    assert (spec["completion_fns"], spec["eval_name"]) == ([left_runs.MODEL], left_runs.EXPERIMENT)
    assert {event["run_id"] for event in events} == {spec["run_id"]}
    assert [event["event_id"] for event in events] == list(range(len(events)))
    metrics = [event["data"] for event in events if event["type"] == "metrics"]
    for metric, mean in report.items():
        values = [data[metric] for data in metrics if metric in data]
        assert mean == pytest.approx(sum(values) / len(values))
    sampling = next(event for event in events if event["type"] == "sampling")
    assert sampling["data"] == {
        "prompt": {"question": "2+2?", "sure": None},
        "sampled": [["4", {"why": 1.5}]],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    assert {event["sample_id"] for event in events} == {"t-1", "t-1#2", "t/2", "t-3", "t-4", "t-5"}
    (error,) = [event["data"] for event in events if event["sample_id"] == "t-3"][-1:]
    assert error == {"type": "Error", "message": "no answer\x1b[2J"}


def test_a_log_of_openai_evals_gives_back_scores_texts_and_tokens(
    url: str, postgres_server: str, tmp_path: Path
) -> None:
    export(url, tmp_path / "out", "openai-evals")
    logs = sorted((tmp_path / "out").glob("**/*.log"))
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        for log, group in zip(logs, ("baseline", "code-chef"), strict=True):
            loader(other, "ingest", "--with-io", "--file", log, "--experiment-group", group)
        back = {(row["experiment_group"], row["task_id"]): row for row in rows(other)}
        kept = bodies(other)
    assert set(back) >= {(g, t) for g in ("baseline", "code-chef") for t in ("t-1", "t/2", "t-5")}
    assert back["baseline", "t/2"]["scores"]["accuracy"] == pytest.approx(0.3)
    assert back["baseline", "t-1"]["tokens_used"] == 15
    assert back["baseline", "t-3"]["error_message"] is not None
    assert any('"what?"' in body for body in kept)


def test_what_people_said_of_inspects_runs_leaves_as_edits(
    postgres_server: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps(_inspect_log()), encoding="utf-8")
    own = {"experiment_id": "atlas", "task_id": "own", "experiment_group": "baseline",
           "extension_version": "1", "scores": {"match": 1}}  # fmt: skip
    (tmp_path / "own.jsonl").write_text(json.dumps(own), encoding="utf-8")
    said = ("--experiment", "atlas", "--author", "ana", "--reason", "I looked, \u202e twice")
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        for path in (log, tmp_path / "own.jsonl"):
            loader(other, "ingest", "--file", path, "--experiment-group", "baseline")
        loader(other, "annotate", *said, "--task", "7", "--key", "match", "--score", 0)
        loader(other, "annotate", *said, "--task", "8", "--key", "grade.tone", "--score", 0.25)
        loader(other, "annotate", *said, "--task", "8", "--key", "grade.fact", "--score", 1)
        loader(other, "annotate", *said, "--task", "own", "--key", "match", "--score", 0)
        build(other)
        told = export(other, tmp_path / "edits.jsonl", "inspect-score-edits", "atlas")
        shown = loader(
            other, "export", "-", "--experiment", "atlas", "--format", "inspect-score-edits"
        ).stdout
    assert shown == (tmp_path / "edits.jsonl").read_text(encoding="utf-8")
    assert "4 edits" in told
    assert "1 score of runs that did not come from Inspect, left out" in told
    found = [json.loads(line) for line in (tmp_path / "edits.jsonl").read_text().splitlines()]
    assert [
        (edit["run"], edit["sample_id"], edit["epoch"], edit["score_name"], edit["edit"]["value"])
        for edit in found
    ] == [
        ("u7-1", "7", 1, "match", 0),
        ("u7-2", "7", 2, "match", 0),
        ("u8-1", "8", 1, "grade", {"tone": 0.25, "fact": 0.75}),
        ("u8-1", "8", 1, "grade", {"tone": 0.25, "fact": 1}),
    ]
    assert {tuple(edit["logs"]) for edit in found} == {(str(log),)}
    by = found[0]["edit"]["provenance"]
    assert (by["author"], by["reason"]) == ("ana", "I looked, \u202e twice")
    assert datetime.fromisoformat(by["timestamp"]).tzinfo is not None


def _inspect_log() -> dict[str, Any]:
    """Return a log of two samples, one in two epochs, one edited at the tool already."""
    spec = {"task": "atlas", "model": "acme/small-1", "created": "2026-11-01T10:00:00+00:00",
            "run_id": "r1", "dataset": {}, "config": {}}  # fmt: skip
    before = {"value": {"tone": 0.5, "fact": 0.5}}
    by = {"author": "bo", "reason": "typo", "timestamp": "2026-11-02T10:00:00+00:00"}
    now = {"tone": 0.5, "fact": 0.75}
    edited = {"value": now, "history": [before, {"value": now, "provenance": by}]}
    samples = [
        {"id": 7, "epoch": epoch, "uuid": f"u7-{epoch}", "input": "q", "target": "a",
         "scores": {"match": {"value": "C"}}}
        for epoch in (1, 2)
    ]  # fmt: skip
    samples.append(
        {"id": 8, "epoch": 1, "uuid": "u8-1", "input": "q", "target": "a",
         "scores": {"grade": edited}}
    )  # fmt: skip
    return {"version": 2, "status": "success", "eval": spec, "samples": samples}


def test_a_name_of_a_file_leads_nowhere_else_and_is_no_other_arms() -> None:
    odd = ["..", ".", "../x", "/etc/passwd", "a\0b", "", "C:\\x", "\u202eb", "a" * 300, "-", "é"]
    names = [file_name(each) for each in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,80}", name), name
    assert file_name("exp-1.2") == "exp-1.2"
    assert file_name("a-b", "c") != file_name("a", "b-c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out", "--format", "every-eval-ever"], "say --experiment ID"),
        (["out", "--format", "openai-evals", "--experiment", "e", "--mart", "m"], "leave out"),
        (["out", "--format", "openai-evals", "--experiment", "prices"], "did you mean prices 1/2"),
        (["-", "--format", "openai-evals", "--experiment", left_runs.EXPERIMENT], "name a folder"),
        (
            ["full", "--format", "every-eval-ever", "--experiment", left_runs.EXPERIMENT],
            "not an empty folder; name another",
        ),
        (["edits", "--format", "inspect-score-edits", "--experiment", "x"], "no experiment 'x'"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_leaves_nothing(
    url: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    path, *rest = arguments
    with pytest.raises(AssertionError, match=message):
        loader(url, "export", path if path == "-" else tmp_path / path, *rest)
    assert [each.name for each in tmp_path.iterdir()] == ["full"]
