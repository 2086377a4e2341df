"""Planted histories: what changed is found where it was planted, and nothing where nothing was.

The statistics are held against SciPy on the same numbers, read back from raw.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter, defaultdict
from itertools import combinations
from statistics import mean
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from scipy import stats

import control_chart
import servers
from loader.cli.gate import gate
from loader.cli.read import regressions
from loader.errors import ConfigurationError
from loader.marts.regressions import of_version
from loader.warehouse.connection import connect
from planted_histories import (
    CHANGE_AT,
    METRICS,
    PLANTED_AGENTS,
    QUIET_AGENTS,
    QUIET_VERSIONS,
    plant,
)
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.testing import Result

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def planted(postgres_server: str, dbt: Dbt) -> Iterator[Connection]:
    """Give a warehouse of planted histories, built once."""
    rng = random.Random(20260731)  # noqa: S311
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        raw.load(plant(rng))
        dbt.build(url)
        yield connection


def alerts(connection: Connection, agent: str) -> list[dict[str, Any]]:
    cursor = connection.execute(
        "select * from evals.metric_alerts where agent_name like %s order by began_at", [agent]
    )
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def values(connection: Connection, agent: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return what raw has: metric → version → task → value."""
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for version, task, scores in connection.execute(
        "select extension_version, task_id, scores from raw_evals.evaluation_runs"
        " where agent_name = %s",
        [agent],
    ):
        for metric, value in scores.items():
            if value is not None:
                found[metric][version][task] = value
    return found


def test_nothing_planted_raises_hardly_any_alert(planted: Connection) -> None:
    series = {(row["agent_name"], row["metric"]) for row in alerts(planted, "quiet-%")}
    assert len(series) <= 0.02 * QUIET_AGENTS * len(METRICS)


def test_a_five_point_drop_is_found_at_its_version(planted: Connection) -> None:
    (alert,) = alerts(planted, "dropped")
    assert alert["began_version"] == alert["found_version"] == "1.15.0"
    assert alert["is_open"]
    regression = planted.execute(
        "select method, n, severity, is_significant, change_low < change and change < change_high"
        " from evals.version_regressions"
        " where agent_name = 'dropped' and extension_version = '1.15.0'"
    ).fetchone()
    assert regression == ("paired", 300, "medium", True, True)


def found_shares(connection: Connection, agents: str, within: Sequence[int]) -> list[float]:
    """Return the shares of series with an alert found so many versions after the change.

    An alert that came before the change is false, and its series counts as not found.
    """
    first: dict[tuple[str, str], int] = {}
    for alert in alerts(connection, f"{agents}-%"):
        version = int(alert["found_version"].split(".")[1]) - CHANGE_AT
        key = (alert["agent_name"], alert["metric"])
        first[key] = min(version, first.get(key, version))
    total = PLANTED_AGENTS * len(METRICS)
    return [sum(0 <= version < limit for version in first.values()) / total for limit in within]


def test_five_points_are_found_where_they_fell(planted: Connection) -> None:
    at_once, soon = found_shares(planted, "fell-noise", (1, 4))
    assert at_once >= 0.8
    assert soon >= 0.9
    # tasks that pass or fail say less: the same fall is 3.6 errors wide, and may take a few
    at_once, soon = found_shares(planted, "fell-binary", (1, 4))
    assert at_once >= 0.25
    assert soon >= 0.8


def test_a_point_a_version_is_found_within_six(planted: Connection) -> None:
    (noise,) = found_shares(planted, "slid-noise", (6,))
    (binary,) = found_shares(planted, "slid-binary", (6,))
    assert noise >= 0.9
    assert binary >= 0.8


def test_a_drift_of_a_point_a_version_is_found_within_six(planted: Connection) -> None:
    (alert,) = alerts(planted, "drifting")
    begin, found = (int(alert[name].split(".")[1]) for name in ("began_version", "found_version"))
    assert 10 <= begin <= found < 16
    assert alert["is_open"]


def test_a_dent_is_one_alert_that_begins_and_ends(planted: Connection) -> None:
    (alert,) = alerts(planted, "dented")
    assert (alert["began_version"], alert["ended_version"]) == ("1.12.0", "1.18.0")
    assert (alert["end_reason"], alert["version_count"]) == ("returned", 6)


