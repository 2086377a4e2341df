"""Files that only this user can have written: what is read from them may be run.

Python's own `__pycache__` is trusted because it lies beside the code. What is kept in a state
folder might lie where others may write, so owner and mode are looked at before a byte is.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..tools.files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def read(path: Path) -> bytes | None:
    """Return what is in a file that nobody else can write; None where there is no such file.

    Neither the file nor its folder may be somebody else's, or open to others for writing.
    """
    try:
        if not _is_own(path.parent.stat()):
            return None
        # what is looked at is what is read, whatever happens to the name
        with path.open("rb") as stream:
            return stream.read() if _is_own(os.fstat(stream.fileno())) else None
    except OSError:
        return None


def keep(path: Path, content: bytes) -> bool:
    """Write a file that only this user can read or write; return whether it could be.

    A folder that is made for it is nobody else's either.
    """
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_own(path.parent.stat()):
            return False
        path.touch(mode=0o600)
        path.chmod(0o600)
        with whole_file(path) as stream:
            stream.write(content)
    except OSError:
        with suppress(OSError):  # half of nothing is no file
            if path.stat().st_size == 0:
                path.unlink()
        return False
    return True


def _is_own(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OF_OTHERS
