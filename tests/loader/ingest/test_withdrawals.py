"""Taking back what was loaded: an entry that can be lifted, and nothing deleted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

import servers
from doubled_answers import doubling
from ingest_support import VOCABULARY, load_file, load_records, record, run_load, select
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.ingest import withdrawals
from loader.ingest.withdrawals import Slice
from loader.sources import ArmPlan
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.newest_server

STANDING = (
    "select source_run_id, run_version from raw_evals.evaluation_runs as runs where not exists"
    " (select from raw_evals.withdrawn_versions as withdrawn where"
    " (withdrawn.experiment_id, withdrawn.source, withdrawn.source_run_id, withdrawn.run_version)"
    " = (runs.experiment_id, runs.source, runs.source_run_id, runs.run_version))"
    " order by 1, 2"
)
LEDGER = (
    "select load_id, source, experiment_id, rows_read, source_ref from raw_evals.loads"
    " where source = 'withdrawal' order by load_id"
)
FEED = "select experiment_id from raw_evals.load_experiments where load_id = %s"


def scored(run: str, accuracy: float, **fields: object) -> dict[str, object]:
    return record(source_run_id=run, scores={"accuracy": accuracy}, **fields)


def take_back(url: str, meant: Slice, reason: str = "a mistake") -> list[withdrawals.Written]:
    with connect(url) as connection:
        return withdrawals.withdraw(connection, meant, reason, "ana")


def lift(url: str, *numbers: int) -> list[withdrawals.Written]:
    with connect(url) as connection:
        return withdrawals.undo(connection, numbers, "it was right", "ben")


def arms(url: str, meant: Slice) -> Sequence[tuple[Any, ...]]:
    with connect(url) as connection:
        return withdrawals.find(connection, meant).arms.rows


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["withdraw", *arguments, "--database-url", url])


def test_a_run_falls_back_to_the_version_before_and_can_be_loaded_again(database_url: str) -> None:
    first, second = scored("a", 0.1), scored("a", 0.9)
    load_records(database_url, [first, scored("b", 0.5)])
    wrong = load_records(database_url, [second])
    assert arms(database_url, Slice(load=wrong.load_id)) == [
        ("exp-1", "baseline", "1.0.0", 1, 1, 0, 1)
    ]
    [entry] = take_back(database_url, Slice(load=wrong.load_id))
    assert select(database_url, STANDING) == [("a", 1), ("b", 1)]
    # what stands is known; what was withdrawn is new, and its number is not used again
    assert load_records(database_url, [first]).unchanged == 1
    again = load_records(database_url, [second])
    assert (again.loaded, again.unchanged) == (1, 0)
    assert select(database_url, STANDING) == [("a", 1), ("a", 3), ("b", 1)]
    assert load_records(database_url, [second]).unchanged == 1
    lift(database_url, entry.load_id)
    assert select(database_url, STANDING) == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert load_records(database_url, [second]).unchanged == 1


def test_an_entry_is_a_load_of_no_rows_that_changes_its_experiment(database_url: str) -> None:
    loaded = load_records(
        database_url, [scored("a", 1), scored("b", 1, experiment_id="exp-2"), scored("c", 0)]
    )
    entries = take_back(database_url, Slice(load=loaded.load_id), "wrong folder")
    assert [entry.experiment for entry in entries] == ["exp-1", "exp-2"]
    assert len({loaded.load_id, *(entry.load_id for entry in entries)}) == 3
    told = {"load": loaded.load_id, "reason": "wrong folder", "author": "ana"}
    assert select(database_url, LEDGER) == [
        (entry.load_id, "withdrawal", entry.experiment, 0, told) for entry in entries
    ]
    for entry in entries:
        assert select(database_url, FEED, entry.load_id) == [(entry.experiment,)]
    assert select(database_url, STANDING) == []
    lift(database_url, entries[1].load_id)
    assert select(database_url, STANDING) == [("b", 1)]
    assert select(database_url, LEDGER)[-1][4] == {
        "undone": entries[1].load_id, "reason": "it was right", "author": "ben"
    }  # fmt: skip


def test_a_large_file_that_was_withdrawn_is_loaded_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.ingest.writer.SMALL_LOAD_ROWS", 20)
    monkeypatch.setattr("loader.ingest.writer.CHUNK_ROWS", 20)
    path = tmp_path / "results.jsonl"
    path.write_text("".join(f"{json.dumps(scored(f'r{n:03}', 1))}\n" for n in range(90)))
    source = FileSource([str(path)], groups=VOCABULARY.groups)
    assert source.never_waits  # takes the straight way
    loaded = run_load(database_url, source)
    take_back(database_url, Slice(load=loaded.load_id))
    assert load_file(database_url, path).loaded == 90
    assert load_file(database_url, path).unchanged == 90
    assert select(database_url, STANDING) == [(f"r{n:03}", 2) for n in range(90)]


def test_a_slice_is_what_agrees_with_every_part_that_is_named(database_url: str) -> None:
    runs = [
        scored(f"{group}-{version}-{task}", 1, experiment_group=group,
               extension_version=version, task_id=task)
        for group in ("baseline", "code-chef")
        for version in ("1", "2")
        for task in ("x", "y")
    ]  # fmt: skip
    load_records(database_url, runs)
    take_back(database_url, Slice(experiment="exp-1", group="code-chef", task="x"))
    take_back(database_url, Slice(experiment="exp-1", version="1", task="y"))
    assert [name for name, _ in select(database_url, STANDING)] == [
        "baseline-1-x", "baseline-2-x", "baseline-2-y", "code-chef-2-y"
    ]  # fmt: skip
    assert arms(database_url, Slice(experiment="exp-1", version="1")) == [
        ("exp-1", "baseline", "1", 1, 1, 1, 0)
    ]


def test_a_withdrawn_plan_counts_no_more_and_comes_back_with_its_load(database_url: str) -> None:
    class Planned(MemorySource):
        def plans(self) -> Sequence[ArmPlan]:
            return [ArmPlan("exp-1", "baseline", "1.0.0", 3, 10)]

    plans = "select load_id from raw_evals.arm_plans order by 1"
    loaded = run_load(database_url, Planned([record()]))
    take_back(database_url, Slice(load=loaded.load_id))
    again = run_load(database_url, Planned([record()]))
    assert select(database_url, plans) == [(loaded.load_id,), (again.load_id,)]
    run_load(database_url, Planned([record()]))
    assert len(select(database_url, plans)) == 2


def test_names_that_lead_nowhere_are_told_with_their_nearest(database_url: str) -> None:
    loaded = load_records(database_url, [record()])

    def refused(meant: Slice) -> str:
        with pytest.raises(ConfigurationError) as error:
            take_back(database_url, meant)
        return str(error.value)

    assert refused(Slice(load=99)) == "no load 99 (did you mean 1?)"
    told = refused(Slice(experiment="exp1"))
    assert told == "no experiment 'exp1' (did you mean exp-1?); there are: exp-1"
    told = refused(Slice(experiment="exp-1", group="baselin"))
    assert told.startswith("no group 'baselin' in experiment exp-1 (did you mean baseline?)")
    told = refused(Slice(load=loaded.load_id, task="t-2"))
    assert told == "no task 't-2' (did you mean t-1?); there are: t-1"
    assert not select(database_url, LEDGER)
    [entry] = take_back(database_url, Slice(load=loaded.load_id))
    assert "is withdrawn already" in refused(Slice(load=loaded.load_id))
    assert refused(Slice(load=entry.load_id)).endswith(f"withdraw --undo {entry.load_id}")
    with pytest.raises(
        ConfigurationError, match=f"^no withdrawal 1 is in force; there are: {entry.load_id} "
    ):
        lift(database_url, 1)
    lift(database_url, entry.load_id)
    with pytest.raises(ConfigurationError, match="there are: none"):
        lift(database_url, entry.load_id)


def test_the_ledger_of_withdrawals_cannot_be_changed(database_url: str) -> None:
    load_records(database_url, [record()])
    take_back(database_url, Slice(experiment="exp-1"))
    for statement in ("update {} set reason = 'x'", "delete from {}", "truncate {}"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            select(database_url, statement.format("raw_evals.withdrawals"))


def test_who_may_load_may_withdraw_and_who_reads_may_not(database_url: str) -> None:
    load_records(database_url, [record()])
    with connect(database_url) as connection:
        connection.execute("set role evals_analyst")
        connection.commit()
        with pytest.raises(ConfigurationError, match="rights of the role evals_loader"):
            withdrawals.withdraw(connection, Slice(experiment="exp-1"), "x", None)
        connection.rollback()
        connection.execute("set role evals_loader")
        connection.commit()
        assert withdrawals.withdraw(connection, Slice(experiment="exp-1"), "x", None)


def test_single_runs_are_withdrawn_listed_and_come_back(database_url: str) -> None:
    load_records(database_url, [scored(name, 1) for name in "abc"])

    class Planned(MemorySource):
        def plans(self) -> Sequence[ArmPlan]:
            return [ArmPlan("exp-1", "baseline", "1.0.0", 3, 10)]

    planned = run_load(database_url, Planned([scored("d", 0)]))
    with connect(database_url) as connection:
        [entry] = withdrawals.withdraw_runs(
            connection, {"exp-1": ["a", "d", "elsewhere"]}, "p-1", "deleted there", "ana"
        )
    assert select(database_url, STANDING) == [("b", 1), ("c", 1)]
    told = {"reason": "deleted there", "author": "ana", "runs": 3, "gone_from": "p-1"}
    assert select(database_url, LEDGER) == [(entry.load_id, "withdrawal", "exp-1", 0, told)]
    listed = json.loads(run(database_url, "--list", "--format", "json").stdout)
    assert [(one["withdrawn_runs"], one["reason"]) for one in listed] == [(3, "deleted there")]
    # what has no run of its own is not covered: the plan stands, and is not written again
    assert run_load(database_url, Planned([scored("b", 1)])).unchanged == 1
    assert select(database_url, "select load_id from raw_evals.arm_plans") == [(planned.load_id,)]
    # what stands of the slice can still be withdrawn, and only that
    assert arms(database_url, Slice(experiment="exp-1")) == [
        ("exp-1", "baseline", "1.0.0", 2, 2, 2, 0)
    ]
    assert load_records(database_url, [scored("a", 1)]).loaded == 1
    assert select(database_url, STANDING) == [("a", 2), ("b", 1), ("c", 1)]
    lift(database_url, entry.load_id)
    assert select(database_url, STANDING) == [("a", 1), ("a", 2), ("b", 1), ("c", 1), ("d", 1)]


def test_what_a_withdrawal_covers_is_said_by_raw_alone() -> None:
    folder = servers.REPOSITORY / "loader" / "ingest" / "sql"
    statements = {path.name: path.read_text() for path in folder.glob("*.sql")}
    assert "raw_evals.is_taken_back" in statements["find_told.sql"]
    # the others ask that function, or a view
    named = [name for name, text in statements.items() if "withdrawn_load_id" in text]
    assert named == ["list_withdrawals.sql"]


# ---- the command ----


def test_the_command_shows_what_goes_asks_for_a_reason_and_lists(database_url: str) -> None:
    load_records(database_url, [scored("a", 1), scored("b", 1)])
    dry = run(database_url, "--load", "1", "--dry-run")
    assert dry.exit_code == 0
    assert re.search(r"exp-1 +│? *baseline .* 2 ", dry.stdout)
    assert dry.stderr == "dry run, nothing written\n"
    silent = run(database_url, "--load", "1", "--reason", " ", "--undo", "7")
    assert silent.exit_code == 2
    assert "one of them; say why with --reason TEXT" in silent.stderr
    assert "parts of a --load" in run(database_url, "--group", "baseline", "--list").stderr
    assert not select(database_url, LEDGER)
    done = run(database_url, "--load", "1", "--reason", "wrong", "--author", "ana")
    assert done.exit_code == 0
    assert "exp-1: entry 2 takes it back" in done.stderr
    dry = run(database_url, "--undo", "2", "--reason", "right", "--dry-run")
    assert (dry.exit_code, "--undo has no --dry-run" in dry.stderr) == (2, True)
    assert run(database_url, "--undo", "2", "--reason", "right").exit_code == 0
    listed = json.loads(run(database_url, "--list", "--format", "json").stdout)
    [entry] = listed
    assert (entry["withdrawal"], entry["author"], entry["reason"]) == (2, "ana", "wrong")
    assert (entry["undone_by"], entry["undone_because"]) == (3, "right")


def test_on_a_terminal_it_asks_first(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load_records(database_url, [record()])
    monkeypatch.setattr("loader.cli.withdraw.is_terminal", lambda: True)
    arguments = [
        "withdraw",
        "--experiment",
        "exp-1",
        "--reason",
        "x",
        "--database-url",
        database_url,
    ]
    refused = CliRunner().invoke(cli, arguments, input="n\n")
    assert "Withdraw 1 run in 1 arm?" in refused.stderr
    assert refused.exit_code == 130
    assert not select(database_url, LEDGER)
    assert CliRunner().invoke(cli, [*arguments, "--yes"]).exit_code == 0
    assert len(select(database_url, LEDGER)) == 1


def test_a_server_that_goes_away_between_two_statements_is_no_fault_of_the_program(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no statement was at work, nobody had made an error of the loader's of it."""
    load_records(database_url, [scored("a", 0.5)])
    find = withdrawals.find

    def find_and_be_ended(connection: psycopg.Connection[Any], meant: Slice) -> withdrawals.Found:
        found = find(connection, meant)
        select(database_url, f"select pg_terminate_backend({connection.info.backend_pid}, 5000)")
        return found

    monkeypatch.setattr(withdrawals, "find", find_and_be_ended)
    ended = run(database_url, "--experiment", "exp-1", "--reason", "wrong", "--yes")
    assert ended.exit_code == 4, ended.output
    assert "the database could not go on" in ended.output
    assert "unexpected" not in ended.output
    assert select(database_url, "select count(*) from raw_evals.withdrawals") == [(0,)]


def test_a_pooler_that_loses_its_step_is_no_fault_of_the_program(database_url: str) -> None:
    """Of what it answers, the driver can tell nothing more than how often it did."""
    load_records(database_url, [scored("a", 0.5)])
    with doubling(database_url) as pooled:
        ended = run(pooled, "--experiment", "exp-1", "--reason", "wrong", "--yes")
    assert ended.exit_code == 4, ended.output
    assert "the database could not go on" in ended.output
    assert "unexpected" not in ended.output
    assert select(database_url, "select count(*) from raw_evals.withdrawals") == [(0,)]
