import csv
import io
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

import sample_marts
import servers
from loader.cli import cli
from loader.marts import questions
from loader.show import wording
from loader.show.render import number
from loader.sources.sample import EXPERIMENT_ID, write_sample
from loader.tables import Kind
from loader.warehouse.connection import connect
from servers import REPOSITORY

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

SHARED = servers.SHARED_DATA / "popularity_gpt5_vs_gemini.jsonl"
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
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory)
    with sample_marts.sample_marts(postgres_server) as url:
        built = Built(url, directory)
        more = [
            {"experiment_id": "alone", "task_id": EVIL, "experiment_group": "code-chef",
             "extension_version": "2.0.0", "agent_name": EVIL, "accuracy": 0.5},
            {"experiment_id": "only-baseline", "task_id": "t", "experiment_group": "baseline",
             "extension_version": "2.0.0"},
            *({"experiment_id": "apart", "task_id": task, "experiment_group": group,
               "extension_version": "2.0.0", "accuracy": 0.5, "success": task != "q-4"}
              for group, name in (("baseline", ""), ("code-chef", "q-"))
              for task in (f"{name}{number}" for number in range(1, 5))),
            *({"experiment_id": "unsaid", "task_id": str(task), "experiment_group": group,
               "extension_version": "2.0.0",
               "scores": {"correct": place / 2, "hallucination_rate": 0.2 + place / 2},
               "measurements": {"ttft_ms": 300 + 300 * place + task}}
              for place, group in enumerate(("baseline", "code-chef"))
              for task in range(30)),
            *({"experiment_id": f"drift-{version}", "task_id": str(task), "agent_name": "drifter",
               "experiment_group": "code-chef", "extension_version": version,
               "scores": {"correct": 0.9 - change - task % 3 / 100,
                          "hallucination_rate": 0.2 + change + task % 3 / 100}}
              for version, change in (("1.0.0", 0), ("1.1.0", 0.3))
              for task in range(40)),
            *({"experiment_id": "parts", "task_id": f"{category}-{task}",
               "experiment_group": group, "extension_version": "2.0.0", "accuracy": score,
               "success": True, "metadata": {"category": category}}
              for category, before, after in (("physics", 60, 35), ("chemistry", 35, 60))
              for task in range(100)
              for group, score in (("baseline", int(task < before)),
                                   ("code-chef", int(task < after)))),
        ]  # fmt: skip
        (directory / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more))
        files = [directory / "more.jsonl", *([SHARED] if SHARED.exists() else [])]
        for arguments in (
            ["ingest", *(part for path in files for part in ("--file", path))],
            ["ingest", "--file", directory / "baseline_runner.json", "--format", "baseline",
             "--experiment-id", "timing", "--extension-version", "1.10.0"],
        ):  # fmt: skip
            result = built.run(*arguments)
            assert result.exit_code == 0, result.output
        sample_marts.build(url)
        yield built


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


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_the_summary_opens_with_the_sentence_then_the_reasons_in_order(
    built: Built, output: str
) -> None:
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    printed = built.run("summary", "--experiment", EXPERIMENT_ID, "--format", output).stdout
    text = printed.replace("\\", "")
    sentences = [reason["sentence"] for reason in row["recommendation_reasons"]]
    assert sentences
    parts = [
        f"{EXPERIMENT_ID}: code-chef 1.10.0 against its baseline",
        row["headline"],
        f"Recommendation: {row['recommendation'].replace('_', ' ')}",
        *sentences,
        f"By accuracy, the candidate won {row['candidate_wins']}, lost",
        " → ".join(f"{row[f'{arm}_accuracy']:.3f}" for arm in ("baseline", "candidate")),
        "What this does not tell:",
        "who won 1 task: an arm has no score there",
        "For comparison only: legacy_recommendation, by averages alone, says",
    ]
    place = 0
    for part in parts:
        place = text.index(part, place)
    assert text.count(row["headline"]) == 1
    assert "weighted" not in text
    assert "rule of" not in text.lower()


def test_a_baseline_measured_elsewhere_is_named(built: Built) -> None:
    text = built.run("summary", "--experiment", "exp-2024-12-002").stdout
    assert "code-chef 1.9.0 against its baseline in exp-2024-11-001" in text
    assert "reject" in text


def test_an_experiment_with_one_arm_has_no_verdict(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "alone")
    assert row["headline"].startswith("No baseline: alone has no result of a control group")
    text = built.run("summary", "--experiment", "alone").stdout
    assert row["headline"] in text
    assert "What would decide it: a baseline: load its results into alone as a control" in text
    assert "or ingest the candidate with --baseline-experiment ID, then run python -m" in text
    assert "1 task only in the candidate" in text
    text = built.run("summary", "--experiment", "only-baseline").stdout
    assert "only-baseline has no candidate's result yet: nothing to compare." in text
    assert "python -m loader ingest --experiment-id only-baseline --experiment-group GROUP" in text
    assert built.json("summary", "--experiment", "only-baseline") == []


