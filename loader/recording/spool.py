"""Records that could not be delivered: an append-only file each, loaded exactly once.

A line is `crc32 in hexadecimal, blank, JSON`; the first says where the file came from. A
line counts once `fsync` has returned: what a crash leaves half written fails its checksum
and was never acknowledged. Every record carries its own `source_run_id` and time, so
loading a file twice changes nothing, and a file is removed only after the commit of its
load. `flock` keeps writers and loaders apart: a writer that finds its file in use or gone
begins another, so it never waits.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
import uuid
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from loader.errors import ConfigurationError, LoaderError
from loader.sources import Rejection, SourceRow
from loader.warehouse.project import home_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loader.ingest.summary import LoadSummary
    from loader.records.vocabulary import Vocabulary
    from loader.warehouse.connection import Connection

FORMAT: Final = 2
"""Of files that say whether contents are kept; those that keep none are of format 1 still,
which earlier versions read."""
SUFFIX: Final = ".spool"
_CHECKSUM_DIGITS: Final = 8
_LOCK_NAME: Final = "loading.lock"
_EMBEDDED: Final = "embedded"
_log = logging.getLogger(__name__)


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
        fields = {"format": FORMAT, **self._asdict()}
        if not self.keep_contents:
            del fields["keep_contents"]
            fields["format"] = 1
        return json.dumps(fields)


def spool_directory() -> Path:
    """Return the folder of the spool files; it need not exist."""
    return home_directory() / "spool"


def waiting(directory: Path | None = None) -> list[Path]:
    """Return the spool files that wait, the oldest first."""
    return sorted((directory or spool_directory()).glob(f"*{SUFFIX}"))


def target_name(database_url: str | None = None) -> str:
    """Name the database that an option and the environment lead to; no user, no password."""
    from psycopg.conninfo import conninfo_to_dict  # listing files needs no driver
    from psycopg.pq import Conninfo

    from loader.warehouse.connection import connection_string, is_embedded

    if is_embedded(database_url):
        return _EMBEDDED
    values = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val is not None
    }
    values |= {
        name: str(value)
        for name, value in conninfo_to_dict(connection_string(database_url)).items()
    }
    host = values.get("hostaddr") or values.get("host") or ""
    return f"{host}:{values.get('port', '')}/{values.get('dbname') or values.get('user', '')}"


class SpoolWriter:
    """Appends records to a spool file, which it creates when there is something to keep."""

    def __init__(self, header: Header, directory: Path | None = None) -> None:
        """Choose where; nothing is created yet."""
        self._header = header
        self._directory = directory or spool_directory()
        self._lock = threading.RLock()
        self.path: Path | None = None

    @property
    def has_waiting(self) -> bool:
        """Whether something appended here is not loaded yet."""
        return self.path is not None and self.path.exists()

    def append(self, records: Sequence[bytes]) -> None:
        """Keep records; when this returns they are on disk.

        Args:
            records: JSON texts without line feeds.

        Raises:
            OSError: the disk is full or not writable; nothing was kept.

        """
        with self._lock, self._opened() as descriptor:
            size = os.fstat(descriptor).st_size
            try:
                _write(descriptor, b"".join(map(framed, records)))
                os.fsync(descriptor)
            except OSError:
                self.path = None  # whatever is left of it, the next records go elsewhere
                os.ftruncate(descriptor, size)
                raise

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open and lock the file at hand, or a new one if a loader has taken it."""
        if self.path is not None:
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            except FileNotFoundError:
                self.path = None
            else:
                try:
                    if _is_locked(descriptor, self.path):
                        yield descriptor
                        return
                finally:
                    os.close(descriptor)
        while True:
            path, descriptor = self._create()
            try:
                if _is_locked(descriptor, path):
                    _write(descriptor, framed(self._header.to_json().encode()))
                    self.path = path
                    yield descriptor
                    _sync_directory(self._directory)
                    return
            finally:
                os.close(descriptor)

    def _create(self) -> tuple[Path, int]:
        # records may be private: nobody else reads them
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        path = self._directory / name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        return path, os.open(path, flags, mode=0o600)


class SpoolSource:
    """A spool file as a source of runs."""

    never_waits = True

    def __init__(self, path: Path, file: IO[bytes], header: Header) -> None:
        """Read from an open file, its header already read."""
        self.name = header.source
        self._path = path
        self._file = file

    def reference(self) -> dict[str, object]:
        """Name the file."""
        return {"spool": self._path.name}

    def rows(self) -> Iterator[SourceRow]:
        """Yield every record; a damaged line is rejected, a torn last one passed over."""
        for number, line in enumerate(self._file, start=2):
            text = unframed(line)
            if text is not None:
                yield SourceRow(number, self._path.name, text, None, None)
            elif line.endswith(b"\n"):
                reason = "the line does not match its checksum; the disk altered it"
                rejection = Rejection("checksum_mismatch", reason)
                yield SourceRow(number, self._path.name, line, None, rejection)


