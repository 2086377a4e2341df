"""`plan --planted`: the gate tried on losses planted in the agent's own results."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb
from scipy import stats

import servers
from loader.marts import planted
from loader.marts.reading import on_marts

if TYPE_CHECKING:
    from reading_sample import Built

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
_ASKED = ["plan", "--planted", "--agent", "feature_dev", "--metric", "accuracy"]
_STATEMENT = servers.REPOSITORY / "loader" / "marts" / "sql" / "trial_verdicts.sql"


def _comparisons(connection: psycopg.Connection) -> list[tuple[planted.Comparison, str, str]]:
    """Return each agent's part of each comparison, and what the marts say of it."""
    rows = connection.execute(
        """
        select
            verdicts.experiment_id, verdicts.candidate_group, verdicts.candidate_version,
            verdicts.segment, verdicts.recommendation
        from evals.experiment_segment_verdicts as verdicts
        where verdicts.segment_kind = 'agent' and verdicts.total_tasks >= 2
        """
    ).fetchall()
    return [
        (
            planted.Comparison(experiment_id=one, candidate_group=group, candidate_version=version),
            agent,
            verdict,
        )
        for one, group, version, agent, verdict in rows
    ]


def test_the_trial_that_draws_nothing_has_the_verdict_of_the_marts(built: Built) -> None:
    with psycopg.connect(built.url) as connection:
        found = _comparisons(connection)
        connection.rollback()
        assert len(found) >= 10
        said = set()
        for comparison, agent, verdict in found:
            _, (level,) = planted.try_losses(
                connection, comparison, agent, "accuracy", lambda _: [0.0],
                trials=range(1), seed=1, settings={},
            )  # fmt: skip
            connection.rollback()
            counted = {
                "reject": level.rejected, "needs_review": level.reviewed, "deploy": level.deployed
            }  # fmt: skip
            assert counted.pop(verdict) == 1, (comparison, agent)
            assert set(counted.values()) == {0}
            said.add(verdict)
    assert len(said) >= 2


def test_its_estimates_are_those_of_the_marts(built: Built) -> None:
    text = _STATEMENT.read_text(encoding="utf-8")
    steps = text[: text.index("verdicts as (")].rstrip().rstrip(",")
    with psycopg.connect(built.url) as connection:
        clustered = 0
        for comparison, agent, _ in _comparisons(connection):
            key = {
                "experiment_id": comparison.experiment_id,
                "candidate_group": comparison.candidate_group,
                "candidate_version": comparison.candidate_version,
                "agent": agent,
                "metric": "accuracy",
            }
            facts = planted._prepare(connection, key, "accuracy")  # noqa: SLF001  the steps alone
            parameters = {
                **key, "units": facts.units, "has_composite": facts.has_composite,
                "losses": [0.0], "rates": [0.0], "seed": 1, "settings": Jsonb({}),
                "first": 0, "last": 0,
            }  # fmt: skip
            query = on_marts(steps + " select * from readings")
            cursor = connection.execute(query, parameters)
            names = [column.name for column in cursor.description]
            readings = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            recorded = connection.execute(
                """
                select metric,
                    n_pairs - case
                        when is_difference_instead then 0 else coalesce(n_ratio_excluded, 0)
                    end,
                    case when coalesce(n_ratio_excluded, 0) = 0 then effective_clusters end,
                    improvement, improvement_error, lower_improvement, lower_improvement_error,
                    n_clusters < n_pairs
                from evals.experiment_segment_comparisons
                where experiment_id = %(experiment_id)s and candidate_group = %(candidate_group)s
                    and candidate_version = %(candidate_version)s
                    and segment_kind = 'agent' and segment = %(agent)s and role != 'none'
                """,
                key,
            ).fetchall()
            assert recorded
            by_name = {(one["metric"], one["counts_missing"]): one for one in readings}
            for metric, pairs, clusters, gain, error, lower, lower_error, is_clustered in recorded:
                one = by_name[metric, False]
                assert one["n_pairs"] == pairs, (key, metric)
                if clusters is not None:
                    assert one["effective_clusters"] == pytest.approx(clusters, rel=1e-9)
                assert one["improvement"] == pytest.approx(gain, rel=1e-9, abs=1e-12)
                assert one["improvement_error"] == pytest.approx(error, rel=1e-9, abs=1e-12)
                missing = by_name.get((metric, True))
                if missing and lower < gain:
                    assert missing["improvement"] == pytest.approx(lower, rel=1e-9, abs=1e-12)
                    assert missing["improvement_error"] == pytest.approx(lower_error, rel=1e-9)
                clustered += is_clustered
            connection.rollback()
    assert clustered


def test_the_same_seed_sees_the_same_and_more_of_a_greater_loss(built: Built) -> None:
    asked = [*_ASKED, "--trials", "60"]
    rows = built.json(*asked, "--seed", "5")
    assert rows == built.json(*asked, "--seed", "5")
    assert rows != built.json(*asked, "--seed", "6")
    assert [row["loss"] for row in rows] == [0, 0.01, 0.02, 0.03, 0.05, 0.1]
    seen = [row["seen"] for row in rows]
    assert seen == sorted(seen)
    assert seen[0] <= 0.15
    assert seen[-1] >= 0.9
    for row in rows:
        assert row["planted"] == pytest.approx(row["loss"], abs=0.005)
        assert row["seen_low"] <= row["seen"] <= row["seen_high"]
        assert row["seen"] + row["reviewed"] + row["deployed"] == pytest.approx(1)


