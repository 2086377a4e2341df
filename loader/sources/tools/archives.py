"""Zip archives of tools: opened, and their members unpacked, in bounded memory."""

from __future__ import annotations

import struct
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import InvalidRecord
from ...records.json_text import oversized, shown
from .. import Rejection
from ..blocks import BLOCK_BYTES
from . import FileBroken, zstd_members
from .document import LARGEST_ELEMENT
from .zstd_members import METHOD as ZSTANDARD

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_EXPANSION: Final = 1000
_FEW_BYTES: Final = 1024 * 1024
_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError,
)  # fmt: skip
"""What Python raises of an archive whose bytes are not as they were."""


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a zip archive; close it.

    Raises:
        FileBroken: it is none, or breaks off: its table of contents stands at its end.

    """
    try:
        return zipfile.ZipFile(path)
    except NotImplementedError as error:
        reason = f"the archive is of a kind that is not read ({error}); pack it as plain zip"
        raise FileBroken(Rejection("corrupt_zip", reason)) from None
    except _DAMAGED as error:
        reason = f"the archive cannot be read ({error}); copy it again, its end is missing"
        raise FileBroken(Rejection("corrupt_zip", reason)) from None


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return what is in a member of an archive, unpacked.

    Raises:
        InvalidRecord: it is not there, is damaged, longer than a sample may be, or packed with
            a password, or an algorithm that is not installed.

    """
    info = _info(archive, name)
    if info.file_size > LARGEST_ELEMENT:
        told = oversized(info.file_size, LARGEST_ELEMENT)
        raise InvalidRecord("", "record_too_large", f"{shown(name)}: {told}")
    return b"".join(member_blocks(archive, name))


def member_blocks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield what is in a member of an archive, however long it is.

    Raises:
        InvalidRecord: as `member`, but for its length.

    """
    info = _info(archive, name)
    if info.file_size > max(_FEW_BYTES, _MOST_EXPANSION * info.compress_size):
        reason = (
            f"{shown(name)} unpacks to more than {_MOST_EXPANSION:,} times its size; it is not read"
        )
        raise InvalidRecord("", "expansion_too_large", reason)
    try:
        if info.compress_type == ZSTANDARD and archive.filename:
            yield from zstd_members.blocks(Path(archive.filename), info)
            return
        with archive.open(info) as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block
    except (NotImplementedError, RuntimeError) as error:
        reason = f"{shown(name)} cannot be unpacked here ({error}); pack it as plain zip"
        raise InvalidRecord("", "corrupt_zip", reason) from None
    except _DAMAGED as error:
        reason = f"{shown(name)} cannot be unpacked ({error}); copy the file again"
        raise InvalidRecord("", "corrupt_zip", reason) from None


def _info(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(name)
    except KeyError:
        raise InvalidRecord("", "corrupt_zip", f"the archive has no {shown(name)}") from None
