"""The dashboard Experiments: is the candidate better than the baseline, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.links import (
    CELL,
    EXPERIMENTS,
    VERSIONS,
    beside,
    board,
    chosen,
    column,
    link,
    served,
)
from grafana.panels import (
    BETTER,
    COLUMNS,
    COMPARED,
    INTERVAL,
    P_VALUE,
    VERDICTS,
    dashboard,
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

# A line of the forest keeps its metric's colour; the first marks "no change".
_BY_METRIC: Final[list[Json]] = [
    {
        "id": "partitionByValues",
        "options": {"fields": ["metric"], "keepFields": False, "naming": {"asLabels": False}},
    }
]
_CANDIDATE: Final = {
    "experiment": chosen("experiment"),
    "group": chosen("group"),
    "version": chosen("version"),
}


def experiments() -> Json:
    """Return Experiments: is the candidate better than the baseline, and why."""
    return dashboard(
        EXPERIMENTS,
        "Experiments",
        "Baseline against candidate: the verdict, what it rests on, and every task.",
        variables=[
            variable("experiment", "Experiment", "experiments/variable_experiment", many=False,
                     description="Those with two arms, the latest first."),
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
        panels=[*_every(), *_verdict(), *_evidence(), *_arms(), *_drill_down()],
        pages=beside(
            "This candidate in full",
            served("/experiment", id=chosen("experiment"), group=chosen("group"),
                   version=chosen("version")),
        ),
    )  # fmt: skip


def _every() -> list[Json]:
    return [
        table("All experiments, the latest first", "experiments/all_experiments", height=8,
              description="Those with two arms, at most 200; `evalmart serve` has them all, and "
                          "those without a second arm stand at the end.",
              overrides=[
                  field("experiment", custom__width=220, links=[
                      link("Open here", board(EXPERIMENTS, experiment=CELL, group=column("group"),
                                              version=column("version"))),
                      link("Open in full", served("/experiment", id=CELL, group=column("group"),
                                                  version=column("version"))),
                  ]),
                  field("agent", noValue="several",
                        links=[link("Over its versions", board(VERSIONS, agent=CELL))]),
                  words("verdict"),
                  field("in one sentence", custom__width=640),
              ]),
    ]  # fmt: skip


def _verdict() -> list[Json]:
    return [
        stat("Verdict", "experiments/verdict", width=COLUMNS, height=5, by="value",
             orientation="horizontal", fields="/^(recommendation|headline)$/",
             description="experiment_summaries.recommendation: evidence alone decides.",
             defaults={"color": {"mode": "thresholds"}, "thresholds": thresholds((None, "text"))},
             overrides=[field("recommendation", mappings=mappings(VERDICTS))]),
        stat("Tasks", "experiments/tasks_won", width=11, by="none",
             description="Won and lost by more than the tie margin of the deciding metric."),
        stat("Improvement of the deciding metric, with its 95 % interval",
             "experiments/improvement", width=9, by="value",
             description="+ is better: percentage points of scores and success, per cent saved of "
                         "latency, tokens and cost.",
             defaults={"unit": "short", "decimals": 1, "thresholds": BETTER}),
        stat("p-value of the deciding metric", "experiments/significance", width=4, by="none",
             defaults=dict(P_VALUE)),
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
              overrides=[field("code", custom__width=170), field("p", **P_VALUE),
                         field("at most", **P_VALUE)]),
        table("Every metric", "experiments/metrics", height=9,
              description=f"Means over the tasks that both arms have. improvement, from, to "
                          f"({INTERVAL}) and margin: percentage points of scores and success, "
                          "per cent saved of latency, tokens and cost; + is better. A metric in a "
                          "unit of its own, or whose better side nobody declared, changed by so "
                          "much, candidate less baseline.",
              overrides=[
                  *(field(name, decimals=1)
                    for name in ("improvement", "from", "to")),
                  words("say", COMPARED), words("which says", COMPARED),
                  words("why no say", COMPARED),
                  field("p", **P_VALUE),
                  field("notes", custom__width=260),
              ]),
        table("Segments, by $metric", "experiments/segments", height=9,
              description="The same comparison, and the same verdict, within each agent, "
                          "category and split.",
              overrides=[field("p (BH)", **P_VALUE), words("which says", COMPARED),
                         words("verdict on the segment"),
                         *(field(name, decimals=1)
                           for name in ("improvement", "from", "to"))]),
    ]  # fmt: skip


def _arms() -> list[Json]:
    share = {"unit": "percentunit", "decimals": 3, "min": 0, "max": 1}
    shares = (
        "ended well", "from", "to", "pass@k", "pass@k from", "pass@k to", "pass^k", "pass^k from",
        "pass^k to",
    )  # fmt: skip
    dollars = {"unit": "currencyUSD", "decimals": 5}
    return [
        table("How reliable both arms are", "experiments/reliability", height=5,
              description="ended well: the share of a task's runs, over tasks. pass@k: at least "
                          "one of k runs passes; pass^k: all of them do; over tasks with k runs, "
                          "k being the var pass_k. from, to: Wilson's 95 % interval.",
              overrides=[field(name, **share) for name in shares]),
        panel("barchart", "Ended well, pass@k and pass^k", "experiments/reliability_bars",
              width=12, height=8,
              options={"xField": "arm", "orientation": "auto", "showValue": "always",
                       "stacking": "none", "groupWidth": 0.7, "barWidth": 0.9, "barRadius": 0,
                       "xTickLabelRotation": 0, "xTickLabelSpacing": 0, "xTickLabelMaxLength": 60,
                       "fullHighlight": False, **legend()},
              defaults={**share, "custom": {"lineWidth": 1, "fillOpacity": 80}}),
        table("What the runs of both arms cost", "experiments/spent", width=12, height=8,
              description="A run whose cost is not known adds nothing; with a cost says how many "
                          "do.",
              overrides=[field("spent", unit="currencyUSD", decimals=2),
                         field("a run", **dollars)]),
    ]  # fmt: skip


def _drill_down() -> list[Json]:
    return [
        table("Tasks, the worst losses first", "experiments/tasks", height=12,
              description="At most 500; `evalmart serve` and `evalmart compare` have them all.",
              links=[link("Every task", served("/tasks", **_CANDIDATE)),
                     link("Those that flipped", served("/tasks", **_CANDIDATE, show="flipped"))],
              overrides=[
                  field("task", custom__width=320, links=[
                      link("Runs of this task", board(EXPERIMENTS, **_CANDIDATE, task=CELL)),
                      link("What was asked and answered",
                           served("/task", **_CANDIDATE, task=CELL)),
                  ]),
                  words("winner"),
                  field("better by", decimals=3, thresholds=BETTER,
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
        table("What the gate decided", "experiments/gate_decisions", height=7, width=12,
              description="Looking again and again until it is green is visible here.",
              links=[link("Every decision, and decided again today",
                          served("/decisions", experiment=chosen("experiment")))],
              overrides=[words("verdict")]),
        table("Experiments without a second arm", "experiments/without_pairs", height=7, width=12,
              description="They have no verdict; a baseline is named in a record, by `evalmart "
                          "baseline`, or is an arm of the same experiment.",
              overrides=[field("experiment", custom__width=260, links=[
                  link("Open in full", served("/experiment", id=CELL))])]),
    ]  # fmt: skip
