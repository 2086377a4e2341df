"""The same experiment has the same numbers on the page, in Grafana, Prometheus and the terminal.

The rows of the marts are what every place is held against: each metric, task, segment,
version and agent of the sample; nothing is picked by hand.
"""

from __future__ import annotations

import html
import operator
from collections import defaultdict
from math import isclose
from typing import TYPE_CHECKING, Any

import pytest

from loader.show import wording
from loader.show.render import named_p
from loader.sources.sample import EXPERIMENT_ID
from places import (
    Places,
    dashboard_decimals,
    dashboard_words,
)
from shown_numbers import (
    DECIMALS,
    Page,
    change,
    keyed,
    markdown_table,
    plain_table,
    same,
    shows,
    shows_interval,
    shows_probability,
)

if TYPE_CHECKING:
    from places import Values

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
Row = dict[str, Any]
RATIOS = {"latency", "tokens", "cost"}


@pytest.fixture(scope="module")
def page(warehouse: Places) -> Page:
    return warehouse.page("--experiment", EXPERIMENT_ID)


@pytest.fixture(scope="module")
def summary(warehouse: Places) -> Row:
    (row,) = warehouse.rows(
        "select * from evals.experiment_summaries where experiment_id = %s", EXPERIMENT_ID
    )
    return row


@pytest.fixture(scope="module")
def comparisons(warehouse: Places) -> dict[str, Row]:
    rows = warehouse.rows(
        "select * from evals.experiment_metric_comparisons where experiment_id = %s", EXPERIMENT_ID
    )
    assert len(rows) > 6
    return {row["metric"]: row for row in rows}


@pytest.fixture(scope="module")
def chosen(warehouse: Places, summary: Row) -> Values:
    """Give the variables of the dashboard of the experiment."""
    agents = warehouse.rows(
        "select distinct coalesce(agent_name, 'unknown') as agent"
        " from evals.evaluation_comparison_view where experiment_id = %s",
        EXPERIMENT_ID,
    )
    return {
        "experiment": EXPERIMENT_ID,
        "group": summary["candidate_group"],
        "version": summary["candidate_version"],
        "metric": summary["primary_metric"],
        "agent": [row["agent"] for row in agents],
    }


def test_every_place_has_the_same_verdict_and_counts(
    warehouse: Places, page: Page, summary: Row, chosen: Values
) -> None:
    told = warehouse.program("summary", "--experiment", EXPERIMENT_ID)
    (listed,) = (
        row for row in warehouse.program("experiments") if row["experiment_id"] == EXPERIMENT_ID
    )
    for name in (
        "set_aside", "category_counts", "pairwise_preferences", "summary_scores",
        "experiment_task_comparisons",
    ):  # fmt: skip
        assert told[0].pop(name) == []
    assert {row["metric"] for row in told[0].pop("judge_sensitivity")} == {chosen["metric"]}
    curves = warehouse.rows("select * from evals.pass_curves where experiment_id = %s",
                            EXPERIMENT_ID)  # fmt: skip
    place = operator.itemgetter("k", "experiment_group")
    assert sorted(told[0].pop("pass_curves"), key=place) == sorted(curves, key=place) != []
    for (row,) in (told, [listed]):
        assert set(row) == set(summary)
        for name, value in summary.items():
            if isinstance(value, int | float | str | list):
                assert row[name] == value, name
    counts = (
        ("tasks of both arms", "tasks", "total_tasks"),
        ("won", "won", "candidate_wins"),
        ("lost", "lost", "baseline_wins"),
        ("tied", None, "ties"),
    )
    (stat,) = warehouse.panel("experiments", "Tasks", chosen)
    (all_of,) = (
        row
        for row in warehouse.panel("experiments", "All experiments, the latest first", chosen)
        if row["experiment"] == EXPERIMENT_ID
    )
    text = warehouse.run("summary", "--experiment", EXPERIMENT_ID)
    for of_stat, column, name in counts:
        assert stat[of_stat] == summary[name]
        assert column is None or all_of[column] == summary[name]
    told_counts = (
        f"the candidate won {summary['candidate_wins']}, lost {summary['baseline_wins']} and tied"
        f" {summary['ties']} of the {summary['total_tasks']} tasks"
    )
    assert told_counts in text
    assert told_counts in page.text
    (verdict,) = warehouse.panel("experiments", "Verdict", chosen)
    word = summary["recommendation"]
    assert verdict["recommendation"] == all_of["verdict"] == word
    assert f"Recommendation: {word.replace('_', ' ')}" in text
    assert f"</span> {word.replace('_', ' ').capitalize()}" in page.text
    exposed = warehouse.exposed()
    arm = {
        "experiment": EXPERIMENT_ID, "group": chosen["group"], "version": chosen["version"],
    }  # fmt: skip
    for name in ("deploy", "needs_review", "reject"):
        key = frozenset({**arm, "verdict": name}.items())
        assert exposed["eval_verdict", key] == (name == word)


