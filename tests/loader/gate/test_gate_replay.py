"""Past verdicts judged again: which would be others, and what changed since."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from psycopg.types.json import Jsonb

import gate_marts
from gate_calls import run_gate
from gate_marts import ACCURACY, JUDGED, SEGMENT, SUMMARY
from loader.cli import cli
from loader.gate import ledger as gate_ledger
from loader.warehouse import seeds

if TYPE_CHECKING:
    from pathlib import Path

    from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server


# What version 0.1 kept of a metric.
_OLD_COLUMNS = (
    "metric", "kind", "direction", "n_pairs", "baseline_mean", "candidate_mean",
    "mean_difference", "ci_low", "ci_high", "p_value", "cs_low", "cs_high", "p_anytime",
    "non_inferiority_margin", "pair_coverage", "method", "flags",
)  # fmt: skip


@pytest.fixture
def connection(connection: Connection) -> Connection:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    return connection


def replayed(connection: Connection, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments, "--database-url", connection.info.dsn])


def changed(connection: Connection, *arguments: str) -> list[dict[str, Any]]:
    result = replayed(connection, "--format", "json", *arguments)
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    assert result.exit_code == (5 if rows else 0), result.output
    return rows


def ledger_of_before(connection: Connection) -> None:
    """Put in a verdict as version 0.1 recorded it."""
    numbers = {
        "summary": {**SUMMARY, "weighted_improvement_pct": -8.0},
        "metrics": [{name: ACCURACY[name] for name in _OLD_COLUMNS}],
        "history": None, "has_baseline": True,
    }  # fmt: skip
    policy = {
        "version": 1, "require": "improvement", "metrics": {}, "minimum_pairs": 0,
        "minimum_coverage": 0.0, "inconclusive": "exit5", "peeking": False,
        "candidates": "latest", "regression_block": "high", "regression_review": "medium",
    }  # fmt: skip
    connection.execute(
        "insert into raw_evals.gate_decisions (experiment_id, candidate_group, candidate_version,"
        " policy_hash, verdict, loader_version, load_id, exit_code, policy, reasons, numbers)"
        " values ('exp-1', 'code-chef', '1.2.3', 'old', 'blocked', '0.1.0', 7, 1, %s, '[]', %s)",
        (Jsonb(policy), Jsonb(numbers)),
    )
    connection.commit()


def test_nothing_changed_is_said_and_ends_with_0(connection: Connection) -> None:
    run_gate(connection)
    run_gate(connection, policy="minimum_pairs: 50")
    result = replayed(connection)
    assert result.exit_code == 0
    assert "No verdict would change." in result.stdout
    assert "0 of 2 verdicts would change" in result.stderr


def test_other_scores_are_named_with_what_moved(connection: Connection) -> None:
    run_gate(connection)
    run_gate(connection, policy="minimum_pairs: 50")
    gate_marts.store(connection, SUMMARY, {**ACCURACY, "n_pairs": 40, "mean_difference": 0.07})
    (row,) = changed(connection)
    assert (row["verdict"], row["verdict_today"], row["causes"]) == (
        "pass", "inconclusive", "scores",
    )  # fmt: skip
    assert row["why"].startswith("accuracy: 60 → 40 pairs (+0.08 → +0.07); ")
    assert "the policy asks for 50" in row["why"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    assert changed(connection, "--since", tomorrow) == []
    count = connection.execute("select count(*) from raw_evals.gate_decisions").fetchone()
    assert count == (2,), "nothing is recorded"


def test_a_candidate_that_is_gone_cannot_be_judged(connection: Connection) -> None:
    run_gate(connection)
    connection.execute("delete from evals.experiment_summaries")
    connection.commit()
    (row,) = changed(connection)
    assert row["verdict_today"] == "cannot be judged"
    assert row["why"] == "the marts no longer have this candidate"


def test_a_change_of_the_rule_is_a_cause_of_its_own(connection: Connection) -> None:
    ledger_of_before(connection)
    (row,) = changed(connection)
    assert (row["verdict"], row["verdict_today"], row["causes"]) == ("blocked", "pass", "rule")
    gate_marts.store(connection, SUMMARY, {**ACCURACY, "n_pairs": 61})
    (row,) = changed(connection)
    assert row["causes"] == "scores, rule"


def test_other_seeds_are_told_from_other_scores(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_gate(connection)
    worse = {**SUMMARY, "recommendation": "needs_review"}
    gate_marts.store(connection, worse, {**ACCURACY, "non_inferiority_margin": 0.01})
    (row,) = changed(connection)
    assert row["causes"] == "seeds"
    gate_marts.store(connection, worse, ACCURACY)
    (row,) = changed(connection)
    assert row["causes"] == "unknown"
    monkeypatch.setattr("loader.gate.replay.settings_hash", lambda: "other")
    (row,) = changed(connection)
    assert row["causes"] == "seeds"


def test_another_policy_shows_what_it_would_have_decided(
    connection: Connection, tmp_path: Path
) -> None:
    run_gate(connection)
    stricter = tmp_path / "stricter.yml"
    stricter.write_text("version: 1\nminimum_pairs: 100\n", encoding="utf-8")
    (row,) = changed(connection, "--policy", str(stricter))
    assert (row["verdict_today"], row["causes"]) == ("inconclusive", "policy")
    assert changed(connection) == []


def test_settings_and_agent_of_a_verdict_are_those_it_is_judged_by_again(
    connection: Connection,
) -> None:
    mixed = {**SUMMARY, "agent_name": None}
    gate_marts.store(connection, mixed, ACCURACY)
    gate_marts.store_segment(connection, SEGMENT, ACCURACY)
    gate_marts.store_judged(connection, {"kept_level": 0.1}, {"recommendation": "deploy"})
    silent = "segments: {agent: ignore}"
    assert run_gate(connection, "--agent", "alpha", "--experiment", "exp-1").exit_code == 1
    assert run_gate(connection, policy=silent).exit_code == 0
    assert run_gate(connection, policy=f"{silent}\nkept_level: 0.1").exit_code == 0
    assert changed(connection) == []
    connection.execute("update evals.judged set recommendation = 'reject'")
    connection.commit()
    (row,) = changed(connection)
    assert (row["verdict_today"], row["agent_name"]) == ("blocked", None)
    connection.execute("delete from evals.experiment_segment_verdicts")
    connection.commit()
    rows = {row["agent_name"]: row["verdict_today"] for row in changed(connection)}
    assert rows == {"alpha": "cannot be judged", None: "blocked"}
    assert JUDGED["segment"] == ""


def test_the_hash_of_settings_changes_with_vars_and_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "seeds").mkdir()
    seed = tmp_path / "seeds" / "metrics.csv"
    seed.write_text("metric,weight\naccuracy,1\n")
    monkeypatch.setattr(seeds, "project_directory", lambda: tmp_path)
    variables = {"alpha": 0.05, "retention": 3}
    monkeypatch.setattr(gate_ledger, "project_variables", lambda: variables)
    first = gate_ledger.settings_hash()
    variables["retention"] = 4
    assert gate_ledger.settings_hash() == first, "what the rule does not go by"
    variables["alpha"] = 0.1
    second = gate_ledger.settings_hash()
    assert second != first
    seed.write_text("metric,weight\naccuracy,2\n")
    assert gate_ledger.settings_hash() not in {first, second}
