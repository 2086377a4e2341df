"""What reading commands have in common: formats, errors, rights; `recent`, `experiments`."""

import csv
import io
import subprocess
import sys

import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from loader.cli import cli
from loader.sources.sample import EXPERIMENT_ID
from loader.warehouse.connection import connect
from reading_sample import (
    COMMANDS,
    EVIL,
    Built,
)

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


FORMATS = ["table", "json", "csv", "markdown"]


def test_recent_lists_the_newest_first_and_filters(built: Built) -> None:
    rows = built.json("recent", "--limit", 50)
    times = [row["recorded_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert len(rows) == 50
    rows = built.json("recent", "--agent", "cicd", "--group", "baseline", "--limit", 500)
    assert {(row["agent_name"], row["experiment_group"]) for row in rows} == {("cicd", "baseline")}
    assert built.json("recent", "--agent", "nobody") == []
    assert built.run("recent", "--agent", "nobody").stdout == "No result yet.\n"


def test_experiments_lists_every_one_also_without_a_candidate(built: Built) -> None:
    rows = built.json("experiments")
    assert built.json("experiments", "--limit", 2) == rows[:2]
    listed = {row["experiment_id"] for row in rows}
    assert {EXPERIMENT_ID, "exp-2024-11-001", "alone", "only-baseline", "timing"} <= listed
    by_id = {row["experiment_id"]: row for row in rows}
    assert by_id["only-baseline"]["candidate_group"] is None
    assert by_id[EXPERIMENT_ID]["total_tasks"] == 150


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_json_and_csv_hold_the_same_rows(built: Built, command: list[str]) -> None:
    records = built.json(*command)
    text = built.run(*command, "--format", "csv").stdout_bytes.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == len(records) > 0
    for row, record in zip(rows, records, strict=True):
        for name in (
            "set_aside", "category_counts", "pairwise_preferences", "summary_scores",
            "judge_sensitivity", "pass_curves", "experiment_task_comparisons",
        ):  # fmt: skip
            record.pop(name, None)  # a list, of which CSV has no column
        assert list(row) == list(record)
        for name, value in record.items():
            if isinstance(value, float):
                assert float(row[name]) == value
            elif value is None:
                assert row[name] == ""


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_format_prints_plainly(built: Built, command: list[str], output: str) -> None:
    result = built.run(*command, "--format", output)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("\n")
    # csv leaves what is in the data alone
    assert output == "csv" or "\x1b" not in result.stdout
    assert "NaN" not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_text_from_records_never_drives_the_terminal(built: Built, output: str) -> None:
    for command in (["compare", "--experiment", "alone"], ["recent", "--agent", EVIL]):
        result = built.run(*command, "--format", output)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.stdout
        assert "x1b" in result.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["summary", "--experiment", "exp-2025-01-01"], f"did you mean {EXPERIMENT_ID}"),
        (["compare", "--experiment", "exp-2025-01-01"], f"did you mean {EXPERIMENT_ID}"),
        (["summary", "--experiment", "' or true --"], "evalmart experiments"),
        (
            ["compare", "--experiment", EXPERIMENT_ID, "--task", "email-relay/split-god"],
            "did you mean email-relay/split-god-class",
        ),
        (["trend", "--agent", "feature-dev", "--metric", "accuracy"], "did you mean feature_dev"),
        (["trend", "--agent", "cicd", "--metric", "acuracy"], "did you mean accuracy"),
        (["regressions", "--agent", "feature-dev"], "did you mean feature_dev"),
        (["regressions", "--tasks", "--agent", "feature-dev"], "did you mean feature_dev"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(
    built: Built, command: list[str], message: str
) -> None:
    result = built.run(*command)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_without_marts_every_command_names_the_remedy(
    database_url: str, command: list[str]
) -> None:
    result = CliRunner().invoke(cli, [*command, "--database-url", database_url])
    assert result.exit_code == 2
    assert "run evalmart build" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_analyst_may_run_every_command(built: Built, command: list[str]) -> None:
    url = make_conninfo(built.url, options="-c role=evals_analyst")
    result = CliRunner().invoke(cli, [*command, "--database-url", url])
    assert result.exit_code == 0, result.output


def test_a_column_that_a_mart_lacks_asks_for_a_build(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("create schema evals")
        connection.execute("create table evals.version_trends (agent_name text)")
    result = CliRunner().invoke(cli, [*COMMANDS[3], "--database-url", database_url])
    assert result.exit_code == 2
    assert "of another version" in result.stderr
    assert "run evalmart build" in result.stderr


def test_purge_and_build_leave_only_what_is_archived(built: Built) -> None:
    """The last test of the module: it empties what the others read."""
    with connect(built.url) as connection:
        connection.execute(
            """
            update raw_evals.evaluation_runs
            set metadata = metadata || '{"archive": true}'
            where experiment_id = 'exp-2024-11-001'
            """
        )
    result = subprocess.run(
        [sys.executable, "-m", "loader", "purge", "--older-than", "30", "--yes",
         "--database-url", built.url],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "removed" in result.stderr
    listed = {row["experiment_id"] for row in built.json("experiments")}
    assert listed == {
        "exp-2024-11-001",
        "alone",
        "only-baseline",
        "apart",
        "unsaid",
        "parts",
        "drift-1.0.0",
        "drift-1.1.0",
    }
    assert built.run("summary", "--experiment", EXPERIMENT_ID).exit_code == 2
    (row,) = built.json("summary", "--experiment", "exp-2024-11-001")
    assert row["total_tasks"] == 150
    versions = built.json("trend", "--agent", "cicd", "--metric", "accuracy")
    assert {row["extension_version"] for row in versions} == {"1.7.0"}
