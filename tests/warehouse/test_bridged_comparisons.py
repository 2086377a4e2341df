"""Arms that two versions of a judge scored: compared across a bridge, or not at all."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

import independent_bridges
import servers
from close_values import agrees
from independent_bridges import Answer, Pair
from ingest_support import load_records
from loader.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Run = dict[str, Any]
LENIENT = 0.12
"""How much more the later version gives."""


class Case(NamedTuple):
    """How an experiment was made."""

    tasks: int
    bridge: int
    """Tasks whose baseline both versions scored."""
    gain: float
    """What the candidate is truly better by."""
    clusters: int = 0
    """Tasks that share one; 0: none do."""
    is_again: bool = False
    """Whether the baseline's runs were scored again; else the bridge is of another experiment."""


CASES = {
    "level": Case(160, 90, 0.0),
    "better": Case(160, 90, 0.08, is_again=True),
    "clustered": Case(240, 180, 0.08, clusters=2),
    "thin": Case(120, 20, 0.08),
    "apart": Case(120, 0, 0.08),
}


def within(score: float) -> float:
    return round(min(1.0, max(0.0, score)), 4)


def make(
    name: str, case: Case, rng: random.Random
) -> tuple[list[list[Run]], list[Pair], list[Answer]]:
    """Return two loads, the pairs and the answers of an experiment with judges of its own."""
    loads: list[list[Run]] = [[], []]
    pairs: list[Pair] = []
    answers: list[Answer] = []
    versions = (f"{name}-1", f"{name}-2")

    def run(experiment: str, group: str, task: int, version: str, score: float) -> Run:
        cluster = {"cluster_id": f"c{task // case.clusters}"} if case.clusters else {}
        return {
            "experiment_id": experiment, "task_id": f"t{task}", "experiment_group": group,
            "extension_version": "1.0.0", "source_run_id": f"{experiment}-{group}-{task}",
            "scores": {"accuracy": score}, "evaluator_versions": {"accuracy": version},
            "success": True, "latency_ms": 900 + task, "metadata": cluster,
        }  # fmt: skip

    for task in range(case.tasks):
        level = rng.gauss(0.45, 0.1)
        cluster = f"c{task // case.clusters}" if case.clusters else f"t{task}"
        before = within(level + rng.gauss(0, 0.03))
        again = within(before + LENIENT + rng.gauss(0, 0.04))
        after = within(level + case.gain + LENIENT + rng.gauss(0, 0.05))
        is_bridge = task < case.bridge
        loads[0].append(run(name, "baseline", task, versions[0], before))
        loads[0].append(run(name, "code-chef", task, versions[1], after))
        if is_bridge:
            answers.append((cluster, again - before))
        if is_bridge and case.is_again:
            loads[1].append(run(name, "baseline", task, versions[1], again))
            pairs.append(Pair(cluster, after - again, is_bridged=False))
        else:
            pairs.append(Pair(cluster, after - before, is_bridged=True))
        if is_bridge and not case.is_again:
            for load, version, score in ((0, versions[0], before), (1, versions[1], again)):
                loads[load].append(run(f"{name}-bridge", "baseline", task, version, score))
    return loads, pairs, answers


@pytest.fixture(scope="module")
def warehouse(
    postgres_server: str, dbt: Dbt
) -> Iterator[tuple[str, dict[str, tuple[list[Pair], list[Answer]]]]]:
    rng = random.Random(41)  # noqa: S311  a seeded test
    made = {name: make(name, case, rng) for name, case in CASES.items()}
    with servers.migrated(postgres_server) as url:
        for place in (0, 1):
            load_records(url, [run for loads, *_ in made.values() for run in loads[place]])
        dbt.build(url)
        yield url, {name: (pairs, answers) for name, (_, pairs, answers) in made.items()}


def row(url: str, experiment: str) -> Run:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        [found] = connection.execute(
            "select * from evals.bridged_comparisons where experiment_id = %s", (experiment,)
        ).fetchall()
    return found


