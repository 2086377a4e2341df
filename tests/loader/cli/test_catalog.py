"""`catalog`, and what every page says of a metric that nobody declared."""

import csv
import io
import re
from pathlib import Path

import pytest

from loader.warehouse.connection import connect
from reading_sample import (
    Built,
)
from servers import REPOSITORY

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


def test_a_metric_that_nobody_declared_is_told_so_everywhere(built: Built, tmp_path: Path) -> None:
    (row,) = built.json("summary", "--experiment", "unsaid")
    assert row["primary_metric"] == "correct"
    assert "direction_assumed" in [reason["code"] for reason in row["recommendation_reasons"]]
    printed = {
        "summary": built.run("summary", "--experiment", "unsaid").stdout,
        "compare": built.run("compare", "--experiment", "unsaid").stdout,
    }
    for name in ("a.md", "a.html"):
        path = tmp_path / name
        assert built.run("report", "--experiment", "unsaid", "-o", path).exit_code == 0
        printed[name] = path.read_text(encoding="utf-8").replace("\\", "")
    for place, text in printed.items():
        assert "Nobody declared correct: more of it is taken for better." in text, place
        for metric, change in (("hallucination_rate", "+50.0 points"), ("ttft_ms", "+300.000")):
            rows = (
                re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
                if "html" in place
                else text.split("\n")
            )
            line = next(row for row in rows if metric in row and "changed by" in row)
            assert f"changed by {change}" in line, place
            assert "which way is better is not known" in line, place
            assert "more than chance" not in line, place


def test_a_version_whose_better_side_nobody_knows_got_neither_better_nor_worse(
    built: Built,
) -> None:
    with connect(built.url) as connection:
        worse = connection.execute(
            "select metric from evals.version_regressions where agent_name = 'drifter'"
        ).fetchall()
        ((change,),) = connection.execute(
            "select change from evals.version_trends where agent_name = 'drifter'"
            " and metric = 'hallucination_rate' and change is not null"
        ).fetchall()
    assert worse == [("correct",)]
    assert change == pytest.approx(0.3)


def test_the_catalog_lists_every_metric_with_its_say_and_how_to_change_it(built: Built) -> None:
    rows = {row["metric"]: row for row in built.json("catalog", "--experiment", "unsaid")}
    assert set(rows) >= {"correct", "hallucination_rate", "ttft_ms"}
    assert rows["correct"]["direction_source"] == "assumed"
    assert rows["correct"]["roles"] == {"deciding": 1}
    for name in ("hallucination_rate", "ttft_ms"):
        assert rows[name]["direction"] == "unknown"
        assert rows[name]["roles"] == {"none": 1}
        assert rows[name]["role_notes"] == ["direction_unknown"]
    text = built.run("catalog", "--experiment", "unsaid").stdout
    table, _, declare = text.partition("\n\n")
    lines = {line.split()[0]: line for line in table.splitlines()[2:]}
    assert "higher (assumed)" in lines["correct"]
    assert "decides" in lines["correct"]
    assert "no say: which way is better is not known" in lines["hallucination_rate"]
    assert lines["hallucination_rate"].split()[2] == "unknown"
    seed = list(csv.reader(io.StringIO(declare.split("seeds/metrics.csv:\n\n")[1])))
    path = REPOSITORY / "seeds" / "metrics.csv"
    header = next(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    added = {row[0]: dict(zip(header, row, strict=True)) for row in seed}
    assert set(added) == {"correct", "hallucination_rate", "ttft_ms"}
    assert added["hallucination_rate"]["direction"] == "lower"
    assert added["correct"]["direction"] == "higher"
    assert len({row["position"] for row in added.values()} | set("1234567")) == 10


def test_the_catalog_counts_experiments_and_knows_metrics_of_one_arm(built: Built) -> None:
    rows = {row["metric"]: row for row in built.json("catalog")}
    accuracy = rows["accuracy"]
    assert accuracy["is_declared"] is True
    assert (accuracy["direction"], accuracy["direction_source"]) == ("higher", "declared")
    assert accuracy["margin_pct"] == 5
    assert accuracy["scale"] == "0…1"
    assert accuracy["how_to_change"] == "its row in seeds/metrics.csv"
    with connect(built.url) as connection:
        every = connection.execute(
            "select metric from evals.experiment_metric_comparisons"
            " union select metric from evals.evaluation_scores"
        ).fetchall()
    assert set(rows) == {metric for (metric,) in every}
    (alone,) = (row for row in built.json("catalog", "--experiment", "exp-2024-11-001")
                if row["metric"] == "accuracy")  # fmt: skip
    assert alone["direction_source"] == "declared"
