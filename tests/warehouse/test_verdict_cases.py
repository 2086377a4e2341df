"""Verdicts that a person can tell, and what they say; each was once answered wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
import verdict_cases
from raw_rows import RawRows
from verdict_cases import BASELINE, CANDIDATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Row = dict[str, Any]
CASES = list(verdict_cases.cases())


@pytest.fixture(scope="module")
def marts(postgres_server: str, dbt: Dbt) -> Iterator[psycopg.Connection[Any]]:
    """Give a warehouse with every case."""
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        raw.load(record for case in CASES for record in case.records)
        raw.load(_segments())
        raw.load(_stability())
        dbt.run(url, "seed")
        connection.execute(
            "insert into evals_staging.metrics (metric, position, kind, unit, direction,"
            " tie_margin, non_inferiority_margin) values"
            " ('declared_rate', 9, 'score', 'fraction', 'lower', 0.05, 0.05)"
        )
        dbt.build(url, "--exclude", "resource_type:seed")
        yield connection


def _segments() -> Iterator[Row]:
    """Give totals that hide what a category, or an agent, has lost."""
    for category, (one, other) in {
        "physics": (60, 30), "chemistry": (120, 160), "biology": (130, 120),
    }.items():  # fmt: skip
        for task in range(200):
            for arm, share in ((BASELINE, one), (CANDIDATE, other)):
                yield _record("segments", f"{category}-{task}", arm) | {
                    "scores": {"accuracy": float((task * 7) % 200 < share)},
                    "metadata": {"category": category},
                }
    for agent, n, one, other in (("alpha", 30, 24, 12), ("beta", 120, 60, 84)):
        for task in range(n):
            for arm, share in ((BASELINE, one), (CANDIDATE, other)):
                yield _record("agents", f"{agent}-{task}", arm) | {
                    "scores": {"accuracy": float(task < share)},
                    "agent_name": agent,
                }


def _stability() -> Iterator[Row]:
    """Give arms of one mean, 0.8; the candidate fails each task now and then."""
    for task in range(60):
        for run in range(1, 6):
            for arm in (BASELINE, CANDIDATE):
                is_right = task % 5 != 0 if arm == BASELINE else run != 1 + task % 5
                yield _record("stability", f"t{task}", arm) | {
                    "repetition": run,
                    "success": is_right,
                    "scores": {"accuracy": float(is_right)},
                }


def _record(experiment: str, task: str, arm: str) -> Row:
    return {
        "experiment_id": experiment,
        "task_id": task,
        "experiment_group": arm,
        "extension_version": "1",
    }


def row(connection: psycopg.Connection[Any], query: str, *values: object) -> Row:
    cursor = connection.execute(query, values)
    found = cursor.fetchall()
    assert len(found) == 1
    names = [column.name for column in cursor.description or ()]
    return dict(zip(names, found[0], strict=True))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_verdict_is_what_a_person_would_say(
    marts: psycopg.Connection[Any], case: verdict_cases.Case
) -> None:
    found = row(
        marts, "select * from evals.experiment_summaries where experiment_id = %s", case.name
    )
    right = case.right
    codes = [reason["code"] for reason in found["recommendation_reasons"]]
    assert found["recommendation"] == right.recommendation, found["headline"]
    assert found["recommendation_route"] == right.route
    assert found["recommendation_labels"] == ([right.label] if right.label else [])
    assert right.headline is None or right.headline in found["headline"]
    assert right.code is None or right.code in codes


def test_the_legacy_rule_still_says_what_it_said(marts: psycopg.Connection[Any]) -> None:
    found = dict(
        marts.execute(
            "select experiment_id, legacy_recommendation from evals.experiment_summaries"
        ).fetchall()
    )
    assert found["quarter_to_near_half"] == "reject"
    assert found["twelve_points"] == "deploy"


def test_an_undeclared_measurement_is_neither_better_nor_worse(
    marts: psycopg.Connection[Any],
) -> None:
    found = row(
        marts,
        "select * from evals.experiment_metric_comparisons"
        " where experiment_id = 'undeclared_time' and metric = 'time_to_first_token_ms'",
    )
    assert (found["role"], found["role_note"]) == ("none", "direction_unknown")
    assert (found["finding"], found["improvement"]) == ("changed", None)


def test_a_segment_that_got_worse_is_named_though_the_total_is_equal(
    marts: psycopg.Connection[Any],
) -> None:
    whole = row(marts, "select * from evals.experiment_summaries where experiment_id = 'segments'")
    assert whole["improvement_pct"] == pytest.approx(0, abs=1e-9)
    found = dict(
        marts.execute(
            "select segment, is_proven_worse from evals.experiment_segment_verdicts"
            " where experiment_id = 'segments' and segment_kind = 'category'"
        ).fetchall()
    )
    assert found == {"physics": True, "chemistry": False, "biology": True}


def test_an_agent_is_judged_by_its_own_tasks(marts: psycopg.Connection[Any]) -> None:
    found = dict(
        marts.execute(
            "select segment, recommendation from evals.experiment_segment_verdicts"
            " where experiment_id = 'agents' and segment_kind = 'agent'"
        ).fetchall()
    )
    assert found == {"alpha": "reject", "beta": "deploy"}


def test_the_same_mean_less_reliably_is_seen(marts: psycopg.Connection[Any]) -> None:
    found = row(
        marts,
        "select * from evals.experiment_metric_comparisons"
        " where experiment_id = 'stability' and metric = 'pass_hat_k'",
    )
    assert (found["baseline_mean"], found["candidate_mean"]) == pytest.approx((0.8, 0.4))
    assert found["finding"] == "harmed"
    assert found["improvement_high_pct"] < -20


def test_judge_says_what_the_marts_say_and_obeys_a_policy(marts: psycopg.Connection[Any]) -> None:
    differing = marts.execute(
        "select summaries.experiment_id from evals.experiment_summaries as summaries"
        " cross join lateral evals.judge(summaries.experiment_id) as judged"
        " where judged.segment = '' and (judged.recommendation, judged.headline,"
        " judged.recommendation_reasons) is distinct from (summaries.recommendation,"
        " summaries.headline, summaries.recommendation_reasons) and summaries.total_tasks > 0"
    ).fetchall()
    assert differing == []
    stricter = row(
        marts,
        "select recommendation from evals.judge('ten_to_thirty_five', '{\"minimum_tasks\": 101}')",
    )
    assert stricter["recommendation"] == "needs_review"