@pytest.mark.parametrize("name", ["level", "better", "clustered"])
def test_a_bridge_is_what_independent_writings_make_of_it(
    warehouse: tuple[str, dict[str, tuple[list[Pair], list[Answer]]]], name: str
) -> None:
    url, made = warehouse
    found = row(url, name)
    expected = independent_bridges.bridged(*made[name], margin=0.05)
    wrong = [
        (key, found[key], value) for key, value in expected.items() if not agrees(found[key], value)
    ]
    assert not wrong, wrong
    assert found["notes"] == []
    assert found["baseline_judge_version"] == f"{name}-1"
    assert abs(found["improvement"] - CASES[name].gain) < 4 * found["improvement_error"]
    # what the bridge does not know is in the interval too
    assert found["improvement_error"] > (0.05**2 + 0.03**2) ** 0.5 / CASES[name].tasks ** 0.5


def test_without_enough_of_a_bridge_nothing_is_proven_and_it_says_why(
    warehouse: tuple[str, dict[str, tuple[list[Pair], list[Answer]]]],
) -> None:
    thin = row(warehouse[0], "thin")
    assert thin["notes"] == ["few_answers"]
    assert thin["improvement_low"] < thin["improvement"] < thin["improvement_high"]
    assert thin["p_better"] is thin["p_value"] is thin["p_lost"] is None
    apart = row(warehouse[0], "apart")
    assert apart["notes"] == ["no_bridge"]
    assert apart["improvement"] is apart["improvement_error"] is apart["p_better"] is None
    assert apart["n_bridged_pairs"] == apart["n_pairs"] == CASES["apart"].tasks


def gate(url: str, experiment: str, tmp_path: Path, policy: str) -> tuple[int, Run]:
    file = tmp_path / "policy.yml"
    file.write_text(f"version: 1\n{policy}\n", encoding="utf-8")
    arguments = ["gate", "--experiment", experiment, "--policy", str(file), "--format", "json"]
    result = CliRunner().invoke(cli, [*arguments, "--database-url", url], catch_exceptions=False)
    [decision] = json.loads(result.stdout)
    return result.exit_code, decision


def test_a_verdict_goes_across_the_bridge_where_the_policy_lets_it(
    warehouse: tuple[str, dict[str, tuple[list[Pair], list[Answer]]]], tmp_path: Path
) -> None:
    url, _ = warehouse
    across = "judge_correction: corrected_where_labelled"
    for name, verdict in (("better", "pass"), ("clustered", "pass"), ("level", "inconclusive")):
        code, raw = gate(url, name, tmp_path, "")
        assert (code, raw["verdict"]) == (5, "inconclusive")
        assert "one version of dataset and evaluators for both arms" in raw["would_decide"]
        _, decision = gate(url, name, tmp_path, across)
        assert decision["verdict"] == verdict, decision
        [told] = [one for one in decision["reasons"] if one["code"] == "judge_bridged"]
        assert f"across the versions {name}-1 and {name}-2" in told["sentence"]
        [accuracy] = [one for one in decision["metrics"] if one["metric"] == "accuracy"]
        found = row(url, name)
        for shown in ("improvement", "improvement_low", "improvement_high", "n_pairs"):
            assert accuracy[shown] == found[shown]


def test_without_a_bridge_a_verdict_cannot_compare_and_says_so(
    warehouse: tuple[str, dict[str, tuple[list[Pair], list[Answer]]]], tmp_path: Path
) -> None:
    url, _ = warehouse
    for name, why in (("thin", "only 20 tasks"), ("apart", "no answer was scored by both")):
        across = "judge_correction: corrected_where_labelled"
        code, decision = gate(url, name, tmp_path, across)
        assert (code, decision["verdict"]) == (5, "inconclusive")
        [told] = [one for one in decision["reasons"] if one["code"] == "judge_not_bridged"]
        assert "cannot be compared across the versions" in told["sentence"]
        assert why in told["sentence"]
