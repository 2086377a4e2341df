"""What the YAML of a seed or a mart says of a column is tested, in one statement each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

import servers
from loader.warehouse.connection import connect
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = [pytest.mark.newest_server]


@pytest.fixture(scope="module")
def seeded_url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    """Give a database with the seeds in it."""
    with servers.migrated(postgres_server) as url:
        dbt.run(url, "seed")
        yield url


BROKEN = """
update evals_staging.metrics set position = 2 where position = 1;
update evals_staging.metrics set kind = 'size' where position = 3;
update evals_staging.metrics set weight = -1 where position = 3;
update evals_staging.metrics set weight = 'NaN' where position = 4;
update evals_staging.metrics set direction = null where position >= 4;
update evals_staging.experiment_groups set role = 'judge';
"""


def test_a_row_that_breaks_a_rule_fails_the_seeds_test_and_names_the_rule(
    seeded_url: str, dbt: Dbt
) -> None:
    seeds = ("--select", "test_type:generic,path:seeds", "--store-failures")
    dbt.run(seeded_url, "test", *seeds)
    with connect(seeded_url) as connection:
        connection.execute(BROKEN)
        row = connection.execute(
            "select count(*) from evals_staging.metrics where direction is null"
        ).fetchone()
    passed, messages = dbt.attempt(seeded_url, "test", *seeds)
    assert not passed
    assert {text.split(":")[0].split(".")[2] for text in messages} == {
        "column_rules_metrics_", "column_rules_experiment_groups_",
    }  # fmt: skip
    with connect(seeded_url) as connection:
        of_metrics, of_groups = (
            dict(
                connection.execute(
                    f"select broken_rule, row_count from evals_dbt_test__audit.column_rules_{seed}_"
                ).fetchall()
            )
            for seed in ("metrics", "experiment_groups")
        )
    assert row is not None
    assert of_metrics == {
        "position is unique": 2,
        "kind is one of score, latency, tokens, cost, measurement": 1,
        "weight is from 0 to infinity": 2,
        "direction is required": row[0],
    }
    assert of_groups == {"role is one of control, treatment": 2}


def test_what_the_contract_of_a_mart_says_is_a_constraint_of_its_table(
    postgres_server: str,
) -> None:
    said = {}
    for path in (servers.REPOSITORY / "models" / "marts").rglob("*.yml"):
        for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
            columns = [
                each for column in model["columns"] for each in column.get("constraints", [])
            ]
            kinds = Counter(each["type"] for each in (*model.get("constraints", []), *columns))
            said[model["name"]] = (
                kinds["primary_key"], kinds["unique"], kinds["check"], kinds["not_null"],
            )  # fmt: skip
    with sample_marts(postgres_server) as url, connect(url) as connection:
        found = connection.execute(
            """
            select
                tables.relname,
                count(*) filter (where constraints.contype = 'p'),
                count(*) filter (where constraints.contype = 'u'),
                count(*) filter (where constraints.contype = 'c'),
                (
                    select count(*)
                    from pg_attribute as columns
                    where columns.attrelid = tables.oid and columns.attnotnull
                )
            from pg_class as tables
            left join pg_constraint as constraints on tables.oid = constraints.conrelid
            where tables.relnamespace = 'evals'::regnamespace and tables.relkind = 'r'
            group by tables.oid, tables.relname
            """
        ).fetchall()
    assert found
    for name, keys, unique, checks, not_null in found:
        assert (keys, unique, checks) == said[name][:3], name
        assert not_null >= said[name][3], name  # a primary key's columns are, too
        # a key of which parts may be null is a test of its own
        assert keys + unique or name == "pairwise_preferences"


def test_the_key_of_a_step_is_a_unique_index_and_never_null_in_part(postgres_server: str) -> None:
    """What data tests asked of each step at every build."""
    models = (servers.REPOSITORY / "models" / "intermediate").rglob("*.sql")
    said = {path.stem for path in models if '"unique": true' in path.read_text().lower()}
    with sample_marts(postgres_server) as url, connect(url) as connection:
        found = connection.execute(
            """
            select tables.relname, array_agg(columns.attname::text)
            from pg_index as indexes
            inner join pg_class as tables on indexes.indrelid = tables.oid
            inner join pg_attribute as columns
                on tables.oid = columns.attrelid and columns.attnum = any(indexes.indkey)
            where
                tables.relnamespace = 'evals_intermediate'::regnamespace and indexes.indisunique
            group by tables.relname
            """
        ).fetchall()
        assert said <= {name for name, _ in found}
        assert len(said) > 14
        for name, columns in found:
            nulls = " or ".join(f"{column} is null" for column in columns)
            row = connection.execute(
                f"select count(*) filter (where {nulls}) from evals_intermediate.{name}"
            ).fetchone()
            assert row == (0,), name
