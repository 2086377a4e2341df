from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from loader import errors
from loader.cli import COMMANDS, cli


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_help_starts_without_dbt_langsmith_or_a_driver() -> None:
    loaded = _python(
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from loader.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    for module in ("dbt", "langsmith", "psycopg", "rich", "msgspec"):
        assert f"'{module}'" not in loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Example:" in result.output
    assert f"python -m loader {name}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_one_command_imports_neither_dbt_nor_langsmith(name: str) -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from loader.cli import cli\n"
        f"CliRunner().invoke(cli, ['{name}', '--help'])\n"
        "print([m for m in ('dbt', 'langsmith') if m in sys.modules])"
    )
    assert _python(code).strip() == "[]"


@click.command()
@click.argument("error")
def fails(error: str) -> None:
    raise getattr(errors, error)("what went wrong")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ConfigurationError", 2),
        ("InputRejected", 3),
        ("SourceUnavailable", 4),
        ("WarehouseUnavailable", 4),
    ],
)
def test_each_error_has_the_exit_code_of_the_contract(
    monkeypatch: pytest.MonkeyPatch, error: str, code: int
) -> None:
    monkeypatch.setitem(COMMANDS, "fails", (f"{__name__}:fails", "Fails."))
    result = CliRunner().invoke(cli, ["fails", error])
    assert result.exit_code == code
    assert result.stderr == "Error: what went wrong\n"


def test_an_unknown_command_and_a_missing_server_exit_as_the_contract_says() -> None:
    run = [sys.executable, "-m", "loader"]
    unknown = subprocess.run([*run, "nonsense"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    missing = subprocess.run(
        [*run, "init"],
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 4
    assert "Traceback" not in missing.stderr
