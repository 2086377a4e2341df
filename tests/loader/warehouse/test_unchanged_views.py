"""Views that a build takes for built: those that it would find as they are, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import servers
from loader.warehouse.connection import connect
from loader.warehouse.dbt import dbt_environment
from loader.warehouse.project import project_directory
from loader.warehouse.standing import IS_FORCED, STAMP, inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Found = Callable[..., set[str]]

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]
RUN = {
    "experiment_id": "exp-1", "experiment_group": "baseline", "extension_version": "1",
    "scores": {"accuracy": 0.5},
}  # fmt: skip
# How an analyst finds the views of a schema.
VIEWS = """
select
    format('%I.%I', schemas.nspname, relations.relname),
    pg_get_viewdef(relations.oid),
    has_table_privilege('evals_analyst', relations.oid, 'select'),
    obj_description(relations.oid)
from pg_class as relations
inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
where schemas.nspname like 'evals%' and relations.relkind = 'v'
order by 1
"""


def loader(url: str, *words: str, text: str | None = None) -> None:
    command = [sys.executable, "-m", "loader", words[0], "--database-url", url, *words[1:]]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ingest(url: str, task: str) -> None:
    line = json.dumps(RUN | {"task_id": task})
    loader(url, "ingest", "--file", "-", "--format", "jsonl", text=line)


@pytest.fixture(scope="module")
def built_url(postgres_server: str) -> Iterator[str]:
    """Give a database that a build of everything has left."""
    with servers.migrated(postgres_server) as url:
        ingest(url, "t-1")
        loader(url, "build", "--quiet")
        yield url


@pytest.fixture
def url(built_url: str, postgres_server: str) -> Iterator[str]:
    """Give a copy of it."""
    with connect(built_url) as connection:
        name = connection.info.dbname
    with servers.fresh_database(postgres_server, name) as copy:
        yield copy


@pytest.fixture
def found(url: str, monkeypatch: pytest.MonkeyPatch) -> Found:
    """Give what says which views a build would leave alone, by their names."""
    from loader.warehouse import parsed, unchanged_views  # dbt takes its time

    variables = dbt_environment(url)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    words = ["build", "--project-dir", str(project_directory())]
    manifest = parsed.manifest(words)
    inputs = inputs_of(words, variables)

    def find(**told: object) -> set[str]:
        monkeypatch.setenv(STAMP, json.dumps({"inputs": inputs, IS_FORCED: False} | told))
        return {name.rpartition(".")[2] for name in unchanged_views.find(manifest, "this one")}

    return find


def execute(url: str, *statements: str) -> None:
    with connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_after_a_build_of_everything_every_view_is_known(url: str, found: Found) -> None:
    with connect(url) as connection:
        views = {name.rpartition(".")[2] for name, *_ in connection.execute(VIEWS)}
    assert len(views) > 30
    assert found() == views
    ingest(url, "t-2")
    assert found() == views, "what is loaded changes no view"
    own = """
        insert into evals_staging.builds (status, holder)
        values ('running', '{"token": "this one"}')
    """
    execute(url, own)
    assert found() == views, "the build itself is none that came between"


def test_one_that_is_not_what_the_build_left_is_looked_at(url: str, found: Found) -> None:
    before = found()
    execute(url, "revoke select on evals.run_contents from evals_analyst")
    assert before - found() == {"run_contents"}
    execute(url, "alter view evals.summary_scores rename to mine")
    assert before - found() == {"run_contents", "summary_scores"}
    execute(url, "alter view evals.mine rename to summary_scores")
    execute(url, "create or replace view evals.summary_scores as " + definition(url) + " limit 1")
    assert before - found() == {"run_contents", "summary_scores"}
    execute(url, "drop view evals_staging.stg_loads cascade")
    gone = before - found()
    assert "stg_loads" in gone
    with connect(url) as connection:
        there = {name.rpartition(".")[2] for name, *_ in connection.execute(VIEWS)}
    assert gone == (before - there) | {"run_contents", "summary_scores"}


def definition(url: str) -> str:
    with connect(url) as connection:
        row = connection.execute("select pg_get_viewdef('evals.summary_scores'::regclass)")
        return str(row.fetchone()[0]).rstrip(";")  # type: ignore[index]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from evals_staging.build_stamps",
        "insert into evals_staging.builds (status, holder) values ('failed', '{}')",
        "drop schema evals_staging cascade",
    ],
)
def test_after_another_build_all_are_looked_at(url: str, found: Found, statement: str) -> None:
    assert found()
    execute(url, statement)
    assert found() == set()


def test_what_is_made_of_something_else_or_forced_is_looked_at(found: Found) -> None:
    assert found()
    assert found(inputs="others") == set()
    assert found(inputs=None) == set()
    assert found(is_forced=True) == set()


def test_a_build_mends_what_was_broken_and_compiles_no_other_view(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path))
    with connect(url) as connection:
        before = connection.execute(VIEWS).fetchall()
    ingest(url, "t-2")
    execute(
        url,
        "revoke select on evals.run_contents from evals_analyst",
        "drop view evals.run_scores cascade",
    )
    loader(url, "build", "--quiet")
    with connect(url) as connection:
        assert connection.execute(VIEWS).fetchall() == before
        tasks = connection.execute("select count(distinct task_id) from evals.run_scores")
        assert tasks.fetchone() == (2,)
    assert compiled(tmp_path) & names(before) >= {"run_contents", "run_scores"}
    assert len(compiled(tmp_path) & names(before)) < 5
    (tmp_path / "dbt.log").unlink()
    loader(url, "build", "--quiet", "--force")
    assert compiled(tmp_path) >= names(before)


def names(views: list[tuple[str, ...]]) -> set[str]:
    return {name.rpartition(".")[2] for name, *_ in views}


def compiled(log: Path) -> set[str]:
    text = (log / "dbt.log").read_text()
    return {*re.findall(r"Began compiling node model\.evalmart\.(\w+)", text)}
