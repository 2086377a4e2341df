"""Whatever ingest takes, and whatever a role may insert by hand, one build digests."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from extreme_records import Extremes
from ingest_support import load_records, record, select
from loader.ingest.entries import Counts, draw_load_id, insert_load
from loader.ingest.load import load
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

RECORDS = 10_000
_NUMBERS = """
select format('%I.%I', table_schema, table_name), column_name
from information_schema.columns
where table_schema = 'evals' and data_type in ('double precision', 'numeric')
"""


@pytest.fixture(scope="module")
def built_url(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a database with the raw schema, for one test after the other."""
    del tmp_path_factory
    with servers.migrated(postgres_server) as url:
        yield url


def not_finite(url: str) -> list[tuple[str, str]]:
    """Name the columns of marts that hold infinity or NaN."""
    found = []
    with psycopg.connect(url) as connection:
        for table, column in connection.execute(_NUMBERS).fetchall():
            values = "('NaN', 'Infinity', '-Infinity')"
            query = f'select from {table} where "{column}" in {values} limit 1'
            if connection.execute(query.encode()).fetchone() is not None:
                found.append((table, column))
    return found


LONG = "(select string_agg(md5(n::text), '') from generate_series(1, {}) as n)"
# SQL of values that nothing but the raw tables' own constraints looks at
BY_HAND: dict[str, tuple[str, ...]] = {
    "scores": (
        "'[]'", "'null'", "'7'", """'{"a": "x"}'""", """'{"a": [1]}'""", """'{"a": {}}'""",
        """'{"a": 1e30, "b": -1e30, "c": null, "d": true, "accuracy": 1e-16000}'""",
        """'{"a": 1e31}'""", """'{"a": 1e5000}'""", """'{"": 1, "accuracy": 1}'""",
        "jsonb_build_object(repeat('k', 3000), 1)",
        f"jsonb_build_object({LONG.format(90)}, 1)",
        f"jsonb_build_object({LONG.format(25)}, 1)",
        "(select jsonb_object_agg(n, 0.5) from generate_series(1, 300) as n)",
    ),
    "measurements": (
        "'[]'", """'{"a": null}'""", """'{"a": true}'""", """'{"m": 1e30}'""", """'{"m": 1e31}'""",
        """'{"m": 1e-16000}'""", """'{"latency_ms": 5, "accuracy": 7}'""", """'{"m": "1"}'""",
        f"jsonb_build_object({LONG.format(90)}, 1)",
    ),
    "score_scales": (
        "null", "'[]'", """'{"accuracy": [1, 1]}'""", """'{"accuracy": [5, 1]}'""", "'7'",
        """'{"accuracy": ["a", "b"]}'""", """'{"accuracy": [0, 1e31]}'""", """'{"accuracy": 5}'""",
        """'{"accuracy": [0, 1e-16000]}'""", """'{"accuracy": [0, 1, 2]}'""",
        """'{"accuracy": [-1e30, 1e30]}'""", """'{"accuracy": null}'""", """'{"accuracy": []}'""",
    ),
    "set_aside": (
        "'[]'", """'{"cost_usd": 1e5000, "scores.accuracy": "x", "x": [], "": -1e-5000}'""",
        f"jsonb_build_object({LONG.format(90)}, 1)",
    ),
    "labels": ("'[]'", """'{"a": 1, "b": [], "accuracy": "x"}'""", "'7'"),
    "comments": ("'[]'", """'{"a": 7}'"""),
    "evaluator_versions": ("'[]'", """'{"accuracy": {"a": 1}, "b": null, "c": []}'""", "'7'"),
    "metadata": (
        "'[]'", """'{"category": [[["a"]], {"b": 1e5000}], "split": 1e-9000, "cluster_id": [1]}'""",
        """jsonb_build_object('a', (repeat('[', 5000) || repeat(']', 5000))::jsonb)""",
        "jsonb_build_object('category', (select jsonb_agg(n) from generate_series(1, 5000) as n))",
    ),
    "feedback": (
        "'{}'", "'7'", """'[7, "x", null, {"outcome": "pairwise"}]'""",
        """'[{"outcome": "pairwise", "key": "k", "comparative_experiment_id": "c", "score": 1e5000,
        "correction": {"score": "x"}, "created_at": 7, "feedback_group_id": [1]}]'""",
    ),
    "latency_ms": ("'NaN'", "'Infinity'", "-1", "1e12", "1e13", "5e-324"),
    "cost_usd": ("'NaN'", "'-Infinity'", "1e9", "1e308", "5e-324"),
    "tokens_used": ("-1", "1000000000000", "9223372036854775807"),
    "cached_tokens": ("-1", "9223372036854775807"),
    "repetition": ("1000000000", "2147483647"),
    "run_version": ("1000000000", "2147483647"),
    "recorded_at": ("'infinity'", "'-infinity'", "'1970-01-01Z'", "'2199-12-31Z'", "'9999-01-01Z'"),
    "loaded_at": ("'infinity'", "'-infinity'", "'2199-12-31Z'"),
    "task_id": ("''", "repeat('é', 256)", "repeat('t', 513)"),
    "extension_version": ("''", "repeat('9', 256)", "repeat('1.', 128)", "E'\\u2028'"),
    "agent_name": ("''", "repeat('a', 257)"),
    "model_version": ("''", "repeat('m', 257)"),
    "baseline_experiment_id": ("''", "'e'", "repeat('b', 513)"),
    "experiment_group": ("'nobody'", "''"),
    "source": ("''", "repeat('s', 256)", "repeat('s', 257)"),
    "source_run_id": ("''", "'a#99999999999999'", "'[1,99999999999999]'", "repeat('r', 1025)"),
}  # fmt: skip
RUN: dict[str, str] = {
    "experiment_id": "'e'", "source": "'hand'", "source_run_id": "gen_random_uuid()::text",
    "run_version": "1", "content_hash": "gen_random_uuid()", "task_id": "'t' || random() * 9",
    "experiment_group": "'code-chef'", "extension_version": "'1'", "model_version": "'m'",
    "scores": """'{"accuracy": 0.5}'""", "measurements": "'{}'", "evaluator_versions": "'{}'",
    "feedback": "'[]'", "metadata": "'{}'",
}  # fmt: skip
ARM = "experiment_id, experiment_group, extension_version"
BESIDE: dict[tuple[str, str], tuple[str, ...]] = {
    ("arm_plans", f"{ARM}, planned_repetitions, planned_tasks"): (
        "'e', 'code-chef', '1', 1000000000, 1000000000",
        "'e', 'baseline', '1', 2147483647, 1",
    ),
    ("score_configs", "experiment_id, evaluator_key, kind, scale_min, scale_max, categories"): (
        "'e', 'accuracy', 'categorical', '-Infinity', 'NaN', '[]'",
        """'e', 'accuracy', 'categorical', null, null, '{"a": [1, {"label": []}]}'""",
        "'e', 'own', 'continuous', -1e30, 1e30, '7'",
    ),
    (
        "summary_scores",
        f"{ARM}, feedback_id, evaluator_key, author_kind, score, scored_at",
    ): (
        "'e', 'code-chef', '1', 'f', 'k', 'person', 'NaN', null",
        "'e', 'code-chef', '1', 'g', 'k', 'person', 1e30, 'infinity'",
        "'e', 'code-chef', '1', repeat('f', 512), repeat('k', 128), 'person', -1e30, null",
    ),
    ("experiment_group_roles", "experiment_id, experiment_group, role"): (
        "'e', 'nobody', 'control'",
        "'e', repeat('g', 257), 'control'",
    ),
    ("load_experiments", "experiment_id, baseline_experiment_id"): (
        "'e', repeat('b', 512)",
        "'e', repeat('b', 513)",
        "'e', null",
    ),
    ("rejected_rows", "origin, row_number, reason_code, reason, payload"): (
        "'', -9223372036854775808, repeat('c', 256), '', ''",
        "'', 1, repeat('c', 3000), '', ''",
    ),
}


