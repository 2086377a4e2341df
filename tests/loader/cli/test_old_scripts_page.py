"""docs/from-the-old-scripts.md: every line of it is run, and every name on it is looked up."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import dashboard_queries
import servers
from chat_server import ChatServer
from grafana_sql import TimeRange, interpolate
from langsmith_server import KEY, LangSmithServer
from loader.cli import COMMANDS
from loader.gate.policy_file import parse_policy
from loader.warehouse.connection import environment
from loader.warehouse.seeds import read_vocabulary
from page_items import Item, items
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]

PAGE = servers.REPOSITORY / "docs" / "from-the-old-scripts.md"
TEXT = PAGE.read_text(encoding="utf-8")
ITEMS = list(items(TEXT))
COMMAND = "evalmart "
# what ends otherwise than with 0, as the page says
CODES = {
    "gate --experiment exp-2025-01-001": 1,
    "gate --experiment models-1": 5,
    "gate --agent feature_dev": 1,
}
# what of the old system, of files and of the environment the page names in its prose
TOLD = {
    "evaluation_results", "created_at", "execution_time_seconds", "t", "f", "MODEL_URL",
    "LANGSMITH_API_KEY", "await longitudinal_tracker.record_result(…)", "metrics", "await",
    "deploy with monitoring", "agents", "agent", "steps", "tool_calls", "expected_agents",
    "required_steps", "required_tools", "token_budget", "max_latency_ms",
    # tests below
    "inconclusive: block", 'on_existing="replace"',
}  # fmt: skip


class Run(NamedTuple):
    """A line of the page, and how it ended."""

    text: str
    done: subprocess.CompletedProcess[str]


class Page(NamedTuple):
    """The page once all of it was run."""

    url: str
    folder: Path
    runs: list[Run]

    def said(self, beginning: str) -> str:
        """Return what the one line that begins so printed."""
        (found,) = [run for run in self.runs if run.text.startswith(COMMAND + beginning)]
        return found.done.stdout

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()


def langsmith(server: LangSmithServer) -> None:
    """Fill the stand-in with the experiment that the page loads."""
    dataset = server.add_dataset("ib-agent-scenarios-v1")
    session = server.add_session("code-chef-evaluation", reference_dataset_id=dataset["id"])
    for place in range(6):
        example = server.add_example(
            dataset, {"question": place}, {"answer": place}, {"expected_agents": "feature_dev"}
        )
        run = server.add_run(
            session,
            reference_example_id=example["id"],
            outputs={"agent": "cicd" if place == 0 else "feature_dev"},
            extra={"metadata": {"task_id": f"t-{place}", "agent_name": "feature_dev"}},
        )
        server.add_feedback(run, "correctness", 1)


def runnable(item: Item) -> bool:
    return item.kind in {"sh", "python"} or (item.kind == "span" and item.text.startswith(COMMAND))


def call(item: Item, folder: Path, variables: Mapping[str, str]) -> Run:
    program = (
        [sys.executable, "-c", item.text]
        if item.kind == "python"
        else ["bash", "-euo", "pipefail", "-c", item.text]
    )
    done = subprocess.run(
        program, cwd=folder, env=variables, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    code = next((code for begin, code in CODES.items() if item.text.startswith(COMMAND + begin)), 0)
    told = f"line {item.line}: {item.text}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
    assert done.returncode == code, told
    return Run(item.text, done)


@pytest.fixture(scope="module")
def page(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Run everything on the page, in its order, against one warehouse."""
    folder = tmp_path_factory.mktemp("page")
    with (
        sample_marts(postgres_server) as url,
        LangSmithServer() as server,
        ChatServer() as chat,
    ):
        langsmith(server)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LANGSMITH_", "LANGCHAIN_"))
        }
        variables = {
            **kept,
            **environment(url),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{servers.REPOSITORY}{os.pathsep}{servers.REPOSITORY / 'packaging'}",
            "MODEL_URL": chat.url,
            "LANGSMITH_ENDPOINT": server.url,
            "LANGSMITH_API_KEY": KEY,
            "LANGSMITH_CONFIG_FILE": str(folder / "no-such-profile.json"),
            "NO_PROXY": "*",
        }
        yield Page(url, folder, [call(item, folder, variables) for item in ITEMS if runnable(item)])


