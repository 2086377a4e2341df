"""What people say of runs: stored beside what judges gave, latest of each author."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from ingest_support import VOCABULARY, load_records, record, select
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.ingest import retention, said, withdrawals
from loader.ingest.annotations import Outcome, annotate
from loader.ingest.withdrawals import Slice
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server

STORED = (
    "select source_run_id, evaluator_key, author, score, scale_min, scale_max"
    " from raw_evals.annotations order by annotation_id, source_run_id"
)
LOADS = (
    "select source, rows_read, rows_loaded, rows_unchanged, rows_rejected from raw_evals.loads"
    " where source <> 'file' order by load_id"
)


def scored(run: str, **fields: Any) -> dict[str, object]:  # noqa: ANN401
    return record(source_run_id=run, **{"scores": {"accuracy": 1}, **fields})


def say(url: str, score: str, **parts: str) -> Outcome:
    values = {"experiment": "exp-1", "task": "t-1", "key": "accuracy", "score": score,
              "author": "ana", "reason": "read it", **parts}  # fmt: skip
    with connect(url) as connection:
        return annotate(connection, [said.from_options(values)], VOCABULARY)


def faults(outcome: Outcome) -> list[tuple[str, str]]:
    return [(fault.reason_code, fault.reason) for fault in outcome.faults]


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["annotate", *arguments, "--database-url", url])


def test_without_a_run_every_run_of_the_task_in_the_arm_gets_it(database_url: str) -> None:
    load_records(database_url, [
        scored("a"), scored("b"), scored("c", experiment_group="code-chef"),
        scored("d", task_id="t-2"),
    ])  # fmt: skip
    outcome = say(database_url, "0", group="baseline")
    assert [taken.runs for taken in outcome.taken] == [2]
    assert say(database_url, "1", run="c").taken[0].runs == 1
    assert select(database_url, STORED) == [
        ("a", "accuracy", "ana", 0, 0, 1),
        ("b", "accuracy", "ana", 0, 0, 1),
        ("c", "accuracy", "ana", 1, 0, 1),
    ]
    assert select(database_url, LOADS) == [("annotation", 1, 1, 0, 0)] * 2
    feed = "select experiment_id from raw_evals.load_experiments where load_id = %s"
    assert select(database_url, feed, outcome.load_id) == [("exp-1",)]
    # a repetition that came later gets it when it is said again; the others have it
    load_records(database_url, [scored("e")])
    assert say(database_url, "0", group="baseline").taken[0].runs == 1
    again = say(database_url, "0", group="baseline")
    assert (again.load_id, again.counts[:5]) == (None, (1, 0, 1, 0, 0))


def test_a_score_is_on_the_scale_that_the_key_has_in_the_run(database_url: str) -> None:
    load_records(database_url, [
        scored("a", scores={"helpful": 4}, score_scales={"helpful": [1, 5]}),
        scored("b", task_id="t-2", scores={"helpful": 0.4}),
        scored("c", task_id="t-3"),
        scored("d", task_id="t-4", experiment_id="exp-2", scores={"tone": 7}),
        scored("e", task_id="t-5", experiment_id="exp-2", scores={"tone": 1}),
        scored("f", task_id="t-6", scores={"judge": None}),
        scored("g", task_id="t-7", scores={"helpful": None}, score_scales={"helpful": [1, 5]}),
    ])  # fmt: skip
    say(database_url, "5", key="helpful")
    say(database_url, "true", key="helpful", author="ben")
    say(database_url, "1", key="helpful", task="t-2")
    say(database_url, "2", key="judge", task="t-3")
    # a judge that gave none says nothing of the scale
    say(database_url, "1", key="judge", task="t-6")
    say(database_url, "1", key="helpful", task="t-7")
    assert [row[3:] for row in select(database_url, STORED)] == [
        (5, 1, 5), (5, 1, 5), (1, 0, 1), (2, 1, 5), (1, 1, 5), (1, 1, 5)
    ]  # fmt: skip
    assert faults(say(database_url, "0", key="helpful")) == [
        ("off_scale", "helpful 0 is off its scale of 1 to 5")
    ]
    assert faults(say(database_url, "5", key="helpful", task="t-2")) == [
        ("off_scale", "helpful 5 is off its scale of 0 to 1")
    ]
    for task in ("t-4", "t-5"):
        [(code, reason)] = faults(say(database_url, "1", key="tone", task=task, experiment="exp-2"))
        assert code == "undeclared_scale"
        assert "declare metric tone --scale MIN:MAX" in reason
    assert faults(say(database_url, "1", key="latency_ms"))[0][0] == "not_a_score"
    # what was off the scale is corrected: the key is on 0 to 1, as in the marts
    load_records(database_url, [
        scored("d", task_id="t-4", experiment_id="exp-2", scores={"tone": 0.7})
    ])  # fmt: skip
    assert say(database_url, "1", key="tone", task="t-5", experiment="exp-2").counts.loaded == 1


def test_a_mind_changed_by_another_key_of_the_metric_can_be_changed_back(database_url: str) -> None:
    load_records(database_url, [scored("a")])
    keys = ("accuracy", "agent_routing_accuracy", "accuracy", "accuracy")
    said_of = [say(database_url, str(score), key=key) for key, score in zip(keys, (0, 1, 0, 0),
               strict=True)]  # fmt: skip
    assert [outcome.counts.loaded for outcome in said_of] == [1, 1, 1, 0]


def test_a_line_that_is_rejected_does_not_stand_in_the_way_of_another(
    database_url: str, tmp_path: Path
) -> None:
    load_records(database_url, [
        scored("a", scores={"tone": 0.5}),
        scored("b", scores={"tone": 4}, score_scales={"tone": [1, 5]}),
    ])  # fmt: skip
    path = tmp_path / "scores.csv"
    path.write_text(
        "experiment,task,run,key,score,author,reason\n"
        "exp-1,t-1,,tone,0,ana,all of them\n"
        "exp-1,t-1,a,tone,0,ana,this one\n"
    )
    done = run(database_url, "--file", str(path))
    assert done.stdout.startswith("read 2 · loaded 1 · unchanged 0 · rejected 1\n")
    assert select(database_url, STORED) == [("a", "tone", "ana", 0, 0, 1)]


def test_what_is_missing_or_unknown_is_said_at_once_with_the_nearest_names(
    database_url: str,
) -> None:
    load_records(database_url, [scored("run-a")])
    with pytest.raises(ConfigurationError) as error:
        say(database_url, "good", author="", reason=" ")
    assert str(error.value) == (
        "--score 'good' is neither a number nor true or false; --author is missing; "
        "--reason is missing"
    )
    assert faults(say(database_url, "1", run="run-b")) == [(
        "unknown_run",
        "no run 'run-b' in experiment exp-1, task t-1 (did you mean run-a?); there are: run-a",
    )]  # fmt: skip
    with connect(database_url) as connection:
        withdrawals.withdraw(connection, Slice(experiment="exp-1"), "x", None)
    assert faults(say(database_url, "1")) == [("unknown_run", "every run of it was withdrawn")]


def test_one_annotation_or_a_whole_load_of_them_is_taken_back(database_url: str) -> None:
    load_records(database_url, [scored("a"), scored("b")])
    first = say(database_url, "0").taken[0].annotation_id
    second = say(database_url, "1", author="ben")
    standing = "select author from raw_evals.standing_annotations order by author, source_run_id"
    with connect(database_url) as connection:
        [entry] = withdrawals.withdraw(connection, Slice(annotation=first), "wrong run", "ana")
        assert select(database_url, standing) == [("ben",), ("ben",)]
        withdrawals.withdraw(connection, Slice(load=second.load_id), "no", "ben")
        assert select(database_url, standing) == []
        with pytest.raises(ConfigurationError, match="is withdrawn already"):
            withdrawals.withdraw(connection, Slice(annotation=first), "again", "ana")
        with pytest.raises(ConfigurationError, match=r"^no annotation 99; annotate --list"):
            withdrawals.withdraw(connection, Slice(annotation=99), "again", "ana")
        withdrawals.undo(connection, [entry.load_id], "right", "ana")
    assert select(database_url, standing) == [("ana",), ("ana",)]
    # the runs were never taken back, and what was is said anew
    assert select(database_url, "select count(*) from raw_evals.withdrawn_versions") == [(0,)]
    assert say(database_url, "1", author="ben").counts.loaded == 1


def test_what_was_said_is_kept_until_its_run_is_purged(database_url: str) -> None:
    load_records(database_url, [
        scored("a", recorded_at="2020-01-01T00:00:00Z"), scored("b")
    ])  # fmt: skip
    say(database_url, "0")
    for statement in ("update {} set score = 1", "delete from {}", "truncate {}"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            select(database_url, statement.format("raw_evals.annotations"))
    with connect(database_url, autocommit=True) as connection:
        assert [*retention.remove(connection, retention.find(connection, 400))] == [(1, 1)]
    assert [name for name, *_ in select(database_url, STORED)] == ["b"]


# ---- from a file ----


def test_every_line_of_a_file_is_loaded_unchanged_or_rejected(
    database_url: str, tmp_path: Path
) -> None:
    load_records(database_url, [scored("a"), scored("b", task_id="t-2")])
    path = tmp_path / "scores.csv"
    path.write_text(
        "experiment_id;task;key;score;reason\n"
        "exp-1;t-1;accuracy;0;wrong\u2028source\n"  # what no CSV takes for the end of a line
        "exp-1;t-3;accuracy;0;wrong\n"
        '"exp-1";t-2;accuracy;yes;"right; all\nof it"\n'
        "exp-1;t-2;accuracy;much;\n"
        "\n"
        "exp-1;t-1;accuracy;0;wrong\n"
        "exp-1;t-1;accuracy;1;wrong\n"
        "exp-1;t-1;accuracy\n",
        encoding="utf-8",
    )
    first = run(database_url, "--file", str(path), "--author", "ana")
    assert first.exit_code == 0
    assert first.stdout.startswith("read 7 · loaded 2 · unchanged 1 · rejected 4\n")
    assert first.stderr.splitlines()[:4] == [
        "  line 3: no task 't-3' in experiment exp-1 (did you mean t-2, t-1?); there are: t-1, t-2",
        "  line 6: score 'much' is neither a number nor true or false; reason is missing",
        "  line 9: ana says 1 here and 0 in line 2 of accuracy of run a; keep one of them",
        "  line 10: it has 3 cells, and the header 5",
    ]
    assert select(database_url, LOADS) == [("annotation", 7, 2, 1, 4)]
    rejected = "select row_number, reason_code, payload from raw_evals.rejected_rows order by 1"
    assert select(database_url, rejected)[1:3] == [
        (6, "invalid_line", "exp-1;t-2;accuracy;much;"),
        (9, "conflicting_scores", "exp-1;t-1;accuracy;1;wrong"),
    ]
    again = run(database_url, "--file", str(path), "--author", "ana")
    assert again.stdout.startswith("read 7 · loaded 0 · unchanged 3 · rejected 4\n")
    strict = run(database_url, "--file", str(path), "--author", "ben", "--strict")
    assert strict.exit_code == 3
    assert strict.stdout.startswith("read 7 · loaded 0 · unchanged 0 · rejected 7\n")
    assert strict.stderr.count("  line ") == 7
    assert len(select(database_url, STORED)) == 2


def test_a_file_that_was_said_before_takes_back_nothing_said_since(
    database_url: str, tmp_path: Path
) -> None:
    load_records(database_url, [scored("a"), scored("b")])
    header = "experiment,task,run,key,score,author,reason\n"
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(
        f"{header}exp-1,t-1,a,accuracy,0,ana,read it\nexp-1,t-1,c,accuracy,0,ana,read it\n"
    )
    second.write_text(f"{header}exp-1,t-1,a,accuracy,1,ana,read it again\n")
    scores = "select score from raw_evals.annotations order by annotation_id"
    for _ in range(2):
        assert run(database_url, "--file", str(first)).exit_code == 0
        assert run(database_url, "--file", str(second)).exit_code == 0
    assert select(database_url, scores) == [(0,), (1,)]
    told = run(database_url, "--file", str(first)).output
    assert "note: loaded before, as load 2: what it said then changes nothing" in told
    # what could not be stored then is, once its run is there
    load_records(database_url, [scored("c")])
    assert "loaded 1 · unchanged 1" in run(database_url, "--file", str(first)).output
    assert "loaded 1" in run(database_url, "--file", str(first), "--again").output
    assert select(database_url, scores) == [(0,), (1,), (0,), (0,)]


def test_a_header_is_told_everything_that_is_wrong_with_it(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("experiment,tasks,key,key,author\nexp-1,t-1,accuracy,accuracy,ana\n")
    result = run(database_url, "--file", str(path), "--author", "ana")
    assert result.exit_code == 2
    for problem in (
        "no column 'tasks' is known (did you mean task",
        "column key stands there twice",
        "--author and a column author are there; give one of them",
        "column task is missing, and --task is not given",
        "column score is missing, and --score is not given",
    ):
        assert problem in result.stderr


def test_the_command_says_how_many_runs_and_lists_what_stands(database_url: str) -> None:
    load_records(database_url, [scored("a"), scored("b")])
    given = ["--experiment", "exp-1", "--task", "t-1", "--key", "accuracy", "--author", "ana"]
    done = run(database_url, *given, "--score", "0.5", "--reason", "half")
    assert done.exit_code == 0
    assert "  annotation 1: exp-1, t-1, accuracy: 2 runs\n" in done.stdout
    assert "no judge scored" not in done.stderr
    odd = run(database_url, *given[:5], "acuracy", *given[6:], "--score", "1", "--reason", "typo")
    assert "note: no judge scored acuracy there (did you mean accuracy?)" in odd.stderr
    off = run(database_url, *given, "--score", "2", "--reason", "half")
    assert (off.exit_code, off.stderr) == (2, "Error: accuracy 2 is off its scale of 0 to 1\n")
    [_, listed] = json.loads(run(database_url, "--list", "--format", "json").stdout)
    assert (listed["annotation"], listed["run_count"], listed["score"]) == (1, 2, 0.5)
