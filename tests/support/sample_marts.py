"""A database that holds the sample and its marts, for tests of what reads them."""

from __future__ import annotations

import subprocess
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from loader.sources.sample import write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def loader(url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run one command on a database; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "loader", *map(str, arguments[:1]), "--database-url", url,
         *map(str, arguments[1:])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@contextmanager
def sample_marts(server: str, directory: Path, *more: Path) -> Iterator[str]:
    """Yield the URL of a new database with the sample, more files, and every mart."""
    name = f"test_{uuid.uuid4().hex}"
    url = make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template template0 encoding 'UTF8'").format(
                sql.Identifier(name)
            )
        )
        try:
            write_sample(directory)
            loader(url, "init")
            files = [*directory.glob("*.jsonl"), *more]
            loader(url, "ingest", *(part for path in files for part in ("--file", path)))
            # dbt's own tests have their place elsewhere
            loader(
                url, "build", "--quiet",
                *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            )  # fmt: skip
            yield url
        finally:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


def copy_rows(connection: psycopg.Connection, mart: str, where: str, **changes: str) -> None:
    """Copy rows of a mart with some columns changed, whatever other columns it has.

    Args:
        connection: to the database.
        mart: which.
        where: what follows `from mart`: a join that multiplies the rows, a condition, a limit.
        changes: SQL by column.
    """
    names = [
        name
        for (name,) in connection.execute(
            "select attname::text from pg_attribute where attrelid = %s::regclass"
            " and attnum > 0 and not attisdropped order by attnum",
            (f"evals.{mart}",),
        )
    ]
    values = ", ".join(changes.get(name, name) for name in names)
    connection.execute(
        f"insert into evals.{mart} ({', '.join(names)}) select {values} from evals.{mart} {where}"
    )