def test_the_first_lines_say_what_both_arms_are(
    warehouse: Places, page: Page, summary: Row
) -> None:
    arms = warehouse.rows(
        "select experiment_group, extension_version, count(*) as tasks,"
        " sum(repetitions) as runs, array_agg(distinct model_version) as models,"
        " array_agg(distinct dataset_version) as datasets"
        " from evals.evaluation_results where experiment_id = %s group by 1, 2",
        EXPERIMENT_ID,
    )
    assert len(arms) == 2
    for row in arms:
        is_candidate = row["experiment_group"] == summary["candidate_group"]
        ((model,), (dataset,)) = row["models"], row["datasets"]
        runs, left = divmod(row["runs"], row["tasks"])
        assert left == 0
        assert (
            f"<strong>{'candidate' if is_candidate else 'baseline'}</strong>"
            f" <bdi>{row['experiment_group']} {row['extension_version']}</bdi> · "
            f"<bdi>model {model} · {row['tasks']:,} tasks, {runs} runs each · "
            f"dataset {dataset}</bdi>"
        ) in page.text


def test_every_place_opens_with_the_same_sentence_and_has_the_same_reasons_in_order(
    warehouse: Places, page: Page, summary: Row, chosen: Values
) -> None:
    headline = summary["headline"]
    sentences = [reason["sentence"] for reason in summary["recommendation_reasons"]]
    assert headline
    assert sentences
    (verdict,) = warehouse.panel("experiments", "Verdict", chosen)
    assert verdict["headline"] == headline
    (all_of,) = (
        row
        for row in warehouse.panel("experiments", "All experiments, the latest first", chosen)
        if row["experiment"] == EXPERIMENT_ID
    )
    assert all_of["in one sentence"] == headline
    reasons = warehouse.panel("experiments", "What the verdict rests on", chosen)
    assert [row["what the verdict rests on"] for row in reasons] == sentences
    assert [row["p"] for row in reasons] == [
        reason.get("p") for reason in summary["recommendation_reasons"]
    ]
    markdown = ("--experiment", EXPERIMENT_ID, "--format", "markdown")
    places = {
        "page": page.text,
        "markdown report": warehouse.run("report", "--experiment", EXPERIMENT_ID, "-o", "-"),
        "summary": warehouse.run("summary", "--experiment", EXPERIMENT_ID),
        "markdown summary": warehouse.run("summary", *markdown),
        "compare": warehouse.run("compare", "--experiment", EXPERIMENT_ID),
        "experiments": warehouse.run("experiments"),
        "agent": warehouse.run("report", "--agent", chosen["agent"][0], "-o", "-"),
    }  # fmt: skip
    for name, text in places.items():
        told = html.unescape(text).replace("\\", "")
        assert headline in told, name
        place = told.index(headline)
        if name not in {"experiments", "agent"}:
            for sentence in sentences:
                place = told.index(sentence, place + 1)
    gate = warehouse.verdict("--experiment", EXPERIMENT_ID).replace("\\", "")
    assert headline in gate
    assert all(sentence in gate for sentence in sentences)


