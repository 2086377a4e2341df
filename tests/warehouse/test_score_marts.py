"""What counts of a run, what does not and what was believed, against plain Python from raw."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

import independent_scores
import servers
from close_values import agrees
from independent_marts import mean, result_id
from ingest_support import record
from loader.ingest import withdrawals
from loader.ingest.annotations import annotate
from loader.ingest.load import load
from loader.ingest.said import Said
from loader.ingest.withdrawals import Slice
from loader.records.vocabulary import Vocabulary
from loader.warehouse.connection import Connection, connect
from loader.warehouse.seeds import read_vocabulary
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from independent_scores import Raw
    from warehouse_dbt import Dbt

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

SEEDED = read_vocabulary(servers.REPOSITORY / "seeds")
FIVE = SEEDED.with_options({"judge": (1, 5)}, ())
GROUPS = Vocabulary(SEEDED.groups | {"old", "new"}, FIVE.scales, FIVE.reserved)
RUN_KEY = ("experiment_id", "source", "source_run_id", "metric")
SPAN_KEY = (*RUN_KEY, "run_version", "annotation_id", "valid_from")
RESULT = ("experiment_id", "task_id", "experiment_group", "extension_version")
ARM_KEY = ("experiment_id", "experiment_group", "extension_version", "field", "reason")


def runs(
    rng: random.Random, experiment: str, groups: Sequence[str] = ("baseline", "code-chef")
) -> list[dict[str, Any]]:
    """Make three runs of six tasks in two versions, the edges of every scale among their scores."""
    return [
        record(
            experiment_id=experiment,
            experiment_group=group,
            extension_version="1.0.0" if task % 2 else "2.0.0",
            task_id=f"t{task}",
            source_run_id=f"{group}-{task}-{repetition}",
            repetition=repetition,
            agent_name=rng.choice([None, "a"]),
            scores=scores(rng),
            measurements={"steps": 9, **rng.choice([{}, {"turns": 4}, {"turns": -0.0}])},
            latency_ms=rng.choice([None, 0.0, 12.5]),
            cost_usd=rng.choice([None, -0.0, 0.25, -2]),
            success=rng.choice([None, True, False]),
            inputs=rng.choice([None, {"question": task}]),
            outputs={"answer": repetition},
            trace_url=f"https://traces.example/{task}",
            comments={"judge": "why"},
            prompt_tokens=rng.choice([None, 0, 7]),
            completion_tokens=3,
        )
        for group in groups
        for task in range(6)
        for repetition in (1, 2, 3)
    ]


def scores(rng: random.Random) -> dict[str, Any]:
    """Draw scores: of one metric under two keys, on 1 to 5, and of a key nobody declares."""
    accuracy = rng.choice([None, True, False, 0, 1, -0.0, 0.1, 0.7])
    drawn = {
        rng.choice(["accuracy", "agent_routing_accuracy"]): accuracy,
        "judge": rng.choice([None, True, False, 1, 3, 4.5, 5, 9, -0.0]),
        "mood": rng.choice([None, True, False, 0, -0.0, 0.5, 1, 7, -3]),
        "style": rng.choice([None, True, 0, 0.25, 1]),
    }
    return {key: score for key, score in drawn.items() if rng.random() < 0.8}


class History:
    """A warehouse, and what was done to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, records: list[dict[str, Any]], words: Vocabulary, **options: Any) -> int:  # noqa: ANN401
        summary = load(self._connection, MemorySource(records), words, **options)
        assert not summary.rejected, summary.reasons
        assert summary.load_id is not None
        return summary.load_id

    def say(self, run: dict[str, Any], key: str, score: float, author: str, count: int = 1) -> int:
        said = Said(
            1, run["experiment_id"], run["task_id"], None, None,
            run["source_run_id"] if count == 1 else None, key, score, author, "read it",
        )  # fmt: skip
        outcome = annotate(self._connection, [said], FIVE)
        assert not outcome.faults
        assert outcome.load_id is not None
        return outcome.load_id

    def withdraw(self, meant: Slice) -> int:
        [entry] = withdrawals.withdraw(self._connection, meant, "a test", None)
        return entry.load_id

    def undo(self, load_id: int) -> None:
        withdrawals.undo(self._connection, [load_id], "it was right", None)