def test_every_command_on_the_page_was_run(page: Page) -> None:
    ran = {run.text for run in page.runs}
    typed = set(re.findall(rf"{COMMAND}[^`\n]+", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)))
    assert typed <= ran, "a command stands where the test does not look"
    blocks = re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)
    assert blocks
    assert set(blocks) <= {"sh", "python"}, "a block of another kind is not run"
    named = {run.text.removeprefix(COMMAND).split()[0] for run in page.runs if COMMAND in run.text}
    assert {"datasets", "gate", "baseline", "run", "compare-models", "metrics"} <= named


def test_every_name_on_the_page_is_what_it_says(page: Page) -> None:
    columns: dict[str, set[str]] = {}
    for mart, column in page.select(
        "select table_name::text, column_name::text from information_schema.columns"
        " where table_schema = 'evals'"
    ):
        columns.setdefault(mart, set()).add(column)
    options = (servers.REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    policy = yaml.safe_load((servers.REPOSITORY / "policies" / "default.yml").read_text("utf-8"))
    values = {"deploy", "reject", "needs_review", "true", "false", "unknown", "evals"}
    package = import_module("loader")
    unknown = []
    for item in ITEMS:
        name, _, rest = item.text.partition(".")
        is_known = (
            item.kind == "old"
            or runnable(item)
            or item.kind in {"sh", "python"}
            or item.text in TOLD | columns.keys() | COMMANDS.keys() | values | policy.keys()
            or rest in columns.get(name, set())
            or item.text in columns["evaluation_results"] | columns["experiment_summaries"]
            or (item.text.startswith("-") and item.text.split()[0] in options)
            or (servers.REPOSITORY / item.text).is_file()
            or hasattr(package, item.text)
            or hasattr(package.Recorder, item.text)
            or item.text in {"evalmart.evaluators", "langsmith.evaluate()"}
            or item.text in dir(import_module("loader.evaluators"))
            or item.heading == "| metric | labels |"  # a test of its own
        )
        if not is_known:
            unknown.append(f"line {item.line}: {item.text}")
    assert unknown == [], "nothing checks these names; say what they are, or add a check"
    parse_policy({"version": 1, "inconclusive": "block"}, "the page")
    assert callable(import_module("langsmith").evaluate)


def test_what_the_lines_are_there_for_came_of_them(page: Page) -> None:
    assert "ib-agent-scenarios-v1" in page.said("datasets")
    assert "code-chef-evaluation" in page.said("projects")
    assert "loaded 0 · unchanged 2 · rejected 0" in page.said("ingest --file results.json")
    assert len(json.loads((page.folder / "results.json").read_text(encoding="utf-8"))) == 2
    assert "on the wrong side of its floor of 0.95" in page.said("gate --experiment exp-2025")
    assert "feature_dev" in page.said("baseline show")
    for name in ("report.md", "results.csv", "results.csv.gz", "results.parquet", "old-again.csv"):
        assert (page.folder / name).stat().st_size > 100, name
    scored = page.select(
        "select task_id, run_version, scores -> 'agent_routing_accuracy'"
        " from raw_evals.evaluation_runs where experiment_id = 'code-chef-evaluation'"
        " and run_version = 2 order by task_id"
    )
    assert scored == [(f"t-{place}", 2, int(place > 0)) for place in range(6)]


def test_a_line_of_the_tracker_is_stored_whole(page: Page) -> None:
    stored = page.select(
        "select task_id, scores, latency_ms, tokens_used, cost_usd, success, metadata"
        " from raw_evals.evaluation_runs where experiment_id = 'exp-2024-02'"
    )
    scores = {"accuracy": 0.92, "completeness": 0.88, "efficiency": 0.75}
    assert stored == [
        (
            "t-1", {**scores, "integration_quality": 0.9}, 1850.5, 2450, 0.00172, True,
            {"trace_id": "tr-1"},
        )
    ]  # fmt: skip


def test_an_old_row_is_a_row_with_the_time_it_ran(page: Page) -> None:
    rows = page.select(
        "select experiment_group, accuracy, latency_ms, recorded_at from evals.evaluation_results"
        " where experiment_id = 'exp-2024-01' and task_id = 't-1' order by 1"
    )
    assert rows == [
        ("baseline", 0.71, 2100, datetime(2024, 1, 15, 10, 0, tzinfo=UTC)),
        ("code-chef", 0.84, 1900, datetime(2024, 1, 15, 10, 1, tzinfo=UTC)),
    ]
    [(rows_there, keys)] = page.select(
        "select count(*), count(distinct row(experiment_id, task_id, experiment_group,"
        " extension_version)) from evals.evaluation_results"
    )
    assert rows_there == keys > 1000


def table(heading: str) -> list[list[str]]:
    """Return the code spans of each row of the table that begins so, cell by cell joined."""
    rows = TEXT[TEXT.index(heading) :].partition("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`([^`]+)`", row) for row in rows]


