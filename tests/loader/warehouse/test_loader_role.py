"""What a role that may append can do by hand: neither choose an id or a time, nor be a purge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from hand_rows import DRAW, ROWS, insert
from ingest_support import VOCABULARY, load_records, record, select
from loader import Recorder
from loader.ingest import arm_plans, baselines, withdrawals
from loader.ingest.annotations import annotate
from loader.ingest.said import Said
from loader.sources import ArmPlan
from loader.warehouse.connection import connect
from recorders import ARM, RUN
from role_logins import login

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt


@pytest.fixture
def loader_url(database_url: str) -> Iterator[str]:
    with login(database_url, "evals_loader") as url:
        yield url


@pytest.fixture
def hand(loader_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(loader_url) as connection:
        yield connection


def refused(hand: psycopg.Connection[Any], *statements: str) -> str:
    """Run statements in one transaction, of which the last must be refused; return why."""
    *before, last = statements
    for statement in before:
        hand.execute(statement.encode())
    with pytest.raises(
        (psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)
    ) as (error):
        hand.execute(last.encode())
    hand.rollback()
    return str(error.value)


def test_every_table_of_loads_is_guarded(database_url: str) -> None:
    guarded = select(
        database_url,
        "select tgrelid::regclass::text from pg_trigger where tgname = 'load_ids_are_own'",
    )
    with_ids = select(
        database_url,
        "select table_name from information_schema.columns natural join information_schema.tables"
        " where table_schema = 'raw_evals' and column_name = 'load_id'"
        " and table_type = 'BASE TABLE'",
    )
    tables = {name for (name,) in with_ids} - {"gate_decisions", "gate_calibrations"}
    assert {name.removeprefix("raw_evals.") for (name,) in guarded} == tables >= set(ROWS)


@pytest.mark.parametrize("table", ROWS)
def test_a_row_is_written_under_the_id_just_drawn_or_not_at_all(
    hand: psycopg.Connection[Any], database_url: str, table: str
) -> None:
    load_records(database_url, [record()])
    last = "currval('raw_evals.load_ids')"
    # one that was drawn, but not in this transaction
    hand.execute(DRAW)
    hand.commit()
    for number in (2, 0, -1, 9_000_000_000_000_000_000):
        assert "no load id was drawn" in refused(hand, insert(table, number))
        assert "has the load id" in refused(hand, DRAW, insert(table, number))
    assert "no load id was drawn" in refused(hand, insert(table, last))
    assert "has the load id" in refused(hand, DRAW, insert(table, f"{last} - 1"))
    assert "has the load id" in refused(hand, DRAW, insert(table, f"{last} + 1"))
    hand.execute("savepoint before")
    hand.execute(DRAW)
    hand.execute("rollback to before")
    assert "no load id was drawn" in refused(hand, insert(table, last))
    hand.execute(DRAW)
    hand.execute(insert(table, last).encode())
    hand.commit()


def test_the_owner_may_write_what_he_likes(database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute(insert("loads", 7, source="purge").encode())
        owner.execute(insert("evaluation_runs", 7, run_version=500).encode())


def test_a_load_is_no_purge_and_no_deletion(hand: psycopg.Connection[Any]) -> None:
    for source in ("purge", "deletion"):
        said = refused(hand, DRAW, insert("loads", "currval('raw_evals.load_ids')", source=source))
        assert f"may not name itself {source}" in said


def test_no_version_of_a_run_is_out_of_reach(
    hand: psycopg.Connection[Any], database_url: str
) -> None:
    last = "currval('raw_evals.load_ids')"
    for version in (101, 1_000_000_000):
        row = insert("evaluation_runs", last, run_version=version)
        assert "follows no version" in refused(hand, DRAW, row)
    hand.execute(DRAW)
    hand.execute(insert("evaluation_runs", last, run_version=100).encode())
    hand.commit()
    run = record(experiment_id="e", task_id="t", source_run_id="r", extension_version="1")
    for score in (0.1, 0.2):
        load_records(database_url, [{**run, "scores": {"accuracy": score}}])
    versions = select(database_url, "select run_version from raw_evals.evaluation_runs order by 1")
    assert versions == [(100,), (101,), (102,)]


def test_nobody_takes_the_id_of_what_somebody_will_say(hand: psycopg.Connection[Any]) -> None:
    last = "currval('raw_evals.load_ids')"
    hand.execute("select nextval('raw_evals.annotation_ids')")
    for number in (0, "currval('raw_evals.annotation_ids') + 1", 9_000_000_000_000_000_000):
        row = insert("annotations", last, annotation_id=number)
        assert "was drawn yet" in refused(hand, DRAW, row)


def test_documented_uses_need_no_more_than_the_role(loader_url: str, database_url: str) -> None:
    both = [record(experiment_group=group) for group in ("baseline", "code-chef")]
    runs = [{**each, "agent_name": "a", "source_run_id": str(n)} for n, each in enumerate(both)]
    assert load_records(loader_url, runs).loaded == 2
    again = [{**each, "scores": {"accuracy": 1}} for each in runs]
    assert load_records(loader_url, [*again, {"no": "record"}]).rejected == 1
    arm: dict[str, Any] = dict(ARM)
    with Recorder(**arm, database_url=loader_url) as recorder:
        recorder.record(task_id="t", **RUN)
    assert recorder.loaded_count == 1
    with connect(loader_url) as connection:
        assert arm_plans.announce(
            connection, "plans", [ArmPlan("exp-1", "baseline", "1.0.0", 2, None)]
        )
        said = Said(1, "exp-1", "t-1", "baseline", None, None, "accuracy", 0.5, "ana", "a test")
        assert annotate(connection, [said], VOCABULARY).counts.loaded == 1
        baselines.set_baseline(connection, "exp-1", "a", None, ("baseline",))
        baselines.clear(connection, "a", None)
        (entry,) = withdrawals.withdraw(connection, withdrawals.Slice(load=1), "a test", None)
        withdrawals.undo(connection, [entry.load_id], "a test", None)
        # as `ingest --sync` does
        withdrawals.withdraw_runs(connection, {"exp-1": ["0", "1"]}, "p", "gone there", None)
    sources = select(database_url, "select source, count(*) from raw_evals.loads group by 1")
    assert dict(sources) == {
        "annotation": 1, "baseline": 2, "file": 2, "plans": 1, "recorder": 1, "withdrawal": 3,
    }  # fmt: skip


def test_what_is_written_by_hand_neither_breaks_a_build_nor_hides_what_follows(
    hand: psycopg.Connection[Any], database_url: str, dbt: Dbt
) -> None:
    last = "currval('raw_evals.load_ids')"
    load_records(database_url, [record()])
    # an id without a row, rows without an entry, a feed without rows, an entry without a feed
    for statements in (
        [],
        [insert("evaluation_runs", last)],
        [insert("load_experiments", last, experiment_id="nowhere", baseline_experiment_id="e")],
        [insert("loads", last, source_ref=json.dumps({"of_loads": {"x": "y"}, "versions": "z"}))],
        [
            insert(table, last, experiment_id="other")
            for table in ROWS
            if "experiment_id" in ROWS[table]
        ],
        [insert(table, last) for table in ("contents", "rejected_rows")],
    ):
        hand.execute(DRAW)
        for statement in statements:
            hand.execute(statement.encode())
        hand.commit()
    dbt.build(database_url)
    load_records(database_url, [record(task_id="later"), record(experiment_id="e")])
    dbt.build(database_url)
    found = select(database_url, "select experiment_id, task_id from evals.evaluation_trials")
    assert {("exp-1", "t-1"), ("exp-1", "later"), ("e", "t-1")} <= set(found)
    everything = select(database_url, "select count(*) from evals.evaluation_trials")
    dbt.build(database_url, "--full-refresh")
    assert select(database_url, "select count(*) from evals.evaluation_trials") == everything
