"""Files that are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from ..errors import ConfigurationError, LoaderError, NoRoom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose content replaces the file only when everything went well.

    A file that is there keeps its mode; a new one gets that of the umask.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise IsADirectoryError(21, "it is a directory")
        with path.open("wb") as stream:  # a pipe or a device: nothing to rename
            yield stream
        return
    target = path.resolve()  # a symbolic link stays one
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        # what replaces a private file is private from its first byte on
        mode = 0o600 if target.exists() else 0o666
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(partial, flags, mode), "wb") as stream:
            if target.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder whose content is at a path only when everything went well.

    Raises:
        OSError: it cannot be written, or there is something at the path but an empty folder.
    """
    target = path.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(errno.EEXIST, "it is there and not an empty folder; name another")
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    partial.mkdir()
    try:
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def cannot_write(path: object, error: OSError) -> LoaderError:
    """Return the error of a file that could not be written, to be raised from the system's."""
    reason = error.strerror or error
    if error.errno in _FULL:
        return NoRoom(f"cannot write {path}: {reason}; make room and run the command again")
    return ConfigurationError(f"cannot write {path}: {reason}")
