"""The form of a spool file: its lines, its name, and who may use it meanwhile.

A line is `crc32 in hexadecimal, blank, text`. The first says where the file came from; then
come batches, each a line with its id and its size and the records as JSON. A line counts once
`fsync` has returned: what a crash leaves half written fails its checksum and was never
acknowledged.

Files stand in the order of their names, which begin with a number: a writer goes on with the
last file of its source, or begins one with a number higher than all. So what is appended after
something else was acknowledged stands behind it, whatever the clock says and whoever wrote it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import uuid
import zlib
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT: Final = 3
"""Of files whose batches have ids; earlier versions leave them alone."""
SUFFIX: Final = ".spool"
_CHECKSUM_DIGITS: Final = 8
_MARK: Final = b"delivery "  # no JSON begins so
_POLL_SECONDS: Final = 0.01


class Header(NamedTuple):
    """The first line of a spool file."""

    source: str
    """The `source` of its runs."""
    target: str
    """The database they are meant for, see `target_name`."""
    keep_contents: bool = False
    """Whether their inputs and outputs are kept."""

    def to_json(self) -> str:
        """Return the line."""
        return json.dumps({"format": FORMAT, **self._asdict()})


class Batch(NamedTuple):
    """The line before the records of a batch."""

    delivery: str
    """Its id."""
    records: int

    def to_line(self) -> bytes:
        """Return the text of the line."""
        return b"%b%b %d" % (_MARK, self.delivery.encode(), self.records)

    @classmethod
    def of_line(cls, text: bytes) -> Batch | None:
        """Return the batch that a line begins; None if it is a record."""
        if not text.startswith(_MARK):
            return None
        delivery, _, records = text[len(_MARK) :].decode().partition(" ")
        return cls(delivery, int(records))


def batches(lines: Iterable[bytes]) -> Iterator[Batch]:
    """Yield the batches that some lines begin, whole or not."""
    for line in lines:
        text = unframed(line)
        batch = None if text is None else Batch.of_line(text)
        if batch is not None:
            yield batch


def framed(record: bytes) -> bytes:
    """Return a record as a line of the file."""
    return b"%08x %s\n" % (zlib.crc32(record), record)


def unframed(line: bytes) -> bytes | None:
    """Return the record of a line; None if the line is torn or damaged."""
    checksum, blank, record = line[:-1].partition(b" ")
    if not blank or line[-1:] != b"\n" or len(checksum) != _CHECKSUM_DIGITS:
        return None
    return record if checksum == b"%08x" % zlib.crc32(record) else None


def read_header(file: IO[bytes]) -> Header | None:
    """Read the first line; None if it is torn, or of no spool file.

    Raises:
        ConfigurationError: the file is of a newer program.

    """
    text = unframed(file.readline())
    if text is None:
        return None
    fields = json.loads(text)
    if fields.pop("format") > FORMAT:
        raise ConfigurationError(f"{file.name} is of a newer evalmart; upgrade to load it")
    return Header(**fields)


def header_of(path: Path) -> Header | None:
    """Read the header of a file that others may be at; None if it has none, or is gone."""
    try:
        with path.open("rb") as file:
            return read_header(file)
    except OSError:
        return None


def waiting_in(directory: Path) -> list[Path]:
    """Return the files of a folder in their order."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def last_of_source(files: Iterable[Path], source: str) -> Path | None:
    """Return the last of some files, in their order, that is named after a source."""
    named = [path for path in files if path.name.partition("-")[2].startswith(_of_source(source))]
    return named[-1] if named else None


def next_name(files: Iterable[Path], source: str) -> str:
    """Return the name of a file that stands behind some others."""
    numbers = [path.name.partition("-")[0].removesuffix(SUFFIX) for path in files]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    return f"{last + 1:020d}-{_of_source(source)}-{uuid.uuid4().hex[:8]}{SUFFIX}"


def _of_source(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def is_whole(descriptor: int) -> bool:
    """Whether a file ends with the end of a line, so that another may follow."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) == b"\n"


def is_locked(descriptor: int, path: Path, patience: float = 0.0) -> bool:
    """Lock a file; false if it is in use, for so many seconds, or no longer there."""
    if not try_lock(descriptor, patience):
        return False
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def try_lock(descriptor: int, patience: float = 0.0) -> bool:
    """Lock a file; false if it is in use for so many seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def write(descriptor: int, data: bytes) -> None:
    """Write everything."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(directory: Path) -> None:
    """Have the names of a folder outlast a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
