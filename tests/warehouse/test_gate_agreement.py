"""The command `gate`, the dbt test on `gate_experiment` and the mart of decisions agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from raw_rows import RawRows
from warehouse_dbt import Dbt

import servers
from loader.cli import cli
from loader.connection import connect
from loader.migrate import migrate
from loader.sample import EXPERIMENT_ID, write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.newest_server

# Experiment → what the gate says, how it ends.
VERDICTS = {
    EXPERIMENT_ID: ("pass", 0),
    "exp-2024-12-003": ("inconclusive", 5),
    "worse": ("blocked", 1),
}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    runner = Dbt(tmp_path_factory.mktemp("dbt"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the sample's marts, and an experiment that is worse in every way."""
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory)
    with servers.fresh_database(postgres_server) as url:
        with connect(url) as setup:
            migrate(setup)
        for path in sorted(directory.glob("*.jsonl")):
            result = CliRunner().invoke(cli, ["ingest", "--file", str(path), "--database-url", url])
            assert result.exit_code == 0, result.output
        (directory / "worse.jsonl").write_text("\n".join(map(json.dumps, worse())))
        result = CliRunner().invoke(
            cli, ["ingest", "--file", str(directory / "worse.jsonl"), "--database-url", url]
        )
        assert result.exit_code == 0, result.output
        dbt.build(url)
        yield url


def worse() -> Iterator[dict[str, Any]]:
    for task in range(60):
        for group, accuracy, latency in (("baseline", 0.8, 1000), ("code-chef", 0.5, 1900)):
            yield {
                "experiment_id": "worse",
                "task_id": f"t{task}",
                "experiment_group": group,
                "extension_version": "1.0.0",
                "accuracy": accuracy + task % 5 / 100 * (1 if group == "baseline" else 2),
                "latency_ms": latency + 10 * (task % 7),
            }


@pytest.mark.parametrize("experiment", VERDICTS)
def test_command_dbt_test_and_mart_say_the_same(experiment: str, url: str, dbt: Dbt) -> None:
    verdict, exit_code = VERDICTS[experiment]
    result = CliRunner().invoke(cli, ["gate", "--experiment", experiment, "--database-url", url])
    assert result.exit_code == exit_code, result.output
    passed, messages = dbt.attempt(
        url, "test", "--select", "assert_gate_passes",
        "--vars", json.dumps({"gate_experiment": experiment}),
    )  # fmt: skip
    assert passed == (verdict == "pass"), messages
    dbt.run(url, "run", "--select", "stg_gate_decisions", "gate_decisions")
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select verdict, exit_code, looks from evals.gate_decisions"
            " where experiment_id = %s order by look_number desc limit 1",
            [experiment],
        ).fetchone()
    assert row == (verdict, exit_code, 1)


def test_the_dbt_test_does_not_pass_an_unknown_experiment(url: str, dbt: Dbt) -> None:
    passed, _ = dbt.attempt(
        url, "test", "--select", "assert_gate_passes", "--vars", '{"gate_experiment": "nowhere"}'
    )
    assert not passed


def test_a_version_that_changes_inside_an_arm_is_told(postgres_server: str, dbt: Dbt) -> None:
    records = [
        {
            **record,
            "experiment_id": experiment,
            "scores": {"accuracy": record.pop("accuracy")},
            "dataset_version": f"d{place < 60 if experiment == 'changed' else 0}",
        }
        for experiment in ("changed", "constant")
        for place, record in enumerate(worse())
    ]
    with servers.fresh_database(postgres_server) as url:
        with connect(url) as setup:
            migrate(setup)
        with psycopg.connect(url, autocommit=True) as connection:
            RawRows(connection).load(records)
        dbt.build(url)
        for settings, expected in (
            ({}, True),
            ({"gate_experiment": "constant"}, True),
            ({"gate_experiment": "changed"}, False),
            ({"allow_version_changes": False, "test_all": True}, False),
        ):
            passed, _ = dbt.attempt(
                url, "test", "--select", "assert_versions_are_constant",
                "--vars", json.dumps(settings),
            )  # fmt: skip
            assert passed == expected, settings
