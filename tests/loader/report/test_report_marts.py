"""The report of the sample, from real marts, through the command line."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from loader.cli.report import report
from loader.errors import ConfigurationError
from loader.sources.sample import EXPERIMENT_ID
from sample_marts import copy_rows, loader, sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
_TASKS = 5_000
_RUN_URL = "https://smith.langchain.com/o/1/projects/p/2/r/3?poll=true&a=<b>"


@pytest.fixture(scope="module")
def marts(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("sample")
    runs = [
        {"experiment_id": "linked", "task_id": task, "experiment_group": group,
         "extension_version": "2.0.0", "agent_name": "a", "accuracy": score, "success": score > 0,
         "metadata": {"langsmith": {"url": url}} if group == "code-chef" else {"url": url}}
        for task, scores in (("broke", (1, 0)), ("held", (1, 1)))
        for group, score, url in zip(
            ("baseline", "code-chef"), scores, ("javascript:alert(1)", _RUN_URL), strict=True
        )
    ]  # fmt: skip
    more = directory / "more.json"
    more.write_text(json.dumps(runs))
    with sample_marts(postgres_server, more) as url:
        yield url


def _report(marts: str, path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(
        report, [*arguments, "-o", str(path), "--database-url", marts], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return path.read_text(encoding="utf-8")


def test_the_page_and_the_summary_say_the_same(marts: str, tmp_path: Path) -> None:
    text = _report(marts, tmp_path / "report.html", "--experiment", EXPERIMENT_ID)
    (row,) = json.loads(
        loader(marts, "summary", "--experiment", EXPERIMENT_ID, "--format", "json").stdout
    )
    three = dict(re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?) <small>", text))
    assert three["What got better"] == f"{row['improvement_pct']:+.1f} points"
    assert (
        f"By accuracy, the candidate won {row['candidate_wins']}, lost {row['baseline_wins']} and"
        f" tied {row['ties']} of the {row['total_tasks']} tasks"
    ) in text
    assert "model qwen-coder-32b · 150 tasks, 3 runs each · dataset 2024-11-18" in text
    assert row["headline"] in html.unescape(text)
    assert "weighted" not in text
    tasks = json.loads(
        loader(marts, "compare", "--experiment", EXPERIMENT_ID, "--format", "json").stdout
    )
    listed = text[text.index("Every task by accuracy") :]
    assert all(f"<bdi>{task['task_id']}</bdi>" in listed for task in tasks)


def test_runs_with_an_address_are_linked(marts: str, tmp_path: Path) -> None:
    text = _report(marts, tmp_path / "report.html", "--experiment", "linked")
    broken = text[text.index("Failed in the candidate") : text.index("Every task")]
    address = html.escape(_RUN_URL)
    assert f'<a href="{address}" rel="noopener noreferrer">candidate run</a>' in broken
    # an address that is none of the web's is no link
    assert "javascript:" not in text
    markdown = _report(marts, tmp_path / "report.md", "--experiment", "linked")
    assert "[candidate run](<https://smith.langchain.com/o/1/projects/p/2/r/3?" in markdown


def test_an_agent_has_its_trend_and_its_experiments(marts: str, tmp_path: Path) -> None:
    text = _report(marts, tmp_path / "agent.html", "--agent", "feature_dev")
    trend = json.loads(
        loader(
            marts, "trend", "--agent", "feature_dev", "--metric", "accuracy", "--format", "json"
        ).stdout
    )
    for row in trend:
        assert f"{row['avg_value']:.3f}" in text
    assert EXPERIMENT_ID in text
    assert text.count("<figure>") == 7


def test_markdown_goes_to_a_file_or_to_standard_output(marts: str, tmp_path: Path) -> None:
    text = _report(marts, tmp_path / "comment.md", "--experiment", EXPERIMENT_ID)
    printed = loader(marts, "report", "--experiment", EXPERIMENT_ID, "-o", "-").stdout
    assert text == printed
    assert text.startswith("### ")
    assert len(text) < 30_000


def test_names_that_are_not_there_lead_to_the_nearest(marts: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {EXPERIMENT_ID}"):
        _report(marts, tmp_path / "a.html", "--experiment", EXPERIMENT_ID[:-1])
    with pytest.raises(ConfigurationError, match="did you mean feature_dev"):
        _report(marts, tmp_path / "a.html", "--agent", "feature_dex")
    with pytest.raises(ConfigurationError, match="cannot write"):
        _report(marts, tmp_path / "none" / "a.html", "--experiment", EXPERIMENT_ID)
    assert list(tmp_path.iterdir()) == []


def test_5000_tasks_make_a_page_below_3_mb(marts: str, tmp_path: Path) -> None:
    with psycopg.connect(marts) as connection:
        of_sample = f"where experiment_id = '{EXPERIMENT_ID}'"
        for mart in ("experiment_summaries", "experiment_metric_comparisons"):
            if connection.execute("select to_regclass(%s)", (f"evals.{mart}",)).fetchone() != (
                None,
            ):
                copy_rows(connection, mart, of_sample, experiment_id="'large'")
        copy_rows(
            connection,
            "evaluation_comparison_view",
            f", generate_series(1, 34) as copy {of_sample} limit {_TASKS}",
            experiment_id="'large'",
            task_id="task_id || '-' || copy",
        )
    path = tmp_path / "large.html"
    text = _report(marts, path, "--experiment", "large")
    assert path.stat().st_size < 3_000_000
    assert text.count("<tr><th scope") >= _TASKS
