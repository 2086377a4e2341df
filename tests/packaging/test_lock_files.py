"""The locks can be installed by pip, hash by hash."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.newest_server


def locked(name: str) -> Mapping[str, Requirement]:
    """Return what a lock pins."""
    text = (servers.REPOSITORY / name).read_text(encoding="utf-8")
    lines = (line.removesuffix("\\").strip() for line in text.splitlines())
    pins = [Requirement(line) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(pin.name): pin for pin in pins}


def wanted(name: str, extras: set[str]) -> Iterator[Requirement]:
    """Yield what an installed package asks for with these extras."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # of another platform
        return
    for each in map(Requirement, lines):
        if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield each


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_what_its_packages_ask_for_with_the_extras_they_ask_for(name: str) -> None:
    """pip takes a pin without its extra for another package, and refuses to fetch that."""
    pins = locked(name)
    asked = [each for pin in pins.values() for each in wanted(pin.name, pin.extras)]
    found = {canonicalize_name(each.name): each for each in asked if each.extras}
    assert "mashumaro" in found  # dbt asks for mashumaro[msgpack]
    for each in asked:
        pin = pins.get(canonicalize_name(each.name))
        assert pin is not None, f"{name} pins no {each}"
        assert each.extras <= pin.extras, f"{name} pins {pin}, but {each} is asked for"


def test_what_a_user_installs_is_part_of_what_a_developer_does_in_the_same_versions() -> None:
    users, developers = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: pin.specifier for name, pin in users.items()} == {
        name: pin.specifier for name, pin in developers.items() if name in users
    }
