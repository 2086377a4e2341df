"""`trend`: an agent over its versions."""

import json

import pytest

from loader.sources.sample import EXPERIMENT_ID
from reading_sample import (
    Built,
    results,
)

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


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


def test_the_trend_takes_the_names_that_people_type(built: Built) -> None:
    for typed, meant in (
        ("latency", "latency_ms"),
        ("tokens", "tokens_used"),
        ("cost", "cost_usd"),
    ):
        arguments = ["trend", "--agent", "feature_dev", "--metric"]
        rows = built.json(*arguments, typed)
        assert rows
        assert rows == built.json(*arguments, meant)
        assert f"{meant}: mean" in built.run(*arguments, typed).stdout
    result = built.run("trend", "--agent", "feature_dev", "--metric", "latencyms")
    assert result.exit_code == 2
    assert "did you mean latency_ms" in result.output


def test_the_trend_can_be_limited_to_recent_days(built: Built) -> None:
    arguments = ["trend", "--agent", "feature_dev", "--metric", "accuracy"]
    assert built.json(*arguments, "--days", 7) == []
    assert len(built.json(*arguments, "--days", 100_000)) == 7
    result = built.run(*arguments, "--days", 7)
    assert result.exit_code == 0
    assert "No version of feature_dev with accuracy passes the filters." in result.stdout
