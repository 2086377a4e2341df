"""A server with the rights that its provider gives: docs/postgresql.md as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import servers
from loader.errors import WarehouseUnavailable
from loader.warehouse.connection import connect
from loader.warehouse.doctor import examine_server
from loader.warehouse.migrate import migrate
from sample_marts import loader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE = servers.REPOSITORY / "docs" / "postgresql.md"
_BLOCKS = re.compile(r"^```sql\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_AS = re.compile(r"-- as the administrator(?:, in (\w+))?\n")
_DATABASES = ("evaluations", "shared", "narrow")
_EXPERIMENT = "exp-1"
pytestmark = pytest.mark.slow


class Cloud(NamedTuple):
    """A server as a provider gives it, after the page's blocks were run."""

    administrator: str
    """May create databases and roles, and is no superuser."""

    def url(self, database: str, user: str = "evalmart") -> str:
        return make_conninfo(self.administrator, dbname=database, user=user)


@pytest.fixture(scope="module", params=servers.available(), ids=lambda name: f"postgres{name}")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Start a server, make its administrator, and run every SQL block of the page as it says."""
    with servers.own(request.param) as superuser:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("create role administrator login createdb createrole")
        administrator = make_conninfo(superuser, user="administrator", dbname="postgres")
        blocks = _BLOCKS.findall(_PAGE.read_text(encoding="utf-8"))
        assert len(blocks) == 5
        for block in blocks:
            told = _AS.match(block)
            assert told, block
            place = make_conninfo(administrator, dbname=told[1] or "postgres")
            with psycopg.connect(place, autocommit=True) as connection:
                for statement in block[told.end() :].split(";\n"):
                    if statement.strip():
                        connection.execute(statement.encode())
        yield Cloud(administrator)


def _results(folder: Path) -> Path:
    path = folder / "results.jsonl"
    records = [
        {
            "experiment_id": _EXPERIMENT,
            "task_id": f"task-{number}",
            "experiment_group": arm,
            "extension_version": "1.0",
            "scores": {"accuracy": 0.5 + number / 100 + gain},
            "recorded_at": "2025-03-01T00:00:00Z",
        }
        for number in range(12)
        for arm, gain in (("baseline", 0.0), ("code-chef", number / 50))
    ]
    lines = [json.dumps(record) + "\n" for record in records]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _found(url: str) -> dict[str, tuple[bool | None, str, str]]:
    return {
        finding.subject: (finding.passed, finding.detail, finding.remedy)
        for finding in examine_server(url)
    }


@pytest.mark.parametrize("database", _DATABASES)
def test_a_role_with_such_rights_comes_to_its_verdict(
    cloud: Cloud, database: str, tmp_path: Path
) -> None:
    url = cloud.url(database)
    found = _found(url)
    assert found["schema raw_evals"][0] is False
    assert found["rights"][1] == "evalmart may load and build"
    results = _results(tmp_path)
    loader(url, "init")
    loader(url, "ingest", "--file", results)
    loader(url, "build", "--quiet")
    assert "Recommendation" in loader(url, "summary", "--experiment", _EXPERIMENT).stdout
    assert _gate(url).returncode in {0, 1, 5}
    assert all(passed for passed, _, _ in _found(url).values()), _found(url)
    reader, gatekeeper = cloud.url(database, "maria"), cloud.url(database, "ci")
    loader(reader, "summary", "--experiment", _EXPERIMENT)
    assert _gate(gatekeeper).returncode in {0, 1, 5}
    loader(gatekeeper, "ingest", "--file", results)
    with connect(url) as connection:
        rows = connection.execute(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
            " union all select count(*) from pg_extension where extname <> 'plpgsql'"
        ).fetchall()
    assert rows == [(0,), (0,)], "the page says neither is used"


def test_a_role_that_may_make_no_schema_has_no_as_of_and_is_told_why(cloud: Cloud) -> None:
    """Needs what the test of `narrow` has built."""
    url = cloud.url("narrow")
    command = [sys.executable, "-m", "loader", "summary", "--experiment", _EXPERIMENT]
    said = subprocess.run(
        [*command, "--as-of", "2030-01-01", "--database-url", url],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 4
    assert "permission denied for database narrow" in said.stderr


def _gate(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loader", "gate", "--experiment", _EXPERIMENT]
    return subprocess.run(
        [*command, "--database-url", url], capture_output=True, text=True, check=False
    )


def test_a_role_without_any_right_is_told_which_statement_gives_it(cloud: Cloud) -> None:
    with psycopg.connect(cloud.administrator, autocommit=True) as administrator:
        administrator.execute("create database bare")
        administrator.execute("revoke temporary on database bare from public")
        url = cloud.url("bare")
        _, detail, remedy = _found(url)["rights to build"]
        assert detail.startswith("create and temporary on the database")
        assert remedy.endswith("grant create, temporary on database bare to evalmart;")
        with connect(url) as connection, pytest.raises(WarehouseUnavailable, match="may not cre"):
            migrate(connection)
        administrator.execute(remedy.partition("run: ")[2].encode())
    assert "rights to build" not in _found(url)


def test_where_nobody_made_the_roles_the_owner_works_alone_and_is_told_how_to(
    cloud: Cloud,
) -> None:
    with psycopg.connect(cloud.administrator, autocommit=True) as administrator:
        administrator.execute("create database alone owner evalmart")
        administrator.execute("alter role evals_gate rename to evals_gate_away")
        try:
            said = loader(cloud.url("alone"), "init")
            assert "cannot create role evals_gate: ask an administrator" in said.stderr
            passed, _, remedy = _found(cloud.url("alone"))["role evals_gate"]
            assert passed is None
            assert "create role evals_gate nologin;" in remedy
        finally:
            administrator.execute("alter role evals_gate_away rename to evals_gate")
    loader(cloud.url("alone"), "init")
    assert _found(cloud.url("alone"))["role evals_gate"][0] is True


def test_an_administrator_of_a_provider_makes_the_roles_by_init_itself() -> None:
    with servers.own("18") as superuser:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("create role administrator login createdb createrole")
            connection.execute("create database mine owner administrator")
        url = make_conninfo(superuser, user="administrator", dbname="mine")
        said = loader(url, "init")
        assert "ask an administrator" not in said.stderr
        assert all(
            passed for subject, (passed, _, _) in _found(url).items() if subject.startswith("role")
        )
