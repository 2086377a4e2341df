"""Files that are written whole: who may read them afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from loader.tools.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[0o022, 0o077], ids=["022", "077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def write(path: Path) -> int:
    with whole_file(path) as stream:
        stream.write(b"whole")
    assert path.read_bytes() == b"whole"
    return path.stat().st_mode & 0o777


def test_a_new_file_gets_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    assert write(tmp_path / "report.html") == 0o666 & ~umask


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664], ids=oct)
def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "report.html"
    path.touch()
    path.chmod(mode)
    link = tmp_path / "latest.html"
    link.symlink_to(path)
    assert write(link) == mode
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == mode


def test_what_replaces_a_private_file_is_private_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.touch()
    path.chmod(0o600)
    with whole_file(path) as stream:
        stream.write(b"whole")
        assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


@pytest.mark.usefixtures("umask")
def test_a_report_has_the_mode_of_the_umask_and_no_other(tmp_path: Path, umask: int) -> None:
    """Through the command's own writing: nothing forces a mode."""
    from loader.cli.report import _write

    _write(tmp_path / "report.html", "whole")
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"before")

    def fail() -> None:
        with whole_file(path) as stream:
            stream.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
