"""The files that paths, folders and patterns name."""

from __future__ import annotations

import glob
import os
import stat
import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from .mapping import Mapping

STANDARD_INPUT: Final = "-"
MOST_FILES: Final = 100_000
"""Files of a pattern or a folder."""
_MOST_NAMED: Final = 100
"""How many file names a load's ledger entry lists."""


def expand(paths: Sequence[str]) -> list[str]:
    """Return the files that paths, folders and patterns name, each once.

    A file that has several names, a link or `./` before it, goes by the first of them that is
    no link.

    Raises:
        ConfigurationError: a path does not exist, or matches nothing.

    """
    found: dict[object, str] = {}
    for path in paths:
        if path == STANDARD_INPUT or Path(path).is_file():
            matches = [path]
        elif Path(path).is_dir():
            matches = _files_of(Path(path))
        elif Path(path).exists():
            matches = [path]
        elif glob.has_magic(path):
            matched = glob.iglob(path, recursive=True)  # noqa: PTH207  absolute or not
            matches = _bounded(filter(os.path.isfile, matched), f"match {path}")
            if not matches:
                raise ConfigurationError(f"no file matches {path}; check the pattern")
        else:
            raise ConfigurationError(f"there is no file {path}; check the path")
        for match in matches:
            key = _identity(match)
            if key not in found or (Path(found[key]).is_symlink() and not Path(match).is_symlink()):
                found[key] = match
    if not found:
        raise ConfigurationError("no file is named; give --file PATH, or - for standard input")
    return list(found.values())


def _identity(path: str) -> object:
    """Return what is the same for all names of a regular file."""
    if path == STANDARD_INPUT:
        return path
    try:
        status = Path(path).stat()
    except OSError:
        return path
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else path


def _files_of(folder: Path) -> list[str]:
    """Return the files of a folder and those below it, without hidden ones, by name.

    Raises:
        ConfigurationError: there is none, or there are too many.

    """
    found = (
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and not any(map(_is_hidden, path.relative_to(folder).parts))
    )
    matches = _bounded(found, f"are in {folder}")
    if not matches:
        raise ConfigurationError(f"no file is in the folder {folder}; check the path")
    return matches


def dangling_in(folder: Path) -> list[str]:
    """Return the links of a folder, and below it, to what is not there; without hidden ones."""
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.is_symlink()
        and not path.exists()
        and not any(map(_is_hidden, path.relative_to(folder).parts))
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _bounded(found: Iterator[str], where: str) -> list[str]:
    some = list(islice(found, MOST_FILES + 1))
    if len(some) > MOST_FILES:
        raise ConfigurationError(
            f"more than {MOST_FILES:,} files {where}; load them in several commands"
        )
    return sorted(some)


def files_reference(paths: Sequence[str], kind: str | None, mapping: Mapping) -> dict[str, object]:
    """Return what a load's ledger entry says of the files that it reads, and of what kind."""
    named: dict[str, object] = {"files": list(paths[:_MOST_NAMED])}
    if len(paths) > _MOST_NAMED:
        named["file_count"] = len(paths)
    if kind:
        named["format"] = kind
    if mapping.entries:
        named["mapping"] = [entry.text for entry in mapping.entries[:_MOST_NAMED]]
    return named


def open_input(path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, or standard input; raises ConfigurationError where it cannot be read."""
    if path == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}; check the path and its rights"
        ) from None


def size_of(path: str) -> int | None:
    """Return the size of a regular file, None for anything else."""
    if path == STANDARD_INPUT:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