def inserted(connection: psycopg.Connection, statement: str) -> bool:
    """Insert by hand; return whether the table took it."""
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except (psycopg.errors.IntegrityError, psycopg.errors.DataError):
        return False
    return True


def test_rows_by_hand_that_the_raw_tables_take_are_built(database_url: str, dbt: Dbt) -> None:
    taken = []
    with connect(database_url) as connection, connection.transaction():
        load_id = draw_load_id(connection)
        sound = [RUN | {"experiment_group": group} for group in ("'baseline'", "'code-chef'")]
        odd = [
            RUN | {"is_id_derived": "true"} | {column: value}
            for column, values in BY_HAND.items()
            for value in values
        ]
        for row in [*sound, *odd]:
            names, values = ", ".join(row), ", ".join(row.values())
            statement = (
                f"insert into raw_evals.evaluation_runs (load_id, {names})"
                f" values ({load_id}, {values})"
            )
            taken.append(inserted(connection, statement))
        loaded = sum(taken)
        for (table, names), rows in BESIDE.items():
            for values in rows:
                statement = (
                    f"insert into raw_evals.{table} (load_id, {names}) values ({load_id}, {values})"
                )
                taken.append(inserted(connection, statement))
        assert not inserted(
            connection,
            "insert into raw_evals.loads (load_id, source, source_ref, loader_version, started_at,"
            " finished_at, rows_read, rows_loaded, rows_unchanged, rows_rejected)"
            f""" values ({load_id}, 'purge', '{{"before": "x"}}', '', now(), now(), 0, 0, 0, 0)""",
        )
        counts = Counts(
            read=loaded + 1, loaded=loaded, rejected=1, reject_counts={"invalid_value": 1}
        )
        insert_load(connection, load_id, "hand", {}, experiment="e", counts=counts)
    assert taken[:2] == [True, True]
    assert 40 < sum(taken) < len(taken) - 40
    dbt.build(database_url)
    assert not_finite(database_url) == []