def test_the_evaluators_count_as_the_metrics_and_read_what_the_table_says() -> None:
    scales = read_vocabulary().scales
    functions = import_module("loader.evaluators")
    rows = table("| evaluator | metric | reads |")
    assert len(rows) == 5
    for name, metric, *read in rows:
        assert metric == (scales[name].metric if name in scales else name)
        function = getattr(functions, name)
        source = Path(import_module(function.__module__).__file__ or "").read_text("utf-8")
        text = source[source.index(f"def {name}(") :].partition("\ndef ")[0]
        assert read
        assert all(word in text for word in read), name


def test_the_metrics_for_prometheus_have_the_labels_of_the_table(page: Page) -> None:
    text = (page.folder / "evalmart.prom").read_text(encoding="utf-8")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    rows = table("| metric | labels |")
    assert len(rows) == 4
    for name, *labels in rows:
        family = families[name.removesuffix("_total")]
        found = {label for sample in family.samples for label in sample.labels} - {"le"}
        wanted = [label for label in labels if label not in {"true", "false", "unknown"}]
        assert found == set(wanted), name
        is_histogram = f"| `{name}` | " in TEXT and "histogram" in TEXT.split(f"`{name}`")[1][:60]
        assert (family.type == "histogram") == is_histogram


def test_the_dashboards_ask_this_warehouse(page: Page) -> None:
    now = datetime.now(UTC)
    shown = TimeRange(now - timedelta(days=3 * 365), now)
    assert len(dashboard_queries.DASHBOARDS) == 3
    with psycopg.connect(page.url, autocommit=True) as connection:
        for path in dashboard_queries.DASHBOARDS:
            values: dict[str, Any] = {"task": "t-1"}
            for item, query in dashboard_queries.variables(path):
                if query is not None:
                    rows = connection.execute(interpolate(query.sql, values, shown).encode())
                    found = [str(row[0]) for row in rows.fetchall()]
                    values[item["name"]] = found if item["multi"] else found[0]
            for query in dashboard_queries.panels(path):
                connection.execute(interpolate(query.sql, values, shown).encode())


def test_the_week_runs_the_script_that_runs_the_command() -> None:
    week = (servers.REPOSITORY / ".github" / "workflows" / "weekly.yml").read_text("utf-8")
    assert "scripts/regressions.sh" in week
    script = (servers.REPOSITORY / "scripts" / "regressions.sh").read_text("utf-8")
    assert "evalmart regressions" in script
    action = (servers.REPOSITORY / "action.yml").read_text("utf-8")
    assert '"$EVALMART" ci' in action


