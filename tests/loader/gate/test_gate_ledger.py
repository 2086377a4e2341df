"""What the gate records of its verdicts, and what it warns of."""

import psycopg
import pytest

import gate_marts
from gate_calls import call_gate, ledger
from gate_marts import ACCURACY, SUMMARY
from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server


def test_every_look_is_kept_with_what_it_rested_on(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.load(connection, 7, "exp-1", is_built=True)
        for _ in range(2):
            assert "state" not in call_gate(connection).stderr
        gate_marts.load(connection, 9, "exp-1", is_built=True)
        third = call_gate(connection)
        assert "look 3 at this candidate" in third.stdout
        assert "2 states of the data" in third.stdout
        assert "each look is another chance of a false alarm" in third.stderr
        peeking = call_gate(connection, policy="version: 1\npeeking: true\n")
        assert "false alarm" not in peeking.stderr
        rows = ledger(
            connection, "load_id, verdict, exit_code, policy ->> 'peeking', numbers, policy_hash"
        )
    assert [row[:4] for row in rows] == [
        (7, "pass", 0, "false"), (7, "pass", 0, "false"),
        (9, "pass", 0, "false"), (9, "pass", 0, "true"),
    ]  # fmt: skip
    assert rows[0][4]["metrics"][0]["mean_difference"] == 0.08  # type: ignore[index]
    assert len({row[5] for row in rows}) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "update raw_evals.gate_decisions set verdict = 'pass'",
        "delete from raw_evals.gate_decisions",
        "truncate raw_evals.gate_decisions",
        "delete from raw_evals.gate_calibrations",
    ],
)
def test_the_ledger_refuses_to_forget(connection: Connection, statement: str) -> None:
    with connection, pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        connection.execute(statement.encode())


def test_results_that_the_marts_lack_are_announced(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "baseline_experiment_id": "reference"}, ACCURACY)
        gate_marts.load(connection, 3, "reference", is_built=True)
        gate_marts.load(connection, 4, "exp-1", is_built=True)
        gate_marts.load(connection, 5, "other", is_built=False)
        assert "newer" not in call_gate(connection).stderr
        gate_marts.load(connection, 6, "reference", is_built=False)
        assert "1 newer load is not in the marts yet" in call_gate(connection).stderr
        # where the build's own ledger is readable, it counts
        connection.execute("create schema evals_staging")
        connection.execute(
            "create table evals_staging.build_watermarks as "
            "select * from (values ('experiment_summaries', 6), "
            "('experiment_metric_comparisons', 5)) as rows (model, built_load_id)"
        )
        connection.commit()
        assert "newer" in call_gate(connection).stderr
        connection.execute("update evals_staging.build_watermarks set built_load_id = 6")
        connection.commit()
        assert "newer" not in call_gate(connection).stderr
        assert [row[0] for row in ledger(connection, "load_id")] == [4, 4, 4, 6]