def test_every_place_has_the_same_improvement_and_p(
    warehouse: Places, page: Page, summary: Row, comparisons: dict[str, Row], chosen: Values
) -> None:
    metric = summary["primary_metric"]
    deciding = comparisons[metric]
    names = ("improvement_low_pct", "improvement_pct", "improvement_high_pct")
    ends = [summary[name] for name in names]
    assert ends == [deciding[name] for name in names]
    title = "Improvement of the deciding metric, with its 95 % interval"
    (stat,) = warehouse.panel("experiments", title, chosen)
    assert [stat[name] for name in ("from", "improvement", "to")] == ends
    assert shows(page.facts["What got better"], ends[1], 1)
    assert f"{metric}, " in page.facts["What got better"]
    value, _, about = page.facts["How sure"].partition(" points ")
    assert shows_interval(value, (ends[0], ends[2]), 1)
    labels = {
        "experiment": EXPERIMENT_ID, "group": chosen["group"], "version": chosen["version"],
        "metric": metric,
    }  # fmt: skip
    assert warehouse.exposed()["eval_improvement", frozenset(labels.items())] == ends[1]
    p_value = summary["statistical_significance"]
    (significance,) = warehouse.panel("experiments", "p-value of the deciding metric", chosen)
    assert significance["p-value"] == p_value
    assert deciding["p_value"] == p_value
    pairs = f"{deciding['n_pairs']:,} pairs of tasks"
    assert about == f"95 % interval of {metric}, {named_p(p_value)}, {pairs}"
    # what the panels are set to round to is what the page rounds to
    decimals = dashboard_decimals("experiments")
    assert decimals[title] == 1
    assert decimals["p-value of the deciding metric"] == 4


def test_every_place_has_the_same_numbers_of_every_metric(
    warehouse: Places, page: Page, summary: Row, comparisons: dict[str, Row], chosen: Values
) -> None:
    shown = keyed(page.table("Candidate against baseline"), "metric")
    panel = {row["metric"]: row for row in warehouse.panel("experiments", "Every metric", chosen)}
    printed = {
        command: keyed(
            plain_table(warehouse.run(command, "--experiment", EXPERIMENT_ID).splitlines()),
            "metric",
        )
        for command in ("summary", "compare")
    }
    assert shown.keys() == panel.keys() == comparisons.keys()
    assert list(shown) == list(panel) == list(printed["summary"])
    assert printed["summary"] == printed["compare"]
    for metric, row in comparisons.items():
        on_page, in_grafana, printed_row = shown[metric], panel[metric], printed["compare"][metric]
        for name, column in (
            ("pairs", "n_pairs"), ("baseline", "baseline_mean"), ("candidate", "candidate_mean"),
            ("improvement", "improvement_pct"), ("from", "improvement_low_pct"),
            ("to", "improvement_high_pct"), ("margin", "margin_pct"), ("p", "p_value"),
        ):  # fmt: skip
            assert same(in_grafana[name], row[column]), (metric, name)
        assert shows(on_page["pairs"], row["n_pairs"], 0)
        assert shows(printed_row["pairs"], row["n_pairs"], 0)
        arms = [row["baseline_mean"], row["candidate_mean"]]
        means = zip(printed_row["baseline → candidate"].split(" → "), arms, strict=True)
        assert all(shows(text, mean, DECIMALS[row["kind"]]) for text, mean in means), metric
        for arm, mean in zip(("baseline", "candidate"), arms, strict=True):
            assert shows(on_page[arm], mean, DECIMALS[row["kind"]]), metric
            assert summary.get(f"{arm}_{metric}", mean) == mean
        ends = (row["improvement_low_pct"], row["improvement_high_pct"])
        for place in (on_page, printed_row):
            assert shows(place["improvement"], row["improvement_pct"], 1), metric
            assert shows_interval(place["95 % interval"], ends, 1), metric
            assert place["margin"].split()[0] == f"{row['margin_pct']:.3g}"
        assert shows_probability(on_page["p"], row["p_value"]), metric
        # one estimand: the improvement is that of the ratio, or of the difference
        if row["kind"] in RATIOS and row["ratio"] is not None:
            assert isclose(row["improvement_pct"], -change(row["ratio"]), rel_tol=1e-9)
        elif row["kind"] not in RATIOS:
            turned = -100 if row["direction"] == "lower" else 100
            assert isclose(row["improvement_pct"], turned * row["mean_difference"], abs_tol=1e-9)


