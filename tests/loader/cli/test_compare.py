"""`compare`: task by task."""

import pytest

from loader.marts import questions
from loader.show import wording
from loader.sources.sample import EXPERIMENT_ID
from loader.warehouse.connection import connect
from reading_sample import Built, sample_winners, shown

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


def test_compare_lists_every_task_with_the_winner_losses_first(built: Built) -> None:
    expected = sample_winners(built)
    rows = built.json("compare", "--experiment", EXPERIMENT_ID)
    assert {row["task_id"]: row["winner"] for row in rows} == expected
    differences = [row["primary_difference"] for row in rows]
    known = [value for value in differences if value is not None]
    assert known == sorted(known)
    assert differences[: len(known)] == known
    assert rows[0]["winner"] == "baseline"


def test_compare_takes_one_task_or_a_limit(built: Built) -> None:
    assert len(built.json("compare", "--experiment", EXPERIMENT_ID, "--limit", 7)) == 7
    task = "email-relay/split-god-class"
    (row,) = built.json("compare", "--experiment", EXPERIMENT_ID, "--task", task)
    assert row["task_id"] == task
    assert row["winner"] is None
    assert row["baseline_accuracy"] is None
    assert row["candidate_accuracy"] is not None
    text = built.run("compare", "--experiment", EXPERIMENT_ID, "--task", task).stdout
    lines = {line.split("  ")[1].strip(): line for line in text.splitlines()[2:]}
    assert lines["accuracy"].split()[-2:] == [f"{row['candidate_accuracy']:.3f}", "–"]  # noqa: RUF001
    assert f"{row['baseline_latency_ms']:,.1f} ms" in lines["latency_ms"]
    assert f"{row['latency_reduction_pct']:+.1f} %" in lines["latency_ms"]


def test_compare_shows_people_the_primary_metric(built: Built) -> None:
    text = built.run("compare", "--experiment", EXPERIMENT_ID).stdout
    opening, reasons, metrics, *beside, tasks = text.split("\n\n")
    headings = [part.split(" (")[0] for part in beside[::2]]
    assert headings == [
        "What a bias of its judge between the arms would turn",
        "How often all of k runs of a task pass",
    ]
    (row,) = built.json("summary", "--experiment", EXPERIMENT_ID)
    assert opening.splitlines()[0] == row["headline"]
    assert reasons.splitlines() == [
        f"- {reason['sentence']}" for reason in row["recommendation_reasons"]
    ]
    assert "accuracy: baseline" in tasks.splitlines()[0]
    assert "latency saved (%)" in tasks.splitlines()[0]
    assert len(tasks.splitlines()) == 152
    with connect(built.url) as connection:
        compared = len(questions.metrics(connection, EXPERIMENT_ID).rows)
    assert len(metrics.splitlines()) == 2 + compared, "a line for each metric"


@pytest.mark.parametrize("command", ["summary", "compare"])
def test_every_metric_is_shown_with_its_say_its_interval_and_its_finding(
    built: Built, command: str
) -> None:
    text = built.run(command, "--experiment", EXPERIMENT_ID).stdout
    lines = text.partition("What a bias of its judge")[0].splitlines()
    with connect(built.url) as connection:
        rows = questions.metrics(connection, EXPERIMENT_ID).records()
    assert {"accuracy", "latency_ms", "success"} <= {row["metric"] for row in rows}
    assert rows[0]["role"] == "deciding"
    for row in rows:
        [line] = [line for line in lines if line.startswith(f"{row['metric']} ")]
        assert wording.say(row) in line
        assert wording.finding(row) in line
        unit = "%" if row["kind"] in wording.RATIOS else "points"
        value, low, high = (
            row[f"improvement{end}_pct"] for end in ("", "_low", "_high")
        )  # fmt: skip
        if low is not None:
            assert f"{shown(value)} {unit}" in line
            assert f"{shown(low)} … {shown(high)}" in line


def test_compare_of_an_experiment_without_a_baseline_says_why(built: Built) -> None:
    (row,) = built.json("compare", "--experiment", "alone")
    assert row["is_comparable"] is False
    assert row["not_comparable_reason"] == "no_baseline_result"
    assert "no_baseline_result" in built.run("compare", "--experiment", "alone").stdout
