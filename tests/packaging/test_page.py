"""What the package's page says of installing it is so."""

from __future__ import annotations

import re
import tomllib

import pytest

import servers
from loader.tools import extras

pytestmark = pytest.mark.newest_server

_PROJECT = tomllib.loads((servers.REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
_PAGE = (servers.REPOSITORY / _PROJECT["readme"]).read_text("utf-8")


def test_every_extra_has_its_sentence_and_its_row_of_the_page() -> None:
    declared = {*_PROJECT["optional-dependencies"]} - {"all"}
    assert set(extras.EXTRAS) == declared
    assert {*re.findall(r"^\| `evalmart\[(\w+)\]` \|", _PAGE, re.MULTILINE)} == declared


def test_all_is_every_extra() -> None:
    (everything,) = _PROJECT["optional-dependencies"]["all"]
    named = re.fullmatch(r"evalmart\[(.+)\]", everything)
    assert named is not None
    assert sorted(named[1].split(",")) == sorted(extras.EXTRAS)


def test_the_page_leads_nowhere_that_only_a_clone_has() -> None:
    links = re.findall(r"\]\(([^)]+)\)", _PAGE)
    assert [link for link in links if not link.startswith("https://")] == []


def test_an_extra_that_is_here_is_not_asked_for() -> None:
    for name in extras.EXTRAS:
        extras.require(name)