def test_an_outage_begins_and_ends(planted: Connection) -> None:
    (alert,) = alerts(planted, "down")
    assert (alert["cause"], alert["metric"]) == ("outage", "success_rate")
    assert (alert["began_version"], alert["ended_version"]) == ("1.6.0", "1.9.0")


def test_a_suite_that_grows_raises_nothing_and_says_when_signs_disagree(
    planted: Connection,
) -> None:
    rows = planted.execute(
        "select extension_version, shared_task_count, plain_change, like_for_like_change,"
        " has_opposite_signs from evals.version_trends"
        " where agent_name = 'growing' and extension_version = '1.5.0'"
    ).fetchall()
    ((_, shared, plain, like_for_like, opposite),) = rows
    assert shared == 40
    assert plain > 0 > like_for_like
    assert opposite


def test_changes_agree_with_scipy(planted: Connection) -> None:
    checked = 0
    for agent in ("dropped", "quiet-00", "moved"):
        found = values(planted, agent)
        for row in planted.execute(
            "select metric, extension_version, previous_extension_version, change_method,"
            " change, change_low, change_high, change_p_value, shared_task_count"
            " from evals.version_trends"
            " where agent_name = %s and previous_extension_version is not null",
            [agent],
        ).fetchall():
            metric, version, previous, method, change, low, high, p_value, shared = row
            new, old = found[metric][version], found[metric][previous]
            tasks = sorted(new.keys() & old.keys())
            assert shared == len(tasks)
            if method == "paired":
                one, two = [new[task] for task in tasks], [old[task] for task in tasks]
                test = stats.ttest_rel(one, two)
            else:
                assert (method, len(tasks)) == ("welch", 3)
                one, two = list(new.values()), list(old.values())
                test = stats.ttest_ind(one, two, equal_var=False)
            interval = test.confidence_interval()
            assert change == pytest.approx(mean(one) - mean(two), rel=1e-9, abs=1e-12)
            assert low == pytest.approx(interval.low, rel=1e-9)
            assert high == pytest.approx(interval.high, rel=1e-9)
            assert p_value == pytest.approx(test.pvalue, rel=1e-9)
            checked += 1
    assert checked > QUIET_VERSIONS * 4


def test_deviates_from_the_reference_agree_with_scipy(planted: Connection) -> None:
    checked, furthest = 0, 0.0
    for agent in ("quiet-00", "quiet-01", "dropped", "drifting", "slid-binary-0"):
        for metric, versions in values(planted, agent).items():
            built = planted.execute(
                "select extension_version, series_position, reference_deviate"
                " from evals_intermediate.int_version_chart"
                " where agent_name = %s and metric = %s order by series_position",
                [agent, metric],
            ).fetchall()
            known = [versions[row[0]] for row in built]
            reference = known[: control_chart.REFERENCE_VERSIONS]
            for version, position, deviate in built:
                if position <= control_chart.REFERENCE_VERSIONS:
                    assert deviate is None
                    continue
                expected = control_chart.reference_deviate(reference, versions[version])
                assert deviate == pytest.approx(expected, rel=1e-9, abs=1e-9)
                checked += 1
                furthest = max(furthest, abs(deviate))
    assert checked > QUIET_VERSIONS * 4
    assert furthest > 8.3, "nothing so far out that 1 - tail would be 1"


def test_alerts_follow_from_the_deviates_by_the_written_rule(planted: Connection) -> None:
    charts: dict[tuple[object, ...], list[control_chart.Point]] = defaultdict(list)
    for *series, _, deviate, step, cusum, cause, is_open, is_found in planted.execute(
        "select agent_name, experiment_group, model_version, metric, chart, series_position,"
        " reference_deviate, step_deviate, cusum, cause, is_open, is_found"
        " from evals_intermediate.int_version_chart order by 1, 2, 3, 4, 5, 6"
    ):
        point = control_chart.Point(deviate, step, cusum, cause, is_open, is_found)
        charts[tuple(series)].append(point)
    causes = {point.cause for chart in charts.values() for point in chart if point.is_found}
    assert causes >= {"shift", "drift"}
    wrong = {series: found for series, chart in charts.items()
             if (found := list(control_chart.mistakes(chart)))}  # fmt: skip
    assert wrong == {}


