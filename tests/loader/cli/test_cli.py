from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from loader import errors
from loader.cli import COMMANDS, cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
    assert f"evalmart {name}" in result.output


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
@click.option("--database-url")
def fails(error: str, database_url: str | None) -> None:
    del database_url
    if error in UNEXPECTED:
        raise UNEXPECTED[error]
    raise getattr(errors, error)("what went wrong")


UNEXPECTED: dict[str, BaseException] = {
    "bug": KeyError("reference"),
    "right": psycopg.errors.InsufficientPrivilege("permission denied for table runs\nDETAIL: x"),
    "secret": ValueError("cannot read postgresql://me:hunter22@host/db\nsecond line"),
    "silent": RuntimeError(),
    "full disk": OSError(28, "No space left on device"),
    "one of click's": click.ClickException("generic"),
    "abort": click.Abort(),
    "interrupt": KeyboardInterrupt(),
}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ConfigurationError", 2),
        ("InputRejected", 3),
        ("SourceUnavailable", 4),
        ("WarehouseUnavailable", 4),
        ("NothingToJudge", 5),
        ("LoaderError", 70),
    ],
)
def test_each_error_has_the_exit_code_of_the_contract(
    monkeypatch: pytest.MonkeyPatch, error: str, code: int
) -> None:
    monkeypatch.setitem(COMMANDS, "fails", (f"{__name__}:fails", "Fails."))
    result = CliRunner().invoke(cli, ["fails", error])
    assert result.exit_code == code
    assert result.stderr == "Error: what went wrong\n"


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(COMMANDS, "fails", (f"{__name__}:fails", "Fails."))

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["loader", *arguments])
        return CliRunner().invoke(cli, arguments)

    return run


@pytest.mark.parametrize("kind", ["bug", "right", "secret", "silent", "full disk"])
def test_what_nobody_expected_is_one_line_and_a_file_that_only_its_owner_reads(
    fail: Callable[..., Result], kind: str, tmp_path: Path
) -> None:
    result = fail("fails", kind)
    assert result.exit_code == 70
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"unexpected {type(UNEXPECTED[kind]).__name__}")
    (file,) = (tmp_path / "home" / "errors").iterdir()
    assert f"details in {file}; " in line
    assert "Traceback" not in line
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Traceback (most recent call last)" in file.read_text()
    assert f"arguments: fails {kind}" in file.read_text()


def test_no_secret_is_told_or_kept(
    fail: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSWORD", "pass%word")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    message = "sk-0123456789 and pass%word at password='a quoted one' s3cr3t/ok hunter22"
    monkeypatch.setitem(UNEXPECTED, "secret", ValueError(message))
    url = "postgresql://me:s3cr3t%2Fok@host/db"
    result = fail("--debug", "fails", "secret", "--database-url", url)
    (file,) = (tmp_path / "home" / "errors").iterdir()
    for text in (result.stderr, file.read_text()):
        assert "hunter22" in text
        for secret in ("sk-0123456789", "pass%word", "a quoted one", "s3cr3t"):
            assert secret not in text


def test_a_traceback_is_printed_only_with_debug(fail: Callable[..., Result]) -> None:
    assert "Traceback" not in fail("fails", "bug").stderr
    debugged = fail("--debug", "fails", "bug")
    assert debugged.exit_code == 70
    assert "Traceback" in debugged.stderr
    assert "unexpected KeyError: 'reference'; details in " in debugged.stderr
    on_purpose = fail("--debug", "fails", "ConfigurationError")
    assert on_purpose.exit_code == 2
    assert "Traceback" in on_purpose.stderr


@pytest.mark.parametrize(
    ("kind", "code"), [("one of click's", 2), ("abort", 130), ("interrupt", 130)]
)
def test_no_failure_exits_as_if_the_gate_had_blocked(
    fail: Callable[..., Result], kind: str, code: int
) -> None:
    result = fail("fails", kind)
    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_a_folder_that_cannot_be_written_does_not_hide_the_error(
    fail: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path / "taken"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing" / "also"))
    (tmp_path / "missing").write_text("")
    result = fail("fails", "bug")
    assert result.exit_code == 70
    assert "the details could not be written to a file" in result.stderr


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    code = (
        "import sys\n"
        "from loader.cli import main\n"
        "sys.stdin.read()\n"  # until nobody reads what is printed
        "main(['schema'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141
    process.stderr.close()


def test_the_help_lists_every_exit_code() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    listed = re.findall(r"^  +(\d+)  +\w", text, re.MULTILINE)
    assert listed == ["0", "1", "2", "3", "4", "5", "70"]


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


@pytest.mark.parametrize(
    "command",
    [
        ["summary"],
        ["compare"],
        ["trend"],
        ["trend", "--agent", "a"],
        ["recent", "--limit", "0"],
        ["recent", "--format", "xml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(command: list[str]) -> None:
    assert CliRunner().invoke(cli, command).exit_code == 2