def replay(
    connection: Connection,
    vocabulary: Vocabulary,
    target: str,
    directory: Path | None = None,
) -> list[LoadSummary]:
    """Load every waiting file that is meant for this database, the oldest first.

    One process at a time does so: beside another one, this returns at once.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        vocabulary: known groups, evaluators and metrics.
        target: the name of the database, from `target_name`.
        directory: the folder of the files, if not the usual one.

    Raises:
        ConfigurationError: the raw schema is missing.
        WarehouseUnavailable: the server fails; what is not loaded stays.

    """
    folder = directory or spool_directory()
    if not waiting(folder):
        return []
    summaries: list[LoadSummary] = []
    with (folder / _LOCK_NAME).open("a") as lock:
        if not _try_lock(lock.fileno()):
            return []
        for path in waiting(folder):
            summary = _load_file(connection, vocabulary, target, path)
            if summary is not None:
                summaries.append(summary)
    return summaries


def replay_waiting(database_url: str | None = None) -> int:
    """Load what waits for a database, if anything does and it can be reached.

    Every command begins with this. Returns the number of records read; never raises a
    `LoaderError`: a command that needs the database says itself what is wrong.
    """
    if not waiting():
        return 0
    from loader.warehouse.connection import connect  # most commands find nothing waiting
    from loader.warehouse.seeds import read_vocabulary

    try:
        target = target_name(database_url)
        with connect(database_url) as connection:
            summaries = replay(connection, read_vocabulary(), target)
    except LoaderError as error:
        _log.info("spooled records wait on: %s", error)
        return 0
    return sum(summary.read for summary in summaries)


def _load_file(
    connection: Connection, vocabulary: Vocabulary, target: str, path: Path
) -> LoadSummary | None:
    from loader.ingest.load import load  # writing a spool needs no driver

    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        if not _is_locked(file.fileno(), path):
            return None  # its writer is at it, or another loader was quicker
        header = _read_header(file)
        if header is None:
            if os.fstat(file.fileno()).st_size == 0:
                path.unlink()  # made by a writer that never came to write
            else:
                damaged = path.with_suffix(".damaged")
                path.rename(damaged)
                _log.warning("%s is no spool file any more; kept as %s", path.name, damaged)
            return None
        if not _leads_to(header.target, target):
            return None
        source = SpoolSource(path, file, header)
        summary = load(
            connection, source, vocabulary.acknowledged(), keep_contents=header.keep_contents
        )
        path.unlink()
        _sync_directory(path.parent)
    if summary.rejected:
        _log.warning(
            "%d spooled records were rejected, see raw_evals.rejected_rows of load %s",
            summary.rejected,
            summary.load_id,
        )
    return summary


def _leads_to(written_for: str, target: str) -> bool:
    """Whether two names are one database: the embedded server also has an address."""
    if written_for == target:
        return True
    if _EMBEDDED not in (written_for, target):
        return False
    from loader.warehouse import embedded
    from loader.warehouse.connection import embedded_directory

    conninfo = embedded.running(embedded_directory())
    return conninfo is not None and {written_for, target} == {_EMBEDDED, target_name(conninfo)}


def framed(record: bytes) -> bytes:
    """Return a record as a line of the file."""
    return b"%08x %s\n" % (zlib.crc32(record), record)


def unframed(line: bytes) -> bytes | None:
    """Return the record of a line; None if the line is torn or damaged."""
    checksum, blank, record = line[:-1].partition(b" ")
    if not blank or line[-1:] != b"\n" or len(checksum) != _CHECKSUM_DIGITS:
        return None
    return record if checksum == b"%08x" % zlib.crc32(record) else None


def _read_header(file: IO[bytes]) -> Header | None:
    text = unframed(file.readline())
    if text is None:
        return None
    fields = json.loads(text)
    if fields.pop("format") > FORMAT:
        raise ConfigurationError(f"{file.name} is of a newer evalmart; upgrade to load it")
    return Header(**fields)


def _is_locked(descriptor: int, path: Path) -> bool:
    """Lock a file without waiting; false if it is in use or no longer there."""
    if not _try_lock(descriptor):
        return False
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