# what a version before the bounds took
OLD = (
    "latency_ms = 1e308, cost_usd = 1e308, tokens_used = 9223372036854775807",
    "latency_ms = 'NaN', cost_usd = 'Infinity', cached_tokens = -1",
    """measurements = '{"turns": 1e308, "steps": 3}', scores = '{"own": 1e308}'""",
    """scores = '[]', measurements = '[7]', metadata = '7', labels = '[]', set_aside = '[]'""",
    "recorded_at = 'infinity', loaded_at = 'infinity', evaluator_versions = '[]'",
)


def test_a_database_that_holds_more_than_is_taken_today_builds_again(
    database_url: str, dbt: Dbt
) -> None:
    records = [
        record(task_id=f"t{task}", experiment_group=group, accuracy=0.5, cost_usd=1.0)
        for task in range(len(OLD))
        for group in ("baseline", "code-chef")
    ]
    load_records(database_url, records)
    with connect(database_url) as connection:
        for name in ("numbers_are_measured", "times_are_known", "scores_are_numbers",
                     "json_is_shaped"):  # fmt: skip
            table = "alter table raw_evals.evaluation_runs"
            connection.execute(f"{table} drop constraint evaluation_runs_{name}".encode())
        for task, values in enumerate(OLD):
            statement = f"update raw_evals.evaluation_runs set {values} where task_id = 't{task}'"
            connection.execute(statement.encode())
    dbt.build(database_url)
    assert not_finite(database_url) == []
    aside = select(
        database_url,
        "select field, reason, runs from evals.set_aside_scores"
        " where experiment_group = 'baseline' order by 1",
    )
    assert aside == [
        ("cached_tokens", "negative", 1),
        ("cost_usd", "out_of_range", 1),
        ("latency_ms", "out_of_range", 1),
        ("measurements.turns", "out_of_range", 1),
        ("tokens_used", "out_of_range", 1),
    ]
    counted = select(
        database_url,
        "select value from evals.evaluation_scores where metric = 'steps' or metric = 'cost_usd'"
        " and experiment_group = 'baseline' order by 1",
    )
    assert counted == [(1.0,), (1.0,), (1.0,), (3.0,), (3.0,)]


@pytest.mark.newest_server
def test_ten_thousand_extreme_records_that_ingest_takes_are_built_into_finite_marts(
    built_url: str, dbt: Dbt, tmp_path: Path
) -> None:
    extremes = Extremes(random.Random(16), 6)  # noqa: S311  the same records every time
    path = tmp_path / "extreme.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for run in range(RECORDS):
            file.write(f"{json.dumps(extremes.record(run))}\n")
    with connect(built_url) as connection:
        summary = load(connection, FileSource([str(path)]), read_vocabulary())
    assert (summary.read, summary.loaded) == (RECORDS, RECORDS), summary.reasons
    dbt.build(built_url)
    assert not_finite(built_url) == []
    [(counted,)] = select(built_url, "select count(*) from evals.evaluation_trials")
    assert counted == RECORDS
    # a name too long for an index entry is cut, and stays another than its neighbour's
    names = select(
        built_url,
        "select distinct segment from evals.experiment_segment_comparisons"
        " where segment ~ '… [0-9a-f]{32}$'",
    )
    assert len(names) >= 3
    assert max(len(name.encode()) for (name,) in names) <= 300
