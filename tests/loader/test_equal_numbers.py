"""The same experiment has the same numbers on the page, in Grafana, Prometheus and the terminal.

The rows of the marts are what every place is held against: each metric, task, segment,
version and agent of the sample; nothing is picked by hand.
"""

from __future__ import annotations

from collections import defaultdict
from math import isclose
from typing import TYPE_CHECKING, Any

import pytest
from places import MEANS, SERIES, TREND, Places, dashboard_decimals, versions_shown
from sample_marts import sample_marts
from shown_numbers import (
    DECIMALS,
    Page,
    Rows,
    change,
    keyed,
    plain_table,
    same,
    scaled,
    shows,
    shows_interval,
    shows_probability,
)

import servers
from loader.sample import EXPERIMENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from places import Values

pytestmark = pytest.mark.newest_server
Row = dict[str, Any]
RATIOS = {"latency", "tokens", "cost"}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    directory = tmp_path_factory.mktemp("sample")
    with servers.embedded() as server, sample_marts(server, directory) as url:
        place = Places(url, tmp_path_factory.mktemp("shown"))
        yield place
        place.connection.close()


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
    for (row,) in (told, [listed]):
        assert set(row) == set(summary)
        for name, value in summary.items():
            if isinstance(value, int | float | str | list):
                assert row[name] == value, name
    counts = (
        ("tasks in both arms", "tasks of both arms", "tasks", "total_tasks"),
        ("won", "won", "won", "candidate_wins"),
        ("lost", "lost", "lost", "baseline_wins"),
        ("tied", "tied", None, "ties"),
    )
    (stat,) = warehouse.panel("experiments", "Tasks", chosen)
    (all_of,) = (
        row
        for row in warehouse.panel("experiments", "All experiments", chosen)
        if row["experiment"] == EXPERIMENT_ID
    )
    text = warehouse.run("summary", "--experiment", EXPERIMENT_ID)
    for fact, of_stat, column, name in counts:
        assert shows(page.facts[fact], summary[name], 0), name
        assert stat[of_stat] == summary[name]
        assert column is None or all_of[column] == summary[name]
    assert (
        f"the candidate won {summary['candidate_wins']}, lost {summary['baseline_wins']} and tied"
        f" {summary['ties']} of the {summary['total_tasks']} tasks"
    ) in text
    (verdict,) = warehouse.panel("experiments", "Verdict", chosen)
    word = summary["recommendation"]
    assert verdict["recommendation"] == all_of["recommendation"] == word
    assert f"Recommendation: {word.replace('_', ' ')}." in text
    assert f"</span> {word.replace('_', ' ').capitalize()}</h2>" in page.text
    sentences = [reason["sentence"] for reason in summary["recommendation_reasons"]]
    reasons = warehouse.panel("experiments", "What the verdict rests on", chosen)
    assert [row["what the verdict rests on"] for row in reasons] == sentences
    assert all(sentence in text for sentence in sentences)
    assert all(sentence.replace("'", "&#39;") in page.text for sentence in sentences)
    exposed = warehouse.exposed()
    arm = {
        "experiment": EXPERIMENT_ID, "group": chosen["group"], "version": chosen["version"],
    }  # fmt: skip
    for name in ("deploy", "needs_review", "reject"):
        key = frozenset({**arm, "verdict": name}.items())
        assert exposed["eval_verdict", key] == (name == word)