def settings() -> dict[str, Any]:
    path = servers.REPOSITORY / "dbt_project.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["vars"]["evalmart"]
    return found


WEIGHTS = {
    "accuracy": 0.30, "completeness": 0.25, "efficiency": 0.20, "latency_ms": 0.15,
    "integration_quality": 0.10,
}  # fmt: skip


def old_rule(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, str]:
    """Return the weighted sum and the word, as the page states the rule."""
    changes = {
        name: 100 * (after[name] - before[name]) / before[name] * (-1 if "latency" in name else 1)
        for name in WEIGHTS
        if before.get(name) and name in after
    }
    total = sum(WEIGHTS[name] for name in changes)
    weighted = sum(WEIGHTS[name] * change for name, change in changes.items()) / total
    is_low = any(after[name] < 0.5 for name in changes if "latency" not in name)
    if is_low or min(changes.values()) < -20 or weighted < -5:
        return weighted, "reject"
    return weighted, "deploy" if weighted > 5 else "needs_review"


def test_the_old_rule_is_what_the_page_says_of_it(page: Page) -> None:
    told = settings()
    assert [told[f"regression_{name}_pct"] for name in ("medium", "high", "critical")] == [
        5,
        10,
        15,
    ]
    assert told["legacy_deploy_above_pct"] == 5
    assert old_rule({"accuracy": 0.5}, {"accuracy": 0.55})[0] == pytest.approx(10)
    summaries = page.select(
        "select experiment_id, weighted_improvement_pct, legacy_recommendation"
        " from evals.experiment_summaries where total_tasks > 0"
    )
    assert {"exp-2024-01", "exp-2024-11-001", "exp-2025-01-001"} <= {row[0] for row in summaries}
    for experiment, weighted, word in summaries:
        rows = page.select(
            "select metric, baseline_mean, candidate_mean from evals.experiment_metric_comparisons"
            f" where experiment_id = '{experiment}' and n_pairs > 0"
        )
        before = {name: mean for name, mean, _ in rows if name in WEIGHTS}
        after = {name: mean for name, _, mean in rows if name in WEIGHTS}
        if before:
            assert (pytest.approx(weighted), word) == old_rule(before, after), experiment


def test_the_old_rule_calls_a_change_where_there_is_none_more_often_than_not() -> None:
    rng = random.Random(7)  # noqa: S311  a simulation
    drawn = [[sum(rng.random() < 0.7 for _ in range(20)) / 20 for _ in "ab"] for _ in range(2000)]
    words = [old_rule({"accuracy": one}, {"accuracy": other})[1] for one, other in drawn if one]
    assert sum(word != "needs_review" for word in words) / len(words) > 0.5


def test_without_a_baseline_the_answer_is_needs_review_and_says_why(page: Page) -> None:
    found = page.select(
        "select recommendation, headline from evals.experiment_summaries"
        " where experiment_id = 'sums-1'"
    )
    assert found == [("needs_review", "No baseline: sums-1 has no result of a control group.")]
    words = page.select("select distinct recommendation from evals.experiment_summaries")
    assert {word for (word,) in words} <= {"deploy", "needs_review", "reject"}


def test_a_recorder_adds_and_replaces_as_the_page_says(page: Page) -> None:
    named = {"experiment_id": "exp-r", "experiment_group": "baseline", "extension_version": "1"}
    recorder = import_module("loader").Recorder
    for how, score in (("add", 0.5), ("add", 0.7), ("replace", 0.9)):
        with recorder(**named, on_existing=how, database_url=page.url) as session:
            session.record(task_id="t", scores={"accuracy": score})
    stored = page.select(
        "select repetition, run_version, scores ->> 'accuracy', success"
        " from raw_evals.evaluation_runs where experiment_id = 'exp-r' order by loaded_at"
    )
    # a second repetition, then a new version of the first; nobody said success
    assert stored == [(1, 1, "0.5", None), (2, 1, "0.7", None), (1, 2, "0.9", None)]
