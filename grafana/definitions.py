"""The dashboards Versions and Fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.links import CELL, FLEET, VERSIONS, beside, board, column, link, served
from grafana.panels import (
    BAD,
    COLUMNS,
    GOOD,
    INTERVAL,
    NEUTRAL,
    P_VALUE,
    UNSURE,
    annotation,
    dashboard,
    field,
    legend,
    panel,
    stat,
    table,
    thresholds,
    variable,
    words,
)

if TYPE_CHECKING:
    from grafana.panels import Json


def versions() -> Json:
    """Return Versions: what has changed from one to the next."""
    severity = [words("severity"), field("change %", unit="percent", decimals=1)]
    places = [
        field("agent", links=[link("In full", served("/agent", name=CELL))]),
        field("version", links=[
            link("Experiments of this version",
                 served("/experiments", agent=column("agent"), q=CELL)),
        ]),
    ]  # fmt: skip
    of_metric = field("metric", links=[
        link("Over versions", board(VERSIONS, agent=column("agent"), metric=CELL)),
        link("In full", served("/agent", name=column("agent"), metric=CELL)),
    ])  # fmt: skip
    return dashboard(
        VERSIONS,
        "Versions",
        "Each agent over its versions: trends, alerts, and like-for-like comparisons.",
        variables=[
            variable("agent", "Agent", "versions/variable_agent", many=True),
            variable("group", "Group", "versions/variable_group", many=True),
            variable("metric", "Metric", "versions/variable_metric", many=False),
            variable("version", "Version", "versions/variable_version", many=True),
        ],
        pages=beside("Agents in full", served("/agents")),
        annotations=[
            annotation("Versions", "versions/annotation_versions", NEUTRAL),
            annotation("Alerts", "versions/annotation_alerts", BAD),
        ],
        panels=[
            panel(
                "timeseries",
                "Mean of $metric, with its 95 % interval",
                "versions/trend",
                width=18,
                height=12,
                shape="time_series",
                description="A point for each version, when it first ran. Blue marks are "
                            "versions, red ones alerts.",
                options=legend(),
                defaults={"custom": {"drawStyle": "line", "lineWidth": 2, "showPoints": "always",
                                     "pointSize": 7, "spanNulls": True}},
                overrides=[
                    {"matcher": {"id": "byRegexp", "options": "/^(from|to)( |$)/"},
                     "properties": [
                         {"id": "custom.showPoints", "value": "never"},
                         {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [4, 4]}},
                         {"id": "custom.hideFrom",
                          "value": {"legend": True, "tooltip": False, "viz": False}},
                         {"id": "custom.lineWidth", "value": 1},
                     ]},
                ],
            ),
            stat("Open alerts", "versions/open_alerts", width=6, height=6,
                 description="Shifts of the level that are not over: metric_alerts.is_open.",
                 defaults={"thresholds": thresholds((None, GOOD), (1, BAD))}),
            stat("Worse than the version before", "versions/significant_regressions", width=6,
                 height=6,
                 description="Of the versions chosen above, by agent and metric, more than chance "
                             "explains.",
                 defaults={"thresholds": thresholds((None, GOOD), (1, UNSURE))}),
            table("Alerts", "versions/alerts", height=9,
                  description="One row per shift, however many versions it lasts.",
                  links=[link("Every alert", served("/alerts"))],
                  overrides=[places[0], of_metric, *severity, words("state")]),
            table("Like for like: change of $metric since the version before",
                  "versions/like_for_like", height=10,
                  description=f"On the tasks that both versions ran. from, to: {INTERVAL} of the "
                              "change.",
                  overrides=[*places, field("change %", unit="percent", decimals=1),
                             field("p", **P_VALUE)]),
            table("Worse than the version before, in any metric", "versions/regressions",
                  height=10,
                  overrides=[*places, of_metric, *severity, field("p (BH)", **P_VALUE)]),
            panel(
                "barchart",
                "Median and 95th percentile of $metric",
                "versions/percentiles",
                width=COLUMNS,
                height=9,
                options={"xField": "version", "orientation": "auto", "showValue": "auto",
                         "stacking": "none", "groupWidth": 0.7, "barWidth": 0.9, "barRadius": 0,
                         "xTickLabelRotation": -30, "xTickLabelSpacing": 0,
                         "xTickLabelMaxLength": 40,
                         "fullHighlight": False, **legend()},
                defaults={"custom": {"lineWidth": 1, "fillOpacity": 80}},
            ),
            table("Every version, by $metric", "versions/means", height=11, overrides=places),
        ],
    )  # fmt: skip


def fleet() -> Json:
    """Return Fleet: whether data comes in, what it costs, how fast the agents are."""
    return dashboard(
        FLEET,
        "Fleet",
        "Volume, cost, latency, freshness and rejected rows, over all experiments.",
        variables=[
            variable("agent", "Agent", "fleet/variable_agent", many=True),
            variable("group", "Group", "fleet/variable_group", many=True),
        ],
        pages=beside("Loads in full", served("/loads")),
        panels=[*_coming_in(), *_spent(), *_loads()],
    )


def _lines(unit: str, draw: str = "line", **custom: object) -> Json:
    return {
        "unit": unit,
        "custom": {"drawStyle": draw, "lineWidth": 2, "showPoints": "always", "pointSize": 5,
                   "spanNulls": True, **custom},
    }  # fmt: skip


def _stacked() -> Json:
    stacking = {"mode": "normal", "group": "A"}
    bars = {"fillOpacity": 70, "stacking": stacking, "showPoints": "never", "lineWidth": 0}
    return _lines("short", "bars", **bars)


def _coming_in() -> list[Json]:
    return [
        stat("Hours since rows came in", "fleet/hours_since_load", width=5,
             defaults={"unit": "short", "decimals": 1,
                       "thresholds": thresholds((None, GOOD), (48, UNSURE), (192, BAD))}),
        stat("Rows in this time range", "fleet/rows", width=13, by="none",
             defaults={"unit": "short"}),
        stat("Rejected", "fleet/rejected_share", width=6,
             defaults={"unit": "percent", "decimals": 2, "noValue": "none",
                       "thresholds": thresholds((None, GOOD), (0.001, UNSURE), (1, BAD))}),
        panel("timeseries", "Results, by agent", "fleet/volume", width=12, height=9,
              shape="time_series", options=legend(), defaults=_stacked(),
              description="A result is a task of a group and version, its repetitions averaged."),
        panel("timeseries", "Latency, by version", "fleet/latency", width=12, height=9,
              shape="time_series", options=legend(), defaults=_lines("ms"),
              description="Exact percentiles of each version, drawn when it last ran."),
    ]  # fmt: skip


def _agent() -> Json:
    return field("agent", links=[
        link("Over its versions", board(VERSIONS, agent=CELL)),
        link("Its experiments", served("/experiments", agent=CELL)),
    ])  # fmt: skip


def _spent() -> list[Json]:
    dollars = {"unit": "currencyUSD", "decimals": 5}
    return [
        stat("Spent in this time range", "fleet/spent", width=COLUMNS, height=4, by="none",
             description="Every run of the agents and groups chosen above, repetitions included; "
                         "a run whose cost is not known adds nothing. A result is the mean of a "
                         "task's runs.",
             defaults={"unit": "currencyUSD", "decimals": 2, "noValue": "not known"},
             overrides=[field("a result", decimals=5)]),
        panel("timeseries", "Spent, by agent", "fleet/spend", width=12, height=9,
              shape="time_series", options=legend("sum"),
              defaults={**_stacked(), "unit": "currencyUSD"}),
        panel("timeseries", "Cost of a result, by agent", "fleet/cost", width=12, height=9,
              shape="time_series", options=legend(), defaults=_lines("currencyUSD")),
        table("Cost, by agent and group", "fleet/cost_by_agent", height=9,
              description="A result is the mean of a task's runs; all runs are what was spent.",
              overrides=[_agent(), field("cost of a result", **dollars),
                         field("cost of all runs", unit="currencyUSD", decimals=2),
                         field("of all spent %", unit="percent", decimals=1)]),
    ]  # fmt: skip


def _loads() -> list[Json]:
    rejected = field("rejected", thresholds=thresholds((None, "text"), (1, BAD)),
                     custom__cellOptions={"type": "color-text"})  # fmt: skip
    return [
        table("Freshness, the stalest first", "fleet/freshness", width=9, height=9,
              overrides=[_agent(), field("days ago", decimals=1,
                                         thresholds=thresholds((None, GOOD), (8, UNSURE),
                                                               (31, BAD)),
                                         custom__cellOptions={"type": "color-text"})]),
        panel("timeseries", "Rows of loads", "fleet/loads", width=8, height=9,
              shape="time_series", options=legend(), defaults=_stacked()),
        table("Why rows were rejected", "fleet/reject_reasons", width=7, height=9,
              links=[link("What was rejected", served("/loads", show="rejected"))]),
        table("Loads, the latest first", "fleet/load_table", height=10,
              overrides=[
                  field("load", links=[link("In full", served("/load", id=CELL))]),
                  field("experiment", links=[link("In full", served("/experiment", id=CELL))]),
                  rejected, field("seconds", unit="s", decimals=1),
              ]),
    ]  # fmt: skip
