"""Judges of 1 to 5 and 0 to 10, and keys that nobody declared: what the marts make of them."""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

import servers
from gate_calls import answer
from ingest_support import record
from loader.cli import cli
from loader.ingest.load import load
from loader.records.vocabulary import Scale, Vocabulary
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

GROUPS = frozenset({"baseline", "code-chef"})
PLAIN = Vocabulary(GROUPS, {"accuracy": Scale("accuracy", 0, 1)}, frozenset({"accuracy"}))
TASKS = 30
# a judge's score of a task from 1 to 5, the candidate's one better where it can be
JUDGED = {
    group: [min(5, 1 + task % 5 + better) for task in range(TASKS)]
    for group, better in (("baseline", 0), ("code-chef", 1))
}


def runs(experiment: str, scores: dict[str, Sequence[object]], **more: object) -> list[Any]:
    """Make a run of each task in both arms, the judge's key first in `scores`."""
    return [
        record(
            experiment_id=experiment,
            experiment_group=group,
            task_id=f"t{task:02}",
            agent_name="a",
            scores={"helpfulness": values[task], "accuracy": task % 2},
            **more,
        )
        for group, values in scores.items()
        for task in range(TASKS)
    ]


def on(low: float, high: float) -> dict[str, Sequence[object]]:
    """Return the judge's scores as another scale would have them."""
    return {
        group: [low + (high - low) * (score - 1) / 4 for score in scores]
        for group, scores in JUDGED.items()
    }


def repeated(experiment: str) -> list[Any]:
    """Make five runs of 20 tasks that name no repetition; 4 of 5 pass, the candidate's 1."""
    return [
        record(
            experiment_id=experiment,
            experiment_group=group,
            task_id=f"t{task}",
            scores={"accuracy": passes[number]},
            latency_ms=1000 + number,
        )
        for group, passes in (("baseline", [1, 1, 1, 1, 0]), ("code-chef", [0, 0, 0, 0, 1]))
        for number in range(5)
        for task in range(20)
    ]


def take(url: str, records: list[Any], vocabulary: Vocabulary) -> None:
    with connect(url) as connection:
        assert load(connection, MemorySource(records), vocabulary).rejected == 0


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    seeded = Vocabulary(GROUPS, {**PLAIN.scales, "helpfulness": Scale("helpfulness", 1, 5)})
    with servers.migrated(postgres_server) as url:
        take(url, runs("seed", JUDGED), seeded)
        take(url, runs("option", JUDGED), PLAIN.with_options({"helpfulness": (1, 5)}, ()))
        ten = {"score_scales": {"helpfulness": [0, 10]}}
        take(url, runs("record", on(0, 10), **ten), PLAIN)
        take(url, runs("percent", on(0, 100)), PLAIN.with_options({"helpfulness": (0, 100)}, ()))
        take(url, runs("fraction", on(0, 1)), PLAIN)
        take(url, runs("nobody", JUDGED), PLAIN)
        take(url, runs("turns", JUDGED), PLAIN.with_options({}, {"helpfulness"}))
        off = {**JUDGED, "baseline": [9, *JUDGED["baseline"][1:]]}
        off_records = runs("off", off)
        off_records[1]["cost_usd"] = -2
        take(url, off_records, seeded)
        take(url, repeated("reps"), PLAIN)
        dbt.build(url)
        yield url


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode(), values).fetchall()


COMPARED = (
    "select metric, round(baseline_mean::numeric, 9), round(candidate_mean::numeric, 9), "
    "round(ci_low::numeric, 9), round(p_value::numeric, 9), n_pairs "
    "from evals.experiment_metric_comparisons where experiment_id = %s order by metric"
)


def test_whoever_declares_a_scale_the_marts_are_the_same(url: str) -> None:
    expected = rows(url, COMPARED, "fraction")
    judged = next(row for row in expected if row[0] == "helpfulness")
    mean = {group: sum(scores) / TASKS for group, scores in JUDGED.items()}
    assert float(judged[1]) == pytest.approx((mean["baseline"] - 1) / 4)
    assert float(judged[2]) == pytest.approx((mean["code-chef"] - 1) / 4)
    assert judged[5] == TASKS
    for experiment in ("seed", "option", "record", "percent"):
        assert rows(url, COMPARED, experiment) == expected, experiment


