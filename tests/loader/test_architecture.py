"""The house is as its description says: floors, rooms, folders, pictures."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

import browser
import mermaid
import servers

if TYPE_CHECKING:
    from pathlib import Path

PAGE = servers.REPOSITORY / "docs" / "architecture.md"
README = servers.REPOSITORY / "README.md"
PACKAGE = servers.REPOSITORY / "loader"
_ROOM = re.compile(r"`(\w+)`")


def _floors() -> list[set[str]]:
    """Return the contract's floors, the lowest first."""
    settings = tomllib.loads((servers.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    return [set(layer.split(" | ")) for layer in reversed(layers)]


def test_the_table_of_rooms_follows_the_contract() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| room |")[2].partition("\n\n")[0]
    told = [room for line in table.splitlines()[2:] for room in _ROOM.findall(line.split("|")[1])]
    floor = {room: number for number, rooms in enumerate(_floors()) for room in rooms}
    assert set(told) == floor.keys() - {"__main__", "pytest_plugin"}
    heights = [max(floor[room], 1) for room in told]  # errors stand with the tools
    assert heights == sorted(heights)


def test_every_module_is_on_a_floor() -> None:
    modules = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    modules |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules == set().union(*_floors())
    # 16 rooms, two more that are planned (judges, planning), and six files
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 24


def test_the_picture_has_the_floors_of_the_contract() -> None:
    picture = mermaid.diagrams(PAGE.read_text(encoding="utf-8"))[1]
    drawn = [set(re.split(r" · |, ", label)) for label in re.findall(r'\["(.+?)"\]', picture)]
    ground, tools, *floors, entrance = _floors()
    assert entrance == {"__main__", "pytest_plugin"}
    assert drawn[::-1] == [ground | tools, *floors]
    # each stands on the next
    assert picture.count("-->") == len(drawn) - 1


# in text a folder stands in backticks, in the tree of the README where a line or a column begins
@pytest.mark.parametrize(
    ("page", "folder"),
    [(PAGE, r"`((?:[a-z_]+/)+[a-z_]*)(?:`| )"), (README, r"(?:^|  )((?:[a-z_]+/)+) ")],
    ids=["architecture", "README"],
)
def test_every_folder_that_is_named_is_there(page: Path, folder: str) -> None:
    named = set(re.findall(folder, page.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(named) > 5
    assert {path for path in named if not (servers.REPOSITORY / path).exists()} == set()


@pytest.mark.slow
def test_the_pictures_can_be_drawn(tmp_path: Path) -> None:
    texts = mermaid.diagrams(PAGE.read_text(encoding="utf-8"))
    assert len(texts) == 2
    with browser.chromium() as viewer:
        seen = viewer.look(mermaid.page(texts, tmp_path), 1200)
    assert seen.console == ["drawn"]
    assert "one transaction" in seen.text
    assert "warehouse · sources" in seen.text
