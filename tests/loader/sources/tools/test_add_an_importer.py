"""The importer that docs/add-an-importer.md shows is one."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import servers
from importer_trials import read, try_read
from ingest_support import select
from loader.cli import cli
from loader.sources.tools import registry
from loader.sources.tools.opened import ToolFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.newest_server
PAGE = (servers.REPOSITORY / "docs" / "add-an-importer.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def arena(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Give a file of the page's tool, whose importer is registered as the page says."""
    module = ModuleType("loader.sources.tools.arena")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block("python"), "arena.py", "exec"), module.__dict__)  # noqa: S102  of the page
    monkeypatch.setitem(registry.KINDS, "arena", "arena")
    path = tmp_path / "arena.json"
    path.write_text(block("json"))
    yield path
    registry.importer_of.cache_clear()


def test_the_file_of_the_page_loads(arena: Path, database_url: str) -> None:
    assert registry.recognised(ToolFile(str(arena))) == "arena"
    command = [
        "ingest", str(arena), "--map", "experiment_group=model", "--control", "m-1", "--strict",
        "--database-url", database_url,
    ]  # fmt: skip
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "Arena, 2 runs: 2 of m-1 unversioned in tickets" in done.stderr
    stored = (
        "select task_id, repetition, scores ->> 'passed', latency_ms, error_message, source "
        "from raw_evals.evaluation_runs order by repetition"
    )
    assert select(database_url, stored) == [
        ("refund", 1, "1.0", 1500, None, "arena"),
        ("refund", 2, None, 9000, "timed out", "arena"),
    ]


def test_what_is_wrong_with_a_file_of_the_page_is_told(arena: Path) -> None:
    text = arena.read_text()
    arena.write_text(text.replace('"attempt": 1', '"attempt": -1'))
    found = read("arena", [arena])
    assert (len(found.records), found.reasons) == (1, ["attempt is below 0; count from 0"])
    arena.write_text(text[:-20])
    assert try_read("arena", [arena]).reasons[0].startswith("the document breaks off")
    arena.write_text(json.dumps(json.loads(text) | {"arena": 3}))
    assert try_read("arena", [arena]).reasons[0].startswith("arena is 3; tried are (1, 2)")
