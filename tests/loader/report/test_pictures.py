"""The pictures of the documentation: there, small, and packed without losing a pixel."""

from __future__ import annotations

import re
import struct
import zlib

from pictures import MOST_BYTES, PICTURES, REPOSITORY, smaller


def test_pictures_are_small_and_every_one_is_shown() -> None:
    pictures = sorted(PICTURES.iterdir())
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES
    shown = {
        name
        for page in (REPOSITORY / "docs").glob("*.md")
        for name in re.findall(r"!\[[^\]]{20,}\]\(pictures/([\w.-]+)\)", page.read_text())
    }
    assert shown == {path.name for path in pictures}


def test_a_picture_is_packed_without_loss() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    rows = b"".join(b"\x00" + bytes([row % 7]) * 300 for row in range(100))
    data = zlib.compress(rows, 0)
    header = struct.pack(">IIBBBBB", 300, 100, 8, 0, 0, 0, 0)
    loose = b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body)
        for kind, body in (
            (b"IHDR", header), (b"tEXt", b"x\x00y"), (b"IDAT", data[:99]), (b"IDAT", data[99:]),
            (b"IEND", b""),
        )
    )  # fmt: skip
    packed = smaller(loose)
    assert len(packed) < len(loose) / 20
    start = packed.index(b"IDAT")
    (size,) = struct.unpack_from(">I", packed, start - 4)
    assert zlib.decompress(packed[start + 4 : start + 4 + size]) == rows