def _drawn_as_is(built: Built) -> list[np.ndarray]:
    """Return the pairs of feature_dev by cluster: of either arm its score and the share scored."""
    with psycopg.connect(built.url) as connection:
        rows = connection.execute(
            """
            select task_id, experiment_group, max(metadata ->> 'cluster_id'),
                avg((scores ->> 'agent_routing_accuracy')::float8), count(*),
                count((scores ->> 'agent_routing_accuracy')::float8)
            from evals.evaluation_trials
            where experiment_id = 'exp-2025-01-001' and agent_name = 'feature_dev'
            group by task_id, experiment_group
            """
        ).fetchall()
    tasks: dict[str, dict] = defaultdict(dict)
    names = {}
    for task, group, cluster, score, runs, scored in rows:
        tasks[task][group] = (0.0 if score is None else score, scored / runs)
        names[task] = cluster or names.get(task) or task
    units = defaultdict(list)
    for task, arms in tasks.items():
        units[names[task]].append([*arms.get("baseline", (0, 0)), *arms.get("code-chef", (0, 0))])
    return [np.array(one, dtype=float) for one in units.values()]


def _harms(gains: list[np.ndarray]) -> tuple[float, float]:
    """Return p of a loss, and of one beyond 5 points: t, leaving one cluster out at a time."""
    sizes = np.array([len(one) for one in gains if len(one)])
    sums = np.array([one.sum() for one in gains if len(one)])
    tasks, mean = sizes.sum(), sums.sum() / sizes.sum()
    left_out = (sums.sum() - sums) / (tasks - sizes)
    error = np.sqrt((len(sizes) - 1) / len(sizes) * ((left_out - mean) ** 2).sum())
    freedom = tasks**2 / (sizes**2).sum() - 1
    return stats.t.cdf(mean / error, freedom), stats.t.sf((mean + 0.05) / error, freedom)


def test_it_sees_as_often_as_another_program_does(built: Built) -> None:
    """Tasks drawn with their clusters, arms swapped, a shift clipped at 0: harm in both readings.

    Of the deciding metric alone: the others, without a loss, reject hardly ever.
    """
    groups = _drawn_as_is(built)
    rng = np.random.default_rng(3)
    seen, trials = 0, 1_500
    for _ in range(trials):
        recorded, missing = [], []
        for place in rng.integers(len(groups), size=len(groups)):
            one = groups[place]
            other, other_share, own, own_share = (
                one.T if rng.random() < 0.5 else one[:, [2, 3, 0, 1]].T
            )
            lower = np.maximum(own - 0.05, 0)
            recorded.append((lower - other)[(own_share > 0) & (other_share > 0)])
            missing.append(lower * own_share - other * other_share)
        worse, lost = np.maximum(_harms(recorded), _harms(missing))
        seen += worse <= 0.025 and lost > 0.2
    rows = built.json(*_ASKED, "--trials", "1000")
    (found,) = (row["seen"] for row in rows if row["loss"] == 0.05)
    assert found == pytest.approx(seen / trials, abs=0.06)


def test_what_it_says_is_what_the_table_has(built: Built) -> None:
    done = built.run(*_ASKED, "--trials", "40", "--detect", "0.08")
    assert done.exit_code == 0, done.output
    assert "You would have seen a loss of 1 point with probability" in done.stdout
    assert "8 points with probability" in done.stdout
    assert "a false alarm with probability" in done.stdout
    assert "Drawn from exp-2025-01-001" in done.stderr
    assert "40 trials" in done.stderr
    page = built.run(*_ASKED, "--trials", "40", "--format", "markdown")
    assert page.stdout.startswith("| ")


def test_a_slower_candidate_is_a_loss_too(built: Built) -> None:
    rows = built.json(
        "plan", "--planted", "--agent", "feature_dev", "--metric", "latency", "--trials", "50"
    )
    assert [row["loss"] for row in rows] == [0, 0.05, 0.1, 0.2, 0.3, 0.5]
    assert rows[-1]["planted"] == pytest.approx(0.5, abs=1e-6)
    assert rows[-1]["seen"] >= 0.9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--agent", "feature_dve"), "did you mean"),
        (("--metric", "acuracy"), "did you mean"),
        (("--experiment", "exp-2025-01-002"), "did you mean"),
        (("--budget-usd", "3"), "go with --planted"),
    ],
)
def test_what_cannot_be_tried_is_said(built: Built, change: tuple[str, ...], said: str) -> None:
    done = built.run(*_ASKED, *change)
    assert done.exit_code == 2
    assert said in done.stderr.lower()


def test_its_options_go_with_it_alone(built: Built) -> None:
    done = built.run(*_ASKED[:1], *_ASKED[2:], "--detect", "0.05", "--seed", "3")
    assert done.exit_code == 2
    assert "go with --planted" in done.stderr
