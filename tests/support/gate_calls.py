"""The command `gate` on the marts of a test, with a policy of the test's."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from loader.cli import cli
from loader.cli.gate import gate

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


def call_gate(connection: Connection, *arguments: str, policy: str | None = None) -> Result:
    """Call the command itself: what it raises comes as it is. The policy is a whole file."""
    with TemporaryDirectory() as directory:
        if policy is not None:
            file = Path(directory, "policy.yml")
            file.write_text(policy, encoding="utf-8")
            arguments = (*arguments, "--policy", str(file))
        if "--agent" not in arguments:
            arguments = ("--experiment", "exp-1", *arguments)
        return CliRunner().invoke(
            gate, [*arguments, "--database-url", connection.info.dsn], standalone_mode=True
        )


def ledger(connection: Connection, columns: str = "*") -> list[tuple[object, ...]]:
    """Return what the gate has recorded, the earliest first."""
    rows = connection.execute(
        f"select {columns} from raw_evals.gate_decisions order by decided_at".encode()
    ).fetchall()
    connection.commit()
    return rows