def test_runs_that_name_no_repetition_are_all_there(url: str) -> None:
    [(pairs, baseline, candidate)] = rows(
        url,
        "select n_pairs, round(baseline_mean::numeric, 9), round(candidate_mean::numeric, 9) "
        "from evals.experiment_metric_comparisons "
        "where experiment_id = 'reps' and metric = 'accuracy'",
    )
    assert (pairs, float(baseline), float(candidate)) == (20, 0.8, 0.2)
    assert rows(
        url,
        "select distinct recommendation from evals.experiment_summaries "
        "where experiment_id = 'reps'",
    ) == [("reject",)]
    numbered = rows(
        url,
        "select distinct repetition, trial_number, latency_ms from evals.evaluation_trials "
        "where experiment_id = 'reps' order by 1",
    )
    assert numbered == [(number, number, 999 + number) for number in range(1, 6)]


def test_of_a_key_that_nobody_declared_no_value_counts(url: str) -> None:
    assert [row[0] for row in rows(url, COMPARED, "nobody")] == ["accuracy"]
    assert rows(
        url,
        "select experiment_group, field, evaluator_key, reason, runs, lowest, highest "
        "from evals.set_aside_scores where experiment_id = 'nobody' order by 1",
    ) == [
        ("baseline", "scores.helpfulness", "helpfulness", "undeclared_scale", TASKS, 1, 5),
        ("code-chef", "scores.helpfulness", "helpfulness", "undeclared_scale", TASKS, 2, 5),
    ]
    [(scores,)] = rows(
        url,
        "select count(*) from evals.evaluation_scores "
        "where experiment_id = 'nobody' and metric = 'helpfulness'",
    )
    assert scores == 0


def test_the_history_of_scores_has_none_of_them_either(url: str) -> None:
    found = rows(
        url,
        "select experiment_id, count(*), max(value) from evals.score_history "
        "where metric = 'helpfulness' group by 1 order by 1",
    )
    assert ("seed", 2 * TASKS, 1) in found
    assert "nobody" not in {row[0] for row in found}


def test_a_measurement_keeps_its_unit(url: str) -> None:
    [measured] = [row for row in rows(url, COMPARED, "turns") if row[0] == "helpfulness"]
    assert float(measured[1]) == pytest.approx(sum(JUDGED["baseline"]) / TASKS)


def test_one_value_off_its_scale_costs_one_value(url: str) -> None:
    pairs = {row[0]: row[5] for row in rows(url, COMPARED, "off")}
    assert (pairs["helpfulness"], pairs["accuracy"]) == (TASKS - 1, TASKS)
    found = rows(
        url,
        "select field, reason, runs, lowest from evals.set_aside_scores "
        "where experiment_id = 'off' order by 1",
    )
    assert found == [("cost_usd", "negative", 1, -2), ("scores.helpfulness", "off_scale", 1, 9)]
    [(ledger,)] = rows(
        url,
        "select values_set_aside from evals.load_history where experiment_id = 'off'",
    )
    assert ledger == 2


def test_nothing_else_is_set_aside(url: str) -> None:
    found = rows(url, "select distinct experiment_id from evals.set_aside_scores order by 1")
    assert found == [("nobody",), ("off",)]


