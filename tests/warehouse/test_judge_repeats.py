"""What judges said of one answer twice, and whether they like long answers, by other ways."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

import independent_repeats
import servers
from close_values import agrees
from ingest_support import load_records
from loader.ingest import said
from loader.ingest.annotations import annotate
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from independent_repeats import Judgement
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Run = dict[str, Any]
Warehouse = tuple[str, list["Judgement"], list[Run]]


def run(experiment: str, task: int, name: str, version: str, score: float, **more: Any) -> Run:  # noqa: ANN401
    return {
        "experiment_id": experiment, "task_id": f"t{task}", "experiment_group": "baseline",
        "extension_version": "1.0.0", "source_run_id": f"{experiment}-{task}-{name}",
        "scores": {"accuracy": score}, "evaluator_versions": {"accuracy": version},
        "latency_ms": 1000 + task, **more,
    }  # fmt: skip


def of_one_answer(rng: random.Random) -> tuple[list[Run], list[Judgement]]:
    """Return runs with the same answers, which version A judged again and B once."""
    runs: list[Run] = []
    judgements: list[Judgement] = []
    for task in range(25):
        level = rng.random()
        texts = {"inputs": {"q": task}, "outputs": {"a": f"answer {task}"}}
        for place, version in enumerate(["A", "A", *["A"] * (task % 3), "B"]):
            score = round(min(1, max(0, level + rng.gauss(0.1 * (version == "B"), 0.1))), 2)
            if task < 5:
                score = 0.5
            repeat = run("same", task, str(place), version, score, repetition=place + 1, **texts)
            runs.append(repeat)
            judgements.append((f"same-{task}", f"t{task}", "accuracy", version, score))
    return runs, judgements


def of_one_run(rng: random.Random) -> tuple[list[list[Run]], list[Judgement]]:
    """Return loads of the same runs: judged, labelled with a category, judged by B, by B anew."""
    loads: list[list[Run]] = [[], [], [], []]
    judgements: list[Judgement] = []
    for task in range(100, 112):
        first, second, third = (round(rng.random(), 2) for _ in range(3))
        for place, (version, score, more) in enumerate([
            ("A", first, {}),
            ("A", first, {"metadata": {"category": "easy"}}),  # nobody judged it again
            ("B", second, {"comments": {"accuracy": "as I see it"}}),
            ("B", third, {"comments": {"accuracy": "on second thought"}}),
        ]):  # fmt: skip
            loads[place].append(run("again", task, "only", version, score, **more))
        judgements += [
            (f"again-{task}", f"t{task}", "accuracy", version, score)
            for version, score in (("A", first), ("B", second), ("B", third))
        ]
    return loads, judgements


def of_lengths(rng: random.Random) -> list[Run]:
    """Return runs whose judge likes long answers."""
    found = []
    for task in range(200, 240):
        words = rng.randrange(1, 60)
        truth = round(0.3 + 0.4 * rng.random(), 3)
        outputs: object = "word " * words if task % 2 else {"text": "word " * words}
        more = {"outputs": outputs, "metadata": {"truth": truth}}
        score = round(truth + words / 300 + rng.gauss(0, 0.02), 3)
        found.append(run("long", task, "only", "L", score, **more))
    return found


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, dbt: Dbt) -> Iterator[Warehouse]:
    rng = random.Random(23)  # noqa: S311  a seeded test
    same, judgements = of_one_answer(rng)
    loads, more = of_one_run(rng)
    lengths = of_lengths(rng)
    with servers.migrated(postgres_server) as url:
        for records in (same, *loads, lengths):
            load_records(url, records, keep_contents=True)
        statements = [
            said.from_options(
                {
                    "experiment": "long", "task": one["task_id"], "run": one["source_run_id"],
                    "key": "accuracy", "score": repr(one["metadata"]["truth"]), "author": "ana",
                    "reason": "read it",
                }
            )._replace(row=place)
            for place, one in enumerate(lengths, 1)
        ]  # fmt: skip
        with connect(url) as connection:
            outcome = annotate(connection, statements, read_vocabulary())
        assert not outcome.faults
        dbt.build(url)
        yield url, [*judgements, *more], lengths


def rows(url: str, statement: str) -> list[Run]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_every_pair_of_versions_is_what_independent_writings_make_of_it(
    warehouse: Warehouse,
) -> None:
    url, judgements, _ = warehouse
    expected = independent_repeats.repeats(judgements)
    found = {
        (row["evaluator_key"], row["from_version"], row["to_version"]): row
        for row in rows(url, "select * from evals.judge_repeats")
    }
    assert found.keys() == expected.keys()
    assert {key[1:] for key in found} == {("A", "A"), ("A", "B"), ("B", "B")}
    wrong = [
        (key, name, found[key][name], value)
        for key, numbers in expected.items()
        for name, value in numbers.items()
        if not agrees(found[key][name], value)
    ]
    assert not wrong, wrong


def test_a_run_that_only_got_a_category_was_not_judged_again(warehouse: Warehouse) -> None:
    [row] = rows(
        warehouse[0],
        "select count(*) as judgements from evals_intermediate.int_judgements_repeated"
        " where answer_key like '%again-100-only%' and judge_version = 'A'",
    )
    assert row["judgements"] == 1


def test_one_version_has_a_typical_error_and_two_have_none(warehouse: Warehouse) -> None:
    url, judgements, _ = warehouse
    found = {
        (row["from_version"], row["to_version"]): row
        for row in rows(url, "select * from evals.judge_repeats")
    }
    assert found["A", "B"]["typical_error"] is None
    assert not found["A", "B"]["is_same_version"]
    by_answer: dict[str, list[float]] = {}
    for answer, _, _, version, value in judgements:
        if version == "B":
            by_answer.setdefault(answer, []).append(value)
    squares = [(two[1] - two[0]) ** 2 for two in by_answer.values() if len(two) > 1]
    assert agrees(found["B", "B"]["typical_error"], (sum(squares) / len(squares) / 2) ** 0.5)


def test_a_judge_that_likes_long_answers_shows_it(warehouse: Warehouse) -> None:
    url, _, lengths = warehouse
    [row] = rows(
        url,
        "select * from evals.judge_agreement where slice_kind = 'all' and judge_version = 'L'",
    )
    errors = [one["scores"]["accuracy"] - one["metadata"]["truth"] for one in lengths]
    texts = [
        one["outputs"]
        if isinstance(one["outputs"], str)
        else f'{{"text": "{one["outputs"]["text"]}"}}'
        for one in lengths
    ]
    expected = independent_repeats.length_correlation(errors, [len(text) for text in texts])
    wrong = [
        (name, row[name], value) for name, value in expected.items() if not agrees(row[name], value)
    ]
    assert not wrong, wrong
    assert row["length_correlation_low"] > 0.5