def test_every_place_has_the_same_weighted_improvement_and_p(
    warehouse: Places, page: Page, summary: Row, comparisons: dict[str, Row], chosen: Values
) -> None:
    ends = [summary[f"weighted_improvement_{end}pct"] for end in ("low_", "", "high_")]
    (stat,) = warehouse.panel("experiments", "Weighted improvement, with its 95 % interval", chosen)
    assert [stat[name] for name in ("from", "weighted improvement", "to")] == ends
    assert shows(page.facts["weighted improvement"], ends[1], 1)
    assert shows_interval(page.facts["its interval"], (ends[0], ends[2]), 1)
    p_value = summary["statistical_significance"]
    (significance,) = warehouse.panel("experiments", "p-value of the deciding metric", chosen)
    assert significance["p-value"] == p_value
    assert comparisons[summary["primary_metric"]]["p_value"] == p_value
    assert shows_probability(page.facts[f"p of {summary['primary_metric']}"], p_value)
    # what the panels are set to round to is what the page rounds to
    decimals = dashboard_decimals("experiments")
    assert decimals["Weighted improvement, with its 95 % interval"] == 1
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
    assert printed["summary"] == printed["compare"]
    assert printed["summary"].keys() == comparisons.keys()
    for metric, row in comparisons.items():
        on_page, in_grafana, printed_row = shown[metric], panel[metric], printed["compare"][metric]
        for name, column in (
            ("pairs", "n_pairs"), ("baseline", "baseline_mean"), ("candidate", "candidate_mean"),
            ("difference", "mean_difference"), ("from", "ci_low"), ("to", "ci_high"),
            ("accepted loss", "non_inferiority_margin"), ("p", "p_value"),
            ("p (Holm)", "p_value_holm"),
        ):  # fmt: skip
            assert same(in_grafana[name], row[column]), (metric, name)
        for name, column in (("%", "ratio"), ("from", "ratio_low"), ("to", "ratio_high")):
            assert same(in_grafana[f"relative {name}"], change(row[column])), metric
        assert shows(on_page["pairs"], row["n_pairs"], 0)
        assert shows(printed_row["pairs"], row["n_pairs"], 0)
        arms = [row["baseline_mean"], row["candidate_mean"]]
        means = zip(printed_row["baseline → candidate"].split(" → "), arms, strict=True)
        assert all(shows(text, mean, DECIMALS[row["kind"]]) for text, mean in means), metric
        for arm, mean in zip(("baseline", "candidate"), arms, strict=True):
            assert shows(on_page[arm], mean, DECIMALS[row["kind"]]), metric
            assert summary.get(f"{arm}_{metric}", mean) == mean
        (difference, low, high), decimals = scaled(row, "mean_difference", "ci_low", "ci_high")
        assert shows(on_page["difference"], difference, decimals), metric
        assert shows_interval(on_page["95 % interval"], (low, high), decimals), metric
        assert shows_probability(on_page["p"], row["p_value"]), metric
        assert shows_probability(on_page["p (Holm)"], row["p_value_holm"]), metric
        ratio = [change(row[name]) for name in ("ratio", "ratio_low", "ratio_high")]
        if row["kind"] in RATIOS:
            assert shows(on_page["relative"], ratio[0], 1)
            within = on_page["relative"].partition("(")[2].removesuffix(")")
            assert shows_interval(within, (ratio[1], ratio[2]), 1)
            (difference, low, high), decimals = ratio, 1
        assert shows(printed_row["difference"], difference, decimals), metric
        assert shows_interval(printed_row["95 % interval"], (low, high), decimals), metric


def test_the_forest_in_grafana_has_the_numbers_of_the_marts(
    warehouse: Places, comparisons: dict[str, Row], chosen: Values
) -> None:
    title = "Improvement of each metric, with its 95 % interval"
    lines: dict[str, list[float]] = defaultdict(list)
    for point in warehouse.panel("experiments", title, chosen):
        lines[point["metric"]].append(point["improvement"])
    del lines["no change"]
    expected = {}
    for metric, row in comparisons.items():
        if row["kind"] == "score":
            values = [100 * row[name] for name in ("ci_low", "mean_difference", "ci_high")]
        elif row["kind"] in RATIOS:
            ends = [change(row[name]) for name in ("ratio_low", "ratio", "ratio_high")]
            values = [end for end in ends if end is not None]
        else:
            continue
        expected[metric] = [-value if row["direction"] == "lower" else value for value in values]
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
    assert len(panel) == len(shown) == len(rows)
    for row in rows:
        on_page = shown[f"{row['segment_kind']}: {row['segment']}"]
        in_grafana = panel[row["segment_kind"], row["segment"]]
        for name, column in (
            ("pairs", "n_pairs"), ("difference", "mean_difference"), ("from", "ci_low"),
            ("to", "ci_high"), ("p (BH)", "p_value_bh"), ("won", "wins"), ("lost", "losses"),
        ):  # fmt: skip
            assert same(in_grafana[name], row[column]), (row["segment"], name)
        (difference, low, high), decimals = scaled(row, "mean_difference", "ci_low", "ci_high")
        assert shows(on_page["pairs"], row["n_pairs"], 0)
        assert shows(on_page["difference"], difference, decimals)
        assert shows_interval(on_page["95 % interval"], (low, high), decimals)
        assert shows_probability(on_page["p"], row["p_value"])
        assert shows_probability(on_page["p (BH)"], row["p_value_bh"])


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