def test_an_alert_ends_where_half_the_fall_was_regained(planted: Connection) -> None:
    outcomes = []
    for alert in alerts(planted, "%"):
        if alert["cause"] not in {"shift", "drift"}:
            continue
        versions = values(planted, alert["agent_name"])[alert["metric"]]
        known = [versions[f"1.{number}.0"] for number in range(len(versions))]
        reference = known[: control_chart.REFERENCE_VERSIONS]
        ended = control_chart.returned_at(
            [control_chart.worsening(reference, version) for version in known],
            int(alert["found_version"].split(".")[1]),
        )
        assert alert["ended_version"] == (None if ended is None else f"1.{ended}.0"), alert
        outcomes.append(ended)
    assert None in outcomes, "no alert stayed open"
    assert set(outcomes) - {None}, "no level came back"


def test_trends_of_series_agree_with_scipy(planted: Connection) -> None:
    for agent in ("drifting", "quiet-01"):
        rows = planted.execute(
            "select version_rank, avg_value, theil_sen_slope, mann_kendall_p_value"
            " from evals.version_trends where agent_name = %s and metric = 'accuracy'"
            " order by version_rank",
            [agent],
        ).fetchall()
        ranks, means = [row[0] for row in rows], [row[1] for row in rows]
        assert len(ranks) >= 10
        assert rows[0][3] == pytest.approx(mann_kendall(means), rel=1e-9)
        assert rows[0][2] == pytest.approx(stats.theilslopes(means, ranks).slope, rel=1e-9)


def mann_kendall(means: Sequence[float]) -> float:
    """Return the normal p-value, corrected for ties and continuity."""
    n, ties = len(means), Counter(means).values()
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(means, 2))
    variance = n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
    deviate = max(abs(score) - 1, 0) / (variance / 18) ** 0.5
    return float(2 * stats.norm.sf(deviate))


def test_adjusted_p_values_agree_with_scipy(planted: Connection) -> None:
    families: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for version, p_value, adjusted in planted.execute(
        "select trends.extension_version, trends.change_p_value, regressions.p_value_bh"
        " from evals.version_trends as trends"
        " left join evals.version_regressions as regressions"
        " using (agent_name, experiment_group, extension_version, model_version, metric)"
        " where trends.change_p_value is not null"
    ):
        families[version].append((p_value, adjusted))
    assert families
    for family in families.values():
        expected = stats.false_discovery_control([p_value for p_value, _ in family])
        for (_, adjusted), value in zip(family, expected, strict=True):
            assert adjusted is None or adjusted == pytest.approx(value, rel=1e-9)


def test_tasks_of_a_regression_are_those_that_got_worse(planted: Connection) -> None:
    found = values(planted, "dropped")["accuracy"]
    rows = planted.execute(
        "select task_id, previous_value, value, run_ids, previous_run_ids"
        " from evals.regression_tasks"
        " where agent_name = 'dropped' and extension_version = '1.15.0'"
    ).fetchall()
    worse = {task for task in found["1.15.0"] if found["1.15.0"][task] < found["1.14.0"][task]}
    assert {row[0] for row in rows} == worse
    for task, before, after, runs, runs_before in rows:
        assert (before, after) == (found["1.14.0"][task], found["1.15.0"][task])
        assert all("1.15.0" in run for run in runs)
        assert all("1.14.0" in run for run in runs_before)


def test_tasks_are_the_means_of_their_results_whatever_is_better(planted: Connection) -> None:
    results: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run, experiment, task, version, latency in planted.execute(
        "select source_run_id, experiment_id, task_id, extension_version, latency_ms"
        " from raw_evals.evaluation_runs where agent_name = 'slowed'"
        ' order by recorded_at, source_run_id collate "C"'
    ):
        results[version, task][experiment].append(latency)
        runs[version, task].append(run)
    found = planted.execute(
        "select task_id, extension_version, previous_extension_version, previous_value, value,"
        " change, previous_run_ids, run_ids from evals.regression_tasks"
        " where agent_name = 'slowed' and metric = 'latency_ms'"
    ).fetchall()
    assert {row[0] for row in found} == {f"t{task}" for task in range(3, 20)}
    for task, version, previous, before, after, change, runs_before, own_runs in found:
        assert (previous, version) == ("1.2.0", "1.3.0")
        # of a result first, which is the mean of its repetitions
        old, new = (mean(map(mean, results[one, task].values())) for one in (previous, version))
        assert (before, after, change) == pytest.approx((old, new, new - old), rel=1e-12)
        assert (runs_before, own_runs) == (runs[previous, task], runs[version, task])
        assert len(own_runs) == 3


