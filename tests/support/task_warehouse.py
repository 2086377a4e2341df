"""A warehouse of single tasks: loaded, built with rows of a seed, and read as rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
from click.testing import CliRunner

from loader.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from warehouse_dbt import Dbt


class Lived:
    """A database, its commands, its builds, and its marts as rows."""

    def __init__(self, url: str, dbt: Dbt) -> None:
        """Keep where it is and who builds it."""
        self.url = url
        self.dbt = dbt

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Run a command, which must end so; return what it says."""
        result = CliRunner().invoke(cli, [*arguments, "--database-url", self.url])
        assert result.exit_code == exit_code, result.output
        return result.output

    def rows(self, mart: str, condition: str = "true") -> list[dict[str, Any]]:
        """Return the rows of a mart."""
        query = f"select to_jsonb(found) from evals.{mart} as found where {condition}"
        with psycopg.connect(self.url) as connection:
            return [row for (row,) in connection.execute(query.encode()).fetchall()]

    def ingest(self, records: Iterable[Mapping[str, Any]], folder: Path) -> None:
        """Load records by way of a file in a folder."""
        path = folder / "results.jsonl"
        path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
        self.run("ingest", "--file", str(path))

    def build_with(self, *statements: str) -> None:
        """Build everything with the project's seeds, changed by statements."""
        self.dbt.run(self.url, "seed")
        self.change(*statements)
        self.build()

    def change(self, *statements: str) -> None:
        """Run statements and commit."""
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def build(self) -> None:
        """Build what changed, the seeds as they are, with the tests of what was built."""
        self.dbt.build(self.url, "--exclude", "resource_type:seed")