def test_every_place_says_the_same_of_who_has_a_say_and_what_each_metric_shows(
    warehouse: Places, page: Page, summary: Row, comparisons: dict[str, Row], chosen: Values
) -> None:
    title = "Candidate against baseline"
    shown = keyed(page.table(title), "metric")
    markdown = keyed(
        markdown_table(warehouse.run("report", "--experiment", EXPERIMENT_ID, "-o", "-")), "metric"
    )
    printed = keyed(
        plain_table(warehouse.run("summary", "--experiment", EXPERIMENT_ID).splitlines()), "metric"
    )
    panel = {row["metric"]: row for row in warehouse.panel("experiments", "Every metric", chosen)}
    words = dashboard_words("experiments", "Every metric")
    listed = {row["metric"]: row for row in warehouse.program(
        "catalog", "--experiment", EXPERIMENT_ID
    )}  # fmt: skip
    exposed = {
        (labels["metric"], labels["role"], labels["finding"])
        for (name, key), value in warehouse.exposed().items()
        if name == "eval_finding" and value == 1
        for labels in [dict(key)]
        if (labels["experiment"], labels["version"]) == (EXPERIMENT_ID, chosen["version"])
    }
    assert exposed == {(row["metric"], row["role"], row["finding"]) for row in comparisons.values()}
    assert listed.keys() == comparisons.keys() == markdown.keys()
    deciding = [row["metric"] for row in comparisons.values() if row["role"] == "deciding"]
    assert deciding == [summary["primary_metric"]]
    for metric, row in comparisons.items():
        said, found = wording.say(row), wording.finding(row)
        for place in (shown, printed, markdown):
            assert place[metric]["say"] == said, metric
            assert place[metric]["which says"] == found, metric
        in_grafana = panel[metric]
        assert words["say", in_grafana["say"]] == said.partition(":")[0]
        assert found.startswith(words["which says", in_grafana["which says"]])
        if row["role_note"] is not None:
            assert words["why no say", in_grafana["why no say"]] == said.partition(": ")[2]
        assert listed[metric]["roles"] == {row["role"]: 1}


def test_the_forest_of_the_page_has_the_numbers_of_the_marts(
    page: Page, summary: Row, comparisons: dict[str, Row]
) -> None:
    plots = {
        has_say: keyed(page.table(title), "metric")
        for has_say, title in ((True, "Every metric that has a say"), (False, "Metrics that have"))
    }
    assert set(plots[True]) == {name for name, row in comparisons.items() if row["role"] != "none"}
    assert plots[True].keys() | plots[False].keys() == comparisons.keys()
    assert next(iter(plots[True])) == summary["primary_metric"]
    for metric, row in comparisons.items():
        shown = plots[row["role"] != "none"][metric]
        ends = (row["improvement_low_pct"], row["improvement_high_pct"])
        assert shows(shown["improvement"], row["improvement_pct"], 1), metric
        assert shows_interval(shown["95 % interval"], ends, 1), metric
        assert shown["which says"] == wording.finding(row)
        assert shown["say"].startswith(wording.say(row))
        if row["margin_pct"] is not None:
            assert f"margin {row['margin_pct']:.3g} " in shown["say"]


def test_the_forest_in_grafana_has_the_numbers_of_the_marts(
    warehouse: Places, comparisons: dict[str, Row], chosen: Values
) -> None:
    title = "Improvement of each metric, with its 95 % interval"
    lines: dict[str, list[float]] = defaultdict(list)
    for point in warehouse.panel("experiments", title, chosen):
        lines[point["metric"]].append(point["improvement"])
    del lines["no change"]
    names = ("improvement_low_pct", "improvement_pct", "improvement_high_pct")
    expected = {
        metric: [row[name] for name in names if row[name] is not None]
        for metric, row in comparisons.items()
        if row["improvement_pct"] is not None
    }
    assert lines.keys() == expected.keys()
    for metric, values in expected.items():
        assert all(same(*pair) for pair in zip(lines[metric], values, strict=True)), metric


