"""What LangSmith says of its keys, from its answers to the page: directions, words, preferences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from loader.cli import cli

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server
TASKS = 15
COMPARISON = "5f0d1c1a-0000-4000-8000-00000000c0de"


def evaluate(server: LangSmithServer, group: str, examples: list[dict[str, Any]]) -> None:
    """Make the experiment of an arm, its judges' scores and what was judged side by side."""
    is_candidate = group == "code-chef"
    session = server.add_session(
        group, reference_dataset_id=examples[0]["dataset_id"],
        extra={"metadata": {"experiment_group": group, "extension_version": "1.0.0"}},
    )  # fmt: skip
    for number, example in enumerate(examples):
        made = server.add_run(session, reference_example_id=example["id"])
        # from 1 to 5, and less is better
        level = 2 if is_candidate else 4
        server.add_feedback(made, "toxicity", level + number % 5 / 4 - (number % 3) / 2)
        server.add_feedback(made, "tone", value="warm" if number % 3 or is_candidate else "cold")
        if number < TASKS - 3:
            preferred = int(is_candidate) if number > 1 else 1 - int(is_candidate)
            server.add_feedback(
                made, "liked", preferred, comparative_experiment_id=COMPARISON,
                feedback_group_id=f"5f0d1c1a-0000-4000-8000-{number:012}",
            )  # fmt: skip
    server.add_feedback(None, "f1", 0.75 if is_candidate else 0.5, session_id=session["id"])


def run(url: str, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--database-url", url], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    output: Any = done.stdout
    return str(output)


def test_a_judge_of_which_less_is_better_deploys_and_words_are_shown(
    stand_in: LangSmithServer, database_url: str, dbt: Dbt
) -> None:
    dataset = stand_in.add_dataset("tasks")
    examples = [stand_in.add_example(dataset, {"q": n}, {}, {}) for n in range(TASKS)]
    stand_in.add_config("toxicity", lower=True, type="continuous", min=1, max=5)
    stand_in.add_config(
        "tone", None, type="categorical",
        categories=[{"value": 1, "label": "warm"}, {"value": 0, "label": "cold"}],
    )  # fmt: skip
    for group in ("baseline", "code-chef"):
        evaluate(stand_in, group, examples)
    ingest = ("ingest", "--experiment-id", "exp")
    run(database_url, *ingest, "--project", "code-chef")
    dbt.build(database_url, "--exclude-resource-type", "test")
    with psycopg.connect(database_url, row_factory=dict_row, autocommit=True) as connection:
        (alone,) = connection.execute("select * from evals.pairwise_preferences").fetchall()
        assert (alone["tasks"], alone["unpaired"], alone["p_value"]) == (0, TASKS - 3, None)
        run(database_url, *ingest, "--project", "baseline")
        dbt.build(database_url, "--exclude-resource-type", "test")
        (both,) = connection.execute("select * from evals.pairwise_preferences").fetchall()
        assert (both["wins"], both["losses"], both["unpaired"]) == (TASKS - 5, 2, 0)
        judged = connection.execute("select recommendation from evals.judge('exp')").fetchall()
        assert judged == [{"recommendation": "deploy"}]
    (summary,) = json.loads(run(database_url, "summary", "--experiment", "exp", "--format", "json"))
    assert (summary["primary_metric"], summary["recommendation"]) == ("toxicity", "deploy")
    codes = [reason["code"] for reason in summary["recommendation_reasons"]]
    assert "direction_from_service" in codes
    places = {row["category"]: row["category_position"] for row in summary["category_counts"]}
    assert places == {"warm": 1, "cold": 2}
    shown = run(database_url, "summary", "--experiment", "exp")
    for told in ("100.0 % (15 of 15)", "66.7 % (10 of 15)", "33.3 % (5 of 15)", "0.0 % (0 of 15)"):
        assert told in shown
    (scores,) = (line.split() for line in shown.splitlines() if line.startswith("f1"))
    assert scores == ["f1", "0.5", "0.75"]
    catalog = run(database_url, "catalog", "--experiment", "exp")
    assert "lower (service)" in catalog
