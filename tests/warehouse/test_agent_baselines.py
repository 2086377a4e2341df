"""An agent's baseline: which experiments take it, that builds follow it, and that it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from close_values import agrees
from loader.cli import cli
from loader.marts import questions
from loader.marts.as_of import believed
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

MEETINGS = (
    "select experiment_id, baseline_experiment_id, total_tasks, baseline_of_agents,"
    " baseline_set_at is not null from evals.experiment_summaries order by 1"
)


def arm(experiment: str, group: str, *, passes: int = 5, agent: str | None = "dev") -> list[Any]:
    """Return an arm of thirty tasks of which so many in ten pass."""
    return [
        {
            "experiment_id": experiment,
            "experiment_group": group,
            "extension_version": "1.0.0",
            "task_id": f"t{task}",
            "agent_name": agent,
            "scores": {"accuracy": int((task * 7) % 10 < passes)},
        }
        for task in range(30)
    ]


class Warehouse:
    """A database, its commands and its builds."""

    def __init__(self, url: str, dbt: Dbt, folder: Path) -> None:
        self.url = url
        self.dbt = dbt
        self._folder = folder

    def run(self, *arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(cli, [*arguments, "--database-url", self.url])
        assert result.exit_code == exit_code, result.output
        return result

    def ingest(self, records: list[Any], *options: str) -> None:
        path = self._folder / "results.jsonl"
        path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
        self.run("ingest", "--file", str(path), *options)

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def meetings(self) -> dict[str, tuple[Any, ...]]:
        return {row[0]: row[1:] for row in self.select(MEETINGS)}

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of what follows from pairs, but the times of a build."""
        return {
            name: self.select(f"select * from {name} order by 1, 2, 3, 4")
            for name in (
                "evals_intermediate.int_results_paired",
                "evals.evaluation_comparison_view",
                "evals.experiment_metric_comparisons",
                "evals.experiment_summaries",
            )
        }


@pytest.fixture
def warehouse(database_url: str, dbt: Dbt, tmp_path: Path) -> Warehouse:
    return Warehouse(database_url, dbt, tmp_path)


def test_an_experiment_meets_the_baseline_its_agent_had_when_its_first_load_came(
    warehouse: Warehouse,
) -> None:
    warehouse.ingest(arm("base-1", "baseline"))
    warehouse.ingest(arm("base-2", "baseline", passes=2))
    warehouse.ingest(arm("early", "code-chef", passes=9))
    warehouse.run("baseline", "set", "base-1", "--author", "ana")
    warehouse.ingest(arm("after", "code-chef", passes=9))
    warehouse.ingest([*arm("own", "code-chef", passes=9), *arm("own", "baseline")])
    warehouse.ingest(arm("named", "code-chef", passes=9), "--baseline-experiment", "base-2")
    warehouse.ingest(arm("other", "code-chef", passes=9, agent="docs"))
    warehouse.dbt.build(warehouse.url)
    found = warehouse.meetings()
    assert found == {
        "after": ("base-1", 30, ["dev"], True),
        "early": ("early", 0, None, False),
        "named": ("base-2", 30, None, False),
        "other": ("other", 0, None, False),
        "own": ("own", 30, None, False),
    }
    told = warehouse.run("summary", "--experiment", "after").stdout
    assert (
        "after: code-chef 1.0.0 against its baseline in base-1 (the baseline of dev since " in told
    )
    assert "(the baseline of" not in warehouse.run("summary", "--experiment", "named").stdout

    # another baseline changes no older verdict, whatever else is loaded of them
    warehouse.run("baseline", "set", "base-2", "--agent", "dev")
    warehouse.ingest(arm("after", "code-chef", passes=8))
    warehouse.ingest(arm("later", "code-chef", passes=9))
    # the control changes: those compared with it are made anew
    warehouse.ingest(arm("base-1", "baseline", passes=1))
    warehouse.dbt.build(warehouse.url)
    assert warehouse.meetings() == {**found, "later": ("base-2", 30, ["dev"], True)}
    [(mean,)] = warehouse.select(
        "select baseline_mean from evals.experiment_metric_comparisons"
        " where experiment_id = 'after' and metric = 'accuracy'"
    )
    assert mean == pytest.approx(0.1)

    # the baseline is withdrawn: nothing takes its place, and that is said
    warehouse.run("withdraw", "--experiment", "base-1", "--reason", "wrong model")
    warehouse.dbt.build(warehouse.url)
    assert warehouse.meetings()["after"] == ("base-1", 0, ["dev"], True)
    told = warehouse.run("summary", "--experiment", "after").stdout
    assert "No baseline: base-1, the baseline of dev, has no result of a control group." in told
    shown = warehouse.run("baseline", "show", "--agent", "dev", "--format", "json").stdout
    assert [
        (row["experiment_id"], row["replaced_at"] is None, row["author"], row["remark"])
        for row in json.loads(shown)
        if row["experiment_id"] == "base-1"
    ] == [("base-1", False, "ana", "no run of it counts: withdrawn or purged")]

    grown = warehouse.marts()
    warehouse.dbt.build(warehouse.url, "--full-refresh")
    anew = warehouse.marts()
    for name, rows in grown.items():
        assert len(anew[name]) == len(rows) > 0, name
        for one, other in zip(anew[name], rows, strict=True):
            assert agrees(list(one), list(other)), name


def test_a_time_before_knows_the_baseline_of_then(warehouse: Warehouse) -> None:
    warehouse.ingest(arm("base-1", "baseline"))
    warehouse.run("baseline", "set", "base-1")
    warehouse.ingest(arm("x", "code-chef", passes=9))
    [(moment,)] = warehouse.select("select clock_timestamp()")
    warehouse.run("baseline", "clear", "--agent", "dev")
    warehouse.ingest(arm("y", "code-chef", passes=9))
    with (
        believed(moment, ["experiment_summaries"], warehouse.url, experiment="x"),
        connect(warehouse.url) as connection,
    ):
        then = questions.summary(connection, "x").records()
    assert [(row["baseline_experiment_id"], row["total_tasks"]) for row in then] == [("base-1", 30)]
    warehouse.dbt.build(warehouse.url)
    assert warehouse.meetings()["y"] == ("y", 0, None, False)
