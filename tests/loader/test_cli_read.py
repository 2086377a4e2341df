import csv
import io
import json
import subprocess
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from psycopg.conninfo import make_conninfo

from loader import marts
from loader.cli import cli
from loader.connection import connect
from loader.sample import EXPERIMENT_ID, write_sample

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "popularity_gpt5_vs_gemini.jsonl"
FORMATS = ["table", "json", "csv", "markdown"]
EVIL = "evil [bold]|`\x1b[31m"
TIE_MARGIN = Fraction("0.05")


class Built:
    """A database that holds the sample and its marts, and what was loaded into it."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(cli, [*map(str, arguments), "--database-url", self.url])

    def json(self, *arguments: object) -> list[dict]:
        result = self.run(*arguments, "--format", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def built(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    name = f"test_{uuid.uuid4().hex}"
    directory = tmp_path_factory.mktemp("sample")
    built = Built(make_conninfo(postgres_server, dbname=name), directory)
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(
            sql.SQL("create database {} template template0 encoding 'UTF8'").format(
                sql.Identifier(name)
            )
        )
        write_sample(directory)
        more = [
            {"experiment_id": "alone", "task_id": EVIL, "experiment_group": "code-chef",
             "extension_version": "2.0.0", "agent_name": EVIL, "accuracy": 0.5},
            {"experiment_id": "only-baseline", "task_id": "t", "experiment_group": "baseline",
             "extension_version": "2.0.0"},
        ]  # fmt: skip
        (directory / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more))
        files = [directory / name for name in SAMPLE_FILES]
        if SHARED.exists():
            files.append(SHARED)
        for arguments in (
            ["init"],
            ["ingest", *(part for path in files for part in ("--file", path))],
            ["ingest", "--file", directory / "baseline_runner.json", "--format", "baseline",
             "--experiment-id", "timing", "--extension-version", "1.10.0"],
        ):  # fmt: skip
            result = built.run(*arguments)
            assert result.exit_code == 0, result.output
        subprocess.run(
            [
                *(sys.executable, "-m", "loader", "build", "--database-url", built.url, "--quiet"),
                # dbt's own tests have their place elsewhere
                *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            ],
            check=True,
        )
        try:
            yield built
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


SAMPLE_FILES = ["baseline.jsonl", "code-chef.jsonl", "history.jsonl", "more.jsonl"]


def results(paths: list[Path], experiment: str, key: str) -> dict[str, dict[str, Fraction | None]]:
    """Return group → task → exact mean score over repetitions, None when there is none."""
    scores: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line, parse_float=Fraction, parse_int=Fraction)
            if row["experiment_id"] == experiment:
                value = row["scores"].get(key)
                scores[row["experiment_group"], row["task_id"]] += [] if value is None else [value]
    means: dict[str, dict[str, Fraction | None]] = defaultdict(dict)
    for (group, task), values in scores.items():
        means[group][task] = sum(values, Fraction()) / len(values) if values else None
    return means


def winners(means: Mapping[str, Mapping[str, Fraction | None]]) -> dict[str, str | None]:
    """Return task → who won it, counted without the database."""
    found: dict[str, str | None] = {}
    for task, left in means["baseline"].items():
        if task in means["code-chef"]:
            right = means["code-chef"][task]
            if left is None or right is None:
                found[task] = None
            elif abs(right - left) <= TIE_MARGIN:
                found[task] = "tie"
            else:
                found[task] = "candidate" if right > left else "baseline"
    return found


def sample_winners(built: Built) -> dict[str, str | None]:
    paths = [built.directory / name for name in SAMPLE_FILES[:2]]
    return winners(results(paths, EXPERIMENT_ID, "agent_routing_accuracy"))


def test_the_summary_counts_what_an_independent_count_finds(built: Built) -> None:
    counts = Counter(sample_winners(built).values())
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    assert row["total_tasks"] == 150
    assert row["candidate_wins"] == counts["candidate"]
    assert row["baseline_wins"] == counts["baseline"]
    assert row["ties"] == counts["tie"]
    assert row["undecided_tasks"] == counts[None] >= 1


@pytest.mark.parametrize("path", [SHARED] if SHARED.exists() else [])
def test_the_summary_of_real_results_agrees_too(built: Built, path: Path) -> None:
    counts = Counter(winners(results([path], "popularity-gpt5-vs-gemini", "accuracy")).values())
    (row,) = built.json("summary", "--experiment", "popularity-gpt5-vs-gemini")
    assert row["total_tasks"] == 100 == counts.total()
    assert (row["candidate_wins"], row["baseline_wins"], row["ties"]) == (
        counts["candidate"],
        counts["baseline"],
        counts["tie"],
    )


def test_the_summary_page_names_its_rule_its_metric_and_its_limits(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    text = built.run("summary", "--experiment", EXPERIMENT_ID).stdout
    assert f"{EXPERIMENT_ID}: code-chef 1.10.0 against its baseline" in text
    assert "Recommendation: deploy." in text
    assert "Rule of thumb (legacy_recommendation): deploy; its own average of the metrics" in text
    assert "The difference in accuracy is more than chance explains: without any change" in text
    assert "The weighted improvement is" in text
    means = (f"{row[f'{arm}_accuracy']:.3f}" for arm in ("baseline", "candidate"))
    assert " → ".join(means) in text
    assert f"By accuracy, the candidate won {row['candidate_wins']}, lost" in text
    assert f"{row['avg_accuracy_improvement_pct']:+.1f} points" in text
    assert "What this does not tell:" in text
    assert "who won 1 task: an arm has no score there" in text


def test_a_baseline_measured_elsewhere_is_named(built: Built) -> None:
    text = built.run("summary", "--experiment", "exp-2024-12-002").stdout
    assert "code-chef 1.9.0 against its baseline in exp-2024-11-001" in text
    assert "reject" in text


def test_an_experiment_with_one_arm_has_no_verdict(built: Built) -> None:
    text = built.run("summary", "--experiment", "alone").stdout
    assert "No verdict: no task has a result in both arms." in text
    assert "1 task only in the candidate" in text
    text = built.run("summary", "--experiment", "only-baseline").stdout
    assert "no candidate's result yet" in text
    assert built.json("summary", "--experiment", "only-baseline") == []


def test_an_experiment_without_scores_is_not_decided(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "timing")
    assert row["total_tasks"] == 20
    assert (row["candidate_wins"], row["baseline_wins"], row["ties"]) == (0, 0, 0)
    text = built.run("summary", "--experiment", "timing").stdout
    assert "20 tasks in both arms; no score decides them." in text
    assert "anything about accuracy, completeness, efficiency, integration quality" in text


def test_compare_lists_every_task_with_the_winner_losses_first(built: Built) -> None:
    expected = sample_winners(built)
    rows = built.json("compare", "--experiment", EXPERIMENT_ID)
    assert {row["task_id"]: row["winner"] for row in rows} == expected
    differences = [row["primary_difference"] for row in rows]
    known = [value for value in differences if value is not None]
    assert known == sorted(known)
    assert differences[: len(known)] == known
    assert rows[0]["winner"] == "baseline"


def test_compare_takes_one_task_or_a_limit(built: Built) -> None:
    assert len(built.json("compare", "--experiment", EXPERIMENT_ID, "--limit", 7)) == 7
    task = "email-relay/split-god-class"
    (row,) = built.json("compare", "--experiment", EXPERIMENT_ID, "--task", task)
    assert row["task_id"] == task
    assert row["winner"] is None
    assert row["baseline_accuracy"] is None
    assert row["candidate_accuracy"] is not None
    text = built.run("compare", "--experiment", EXPERIMENT_ID, "--task", task).stdout
    lines = {line.split("  ")[1].strip(): line for line in text.splitlines()[2:]}
    assert lines["accuracy"].split()[-2:] == [f"{row['candidate_accuracy']:.3f}", "–"]  # noqa: RUF001
    assert f"{row['baseline_latency_ms']:,.1f} ms" in lines["latency_ms"]
    assert f"{row['latency_reduction_pct']:+.1f} %" in lines["latency_ms"]


def test_compare_shows_people_the_primary_metric(built: Built) -> None:
    text = built.run("compare", "--experiment", EXPERIMENT_ID).stdout
    metrics, _, tasks = text.partition("\n\n")
    assert "accuracy: baseline" in tasks.splitlines()[0]
    assert "latency saved (%)" in tasks.splitlines()[0]
    assert len(tasks.splitlines()) == 152
    assert len(metrics.splitlines()) == 9, "a line for each metric"


@pytest.mark.parametrize("command", ["summary", "compare"])
def test_every_metric_is_shown_with_its_interval_and_its_chance(built: Built, command: str) -> None:
    lines = built.run(command, "--experiment", EXPERIMENT_ID).stdout.splitlines()
    with connect(built.url) as connection:
        rows = marts.metrics(connection, EXPERIMENT_ID).records()
    assert len(rows) == 7
    for row in rows:
        [line] = [line for line in lines if line.startswith(f"{row['metric']} ")]
        is_score = row["kind"] == "score"
        names = ("mean_difference", "ci_low", "ci_high") if is_score else (
            "ratio", "ratio_low", "ratio_high"
        )  # fmt: skip
        value, low, high = (100 * float(str(row[name])) - 100 * (not is_score) for name in names)
        assert f"{value:+.1f} {'points' if is_score else '%'}" in line
        assert f"{low:+.1f} … {high:+.1f}" in line
        p_value = float(str(row["p_value"]))
        assert ("p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}") in line


def test_compare_of_an_experiment_without_a_baseline_says_why(built: Built) -> None:
    (row,) = built.json("compare", "--experiment", "alone")
    assert row["is_comparable"] is False
    assert row["not_comparable_reason"] == "no_baseline_result"
    assert "no_baseline_result" in built.run("compare", "--experiment", "alone").stdout


def test_the_trend_follows_semantic_versions_and_shows_the_regression(built: Built) -> None:
    arguments = ["trend", "--agent", "feature_dev", "--metric", "accuracy", "--group", "code-chef"]
    rows = built.json(*arguments)
    versions = [row["extension_version"] for row in rows]
    assert versions == ["1.7.0", "1.8.0", "1.9.0", "1.9.1", "1.10.0"]
    means = dict(zip(versions, (row["avg_value"] for row in rows), strict=True))
    assert means["1.9.0"] < means["1.8.0"] - 0.05
    assert means["1.9.1"] > means["1.8.0"]
    sparkline, _, headings, _, *lines = built.run(*arguments).stdout.splitlines()
    assert len(sparkline.split()[0]) == len(versions)
    assert [line.split()[0] for line in lines] == versions
    for heading in ("n", "accuracy: mean", "sd", "p50", "p95", "first seen (UTC)", "last seen"):
        assert heading in headings


def test_the_trend_says_where_other_tasks_moved_the_mean(built: Built) -> None:
    arguments = ["trend", "--agent", "cicd", "--metric", "accuracy"]
    misled = [row for row in built.json(*arguments) if row["has_opposite_signs"]]
    assert [(row["extension_version"], row["plain_change"] > 0) for row in misled] == [
        ("1.8.0", True)
    ]
    *_, empty, sentence = built.run(*arguments).stdout.splitlines()
    assert empty == ""
    assert sentence.startswith(
        f"code-chef 1.8.0: the mean rose, but over the {misled[0]['shared_task_count']} tasks that"
        " 1.7.0 ran too it fell (p = 0."
    )


def test_the_trend_agrees_with_the_records(built: Built) -> None:
    paths = [built.directory / "code-chef.jsonl"]
    means = results(paths, EXPERIMENT_ID, "token_efficiency")["code-chef"]
    agents = {
        row["task_id"]: row["agent_name"]
        for row in map(json.loads, paths[0].read_text(encoding="utf-8").splitlines())
    }
    values = [
        float(value)
        for task, value in means.items()
        if agents[task] == "cicd" and value is not None
    ]
    rows = built.json("trend", "--agent", "cicd", "--metric", "efficiency", "--group", "code-chef")
    assert rows[-1]["extension_version"] == "1.10.0"
    assert rows[-1]["sample_count"] == len(values)
    assert rows[-1]["avg_value"] == pytest.approx(sum(values) / len(values), rel=1e-9)
    assert rows[-1]["min_value"] == pytest.approx(min(values), rel=1e-9)


def test_the_trend_knows_latency_tokens_and_cost_with_their_units(built: Built) -> None:
    for metric, heading in (
        ("latency_ms", "latency_ms: mean (ms)"),
        ("tokens_used", "tokens_used: mean"),
        ("cost_usd", "cost_usd: mean ($)"),
    ):
        result = built.run("trend", "--agent", "feature_dev", "--metric", metric)
        assert result.exit_code == 0, result.output
        assert heading in result.stdout
        assert "baseline" in result.stdout


def test_the_trend_can_be_limited_to_recent_days(built: Built) -> None:
    arguments = ["trend", "--agent", "feature_dev", "--metric", "accuracy"]
    assert built.json(*arguments, "--days", 7) == []
    assert len(built.json(*arguments, "--days", 100_000)) == 7
    result = built.run(*arguments, "--days", 7)
    assert result.exit_code == 0
    assert "No version of feature_dev with accuracy passes the filters." in result.stdout


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


COMMANDS = [
    ["summary", "--experiment", EXPERIMENT_ID],
    ["compare", "--experiment", EXPERIMENT_ID],
    ["trend", "--agent", "feature_dev", "--metric", "accuracy"],
    ["recent"],
    ["experiments"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_json_and_csv_hold_the_same_rows(built: Built, command: list[str]) -> None:
    records = built.json(*command)
    text = built.run(*command, "--format", "csv").stdout_bytes.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == len(records) > 0
    for row, record in zip(rows, records, strict=True):
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
        (["summary", "--experiment", "' or true --"], "python -m loader experiments"),
        (
            ["compare", "--experiment", EXPERIMENT_ID, "--task", "email-relay/split-god"],
            "did you mean email-relay/split-god-class",
        ),
        (["trend", "--agent", "feature-dev", "--metric", "accuracy"], "did you mean feature_dev"),
        (["trend", "--agent", "cicd", "--metric", "acuracy"], "did you mean accuracy"),
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
    assert "run python -m loader build" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_analyst_may_run_every_command(built: Built, command: list[str]) -> None:
    url = make_conninfo(built.url, options="-c role=evals_analyst")
    result = CliRunner().invoke(cli, [*command, "--database-url", url])
    assert result.exit_code == 0, result.output


def test_a_column_that_a_mart_lacks_asks_for_a_build(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("create schema evals")
        connection.execute("create table evals.version_trends (agent_name text)")
    result = CliRunner().invoke(cli, [*COMMANDS[2], "--database-url", database_url])
    assert result.exit_code == 2
    assert "build --full-refresh" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["summary"],
        ["compare"],
        ["trend"],
        ["trend", "--agent", "a"],
        ["recent", "--limit", "0"],
        ["recent", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(command: list[str]) -> None:
    assert CliRunner().invoke(cli, command).exit_code == 2


@pytest.mark.parametrize(
    "command",
    ["summary", "compare", "trend", "recent", "experiments", "export", "purge", "sample"],
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert f"python -m loader {command}" in result.stdout


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
    assert listed == {"exp-2024-11-001", "alone", "only-baseline"}
    assert built.run("summary", "--experiment", EXPERIMENT_ID).exit_code == 2
    (row,) = built.json("summary", "--experiment", "exp-2024-11-001")
    assert row["total_tasks"] == 150
    versions = built.json("trend", "--agent", "cicd", "--metric", "accuracy")
    assert {row["extension_version"] for row in versions} == {"1.7.0"}
