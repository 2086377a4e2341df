"""Make the pictures of the documentation from the sample: `make pictures`.

The pages are those that a person gets who follows the first steps; the browser is the
system's Chromium. What is written is checked in, and stays small.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Final

import browser

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = REPOSITORY / "docs" / "pictures"
MOST_BYTES: Final = 300_000
"""Of all pictures together."""
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_SHOTS: Final = (
    ("report.png", ("--experiment", "exp-2025-01-001"), 1180, 1200),
    ("agent.png", ("--agent", "feature_dev"), 1180, 720),
)
"""Name, what the report is of, and how much of it: pixels across and down."""


def smaller(picture: bytes) -> bytes:
    """Return a PNG with the same pixels, its data packed as tightly as zlib can."""
    chunks = []
    data = b""
    place = len(_SIGNATURE)
    while place < len(picture):
        (size,) = struct.unpack_from(">I", picture, place)
        kind, body = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + size]
        data += body if kind == b"IDAT" else b""
        if kind in {b"IHDR", b"IEND"}:
            chunks.append((kind, body))
        place += size + 12
    chunks.insert(1, (b"IDAT", zlib.compress(zlib.decompress(data), 9)))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def main() -> None:
    """Load the sample into a warehouse of its own, and write its pages' pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, browser.chromium() as viewer:
        environment = {**os.environ, "EVALMART_HOME": home}
        environment.pop("DATABASE_URL", None)

        def run(*arguments: str) -> None:
            command = [sys.executable, "-P", "-m", "loader", *arguments]
            subprocess.run(command, check=True, cwd=REPOSITORY, env=environment)

        try:
            run("init")
            run("sample")
            run("ingest", "--file", f"{home}/sample/*.jsonl")
            run("build", "--quiet")
            for name, about, width, height in _SHOTS:
                page = Path(home, f"{name}.html")
                run("report", *about, "-o", str(page))
                with viewer.tab() as tab:
                    tab.set_viewport_size({"width": width, "height": height})
                    tab.goto(page.as_uri())
                    (PICTURES / name).write_bytes(smaller(tab.screenshot()))
        finally:
            run("stop")


if __name__ == "__main__":
    main()
