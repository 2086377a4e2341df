"""The same versions have the same numbers on the page, in Grafana, Prometheus and the terminal."""

from __future__ import annotations

from collections import defaultdict
from math import isclose
from typing import TYPE_CHECKING, Any

import pytest

from places import (
    MEANS,
    SERIES,
    TREND,
    Places,
    versions_shown,
)
from shown_numbers import (
    DECIMALS,
    Rows,
    shows,
    shows_interval,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from places import Values

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
Row = dict[str, Any]


def test_every_place_has_the_same_trends(warehouse: Places) -> None:
    trends = warehouse.rows("select * from evals.version_trends")
    exposed = warehouse.exposed()
    agents = sorted({row["agent_name"] for row in trends})
    pages = {agent: warehouse.page("--agent", agent).table("Means by version") for agent in agents}
    panels, told = versions_shown(warehouse, trends)
    assert len(told) == len(trends)
    for row in trends:
        arm = (row["agent_name"], row["experiment_group"], row["model_version"])
        series, version = " · ".join(arm), row["extension_version"]
        mean = panels[MEANS, series, version, row["metric"]]
        point = panels[TREND, series, row["first_recorded_at"], row["metric"]]
        for name, column in (
            ("mean", "avg_value"), ("from", "avg_value_low"), ("to", "avg_value_high"),
        ):  # fmt: skip
            assert mean[name] == point[name] == row[column]
        for name, column in (
            ("results", "sample_count"), ("median", "p50_value"),
            ("95th percentile", "p95_value"), ("standard deviation", "stddev_value"),
        ):  # fmt: skip
            assert mean[name] == row[column]
        program = told[tuple(row[name] for name in SERIES)]
        for name, value in row.items():
            if isinstance(value, int | float):
                assert program[name] == value, name
        _check_page(pages[arm[0]], row)
        _check_exposed(exposed, row)


def _check_page(rows: Rows, row: Row) -> None:
    (shown,) = (
        item
        for item in rows
        if [item[name] for name in ("agent", "group", "version", "model", "metric")]
        == [row[name] for name in SERIES]
    )
    decimals = DECIMALS[row["kind"]]
    assert shows(shown["results"], row["sample_count"], 0)
    assert shows_interval(
        shown["95 % interval"],
        (row["avg_value_low"], row["avg_value_high"]),
        decimals,
    )
    for name, column in (("mean", "avg"), ("median", "p50"), ("95th percentile", "p95")):
        assert shows(shown[name], row[f"{column}_value"], decimals), (name, shown, row)


def _check_exposed(exposed: Mapping[Any, float], row: Row) -> None:
    """Hold a version's gauge, or the count and sum of its histogram, against its trend."""
    arm = {
        "agent": row["agent_name"], "group": row["experiment_group"],
        "version": row["extension_version"],
    }  # fmt: skip
    if row["kind"] == "score":
        labels = {**arm, "model": row["model_version"], "metric": row["metric"]}
        assert exposed["eval_score_current", frozenset(labels.items())] == row["avg_value"]
    elif row["metric"] in {"latency_ms", "cost_usd"}:
        key = frozenset(arm.items())
        count = exposed[f"eval_{row['metric']}_count", key]
        assert count == row["sample_count"]
        mean = exposed[f"eval_{row['metric']}_sum", key] / count
        assert isclose(mean, row["avg_value"], rel_tol=1e-12)


def test_every_place_has_the_same_volume_and_spending(warehouse: Places) -> None:
    exposed = warehouse.exposed()
    trends = warehouse.rows("select * from evals.version_trends")
    values: Values = {
        "agent": sorted({row["agent_name"] for row in trends}),
        "group": sorted({row["experiment_group"] for row in trends}),
    }
    totals: dict[tuple[str, str, str], float] = defaultdict(float)
    for (name, labels), value in exposed.items():
        of = dict(labels)
        if name in {"eval_results_total", "eval_cost_usd_sum", "eval_cost_usd_count"}:
            totals[name, of["agent"], of["group"]] += value
    panel = warehouse.panel("fleet", "Cost, by agent and group", values)
    spent = {
        (row["agent"], row["group"]): row
        for row in warehouse.rows(
            "select coalesce(agent_name, 'unknown') as agent, experiment_group as group,"
            " count(*) as runs, sum(cost_usd) as cost from evals.evaluation_trials group by 1, 2"
        )
    }
    assert len(panel) == len(spent) > 3
    for row in panel:
        arm = (row["agent"], row["group"])
        assert row["results"] == totals["eval_results_total", *arm]
        mean = totals["eval_cost_usd_sum", *arm] / totals["eval_cost_usd_count", *arm]
        assert isclose(row["cost of a result"], mean, rel_tol=1e-12)
        assert row["runs"] == spent[arm]["runs"]
        assert isclose(row["cost of all runs"], spent[arm]["cost"], rel_tol=1e-12)
    volume: dict[str, float] = defaultdict(float)
    for row in warehouse.panel("fleet", "Results, by agent", values):
        volume[row["metric"]] += row["value"]
    for agent, count in volume.items():
        assert count == sum(row["results"] for row in panel if row["agent"] == agent)