def live(history: History, rng: random.Random) -> None:
    """Load, correct, annotate and take back."""
    fives = runs(rng, "fives")
    history.take(fives, FIVE, keep_contents=True)
    history.take(runs(rng, "legacy"), SEEDED)
    with_roles = {"old": "control", "new": "treatment"}
    history.take(runs(rng, "roles", ("old", "new")), GROUPS, roles=with_roles)
    swapped = {"baseline": "treatment", "code-chef": "control"}
    history.take(runs(rng, "swapped"), FIVE, roles=swapped)
    history.take(runs(rng, "swapped")[:9], SEEDED)
    gone = runs(rng, "gone")
    history.take(gone, SEEDED)
    # a key that was undeclared until its runs were corrected
    mended = [{**run, "scores": {"mood": 0.5, "accuracy": 1}} for run in runs(rng, "mended")]
    mended[0]["scores"] = {"mood": 7, "accuracy": 1}
    history.take(mended, SEEDED)
    mended[0]["scores"] = {"mood": 0.75, "accuracy": 0}
    history.take(mended[:1], SEEDED)
    corrected = history.take([{**run, "scores": scores(rng)} for run in fives[:20]], FIVE)
    for run, key, score, author in (
        (fives[0], "judge", 4, "ana"),
        (fives[0], "judge", 1, "ben"),
        (fives[0], "judge", 2, "ben"),
        (fives[1], "accuracy", 1, "ana"),
        (fives[1], "agent_routing_accuracy", 0, "ana"),
        (fives[1], "agent_routing_accuracy", 0.5, "ben"),
        (fives[2], "tone", -0.0, "ana"),
        (fives[7], "style", 0.5, "ana"),
        (fives[3], "steps", 1, "ana"),
        (gone[0], "accuracy", 1, "ana"),
    ):
        history.say(run, key, score, author)
    every = history.say(fives[9], "style", 1, "ben", count=3)
    withdrawn = history.withdraw(Slice(load=corrected, experiment="fives"))
    history.withdraw(Slice(load=every))
    history.withdraw(Slice(experiment="fives", task="t5"))
    history.withdraw(Slice(experiment="gone"))
    history.undo(withdrawn)
    history.take([{**run, "cost_usd": 1.5} for run in fives[-4:]], FIVE)


@pytest.fixture(scope="module")
def built(postgres_server: str, dbt: Dbt) -> Iterator[tuple[psycopg.Connection[Any], Raw]]:
    rng = random.Random(20261129)  # noqa: S311  a seeded test
    with servers.migrated(postgres_server) as url:
        with connect(url) as connection:
            live(History(connection), rng)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("alter table raw_evals.evaluation_runs disable trigger user")
            # of before 0.2: booleans as they came, no scale
            connection.execute(
                "update raw_evals.evaluation_runs set score_scales = null, set_aside = null,"
                ' scores = scores || \'{"style": true, "integration_quality": false}\''
                " where experiment_id = 'legacy'"
            )
            dbt.build(url)
            yield connection, read_raw(connection)


def read(connection: psycopg.Connection[Any], *relation: str) -> list[dict[str, Any]]:
    return connection.execute(
        sql.SQL("select * from {}").format(sql.Identifier(*relation))
    ).fetchall()


def read_raw(connection: psycopg.Connection[Any]) -> Raw:
    tables = (
        "evaluation_runs", "annotations", "withdrawals", "experiment_group_roles", "loads",
    )  # fmt: skip
    return independent_scores.Raw(*(read(connection, "raw_evals", table) for table in tables))


def assert_agree(
    found: list[dict[str, Any]], expected: list[dict[str, Any]], key: tuple[str, ...]
) -> None:
    by_key = {tuple(row[name] for name in key): row for row in found}
    wanted = {tuple(row[name] for name in key): row for row in expected}
    assert len(by_key) == len(found)
    assert len(wanted) == len(expected)
    assert by_key.keys() == wanted.keys()
    wrong = [
        (one, name, by_key[one][name], value)
        for one, row in wanted.items()
        for name, value in row.items()
        if not agrees(by_key[one][name], value)
    ]
    assert not wrong, wrong[:5]


def test_what_counts_of_every_run(built: tuple[psycopg.Connection[Any], Raw]) -> None:
    connection, raw = built
    expected = independent_scores.run_scores(raw)
    assert {row["annotators"] for row in expected} == {0, 1, 2}
    assert_agree(read(connection, "evals", "run_scores"), expected, RUN_KEY)


