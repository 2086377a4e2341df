from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import every_eval_ever_schema as schema
import left_runs
import servers
from loader.sources.tools.registry import KINDS
from loader.warehouse.connection import connect
from sample_marts import build, loader

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        loader(other, "ingest", "--with-io", "--file", tmp_path / "out")
        assert len(rows(url)) == 12
        for back, before in zip(rows(other), rows(url), strict=True):
            assert back == before
        assert bodies(other) == bodies(url)


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


@pytest.mark.skipif("openai-evals" not in KINDS, reason="nothing here reads logs of OpenAI Evals")
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
    with servers.fresh_database(postgres_server, servers.raw_template(postgres_server)) as other:
        loader(other, "ingest", "--file", left_runs.write(tmp_path))
        _as_if_of_inspect(other)
        said = ("--experiment", left_runs.EXPERIMENT, "--author", "ana", "--reason", "I looked")
        chosen = ("--task", "t-1", "--group", "baseline")
        loader(other, "annotate", *said, *chosen, "--key", "judge", "--score", 5)
        loader(other, "annotate", *said, "--task", "t-5", "--group", "code-chef",
               "--key", "accuracy", "--score", 0)  # fmt: skip
        build(other)
        told = export(other, tmp_path / "edits.jsonl", "inspect-score-edits")
    assert "2 edits" in told
    assert "1 score of runs that did not come from Inspect, left out" in told
    found = [json.loads(line) for line in (tmp_path / "edits.jsonl").read_text().splitlines()]
    assert [(each["sample_id"], each["epoch"], each["score_name"]) for each in found] == [
        ("t-1", 1, "judge"), ("t-1", 2, "judge"),
    ]  # fmt: skip
    assert found[0]["logs"] == [str(tmp_path / "runs.jsonl")]
    edit = found[0]["edit"]
    assert (edit["value"], edit["provenance"]["author"]) == (5, "ana")
    assert edit["provenance"]["reason"] == "I looked"
    assert edit["provenance"]["timestamp"].startswith("20")


def _as_if_of_inspect(url: str) -> None:
    """Let the first arm's runs be of Inspect."""
    with connect(url) as connection:
        connection.execute("alter table raw_evals.evaluation_runs disable trigger user")
        connection.execute(
            "update raw_evals.evaluation_runs set source = 'inspect'"
            " where experiment_group = 'baseline'"
        )
        connection.execute("alter table raw_evals.evaluation_runs enable trigger user")
        connection.commit()


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
