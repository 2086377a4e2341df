"""A gate that knows its judge errs: admission, corrected verdicts, and what a bias would turn."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

import servers
from ingest_support import load_records
from loader.cli import cli
from loader.ingest import said
from loader.ingest.annotations import annotate
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

TASKS, LABELLED = 300, 150


def records(experiment: str, *, leaning: float, rng: random.Random) -> list[dict[str, Any]]:
    """Return two arms that are alike, under a judge that passes the candidate's failures."""
    found = []
    for task in range(TASKS):
        level = float(rng.random() < 0.6)
        for group in ("baseline", "code-chef"):
            truth = 1 - level if rng.random() < 0.04 else level
            favoured = group == "code-chef" and not truth and rng.random() < leaning
            found.append(
                {
                    "experiment_id": experiment, "task_id": f"t{task}", "experiment_group": group,
                    "extension_version": "1.0.0", "source_run_id": f"{experiment}-{group}-{task}",
                    "scores": {"accuracy": 1.0 if favoured else truth},
                    "evaluator_versions": {"accuracy": experiment}, "success": True,
                    "metadata": {"truth": truth},
                }
            )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    rng = random.Random(5)  # noqa: S311  a seeded test
    runs = [
        *records("leaning", leaning=0.5, rng=rng),
        *records("unlabelled", leaning=0.5, rng=rng),
        *records("fair", leaning=0.0, rng=rng),
    ]
    with servers.migrated(postgres_server) as found:
        load_records(found, runs)
        statements = [
            said.from_options(
                {
                    "experiment": run["experiment_id"], "task": run["task_id"],
                    "run": run["source_run_id"], "key": "accuracy", "author": "ana",
                    "score": str(run["metadata"]["truth"]), "reason": "looked",
                }
            )
            for run in runs
            if run["experiment_id"] != "unlabelled" and int(run["task_id"][1:]) < LABELLED
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


def gate(url: str, experiment: str, tmp_path: Path, policy: str) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "policy.yml"
    file.write_text(f"version: 1\n{policy}\n", encoding="utf-8")
    result = run("gate", "--experiment", experiment, "--policy", str(file), "--format", "json",
                 "--database-url", url)  # fmt: skip
    [decision] = json.loads(result.stdout)
    return result.exit_code, decision


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def codes(decision: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in decision["reasons"]}


def test_a_candidate_that_only_its_judge_likes_passes_raw_and_not_corrected(
    url: str, tmp_path: Path
) -> None:
    code, raw = gate(url, "leaning", tmp_path, "")
    assert (code, raw["verdict"]) == (0, "pass")
    code, corrected = gate(url, "leaning", tmp_path, "judge_correction: corrected")
    assert (code, corrected["verdict"]) == (5, "inconclusive")
    [told] = [one for one in corrected["reasons"] if one["code"] == "judge_corrected"]
    assert "corrected by what people said of 150 of 300 tasks" in told["sentence"]
    [accuracy] = [one for one in corrected["metrics"] if one["metric"] == "accuracy"]
    assert accuracy["improvement_low"] < accuracy["improvement"] < accuracy["improvement_high"]
    where = "judge_correction: corrected_where_labelled"
    assert gate(url, "leaning", tmp_path, where)[1]["verdict"] == "inconclusive"


def test_without_labels_a_corrected_verdict_is_open_and_says_what_it_wants(
    url: str, tmp_path: Path
) -> None:
    assert gate(url, "unlabelled", tmp_path, "")[1]["verdict"] == "pass"
    code, decision = gate(url, "unlabelled", tmp_path, "judge_correction: corrected")
    assert (code, decision["verdict"]) == (5, "inconclusive")
    assert "judge_uncorrected" in codes(decision)
    assert "evalmart label" in decision["would_decide"]
    where = "judge_correction: corrected_where_labelled"
    code, decision = gate(url, "unlabelled", tmp_path, where)
    assert (code, decision["verdict"]) == (0, "pass")
    assert "judge_uncorrected" in codes(decision)
    [turns] = [one for one in decision["reasons"] if one["code"] == "judge_bias_would_turn"]
    [accuracy] = [one for one in decision["metrics"] if one["metric"] == "accuracy"]
    bias = 100 * accuracy["improvement_low"]
    assert f"no longer better if its judge favours the candidate by {bias:.3g}" in turns["sentence"]


def test_a_judge_is_admitted_by_its_labels_and_each_version_anew(url: str, tmp_path: Path) -> None:
    asked = "judges: {accuracy: {min_labels: 50, min_kappa: 0.6, max_bias_between_arms: 0.03}}"
    for experiment, said_of_it in (
        ("leaning", "favours candidates by +"),
        ("unlabelled", "people scored 0 of its runs, 50 are asked for"),
    ):
        code, decision = gate(url, experiment, tmp_path, asked)
        assert (code, decision["verdict"]) == (5, "inconclusive")
        [reason] = [one for one in decision["reasons"] if one["code"] == "judge_not_admitted"]
        assert said_of_it in reason["sentence"]
        assert f"version {experiment}" in reason["sentence"]
    decision = gate(url, "fair", tmp_path, asked)[1]
    assert "judge_admitted" in codes(decision)
    more = "judges: {accuracy: {min_labels: 500, min_kappa: null, max_bias_between_arms: null}}"
    assert "judge_not_admitted" in codes(gate(url, "fair", tmp_path, more)[1])
    assert "judge_admitted" in codes(gate(url, "leaning", tmp_path, more.replace("500", "50"))[1])


def test_replay_tells_which_verdicts_a_bias_would_turn(url: str, tmp_path: Path) -> None:
    assert gate(url, "unlabelled", tmp_path, "")[1]["verdict"] == "pass"
    same = run("replay", "--database-url", url, "--format", "json")
    assert same.exit_code == 0, same.output
    small = run("replay", "--judge-bias", "accuracy=0.01", "--database-url", url)
    assert small.exit_code == 0, small.output
    asked = ("replay", "--judge-bias", "accuracy=0.2", "--database-url", url)
    turned = run(*asked, "--format", "json")
    assert turned.exit_code == 5
    found = json.loads(turned.stdout)
    changed = {(row["experiment_id"], row["verdict"], row["causes"]) for row in found}
    assert ("unlabelled", "pass", "judge") in changed
    wrong = CliRunner().invoke(cli, ["replay", "--judge-bias", "accuracy", "--database-url", url])
    assert wrong.exit_code == 2
    assert "accuracy=0.08" in wrong.output


def test_a_policy_that_asks_nothing_of_judges_has_the_hash_it_had() -> None:
    from loader.gate.policy import JudgeCorrection, JudgePolicy, Policy

    plain = Policy(version=1)
    assert not {"judges", "judge_correction"} & plain.canonical().keys()
    asked = Policy(version=1, judges={"accuracy": JudgePolicy()})
    corrected = Policy(version=1, judge_correction=JudgeCorrection.CORRECTED)
    assert len({plain.hash(), asked.hash(), corrected.hash()}) == 3
