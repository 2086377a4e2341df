"""The marts, built by dbt on a real server: right, whole, and the same however they were built."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

import independent_marts
import independent_pairs
import independent_passes
import servers
from close_values import agrees
from loader.ingest.withdrawals import Slice
from loader.sources.sample import write_sample
from random_records import random_record
from raw_rows import RawRows
from statistics_cases import mismatches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

KEYS = {
    "evaluation_trials": ("experiment_id", "source", "source_run_id"),
    "evaluation_results": ("experiment_id", "result_id"),
    "evaluation_scores": ("experiment_id", "result_id", "metric"),
    "evaluation_comparison_view": (
        "experiment_id", "task_id", "candidate_group", "candidate_version",
    ),
    "experiment_summaries": ("experiment_id", "candidate_group", "candidate_version"),
    "experiment_metric_comparisons": (
        "experiment_id", "candidate_group", "candidate_version", "metric",
    ),
    "experiment_segment_comparisons": (
        "experiment_id", "candidate_group", "candidate_version", "segment_kind", "segment",
        "metric",
    ),
    "arm_summaries": ("experiment_id", "experiment_group", "extension_version"),
    "metric_daily_rollups": (*independent_marts.SERIES, "metric", "recorded_on"),
    "agent_daily_rollups": ("agent_name", "experiment_group", "recorded_on"),
    "version_trends": (*independent_marts.SERIES, "metric"),
}  # fmt: skip
INTERMEDIATE = {"int_results_paired": KEYS["evaluation_comparison_view"]}
INCREMENTAL = ["evaluation_trials", "evaluation_scores", "evaluation_results", "int_results_paired"]
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def warehouse_url(postgres_server: str) -> Iterator[str]:
    with servers.migrated(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def history(warehouse_url: str, dbt: Dbt) -> Iterator[tuple[Connection, RawRows]]:
    """Give a warehouse after a long random life, built incrementally along the way."""
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        raw = RawRows(connection)
        live(raw, dbt, warehouse_url)
        yield connection, raw


def moment_after(connection: Connection, model: str, seconds: float) -> Callable[[], bool]:
    """Return a function that is true once a model was built again, and so many seconds on."""

    def builds() -> object:
        return connection.execute(
            "select build_number from evals_staging.build_watermarks where model = %s", [model]
        ).fetchone()

    before = builds()
    built_at: list[float] = []

    def is_time() -> bool:
        if not built_at and builds() != before:
            built_at.append(time.monotonic())
        return bool(built_at) and time.monotonic() >= built_at[0] + seconds

    return is_time


def load_when(is_time: Callable[[], bool], raw: RawRows, records: list[dict[str, Any]]) -> None:
    """Load as soon as it is time."""
    while not is_time():
        time.sleep(0.01)
    raw.load(records)


def live(raw: RawRows, dbt: Dbt, url: str) -> None:
    rng = random.Random(20260730)  # noqa: S311  a seeded test
    runs = 0

    def new(count: int) -> list[dict[str, Any]]:
        nonlocal runs
        runs += count
        return [random_record(rng, runs - place) for place in range(count)]

    def changed(count: int) -> list[dict[str, Any]]:
        """Give new contents to old runs: other scores, and for some another place."""
        records = []
        for key in rng.sample(sorted(raw.versions), count):
            old = raw.versions[key][-1]
            place = old if rng.random() < 0.5 else random_record(rng, 0)
            fresh = random_record(rng, 0)
            records.append(
                {
                    **fresh,
                    "experiment_id": old["experiment_id"],
                    "source_run_id": old["source_run_id"],
                    "baseline_experiment_id": old["baseline_experiment_id"],
                    **{
                        name: place[name]
                        for name in (
                            "task_id",
                            "experiment_group",
                            "extension_version",
                            "agent_name",
                        )
                    },
                }
            )
        return records

    raw.load(new(150))
    raw.load([])
    dbt.build(url)
    # re-scored and moved runs, and a load that comes while a build runs
    raw.load(changed(40))
    is_time = moment_after(raw.connection, "evaluation_trials", 0)
    loading = threading.Thread(target=load_when, args=(is_time, raw, [*changed(10), *new(10)]),
                               daemon=True)  # fmt: skip
    loading.start()
    dbt.build(url)
    loading.join()
    # a build that stops half-way, in two ways
    raw.load([*new(60), *changed(20)])
    dbt.build(url, "--select", "evaluation_trials", "evaluation_results")
    raw.load(changed(30))
    for model in rng.sample(INCREMENTAL, 2):
        assert dbt.kill_while_building(url, moment_after(raw.connection, model, rng.random() / 5))
        raw.load(changed(5))
    take_back(raw, rng)
    annotate(raw, rng, 30)
    raw.load(changed(20))
    # an experiment loses its control, another everything; the linked ones' control changes
    current = raw.current()
    raw.purge([
        (run["experiment_id"], run["source"], run["source_run_id"])
        for run in current
        if (run["experiment_id"] == "e3" and run["experiment_group"] == "baseline")
        or run["experiment_id"].startswith("odd")
    ])  # fmt: skip
    raw.load(
        [record for record in new(80) if record["experiment_id"] == "e1"] or new(1), source="other"
    )
    dbt.build(url)
    raw.undo(rng.choice(sorted(raw.withdrawn)))
    annotate(raw, rng, 20)
    take_back(raw, rng)
    annotate(raw, rng, 5)
    dbt.build(url)


def annotate(raw: RawRows, rng: random.Random, count: int) -> None:
    """Let two people score some runs, a few of them twice."""
    for run in rng.choices(raw.current()[:40], k=count):
        key, score = rng.choice(["accuracy", "style"]), rng.choice([0.0, 0.25, 1.0])
        raw.annotate(run, key, score, rng.choice(["ana", "ben"]))


def take_back(raw: RawRows, rng: random.Random) -> None:
    """Withdraw a load, and parts of experiments; lift one of it again."""
    one, other, third, fourth = rng.sample(raw.current(), 4)
    raw.withdraw(Slice(load=one["load_id"], experiment=one["experiment_id"]))
    raw.withdraw(
        Slice(
            experiment=other["experiment_id"],
            group=other["experiment_group"],
            version=other["extension_version"],
        )
    )
    raw.undo(rng.choice(sorted(raw.withdrawn)))
    if raw.annotations:
        said = rng.choice(raw.annotations)
        if raw.standing([said]):
            raw.withdraw(Slice(load=said["load_id"]))
    for run, name in ((third, "experiment"), (fourth, "load")):
        versions = raw.versions[run["experiment_id"], run["source"], run["source_run_id"]]
        if versions[-1] in raw.standing(versions):
            within = {name: run[f"{name}_id"], "task": run["task_id"]}
            raw.withdraw(Slice(**within))


def test_marts_equal_those_computed_independently(history: tuple[Connection, RawRows]) -> None:
    connection, raw = history
    for mart, rows in compute(raw.counted()).items():
        assert_rows_agree(read(connection, mart), rows, mart)


def test_statistics_equal_those_of_scipy_on_the_raw_runs(
    history: tuple[Connection, RawRows],
) -> None:
    """From raw to interval: repetitions, clusters, versions and missing arms on the way."""
    connection, raw = history
    cases = independent_pairs.metric_cases(independent_marts.results(raw.counted()))
    # what becomes of passes is held against another oracle (test_passes.py)
    built = {
        key: row
        for key, row in read(connection, "experiment_metric_comparisons").items()
        if key[-1] not in ("pass_at_k", "pass_hat_k")
    }
    assert built.keys() == cases.keys()
    wrong: list[object] = []
    for key, (case, is_of_one_kind) in cases.items():
        found = mismatches(case, built[key])
        # a score in one arm and a measurement in the other are counted, and no pair
        counts = ("n_tasks", "n_pairs", "n_incomparable")
        wrong += [one for one in found if is_of_one_kind or one[1] in counts]
    assert not wrong, "\n".join(map(str, wrong))
    assert any(not is_of_one_kind for _, is_of_one_kind in cases.values())
    methods = {row["method"] for row in built.values()}
    assert {"t", "t_clustered", "none"} <= methods
    assert any(row["variance_within_task"] is not None for row in built.values())


def test_trials_are_the_current_runs(history: tuple[Connection, RawRows]) -> None:
    connection, raw = history
    trials = read(connection, "evaluation_trials")
    runs = {
        (run["experiment_id"], run["source"], run["source_run_id"]): run for run in raw.current()
    }
    assert trials.keys() == runs.keys()
    for key, trial in trials.items():
        run = {**runs[key], "recorded_at": independent_marts.dated(runs[key])}
        assert {name: run[name] for name in trial if name in run} == {
            name: value for name, value in trial.items() if name in run
        }


def test_incremental_builds_equal_a_full_build(
    history: tuple[Connection, RawRows], warehouse_url: str, dbt: Dbt
) -> None:
    connection, _ = history
    dbt.build(warehouse_url, schema="rebuilt")
    for mart in (*KEYS, *INTERMEDIATE):
        built = read(connection, mart)
        assert built, mart
        # sums of floating point numbers differ in their last digits with the plan
        assert_rows_agree(built, list(read(connection, mart, "rebuilt").values()), mart)


def test_a_changed_seed_or_var_rebuilds_what_depends_on_it(
    history: tuple[Connection, RawRows], warehouse_url: str, dbt: Dbt
) -> None:
    connection, raw = history
    dbt.build(warehouse_url, "--vars", '{"primary_metric": "style"}', schema="rebuilt")
    found = independent_marts.results(raw.counted())
    rows = independent_pairs.shown(independent_pairs.pairs(found, "style"))
    mart = "evaluation_comparison_view"
    assert_rows_agree(read(connection, mart, "rebuilt"), rows, mart)


def test_a_build_without_new_loads_writes_nothing(
    history: tuple[Connection, RawRows], warehouse_url: str, dbt: Dbt
) -> None:
    connection, _ = history
    tables = {"agent_daily_rollups", "metric_daily_rollups", "version_trends"}
    incremental = [name for name in KEYS if name not in tables]
    query = sql.SQL(" union all ").join(
        sql.SQL("select max(xmin::text::bigint) from {}").format(sql.Identifier("evals", mart))
        for mart in incremental
    )
    before = connection.execute(query).fetchall()
    dbt.build(warehouse_url)
    assert connection.execute(query).fetchall() == before


def test_a_failed_data_test_looks_again_until_it_passes(
    history: tuple[Connection, RawRows], warehouse_url: str, dbt: Dbt
) -> None:
    connection, raw = history
    rng = random.Random(1)  # noqa: S311  a seeded test
    raw.load([{**random_record(rng, 9000), "experiment_id": "e2"}])
    dbt.run(warehouse_url, "run")
    spoil = (
        "update evals.experiment_summaries set ties = ties + %s, total_tasks = total_tasks + %s"
        " where experiment_id = 'e2'"
    )
    connection.execute(spoil, (1, 1))
    dbt.run(warehouse_url, "run")
    success, messages = dbt.attempt(warehouse_url, "test", "--select", "experiment_summaries")
    assert not success
    assert any("assert_summary_agrees_with_comparison" in message for message in messages)
    connection.execute(spoil, (-1, -1))
    dbt.build(warehouse_url)
    untested = (
        "select model from evals_staging.build_watermarks where build_number > tested_build_number"
    )
    assert connection.execute(untested).fetchall() == []


def test_an_analyst_reads_marts_and_nothing_else(history: tuple[Connection, RawRows]) -> None:
    connection, _ = history
    relations = connection.execute(
        "select relnamespace::regnamespace::text, relname from pg_class where relkind in ('r', 'v')"
        " and relnamespace::regnamespace::text"
        " in ('evals', 'evals_staging', 'evals_intermediate', 'raw_evals')"
    ).fetchall()
    connection.execute("set role evals_analyst")
    try:
        readable = set()
        for schema, name in relations:
            try:
                connection.execute(
                    sql.SQL("select from {} limit 1").format(sql.Identifier(schema, name))
                )
                readable.add((schema, name))
            except psycopg.errors.InsufficientPrivilege:
                pass
    finally:
        connection.execute("reset role")
    assert readable == {relation for relation in relations if relation[0] == "evals"}
    assert readable >= {("evals", mart) for mart in KEYS}


DATA = [path for path in sorted(servers.SHARED_DATA.glob("*.jsonl")) if path.is_file()]


@pytest.mark.parametrize(
    "files", [[], *([DATA] if DATA else [])], ids=["sample", "real"][: 1 + bool(DATA)]
)
def test_files_build_and_agree_with_an_independent_count(
    files: list[Path], postgres_server: str, dbt: Dbt, tmp_path: Path
) -> None:
    files = files or [path for path in write_sample(tmp_path) if path.suffix == ".jsonl"]
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        for path in files:
            raw.load(real_records(path))
        dbt.build(url)
        for mart, rows in compute(raw.counted()).items():
            assert_rows_agree(read(connection, mart), rows, mart)
        for experiment, counts in winners(files).items():
            assert counts == winners_in_mart(connection, experiment)


def real_records(path: Path) -> Iterator[dict[str, Any]]:
    for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        recorded_at = datetime.fromisoformat(record["recorded_at"])
        if recorded_at.tzinfo is None:
            recorded_at = recorded_at.replace(tzinfo=UTC)
        yield {**record, "recorded_at": recorded_at}


def winners(files: list[Path]) -> dict[str, Counter[str]]:
    """Count wins the simplest way, for experiments in which both arms ran one version."""
    accuracy: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for path in files:
        if path.name.startswith("popularity"):
            for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                accuracy[record["experiment_id"]][record["task_id"]][
                    record["experiment_group"]
                ].append(record["scores"]["accuracy"])
    counts: dict[str, Counter[str]] = {}
    for experiment, tasks in accuracy.items():
        counts[experiment] = Counter(total_tasks=len(tasks))
        for arms in tasks.values():
            gain = Fraction(sum(arms["code-chef"])) / len(arms["code-chef"]) - Fraction(
                sum(arms["baseline"])
            ) / len(arms["baseline"])
            name = "ties" if abs(gain) <= Fraction(1, 20) else "candidate_wins"
            counts[experiment]["baseline_wins" if gain < -Fraction(1, 20) else name] += 1
    return counts


def winners_in_mart(connection: Connection, experiment: str) -> Counter[str]:
    names = ("total_tasks", "candidate_wins", "baseline_wins", "ties")
    row = connection.execute(
        "select total_tasks, candidate_wins, baseline_wins, ties"
        " from evals.experiment_summaries where experiment_id = %s",
        [experiment],
    ).fetchone()
    assert row is not None
    return Counter({name: value for name, value in zip(names, row, strict=True) if value})


def compute(runs: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return every mart but evaluation_trials, by name."""
    found = independent_marts.results(runs)
    pairs = independent_pairs.pairs(found)
    return {
        "evaluation_results": [result.row for result in found.values()],
        "evaluation_scores": independent_marts.scores(found),
        "arm_summaries": independent_passes.arms(found),
        "int_results_paired": independent_pairs.paired(pairs),
        "evaluation_comparison_view": independent_pairs.shown(pairs),
        "experiment_summaries": independent_pairs.summaries(pairs),
        "metric_daily_rollups": independent_marts.rollups(found),
        "agent_daily_rollups": independent_marts.agent_rollups(found, runs),
        "version_trends": independent_marts.trends(found),
    }


def read(
    connection: Connection, mart: str, schema: str = "evals"
) -> dict[tuple[Any, ...], dict[str, Any]]:
    schema += "_intermediate" if mart in INTERMEDIATE else ""
    cursor = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, mart)))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return {key_of(row, mart): row for row in rows}


def key_of(row: dict[str, Any], mart: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in {**KEYS, **INTERMEDIATE}[mart])


def assert_rows_agree(
    built: dict[tuple[Any, ...], dict[str, Any]], expected: list[dict[str, Any]], mart: str
) -> None:
    by_key = {key_of(row, mart): row for row in expected}
    assert built.keys() == by_key.keys(), mart
    for key, row in by_key.items():
        for name, value in row.items():
            assert agrees(built[key][name], value), (mart, key, name, built[key][name], value)
