"""The check of rooms finds what it is for, however it is written."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

import servers

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    path = servers.REPOSITORY / "tests" / "check_rooms.py"
    spec = importlib.util.spec_from_file_location("check_rooms", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def found(rooms: ModuleType, folder: Path, name: str, text: str) -> list[str]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return list(rooms.misplaced(path, folder, rooms.marts()))


def test_an_import_by_a_name_is_found(rooms: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "gate.py"
    path.write_text("from loader.marts import pages\nimport evalmart.cli\nfrom . import bars\n")
    assert list(rooms.absolute(path, tmp_path)) == [
        "gate.py:1: imports loader.marts: relatively",
        "gate.py:2: imports evalmart.cli: relatively",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'query = "select 1 from {version_trends}"',
        'query = "SELECT 1 FROM evals.version_trends"',
        'query = f"select 1 from {schema}.version_trends"',
        'query = "select 1 " + "from {version_trends}"',
        'query = "table evals.version_trends"',
        'query = "select 1 from {}".format("version_trends")',
        'query = Identifier(schema, "version_trends")',
        'rows = "select 1 from evals.gate_decisions"',
        "from ..marts.reading import select_all",
        "from ..marts.reading import NOT_BUILT, on_marts",
        "from ..marts import reading",
    ],
)
def test_a_select_on_a_mart_is_found_outside_its_room(
    rooms: ModuleType, tmp_path: Path, text: str
) -> None:
    assert len(found(rooms, tmp_path, "gate/other.py", text)) == 1
    assert found(rooms, tmp_path, "marts/other.py", text) == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into raw_evals.loads values (1)",
        "INSERT INTO raw_evals.loads values (1)",
        "delete from only raw_evals.loads",
        "truncate raw_evals.loads",
        "truncate table raw_evals.loads",
        "merge into raw_evals.loads using x on true",
        "copy raw_evals.loads from stdin",
        "update raw_evals.loads set load_id = 1",
    ],
)
def test_a_write_to_raw_is_found_outside_its_room(
    rooms: ModuleType, tmp_path: Path, statement: str
) -> None:
    text = f"query = {statement!r}"
    assert found(rooms, tmp_path, "gate/other.py", text) == [
        "gate/other.py:1: writes raw_evals.loads"
    ]
    assert found(rooms, tmp_path, "ingest/other.py", text) == []
    assert len(found(rooms, tmp_path, "gate/sql/other.sql", statement)) == 1


@pytest.mark.parametrize("prefix", ["", "f"])
def test_a_long_statement_is_found_in_a_string(
    rooms: ModuleType, tmp_path: Path, prefix: str
) -> None:
    lines = "\n".join(["select", *(f"    {number}," for number in range(20)), "    {here}"])
    text = f'query = {prefix}"""\n{lines}\n"""'
    assert "a statement of" in "".join(found(rooms, tmp_path, "ingest/other.py", text))
    documentation = f'"""\n{lines} from version_trends\n"""'
    assert found(rooms, tmp_path, "ingest/other.py", documentation) == []
