"""What a run made, as a file: every record of it, failures too, as `ingest` takes it back."""

from __future__ import annotations

import threading
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from ..errors import ConfigurationError
from ..tools.files import cannot_write, whole_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SUFFIXES: Final = (".json", ".jsonl")


class _Lines:
    """Records one after the other, as lines or as one array."""

    def __init__(self, stream: BinaryIO, *, is_array: bool) -> None:
        self._stream = stream
        self._is_array = is_array
        self._count = 0
        self._lock = threading.Lock()

    def add(self, record: bytes) -> None:
        """Write one record, its JSON text; any thread may."""
        with self._lock:
            before = (b",\n" if self._count else b"[\n") if self._is_array else b""
            self._stream.write(before + record + (b"" if self._is_array else b"\n"))
            self._count += 1

    def end(self) -> None:
        """Write what closes them."""
        if self._is_array:
            self._stream.write(b"\n]\n" if self._count else b"[]\n")


@asynccontextmanager
async def results_file(path: Path | None) -> AsyncIterator[Callable[[bytes], None] | None]:
    """Give what takes each record's JSON; the file is there, whole, when all went well.

    Args:
        path: `.json` for one array, `.jsonl` for a line a record; None: nothing is written.

    Raises:
        ConfigurationError: another suffix, or the file cannot be written.

    """
    if path is None:
        yield None
        return
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigurationError(f"--output {path}: name a file that ends in .json or .jsonl")
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(whole_file(path))
        except OSError as error:
            raise cannot_write(f"--output {path}", error) from None
        lines = _Lines(stream, is_array=path.suffix.lower() == ".json")
        yield lines.add
        lines.end()