def asked(connection: Connection, *arguments: str) -> Result:
    return CliRunner().invoke(regressions, [*arguments, "--database-url", connection.info.dsn])


def test_the_command_says_what_is_open_and_exits_with_five(planted: Connection) -> None:
    result = asked(planted, "--agent", "dropped", "--format", "json")
    (alert,) = json.loads(result.stdout)
    assert (alert["began_version"], alert["ended_version"]) == ("1.15.0", None)
    assert result.exit_code == 5
    assert "1 alert is open" in result.stderr


def test_the_command_exits_with_zero_when_the_level_is_back(planted: Connection) -> None:
    result = asked(planted, "--agent", "dented")
    assert result.exit_code == 0, result.output
    assert "1.18.0" in result.stdout
    assert asked(planted, "--agent", "dented", "--since", "1.20.0").stdout == "No alert.\n"


def test_the_command_lists_the_tasks_behind_a_regression(planted: Connection) -> None:
    result = asked(planted, "--agent", "dropped", "--since", "1.15.0", "--tasks", "--format", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert {row["extension_version"] for row in rows} == {"1.15.0"}
    assert all(float(row["change"]) < 0 for row in rows)


def test_an_unknown_version_is_a_configuration_error(planted: Connection) -> None:
    result = asked(planted, "--agent", "dropped", "--since", "1.99.0")
    assert isinstance(result.exception, ConfigurationError)


def test_tasks_are_listed_only_of_what_is_more_than_chance(planted: Connection) -> None:
    versions = planted.execute(
        "select distinct agent_name, extension_version, metric from evals.regression_tasks"
    ).fetchall()
    believed = planted.execute(
        "select agent_name, extension_version, metric from evals.version_regressions"
        " where is_significant"
        " union select agent_name, found_version, metric from evals.metric_alerts"
    ).fetchall()
    assert ("dropped", "1.15.0", "accuracy") in versions
    assert set(versions) <= set(believed)
    below_alpha = planted.execute(
        "select agent_name, extension_version, metric from evals.version_regressions"
        " where p_value <= 0.05 and method = 'paired'"
    ).fetchall()
    assert set(below_alpha) > set(versions), "some version is below alpha by chance alone"


def test_the_gate_blocks_the_version_at_which_a_level_fell(planted: Connection) -> None:
    def judged(agent: str, version: str) -> Any:  # noqa: ANN401  a JSON document
        arguments = ["--agent", agent, "--extension-version", version, "--format", "json"]
        result = CliRunner().invoke(gate, [*arguments, "--database-url", planted.info.dsn])
        (answer,) = json.loads(result.stdout)
        assert answer["exit_code"] == result.exit_code
        return answer

    dented = judged("dented", "1.12.0")
    assert (dented["verdict"], dented["exit_code"]) == ("blocked", 1)
    assert dented["has_baseline"] is False, "its experiment has no control arm"
    assert dented["reasons"][0]["code"] == "regression_blocks"
    assert "worse than in 1.11.0" in dented["reasons"][0]["sentence"]
    assert judged("dropped", "1.15.0")["reasons"][0]["code"] == "regression_needs_review"
    assert judged("dented", "1.11.0")["verdict"] == "pass"
    assert judged("dented", "1.0.0")["verdict"] == "inconclusive"


def test_a_gate_can_ask_for_the_regressions_of_a_version(planted: Connection) -> None:
    with connect(planted.info.dsn) as connection:
        assert of_version(connection, "dropped", "1.15.0").values("metric") == ["accuracy"]
        assert not of_version(connection, "dropped", "1.14.0").rows