def test_what_does_not_count(built: tuple[psycopg.Connection[Any], Raw]) -> None:
    connection, raw = built
    expected = independent_scores.set_aside(independent_scores.current(raw))
    assert {row["reason"] for row in expected} == {"undeclared_scale", "off_scale", "negative"}
    assert_agree(read(connection, "evals", "set_aside_scores"), expected, ARM_KEY)


def test_what_was_believed_from_when_to_when(
    built: tuple[psycopg.Connection[Any], Raw],
) -> None:
    connection, raw = built
    expected = independent_scores.history(raw)
    assert {row["is_current"] for row in expected} == {True, False}
    assert_agree(read(connection, "evals", "score_history"), expected, SPAN_KEY)


def test_what_counts_of_a_result_is_the_mean_of_its_runs(
    built: tuple[psycopg.Connection[Any], Raw],
) -> None:
    connection, raw = built
    values: dict[tuple[Any, ...], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in independent_scores.run_scores(raw):
        key = result_id(tuple(row[name] for name in RESULT)), row["metric"]
        values[key][row["kind"]].append(row["value"])
    expected = [
        {
            "result_id": result,
            "metric": metric,
            "value": mean(kinds.get("score", next(iter(kinds.values())))),
        }
        for (result, metric), kinds in values.items()
    ]
    assert any(len(kinds) > 1 for kinds in values.values())
    assert_agree(read(connection, "evals", "evaluation_scores"), expected, ("result_id", "metric"))


def test_trials_are_the_current_runs_as_they_are_in_raw(
    built: tuple[psycopg.Connection[Any], Raw],
) -> None:
    connection, raw = built
    trials = read(connection, "evals", "evaluation_trials")
    # dated, where it has no date; numbered, where it has no number
    left_out = {"recorded_at", "repetition"}
    expected = [
        {name: value for name, value in run.items() if name in trials[0] and name not in left_out}
        for run in independent_scores.current(raw)
    ]
    assert {"score_scales", "set_aside", "comments", "trace_url", "prompt_tokens"} <= {*expected[0]}
    assert_agree(trials, expected, RUN_KEY[:3])


def test_the_ledger_counts_what_was_set_aside(
    built: tuple[psycopg.Connection[Any], Raw],
) -> None:
    """A version that was loaded is not loaded again here, so that raw has every value counted."""
    connection, raw = built
    loads: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for run in raw.runs:
        if run["experiment_id"] != "legacy":  # whose marks are gone
            loads[run["load_id"]].append(run)
    counted = {
        load_id: sum(row["runs"] for row in independent_scores.set_aside(loaded))
        for load_id, loaded in loads.items()
    }
    ledger = {
        row["load_id"]: row["values_set_aside"] for row in read(connection, "evals", "load_history")
    }
    assert sum(counted.values()) > 0
    assert {load_id: ledger[load_id] for load_id in counted} == counted


def test_bodies_are_beside_their_runs(built: tuple[psycopg.Connection[Any], Raw]) -> None:
    """Of one load they were kept; runs of others that say the same find them too."""
    connection, raw = built
    kept = {row["content_id"]: row["content"] for row in read(connection, "raw_evals", "contents")}
    names = ("inputs", "outputs", "reference_outputs")
    expected = [
        {**{name: run[name] for name in RUN_KEY[:3]}, **bodies}
        for run in independent_scores.current(raw)
        if any((bodies := {name: kept.get(run[f"{name}_id"]) for name in names}).values())
    ]
    assert_agree(read(connection, "evals", "run_contents"), expected, RUN_KEY[:3])


def test_every_group_has_the_role_that_was_said_last(
    built: tuple[psycopg.Connection[Any], Raw],
) -> None:
    connection, raw = built
    roles = independent_scores.roles(raw)
    compared = read(connection, "evals", "evaluation_comparison_view")
    said = {
        (row["experiment_id"], row["candidate_group"]): "treatment"
        for row in compared
        if row["candidate_result_id"]
    } | {
        (row["baseline_experiment_id"], row["baseline_group"]): "control"
        for row in compared
        if row["baseline_result_id"]
    }
    assert said == roles