def test_arms_that_share_no_task_are_told_which_they_have(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "apart")
    assert [reason["code"] for reason in row["recommendation_reasons"]] == ["nothing_shared"]
    text = built.run("summary", "--experiment", "apart").stdout
    assert row["headline"] in text
    assert (
        "What would decide it: tasks that both arms have: their ids have to be the same"
        " (the baseline has 1, 2, 3; the candidate has q-1, q-2, q-3);"
    ) in text
    # what is known of an arm alone, with its interval
    line = next(line for line in text.splitlines() if line.startswith("code-chef 2.0.0"))
    assert "0.750 (0." in line


def test_a_part_that_is_proven_worse_is_told_though_the_whole_is_not(
    built: Built, tmp_path: Path
) -> None:
    (row,) = built.json("summary", "--experiment", "parts")
    assert row["recommendation"] == "needs_review"
    assert row["improvement_pct"] == 0
    printed = [built.run("summary", "--experiment", "parts").stdout]
    for name in ("a.md", "a.html"):
        path = tmp_path / name
        assert built.run("report", "--experiment", "parts", "-o", path).exit_code == 0
        printed.append(path.read_text(encoding="utf-8").replace("\\", ""))
    for text in printed:
        told = text[text.index("Proven worse in a part:") :]
        assert "category physics: Less accurate (-25 points" in told[:400]
        assert "chemistry: Less" not in text


def test_what_is_loaded_but_not_built_is_told_so(built: Built, tmp_path: Path) -> None:
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps({
        "experiment_id": "late", "task_id": "t", "experiment_group": "code-chef",
        "extension_version": "1.0.0",
    }))  # fmt: skip
    assert built.run("ingest", "--file", path).exit_code == 0
    for command in ("summary", "compare", "report", "catalog"):
        more = ["-o", str(tmp_path / "late.html")] if command == "report" else []
        result = built.run(command, "--experiment", "late", *more)
        assert result.exit_code == 2
        assert "late is loaded but not built yet; run python -m loader build" in result.stderr


def test_an_experiment_without_scores_is_not_decided(built: Built) -> None:
    (row,) = built.json("summary", "--experiment", "timing")
    assert row["total_tasks"] == 20
    assert (row["candidate_wins"], row["baseline_wins"], row["ties"]) == (0, 0, 0)
    text = built.run("summary", "--experiment", "timing").stdout
    assert "20 tasks in both arms; no score says who won them." in text
    assert "anything about quality: no run has a score" in text


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
    opening, reasons, metrics, tasks = text.split("\n\n")
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    assert opening.splitlines()[0] == row["headline"]
    assert reasons.splitlines() == [
        f"- {reason['sentence']}" for reason in row["recommendation_reasons"]
    ]
    assert "accuracy: baseline" in tasks.splitlines()[0]
    assert "latency saved (%)" in tasks.splitlines()[0]
    assert len(tasks.splitlines()) == 152
    with connect(built.url) as connection:
        compared = len(questions.metrics(connection, EXPERIMENT_ID).rows)
    assert len(metrics.splitlines()) == 2 + compared, "a line for each metric"


@pytest.mark.parametrize("command", ["summary", "compare"])
def test_every_metric_is_shown_with_its_say_its_interval_and_its_finding(
    built: Built, command: str
) -> None:
    lines = built.run(command, "--experiment", EXPERIMENT_ID).stdout.splitlines()
    with connect(built.url) as connection:
        rows = questions.metrics(connection, EXPERIMENT_ID).records()
    assert {"accuracy", "latency_ms", "success"} <= {row["metric"] for row in rows}
    assert rows[0]["role"] == "deciding"
    for row in rows:
        [line] = [line for line in lines if line.startswith(f"{row['metric']} ")]
        assert wording.say(row) in line
        assert wording.finding(row) in line
        unit = "%" if row["kind"] in wording.RATIOS else "points"
        value, low, high = (
            row[f"improvement{end}_pct"] for end in ("", "_low", "_high")
        )  # fmt: skip
        if low is not None:
            assert f"{shown(value)} {unit}" in line
            assert f"{shown(low)} … {shown(high)}" in line


def shown(value: object) -> str:
    return number(float(str(value)), Kind.POINTS)


