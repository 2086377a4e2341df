"""A database that holds the sample and its marts, for tests of what reads them."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

import servers
import warehouse_dbt
from loader.cli import cli
from loader.sources.sample import write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from click.testing import Result


def loader(url: str, *arguments: object) -> Result:
    """Run one command on a database, in this process; it must succeed."""
    name, *more = map(str, arguments)
    done = CliRunner().invoke(cli, [name, "--database-url", url, *more])
    assert done.exit_code == 0, done.output
    return done


@contextmanager
def sample_marts(server: str, *more: Path) -> Iterator[str]:
    """Yield the URL of a new database with the sample, more files, and every mart."""
    built = servers.template(server, "sample", _fill)
    with servers.fresh_database(server, built) as url:
        if more:
            ingest(url, *more)
            build(url)
        yield url


def _fill(url: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        files = [path for path in write_sample(Path(directory)) if path.suffix == ".jsonl"]
        loader(url, "init")
        ingest(url, *files)
        build(url)


def ingest(url: str, *files: Path) -> None:
    """Load some files."""
    loader(url, "ingest", *(part for path in files for part in ("--file", path)))


def build(url: str) -> None:
    """Build every mart; the command and dbt's own tests have their place elsewhere."""
    warehouse_dbt.shared().build(url, "--exclude-resource-type", "test")


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
