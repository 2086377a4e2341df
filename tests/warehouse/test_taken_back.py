"""What was withdrawn, and what was deleted by hand, is out of every mart; history still knows."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from close_values import agrees
from loader.cli import cli
from loader.ingest import withdrawals
from loader.marts import questions
from loader.marts.as_of import believed
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from click.testing import Result

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server


def arm(experiment: str, group: str, version: str, passes: int) -> list[dict[str, Any]]:
    """Return an arm of sixty tasks of which so many in ten pass."""
    return [
        {
            "experiment_id": experiment,
            "experiment_group": group,
            "extension_version": version,
            "task_id": f"t{task}",
            "agent_name": "undo",
            "scores": {"accuracy": int((task * 7) % 10 < passes)},
            "recorded_at": f"2025-06-0{version[-1]}T00:00:00Z",
        }
        for task in range(60)
    ]


class Warehouse:
    """A database, its commands and its builds."""

    def __init__(self, url: str, dbt: Dbt, folder: Path) -> None:
        self.url = url
        self._dbt = dbt
        self._folder = folder

    def run(self, *arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(cli, [*arguments, "--database-url", self.url])
        assert result.exit_code == exit_code, result.output
        return result

    def ingest(self, records: list[dict[str, Any]]) -> int:
        path = self._folder / "results.jsonl"
        path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
        result = self.run("ingest", "--file", str(path), "--summary-format", "json")
        return int(json.loads(result.stdout)["load_id"])

    def build(self) -> None:
        self._dbt.build(self.url)

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def now(self) -> datetime:
        [(moment,)] = self.select("select clock_timestamp()")
        time.sleep(0.02)
        found: datetime = moment
        return found

    def versions(self) -> list[tuple[Any, ...]]:
        """Return what trend, gate and summary answer from."""
        return self.select(
            "select extension_version, experiment_group, avg_value, sample_count"
            " from evals.version_trends where metric = 'accuracy' order by 1, 2"
        )


@pytest.fixture
def warehouse(database_url: str, dbt: Dbt, tmp_path: Path) -> Warehouse:
    return Warehouse(database_url, dbt, tmp_path)


GOOD = [("1.1", "baseline", 0.5, 60), ("1.2", "code-chef", 0.8, 60)]


def assert_same(found: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> None:
    assert len(found) == len(right), found
    for one, other in zip(found, right, strict=True):
        assert all(agrees(left, wanted) for left, wanted in zip(one, other, strict=True)), found


def test_a_wrong_load_is_taken_back_and_every_answer_is_from_the_rest(
    warehouse: Warehouse,
) -> None:
    """The case of a debugging run that was loaded under a version never released."""
    warehouse.ingest(arm("u", "baseline", "1.1", 5))
    warehouse.ingest(arm("u", "code-chef", "1.2", 8))
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
    before = warehouse.run("summary", "--experiment", "u", "--format", "json").stdout
    wrong = warehouse.ingest(arm("u", "code-chef", "1.3", 2))
    warehouse.build()
    assert len(warehouse.versions()) == 3
    assert warehouse.run("regressions", "--agent", "undo", exit_code=5).stdout
    moment = warehouse.now()
    warehouse.run("withdraw", "--load", str(wrong), "--reason", "a debugging run")
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
    assert warehouse.run("regressions", "--agent", "undo").stdout == "No alert.\n"
    after = warehouse.run("summary", "--experiment", "u", "--format", "json").stdout
    assert json.loads(after) == json.loads(before)
    # what was believed is not forgotten
    with (
        believed(moment, ["experiment_summaries"], warehouse.url, experiment="u"),
        connect(warehouse.url) as connection,
    ):
        then = questions.summary(connection, "u")
    assert then.values("candidate_version") == ["1.2", "1.3"]
    [(entry, told)] = warehouse.select(
        "select load_id, source_ref from evals.load_history where source = 'withdrawal'"
    )
    assert told["reason"] == "a debugging run"
    assert told["load"] == wrong
    warehouse.run("withdraw", "--undo", str(entry), "--reason", "it was released after all")
    warehouse.build()
    assert_same(warehouse.versions(), [*GOOD, ("1.3", "code-chef", 0.2, 60)])


def test_an_experiment_that_was_withdrawn_says_so_until_it_is_loaded_again(
    warehouse: Warehouse,
) -> None:
    records = [*arm("u", "baseline", "1.1", 5), *arm("u", "code-chef", "1.2", 8)]
    warehouse.ingest(records)
    warehouse.build()
    warehouse.run("withdraw", "--experiment", "u", "--reason", "wrong key", "--author", "ana")
    warehouse.build()
    told = warehouse.run("summary", "--experiment", "u", exit_code=2).stderr
    assert "every run of u was withdrawn by ana on " in told
    assert "wrong key (to lift it: evalmart withdraw --undo" in told
    again = warehouse.ingest(records)
    told = warehouse.run("summary", "--experiment", "u", exit_code=2).stderr
    assert "u is loaded but not built yet" in told
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
    assert warehouse.select("select distinct load_id from evals.evaluation_results") == [(again,)]


def test_rows_deleted_by_hand_are_gone_from_the_marts_too(warehouse: Warehouse) -> None:
    warehouse.ingest(arm("u", "baseline", "1.1", 5))
    warehouse.ingest(arm("u", "code-chef", "1.2", 8))
    wrong = warehouse.ingest(arm("u", "code-chef", "1.3", 2))
    warehouse.build()
    with psycopg.connect(warehouse.url) as connection:
        connection.execute("delete from raw_evals.evaluation_runs where load_id = %s", [wrong])
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
    [(told,)] = warehouse.select(
        "select source_ref from evals.load_history where source = 'deletion'"
    )
    assert told["of_loads"] == {str(wrong): 60}


def test_single_runs_that_a_service_deleted_are_out_of_every_mart(warehouse: Warehouse) -> None:
    warehouse.ingest(arm("u", "baseline", "1.1", 5))
    warehouse.ingest(arm("u", "code-chef", "1.2", 8))
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
    before = warehouse.run("summary", "--experiment", "u", "--format", "json").stdout
    moment = warehouse.now()
    failed = warehouse.select(
        "select source_run_id from raw_evals.evaluation_runs"
        " where extension_version = '1.2' and (scores ->> 'accuracy')::float = 0"
    )
    assert len(failed) == 12
    with connect(warehouse.url) as connection:
        [entry] = withdrawals.withdraw_runs(
            connection, {"u": [run for (run,) in failed]}, "p-1", "deleted there", None
        )
    warehouse.build()
    assert_same(warehouse.versions(), [GOOD[0], ("1.2", "code-chef", 1.0, 48)])
    spans = "select count(*) from evals.score_history where metric = 'accuracy' and {}"
    assert warehouse.select(spans.format("valid_to is not null")) == [(len(failed),)]
    then = warehouse.run(
        "summary", "--experiment", "u", "--format", "json", "--as-of", moment.isoformat()
    )
    assert json.loads(then.stdout) == json.loads(before)
    warehouse.run("withdraw", "--undo", str(entry.load_id), "--reason", "they were right")
    warehouse.build()
    assert_same(warehouse.versions(), GOOD)
