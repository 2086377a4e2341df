"""Four commands on a real terminal of 80 columns, with long names: no line longer, no word cut."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from loader.show.fitting import fit
from loader.show.layout import Heading
from sample_marts import loader, sample_marts
from servers import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = 80
NAME = "an-experiment-whose-name-has-exactly-as-many-letters-as-a-narrow-terminal-is-wid"
TASK = "repository/pull-request-1234/make-the-retry-of-payments-idempotent-and-say-so"
VERSION = "2.10.0-nightly.20250113+build.1234567890.linux.amd64"
METRIC = "share_of_answers_that_cite_a_source"
LEFT_OUT = "--wide shows"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def marts(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the sample, and an experiment of long names with a verdict in the ledger."""
    runs = [
        {
            "experiment_id": NAME,
            "task_id": f"{TASK}-{place}",
            "experiment_group": group,
            "extension_version": f"{VERSION}-{group}",
            "agent_name": "agent",
            "scores": {METRIC: (place * 7 % 10) / 10 + (0.05 if group == "code-chef" else 0)},
            "latency_ms": 900 + place,
        }
        for place in range(20)
        for group in ("baseline", "code-chef")
    ]
    path = tmp_path_factory.mktemp("long") / "long.json"
    path.write_text(json.dumps(runs), encoding="utf-8")
    with sample_marts(postgres_server, path) as url:
        yield url


def on_a_terminal(*arguments: str) -> tuple[str, int]:
    """Run a command on a terminal of 80 columns; return what it shows, and its exit code."""
    process, terminal = pty.fork()
    if not process:  # pragma: no cover  another process
        os.chdir(REPOSITORY)
        os.environ.pop("COLUMNS", None)
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, "-P", "-m", "loader", *arguments])  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    parts = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:
        pass  # the other side is closed
    finally:
        os.close(terminal)
    _, status = os.waitpid(process, 0)
    shown = _STYLE.sub("", b"".join(parts).decode()).replace("\r\n", "\n")
    return shown, os.waitstatus_to_exitcode(status)


def holds(shown: str, piped: str) -> None:
    """Hold what a terminal shows against what a pipe gets: no line too long, no word broken."""
    lines = shown.splitlines()
    assert max(map(len, lines)) <= COLUMNS, max(lines, key=len)
    words = set(piped.split()) | set(re.findall(r"[^\s.,;]+", piped))
    about = next((place for place, line in enumerate(lines) if "Left out:" in line), len(lines))
    for word in " ".join(lines[:about]).split():
        assert word in words or not word.strip("─"), word


COMMANDS = [
    ("experiments", ["experiments"], [NAME]),
    ("trend", ["trend", "--agent", "agent", "--metric", METRIC], [f"{VERSION}-code-chef"]),
    ("compare", ["compare", "--experiment", NAME, "--limit", "5"], [METRIC, TASK]),
]


@pytest.mark.newest_server
@pytest.mark.slow
@pytest.mark.parametrize(("name", "command", "names"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_command_breaks_no_word_at_80_columns(
    marts: str, name: str, command: list[str], names: list[str]
) -> None:
    del name
    shown, code = on_a_terminal(*command, "--database-url", marts)
    assert code == 0
    piped = loader(marts, *command).stdout
    holds(shown, piped)
    assert all(each in shown for each in names)
    assert LEFT_OUT in " ".join(shown.split())
    wide, _ = on_a_terminal(*command, "--wide", "--database-url", marts)
    assert LEFT_OUT not in wide
    assert set(piped.split()) <= set(wide.split())


@pytest.mark.newest_server
@pytest.mark.slow
def test_replay_breaks_no_word_at_80_columns(marts: str, tmp_path: Path) -> None:
    policy = tmp_path / "strict.yml"
    policy.write_text("version: 1\nminimum_pairs: 100000\n", encoding="utf-8")
    loader(marts, "gate", "--experiment", "exp-2025-01-001")
    on_a_terminal("gate", "--experiment", NAME, "--database-url", marts)
    command = ["replay", "--policy", str(policy), "--database-url", marts]
    wide, code = on_a_terminal(*command, "--wide")
    assert code == 5
    assert LEFT_OUT not in wide
    shown, _ = on_a_terminal(*command)
    holds(shown, wide)
    assert "exp-2025-01-001" in shown


def _columns(
    *columns: tuple[str, int, bool, str],
) -> tuple[list[Heading], list[list[tuple[str, str]]]]:
    headings = [Heading(text, is_whole=whole, rank=rank) for text, rank, whole, _ in columns]
    return headings, [[(cell, "") for *_, cell in columns]]


def test_columns_leave_from_the_highest_rank_down() -> None:
    headings, rows = _columns(
        ("id", 0, False, "x" * 20), ("a", 1, True, "1" * 20), ("b", 3, True, "2" * 20),
        ("c", 2, True, "3" * 20), ("d", 3, True, "4" * 20),
    )  # fmt: skip
    assert fit(headings, rows, 200) == ([], [0, 1, 2, 3, 4], [])
    assert fit(headings, rows, 100) == ([], [0, 1, 2, 3], [4])
    assert fit(headings, rows, 70) == ([], [0, 1, 3], [2, 4])
    assert fit(headings, rows, 45) == ([], [0, 1], [2, 3, 4])
    assert fit(headings, rows, 10) == ([0], [], [1, 2, 3, 4])


def test_a_name_that_leaves_no_room_stands_above_its_row() -> None:
    headings, rows = _columns(
        ("id", 0, False, "x" * 78), ("score", 0, True, "0.5"), ("why", 1, False, "a few words"),
        ("version", 1, False, "v" * 60),
    )  # fmt: skip
    assert fit(headings, rows, 80) == ([0], [1, 2], [3])