def run(url: str, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    assert result.exit_code in (0, 1, 5), result.output
    return result


SENTENCE = (
    "helpfulness lies between 1 and 5 in 60 runs: declare its scale "
    "(evalmart ingest --scale helpfulness=1:5"
)


@pytest.mark.parametrize(
    "command",
    [
        ("summary", "--experiment", "nobody"),
        ("compare", "--experiment", "nobody"),
        ("compare", "--experiment", "nobody", "--format", "markdown"),
        ("summary", "--experiment", "nobody", "--format", "markdown"),
        ("gate", "--experiment", "nobody"),
        ("gate", "--experiment", "nobody", "--format", "markdown"),
        ("report", "--experiment", "nobody", "-o", "page.html"),
        ("report", "--experiment", "nobody", "-o", "page.md"),
    ],
    ids=" ".join,
)
def test_every_page_says_what_does_not_count(
    url: str, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for experiment, is_said in (("nobody", True), ("seed", False)):
        told = run(url, *(experiment if part == "nobody" else part for part in command)).output
        if command[0] == "report":
            told = (tmp_path / command[-1]).read_text(encoding="utf-8")
        words = " ".join(html.unescape(told).replace("\\", "").split())
        assert (SENTENCE in words) is is_said, told


def test_programs_are_told_too(url: str) -> None:
    (found,) = json.loads(run(url, "summary", "--experiment", "nobody", "--format", "json").stdout)
    [aside] = found["set_aside"]
    assert aside["sentence"].startswith(SENTENCE)
    assert (aside["field"], aside["runs"], aside["low"], aside["high"]) == (
        "scores.helpfulness", 60, 1, 5,
    )  # fmt: skip
    (sound,) = json.loads(run(url, "summary", "--experiment", "seed", "--format", "json").stdout)
    assert sound["set_aside"] == []
    with connect(url) as connection:
        told = answer(connection, "--experiment", "nobody")
    assert [warning for warning in told["warnings"] if warning.startswith(SENTENCE)]
    assert told["evidence"]["set_aside"][0]["field"] == "scores.helpfulness"


def test_a_policy_that_asks_for_an_undeclared_metric_gets_no_pass(url: str) -> None:
    with connect(url) as connection:
        told = answer(
            connection,
            "--experiment",
            "nobody",
            policy="require: non_inferiority\nmetrics: {helpfulness: {margin: 0.05}}",
        )
    assert told["verdict"] == "inconclusive"


def means(url: str) -> dict[str, float | None]:
    found = rows(
        url,
        "select experiment_id, avg(value) from evals.evaluation_scores "
        "where metric = 'helpfulness' group by 1",
    )
    return {name: None if mean is None else round(float(mean), 6) for name, mean in found}


def test_a_seed_that_changes_breaks_no_build_and_no_experiment_of_before(
    database_url: str, tmp_path: Path
) -> None:
    """Runs keep the scale they were loaded with; only those of before 0.2 are on the seed's."""
    project = tmp_path / "project"
    left_out = shutil.ignore_patterns(".*", "loader", "docs", "target", "logs", "benchmarks")
    shutil.copytree(servers.REPOSITORY, project, ignore=left_out)
    seed = project / "seeds" / "evaluator_metrics.csv"
    without = seed.read_text(encoding="utf-8")
    fraction = [(score - 1) / 4 for scores in JUDGED.values() for score in scores]
    mean = round(sum(fraction) / len(fraction), 6)
    tens = [min(1, score / 10) for scores in JUDGED.values() for score in scores]
    expected = {"new": mean, "ten": mean, "nobody": None}
    for scale, old, is_declared in (
        ("1,5", mean, True),
        ("0,10", round(sum(tens) / len(tens), 6), True),
        ("7,8", None, True),
        (None, None, False),
    ):
        row = f"helpfulness,helpfulness,{scale}\n" if is_declared else ""
        seed.write_text(without + row, encoding="utf-8")
        if scale == "1,5":
            seeded = read_vocabulary(project / "seeds")
            take(database_url, runs("new", JUDGED), seeded)
            take(
                database_url,
                runs("ten", on(0, 10), score_scales={"helpfulness": [0, 10]}),
                seeded,
            )
            take(database_url, runs("old", JUDGED), seeded)
            take(database_url, runs("nobody", JUDGED), PLAIN)
            with connect(database_url) as connection:
                connection.execute(
                    "update raw_evals.evaluation_runs set score_scales = null "
                    "where experiment_id = 'old'"
                )
        build(database_url, project)
        found = means(database_url)
        assert found.get("old") == old, scale
        assert {name: found.get(name) for name in expected} == expected, scale


def build(url: str, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loader", "build", "--quiet", "--database-url", url],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "EVALMART_PROJECT_DIR": str(project),
            "PYTHONPATH": str(servers.REPOSITORY),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
