"""Which bias of its judge turns a verdict: beyond the number shown it turns, short of it not."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

import servers
from ingest_support import load_records
from loader.cli import cli
from loader.gate.candidates import look
from loader.gate.policy import Policy
from loader.ingest import said
from loader.ingest.annotations import annotate
from loader.marts import questions
from loader.marts.beside import of_candidates
from loader.marts.reading import reading
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loader.show.beside import Record
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

EXPERIMENTS = ("clear", "smooth", "level", "worse", "gappy", "few", "labelled")
LABELLED = 40


def records() -> list[dict[str, Any]]:
    """Return experiments that differ in how much better the candidate is, and how it is scored."""
    rng = random.Random(11)  # noqa: S311  a seeded test
    found = []
    for experiment in EXPERIMENTS:
        tasks = 6 if experiment == "few" else 120
        for task in range(tasks):
            coin, level = rng.random(), rng.gauss(0.6, 0.1)
            for group in ("baseline", "code-chef"):
                own = group == "code-chef"
                value = {
                    "clear": float(coin < (0.75 if own else 0.6)),
                    "labelled": float(coin < (0.75 if own else 0.6)),
                    "smooth": level + rng.gauss(0.04 * own, 0.05),
                    "level": level + rng.gauss(0, 0.05),
                    "worse": level + rng.gauss(-0.09 * own, 0.05),
                    "gappy": level + rng.gauss(0.09 * own, 0.05),
                    "few": level + rng.gauss(0.04 * own, 0.05),
                }[experiment]
                has_score = not (experiment == "gappy" and own and task < 4)
                found.append(
                    {
                        "experiment_id": experiment, "task_id": f"t{task}",
                        "experiment_group": group, "extension_version": "1.0.0",
                        "source_run_id": f"{experiment}-{group}-{task}",
                        "scores": {"accuracy": min(1.0, max(0.0, round(value, 4)))}
                        if has_score else {},
                        "evaluator_versions": {
                            "accuracy": "judge-8" if experiment == "few" else "judge-7"
                        },
                        # a crash is explained: a 0 in the second reading, not a gap
                        "success": has_score,
                    }
                )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    runs = records()
    with servers.migrated(postgres_server) as found:
        load_records(found, runs)
        statements = [
            said.from_options(
                {
                    "experiment": "labelled", "task": run["task_id"], "run": run["source_run_id"],
                    "key": "accuracy", "author": "ana", "reason": "looked",
                    # people see through a third of what the candidate passes
                    "score": str(
                        0.0
                        if run["experiment_group"] == "code-chef" and run["task_id"][-1] in "036"
                        else run["scores"]["accuracy"]
                    ),
                }
            )
            for run in runs
            if run["experiment_id"] == "labelled" and int(run["task_id"][1:]) < LABELLED
        ]  # fmt: skip
        with connect(found) as connection:
            outcome = annotate(
                connection,
                [one._replace(row=row) for row, one in enumerate(statements, 1)],
                read_vocabulary(),
            )
        assert not outcome.faults
        dbt.build(found)
        yield found


def shown(url: str, experiment: str) -> list[Record]:
    with connect(url) as connection, reading(connection):
        summaries = questions.summary(connection, experiment).records()
        [found] = of_candidates(connection, summaries)
    return list(found.sensitivity)


def say(url: str, experiment: str, bias: float) -> str:
    """Return what the rule says if the judge favours the candidate by so much."""
    with connect(url) as connection:
        [(candidate, _)] = look(connection, Policy(version=1), experiment, None, {"accuracy": bias})
    return candidate.summary.recommendation


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_beyond_the_bias_shown_the_verdict_is_what_is_said_and_short_of_it_as_it_was(
    url: str, experiment: str
) -> None:
    rows = shown(url, experiment)
    assert rows
    for row in rows:
        bias = row["turning_bias"]
        if bias is None:
            assert row["turned_recommendation"] is None
            continue
        assert isinstance(bias, float)
        step = 1e-9 if bias > 0 else -1e-9
        assert say(url, experiment, bias + step) == row["turned_recommendation"]
        assert say(url, experiment, bias - step) == row["recommendation"]


@pytest.mark.parametrize("experiment", ["clear", "level", "worse", "few"])
def test_no_smaller_bias_turns_it(url: str, experiment: str) -> None:
    rows = shown(url, experiment)
    turns = [row["turning_bias"] for row in rows if isinstance(row["turning_bias"], float)]
    low = max([bias for bias in turns if bias < 0], default=-1.0)
    high = min([bias for bias in turns if bias > 0], default=1.0)
    for place in range(12):
        bias = low + (high - low) * (place + 0.5) / 12
        assert say(url, experiment, bias) == rows[0]["recommendation"], bias


def test_what_turns_is_of_the_rule(url: str) -> None:
    turned = {
        experiment: {
            (row["recommendation"], row["turned_recommendation"], row["note"])
            for row in shown(url, experiment)
        }
        for experiment in EXPERIMENTS
    }
    assert turned["clear"] == {("deploy", "needs_review", None)}
    assert turned["smooth"] == {("deploy", "needs_review", None)}
    assert turned["gappy"] == {("deploy", "needs_review", None)}
    assert turned["level"] == {
        ("needs_review", "deploy", None), ("needs_review", "reject", None)
    }  # fmt: skip
    assert turned["worse"] == {("reject", "needs_review", None)}
    assert turned["few"] == {("needs_review", None, "no_bias")}


def test_the_gate_replayed_with_it_turns_and_with_less_does_not(url: str) -> None:
    [row] = shown(url, "clear")
    bias = row["turning_bias"]
    assert isinstance(bias, float)
    gated = run("gate", "--experiment", "clear", "--database-url", url)
    assert gated.exit_code == 0, gated.output
    for times, code in ((1.000001, 5), (0.999999, 0)):
        asked = f"accuracy={bias * times!r}"
        replayed = run("replay", "--judge-bias", asked, "--database-url", url)
        assert replayed.exit_code == code, replayed.output


def test_summary_and_reports_show_it_beside_what_labels_tell_of_the_judge(
    url: str, tmp_path: Path
) -> None:
    [row] = shown(url, "labelled")
    bias, judges = row["turning_bias"], row["judges"]
    assert isinstance(bias, float)
    assert isinstance(judges, list)
    [judge] = judges
    assert (judge["judge_version"], judge["n_labels"]) == ("judge-7", 2 * LABELLED)
    assert judge["bias_between_arms"] > bias
    sentence = f"if it favours the candidate by more than {100 * bias:.3g} points"
    favours = f"{100 * judge['bias_between_arms']:+.3g} points"
    [told] = json.loads(summary(url, "json"))
    assert told["judge_sensitivity"] == json.loads(json.dumps([row]))
    pages = [summary(url, "table"), summary(url, "markdown")]
    for suffix in ("html", "md"):
        page = tmp_path / f"report.{suffix}"
        written = run("report", "--experiment", "labelled", "-o", str(page), "--database-url", url)
        assert written.exit_code == 0, written.output
        pages.append(page.read_text(encoding="utf-8"))
    for text in pages:
        assert sentence in text
        assert "judge-7" in text
        assert favours in text.replace("&#43;", "+").replace("\\", "")
    # of a judge whose runs nobody labelled there is no second table
    unlabelled = run("summary", "--experiment", "few", "--database-url", url).output
    assert "no bias turns it" in unlabelled
    assert "What labels of people" not in unlabelled


def summary(url: str, output: str) -> str:
    result = run("summary", "--experiment", "labelled", "--format", output, "--database-url", url)
    assert result.exit_code == 0, result.output
    return result.stdout


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
