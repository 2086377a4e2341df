"""The command `gate` on the marts of a test, with a policy of the test's."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from loader.cli import cli

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection


def run_gate(
    connection: Connection, *arguments: str, policy: str = "", options: str = ""
) -> Result:
    """Run `gate` as a person does; on exp-1 unless the arguments name something else."""
    if not {"--experiment", "--agent"} & set(arguments):
        arguments = ("--experiment", "exp-1", *arguments)
    url = f"{connection.info.dsn} {options}"
    with TemporaryDirectory() as directory:
        file = Path(directory, "policy.yml")
        file.write_text(f"version: 1\n{policy}\n", encoding="utf-8")
        return CliRunner().invoke(
            cli, ["gate", *arguments, "--policy", str(file), "--database-url", url]
        )


def answer(connection: Connection, *arguments: str, policy: str = "") -> dict[str, Any]:
    """Return the JSON of one verdict; its exit code is that of the process."""
    result = run_gate(connection, *arguments, "--format", "json", policy=policy)
    assert result.stdout, result.output
    found: dict[str, Any]
    (found,) = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def codes(found: dict[str, Any]) -> list[str]:
    """Return the codes of a verdict's reasons, in their order."""
    return [reason["code"] for reason in found["reasons"]]
