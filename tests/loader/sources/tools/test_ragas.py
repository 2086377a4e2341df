"""Tables of ragas become runs, one for each row; its means become scores of the arm."""

from __future__ import annotations

import json
from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import servers
from ingest_support import select
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.sources.mapping import parse_all
from loader.sources.tools.identity import refuse_without_arm
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.ragas import IMPORTER
from loader.sources.tools.registry import recognised
from tool_files import ragas
from tool_reading import records, rejections, runs_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHARED = servers.SHARED_DATA / "native" / "ragas" / "results.csv"
WRITERS = (ragas.write_table, ragas.write_lines, ragas.write_list, ragas.write_columns)


@pytest.mark.parametrize("write", WRITERS)
def test_every_form_has_the_metrics_of_the_evaluation(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    found = records(source_of(write(tmp_path / "results", 30, 2)))
    wanted = list(ragas.rows(30, 2))
    assert [run.scores for run in found] == [
        {name: row[name] for name in ragas.METRICS} for row in wanted
    ]
    for name in ragas.METRICS:
        told = [run.scores[name] for run in found if run.scores[name] is not None]
        assert fmean(told) == fmean(row[name] for row in wanted if row[name] is not None)
    assert [run.outputs["response"] for run in found] == [row["response"] for row in wanted]
    assert [run.inputs for run in found] == [row["user_input"] for row in wanted]
    assert [run.reference_outputs for run in found] == [row["reference"] for row in wanted]


def test_the_question_names_the_task_in_every_form(tmp_path: Path) -> None:
    tasks = [[run["task_id"] for run in runs_of(write(tmp_path / "r", 9, 2))] for write in WRITERS]
    assert tasks[0] == tasks[1] == tasks[2] == tasks[3]
    assert len({*tasks[0]}) == 9
    assert tasks[0][3].startswith("Which of 3 houses, in street 2, is blue? #")


def test_older_names_of_the_columns_are_the_same_task(tmp_path: Path) -> None:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(
        "question,answer,contexts,ground_truth,faithfulness\nWho?,She.,[],Her.,0.5\n",
        encoding="utf-8",
    )
    new.write_text(
        ",user_input,response,retrieved_contexts,reference,faithfulness\n0,Who?,She.,[],Her.,0.5\n",
        encoding="utf-8",
    )
    [before], [after] = runs_of(old), runs_of(new)
    assert before == after
    assert before["reference_outputs"] == "Her."


def test_a_question_asked_again_is_a_repetition(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "user_input,response,faithfulness\nWho?,a,1\nWhere?,b,1\n Who?,c,0\n", encoding="utf-8"
    )
    found = records(source_of(path))
    assert found[0].task_id == found[2].task_id
    assert not any({"source_run_id", "repetition"} & run.keys() for run in runs_of(path))


def _loaded(url: str, *paths: Path) -> list[Any]:
    """Load files as of one arm; return the repetitions of each task, with an answer's score."""
    arguments = ["ingest", *map(str, paths), "--experiment-group", "baseline"]
    done = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    assert done.exit_code == 0, done.output
    return select(
        url,
        "select distinct on (source_run_id) task_id, source_run_id "
        "from raw_evals.evaluation_runs order by source_run_id, run_version desc",
    )


@pytest.mark.newest_server
def test_two_tables_of_an_arm_are_all_its_runs(tmp_path: Path, database_url: str) -> None:
    paths = [ragas.write_table(tmp_path / f"r{seed}.csv", 2, 1, model="m") for seed in (1, 2)]
    found = _loaded(database_url, *paths)
    assert len(found) == len({*found}) == 4
    assert len({task for task, _ in found}) == 2


@pytest.mark.newest_server
def test_a_table_that_is_sorted_otherwise_has_the_same_runs(
    tmp_path: Path, database_url: str
) -> None:
    head, *rows = "user_input,response,faithfulness", "Who?,a,1", "Where?,b,1", "Who?,c,0"
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("\n".join([head, *rows]), encoding="utf-8")
    other.write_text("\n".join([head, *reversed(rows)]), encoding="utf-8")
    first = _loaded(database_url, one)
    assert len(first) == 3
    assert _loaded(database_url, other) == first


@pytest.mark.parametrize("cell", ['"0,5"', "83 %", "oops", '"1,000.5"', "50%"])
def test_a_score_that_is_no_number_is_said(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        f"user_input,response,faithfulness\nWho?,a,1\nWhere?,b,{cell}\n", encoding="utf-8"
    )
    [(place, code, reason)] = rejections(source_of(path))
    assert (place, code) == (3, "invalid_score")
    assert reason.startswith(f"faithfulness is {json.dumps(cell.strip(chr(34)))} in line 3")
    assert "write one such as 0.5" in reason


def test_a_column_that_is_only_called_like_a_metric_may_hold_text(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "user_input,response,faithfulness,answer_language,context_source,correctness,context_recall\n"
        "Who?,a,1,English,wiki,pass,\nWhere?,b,1,German,83 %,fail,n/a\n",
        encoding="utf-8",
    )
    source = source_of(path)
    [(place, _, reason)] = rejections(source)
    assert (place, reason.partition(" ")[0]) == (3, "context_source")
    run = json.loads(next(iter(source.rows())).original)
    assert run["scores"] == {"faithfulness": 1, "context_recall": None}
    assert run["labels"] == {"correctness": "pass"}
    assert run["metadata"] == {"answer_language": "English", "context_source": "wiki"}


def test_what_a_metric_could_not_tell_is_no_score_of_zero(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(
        '{"user_input": "Who?", "response": "a", "faithfulness": NaN, "answer_relevancy": 0.0}\n',
        encoding="utf-8",
    )
    source = source_of(path)
    [run] = records(source)
    assert run.scores == {"faithfulness": None, "answer_relevancy": 0}
    assert any("1 number NaN or infinite" in note for note in source.notes())


def test_a_cosine_a_hair_above_one_is_one(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(
        "user_input,response,answer_relevancy\nWho?,a,1.0000000000000002\n", encoding="utf-8"
    )
    [run] = runs_of(path)
    assert run["scores"] == {"answer_relevancy": 1.0}


def test_columns_of_ones_own_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    path = ragas.write_table(
        tmp_path / "r.csv", 1, 1, my_judge="0.25", verdict="pass", response_time="2.5",
        model="small", notes="x" * 3000,
    )  # fmt: skip
    [run] = records(source_of(path))
    assert run.scores["my_judge"] == 0.25
    assert run.labels == {"verdict": "pass"}
    assert run.measurements == {"response_time": 2.5}
    assert run.metadata == {"model": "small"}


def test_a_column_can_tell_the_arm(tmp_path: Path) -> None:
    path = ragas.write_table(tmp_path / "r.csv", 3, 1, experiment_name="code-chef")
    source = source_of(path, supplied={}, mapping=(("experiment_group", "experiment_name"),))
    assert {run.experiment_group for run in records(source)} == {"code-chef"}
    with pytest.raises(ConfigurationError, match='experiment_name: "code-chef"'):
        refuse_without_arm([(ToolFile(str(path)), IMPORTER)], parse_all([]), ())


def test_a_row_without_a_question_is_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user_input,response,faithfulness\n,a,1\nWho?,b,0.5\n", encoding="utf-8")
    source = source_of(path)
    [(place, code, reason)] = rejections(source)
    assert (place, code) == (2, "missing_field")
    assert "no question" in reason


def test_the_means_of_an_evaluation_are_scores_of_the_arm(tmp_path: Path) -> None:
    path = tmp_path / "means.csv"
    path.write_text("metric,score\nfaithfulness,0.75\ncontext_recall,nan\nx,high\n", "utf-8")
    source = source_of(path)
    (place, code, _), *_ = rejections(source)
    assert (place, code) == (4, "unexpected_form")
    told = [(each.evaluator_key, each.score) for each in source.summary_scores()]
    assert told == [("faithfulness", 0.75), ("context_recall", None)]
    with pytest.raises(ConfigurationError, match="--experiment-group"):
        refuse_without_arm([(ToolFile(str(path)), IMPORTER)], parse_all([]), ())


def test_a_data_frame_of_something_else_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    text = {"user_input": {"0": "Who?"}, "response": {"0": "a"}, "faithfulness": [1]}
    path.write_text(json.dumps(text), encoding="utf-8")
    [(_, code, reason)] = rejections(source_of(path))
    assert code == "unexpected_form"
    assert "to_json(orient='records')" in reason


@pytest.mark.parametrize(
    "text",
    [
        "metric,score\nrevenue,3\n",
        "question,answer,difficulty\nWho?,a,0.5\n",
        "task_id,question,answer,faithfulness\nt,Who?,a,1\n",
        '{"id": "1", "input": "x", "scores": {}}\n',
    ],
)
def test_other_tables_are_not_taken_for_an_evaluation(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    assert recognised(ToolFile(str(path))) != "ragas"


@pytest.mark.parametrize("write", WRITERS[:3])
def test_nothing_is_lost_of_many_rows(tmp_path: Path, write: Callable[..., Path]) -> None:
    found: Counter[Any] = Counter(run["task_id"] for run in runs_of(write(tmp_path / "r", 3000, 1)))
    assert found.total() == len(found) == 3000


@pytest.mark.skipif(not SHARED.exists(), reason="../shared has no such file here")
def test_the_shared_means_load() -> None:
    source = source_of(SHARED)
    assert rejections(source) == []
    assert list(source.rows()) == []
    told = {each.evaluator_key: each.score for each in source.summary_scores()}
    assert told == {
        "faithfulness": 1.0, "answer_relevancy": 0.9731317184141156,
        "context_precision": 0.49999999995, "context_recall": 1.0,
    }  # fmt: skip