def test_a_metric_that_nobody_declared_is_told_so_everywhere(built: Built, tmp_path: Path) -> None:
    (row,) = built.json("summary", "--experiment", "unsaid")
    assert row["primary_metric"] == "correct"
    assert "direction_assumed" in [reason["code"] for reason in row["recommendation_reasons"]]
    printed = {
        "summary": built.run("summary", "--experiment", "unsaid").stdout,
        "compare": built.run("compare", "--experiment", "unsaid").stdout,
    }
    for name in ("a.md", "a.html"):
        path = tmp_path / name
        assert built.run("report", "--experiment", "unsaid", "-o", path).exit_code == 0
        printed[name] = path.read_text(encoding="utf-8").replace("\\", "")
    for place, text in printed.items():
        assert "Nobody declared correct: more of it is taken for better." in text, place
        for metric, change in (("hallucination_rate", "+50.0 points"), ("ttft_ms", "+300.000")):
            start = text.index(metric)
            line = text[start : start + 700].partition("\n\n" if "html" in place else "\n")[0]
            assert f"changed by {change}" in line, place
            assert "which way is better is not known" in line, place
            assert "more than chance" not in line, place


def test_a_version_whose_better_side_nobody_knows_got_neither_better_nor_worse(
    built: Built,
) -> None:
    with connect(built.url) as connection:
        worse = connection.execute(
            "select metric from evals.version_regressions where agent_name = 'drifter'"
        ).fetchall()
        ((change,),) = connection.execute(
            "select change from evals.version_trends where agent_name = 'drifter'"
            " and metric = 'hallucination_rate' and change is not null"
        ).fetchall()
    assert worse == [("correct",)]
    assert change == pytest.approx(0.3)


def test_the_catalog_lists_every_metric_with_its_say_and_how_to_change_it(built: Built) -> None:
    rows = {row["metric"]: row for row in built.json("catalog", "--experiment", "unsaid")}
    assert set(rows) >= {"correct", "hallucination_rate", "ttft_ms"}
    assert rows["correct"]["direction_source"] == "assumed"
    assert rows["correct"]["roles"] == {"deciding": 1}
    for name in ("hallucination_rate", "ttft_ms"):
        assert rows[name]["direction"] == "unknown"
        assert rows[name]["roles"] == {"none": 1}
        assert rows[name]["role_notes"] == ["direction_unknown"]
    text = built.run("catalog", "--experiment", "unsaid").stdout
    table, _, declare = text.partition("\n\n")
    lines = {line.split()[0]: line for line in table.splitlines()[2:]}
    assert "higher (assumed)" in lines["correct"]
    assert "decides" in lines["correct"]
    assert "no say: which way is better is not known" in lines["hallucination_rate"]
    assert lines["hallucination_rate"].split()[2] == "unknown"
    seed = list(csv.reader(io.StringIO(declare.split("seeds/metrics.csv:\n\n")[1])))
    path = REPOSITORY / "seeds" / "metrics.csv"
    header = next(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    added = {row[0]: dict(zip(header, row, strict=True)) for row in seed}
    assert set(added) == {"correct", "hallucination_rate", "ttft_ms"}
    assert added["hallucination_rate"]["direction"] == "lower"
    assert added["correct"]["direction"] == "higher"
    assert len({row["position"] for row in added.values()} | set("1234567")) == 10


def test_the_catalog_counts_experiments_and_knows_metrics_of_one_arm(built: Built) -> None:
    rows = {row["metric"]: row for row in built.json("catalog")}
    accuracy = rows["accuracy"]
    assert accuracy["is_declared"] is True
    assert (accuracy["direction"], accuracy["direction_source"]) == ("higher", "declared")
    assert accuracy["margin_pct"] == 5
    assert accuracy["scale"] == "0…1"
    assert accuracy["how_to_change"] == "its row in seeds/metrics.csv"
    with connect(built.url) as connection:
        every = connection.execute(
            "select metric from evals.experiment_metric_comparisons"
            " union select metric from evals.evaluation_scores"
        ).fetchall()
    assert set(rows) == {metric for (metric,) in every}
    (alone,) = (row for row in built.json("catalog", "--experiment", "exp-2024-11-001")
                if row["metric"] == "accuracy")  # fmt: skip
    assert alone["direction_source"] == "declared"


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
    ["catalog"],
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
    result = CliRunner().invoke(cli, [*COMMANDS[3], "--database-url", database_url])
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
    [
        "summary",
        "catalog",
        "compare",
        "trend",
        "recent",
        "experiments",
        "export",
        "purge",
        "sample",
    ],
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
    assert listed == {
        "exp-2024-11-001",
        "alone",
        "only-baseline",
        "apart",
        "unsaid",
        "late",
        "parts",
        "drift-1.0.0",
        "drift-1.1.0",
    }
    assert built.run("summary", "--experiment", EXPERIMENT_ID).exit_code == 2
    (row,) = built.json("summary", "--experiment", "exp-2024-11-001")
    assert row["total_tasks"] == 150
    versions = built.json("trend", "--agent", "cicd", "--metric", "accuracy")
    assert {row["extension_version"] for row in versions} == {"1.7.0"}
