"""Whatever a role that may append writes by hand and the tables take, every build digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from hand_rows import DRAW, GATE_ROWS, ROWS, extreme_rows, insert
from ingest_support import load_records, record, select
from role_logins import login

if TYPE_CHECKING:
    from warehouse_dbt import Dbt


TAKEN = "00000"
REFUSALS = ("22", "23", "54")
"""Classes of what the server says of a value, of a constraint, and of what is too large."""


def outcome(hand: psycopg.Connection[Any], statement: str) -> str:
    """Run a statement; return the server's code. One that is refused leaves nothing."""
    hand.execute("savepoint row")
    try:
        hand.execute(statement.encode())
    except psycopg.Error as error:
        hand.execute("rollback to row")
        return error.sqlstate or ""
    return TAKEN


def test_a_build_digests_every_row_that_the_tables_take(database_url: str, dbt: Dbt) -> None:
    last = "currval('raw_evals.load_ids')"
    load_records(database_url, [record()])
    taken = refused = 0
    with (
        login(database_url, "evals_loader") as url,
        psycopg.connect(url) as hand,
        psycopg.connect(database_url) as owner,
    ):
        for experiment, statement in extreme_rows(owner, ROWS, last):
            # an experiment with two arms, so that the row is about something
            hand.execute(DRAW)
            for group in ("baseline", "code-chef"):
                run = {
                    "experiment_id": experiment,
                    "experiment_group": group,
                    "source_run_id": group,
                }
                hand.execute(insert("evaluation_runs", last, **run).encode())
            hand.execute(insert("load_experiments", last, experiment_id=experiment).encode())
            hand.execute(insert("loads", last).encode())
            hand.execute(DRAW)
            state = outcome(hand, statement)
            taken += state == TAKEN
            refused += state[:2] in REFUSALS
            assert state == TAKEN or state[:2] in REFUSALS, f"{statement}: {state}"
            hand.commit()
        with login(database_url, "evals_gate") as gate_url, psycopg.connect(gate_url) as gate:
            for _, statement in extreme_rows(owner, GATE_ROWS, 1):
                state = outcome(gate, statement)
                assert state == TAKEN or state[:2] in REFUSALS, f"{statement}: {state}"
            gate.commit()
    assert taken > 300
    assert refused > 200
    dbt.build(database_url)
    load_records(database_url, [record(task_id="later")])
    dbt.build(database_url)
    found = select(
        database_url, "select task_id from evals.evaluation_trials where experiment_id = 'exp-1'"
    )
    assert sorted(found) == [("later",), ("t-1",)]
