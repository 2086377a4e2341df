"""`ingest` and `schema` on the command line: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ingest_support import line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def run(
    database_url: str, *arguments: str, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "loader", "ingest", "--database-url", database_url, *arguments],
        input=data,
        capture_output=True,
        check=False,
        env=dict(os.environ),
    )


def test_the_command_prints_what_became_of_the_records(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([line(), line(task_id="b", accuracy="2"), b"{"]))
    done = run(database_url, "--file", str(path), "--max-rejected", "100%")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].startswith("read 3 · loaded 1 · unchanged 0 · rejected 2 · ")
    assert "1 x wrong_type" in done.stdout.decode()
    assert f"{path}, row 2" in done.stdout.decode()
    assert "raw_evals.rejected_rows, load_id 1" in lines[-1]
    assert done.stderr == b""


def test_the_command_says_how_many_reasons_it_left_out(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    broken = [
        line(accuracy="2"),
        line(experiment_group="nobody"),
        b"{",
        line(task_id=""),
        line(x=1),
    ]
    path.write_bytes(b"\n".join([line(task_id="fine"), *broken]))
    lines = run(database_url, "--file", str(path)).stdout.decode().splitlines()
    assert len([told for told in lines if told.startswith("  1 x ")]) == 3
    assert lines[4] == "  and 2 more reasons"


def test_the_command_reads_several_files_and_standard_input(
    database_url: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(line(task_id=name))
    done = run(
        database_url, "--summary-format", "json", "--file", str(tmp_path / "a.jsonl"),
        str(tmp_path / "b.jsonl"), "-", data=line(task_id="c"),
    )  # fmt: skip
    assert json.loads(done.stdout)["loaded"] == 3


@pytest.mark.parametrize(
    ("arguments", "data", "code"),
    [
        ((), b"", 2),
        (("--file", "none.jsonl"), b"", 2),
        (("--file", "-"), b"", 3),
        (("--file", "-"), b"{", 3),
        (("--file", "-", "--strict"), line() + b"\n{", 3),
        (("--file", "-"), line() + b"\n{", 3),
        (("--file", "-", "--max-rejected", "50%"), line() + b"\n{", 0),
        (("--file", "-", "--dry-run"), line(), 0),
    ],
)
def test_exit_codes(database_url: str, arguments: tuple[str, ...], data: bytes, code: int) -> None:
    done = run(database_url, *arguments, data=data)
    assert done.returncode == code, done.stderr


def test_a_server_that_is_away_is_exit_code_4() -> None:
    done = run("postgresql://nobody@127.0.0.1:1/none", "--file", "-", data=line())
    assert done.returncode == 4


def test_the_schema_of_a_record_admits_what_the_loader_admits() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loader", "schema"], capture_output=True, check=True
    )
    schema = json.loads(done.stdout)
    assert schema["required"] == [
        "experiment_id",
        "task_id",
        "experiment_group",
        "extension_version",
    ]
    assert {"scores", "accuracy", "recorded_at", "metadata"} <= schema["properties"].keys()
    assert "feedback" not in schema["properties"]
