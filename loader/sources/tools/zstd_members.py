"""Members of a zip archive that are packed with Zstandard, which Python reads from 3.14 on only."""

from __future__ import annotations

import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, Final

from ...errors import InvalidRecord
from ...tools.extras import missing
from ..blocks import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHOD: Final = 93
"""What the archive says of such a member."""
_LOCAL_HEADER: Final = 30
_LENGTHS: Final = slice(26, 30)


def blocks(path: Path, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what is in a member, which may be of several frames.

    Args:
        path: of the archive.
        info: what its directory says of the member.

    Raises:
        InvalidRecord: the package that unpacks it is not installed.
        BadZipFile: it is not as long as the directory says, or has another checksum; where it
            is longer, before more is yielded.
        OSError: the archive cannot be read.

    """
    try:
        import zstandard
    except ImportError:
        reason = f"{info.filename} is packed with Zstandard, and {missing('inspect')}"
        raise InvalidRecord("", "missing_package", reason) from None
    left, checksum = info.file_size, 0
    with path.open("rb") as archive:
        _go_to(archive, info)
        packed: Any = _Part(archive, info.compress_size)
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
            try:
                while block := reader.read(BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        break
                    checksum = zlib.crc32(block, checksum)
                    yield block
            except zstandard.ZstdError as error:
                raise zipfile.BadZipFile(str(error)) from None
    if left or checksum != info.CRC:
        raise zipfile.BadZipFile("it has another checksum than the directory says")


class _Part:
    """The next bytes of a file, as if it ended behind them."""

    def __init__(self, file: IO[bytes], count: int) -> None:
        self._file = file
        self._left = count

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        return data


def _go_to(archive: IO[bytes], info: zipfile.ZipInfo) -> None:
    """Go to where a member's data begins: behind its header, which has lengths of its own."""
    archive.seek(info.header_offset)
    header = archive.read(_LOCAL_HEADER)
    lengths = header[_LENGTHS]
    if not header.startswith(b"PK\x03\x04") or len(lengths) != 4:  # noqa: PLR2004  two of two
        raise zipfile.BadZipFile("its header is not where the directory says")
    name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    archive.seek(name + extra, 1)
