"""The three dashboards: Experiments, Versions, Fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.panels import (
    BAD,
    COLUMNS,
    COMPARED,
    GOOD,
    NEUTRAL,
    UNSURE,
    VERDICTS,
    annotation,
    dashboard,
    drill,
    field,
    legend,
    mappings,
    panel,
    stat,
    table,
    textbox,
    thresholds,
    variable,
    words,
)

if TYPE_CHECKING:
    from grafana.panels import Json

EXPERIMENTS: Final = "evalmart-experiments"
VERSIONS: Final = "evalmart-versions"
FLEET: Final = "evalmart-fleet"

_P_VALUE: Final = {"decimals": 4, "min": 0, "max": 1}
_BETTER: Final = thresholds((None, BAD), (0, GOOD))
_INTERVAL: Final = "95 % interval"
# A line of the forest keeps its metric's colour; the first marks "no change".
_BY_METRIC: Final[list[Json]] = [
    {
        "id": "partitionByValues",
        "options": {"fields": ["metric"], "keepFields": False, "naming": {"asLabels": False}},
    }
]


def experiments() -> Json:
    """Return Experiments: is the candidate better than the baseline, and why."""
    return dashboard(
        EXPERIMENTS,
        "Experiments",
        "Baseline against candidate: the verdict, what it rests on, and every task.",
        variables=[
            variable("experiment", "Experiment", "experiments/variable_experiment", many=False,
                     description="The latest first."),
            variable("group", "Candidate", "experiments/variable_group", many=False,
                     description="Group of the candidate."),
            variable("version", "Version", "experiments/variable_version", many=False,
                     description="Version of the candidate."),
            variable("metric", "Metric", "experiments/variable_metric", many=False,
                     description="Of the segments; the one that decides comes first."),
            variable("agent", "Agent", "experiments/variable_agent", many=True,
                     description="Of the tasks."),
            textbox("task", "Task", "Click a task, or type its id, to see its runs."),
        ],
        panels=[*_verdict(), *_evidence(), *_drill_down()],
    )  # fmt: skip


def _verdict() -> list[Json]:
    return [
        stat("In one sentence", "experiments/headline", width=COLUMNS, height=3, by="none",
             fields="/^headline$/", defaults={"color": {"mode": "fixed", "fixedColor": "text"}}),
        stat("Verdict", "experiments/verdict", width=5, fields="/^recommendation$/",
             description="experiment_summaries.recommendation: evidence alone decides.",
             defaults={"mappings": mappings(VERDICTS), "color": {"mode": "thresholds"},
                       "thresholds": thresholds((None, "text"))}),
        stat("Tasks", "experiments/tasks_won", width=9, by="none",
             description="Won and lost by more than the tie margin of the deciding metric."),
        stat("Improvement of the deciding metric, with its 95 % interval",
             "experiments/improvement", width=7, by="value",
             description="+ is better: percentage points of scores and success, per cent saved of "
                         "latency, tokens and cost.",
             defaults={"unit": "short", "decimals": 1, "thresholds": _BETTER}),
        stat("p-value of the deciding metric", "experiments/significance", width=3, by="none",
             defaults=dict(_P_VALUE)),
    ]  # fmt: skip


def _evidence() -> list[Json]:
    return [
        panel(
            "xychart",
            "Improvement of each metric, with its 95 % interval",
            "experiments/forest",
            width=14,
            height=11,
            description=(
                "Right of 0 is better: percentage points for scores and success, per cent saved "
                "for latency, tokens and cost. A line that crosses 0 has not been shown to be a "
                "change."
            ),
            transformations=list(_BY_METRIC),
            options={"mapping": "auto", "series": [],
                     "legend": {"showLegend": True, "displayMode": "list", "placement": "right",
                                "calcs": []},
                     "tooltip": {"mode": "single", "sort": "none"}},
            defaults={
                "color": {"mode": "palette-classic"},
                "custom": {"show": "points+lines", "pointSize": {"fixed": 8},
                           "pointShape": "circle", "pointStrokeWidth": 1, "fillOpacity": 80,
                           "lineWidth": 3},
            },
            overrides=[
                field("improvement", unit="percent", decimals=1,
                      custom__axisLabel="worse ← 0 → better", custom__axisCenteredZero=True),
                field("place", custom__axisPlacement="hidden"),
            ],
        ),
        table("What the verdict rests on", "experiments/reasons", width=10, height=11,
              description="In the order in which it decided.",
              overrides=[field("code", custom__width=170), field("p", **_P_VALUE),
                         field("at most", **_P_VALUE)]),
        table("Every metric", "experiments/metrics", height=9,
              description=f"Means over the tasks that both arms have. improvement, from, to "
                          f"({_INTERVAL}) and margin: percentage points of scores and success, "
                          "per cent saved of latency, tokens and cost; + is better. A metric in a "
                          "unit of its own, or whose better side nobody declared, changed by so "
                          "much, candidate less baseline.",
              overrides=[
                  *(field(name, decimals=1)
                    for name in ("improvement", "from", "to")),
                  words("say", COMPARED), words("which says", COMPARED),
                  words("why no say", COMPARED),
                  field("p", **_P_VALUE),
                  field("notes", custom__width=260),
              ]),
        table("Segments, by $metric", "experiments/segments", height=9,
              description="The same comparison, and the same verdict, within each agent, "
                          "category and split.",
              overrides=[field("p (BH)", **_P_VALUE), words("which says", COMPARED),
                         words("verdict on the segment"),
                         *(field(name, decimals=1)
                           for name in ("improvement", "from", "to"))]),
    ]  # fmt: skip


def _drill_down() -> list[Json]:
    here = f"/d/{EXPERIMENTS}?${{__url_time_range}}"
    chosen = f"{here}&${{experiment:queryparam}}&${{group:queryparam}}&${{version:queryparam}}"
    return [
        table("Tasks, the worst losses first", "experiments/tasks", height=12,
              description="At most 500; `evalmart compare` has them all.",
              overrides=[
                  field("task", links=drill("Runs of this task",
                                            f"{chosen}&var-task=${{__value.raw}}"),
                        custom__width=320),
                  words("winner"),
                  field("better by", decimals=3, thresholds=_BETTER,
                        custom__cellOptions={"type": "color-text"}),
                  field("time saved %", unit="percent", decimals=1),
                  field("cost saved %", unit="percent", decimals=1),
              ]),
        table("Runs of the task: $task", "experiments/task_runs", height=8,
              description="Click a task above.",
              overrides=[
                  field("latency", unit="ms"), field("cost", unit="currencyUSD", decimals=5),
                  field("scores", custom__width=420), field("error", custom__width=300),
              ]),
        table("What the gate decided", "experiments/gate_decisions", height=7, width=10,
              description="Looking again and again until it is green is visible here.",
              overrides=[words("verdict")]),
        table("All experiments", "experiments/all_experiments", height=7, width=14,
              overrides=[
                  field("experiment",
                        links=drill("Open", f"{here}&var-experiment=${{__value.raw}}")),
                  words("recommendation"),
                  field("in one sentence", custom__width=520),
              ]),
    ]  # fmt: skip


def versions() -> Json:
    """Return Versions: what has changed from one to the next."""
    severity = [words("severity"), field("change %", unit="percent", decimals=1)]
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
                  overrides=[*severity, words("state")]),
            table("Like for like: change of $metric since the version before",
                  "versions/like_for_like", height=10,
                  description=f"On the tasks that both versions ran. from, to: {_INTERVAL} of the "
                              "change.",
                  overrides=[field("change %", unit="percent", decimals=1),
                             field("p", **_P_VALUE)]),
            table("Worse than the version before, in any metric", "versions/regressions",
                  height=10, overrides=[*severity, field("p (BH)", **_P_VALUE)]),
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
            table("Every version, by $metric", "versions/means", height=11),
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


def _spent() -> list[Json]:
    dollars = {"unit": "currencyUSD", "decimals": 5}
    return [
        panel("timeseries", "Cost of a result, by agent", "fleet/cost", width=12, height=9,
              shape="time_series", options=legend(), defaults=_lines("currencyUSD")),
        table("Cost, by agent and group", "fleet/cost_by_agent", width=12, height=9,
              description="A result is the mean of a task's runs; all runs are what was spent.",
              overrides=[field("cost of a result", **dollars),
                         field("cost of all runs", unit="currencyUSD", decimals=2)]),
    ]  # fmt: skip


def _loads() -> list[Json]:
    rejected = field("rejected", thresholds=thresholds((None, "text"), (1, BAD)),
                     custom__cellOptions={"type": "color-text"})  # fmt: skip
    return [
        table("Freshness, the stalest first", "fleet/freshness", width=9, height=9,
              overrides=[field("days ago", decimals=1,
                               thresholds=thresholds((None, GOOD), (8, UNSURE), (31, BAD)),
                               custom__cellOptions={"type": "color-text"})]),
        panel("timeseries", "Rows of loads", "fleet/loads", width=8, height=9,
              shape="time_series", options=legend(), defaults=_stacked()),
        table("Why rows were rejected", "fleet/reject_reasons", width=7, height=9),
        table("Loads, the latest first", "fleet/load_table", height=10,
              overrides=[rejected, field("seconds", unit="s", decimals=1)]),
    ]  # fmt: skip