def test_every_place_has_the_same_segments(
    warehouse: Places, page: Page, summary: Row, chosen: Values
) -> None:
    rows = warehouse.rows(
        "select * from evals.experiment_segment_comparisons where experiment_id = %s"
        " and metric = %s",
        EXPERIMENT_ID, summary["primary_metric"],
    )  # fmt: skip
    assert len(rows) > 2
    title = "Segments, by $metric"
    panel = {(row["by"], row["segment"]): row for row in warehouse.panel(
        "experiments", title, chosen
    )}  # fmt: skip
    shown = keyed(page.table(f"{summary['primary_metric']} by segment"), "segment")
    plot = keyed(page.table(f"Segments by {summary['primary_metric']}"), "segment")
    assert len(panel) == len(shown) == len(plot) == len(rows)
    verdicts = {
        (row["segment_kind"], row["segment"]): row
        for row in warehouse.rows(
            "select * from evals.experiment_segment_verdicts where experiment_id = %s",
            EXPERIMENT_ID,
        )
    }
    for row in rows:
        on_page = shown[f"{row['segment_kind']}: {row['segment']}"]
        in_grafana = panel[row["segment_kind"], row["segment"]]
        for name, column in (
            ("pairs", "n_pairs"), ("improvement", "improvement_pct"),
            ("from", "improvement_low_pct"), ("to", "improvement_high_pct"),
            ("p (BH)", "p_value_bh"), ("won", "wins"), ("lost", "losses"),
        ):  # fmt: skip
            assert same(in_grafana[name], row[column]), (row["segment"], name)
        judged = verdicts[row["segment_kind"], row["segment"]]
        assert in_grafana["verdict on the segment"] == judged["recommendation"]
        assert in_grafana["proven worse"] == judged["is_proven_worse"]
        assert in_grafana["which says"] == row["finding"]
        assert on_page["which says"] == wording.finding(row)
        ends = (row["improvement_low_pct"], row["improvement_high_pct"])
        assert shows(on_page["pairs"], row["n_pairs"], 0)
        assert shows(on_page["improvement"], row["improvement_pct"], 1)
        assert shows_interval(on_page["95 % interval"], ends, 1)
        assert shows_probability(on_page["p"], row["p_value"])
        assert shows_probability(on_page["p (BH)"], row["p_value_bh"])
        in_plot = plot[f"{row['segment_kind']}: {row['segment']}"]
        assert all(in_plot[name] == on_page[name] for name in ("improvement", "95 % interval"))


def test_every_place_has_the_same_tasks(
    warehouse: Places, page: Page, summary: Row, chosen: Values
) -> None:
    rows = warehouse.rows(
        "select * from evals.evaluation_comparison_view where experiment_id = %s", EXPERIMENT_ID
    )
    assert len(rows) > 50
    told = {row["task_id"]: row for row in warehouse.program(
        "compare", "--experiment", EXPERIMENT_ID
    )}  # fmt: skip
    tasks = "Tasks, the worst losses first"
    panel = {row["task"]: row for row in warehouse.panel("experiments", tasks, chosen)}
    shown = keyed(page.table(f"Every task by {summary['primary_metric']}"), "task")
    for row in rows:
        task = row["task_id"]
        for name in ("winner", "primary_difference", "baseline_latency_ms", "candidate_cost_usd"):
            assert told[task][name] == row[name], task
        values = [row[f"{arm}_primary_value"] for arm in ("baseline", "candidate")]
        difference = row["primary_difference"]
        in_grafana, on_page = panel[task], shown[task]
        assert [in_grafana[name] for name in ("baseline", "candidate", "better by")] == [
            *values, difference,
        ]  # fmt: skip
        assert in_grafana["time saved %"] == row["latency_reduction_pct"]
        assert in_grafana["cost saved %"] == row["cost_reduction_pct"]
        for arm, value in zip(("baseline", "candidate"), values, strict=True):
            assert shows(on_page[arm], value, 3), task
        assert shows(on_page["difference"], None if difference is None else 100 * difference, 1)
    won = {winner: sum(row["winner"] == winner for row in rows) for winner in ("candidate", "tie")}
    assert won == {"candidate": summary["candidate_wins"], "tie": summary["ties"]}
